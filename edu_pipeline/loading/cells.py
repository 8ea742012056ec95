"""What a look at all cells of the columns that a table reads tells, before any of them is changed.

Belongs here: hidden values, columns without values, columns that are there twice, characters that nobody sees, doubtful
marks in numbers. Does not belong here: which columns are read (``columns.py``), changing cells (``intake.py``), values
that are none of their kind (``conform.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import polars as pl

from edu_pipeline.errors import FileInvalid, shown
from edu_pipeline.normalise import INVISIBLE, THOUSANDS
from edu_pipeline.sources.headers import copies_of

ROW = "row"
"""Name of the column that numbers the rows of a file, from 1 on and without the header."""


MANY = 20
"""Rows from which on a column without any value is no coincidence."""

Counts = dict[tuple[str, str], int]
"""Numbers of cells by kind and column."""


@dataclass(frozen=True)
class Cells:
    """What the cells of a file tell.

    Attributes:
        hidden: number of unusable cells per column, where there are any.
        empty: columns that have no value in any row, although there are many.
        invisible: number of cells per column with characters that nobody sees, where there are any.
        doubtful: columns of numbers whose marks may stand between thousands.
        notes: what was found, in sentences for the log.
    """

    hidden: Mapping[str, int] = field(default_factory=dict)
    empty: Sequence[str] = ()
    invisible: Mapping[str, int] = field(default_factory=dict)
    doubtful: Sequence[str] = ()
    notes: tuple[str, ...] = ()


def look_at(
    raw: pl.LazyFrame,
    named: Mapping[str, str],
    unusable: Mapping[str, pl.Expr],
    filled: Collection[str],
    amounts: Mapping[str, int],
    where: str,
) -> Cells:
    """Look at all cells once.

    Args:
        raw: the reader's rows.
        named: the name that a column gets, to the reader's.
        unusable: which cells of a column count as NULL.
        filled: the columns that should have values.
        amounts: the columns of numbers that may be thousands, each with how many of its numbers must look so, and none
            with another number of decimals, before their marks are doubted.
        where: source and release, for the failure text.

    Raises:
        FileInvalid: a column is there twice, with different values.
    """
    schema = raw.collect_schema()
    copies = {copy: name for name, column in named.items() for copy in copies_of(column, schema)}
    text = [name for name, column in named.items() if schema[column] == pl.String]
    chosen = raw.select(*(pl.col(column).alias(name) for name, column in named.items()), *copies)
    counts = _counted(
        chosen,
        {("hidden", name): cells.sum() for name, cells in unusable.items()}
        | {("filled", name): pl.col(name).count() for name in filled}
        | {("invisible", name): _wide(name).str.contains(INVISIBLE).sum() for name in text}
        | {("thousands", name): _marked(name).str.contains(THOUSANDS).sum() for name in amounts}
        | {("decimals", name): (~_marked(name).str.contains(THOUSANDS)).sum() for name in amounts}
        | {("differs", copy): pl.col(name).ne_missing(pl.col(copy)).sum() for copy, name in copies.items()},
    )
    invisible = {name: counts["invisible", name] for name in text if counts["invisible", name]}
    return Cells(
        {name: counts["hidden", name] for name in unusable if counts["hidden", name]},
        [name for name in filled if counts["rows", ""] >= MANY and not counts["filled", name]],
        invisible,
        [name for name, few in amounts.items() if counts["thousands", name] >= few and not counts["decimals", name]],
        (
            *_copies_noted(copies, named, list(schema), counts, where),
            *(_invisible_note(chosen, name, named[name], count) for name, count in invisible.items()),
        ),
    )


def visible(name: str) -> pl.Expr:
    """The column without characters that nobody sees, NULL where nothing is left."""
    seen = pl.col(name).str.replace_all(INVISIBLE, "").str.strip_chars()
    return pl.when(seen != "").then(seen).alias(name)


def _wide(name: str) -> pl.Expr:
    """The cells with characters beyond ASCII."""
    return pl.col(name).filter(pl.col(name).str.len_bytes() != pl.col(name).str.len_chars())


def _marked(name: str) -> pl.Expr:
    """The cells with a decimal mark, or one between thousands."""
    return pl.col(name).filter(pl.col(name).str.contains_any([".", ","]))


def _counted(chosen: pl.LazyFrame, expressions: Mapping[tuple[str, str], pl.Expr]) -> Counts:
    """What the expressions count in one pass over the file, and the number of rows."""
    if not expressions:
        return {("rows", ""): 0}
    counted = {**expressions, ("rows", ""): pl.len()}
    frame = chosen.select(expression.alias(f"{kind} {name}") for (kind, name), expression in counted.items())
    return dict(zip(counted, frame.collect(engine="streaming").row(0), strict=True))


def _copies_noted(
    copies: Mapping[str, str], named: Mapping[str, str], columns: list[str], counts: Counts, where: str
) -> list[str]:
    """That there are two of a column, in a sentence each.

    Raises:
        FileInvalid: they differ.
    """
    notes = []
    for copy, name in copies.items():
        column, place = named[name], f"in the positions {columns.index(named[name]) + 1} and {columns.index(copy) + 1}"
        if differing := counts["differs", copy]:
            raise FileInvalid(
                where,
                f"expected column {column!r} once, found it {place}, with different values in {differing:,} of "
                f"{counts['rows', '']:,} rows.",
                "Look at the file. If one of the two is another column, tell the publisher; until then hand in a copy "
                "without it. The previous rows stay.",
            )
        notes.append(f"column {column} is there twice, {place}, with the same values")
    return notes


def _invisible_note(chosen: pl.LazyFrame, name: str, column: str, count: int) -> str:
    first = chosen.select(name).with_row_index(ROW, offset=1).filter(pl.col(name).str.contains(INVISIBLE)).head(1)
    row, value = first.collect().row(0)
    return (
        f"characters that nobody sees were taken out of {count:,} cells of column {column}, the first in row {row:,}: "
        f"{shown(value)}"
    )
