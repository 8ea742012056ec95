"""What a refresh or a rebuild has to do: which sources to ask, and which tables and views are out of date.

Belongs here: comparing the archive and the code with the ledger. Does not belong here: fetching (``releases.py``),
loading (``load.py``), how a run is launched (``cli/runs.py``), and when (``orchestration/automation.py``).
"""

from __future__ import annotations

from collections.abc import Iterable

from edu_pipeline.catalogue import catalogue
from edu_pipeline.database import ledger, views
from edu_pipeline.database.connection import Database
from edu_pipeline.errors import SourceMissing
from edu_pipeline.loading.attempts import would_fail_again
from edu_pipeline.loading.lineage import used_sources
from edu_pipeline.loading.versions import inputs_version
from edu_pipeline.sources import inputs
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import tables


def stale(database: Database, archive: Archive, names: Iterable[str] | None = None) -> set[str]:
    """The tables and views that are to be loaded: those of ``names`` whose releases, inputs or code have changed since
    their last load, and those that depend on them and were ever loaded; not those that wait for a file or a table.

    A table whose last load failed for the content of its releases is left out until something has changed, unless it is
    one of ``names``.

    Args:
        names: tables and views; None: all.

    Raises:
        DatabaseUnreachable: the server does not answer.
    """
    chosen = set(names) if names is not None else {*tables(), *views.views()}
    with database.connect() as connection:
        loaded = ledger.newest(connection, database.schema)
        failed = ledger.newest(connection, database.schema, "failed")
        changes = ledger.last_change(connection, database.schema)
    stale: set[str] = set()
    for name, table in tables().items():
        releases = inputs.releases_of(table, archive)
        if inputs.awaited(table, releases, [*loaded, *stale]):
            continue
        version = inputs_version(table, releases, changes)
        changed = name not in loaded or loaded[name].inputs_version != version
        if names is None and would_fail_again(table, version, loaded.get(name), failed.get(name), changes):
            changed = False
        if (changed and name in chosen) or (name in loaded and not stale.isdisjoint(table.tables)):
            stale.add(name)
    for name, view in views.views().items():
        changed = name not in loaded or loaded[name].inputs_version != views.inputs_version(view, changes)
        if (changed and name in chosen) or (name in loaded and not stale.isdisjoint(view.inputs)):
            stale.add(name)
    return stale


def sources_to_ask(names: Iterable[str] | None = None) -> list[str]:
    """The sources that the tables ``names`` read themselves (None: all tables), in the catalogue's order."""
    chosen = set(names) if names is not None else {*tables()}
    wanted = {source for name, table in tables().items() if name in chosen for source in table.sources}
    return [source for source in used_sources() if source in wanted]


def check_holds(archive: Archive) -> None:
    """That the archive has releases to rebuild from.

    Raises:
        SourceMissing: it has none, or had none at its ``as_of``; the text says when the first came.
    """
    if any(archive.newest(source) for source in catalogue()):
        return
    ever = [release.retrieved_at for source in catalogue() for release in archive.releases(source)]
    raise SourceMissing(
        f"archive {archive.root}",
        f"expected releases that it held {archive.as_of or 'now'}, found "
        + (f"that the first came at {min(ever):%Y-%m-%d %H:%M} UTC." if ever else "none at all."),
        "Name a later day in --as-of."
        if ever
        else "Fetch them first: `edu-pipeline refresh`, or rebuild without --offline.",
    )
