"""From the lines of the cartes scolaires to sectors: which schools a street, some of its numbers or a commune leads to.

Belongs here: the form of each source's lines, lines about the same addresses, lines that contradict each other, and
lycées that are reached through a collège. Does not belong here: where a street is (``placing.py``), the shape of a zone
(``zoning.py``).

Lines of one source about the same addresses are one sector, which their schools share. Lines about overlapping
addresses that name different schools contradict each other, and all of them are refused; but what an operator supplied
takes precedence over a region's file, this over the national one, and lists over maps.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from edu_pipeline import accounts, normalise
from edu_pipeline.accounts import SOURCE_ROW, UNKNOWN_WORD
from edu_pipeline.flow import SAME_ROW, keep, pick
from edu_pipeline.sectors import by_address, labels

COLLEGES = "fr-en-carte-scolaire-colleges-publics"
OCCITANIE = "fr-en-occitanie-carte-scolaire-des-colleges-lycees-publics"
SUPPLIED = "editorial-sectorisation-segments"
SUPPLIED_ZONES = "editorial-sectorisation-zones"
PARIS = "paris-affectation-lycees"
PARIS_SECTORS = "paris-secteurs-colleges"
HAUTS_DE_SEINE = "hauts-de-seine-carte-scolaire-troncons"
HAUTE_GARONNE = "haute-garonne-secteurs-colleges"
LOIRE_ATLANTIQUE = "loire-atlantique-secteurs-colleges"

MAPS = (PARIS_SECTORS, HAUTS_DE_SEINE, HAUTE_GARONNE, LOIRE_ATLANTIQUE)
"""The sources that are maps: their lines follow from the addresses (``by_address.py``)."""

PRECEDENCE = {SUPPLIED: 0, OCCITANIE: 1, COLLEGES: 2, **dict.fromkeys(MAPS, 3)}
"""The sources of lines; the lowest number takes precedence."""

NO_UPPER_BOUND = 9999
"""This number and those above it mean that there is no upper bound: they become NULL."""

SIDES = {"impair": "^i$|impair", "pair": "^p$|pair", "tous": "^pi$|^tous"}
"""Patterns by which the sources write sides, in lower case; the first that matches counts.

Of Occitanie's sentences only `Tous les N°, de` has been seen so far.
"""

THROUGH = " > "
"""Separates, in a rule, the source of the collège from that of the lycées that it leads to."""

CODES = r"[^\s,;{}]+"
"""One code of a school, in a list of them or in an array as PostgreSQL writes it."""

COLUMNS_OF_LYCEES = [f"uai_lycees_{rank}" for rank in range(1, 5)]
ADDRESSES = ["code_commune", "lieu_dit", "label", "number_from", "number_to", "side"]
"""What identifies a line's addresses; ``label`` is the street's label as ``labels.read`` reads it."""

OWN = [*ADDRESSES, "source", "level"]
"""What identifies a segment; ``level`` is whether its lines name lycées."""

ZONE_COLUMNS = ("code_commune", "zone_name", *COLUMNS_OF_LYCEES, "uai_colleges", "rentree_scolaire", "rule", "geometry")
"""The columns that are read from an operator's file of zones."""

LINE, CODE_LIST = "line", pl.List(pl.String)


def lines(
    colleges: pl.LazyFrame,
    occitanie: pl.LazyFrame | None = None,
    supplied: pl.LazyFrame | None = None,
    mapped: pl.DataFrame | None = None,
) -> pl.LazyFrame:
    """The lines of all sources in one form.

    Args:
        colleges: the national file: code_commune, secteur_unique, uai_colleges.
        occitanie: code_commune, lieu_dit, libelle_rue (both NULL: the whole commune), type_etablissement,
            uai_colleges (the school, of either type). Its collèges are used for communes of which the national file has
            no line.
        supplied: code_commune, libelle_rue, uai_lycees or uai_lycees_1 to 4, uai_colleges, rule.
        mapped: from ``by_address``; the rule is the source. Streets and communes of which Occitanie's file or the
            supplied one has a line about collèges are left out.

    Returns:
        The columns of the arguments, and source, rule, whole (whether the line is about the whole commune; NULL: it
        does not say), uai_colleges and uai_lycees (those that the line names), both lists, empty if it names none.
    """
    frames = [_of_colleges(colleges)]
    if occitanie is not None:
        frames.append(_of_occitanie(occitanie, colleges.select("code_commune")))
    if supplied is not None:
        frames.append(_of_supplied(supplied, SUPPLIED))
    if mapped is not None:
        mapped = _not_listed(mapped, frames[1:])
        nothing = pl.lit([], CODE_LIST)
        frames.append(mapped.lazy().with_columns(source="rule", whole=pl.lit(False), uai_lycees=nothing))
    return pl.concat(frames, how="diagonal").with_columns(pl.col("rule").fill_null(pl.col("source")))


def _not_listed(mapped: pl.DataFrame, lists: Sequence[pl.LazyFrame]) -> pl.DataFrame:
    """The lines of maps about streets of which no list has a line about collèges, nor about their commune."""
    for frame in lists:
        of_colleges = frame.filter(pl.col("uai_lycees").list.len() == 0)
        listed = of_colleges.select("code_commune", "libelle_rue", "whole").collect()
        mapped = by_address.without(mapped, listed)
        mapped = mapped.join(listed.filter("whole"), on="code_commune", how="anti", maintain_order="left")
    return mapped


def lycees_of_colleges(paris: pl.LazyFrame | None) -> pl.DataFrame:
    """The lycées that a collège leads to: uai_college, uai_lycee, rang (1 to 3), rule.

    Args:
        paris: reseau (the collège), uai (the lycée), secteur (1, 2, 3; other values are ignored).
    """
    if paris is None:
        return pl.DataFrame(
            schema={"uai_college": pl.String, "uai_lycee": pl.String, "rang": pl.Int8, "rule": pl.String}
        )
    rang = pl.col("secteur").cast(pl.Int8, strict=False)
    pairs = pick(paris, uai_college="reseau", uai_lycee="uai", rang=rang, rule=pl.lit(PARIS))
    pairs = keep(pairs, pl.col("rang").is_not_null(), "in no sector of the collège")
    pairs = keep(pairs, pl.all_horizontal(pl.exclude(SOURCE_ROW).is_not_null()), "without collège or lycée")
    once = keep(pairs, pl.struct(pl.exclude(SOURCE_ROW)).is_first_distinct(), SAME_ROW).collect()
    if SOURCE_ROW in once.columns:
        accounts.note(once[SOURCE_ROW], accounts.USED)
    return once.drop(SOURCE_ROW, strict=False)


def segments(streets: pl.LazyFrame, lycees: pl.DataFrame) -> pl.DataFrame:
    """The segments that lines about streets make.

    Args:
        streets: from ``lines``; with lieu_dit, libelle_rue, number_from, number_to, side as text.
        lycees: from ``lycees_of_colleges``.

    Returns:
        The lines' columns; number_from and number_to as Int32, NULL where there is no bound; side in one form;
        zone_name; uai_lycees (in order) and uai_lycees_1 to 4, reached through the collèges if no line names lycées, as
        ``rule`` then says; lignes, the number of lines; refused_because; the columns ``OWN``.
    """
    read = _with_label(_read(streets).collect()).with_row_index(LINE)
    wrong = _by_themselves(read.filter(pl.col("refused_because").is_not_null()))
    level = pl.col("uai_lycees").list.len() > 0
    shared = _shared(read.filter(pl.col("refused_because").is_null()).with_columns(level=level), [*ADDRESSES, "level"])
    shared = shared.join(_contradicted(shared), on=LINE, how="left", maintain_order="left")
    return _in_columns(pl.concat([_through_colleges(shared, lycees), wrong], how="diagonal_relaxed"))


def whole_communes(lines: pl.LazyFrame, lycees: pl.DataFrame) -> pl.DataFrame:
    """The communes that lead as a whole to their schools: one row per commune, with its collèges and lycées.

    Args:
        lines: from ``lines``.
        lycees: from ``lycees_of_colleges``.

    Returns:
        The columns of ``segments`` about the schools, rule, zone_name and lignes; refused_because.
    """
    known = keep(lines, pl.col("whole").is_not_null(), f"{UNKNOWN_WORD} in secteur_unique")
    about_communes = keep(known, pl.col("whole"), "about a street")
    read = about_communes.with_columns(refused_because=_without_school()).collect().with_row_index(LINE)
    wrong = _by_themselves(read.filter(pl.col("refused_because").is_not_null()))
    right = read.filter(pl.col("refused_because").is_null())
    # The first line's rule is the commune's, so lines that name lycées come first.
    right = right.sort(pl.col("uai_lycees").list.len() == 0, maintain_order=True)
    communes = _through_colleges(_shared(right, ["code_commune"], by_source=False), lycees)
    return _in_columns(pl.concat([communes, wrong], how="diagonal_relaxed"))


def supplied_zones(frame: pl.LazyFrame | None, lycees: pl.DataFrame) -> pl.DataFrame:
    """The zones that an operator supplied: their rows, with the columns that ``whole_communes`` returns.

    Args:
        frame: ``ZONE_COLUMNS``; None: there is no such file.
        lycees: from ``lycees_of_colleges``.
    """
    if frame is None:
        frame = pl.LazyFrame(schema=dict.fromkeys(ZONE_COLUMNS, pl.String))
    read = _of_supplied(frame, SUPPLIED_ZONES).with_columns(refused_because=_without_school())
    rows = _by_themselves(read.with_columns(pl.col("rule").fill_null(pl.col("source"))).collect())
    return _in_columns(_through_colleges(rows.with_row_index(LINE), lycees))


def priority() -> pl.Expr:
    """How a rule knows the lycées: 1 it names them, 2 through the collège, 3 it only knows the collège."""
    through = pl.col("rule").str.contains(THROUGH, literal=True)
    return pl.when(pl.col("uai_lycees").is_null()).then(3).when(through).then(2).otherwise(1)


def is_mapped() -> pl.Expr:
    """Whether a rule is from a map, which says of every address of a commune whether it is in a sector."""
    return pl.col("rule").str.split(THROUGH).list.first().is_in(MAPS)


def are_codes(column: str) -> pl.Expr:
    """Whether all elements of a list are codes of schools (UAI) with a right check letter; NULL is fine."""
    code = pl.element()
    return pl.col(column).list.eval(normalise.is_uai(code)).list.all().fill_null(True)


def _of_colleges(frame: pl.LazyFrame) -> pl.LazyFrame:
    whole = pl.col("secteur_unique").replace_strict({"O": True, "N": False}, default=None, return_dtype=pl.Boolean)
    return frame.with_columns(
        source=pl.lit(COLLEGES),
        rule=pl.lit(None, pl.String),
        whole=whole,
        uai_colleges=_codes("uai_colleges"),
        uai_lycees=pl.lit([], CODE_LIST),
    )


def _of_occitanie(frame: pl.LazyFrame, covered: pl.LazyFrame) -> pl.LazyFrame:
    is_lycee = (pl.col("type_etablissement") == "LYCEE").fill_null(False)
    codes, nothing = _codes("uai_colleges"), pl.lit([], CODE_LIST)
    is_covered = pl.col("code_commune").is_in(covered.collect().to_series().implode()).fill_null(False)
    return keep(frame, is_lycee | ~is_covered, "the national file has the commune").with_columns(
        source=pl.lit(OCCITANIE),
        rule=pl.lit(None, pl.String),
        whole=pl.col("libelle_rue").is_null() & pl.col("lieu_dit").is_null(),
        uai_colleges=pl.when(is_lycee).then(nothing).otherwise(codes),
        uai_lycees=pl.when(is_lycee).then(codes).otherwise(nothing),
    )


def _of_supplied(frame: pl.LazyFrame, source: str) -> pl.LazyFrame:
    one_by_one = pl.concat_list(COLUMNS_OF_LYCEES).list.drop_nulls()
    listed = _codes("uai_lycees") if "uai_lycees" in frame.collect_schema() else pl.lit([], CODE_LIST)
    return frame.with_columns(
        source=pl.lit(source),
        whole=pl.lit(False),
        uai_colleges=_codes("uai_colleges"),
        uai_lycees=pl.when(listed.list.len() > 0).then(listed).otherwise(one_by_one),
    )


def _codes(column: str) -> pl.Expr:
    return pl.col(column).str.extract_all(CODES).fill_null(pl.lit([], CODE_LIST))


def _without_school() -> pl.Expr:
    none = (pl.col("uai_colleges").list.len() == 0) & (pl.col("uai_lycees").list.len() == 0)
    return pl.when(none).then(pl.lit("expected the code of a school (UAI), found none"))


def _read(streets: pl.LazyFrame) -> pl.LazyFrame:
    """Numbers and sides as values, and what is wrong with a line on its own."""
    street = pl.coalesce("libelle_rue", "lieu_dit")
    numbers = {name: pl.col(name).cast(pl.Float64, strict=False) for name in ("number_from", "number_to")}
    is_no_number = {
        name: pl.col(name).is_not_null() & (number != number.floor()).fill_null(True)
        for name, number in numbers.items()
    }
    written = pl.col("side").str.to_lowercase().fill_null("tous")
    side = pl.coalesce(pl.when(written.str.contains(pattern)).then(pl.lit(name)) for name, pattern in SIDES.items())
    unique, both = pl.col("secteur_unique").fill_null("nothing"), pl.format("{}, {}", "number_from", "number_to")
    complaints = [
        _complaint("secteur_unique", "O or N", unique, pl.col("whole").is_null()),
        pl.when(street.is_null()).then(pl.lit("libelle_rue: expected a street, since it is not of the whole commune")),
        *(_complaint(name, "a house number", pl.col(name), is_wrong) for name, is_wrong in is_no_number.items()),
        _complaint("side", "a side of the street", pl.col("side"), side.is_null()),
        _complaint(
            "number_from, number_to",
            "the lower one first",
            both,
            numbers["number_from"] > numbers["number_to"],
        ),
        _without_school(),
    ]
    upper = numbers["number_to"].cast(pl.Int32, strict=False)
    return streets.with_columns(
        libelle_rue=street,
        lieu_dit=pl.when(pl.col("libelle_rue").is_not_null()).then("lieu_dit"),
        number_from=numbers["number_from"].cast(pl.Int32, strict=False),
        number_to=pl.when(upper < NO_UPPER_BOUND).then(upper),
        side=side.fill_null("tous"),
        refused_because=pl.concat_str(complaints, separator="; ", ignore_nulls=True).replace("", None),
    )


def _complaint(columns: str, expected: str, found: pl.Expr, is_wrong: pl.Expr) -> pl.Expr:
    """The text that a line is refused with if ``is_wrong``."""
    return pl.when(is_wrong).then(pl.format("{}: expected {}, found {}", pl.lit(columns), pl.lit(expected), found))


def _with_label(read: pl.DataFrame) -> pl.DataFrame:
    written = read.select("libelle_rue").drop_nulls().unique()
    spaced = written["libelle_rue"].map_elements(lambda label: labels.read(label).spaced, pl.String)
    return read.join(written.with_columns(label=spaced), on="libelle_rue", how="left", maintain_order="left")


def _shared(right: pl.DataFrame, key: list[str], *, by_source: bool = True) -> pl.DataFrame:
    """One row for the lines with the same key, with the schools of all; other columns, ``LINE`` too, are the first's.

    Collèges, and the lycées of several lines, are sorted by code: the order of the lines means nothing.
    """
    colleges, lycees = (
        pl.col(name).list.explode(keep_nulls=False, empty_as_null=False).unique(maintain_order=True)
        for name in ("uai_colleges", "uai_lycees")
    )
    by = [*key, "source"] if by_source else key
    own = (*by, "uai_colleges", "uai_lycees", "refused_because", SOURCE_ROW)
    rest = [name for name in right.columns if name not in own]
    return right.group_by(by, maintain_order=True).agg(
        colleges.sort(),
        pl.when(pl.len() > 1).then(lycees.sort().implode()).otherwise(lycees.implode()).first(),
        *(pl.col(name).first() for name in rest),
        *(pl.col(name) for name in right.columns if name == SOURCE_ROW),
        lignes=pl.len(),
    )


def _by_themselves(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows that each stand for one line, in the form that ``_shared`` returns."""
    source_rows = [pl.concat_list(name) for name in rows.columns if name == SOURCE_ROW]
    return rows.with_columns(*source_rows, lignes=pl.lit(1, pl.UInt32))


def _contradicted(shared: pl.DataFrame) -> pl.DataFrame:
    """LINE and refused_because of the rows that are contradicted by another one about some of the same addresses."""
    street = ["level", *ADDRESSES[:3]]
    schools = pl.concat_list("uai_colleges", "uai_lycees").list.join(" ")
    rank = pl.col("source").replace_strict(PRECEDENCE, return_dtype=pl.Int8)
    candidates = shared.filter(pl.struct(street).is_duplicated()).select(
        LINE, *street, "number_from", "number_to", "side", schools=schools, rank=rank
    )
    pairs = candidates.join(candidates, on=street, suffix="_other", nulls_equal=True).filter(
        pl.col(LINE) != pl.col(f"{LINE}_other"),
        (pl.col("rank") > pl.col("rank_other"))
        | ((pl.col("rank") == pl.col("rank_other")) & (pl.col("schools") != pl.col("schools_other"))),
        _overlap(),
    )
    bounds = (pl.col(f"{name}_other").cast(pl.String).fill_null("") for name in ("number_from", "number_to"))
    other = pl.format("numbers {} to {}, {}, {}", *bounds, "side_other", "schools_other")
    reason = pl.format("expected no other line about the same addresses, found one: {}", other)
    return pairs.sort(LINE, f"{LINE}_other").group_by(LINE, maintain_order=True).agg(refused_because=reason.first())


def _overlap() -> pl.Expr:
    """Whether two ranges of house numbers, each on its side or sides, have a number in common."""
    sides = [pl.col("side"), pl.col("side_other")]
    even, odd = (pl.any_horizontal(side == name for side in sides) for name in ("pair", "impair"))
    first = pl.max_horizontal("number_from", "number_from_other").fill_null(0)
    last = pl.min_horizontal("number_to", "number_to_other").fill_null(NO_UPPER_BOUND)
    step = pl.when(even).then(first % 2).when(odd).then((first + 1) % 2).otherwise(0)
    return ~(even & odd) & (first + step <= last)


def _through_colleges(shared: pl.DataFrame, lycees: pl.DataFrame) -> pl.DataFrame:
    """The rows, with the lycées of their collèges where no line names lycées."""
    through = (
        shared.filter(pl.col("uai_lycees").list.len() == 0)
        .select(LINE, uai_college="uai_colleges")
        .explode("uai_college")
        .join(lycees, on="uai_college")
        .sort(LINE, "rang", "uai_lycee")
        .group_by(LINE, maintain_order=True)
        .agg(reached=pl.col("uai_lycee").unique(maintain_order=True), by=pl.col("rule").first())
    )
    return (
        shared.join(through, on=LINE, how="left", maintain_order="left")
        .with_columns(
            uai_lycees=pl.coalesce("reached", "uai_lycees"),
            rule=pl.concat_str("rule", "by", separator=THROUGH, ignore_nulls=True),
        )
        .drop("reached", "by")
    )


def _in_columns(rows: pl.DataFrame) -> pl.DataFrame:
    """Empty lists as NULL, the first four lycées in columns of their own, the département, a name for the zone."""
    rows = rows.with_columns(
        pl.when(pl.col(name).list.len() > 0).then(name).alias(name) for name in ("uai_colleges", "uai_lycees")
    )
    absent = [name for name in ("zone_name", "rentree_scolaire") if name not in rows.columns]
    return rows.with_columns(pl.lit(None, pl.String).alias(name) for name in absent).with_columns(
        *(
            pl.col("uai_lycees").list.get(rank, null_on_oob=True).alias(name)
            for rank, name in enumerate(COLUMNS_OF_LYCEES)
        ),
        code_departement=departement(pl.col("code_commune")),
        zone_name=pl.coalesce("zone_name", pl.coalesce("uai_colleges", "uai_lycees").list.join(" + ")),
    )


def departement(code_commune: pl.Expr) -> pl.Expr:
    """The code of a commune's département."""
    overseas = code_commune.str.contains("^9[78]")
    return pl.when(overseas).then(code_commune.str.head(3)).otherwise(code_commune.str.head(2))
