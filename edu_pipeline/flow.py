"""The operations of transforms that leave rows out, merge them, or join rows of several files.

Belongs here: everything after which a row of a file is no row of its own any more, so that it is accounted for by
itself (``accounts.py``). Does not belong here: the conditions, and what a table computes.

A transform uses these in place of ``filter``, ``group_by``, ``unique`` and ``join`` on rows of files: a load in which a
row is neither published nor refused, and that no operation has noted, is stopped (``RowsUnaccounted``). Frames without
``SOURCE_ROW``, such as rows of other tables, pass through without being noted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import polars as pl

from edu_pipeline import accounts
from edu_pipeline.accounts import SOURCE_ROW, UNKNOWN_WORD
from edu_pipeline.contracts import FIRST_YEAR, LAST_YEAR, REFUSED_BECAUSE

SAME_ROW = "the same row again"
"""The rule that sets copies of a row aside."""

SCHOOL_YEAR = "^([0-9]{4})(?:-[0-9]{4})?$"
"""A year, or a school year, which counts as the year in which it begins."""

_KEPT, _FOUND, _OTHER, _NUMBER, _FIRST = "is_kept", "is_found", "source_row_of_other", "number", "first_of_these"


def keep(rows: pl.LazyFrame, condition: pl.Expr, rule: str) -> pl.LazyFrame:
    """The rows that meet a condition; the others, those for which it is NULL included, are set aside by ``rule``."""

    def noted(batch: pl.DataFrame) -> pl.DataFrame:
        is_kept = batch[_KEPT]
        if is_kept.all():
            return batch
        accounts.note(batch[SOURCE_ROW].filter(~is_kept), rule)
        return batch.filter(is_kept)

    if not is_tracked(rows):
        return rows.filter(condition)
    return _observed(rows.with_columns(condition.fill_null(False).alias(_KEPT)), noted).drop(_KEPT)


def keep_words(rows: pl.LazyFrame, column: str, wanted: Collection[str], others: str, rule: str) -> pl.LazyFrame:
    """The rows with one of the ``wanted`` words in ``column``.

    Args:
        others: pattern of the other words that are known. Rows with one of them are set aside by ``rule``; those with
            any other word, or none, as ``UNKNOWN_WORD``.
    """
    is_wanted = pl.col(column).is_in([*wanted])
    known = keep(rows, is_wanted | pl.col(column).str.contains(others), f"{UNKNOWN_WORD} in {column}")
    return keep(known, is_wanted, rule)


def pick(rows: pl.LazyFrame, *columns: str | pl.Expr, **named: str | pl.Expr) -> pl.LazyFrame:
    """Some columns, as ``select`` gives them, of rows that stay accounted for."""
    return rows.select(*(name for name in rows.collect_schema() if name == SOURCE_ROW), *columns, **named)


def newest(rows: pl.LazyFrame, year: str, of: Sequence[str] = ()) -> pl.LazyFrame:
    """The rows of the newest year, for each value of the columns ``of`` if given; the others are set aside as older.

    Rows without a year that a contract accepts, or without a value in ``of``, stay for the contract to refuse: they do
    not decide which year is the newest.
    """
    number = pl.col(year).str.extract(SCHOOL_YEAR).cast(pl.Int32)
    is_readable = number.is_between(FIRST_YEAR, LAST_YEAR).fill_null(False)
    for name in of:
        is_readable &= pl.col(name).is_not_null()
    latest = pl.when(is_readable).then(number).max()
    return keep(rows, ~is_readable | (number == (latest.over(*of) if of else latest)), f"older {year}")


def once(rows: pl.LazyFrame, values: Sequence[str]) -> pl.LazyFrame:
    """The rows, of which those that a file has several times count once.

    Args:
        values: all other columns are the key. Rows with the same key and the same values are copies: all but the first
            are set aside. Rows with the same key and other values contradict each other: all of them are refused.
            None: rows with any other value are other rows.
    """
    key = [name for name in rows.collect_schema() if name not in (*values, SOURCE_ROW)]
    numbered = rows.with_row_index(_NUMBER)
    hashed = pl.struct(key).hash()
    hashes = rows.select(hashed).collect(engine="streaming").to_series()
    twice = hashes.filter(hashes.is_duplicated())
    if twice.is_empty():
        return rows
    suspects = numbered.filter(hashed.is_in(twice.unique().implode())).select(_NUMBER, *key, *values)
    text = f"expected one row about the same thing, found several that differ in {', '.join(values)}"
    is_contradicted = pl.struct(values).n_unique() > 1 if values else pl.lit(False)
    judged = (
        suspects.group_by(key)
        .agg(_NUMBER, pl.when(is_contradicted).then(pl.lit(text)).alias(REFUSED_BECAUSE))
        .select(_NUMBER, REFUSED_BECAUSE, pl.col(_NUMBER).list.min().alias(_FIRST))
        .explode(_NUMBER)
        .collect(engine="streaming")
    )
    known = numbered.join(judged.lazy(), on=_NUMBER, how="left", maintain_order="left")
    is_kept = pl.col(REFUSED_BECAUSE).is_not_null() | (pl.col(_NUMBER) == pl.col(_FIRST).fill_null(pl.col(_NUMBER)))
    return keep(known, is_kept, SAME_ROW).drop(_NUMBER, _FIRST, *([] if values else [REFUSED_BECAUSE]))


def add_up(rows: pl.LazyFrame, by: Sequence[str], columns: Sequence[pl.Expr]) -> pl.LazyFrame:
    """One row for all rows with the same values in ``by``, with the aggregated ``columns``.

    Rows without a value in one of ``by``, and refused rows, are not added to any: they stay by themselves, for the load
    to refuse, with the columns that are alike before and after.
    """
    before = rows.collect_schema()
    is_fit = pl.all_horizontal(pl.col(name).is_not_null() for name in by)
    if REFUSED_BECAUSE in before:
        is_fit &= pl.col(REFUSED_BECAUSE).is_null()
    tracked = [name for name in before if name == SOURCE_ROW]
    is_nested = any(before[name].is_nested() for name in tracked)
    source_rows = [pl.col(name).explode() if is_nested else pl.col(name) for name in tracked]
    added = rows.filter(is_fit).group_by(by, maintain_order=True).agg(*source_rows, *columns)
    alike = [name for name, kind in added.collect_schema().items() if before.get(name) == kind]
    kept = [name for name in dict.fromkeys([*alike, REFUSED_BECAUSE, SOURCE_ROW]) if name in before]
    unfit = rows.filter(~is_fit).select(kept)
    if tracked and not is_nested:
        unfit = unfit.with_columns(pl.concat_list(SOURCE_ROW))
    return pl.concat([added, unfit], how="diagonal")


def look_up(rows: pl.LazyFrame, other: pl.LazyFrame, on: str, what: str) -> pl.LazyFrame:
    """The rows with the columns of the row of ``other`` that has the same value in ``on``; NULL if none has it.

    Rows of ``other`` that are copies count once. If some with the same value contradict each other, none of them is
    used. How many rows have asked and how many were answered is noted as ``what``.
    """
    names = [name for name in other.collect_schema() if name not in (SOURCE_ROW, on)]
    single = keep(other, pl.col(on).is_not_null(), f"no {on}")
    if names:
        is_contradicted = pl.struct(names).n_unique().over(on) > 1
        single = keep(single, ~is_contradicted, f"several rows with the same {on}")
    single = keep(single, pl.int_range(pl.len()).over(on) == 0, SAME_ROW)
    if is_tracked(single):
        single = _observed(single, lambda batch: _noted(batch, SOURCE_ROW, "not looked up")).rename(
            {SOURCE_ROW: _OTHER}
        )
    single = single.with_columns(pl.lit(True).alias(_FOUND))

    def answered(batch: pl.DataFrame) -> pl.DataFrame:
        if _OTHER in batch.columns:
            accounts.note(batch[_OTHER].drop_nulls(), accounts.USED)
        if SOURCE_ROW in batch.columns:
            asked = batch.filter(pl.col(on).is_not_null())
            accounts.note_answers(what, asked[SOURCE_ROW], asked[_FOUND].fill_null(False))
        return batch

    joined = rows.join(single, on=on, how="left", maintain_order="left")
    return _observed(joined, answered).drop(_FOUND, _OTHER, strict=False)


def fall_back(
    rows: pl.LazyFrame,
    other: pl.LazyFrame,
    on: Sequence[str],
    rule: str,
    is_readable: pl.Expr | None = None,
    alike: Sequence[str] = (),
) -> pl.LazyFrame:
    """The rows, and those rows of ``other`` whose key ``on`` no row has; the others are set aside by ``rule``.

    Args:
        is_readable: whether a row's key can be read. A row whose key cannot may be one of ``other``: those that are
            ``alike`` in these columns are set aside, too.
    """
    doubtful = [] if is_readable is None else [(alike, rows.filter(~is_readable.fill_null(False)))]
    for columns, of in [(on, rows), *doubtful]:
        present = of.select(columns).unique().with_columns(pl.lit(True).alias(_FOUND))
        other = other.join(present, on=columns, how="left", maintain_order="left")
        other = keep(other, pl.col(_FOUND).is_null(), rule).drop(_FOUND)
    return pl.concat([rows, other], how="diagonal_relaxed")


def stacked(*frames: pl.LazyFrame) -> pl.LazyFrame:
    """The rows of several files one below the other; a column that only some have is NULL in the rows of the others."""
    nested = any(frame.collect_schema().get(SOURCE_ROW, pl.UInt64()).is_nested() for frame in frames)
    alike = [
        frame.with_columns(pl.concat_list(SOURCE_ROW)) if nested and is_tracked(frame) else frame for frame in frames
    ]
    return pl.concat(alike, how="diagonal")


def is_tracked(rows: pl.LazyFrame) -> bool:
    """Whether the rows are accounted for."""
    return SOURCE_ROW in rows.collect_schema()


def _noted(batch: pl.DataFrame, column: str, fate: str) -> pl.DataFrame:
    accounts.note(batch[column], fate)
    return batch


def _observed(rows: pl.LazyFrame, observe: Callable[[pl.DataFrame], pl.DataFrame]) -> pl.LazyFrame:
    """The rows as ``observe`` returns them, which sees every batch of them.

    It is not a predicate: polars 2.1 calls a Python predicate over Parquet with statistics too, as if they were rows.
    """
    return rows.map_batches(observe, streamable=True)
