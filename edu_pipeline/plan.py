"""What a refresh has to do: which sources have a new release, and which tables and views hang on what is new.

Belongs here: fetching, and comparing with the ledger. Does not belong here: loading (``load.py``), and how
a run is launched (``runs.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from edu_pipeline import inputs, views
from edu_pipeline.database import Database
from edu_pipeline.errors import EduError, SourceMissing
from edu_pipeline.publish import ledger
from edu_pipeline.settings import Settings
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.catalogue import catalogue
from edu_pipeline.sources.fetch import Fetched, fetch_if_any
from edu_pipeline.table import tables

AT_ONCE = 4
"""Sources that are fetched at the same time."""


@dataclass(frozen=True)
class Plan:
    """What there is to do.

    Attributes:
        new: source to its new release.
        failures: source to the text of why it could not be fetched; its newest release stays in use.
        stale: tables and views whose inputs or code have changed since their last load, and those behind them that
            were ever loaded; not those that wait for a file or for another table.
    """

    new: dict[str, Fetched]
    failures: dict[str, str]
    stale: set[str]


def plan(settings: Settings, database: Database, archive: Archive, names: Iterable[str] | None = None) -> Plan:
    """Fetch the sources of the tables ``names`` (None: of all), and find what has to be loaded.

    Raises:
        DatabaseUnreachable: the server does not answer.
    """
    chosen = set(names) if names is not None else {*tables(), *views.views()}
    wanted = {source for name, table in tables().items() if name in chosen for source in table.sources}
    new, failures = _fetch_all([source for source in catalogue() if source in wanted], settings, archive)
    with database.connect() as connection:
        done = ledger.newest(connection, database.schema)
        versions = ledger.last_change(connection, database.schema)
    stale: set[str] = set()
    for name, table in tables().items():
        releases = inputs.releases_of(table, archive)
        if inputs.missing_files(table, releases) or inputs.missing_tables(table, [*done, *stale]):
            continue
        version = inputs.inputs_version(table, releases, versions)
        old = name not in done or done[name].inputs_version != version
        if (old and name in chosen) or (name in done and not stale.isdisjoint(table.tables)):
            stale.add(name)
    for name, view in views.views().items():
        old = name not in done or done[name].inputs_version != views.inputs_version(view, versions)
        if (old and name in chosen) or (name in done and not stale.isdisjoint(view.inputs)):
            stale.add(name)
    return Plan(new, failures, stale)


def sources_of(name: str) -> list[str]:
    """The sources that a table or view is made from, directly or by way of others."""
    table = tables().get(name)
    above = table.tables if table else views.views()[name].inputs
    own = table.sources if table else []
    return list(dict.fromkeys([*own, *(source for upper in above for source in sources_of(upper))]))


def _fetch_all(sources: list[str], settings: Settings, archive: Archive) -> tuple[dict[str, Fetched], dict[str, str]]:
    def fetched(source: str) -> Fetched | EduError | None:
        try:
            return fetch_if_any(catalogue()[source], archive, settings.upstream)
        except EduError as error:
            return error

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(sources, pool.map(fetched, sources), strict=True))
    new = {source: result for source, result in found.items() if isinstance(result, Fetched) and result.new}
    return new, {source: str(result) for source, result in found.items() if isinstance(result, EduError)}


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
