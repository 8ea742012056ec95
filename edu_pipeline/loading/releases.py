"""Bringing releases into the archive: asking the publishers, and fetching what is new.

Belongs here: which sources are asked and fetched, and what happens to one that cannot be. Does not belong here: how a
publisher is asked (``sources/probe.py``) or a file fetched (``sources/fetch.py``), and what is loaded from it.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

from edu_pipeline.catalogue import Source, catalogue
from edu_pipeline.database import probe_memory
from edu_pipeline.database.connection import Database
from edu_pipeline.errors import EduError
from edu_pipeline.loading.lineage import used_sources
from edu_pipeline.settings import Settings
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import Fetched, fetch_if_any, newest_fetched
from edu_pipeline.sources.probe import Probed, probe

AT_ONCE = 4
"""Sources that are fetched at the same time."""


@dataclass(frozen=True)
class NewReleases:
    """What fetching has brought.

    Attributes:
        fetched: source to its new release.
        failures: source to the text of why it could not be asked or fetched; its newest release stays in use.
    """

    fetched: dict[str, Fetched]
    failures: dict[str, str]


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
        probe_memory.remember(connection, answers.values())
    return answers


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
    if nothing_new and (held := newest_fetched(source, archive)):
        return held
    with probe_memory.fetching(database, source.id):
        return fetch_if_any(source, archive, settings.upstream)


def fetch_new(sources: list[str], settings: Settings, database: Database, archive: Archive) -> NewReleases:
    """Ask the publishers of ``sources``, and fetch what has a new release.

    Raises:
        DatabaseUnreachable: the server does not answer.
    """

    def fetched(source: str) -> Fetched | EduError | None:
        try:
            with probe_memory.fetching(database, source):
                return fetch_if_any(catalogue()[source], archive, settings.upstream)
        except EduError as error:
            return error

    answers = ask_publishers(settings, database, archive, sources)
    changed = [source for source, answer in answers.items() if answer.changed]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = dict(zip(changed, pool.map(fetched, changed), strict=True))
    failures = {source: answer.error for source, answer in answers.items() if answer.error}
    failures |= {source: str(result) for source, result in results.items() if isinstance(result, EduError)}
    new = {source: result for source, result in results.items() if isinstance(result, Fetched) and result.new}
    return NewReleases(new, failures)
