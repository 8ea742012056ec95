"""What has changed from one export to the next: rows added, changed and removed, by key.

Belongs here: comparing the Parquet files of two exports. Does not belong here: comparing rows
(``loading/difference.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from edu_pipeline.export.parquet import COVERING
from edu_pipeline.loading.difference import difference

KEYS = pl.Schema({"table": pl.String(), "change": pl.String(), "key": pl.List(pl.String())})
"""A row for every row that has changed: ``added``, ``changed`` or ``removed``; the values of its key, as text."""


@dataclass(frozen=True)
class Changes:
    """What has changed in a table.

    Attributes:
        added, changed, removed: how many rows.
        columns: columns that only one of the two exports has, or that have another type; they are not compared.
        keys: the keys of these rows, in the form of ``KEYS``.
    """

    added: int
    changed: int
    removed: int
    columns: tuple[str, ...]
    keys: pl.DataFrame


def changes(name: str, new: Path, old: Path, key: Sequence[str]) -> Changes:
    """Compare the rows of the table ``name`` in two Parquet files by ``key``."""
    rows, former_rows = (pl.scan_parquet(file).drop(COVERING, strict=False) for file in (new, old))
    kinds, former = rows.collect_schema(), former_rows.collect_schema()
    common = [column for column, kind in kinds.items() if former.get(column) == kind]
    differing = tuple(column for column in dict.fromkeys([*kinds, *former]) if column not in common)
    if not set(key) <= set(common):
        count, gone = (frame.select(pl.len()).collect().item() for frame in (rows, former_rows))
        return Changes(count, 0, gone, differing, pl.DataFrame(schema=KEYS))
    found = difference(rows.select(common), former_rows.select(common), key)
    fresh, stale = found.fresh.select(key).collect(), found.stale.select(key).collect()
    by_change = {
        "added": fresh.join(stale, on=key, how="anti"),
        "changed": fresh.join(stale, on=key, how="semi"),
        "removed": stale.join(fresh, on=key, how="anti"),
    }
    listed = pl.concat([_listed(name, change, rows) for change, rows in by_change.items()])
    return Changes(found.added, found.changed, found.removed, differing, listed)


def note(since: str, files: Mapping[str, tuple[Path, Path, Sequence[str]]]) -> tuple[dict[str, object], pl.DataFrame]:
    """The change note of an export, and the keys of all rows that have changed.

    Args:
        since: the day of the export that is compared with.
        files: the new and the old file and the key of each table, by name.
    """
    found = {name: changes(name, new, old, key) for name, (new, old, key) in files.items()}
    counts = {name: _counts(change) for name, change in found.items()}
    keys = [change.keys for change in found.values()]
    return {"since": since, "tables": counts}, pl.concat([pl.DataFrame(schema=KEYS), *keys])


def _counts(change: Changes) -> dict[str, object]:
    counts: dict[str, object] = {"added": change.added, "changed": change.changed, "removed": change.removed}
    return counts | ({"columns": list(change.columns)} if change.columns else {})


def _listed(name: str, change: str, rows: pl.DataFrame) -> pl.DataFrame:
    texts = pl.concat_list(pl.all().cast(pl.String))
    return rows.select(table=pl.lit(name), change=pl.lit(change), key=texts).match_to_schema(KEYS)
