"""What a load changes: the new rows against those that are published.

Belongs here: telling rows apart by two hashes of all their columns, NULL equal to NULL. Does not belong here:
reading or writing rows.

Two 64-bit hashes stand for a row, so that the comparison of two times five million rows takes 200 MB; that two
different rows of one comparison have both in common has a probability below 1e-20.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from edu_pipeline.database.copying import SEPARATOR

HASHES = ["first_hash", "second_hash"]
ROW = "row_number"


@dataclass(frozen=True)
class Difference:
    """The rows to write and the keys to delete.

    Attributes:
        fresh: rows that are not published as they are: the added ones and the changed ones.
        stale: keys of published rows that are no more as they are: the removed ones and the changed ones.
        added, changed, removed: how many of each.
        published: how many rows there were.
    """

    fresh: pl.LazyFrame
    stale: pl.LazyFrame
    added: int
    changed: int
    removed: int
    published: int

    @property
    def size(self) -> int:
        """Rows that differ."""
        return self.added + self.changed + self.removed


def difference(new: pl.LazyFrame, published: pl.LazyFrame, key: Sequence[str]) -> Difference:
    """Compare ``new`` with the ``published`` rows of the same columns and types, by ``key``."""
    theirs = _hashed(published)
    if theirs.is_empty():
        added = new.select(pl.len()).collect().item()
        return Difference(new, published.select(key), added=added, changed=0, removed=0, published=0)
    ours = _hashed(new)
    fresh = ours.join(theirs, on=HASHES, how="anti").select(ROW)
    stale = theirs.join(ours, on=HASHES, how="anti").select(ROW)
    fresh_rows, stale_keys = _rows(new, fresh), _rows(published, stale).select(key)
    changed = 0
    if fresh.height and stale.height:
        changed = _hashed(fresh_rows.select(key)).join(_hashed(stale_keys), on=HASHES, how="semi").height
    return Difference(
        fresh=fresh_rows,
        stale=stale_keys,
        added=fresh.height - changed,
        changed=changed,
        removed=stale.height - changed,
        published=theirs.height,
    )


def _hashed(rows: pl.LazyFrame) -> pl.DataFrame:
    """The hashes of every row, with its number."""
    lists = [name for name, kind in rows.collect_schema().items() if isinstance(kind, pl.List)]
    comparable = pl.struct(pl.exclude(lists), pl.col(lists).list.join(SEPARATOR))
    hashes = [comparable.hash(seed).alias(name) for seed, name in enumerate(HASHES, 1)]
    return rows.select(hashes).collect(engine="streaming").with_row_index(ROW)


def _rows(rows: pl.LazyFrame, numbers: pl.DataFrame) -> pl.LazyFrame:
    return rows.with_row_index(ROW).join(numbers.lazy(), on=ROW, how="semi", maintain_order="left").drop(ROW)
