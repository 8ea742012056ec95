"""Bringing releases into the archive: asking the publishers, and fetching what is new.

Belongs here: which sources are asked and fetched, and what happens to one that cannot be. Does not belong here: how a
publisher is asked (``sources/probe.py``) or a file fetched (``sources/fetch.py``), and what is loaded from it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from edu_pipeline.catalogue import Source, catalogue
from edu_pipeline.database import probe_memory
from edu_pipeline.database.comments import comment_on_table
from edu_pipeline.database.connection import Connection, Database, exists
from edu_pipeline.errors import EduError
from edu_pipeline.loading.lineage import used_sources
from edu_pipeline.settings import Settings
from edu_pipeline.sources.admission import has_lapsed, standing, still_refused
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.directory import not_handed_in
from edu_pipeline.sources.fetch import Fetched, fetch_if_any, newest_fetched
from edu_pipeline.sources.probe import Probed, probe
from edu_pipeline.table import tables

AT_ONCE = 4
"""Sources that are fetched at the same time."""


@dataclass(frozen=True)
class NewReleases:
    """What fetching has brought.

    Attributes:
        fetched: source to its new release.
        failures: source to the text of why it could not be asked or fetched; its newest release stays in use.
        unfed: the sources of which files were handed in, but none that can be used.
        notes: what an operator should know of the files that were handed in.
    """

    fetched: dict[str, Fetched]
    failures: dict[str, str]
    unfed: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()


def ask_publishers(
    settings: Settings, database: Database, archive: Archive, names: Iterable[str] | None = None
) -> dict[str, Probed]:
    """Ask the publishers of the sources ``names`` (None: of all that are used) for new releases, and note the answers.

    Raises:
        DatabaseUnreachable: the server does not answer.
    """
    with database.connect() as connection:
        known = probe_memory.known_versions(connection)
    asked = [catalogue()[source] for source in (used_sources() if names is None else names)]
    answers = probe(asked, archive, settings.upstream, known)
    with database.connect() as connection:
        before = {source: answer.later for source, answer in probe_memory.answers(connection).items()}
        probe_memory.remember(connection, answers.values())
        of = {source for source, answer in answers.items() if not answer.error and answer.later != before.get(source)}
        _say_in_comments(connection, database.schema, of)
    return answers


def _say_in_comments(connection: Connection, schema: str, sources: Collection[str]) -> None:
    """Renew the comments on the tables that are made from sources of which there is now a later edition, or none."""
    if sources and exists(connection, schema):
        for table in tables().values():
            if not {*sources}.isdisjoint(table.sources):
                comment_on_table(connection, schema, table)


def fetch_if_new(
    source: Source, settings: Settings, database: Database, archive: Archive, since: datetime
) -> Fetched | None:
    """The newest release of ``source``: the archive's, if its publisher was asked ``since`` then and shows nothing new,
    or could not be asked; else what is fetched now. None if there is no file and that is no failure.

    Raises:
        EduError: see ``fetch``.
    """
    with database.connect() as connection:
        nothing_new = probe_memory.nothing_new_since(connection, source.id, since)
    if nothing_new and not has_lapsed(source, archive) and (held := newest_fetched(source, archive)):
        return held
    with probe_memory.fetching(database, source.id):
        return fetch_if_any(source, archive, settings.upstream)


def fetch_new(
    sources: list[str],
    settings: Settings,
    database: Database,
    archive: Archive,
    *,
    by_name: bool = False,
    again: bool = False,
) -> NewReleases:
    """Ask the publishers of ``sources``, and fetch what has a new release.

    Args:
        by_name: whether an operator has asked for these sources. Then a file that was refused before is a failure, and
            so are files in the stand-in directory of which none can be used; else that is not reported again.
        again: fetch even files that were refused before.

    Raises:
        DatabaseUnreachable: the server does not answer.
    """

    def fetched(source: str) -> Fetched | EduError | None:
        try:
            with probe_memory.fetching(database, source):
                return fetch_if_any(catalogue()[source], archive, settings.upstream, again=again)
        except EduError as error:
            return error

    answers = ask_publishers(settings, database, archive, sources)
    changed = [source for source, answer in answers.items() if answer.changed or (again and archive.refusals(source))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = dict(zip(changed, pool.map(fetched, changed), strict=True))
    failures = {source: answer.error for source, answer in answers.items() if answer.error}
    failures |= {source: str(result) for source, result in results.items() if isinstance(result, EduError)}
    unfed, refused = _unusable(sources, settings, archive)
    if by_name:
        failures = unfed | refused | failures
    new = {source: result for source, result in results.items() if isinstance(result, Fetched) and result.new}
    notes = [note for result in new.values() for note in result.notes]
    notes += [] if by_name else unfed.values()
    return NewReleases(new, failures, frozenset(unfed), tuple(notes))


def _unusable(sources: Iterable[str], settings: Settings, archive: Archive) -> tuple[dict[str, str], dict[str, str]]:
    """Source to failure text: where files were handed in under unexpected names, and where the file stays refused."""
    unfed, refused = {}, {}
    for source in sources:
        entry = catalogue()[source]
        if error := not_handed_in(entry, settings.upstream):
            unfed[source] = str(error)
        elif refusals := standing(entry, archive):
            refused[source] = str(still_refused(refusals[-1]))
    return unfed, refused
