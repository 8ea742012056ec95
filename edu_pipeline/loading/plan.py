"""What a refresh has to do: which sources have a new release, and which tables and views hang on what is new.

Belongs here: asking the publishers, fetching what is new, and comparing with the ledger. Does not belong here: loading
(``load.py``), how a run is launched (``runs.py``), and when (``automation.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from edu_pipeline.catalogue import Source, catalogue
from edu_pipeline.database import ledger, views
from edu_pipeline.database.connection import Database
from edu_pipeline.errors import EduError, SourceMissing
from edu_pipeline.settings import Settings
from edu_pipeline.sources import inputs
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import Fetched, fetch_if_any, newest_fetched
from edu_pipeline.sources.probe import Probed, fetching, probe, remember, remembered
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
    new, failures = _fetch_all([source for source in used_sources() if source in wanted], settings, database, archive)
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


def ask_publishers(
    settings: Settings, database: Database, archive: Archive, names: Iterable[str] | None = None
) -> dict[str, Probed]:
    """Ask the publishers of the sources ``names`` (None: of all that are used) for new releases, and note the answers.

    Raises:
        DatabaseUnreachable: the server does not answer.
    """
    with database.connect() as connection:
        known = remembered(connection)
    asked = [catalogue()[source] for source in (used_sources() if names is None else names)]
    found = probe(asked, archive, settings.upstream, known)
    with database.connect() as connection:
        remember(connection, found.values())
    return found


def bring_in(
    source: Source, settings: Settings, database: Database, archive: Archive, since: datetime
) -> Fetched | None:
    """The newest release of ``source``: the archive's, if its publisher was asked ``since`` then and shows nothing new,
    or could not be asked; else what is fetched now. None if there is no file and that is no failure.

    Raises:
        EduError: see ``fetch``.
    """
    with database.connect() as connection:
        asked = connection.execute(
            "SELECT FROM edu_pipeline.probes WHERE source = %s AND probed_at >= %s "
            "AND (version = known_version OR error IS NOT NULL)",
            [source.id, since],
        ).fetchone()
    if asked is not None and (held := newest_fetched(source, archive)):
        return held
    with fetching(database, source.id):
        return fetch_if_any(source, archive, settings.upstream)


def used_sources() -> list[str]:
    """The sources that a table reads, in the catalogue's order."""
    used = {source for table in tables().values() for source in table.sources}
    return [source for source in catalogue() if source in used]


def hanging_on(sources: Iterable[str]) -> list[str]:
    """The tables and views that are made from ``sources``, directly or by way of others."""
    changed = set(sources)
    return [name for name in [*tables(), *views.views()] if not changed.isdisjoint(sources_of(name))]


def sources_of(name: str) -> list[str]:
    """The sources that a table or view is made from, directly or by way of others."""
    table = tables().get(name)
    above = table.tables if table else views.views()[name].inputs
    own = table.sources if table else []
    return list(dict.fromkeys([*own, *(source for upper in above for source in sources_of(upper))]))


def tables_behind(name: str) -> set[str]:
    """The tables that a table is made from, directly or by way of others."""
    above = tables()[name].tables
    return set(above).union(*map(tables_behind, above))


def _fetch_all(
    sources: list[str], settings: Settings, database: Database, archive: Archive
) -> tuple[dict[str, Fetched], dict[str, str]]:
    """Fetch what has a new release; the new ones, and why a source could not be asked or fetched."""

    def fetched(source: str) -> Fetched | EduError | None:
        try:
            with fetching(database, source):
                return fetch_if_any(catalogue()[source], archive, settings.upstream)
        except EduError as error:
            return error

    asked = ask_publishers(settings, database, archive, sources)
    changed = [source for source, probed in asked.items() if probed.changed]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = dict(zip(changed, pool.map(fetched, changed), strict=True))
    failures = {source: probed.error for source, probed in asked.items() if probed.error}
    failures |= {source: str(result) for source, result in found.items() if isinstance(result, EduError)}
    return {source: got for source, got in found.items() if isinstance(got, Fetched) and got.new}, failures


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
