"""The passage from former commune codes to those in force: what a publisher says of the communes of another year is
brought to today's, before a transform sees it.

Belongs here: following a code through mergers, splits and changes (``passage_communes``), and what becomes of the
rows: counts add up on a merger and are shared out by population on a split; all else (rates, medians, texts) is never
averaged but kept from the largest part, and ``codes_anciens`` flags the row. Does not belong here: what is no code of
a commune at all; it stays as it is, and the load refuses it (``load.py``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date

import polars as pl
import shapely

from edu_pipeline import ewkb
from edu_pipeline.catalogue import File
from edu_pipeline.contracts import CODES_ANCIENS, specs
from edu_pipeline.table import Table

Parts = Mapping[str, Mapping[str, float]]
"""Code as published to the codes in force that it is found in, with the share of it that is there."""

ROW, PART, CODE, TWICE = "row_number", "part_of_row", "code_as_published", "is_there_twice"


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

    def parts(self, codes: Iterable[str], year: int | None) -> Parts:
        """Where the codes of a file are found today, those only of which something has changed.

        Args:
            year: the codes are those of 1 January of this year; None: unknown, then a code in force is taken for
                today's, and a former one is followed through all its changes.

        Returns:
            Not in it: codes that are in force as they are, and codes that lead to no commune in force.
        """
        found = {}
        for code in codes:
            if code in self._steps and not (year is None and code in self.in_force):
                parts = self._followed(code, date(year, 1, 1) if year else date.min)
                if parts != {code: 1.0} and self.in_force.issuperset(parts):
                    found[code] = parts
        return found

    def _followed(self, code: str, since: date) -> dict[str, float]:
        later = [day for day in self._steps.get(code, ()) if day > since]
        if not later:
            return {code: 1.0}
        parts: dict[str, float] = defaultdict(float)
        for current, part in self._steps[code][min(later)].items():
            for end, share in self._followed(current, min(later)).items():
                parts[end] += part * share
        return dict(parts)


def year_of(file: File, file_name: str) -> int | None:
    """The year of the communes whose codes a file has, as its entry in the catalogue says."""
    if isinstance(file.geography, str):
        match = re.search(file.geography, file_name)
        return int(match.group(1)) if match else None
    return file.geography


def bring_to_current(
    frame: pl.LazyFrame, table: Table, parameter: str, passage: Passage, year: int | None
) -> pl.LazyFrame:
    """Replace the former commune codes in what a transform receives by those in force.

    Where the code is the table's key, rows that come to one key become one; where it is an attribute (a school's
    commune), it becomes the code of the commune in force, and stays where that is one of several, since no publisher
    says which.

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
        if name in table.key:
            frame = _merged(frame, table, name, parts)
        else:
            certain = {code: next(iter(found)) for code, found in parts.items() if len(found) == 1}
            frame = frame.with_columns(pl.col(name).replace(certain))
    return frame


def _merged(frame: pl.LazyFrame, table: Table, name: str, parts: Parts) -> pl.LazyFrame:
    """The rows with ``parts`` of a key column ``name`` brought to the codes in force; the others untouched.

    Rows that the file has twice are not added up: they are left apart, for the load to refuse.
    """
    schema = frame.collect_schema()
    if not parts:
        return frame
    concerned = {*parts, *(code for found in parts.values() for code in found)}
    rows = frame.filter(pl.col(name).is_in(list(concerned))).collect(engine="streaming")
    counts = [count for count in table.counts if count in schema]
    contours = [other for other in schema if other in table.contours]
    own = [other for other in schema if other not in (*counts, CODES_ANCIENS)]
    keys = [other for other in own if table.needed_counts or other in table.key]
    whole = {code: {code: 1.0} for code in concerned}
    moves = [(code, current, part) for code, found in (whole | dict(parts)).items() for current, part in found.items()]
    twice = pl.lit(False) if table.needed_counts else pl.struct(keys).is_duplicated()
    moved = (  # the largest part first
        rows.with_row_index(ROW)
        .with_columns(twice.alias(TWICE))
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
            pl.exclude(*keys, *counts, *contours, ROW, PART, CODE, TWICE, CODES_ANCIENS).first(),
            pl.col(CODE).unique(maintain_order=True).alias(CODES_ANCIENS),
            ((pl.len() == 1) & (pl.col(CODE) == pl.col(name)).first() & (pl.col(PART) == 1).first()).alias(PART),
        )
    )
    merged = merged.with_columns(
        pl.when(~pl.col(PART)).then(CODES_ANCIENS).alias(CODES_ANCIENS),
        *(pl.col(contour).map_elements(_united, pl.String) for contour in contours),
    )
    kept = frame.filter(~pl.col(name).is_in(list(concerned)) | pl.col(name).is_null())
    return pl.concat([kept, *(part.select(schema.names()).lazy() for part in (merged, moved.filter(doubtful)))])


def _size(counts: list[str]) -> pl.Expr:
    """What makes a part the largest: the first of the counts, else its share of the population."""
    if not counts:
        return pl.col(PART)
    return (pl.col(counts[0]).cast(pl.Float64, strict=False) * pl.col(PART)).fill_null(-1)


def _added_up(name: str, table: Table, kind: pl.DataType) -> pl.Expr:
    """The sum of the parts, NULL if one is NULL; whole if the column is; what is no number stays, to be refused."""
    value, column = pl.col(name), table.contract.columns().get(name)
    number = value.cast(pl.Float64, strict=False)
    wrong = value.filter(number.is_null() & value.is_not_null())
    total = pl.when(number.null_count() == 0).then((number * pl.col(PART)).sum()).otherwise(None)
    if column is None or column.dtype.is_integer():
        total = total.round().cast(pl.Int64)
    alone = (pl.len() == 1) & (pl.col(PART).first() == 1)
    return pl.when(alone).then(value.first()).when(wrong.len() > 0).then(wrong.first()).otherwise(total.cast(kind))


def _united(contours: pl.Series) -> str | None:
    """The union as hexadecimal EWKB; a single contour as it is; None if one cannot be read, for the load to refuse."""
    if len(contours) == 1:
        return str(contours[0])
    shapes = ewkb.decoded(contours)
    if shapely.is_missing(shapes).any():
        return None
    return str(ewkb.encoded([shapely.union_all(shapely.make_valid(shapes))])[0])
