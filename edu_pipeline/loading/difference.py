"""What a load changes: the new rows compared with the published ones.

Belongs here: telling rows apart by two hashes of all their columns, NULL equal to NULL. Does not belong here:
reading or writing rows.

Two 64-bit hashes stand for a row, so that comparing five million rows with five million takes 200 MB. The probability
that two different rows of a comparison have both hashes in common is below 1e-20.
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
    fresh = wanted.join(old, on=HASHES, how="anti").select(ROW)
    stale = old.join(wanted, on=HASHES, how="anti").select(ROW)
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
        published=old.height,
    )


def _hashed(rows: pl.LazyFrame) -> pl.DataFrame:
    """The number and the hashes of every row."""
    lists = [name for name, kind in rows.collect_schema().items() if isinstance(kind, pl.List)]
    comparable = pl.struct(pl.exclude(lists), pl.col(lists).list.join(SEPARATOR))
    hashes = [comparable.hash(seed).alias(name) for seed, name in enumerate(HASHES, 1)]
    return rows.select(hashes).collect(engine="streaming").with_row_index(ROW)


def _rows(rows: pl.LazyFrame, numbers: pl.DataFrame) -> pl.LazyFrame:
    return rows.with_row_index(ROW).join(numbers.lazy(), on=ROW, how="semi", maintain_order="left").drop(ROW)
