"""Fetching a source: from the publishers or their stand-in to a release of the archive.

Belongs here: the order of a fetch, and whether it makes a new release. Does not belong here: where the files come from
(``publishers.py``, ``directory.py``), how a release is stored (``archive.py``).
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path

from edu_pipeline.catalogue import Source
from edu_pipeline.errors import ArchiveUnusable, DownloadFailed, NotInStandIn, SourceMissing, StillRefused
from edu_pipeline.sources.admission import Admission
from edu_pipeline.sources.archive import RELEASE_JSON, Archive
from edu_pipeline.sources.dates import publication_date
from edu_pipeline.sources.directory import choices, copy_files, is_directory
from edu_pipeline.sources.policy import LIVE, Policy
from edu_pipeline.sources.publishers import Publishers, means_absent
from edu_pipeline.sources.release import ArrivedFile, Incoming, ReceivedFile, Release

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Fetched:
    """What ``fetch`` returns.

    Attributes:
        release: the source's release.
        new: whether it is a new one.
        notes: what an operator should know of the files that were handed in.
    """

    release: Release
    new: bool
    notes: tuple[str, ...] = field(default=(), compare=False)


def fetch(
    source: Source,
    archive: Archive,
    upstream: str | None,
    *,
    policy: Policy = LIVE,
    today: date | None = None,
    again: bool = False,
) -> Fetched:
    """Bring the archive up to date with what the publishers of ``source``, or their stand-in, have now.

    Args:
        upstream: what stands in for the publishers: a directory ``<source id>/<file>``, or the URL of a mirror (then it
            is the policy's); None: the publishers themselves.
        policy: how downloads are made.
        today: from whose year backwards ``{year}`` in a URL is tried.
        again: try even a file that was refused before.

    Raises:
        SourceMissing: there is no file for a part that is not optional.
        DownloadFailed, DownloadRefused, PublisherUnavailable: see ``download``.
        FileInvalid, MemberMissing: a file is not what the catalogue says; it does not become a release.
        StillRefused: the same, and the file was refused before.
        ReleaseDamaged: an unchanged file that is part of the new release is damaged in the archive.
        ArchiveUnusable: the archive, or the folder of the downloads, cannot be read or written.
    """
    archive.sweep(source.id)
    previous, admission = archive.newest(source.id), Admission(source, archive, again)
    notes: tuple[str, ...] = ()
    with archive.workspace(source.id) as folder:
        try:
            if is_directory(upstream):
                arrived = copy_files(source, Path(upstream), folder, admission)
                notes = choices(source, Path(upstream) / source.id)
            else:
                policy, today = replace(policy, mirror=upstream), today or datetime.now(UTC).date()
                arrived = Publishers(source, archive, previous, folder, policy, today, admission).collect()
            fetched = _to_release(source, archive, previous, arrived, folder)
        except OSError as error:
            raise ArchiveUnusable(
                source.id,
                f"expected to read the files and to write them to {folder}, found {type(error).__name__}: {error}.",
                "Fix the cause (disk space, permissions), or set EDU_ARCHIVE to another folder or bucket.",
            ) from error
    admission.passed()
    for note in notes:
        log.info("%s", note)
    return replace(fetched, notes=notes)


def fetch_if_any(source: Source, archive: Archive, upstream: str | None, *, again: bool = False) -> Fetched | None:
    """As ``fetch``, except where a missing file is no failure: because the tables do without the source, or because the
    directory that stands in for the publishers has nothing of it. A file that was refused before is as good as none.

    Returns:
        What ``fetch`` returns; without a file the archive's newest release, or None if there is none.

    Raises:
        EduError: see ``fetch``.
    """
    try:
        return fetch(source, archive, upstream, again=again)
    except (SourceMissing, StillRefused, DownloadFailed) as error:
        is_none = source.optional and means_absent(error)
        if not is_none and not isinstance(error, NotInStandIn | StillRefused):
            raise
        log.info("%s", error)
        return newest_fetched(source, archive)


def newest_fetched(source: Source, archive: Archive) -> Fetched | None:
    """The newest release of the archive, without asking any publisher; None if there is none."""
    newest = archive.newest(source.id)
    return Fetched(newest, new=False) if newest else None


def _to_release(
    source: Source, archive: Archive, previous: Release | None, arrived: list[ArrivedFile], folder: Path
) -> Fetched:
    """The release of the files that arrived; the previous one if nothing is new."""
    unchanged = [entry for entry in arrived if entry.path is None]
    parts = {part: entry.file.name for entry in unchanged for part in entry.parts}
    if previous and len(unchanged) == len(arrived) and parts == previous.parts:
        return Fetched(previous, new=False)
    files: dict[Path, ReceivedFile] = {}
    carried = []
    for number, entry in enumerate(unchanged):
        assert previous is not None
        stored = archive.local(previous, entry.file)
        if entry.file.name in previous.stored:
            carried.append(entry.file)
        else:
            files[Path(shutil.copyfile(stored, folder / f"unchanged-{number}"))] = entry.file
    taken = {RELEASE_JSON, *(entry.file.name for entry in unchanged)}
    for entry in arrived:
        if entry.path is not None:
            name = entry.file.name if entry.file.name not in taken else f"{entry.parts[0]}-{entry.file.name}"
            taken.add(name)
            files[entry.path] = replace(entry.file, name=name)
            parts |= dict.fromkeys(entry.parts, name)
    received = [*files.values(), *carried]
    dates = [publication_date(file.publisher, file.last_modified) for file in received]
    published_at = max(filter(None, dates), default=None)
    release = archive.store(source.id, Incoming(files, parts, published_at, carried=tuple(carried)))
    is_new = previous is None or release.id != previous.id
    if not is_new and set(received) - set(archive.as_last_seen(release)):
        archive.remember(release, received)
    return Fetched(release, is_new)
