"""INSEE's variables of the census, by theme, in INSEE's order and under its names.

Belongs here: which variables a theme has at a census, and what each counts. Does not belong here: the people counted
(`census.py`), the files (`publishers/insee_census.py`).

Names: P is the main count, C the complementary one (a sample); H men, F women; ages as 1529 or 90P. The order is that
of the list of variables of the dossier complet; no copy confirms that it is the files' order. That list has each
variable only once: P21_POP5564, which it has under another theme, is here too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from edu_pipeline.sample.census import ACTIVE, RETIRED, SCHOOL, STUDENT, Census, Values

Variables = Iterator[tuple[str, Values]]
"""INSEE's name of a variable without the year of the census (``P_POP``), and its value in every place."""

Theme = Callable[[Census, int], Variables]
"""The variables of one of a file's three censuses: its own (0), the previous one (1) and the one before (2).
Earlier censuses have fewer variables."""

SEXES = ("H", "F")
WIDE_AGES = ("0014", "1529", "3044", "4559", "6074", "7589", "90P")
SCHOOL_AGES = ("0205", "0610", "1114", "1517", "1824", "2529", "30P")
WORKING_AGES = ("1564", "1524", "2554", "5564")
DIPLOMAS = (
    {"DIPLMIN": 0.19, "BEPC": 0.05, "CAPBEP": 0.25, "BAC": 0.17, "SUP2": 0.12, "SUP34": 0.11, "SUP5": 0.11},
    {"DIPLMIN": 0.30, "CAPBEP": 0.25, "BAC": 0.17, "SUP": 0.28},
    {"DIPL0": 0.18, "CEP": 0.10, "BEPC": 0.06, "CAPBEP": 0.24, "BAC": 0.16, "BACP2": 0.12, "SUP": 0.14},
)
"""The diplomas that each of the three censuses distinguishes, and their shares."""
ACTIVE_CATEGORIES = (0.02, 0.07, 0.19, 0.27, 0.26, 0.19)
ALL_CATEGORIES = (0.01, 0.04, 0.10, 0.14, 0.15, 0.12, 0.27, 0.17)
TILTS = (0.0, 0.1, 0.5, 0.2, -0.2, -0.5, 0.0, 0.0)
"""How the shares of the socio-professional categories 1 to 8 change with a place's social level."""
MOVES = (0.885, 0.035, 0.048, 0.011, 0.014, 0.001, 0.006)
SECTORS = {"AGRI": 0.03, "INDUS": 0.12, "CONST": 0.07, "CTS": 0.46, "APESAS": 0.32}
ROOMS = {"1P": 0.06, "2P": 0.13, "3P": 0.21, "4P": 0.25, "5PP": 0.35}
BUILT = ("19", "45", "70", "90", "05")
SINCE = {
    "0002": (0.12, 1.0),
    "0204": (0.18, 3.0),
    "0509": (0.18, 7.0),
    "1019": (0.22, 14.0),
    "2029": (0.13, 24.0),
    "30P": (0.17, 41.0),
}
"""Share of the households by years since they moved in, and mean number of years."""
TENURES = {"PROP": 0.58, "LOC": 0.40, "GRAT": 0.02}
COMFORT = {"SDB": 0.97, "CCCOLL": 0.15, "CCIND": 0.35, "CINDELEC": 0.35}
OVERSEAS_COMFORT = {"ELEC": 0.98, "EAUCH": 0.75, "BDWC": 0.96, "CHOS": 0.4, "CLIM": 0.5, "TTEGOU": 0.45}
OVERSEAS_BUILDING = {"HABFOR": 0.02, "CASE": 0.05, "MIBOIS": 0.08, "MIDUR": 0.85}


def population(census: Census, back: int) -> Variables:
    """People by age and sex, by where they lived a year ago, and by socio-professional category."""
    yield "P_POP", census.people("00P")
    for group in WIDE_AGES if back < 2 else (*WIDE_AGES[:5], "75P"):
        yield f"P_POP{group}", census.people(group)
    for sex in SEXES:
        yield f"P_POP{sex}", census.people("00P", sex)
        for group in (*WIDE_AGES, "0019", "2064", "65P"):
            yield f"P_{sex}{group}", census.people(group, sex)
    if back < 2:
        yield from _moves(census)
    shares = census.shares("categories", ALL_CATEGORIES, tilt=TILTS)
    for group, sex in (("15P", ""), ("15P", "H"), ("15P", "F"), ("1524", ""), ("2554", ""), ("55P", "")):
        people = census.people(group, sex) * census.complement
        name = f"C_{sex or 'POP'}{group}"
        yield name, people
        for category in range(8):
            yield f"{name}_CS{category + 1}", people * shares[:, category]


def _moves(census: Census) -> Variables:
    shares = census.shares("moves", MOVES)
    everyone = census.people("01P")
    yield "P_POP01P", everyone
    for former in range(7):
        yield f"P_POP01P_IRAN{former + 1}", everyone * shares[:, former]
    for group in ("0114", "1524", "2554", "55P"):
        people = census.people(group)
        yield f"P_POP{group}_IRAN2P", people * shares[:, 1:].sum(axis=1)
        yield f"P_POP{group}_IRAN2", people * shares[:, 1]
        yield f"P_POP{group}_IRAN3P", people * shares[:, 2:].sum(axis=1)


def diplomas(census: Census, back: int) -> Variables:
    """People and pupils by age, and the highest diploma of those who have left school."""
    for sex in ("", *SEXES):
        for group in SCHOOL_AGES:
            yield f"P_{sex or 'POP'}{group}", census.people(group, sex)
        for group in SCHOOL_AGES:
            yield f"P_{sex}SCOL{group}", census.people(group, sex, SCHOOL)
    shares = census.shares("diplomas", tuple(DIPLOMAS[back].values()), tilt=_rising(len(DIPLOMAS[back])))
    for sex in ("", *SEXES):
        people = census.people("15P", sex, 1 - SCHOOL)
        yield f"P_{sex}NSCOL15P", people
        for number, diploma in enumerate(DIPLOMAS[back]):
            yield f"P_{sex}NSCOL15P_{diploma}", people * shares[:, number]


def _rising(count: int) -> Sequence[float]:
    """Tilts from the lowest to the highest diploma."""
    return tuple(np.linspace(-0.5, 0.6, count).tolist())


def activity(census: Census, back: int) -> Variables:
    """Who works, looks for work or does neither, by age and sex; the jobs in the place by category and sector.

    Since 2022 the categories are those of the PCS 2020, which have other names.
    """
    working, seeking = ACTIVE * (1 - census.jobless), ACTIVE * census.jobless
    for group in WORKING_AGES if back < 2 else ("1564", "5564"):
        yield f"P_POP{group}", census.people(group)
    for sex in SEXES:
        yield from ((f"P_{sex}{group}", census.people(group, sex)) for group in WORKING_AGES)
    for status, rate in (("ACT", ACTIVE), ("ACTOCC", working)):
        for sex in ("", *SEXES):
            yield from ((f"P_{sex}{status}{group}", census.people(group, sex, rate)) for group in WORKING_AGES)
    for group in WORKING_AGES if back == 0 else WORKING_AGES[:1]:
        yield f"P_CHOM{group}", census.people(group, rate=seeking)
    if back == 0:
        yield from _active_by_diploma(census, seeking)
    for sex in SEXES:
        yield from ((f"P_{sex}CHOM{group}", census.people(group, sex, seeking)) for group in WORKING_AGES)
    for status, rate in (
        ("INACT", 1 - ACTIVE),
        ("ETUD", STUDENT * (1 - ACTIVE)),
        ("RETR", RETIRED * (1 - ACTIVE)),
        ("AINACT", (1 - STUDENT - RETIRED) * (1 - ACTIVE)),
    ):
        yield f"P_{status}1564", census.people("1564", rate=rate)
    shares = census.shares("workers", ACTIVE_CATEGORIES, tilt=TILTS[:6])
    names = ("CS{0}", "CS{0}", "CS{0}") if back else ("STAT_GSEC1{0}_2{0}", "STAT_GSEC1{0}", "GS{0}")
    for status, rate, name in (("ACT", ACTIVE, names[0]), ("ACTOCC", working, names[1])):
        people = census.people("1564", rate=rate) * census.complement
        yield f"C_{status}1564", people
        yield from ((f"C_{status}1564_{name.format(n + 1)}", people * shares[:, n]) for n in range(6))
    yield from _jobs(census, census.people("15P", rate=working), census.people("15P", rate=ACTIVE), names[2])


def _active_by_diploma(census: Census, seeking: Values) -> Variables:
    names = DIPLOMAS[0]
    shares = census.shares("diplomas of the active", tuple(names.values()), tilt=_rising(len(names)))
    weights = shares * np.linspace(1.5, 0.6, len(names))
    without = census.people("1564", rate=seeking)
    yield from (
        (f"P_CHOM_{diploma}", without * weights[:, number] / weights.sum(axis=1))
        for number, diploma in enumerate(names)
    )
    active = census.people("1564", rate=ACTIVE)
    yield from ((f"P_ACT_{diploma}", active * shares[:, number]) for number, diploma in enumerate(names))


def _jobs(census: Census, working: Values, active: Values, category: str) -> Variables:
    size = np.log10(census.places["population"].to_numpy() + 10) - 3
    jobs = working * census.rng("jobs").lognormal(-0.4 + 0.35 * size, 0.5)
    employed, women = 0.86, 0.49
    yield "P_EMPLT", jobs
    yield "P_ACTOCC", working
    yield "P_ACT15P", active
    for status, share, part_time in (("SAL", employed, 0.17), ("NSAL", 1 - employed, 0.15)):
        yield f"P_EMPLT_{status}", jobs * share
        yield f"P_EMPLT_F{status}", jobs * share * women
        yield f"P_EMPLT_{status}TP", jobs * share * part_time
    counted = jobs * census.complement
    categories = census.shares("categories of jobs", ACTIVE_CATEGORIES, 0.3)
    sectors = census.shares("sectors", tuple(SECTORS.values()), 0.5)
    yield "C_EMPLT", counted
    yield from ((f"C_EMPLT_{category.format(n + 1)}", counted * categories[:, n]) for n in range(6))
    by_sector = {name: counted * sectors[:, number] for number, name in enumerate(SECTORS)}
    yield from ((f"C_EMPLT_{name}", values) for name, values in by_sector.items())
    for status, share in (("F", women), ("SAL", employed)):
        yield f"C_EMPLT_{status}", counted * share
        yield from ((f"C_{name}LT_{status}", values * share) for name, values in by_sector.items())
    for status, share in (
        ("FSAL", women * employed),
        ("NSAL", 1 - employed),
        ("FNSAL", women * (1 - employed)),
    ):
        yield from ((f"C_{name}LT_{status}", values * share) for name, values in by_sector.items())


def dwellings(census: Census, back: int) -> Variables:
    """Dwellings by use, kind, size and age; households by tenure, years since they moved in, comfort and cars."""
    uses = census.shares("uses", (0.82, 0.10, 0.08), 0.35)
    homes = census.dwellings * uses[:, 0]
    houses = 1 / (1 + np.exp(1.6 * (np.log10(census.dwellings + 10) - 4.1)))
    kinds = {"MAISON": houses, "APPART": 1 - houses}
    yield "P_LOG", census.dwellings
    for number, use in enumerate(("RP", "RSECOCC", "LOGVAC")):
        yield f"P_{use}", census.dwellings * uses[:, number]
    yield from ((f"P_{kind}", census.dwellings * share) for kind, share in kinds.items())
    sizes = census.shares("rooms", tuple(ROOMS.values()))
    yield from ((f"P_RP_{size}", homes * sizes[:, number]) for number, size in enumerate(ROOMS))
    rooms = homes * (sizes @ np.array([1, 2, 3, 4, 5.8]))
    yield "P_NBPI_RP", rooms
    for kind, share in kinds.items():
        yield f"P_RP{kind}", homes * share
        yield f"P_NBPI_RP{kind}", rooms * share
    crowded = homes * census.complement * 0.95
    yield "C_RP_HSTU1P", crowded
    yield "C_RP_HSTU1P_SUROCC", crowded * 0.05
    if back < 2:
        yield from _built(census, homes, kinds)
    yield from _households(census, homes, rooms)
    yield from _comfort(census, homes)


def _built(census: Census, homes: Values, kinds: dict[str, Values]) -> Variables:
    last = f"{census.year - 3 - 2000}"
    shares = census.shares("built", (0.13, 0.10, 0.18, 0.27, 0.19, 0.13), 0.3)
    finished = homes * 0.99
    yield "P_RP_ACHTOT", finished
    for prefix, part in (("RP", finished), *((f"RP{kind}", finished * share) for kind, share in kinds.items())):
        for number, period in enumerate((*BUILT, last)):
            yield f"P_{prefix}_ACH{period}", part * shares[:, number]


def _households(census: Census, homes: Values, rooms: Values) -> Variables:
    people = np.minimum(census.people("00P") * 0.975, homes * 3.2)
    since = census.shares("since", tuple(share for share, _ in SINCE.values()))
    short, long = ("0002", "0204", "0509"), ("1019", "2029", "30P")
    parts = {name: since[:, number] for number, name in enumerate(SINCE)}
    parts = {name: parts[name] for name in short} | {"10P": since[:, 3:].sum(axis=1)} | {n: parts[n] for n in long}
    yield "P_MEN", homes
    yield from ((f"P_MEN_ANEM{name}", homes * share) for name, share in parts.items())
    yield "P_PMEN", people
    for total, prefix in ((people, "PMEN"), (rooms, "NBPI_RP")):
        yield from ((f"P_{prefix}_ANEM{name}", total * parts[name]) for name in (*short, "10P"))
    owners = np.clip(census.shares("tenures", tuple(TENURES.values()), 0.25, tilt=(0.25, -0.2, 0.0)), 0, 1)
    social = np.clip(0.36 - 0.1 * census.level, 0.02, 0.8)
    shares = {"PROP": owners[:, 0], "LOC": owners[:, 1], "LOCHLMV": owners[:, 1] * social, "GRAT": owners[:, 2]}
    yield from ((f"P_RP_{tenure}", homes * share) for tenure, share in shares.items())
    years = homes * (since @ np.array([years for _, years in SINCE.values()]))
    for total, prefix in ((people, "NPER_RP"), (years, "ANEM_RP")):
        yield f"P_{prefix}", total
        yield from ((f"P_{prefix}_{tenure}", total * share) for tenure, share in shares.items())


def _comfort(census: Census, homes: Values) -> Variables:
    """Some of these variables exist only overseas and are empty elsewhere."""
    overseas = census.places["code"].str.starts_with("97").to_numpy()
    only_overseas = np.where(overseas, homes, np.nan)
    yield from ((f"P_RP_{name}", homes * share) for name, share in COMFORT.items())
    yield from ((f"P_RP_{name}", only_overseas * share) for name, share in OVERSEAS_COMFORT.items())
    cars = census.shares("cars", (0.17, 0.47, 0.36), tilt=(-0.2, 0.0, 0.1))
    yield "P_RP_GARL", homes * 0.62
    yield "P_RP_VOIT1P", homes * cars[:, 1:].sum(axis=1)
    yield "P_RP_VOIT1", homes * cars[:, 1]
    yield "P_RP_VOIT2P", homes * cars[:, 2]
    yield from ((f"P_RP_{name}", only_overseas * share) for name, share in OVERSEAS_BUILDING.items())
