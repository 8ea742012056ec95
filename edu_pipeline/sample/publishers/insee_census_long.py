"""INSEE's census of 2023 as long files: a row for each figure of an area, with 2012 and 2017 beside 2023.

Belongs here: the zip archives with their members, the dimensions and their codes, and which rows are not there. Does
not belong here: the people counted (`census.py`), the wide files of earlier editions (`insee_census.py`).

The names of the dimensions and their codes are those that public readers of the real files use; the order of the
columns, and RP_MEASURE of schooling and jobs, are guesses.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import polars as pl

from edu_pipeline.sample.census import ACTIVE, RETIRED, SCHOOL, STUDENT, Census, Values
from edu_pipeline.sample.census_variables import DIPLOMAS, ROOMS, TENURES
from edu_pipeline.sample.formats import write_zip
from edu_pipeline.sample.geographies import places_of
from edu_pipeline.sample.publication import publication
from edu_pipeline.sample.publishers.insee_census import MAYOTTE
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements

SOURCE = "insee-rp-2023"
YEARS = (2023, 2017, 2012)
GEOGRAPHY = 2026
FIRST_WITH_LONG_STUDIES = 2017
"""The first of the years in which INSEE tells three or four years of higher education from five."""

Figures = Iterator[tuple[Mapping[str, str], Values]]
"""The codes of a figure in the dimensions that it does not sum over, and its value in every place."""

Theme = Callable[[Census], Figures]

SEXES = {"_T": "", "M": "H", "F": "F"}
BANDS = {
    "Y_LT15": {"0014": 1.0},
    "Y15T24": {"1524": 1.0},
    "Y25T39": {"2529": 1.0, "3044": 0.66},
    "Y40T54": {"3044": 0.34, "4554": 1.0},
    "Y55T64": {"5564": 1.0},
    "Y65T79": {"6574": 1.0, "7589": 0.45},
    "Y_GE80": {"7589": 0.55, "90P": 1.0},
}
"""INSEE's age groups since the census of 2023, from those that the sample's people have."""
SCHOOL_BANDS = {
    "Y2T5": "0205",
    "Y6T10": "0610",
    "Y11T14": "1114",
    "Y15T17": "1517",
    "Y18T24": "1824",
    "Y25T29": "2529",
    "Y_GE30": "30P",
}
EDUCATION = dict(
    zip(DIPLOMAS[0], ("001T100_RP", "200_RP", "300_RP", "350T351_RP", "500_RP", "600_RP", "700_RP"), strict=True)
)


@publication(SOURCE, "DS_RP_POPULATION_PRINC_2023_CSV_FR")
def population_file(world: World, path: Path) -> None:
    """People by age and sex."""
    _write(world, path, "POPULATION", ("AGE", "SEX"), "POP", _population)


@publication(SOURCE, "DS_RP_DIPLOMES_PRINC_2023_CSV_FR")
def diplomas_file(world: World, path: Path) -> None:
    """People aged 15 or over who have left school, by highest diploma."""
    _write(world, path, "DIPLOMES", ("AGE", "SEX", "EDUC"), "POP", _diplomas)


@publication(SOURCE, "DS_RP_EDUCATION_PRINC_2023_CSV_FR")
def schooling_file(world: World, path: Path) -> None:
    """People by age, and those of them at school."""
    _write(world, path, "EDUCATION", ("AGE", "SEX", "STUD"), "POP", _schooling)


@publication(SOURCE, "DS_RP_EMPLOI_LR_PRINC_2023_CSV_FR")
def activity_file(world: World, path: Path) -> None:
    """Residents by what they do."""
    _write(world, path, "EMPLOI_LR", ("AGE", "SEX", "EDUC", "EMPSTA_ENQ"), "POP", _activity)


@publication(SOURCE, "DS_RP_EMPLOI_LT_PRINC_2023_CSV_FR")
def jobs_file(world: World, path: Path) -> None:
    """Jobs where they are."""
    _write(world, path, "EMPLOI_LT", ("EMPFORM", "SEX", "WKTIME", "AGE"), "NBEMP", _jobs)


@publication(SOURCE, "DS_RP_LOGEMENT_PRINC_2023_CSV_FR")
def dwellings_file(world: World, path: Path) -> None:
    """Dwellings by use, kind, rooms and tenure, and the people who live in them."""
    names = ("OCS", "TDW", "TSH", "NOR", "L_STAY", "CARS", "CARPARK", "BUILD_END", "NRG_SRC")
    _write(world, path, "LOGEMENT", names, "DWELLINGS", _dwellings)


def _population(census: Census) -> Figures:
    for code, sex in SEXES.items():
        bands = {name: _band(census, parts, sex) for name, parts in BANDS.items()}
        yield {"SEX": code}, sum(bands.values(), np.zeros(census.places.height))
        yield from (({"SEX": code, "AGE": name}, people) for name, people in bands.items())


def _band(census: Census, parts: Mapping[str, float], sex: str) -> Values:
    return sum((share * census.people(group, sex) for group, share in parts.items()), np.zeros(census.places.height))


def _diplomas(census: Census) -> Figures:
    shares = census.shares(
        "diplomas", tuple(DIPLOMAS[0].values()), tilt=np.linspace(-0.5, 0.6, len(DIPLOMAS[0])).tolist()
    )
    for code, sex in SEXES.items():
        people = census.people("15P", sex, 1 - SCHOOL)
        of_sex = {"AGE": "Y_GE15", "SEX": code}
        yield of_sex, people
        for number, diploma in enumerate(EDUCATION.values()):
            if diploma not in ("600_RP", "700_RP") or census.year >= FIRST_WITH_LONG_STUDIES:
                yield {**of_sex, "EDUC": diploma}, people * shares[:, number]
        yield {**of_sex, "EDUC": "500T702_RP"}, people * shares[:, 4:].sum(axis=1)
        yield {**of_sex, "EDUC": "600T702_RP"}, people * shares[:, 5:].sum(axis=1)


def _schooling(census: Census) -> Figures:
    for code, sex in SEXES.items():
        for band, group in SCHOOL_BANDS.items():
            yield {"AGE": band, "SEX": code}, census.people(group, sex)
            yield {"AGE": band, "SEX": code, "STUD": "1"}, census.people(group, sex, SCHOOL)


def _activity(census: Census) -> Figures:
    rates = {
        "_T": np.ones(len(ACTIVE)),
        "1T2": ACTIVE,
        "1": ACTIVE * (1 - census.jobless),
        "2": ACTIVE * census.jobless,
        "31": RETIRED * (1 - ACTIVE),
        "33": STUDENT * (1 - ACTIVE),
        "35T36": (1 - STUDENT - RETIRED) * (1 - ACTIVE),
    }
    for code, sex in SEXES.items():
        for status, rate in rates.items():
            yield {"AGE": "Y15T64", "SEX": code, "EMPSTA_ENQ": status}, census.people("1564", sex, rate)


def _jobs(census: Census) -> Figures:
    size = np.log10(census.places["population"].to_numpy() + 10) - 3
    working = census.people("15P", rate=ACTIVE * (1 - census.jobless))
    jobs = working * census.world.rng(SOURCE, "jobs").lognormal(-0.4 + 0.35 * size, 0.5)
    for sex, share in (("_T", 1.0), ("F", 0.49), ("M", 0.51)):
        for form, part in (("_T", 1.0), ("2", 0.86), ("1", 0.14)):
            yield {"EMPFORM": form, "SEX": sex}, jobs * share * part


def _dwellings(census: Census) -> Figures:
    uses = census.shares("uses", (0.82, 0.10, 0.08), 0.35)
    houses = 1 / (1 + np.exp(1.6 * (np.log10(census.dwellings + 10) - 4.1)))
    yield {}, census.dwellings
    for number, use in enumerate(("DW_MAIN", "DW_SEC_DW_OCC", "DW_VAC")):
        yield {"OCS": use}, census.dwellings * uses[:, number]
        yield {"OCS": use, "TDW": "1"}, census.dwellings * uses[:, number] * houses
    yield {"TDW": "1"}, census.dwellings * houses
    yield {"TDW": "2"}, census.dwellings * (1 - houses)
    homes = census.dwellings * uses[:, 0]
    sizes = census.shares("rooms", tuple(ROOMS.values()))
    for number, rooms in enumerate(("R1", "R2", "R3", "R4", "R_GE5")):
        yield {"OCS": "DW_MAIN", "NOR": rooms}, homes * sizes[:, number]
    owners = np.clip(census.shares("tenures", tuple(TENURES.values()), 0.25, tilt=(0.25, -0.2, 0.0)), 0, 1)
    social = np.where(census.dwellings < 200, 0, np.clip(0.36 - 0.1 * census.level, 0.02, 0.8))
    shares = {"100": owners[:, 0], "200": owners[:, 1], "221": owners[:, 1] * social, "300": owners[:, 2]}
    for tenure, share in shares.items():
        yield {"OCS": "DW_MAIN", "TSH": tenure}, homes * share
    people = np.minimum(census.people("00P") * 0.975, homes * 3.2)
    yield {"RP_MEASURE": "DWELLINGS_POPSIZE", "OCS": "DW_MAIN"}, people


def _write(world: World, path: Path, theme: str, dimensions: tuple[str, ...], measure: str, figures: Theme) -> None:
    """Write an archive: data, and a list of its dimensions.

    Text is quoted, numbers are not. A figure of 0 has no row, and Mayotte has none.
    """
    places = world.revised(places_of(world, GEOGRAPHY), SOURCE, "population", "logements")
    name = f"DS_RP_{theme}_PRINC_{YEARS[0]}"
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
        data, meta = (Path(scratch) / f"{name}_{part}.csv" for part in ("data", "metadata"))
        with data.open("wb") as out:
            for year in YEARS:
                census = Census(world, places, year)
                for number, (codes, values) in enumerate(figures(census)):
                    figure = {**dict.fromkeys(dimensions, "_T"), "RP_MEASURE": measure, **codes}
                    rows = _rows(world, census, figure, census.whole(values))
                    first = year == YEARS[0] and number == 0
                    rows.write_csv(out, include_header=first, separator=";", quote_style="non_numeric")
        meta.write_text(
            '"COD_VAR";"LIB_VAR"\n' + "".join(f'"{name}";"{name}"\n' for name in dimensions), encoding="utf-8"
        )
        write_zip(path, {meta.name: meta, data.name: data})


def _rows(world: World, census: Census, figure: Mapping[str, str], values: Values) -> pl.DataFrame:
    """The rows of one figure, level by level; a former commune has a row without a value, and K."""
    code, value = pl.col("GEO"), pl.col("OBS_VALUE")
    is_part = code.is_in(list(arrondissements.COMMUNES))
    merged = world.passages.filter(pl.col("typemodif") == "f", pl.col("cod_ini") != pl.col("cod_fin"))
    areas = census.places.select(
        GEO="code",
        GEO_OBJECT=pl.when(pl.col("code").is_in(list(arrondissements.COMMUNES)))
        .then(pl.lit("ARM"))
        .otherwise(pl.lit("COM")),
        OBS_STATUS=pl.when(pl.col("code").is_in(merged["cod_fin"].to_list())).then(pl.lit("W")).otherwise(pl.lit("A")),
        departement="code_departement",
        OBS_VALUE=pl.Series(values.round(11)),
    ).filter(pl.col("departement") != MAYOTTE, value > 0)
    departements = (
        areas.filter(~is_part)
        .group_by(GEO="departement", maintain_order=True)
        .agg(GEO_OBJECT=pl.lit("DEP"), OBS_STATUS=pl.lit("A"), OBS_VALUE=value.sum().round(9))
    )
    former = merged.select(GEO="cod_ini", GEO_OBJECT=pl.lit("COM"), OBS_STATUS=pl.lit("K")).unique(maintain_order=True)
    return pl.concat([areas.drop("departement"), former, departements], how="diagonal").select(
        "GEO",
        "GEO_OBJECT",
        *(pl.lit(of).alias(name) for name, of in figure.items()),
        "OBS_STATUS",
        pl.lit(census.year).alias("TIME_PERIOD"),
        "OBS_VALUE",
    )
