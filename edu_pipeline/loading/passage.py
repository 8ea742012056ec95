"""From former commune codes to the codes in force: rows about the communes of another year become rows about today's,
before a transform sees them.

Belongs here: following a code through mergers, splits and changes (``passage_communes``), and what becomes of the
rows: counts are added up on a merger and shared out by population on a split; a rate is computed again from the counts
that its contract names (``Spec.rate_of``), a mean is weighted (``Spec.mean_over``); everything else (medians, texts) is
taken from the largest part, and ``codes_anciens`` flags the row. Does not belong here: refusing what is not a commune
code at all (``acceptance.py``); such a row stays as it is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date

import polars as pl
import shapely

from edu_pipeline import accounts, ewkb
from edu_pipeline.accounts import SOURCE_ROW
from edu_pipeline.catalogue import File
from edu_pipeline.contracts import CODES_ANCIENS, Rate, specs
from edu_pipeline.table import Table

Parts = Mapping[str, Mapping[str, float]]
"""Published code to the codes in force where it went, with the share of it that went there."""

LARGEST = 2**53
"""The greatest whole number up to which a float is exact."""

ROW, PART, CODE, TWICE = "row_number", "part_of_row", "code_as_published", "is_there_twice"
SEVERAL, SOURCE_ROWS = "is_made_of_several", "source_rows"


class Passage:
    """The changes of commune codes, and the communes in force.

    Args:
        changes: columns ``code_ancien``, ``code_commune``, ``date_effet``, ``part``, as in ``passage_communes``.
        in_force: the codes of today's communes and arrondissements.
    """

    def __init__(self, changes: pl.DataFrame, in_force: Collection[str]) -> None:
        self.in_force = frozenset(in_force)
        self._steps: dict[str, dict[date, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
        rows = changes.select("code_ancien", "code_commune", "date_effet", "part").sort("date_effet")
        for former, current, day, part in rows.iter_rows():
            self._steps[former][day][current] = part
        self._mergers: dict[str, list[tuple[date, str]]] = defaultdict(list)
        for former, changes_of in self._steps.items():
            for day, parts in changes_of.items():
                if len(parts) == 1:
                    self._mergers[next(iter(parts))].append((day, former))

    def parts(self, codes: Iterable[str], year: int | None) -> Parts:
        """Where the codes of a file went, for the codes about which something has changed.

        Args:
            year: the codes are those of 1 January of this year; None: unknown, in which case a code in force is taken
                to be today's, and a former one is followed through all its changes.

        Returns:
            Without the codes that are in force unchanged, and those that lead to no commune in force.
        """
        parts_of = {}
        for code in codes:
            if code in self._steps and not (year is None and code in self.in_force):
                parts = self._followed(code, date(year, 1, 1) if year else date.min)
                if parts != {code: 1.0} and self.in_force.issuperset(parts):
                    parts_of[code] = parts
        return parts_of

    def _followed(self, code: str, since: date) -> dict[str, float]:
        """The codes where ``code`` went after the day ``since``, each with the share of it that went there."""
        return self._after(code, since, since, ())

    def _after(self, code: str, day: date, since: date, path: tuple[str, ...]) -> dict[str, float]:
        """As ``_followed``, of a code that was reached on ``day`` through the codes of ``path``."""
        later = [other for other in self._steps.get(code, ()) if other > day]
        if not later:
            return {code: 1.0}
        parts: dict[str, float] = defaultdict(float)
        for current, part in self._parts_of(code, min(later), since, path).items():
            for end, share in self._after(current, min(later), since, (*path, code)).items():
                parts[end] += part * share
        return dict(parts)

    def _parts_of(self, code: str, day: date, since: date, path: tuple[str, ...]) -> Mapping[str, float]:
        """The parts of ``code`` on ``day`` that can hold what came to it through ``path``.

        A split may give back what was merged: a commune that it restores gets all of its own, and what stays gets
        nothing of a restored one.
        """
        parts = self._steps[code][day]
        restored = [former for former in path if former in parts and former != code]
        if restored:
            return {restored[0]: 1.0}
        others = self._merged_into(code, since, day) - {code}
        rest = {part: share for part, share in parts.items() if part not in others}
        total = sum(rest.values())
        return {part: share / total for part, share in rest.items()} if path and total else parts

    def _merged_into(self, code: str, since: date, until: date) -> set[str]:
        """The codes that became ``code`` between two days, directly or through others."""
        mergers = [(day, former) for day, former in self._mergers[code] if since < day < until]
        earlier = (self._merged_into(former, since, day) for day, former in mergers)
        return {former for _, former in mergers}.union(*earlier)


def year_of(file: File, file_name: str) -> int | None:
    """The year whose commune codes a file uses, according to its catalogue entry."""
    if isinstance(file.geography, str):
        match = re.search(file.geography, file_name)
        return int(match.group(1)) if match else None
    return file.geography


def bring_to_current(
    frame: pl.LazyFrame, table: Table, parameter: str, passage: Passage, year: int | None
) -> pl.LazyFrame:
    """Replace the former commune codes in what a transform receives with the codes in force.

    Where the code is the table's key, rows that end up with the same key become one. Where it is an attribute (a
    school's commune), it becomes the code of the commune in force, unless that could be one of several: no publisher
    says which, so it stays.

    Args:
        frame: the intake of ``parameter``, all text or as typed in the file.
        year: see ``Passage.parts``.
    """
    present = frame.collect_schema().names()
    for name, spec in specs(table.contract).items():
        if not spec.follows_passage or spec.upstream_in(parameter) is None or name not in present:
            continue
        codes = frame.select(pl.col(name).unique()).collect(engine="streaming")[name].drop_nulls()
        parts = passage.parts(codes, year)
        if table.contours:
            parts = _without_divided_contours(parts, codes)
        if name in table.key:
            frame = _merged(frame, table, name, parts)
        else:
            certain = {code: next(iter(shares)) for code, shares in parts.items() if len(shares) == 1}
            frame = frame.with_columns(pl.col(name).replace(certain))
    return frame


def _without_divided_contours(parts: Parts, codes: Collection[str]) -> Parts:
    """Without the codes that went to several communes, all of which the file has with contours of their own.

    Nobody can tell which piece of the contour is whose, and the communes do not need it: the row keeps its code.
    """
    return {code: shares for code, shares in parts.items() if len(shares) == 1 or not {*codes}.issuperset(shares)}


def _merged(frame: pl.LazyFrame, table: Table, name: str, parts: Parts) -> pl.LazyFrame:
    """The rows whose key column ``name`` has a code of ``parts``, brought to the codes in force; the others unchanged.

    Rows that the file has twice are not added up: they stay separate, for the load to refuse.
    """
    schema = frame.collect_schema()
    if not parts:
        return frame
    concerned = {*parts, *(current for shares in parts.values() for current in shares)}
    rows = frame.filter(pl.col(name).is_in(list(concerned))).collect(engine="streaming")
    counts = [count for count in table.counts if count in schema]
    rates, means = _rates(table, schema), _means(table, schema)
    decimals = _decimals(frame, [*rates, *means])
    contours = [other for other in schema if other in table.contours]
    own = [other for other in schema if other not in (*counts, CODES_ANCIENS, SOURCE_ROW)]
    keys = [other for other in own if other in table.key]
    whole = {code: {code: 1.0} for code in concerned}
    moves = [
        (code, current, share) for code, shares in (whole | dict(parts)).items() for current, share in shares.items()
    ]
    moved = (  # the largest part first
        rows.with_row_index(ROW)
        .with_columns(pl.struct(keys).is_duplicated().alias(TWICE))
        .rename({name: CODE})
        .join(pl.DataFrame(moves, schema=[CODE, name, PART], orient="row"), on=CODE, maintain_order="left")
        .sort(_size(counts), (pl.col(CODE) == pl.col(name)), CODE, ROW, descending=[True, True, False, False])
    )
    doubtful = pl.col(TWICE).any().over(keys)
    merged = (
        moved.filter(~doubtful)
        .group_by(keys, maintain_order=True)
        .agg(
            *(_added_up(count, table, schema[count]) for count in counts),
            *(pl.when(pl.col(PART).min() == 1).then(pl.col(contour)).alias(contour) for contour in contours),
            *(_weighted(mean, weight, decimals[mean]).cast(schema[mean]) for mean, weight in means.items()),
            pl.exclude(*keys, *counts, *contours, *means, ROW, PART, CODE, TWICE, CODES_ANCIENS).first(),
            pl.col(CODE).unique(maintain_order=True).alias(CODES_ANCIENS),
            *(pl.col(tracked).alias(SOURCE_ROWS) for tracked in schema if tracked == SOURCE_ROW),
            (pl.len() > 1).alias(SEVERAL),
            ((pl.len() == 1) & (pl.col(CODE) == pl.col(name)).first() & (pl.col(PART) == 1).first()).alias(PART),
        )
    )
    merged = merged.with_columns(
        pl.when(~pl.col(PART)).then(CODES_ANCIENS).alias(CODES_ANCIENS),
        *(pl.col(contour).map_elements(_united, pl.String) for contour in contours),
        *(_from_sums(name, rate, decimals[name]).cast(schema[name]) for name, rate in rates.items()),
    )
    if SOURCE_ROW in schema:
        accounts.note(merged[SOURCE_ROWS].list.slice(1).list.explode(), accounts.ADDED)
    unchanged = frame.filter(~pl.col(name).is_in(list(concerned)) | pl.col(name).is_null())
    return pl.concat([unchanged, *(part.select(schema.names()).lazy() for part in (merged, moved.filter(doubtful)))])


def _size(counts: list[str]) -> pl.Expr:
    """What the largest part has most of: the first of the counts, or the population where there is no count."""
    if not counts:
        return pl.col(PART)
    return (pl.col(counts[0]).cast(pl.Float64, strict=False) * pl.col(PART)).fill_null(-1)


def _added_up(name: str, table: Table, kind: pl.DataType) -> pl.Expr:
    """The sum of the parts, NULL if one of them is NULL; rounded if the column is whole numbers.

    A value that is not a number stays, for the contract to refuse.
    """
    value, column = pl.col(name), table.contract.columns().get(name)
    number, wrong = _read(name)
    total = pl.when(number.null_count() == 0).then((number * pl.col(PART)).sum()).otherwise(None)
    if column is None or column.dtype.is_integer():
        total = total.round().cast(pl.Int64)
    unchanged = (pl.len() == 1) & (pl.col(PART).first() == 1)
    return pl.when(unchanged).then(value.first()).when(wrong.len() > 0).then(wrong.first()).otherwise(total.cast(kind))


def _rates(table: Table, columns: Collection[str]) -> dict[str, Rate]:
    """The rates that can be computed from ``columns``."""
    rates = {name: spec.rate_of for name, spec in specs(table.contract).items() if spec.rate_of and name in columns}
    return {
        name: rate
        for name, rate in rates.items()
        if {rate.count, rate.base, *rate.other_bases.values(), *(column for column, _ in rate.other_bases)}
        <= {*columns}
    }


def _means(table: Table, columns: Collection[str]) -> dict[str, str]:
    """The means that can be computed from ``columns``, each with the count that weighs it."""
    return {
        name: spec.mean_over
        for name, spec in specs(table.contract).items()
        if spec.mean_over and {name, spec.mean_over} <= {*columns}
    }


def _decimals(frame: pl.LazyFrame, names: Collection[str]) -> dict[str, int]:
    """How many decimals the publisher gives at most, by column; trailing zeros do not count."""
    if not names:
        return {}
    decimals = pl.col(names).cast(pl.String).str.extract(r"\.(\d*?)0*$").str.len_chars().max().fill_null(0)
    return frame.select(decimals).collect(engine="streaming").row(0, named=True)


def _from_sums(name: str, rate: Rate, decimals: int) -> pl.Expr:
    """A rate of merged communes, from the counts in its row; unchanged where these do not tell.

    A value that is not a number stays, for the contract to refuse.
    """
    base = pl.col(rate.base)
    for (column, value), other in rate.other_bases.items():
        base = pl.when(pl.col(column) == value).then(other).otherwise(base)
    count, total = (column.cast(pl.Float64, strict=False) for column in (pl.col(rate.count), base))
    readable = pl.col(name).is_null() | pl.col(name).cast(pl.Float64, strict=False).is_not_null()
    return (
        pl.when(pl.col(SEVERAL) & (total > 0) & count.is_not_null() & readable)
        .then(_rounded(rate.per * count / total, decimals))
        .otherwise(pl.col(name))
        .alias(name)
    )


def _weighted(name: str, weight: str, decimals: int) -> pl.Expr:
    """The mean of the parts, weighted; that of the largest where a value or a weight is NULL.

    A value that is not a number stays, for the contract to refuse.
    """
    (values, wrong), (weights, _) = _read(name), _read(weight)
    weights = weights * pl.col(PART)
    is_known = (values.null_count() == 0) & (weights.null_count() == 0) & (weights.sum() > 0) & (pl.len() > 1)
    mean = _rounded((values * weights).sum() / weights.sum(), decimals)
    unchanged = pl.when(wrong.len() > 0).then(wrong.first()).otherwise(pl.col(name).first())
    return pl.when(is_known).then(mean).otherwise(unchanged).alias(name)


def _read(name: str) -> tuple[pl.Expr, pl.Expr]:
    """The numbers of a column, and the values that are none with which one can calculate."""
    value = pl.col(name)
    number = value.cast(pl.Float64, strict=False)
    number = pl.when(number.abs() <= LARGEST).then(number)
    return number, value.filter(number.is_null() & value.is_not_null())


def _rounded(value: pl.Expr, decimals: int) -> pl.Expr:
    """To as many decimals as the publisher gives, half to even as his programs do."""
    return value.round(decimals, mode="half_to_even")


def _united(contours: pl.Series) -> str | None:
    """The union as hexadecimal EWKB; a single contour unchanged; None (refused later) if unreadable or divided."""
    if len(contours) == 1:
        return None if contours[0] is None else str(contours[0])
    shapes = ewkb.decoded(contours)
    if shapely.is_missing(shapes).any():
        return None
    return str(ewkb.encoded([shapely.union_all(shapely.make_valid(shapes))])[0])
