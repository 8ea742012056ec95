"""passage_communes: how the codes of communes have changed.

Does not belong here: the communes in force (info_communes).
"""

import datetime

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.accounts import UNKNOWN_WORD
from edu_pipeline.flow import SAME_ROW, fall_back, keep, keep_words, look_up, pick
from edu_pipeline.table import RELEASE, table

TABLE, ESTIMATED = "insee_table_passage", "part_estimee"
IN_FORCE = ("COM", "ARM")
"""Types (TYPECOM) in INSEE's list of communes and arrondissements in force."""
FORMER = ("COMD", "COMA")
"""Types of communes déléguées and associées."""
SAME_DAY = ["date_effet", "code_ancien"]
"""What the rows of a split have in common."""
NATURES = {"f": "fusion", "d": "scission", "c": "changement de code"}
RECODED = ("41", "50")
"""Types (MOD) of INSEE's movements that change a code: a change of département, or of the chief place."""
KIND_OF_MOVEMENT = "^[0-9]{2}$"
"""What a type (MOD) looks like: of one that cannot be read nobody knows whether communes merged."""

NO_COMMUNE = "^(COMD|COMA|ARM)$"
"""Kinds (TYPECOM) of INSEE's movements that are no commune."""
SAME = 1e-6
"""Shares that differ by less are the same."""
SINCE = datetime.date(1999, 1, 1)
"""Start of INSEE's table of changes; if it has no rows, movements are taken from then on."""
NO_LIST, NO_MOVEMENTS, NO_COMMUNES = (
    pl.LazyFrame(schema=dict.fromkeys(columns.split(), pl.String))
    for columns in (
        "typecom com comparent vintage",
        "mod date_eff typecom_av com_av typecom_ap com_ap",
        "code population",
    )
)
"""What stands for a file that is missing."""


class PassageCommunes(c.Contract):
    """A commune before a merger, a split or a change of code, and the commune that holds it, or part of it, afterwards.

    A commune that keeps its code through a merger or a split has a row with `code_ancien` = `code_commune`: the share
    of it that stays. With these rows, the shares of a `code_ancien` add up to 1 at each date, and counts converted by
    sum(value * part) are complete. For changed codes only, filter `code_ancien <> code_commune`. Counts can be
    converted this way, rates and medians cannot. Codes may change several times: follow the rows in the order of
    `date_effet`, and never join on `code_ancien` alone, since the code of a split commune stays in force. A split may
    restore communes that had merged: what they had before the merger is theirs again as a whole.

    The table combines three INSEE files. The list of movements (v_mvt_commune) gives the changes, with shares of splits
    by today's populations. For former codes that it does not mention there are the table de passage, which leads from
    every code since 2003 to that in force, and the communes déléguées and associées of the Code officiel géographique,
    each with the date of the list as `date_effet`. In place of the table de passage there may be a list of changes with
    dates and shares (geo_ini, cod_ini, ..., up to 2024), which counts before the movements; where all parts of a split
    have the same share, that is a placeholder, and today's populations are used. A code that is not in force and that
    the newest files no longer explain keeps what the last release that explained it said.
    """

    code_ancien = c.code_commune(
        "INSEE code of the commune before the change.",
        key=True,
        upstream={TABLE: "cod_ini"},
        aliases=["CODGEO_INI"],
        references=(),
    )
    code_commune = c.code_commune(
        "INSEE code afterwards; not necessarily one in force today.",
        key=True,
        upstream={TABLE: "cod_fin"},
        aliases=[r"^codgeo_\d{4}$"],
        references=(),
    )
    date_effet = c.date(
        "Day on which the change took effect, or by which it had taken effect.",
        since=1900,
        key=True,
        optional=True,
        upstream={TABLE: "annee"},
    )
    nature = c.text(
        "fusion (into one commune), scission (into several), changement de code.",
        required=True,
        optional=True,
        pattern=f"^({'|'.join(NATURES.values())})$",
        upstream={TABLE: "typemodif"},
    )
    part = c.real(
        "Share of the former commune's population that is in `code_commune` afterwards, from 0 to 1.",
        required=True,
        optional=True,
        min=0,
        max=1,
        upstream={TABLE: "ratio"},
    )
    part_estimee = c.boolean(
        "Whether `part` is computed from today's municipal populations, since INSEE gives no share of its own.",
        optional=True,
    )
    geo_ini = c.year(
        "Year of the geography (on 1 January) with the code before the change.",
        optional=True,
        upstream={TABLE: "geo_ini"},
    )
    geo_fin = c.year(
        "Year of the geography with the code after the change.", optional=True, upstream={TABLE: "geo_fin"}
    )


@table(
    PassageCommunes,
    needs={
        "insee_cog": ["TYPECOM", "COM", "COMPARENT"],
        "insee_cog__mouvements": ["MOD", "DATE_EFF", "TYPECOM_AV", "COM_AV", "TYPECOM_AP", "COM_AP"],
        "geo_api_communes": ["code", "population"],
    },
    all_releases=("insee_table_passage", "insee_cog", "insee_cog__mouvements"),
)
def passage_communes(
    insee_table_passage: pl.LazyFrame,
    insee_cog: pl.LazyFrame | None = None,
    insee_cog__mouvements: pl.LazyFrame | None = None,
    geo_api_communes: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Write the natures out (the contract refuses an unknown letter), and add what the table of changes lacks."""
    insee_table_passage, list_of_codes = _by_form(insee_table_passage)
    changes = _of_table(_newest(insee_table_passage))
    if insee_cog is None and geo_api_communes is None:
        return changes.with_columns(pl.lit(False).alias(ESTIMATED))
    cog = NO_LIST if insee_cog is None else insee_cog
    communes = _populations(NO_COMMUNES if geo_api_communes is None else geo_api_communes)
    movements = NO_MOVEMENTS if insee_cog__mouvements is None else insee_cog__mouvements
    for end in ("typecom_av", "typecom_ap"):
        movements = keep_words(movements, end, ["COM"], NO_COMMUNE, "about a commune déléguée or associée")
    cog = keep(cog, pl.col("com").str.contains(c.COMMUNE), f"{UNKNOWN_WORD} in com")
    former = keep_words(cog, "typecom", FORMER, "^(COM|ARM)$", "in force")
    listed = _newest(cog).filter(pl.col("typecom").is_in(IN_FORCE)).select(code_ancien="com").unique().collect().lazy()
    in_force = pl.concat([listed, communes.select(code_ancien="code_commune")])

    changes = _with_shares(changes, communes)
    changes = _and(changes, _movements(_newest(movements), communes, _last_day(changes, _newest(movements))))
    changes = _and(changes, _of_table(_last_said(insee_table_passage, "code_ancien", in_force, changes)))
    changes = _and(changes, _movements(_last_said(movements, "com_av", in_force, changes), communes, SINCE))
    changes = _with_former(changes, _since_2003(_newest(list_of_codes)))
    changes = _with_former(changes, _former(_without_own_code(_newest(former), listed)))
    changes = _and(changes, _former(_last_said(former, "com", in_force, changes)))
    return changes.with_columns(pl.col(ESTIMATED).fill_null(False))


def _by_form(table: pl.LazyFrame) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """The rows that are changes, and those that only lead from a code to that in force, without day, kind and share.

    If the newest release has codes alone, the newest one with changes counts as the newest.
    """
    is_bare = pl.all_horizontal(pl.col("date_effet", "nature", "part").is_null())
    changes, codes = table.filter(~is_bare).drop("vintage"), table.filter(is_bare)
    if RELEASE in table.collect_schema() and _newest(codes).limit(1).collect().height:
        changes = changes.with_columns(pl.col(RELEASE) - pl.col(RELEASE).min())
    return changes, codes


def _since_2003(codes: pl.LazyFrame) -> pl.LazyFrame:
    """The former codes of INSEE's table de passage, as mergers by the day of its geography."""
    moved = keep(codes, pl.col("code_ancien").ne_missing(pl.col("code_commune")), "the code has not changed")
    return pick(
        moved,
        "code_ancien",
        "code_commune",
        date_effet=pl.format("{}-01-01", "vintage"),
        nature=pl.lit("fusion"),
        part=pl.lit("1"),
        geo_fin="vintage",
    )


def _newest(file: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of the newest release."""
    return file.filter(pl.col(RELEASE) == 0).drop(RELEASE) if RELEASE in file.collect_schema() else file


def _last_said(file: pl.LazyFrame, code: str, in_force: pl.LazyFrame, changes: pl.LazyFrame) -> pl.LazyFrame:
    """For each code that is neither in force nor explained, the rows of the newest earlier release that has any."""
    if RELEASE not in file.collect_schema():
        return file.clear()
    explained = pl.concat([in_force, _moved(changes)])
    earlier = file.filter(pl.col(RELEASE) > 0).join(explained, left_on=code, right_on="code_ancien", how="anti")
    return earlier.filter(pl.col(RELEASE) == pl.col(RELEASE).min().over(code)).drop(RELEASE)


def _and(changes: pl.LazyFrame, others: pl.LazyFrame) -> pl.LazyFrame:
    """The changes, and others that have not the same key."""
    return fall_back(changes, others, on=[*SAME_DAY, "code_commune"], rule="already known").collect().lazy()


def _moved(changes: pl.LazyFrame) -> pl.LazyFrame:
    """The codes that became another one."""
    return changes.filter(pl.col("code_ancien") != pl.col("code_commune")).select("code_ancien")


def _of_table(table: pl.LazyFrame) -> pl.LazyFrame:
    return table.with_columns(pl.col("nature").replace(NATURES), _day("date_effet"))


def _day(column: str) -> pl.Expr:
    """A date in ISO form, so that dates can be compared as text."""
    day = pl.col(column)
    return pl.coalesce(day.str.to_date("%d/%m/%Y", strict=False).cast(pl.String), day.str.slice(0, 10))


def _by_population() -> tuple[pl.Expr, pl.Expr]:
    """The share of a split commune by the populations of its parts, and whether all of these are known."""
    people = pl.col("population")
    return people / people.sum().over(SAME_DAY), people.null_count().over(SAME_DAY) == 0


def _populations(communes: pl.LazyFrame) -> pl.LazyFrame:
    return pick(communes, code_commune="code", population=pl.col("population").cast(pl.Float64))


def _with_shares(changes: pl.LazyFrame, communes: pl.LazyFrame) -> pl.LazyFrame:
    """The table of changes, with shares by population for the splits of which all parts have the same share."""
    part = pl.col("part").cast(pl.Float64, strict=False)
    spread = part.max().over(SAME_DAY) - part.min().over(SAME_DAY)
    is_placeholder = (pl.col("nature") == "scission") & (pl.len().over(SAME_DAY) > 1) & (spread < SAME)
    share, is_known = _by_population()
    return (
        look_up(changes, communes, "code_commune", "the population of the commune afterwards")
        .with_columns((is_placeholder & is_known & share.is_finite()).alias(ESTIMATED))
        .with_columns(pl.when(ESTIMATED).then(share.cast(pl.String)).otherwise("part").alias("part"))
        .drop("population")
    )


def _last_day(changes: pl.LazyFrame, movements: pl.LazyFrame) -> datetime.date:
    """The newest day in the table of changes; a day later than all movements is wrong, and does not count."""
    newest = movements.select(_as_date(_day("date_eff")).max()).collect().item()
    day = _as_date(pl.col("date_effet"))
    last = changes.select(day.filter(day <= pl.lit(newest, pl.Date)).max()).collect().item()
    return last if isinstance(last, datetime.date) else SINCE


def _as_date(day: pl.Expr) -> pl.Expr:
    return day.str.to_date("%Y-%m-%d", strict=False)


def _movements(movements: pl.LazyFrame, communes: pl.LazyFrame, last: datetime.date) -> pl.LazyFrame:
    """The changes after the day ``last`` from commune to commune.

    Rows about communes déléguées and associées are left out: most communes that merge also have such a row.
    """
    pairs = pick(movements, _day("date_eff").alias("date_effet"), "mod", code_ancien="com_av", code_commune="com_ap")
    is_later = _as_date(pl.col("date_effet")) > last
    pairs = keep(pairs, is_later.fill_null(True), "in the table of changes")
    is_first = pl.int_range(pl.len()).over("date_effet", "code_ancien", "code_commune") == 0
    pairs = keep(pairs, is_first, SAME_ROW)
    pairs = look_up(pairs, communes, "code_commune", "the population of the commune after a movement")
    share, known = _by_population()
    split = pl.len().over(SAME_DAY) > 1
    moved = pl.col("code_ancien") != pl.col("code_commune")
    joined_by_others = moved.any().over("date_effet", "code_commune")
    is_kind = pl.col("mod").str.contains(KIND_OF_MOVEMENT)
    unreadable = pl.format("mod: expected a kind of movement, two digits, found {}", pl.col("mod").fill_null("nothing"))
    return pick(
        keep(pairs, split | moved | joined_by_others, "the code stays, and no other commune joins it"),
        *SAME_DAY,
        "code_commune",
        nature=pl.when(split)
        .then(pl.lit("scission"))
        .when(pl.col("mod").is_in(RECODED))
        .then(pl.lit("changement de code"))
        .otherwise(pl.lit("fusion")),
        part=pl.when(~split).then(1.0).when(known).then(share).cast(pl.String),
        part_estimee=split,
        **{c.REFUSED_BECAUSE: pl.when(~is_kind.fill_null(False)).then(unreadable)},
    )


def _former(cog: pl.LazyFrame) -> pl.LazyFrame:
    """Communes déléguées and associées with a code of their own, as mergers into their parent communes."""
    return pick(
        cog,
        code_ancien="com",
        code_commune="comparent",
        date_effet=pl.format("{}-01-01", "vintage"),
        nature=pl.lit("fusion"),
        part=pl.lit("1"),
        geo_fin="vintage",
    )


def _without_own_code(former: pl.LazyFrame, listed: pl.LazyFrame) -> pl.LazyFrame:
    """Those whose code is not that of a commune in force."""
    has_own_code = pl.col("com").is_in(listed.collect()["code_ancien"].implode())
    has_own_code |= (pl.col("com") == pl.col("comparent")).fill_null(False)
    return keep(former, ~has_own_code, "its code is that of a commune in force")


def _with_former(changes: pl.LazyFrame, former: pl.LazyFrame) -> pl.LazyFrame:
    """The changes, and the former communes that are in none, not even in one whose code cannot be read."""
    has_moved = pl.col("code_ancien").ne_missing(pl.col("code_commune"))
    added = fall_back(
        changes.filter(has_moved),
        former,
        on=["code_ancien"],
        rule="the table of changes or the list of movements has it",
        is_readable=pl.col("code_ancien").str.contains(c.COMMUNE),
        alike=["code_commune"],
    )
    return pl.concat([added, changes.filter(~has_moved)], how="diagonal_relaxed")
