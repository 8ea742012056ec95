"""What a load changes: the new rows compared with the published ones.

Belongs here: telling rows apart by two hashes of all their columns, NULL equal to NULL. Does not belong here:
reading or writing rows.

Two 64-bit hashes stand for a row, so that comparing five million rows with five million takes 470 MB. The probability
that a row is taken for one that is there, because two others have one of its hashes each, is then below 1e-18.
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
        fresh: the rows to write: added and changed ones.
        stale: the keys of the published rows to delete: removed and changed ones.
        added, changed, removed: the number of each.
        published: the number of published rows.
    """

    fresh: pl.LazyFrame
    stale: pl.LazyFrame
    added: int
    changed: int
    removed: int
    published: int

    @property
    def size(self) -> int:
        """Number of rows that differ."""
        return self.added + self.changed + self.removed


def difference(new: pl.LazyFrame, published: pl.LazyFrame, key: Sequence[str]) -> Difference:
    """Compare ``new`` with the ``published`` rows of the same columns and types, by ``key``."""
    old = _hashed(published)
    if old.is_empty():
        added = new.select(pl.len()).collect().item()
        return Difference(new, published.select(key), added=added, changed=0, removed=0, published=0)
    wanted = _hashed(new)
    fresh, stale = _only_in(wanted, old), _only_in(old, wanted)
    fresh_rows, stale_keys = _rows(new, fresh), _rows(published, stale).select(key)
    changed = 0
    if fresh.height and stale.height:
        changed = fresh.height - _only_in(_hashed(fresh_rows.select(key)), _hashed(stale_keys)).height
    return Difference(
        fresh=fresh_rows,
        stale=stale_keys,
        added=fresh.height - changed,
        changed=changed,
        removed=stale.height - changed,
        published=old.height,
    )


def _hashed(rows: pl.LazyFrame) -> pl.DataFrame:
    """The number and the hashes of every row."""
    lists = [name for name, kind in rows.collect_schema().items() if isinstance(kind, pl.List)]
    comparable = pl.struct(pl.exclude(lists), pl.col(lists).list.join(SEPARATOR))
    hashes = [comparable.hash(seed).alias(name) for seed, name in enumerate(HASHES, 1)]
    return rows.select(hashes).collect(engine="streaming").with_row_index(ROW)


def _only_in(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    """The numbers of the rows that are not among the others.

    Each hash is looked for by itself: a join on both together takes five times the memory (polars 2.1).
    """
    lacking = [rows.join(others.select(name), on=name, how="anti").select(ROW) for name in HASHES]
    return pl.concat(lacking).unique()


def _rows(rows: pl.LazyFrame, numbers: pl.DataFrame) -> pl.LazyFrame:
    return rows.with_row_index(ROW).join(numbers.lazy(), on=ROW, how="semi", maintain_order="left").drop(ROW)
