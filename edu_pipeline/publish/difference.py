"""What a load changes: the new rows against those that are published.

Belongs here: anti-joins on all columns, NULL equal to NULL. Does not belong here: reading or writing rows.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from edu_pipeline.publish.copying import SEPARATOR


@dataclass(frozen=True)
class Difference:
    """The rows to write and the keys to delete.

    Attributes:
        fresh: rows that are not published as they are: the added ones and the changed ones.
        stale: keys of published rows that are no more as they are: the removed ones and the changed ones.
        added, changed, removed: how many of each.
        published: how many rows there were.
    """

    fresh: pl.DataFrame
    stale: pl.DataFrame
    added: int
    changed: int
    removed: int
    published: int

    @property
    def size(self) -> int:
        """Rows that differ."""
        return self.added + self.changed + self.removed


def difference(new: pl.DataFrame, published: pl.LazyFrame, key: list[str]) -> Difference:
    """Compare ``new`` with the ``published`` rows of the same columns and types, by ``key``."""
    old = published.collect(engine="streaming")
    lists = [name for name, kind in new.schema.items() if isinstance(kind, pl.List)]
    comparable = pl.col(lists).list.join(SEPARATOR)
    ours, theirs = new.with_columns(comparable).with_row_index("row_number"), old.with_columns(comparable)
    unmatched = ours.join(theirs, on=new.columns, how="anti", nulls_equal=True)["row_number"]
    fresh = new[unmatched.sort()]
    stale = theirs.join(ours, on=new.columns, how="anti", nulls_equal=True).select(key)
    changed = fresh.join(stale, on=key, how="semi").height
    return Difference(
        fresh=fresh,
        stale=stale,
        added=fresh.height - changed,
        changed=changed,
        removed=stale.height - changed,
        published=old.height,
    )
