"""An export: tables and views of one snapshot as files of one format, with their descriptions.

Belongs here: the order of the steps. Does not belong here: how any step works.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from upath import UPath

from edu_pipeline.database.connection import Database
from edu_pipeline.export.croissant import croissant
from edu_pipeline.export.datapackage import datapackage, resource
from edu_pipeline.export.dcat import dcat
from edu_pipeline.export.description import Collection, Described
from edu_pipeline.export.files import ExportedFile, exported, publish, workspace
from edu_pipeline.export.form import Format
from edu_pipeline.export.formats import in_format, writer
from edu_pipeline.export.snapshot import Snapshot, names_of, snapshot

DESCRIPTIONS = ("attribution.txt", "dcat.jsonld", "croissant.json", "datapackage.json")
"""The files that describe the others, in the order in which they are published; the last one comes last of all."""

SESSIONS = 2
"""Tables that are written at the same time: the server and its client have something to do for each."""

Progress = Callable[[Described, int], None]
"""Called with a table and the number of its rows that have arrived since the last call: 0 when it begins. Several
threads may call it."""


@dataclass(frozen=True)
class Export:
    """What was exported.

    Attributes:
        files: the file of each table, by the table's name.
    """

    collection: Collection
    files: Mapping[str, ExportedFile]


def export(
    database: Database,
    target: UPath,
    form: Format = Format.PARQUET,
    chosen: Sequence[str] = (),
    progress: Progress = lambda table, rows: None,
) -> Export:
    """Write tables and views of the target schema to the folder or bucket ``target``.

    All files are made in a temporary folder first; after a failure, ``target`` is as it was.

    Args:
        chosen: names of tables and views; empty: all that the format has a place for.

    Raises:
        SettingInvalid: a name is not that of a table or view, or a package that the format needs is not installed.
        ExportFailed: the files cannot be written.
        SchemaMissing: the database was never migrated.
        DatabaseUnreachable: the server does not answer.
    """
    names = names_of(chosen)
    with workspace(target) as folder:
        with snapshot(database) as source:
            done = write(source, source.describe(names), folder, form, progress)
        written = [*dict.fromkeys(file.name for file in done.files.values()), *describe(done, folder)]
        publish(folder, written, target)
    return done


def write(source: Snapshot, described: Collection, folder: Path, form: Format, progress: Progress) -> Export:
    """Write the rows of a snapshot's tables to files of a format in ``folder``.

    Where each table has a file of its own, several are written at the same time, the largest first.
    """
    in_form = {table.name: in_format(form, table) for table in described.tables}
    kept = replace(described, tables=tuple(table for table in in_form.values() if table))
    tables = [table for table in described.tables if in_form[table.name]]
    if not form.is_one_file:
        tables.sort(key=attrgetter("rows"), reverse=True)
    sessions: SimpleQueue[Snapshot] = SimpleQueue()
    with writer(form, folder) as files, source.in_sessions(1 if form.is_one_file else SESSIONS) as snapshots:

        def add(table: Described) -> Path:
            own, shaped = sessions.get(), in_form[table.name]
            assert shaped is not None
            try:
                progress(table, 0)
                return files.add(shaped, own.rows(table, partial(progress, table)), told(shaped, kept))
            finally:
                sessions.put(own)

        for one in snapshots:
            sessions.put(one)
        with ThreadPoolExecutor(len(snapshots)) as threads:
            paths = dict(zip((table.name for table in tables), threads.map(add, tables), strict=True))
    finished = {path: exported(path, form.media_type) for path in dict.fromkeys(paths.values())}
    return Export(kept, {table.name: finished[paths[table.name]] for table in kept.tables})


def told(table: Described, collection: Collection) -> dict[str, str]:
    """What the metadata of a table's own file say, by name; ``resource`` is its part of ``datapackage.json``."""
    return {
        "description": table.description,
        "licence": ", ".join(table.provenance.licences),
        "attribution": table.provenance.attribution,
        "resource": json.dumps(resource(table, collection), ensure_ascii=False),
    }


def describe(done: Export, folder: Path) -> list[str]:
    """Write the files of ``DESCRIPTIONS`` that the export has, and return their names."""
    attributions = {table.name: table.provenance.attribution for table in done.collection.tables}
    documents: dict[str, Any] = {
        "dcat.jsonld": dcat(done.collection, done.files),
        "croissant.json": croissant(done.collection, done.files),
        "datapackage.json": datapackage(done.collection, done.files),
    }
    texts = {"attribution.txt": "\n".join(f"{name}\n{text}\n" for name, text in attributions.items() if text)} | {
        name: json.dumps(document, ensure_ascii=False, indent=1) + "\n"
        for name, document in documents.items()
        if document
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
    return [name for name in DESCRIPTIONS if name in texts]
