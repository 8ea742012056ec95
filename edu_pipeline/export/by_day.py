"""Exports kept side by side: a folder per release day, each with a note of what has changed since the one before.

Belongs here: which folder an export goes to, whether it is needed, and the change note. Does not belong here: making
the files (``export.py``), comparing them (``changes.py``).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from upath import UPath

from edu_pipeline.database.connection import Database
from edu_pipeline.export.changes import note
from edu_pipeline.export.datapackage import moment
from edu_pipeline.export.description import Collection
from edu_pipeline.export.export import Export, Progress, describe, write
from edu_pipeline.export.files import publish, workspace
from edu_pipeline.export.form import Format
from edu_pipeline.export.snapshot import names_of, snapshot
from edu_pipeline.sources.bucket import without_cache

NOTE, KEYS = "changes.json", "changes.parquet"
"""The change note, and the keys of all rows that it counts."""

DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class DayExport:
    """What ``export_of_the_day`` did.

    Attributes:
        folder: the folder of the day.
        skipped: whether the folder has all of it already.
        note: the change note; ``since`` is None if there was no export before.
    """

    folder: UPath
    skipped: bool
    note: dict[str, Any]


def export_of_the_day(database: Database, root: UPath, progress: Progress = lambda table, rows: None) -> DayExport:
    """Export everything to Parquet in ``root``, into the folder of the newest release's day.

    A folder is replaced if something was loaded since; the note is always about the newest folder of an earlier day.

    Raises:
        ExportFailed, SchemaMissing, DatabaseUnreachable: see ``export``.
    """
    with workspace(root) as folder, snapshot(database) as source:
        root = without_cache(root)
        described = source.describe(names_of(()))
        target = root / described.day.isoformat()
        if _loads(target) == {table.name: moment(table.loaded_at) for table in described.tables}:
            return DayExport(target, True, json.loads((target / NOTE).read_text(encoding="utf-8")))
        done = write(source, described, folder, Format.PARQUET, progress)
        told = _note(done, folder, root)
        names = [*(file.name for file in done.files.values()), *told.files, *describe(done, folder)]
        publish(folder, names, target)
        return DayExport(target, False, told.note)


@dataclass(frozen=True)
class _Note:
    note: dict[str, Any]
    files: list[str]


def _note(done: Export, folder: Path, root: UPath) -> _Note:
    """Write the change note, and the keys if there is an earlier export."""
    before = _before(done.collection, root)
    told: dict[str, Any] = {"since": None, "tables": {}}
    files = [NOTE]
    if before:
        former = folder / "before"
        former.mkdir()
        pairs = {}
        for table in done.collection.tables:
            file = done.files[table.name].name
            if (before / file).exists():
                before.fs.get_file((before / file).path, str(former / file))
                pairs[table.name] = (folder / file, former / file, table.key)
        told, keys = note(before.name, pairs)
        keys.write_parquet(folder / KEYS)
        files = [KEYS, NOTE]
    (folder / NOTE).write_text(json.dumps(told, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return _Note(told, files)


def _before(collection: Collection, root: UPath) -> UPath | None:
    """The folder of the newest export of an earlier day. A bucket has no folder before it has files."""
    days = sorted(path.name for path in root.iterdir() if DAY.fullmatch(path.name)) if root.exists() else []
    earlier = [day for day in days if day < collection.day.isoformat()]
    return root / earlier[-1] if earlier else None


def _loads(target: UPath) -> dict[str, str | None] | None:
    """When each table of an export had been loaded; None if there is no whole export."""
    descriptor = target / "datapackage.json"
    if not descriptor.exists():
        return None
    resources = json.loads(descriptor.read_text(encoding="utf-8"))["resources"]
    return {resource["name"]: resource["loaded_at"] for resource in resources}
