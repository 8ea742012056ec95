"""Probing: whether the publishers have new releases, with the smallest possible requests and without downloading.

Belongs here: comparing what publishers show with what is known. Does not belong here: asking them
(``file_states.py``), remembering what they showed (``database/probe_memory.py``), what follows from a new release
(``loading/releases.py``).

What a publisher shows may change although the data has not. So a change is a reason to fetch, and the SHA-256 of what
is fetched decides whether there is a release. A file of which the publisher shows nothing is fetched once a day.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from edu_pipeline.catalogue import Source
from edu_pipeline.errors import EduError, failure_text
from edu_pipeline.scratch import scratch_folder
from edu_pipeline.sources.admission import has_lapsed
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.dates import publication_date
from edu_pipeline.sources.directory import is_directory
from edu_pipeline.sources.file_states import FileState, PublisherStates, SourceState, state_in_directory
from edu_pipeline.sources.policy import Policy
from edu_pipeline.sources.release import ReceivedFile, Release

log = logging.getLogger(__name__)

AT_ONCE = 16
"""How many sources are asked for at the same time: nearly all the time is spent waiting."""

LONGEST_WAIT = 5.0
"""Seconds between two tries at most: a publisher that does not answer now is asked at the next probe."""

PROBING = Policy(tries=2, read_seconds=10, sleep=lambda seconds: time.sleep(min(seconds, LONGEST_WAIT)))
"""Less patient than for downloads: a probe has to end before the sensor's time is up (60 s), and will be repeated."""


@dataclass(frozen=True)
class Probed:
    """What a probe says of a source.

    Attributes:
        version: a text that changes if and only if the publisher shows something new: JSON, per part of the source;
            after an error the version that was known.
        changed: whether the source should be fetched.
        probed_at: in UTC.
        error: the failure text, if the publisher could not be asked; then ``changed`` is False.
        published_at: the publisher's own date of its newest file, where it gives one.
        later: a later edition that the publisher shows and that the catalogue does not read; None if it shows none.
    """

    source: str
    version: str
    changed: bool
    probed_at: datetime
    error: str | None = None
    published_at: datetime | None = None
    later: str | None = None


def probe(
    sources: Iterable[Source],
    archive: Archive,
    upstream: str | None,
    known: Mapping[str, str],
    *,
    policy: Policy = PROBING,
    today: date | None = None,
) -> dict[str, Probed]:
    """Ask whether there are new releases; a failure concerns its own source only, which has its text.

    Args:
        archive: its newest releases are what is compared where nothing is known; a source without any has changed.
        upstream: what stands in for the publishers, as for ``fetch``.
        known: the versions that the archive is up to date with, by source.
        policy: how requests are made.
        today: from whose year backwards ``{year}`` in a URL is tried.
    """
    sources, today = list(sources), today or datetime.now(UTC).date()
    if is_directory(upstream):
        ask = partial(state_in_directory, Path(upstream))
        results = [_probe_source(source, archive, known, ask) for source in sources]
    else:
        with scratch_folder("edu-pipeline-probe-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
            states = PublisherStates(archive, folder, replace(policy, mirror=upstream), today)
            states.ask_portals(sources, pool)  # before the sources that wait for them
            results = list(pool.map(lambda source: _probe_source(source, archive, known, states.of), sources))
    return {probed.source: probed for probed in results}


def _probe_source(
    source: Source, archive: Archive, known: Mapping[str, str], ask: Callable[[Source, Release | None], SourceState]
) -> Probed:
    now = datetime.now(UTC)
    try:
        newest = archive.newest(source.id)
        state = ask(source, newest)
        version = _version(state)
        changed = _has_changed(source, archive, newest, state, known.get(source.id), version)
        later = next((file_state.later for file_state in state.values() if file_state and file_state.later), None)
        return Probed(source.id, version, changed, now, None, _published_at(state), later)
    except Exception as error:
        if not isinstance(error, EduError):
            log.exception("%s: a defect in its probe", source.id)
        return Probed(source.id, known.get(source.id, ""), False, now, failure_text(error))


def _has_changed(
    source: Source,
    archive: Archive,
    newest: Release | None,
    state: SourceState,
    known_version: str | None,
    version: str,
) -> bool:
    if not any(state.values()):
        return False
    if newest is None or has_lapsed(source, archive):
        return True
    if known_version is not None:
        return version != known_version
    files = {file.name: file for file in archive.as_last_seen(newest)}
    return not all(_is_held(file_state, files.get(newest.parts.get(part, ""))) for part, file_state in state.items())


def _is_held(file_state: FileState | None, file: ReceivedFile | None) -> bool:
    """Whether what is shown of a part is the file that we have of it; neither of them is fine, too."""
    if file_state is None or file is None:
        return file_state is None and file is None
    return file_state.is_held(file)


def _version(state: SourceState) -> str:
    descriptions = {part: file_state.description if file_state else None for part, file_state in state.items()}
    return json.dumps(descriptions, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _published_at(state: SourceState) -> datetime | None:
    dates = [publication_date(file_state.description) for file_state in state.values() if file_state]
    return max(filter(None, dates), default=None)
