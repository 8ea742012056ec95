"""Removing releases that nobody needs any more, and the contents that then no release refers to.

Belongs here: which releases a promised time needs, removing, and how much space that gives back. Does not belong here:
which releases the ledger needs (``database/ledger.py``), keeping others from reading meanwhile (``database/locks.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime

from edu_pipeline.sources.archive import LEFT_OVER, RELEASE_JSON, Archive, end_of
from edu_pipeline.sources.contents import Stored
from edu_pipeline.sources.release import Release


@dataclass(frozen=True)
class Unneeded:
    """What can be removed of a source.

    Attributes:
        releases: whole releases.
        contents: contents that only those have, or none.
        bytes: the size of all of it.
    """

    source: str
    releases: tuple[Release, ...]
    contents: tuple[Stored, ...]
    bytes: int


def promised(releases: Sequence[Release], since: datetime, moments: Iterable[date | datetime]) -> set[str]:
    """The ids of the releases that are the newest at some moment ``since`` then, or at one of the ``moments``.

    Args:
        releases: all of a source, oldest first.
        since: with a zone.
    """
    needed = {release.id for release in releases if release.retrieved_at > since}
    for moment in (since, *map(end_of, moments)):
        until = [release for release in releases if release.retrieved_at <= moment]
        needed |= {release.id for release in until[-1:]}
    return needed | {release.id for release in releases[-1:]}


def unneeded(archive: Archive, source: str, needed: Collection[str], now: datetime) -> Unneeded:
    """What can be removed of ``source``; a content that is younger than a day may belong to a release under way.

    Args:
        needed: the ids of the releases that stay.

    Raises:
        ArchiveUnusable: the archive cannot be read.
    """
    releases = archive.releases(source)
    gone = tuple(release for release in releases if release.id not in needed)
    used = {address for release in releases if release.id in needed for address in release.stored.values()}
    with archive.usable(source):
        unused = [content for content in archive.contents(source).stored() if content.address not in used]
    contents = tuple(content for content in unused if content.written_at < now - LEFT_OVER)
    own = sum(file.bytes for release in gone for file in release.files if file.name not in release.stored)
    return Unneeded(source, gone, contents, own + sum(content.bytes for content in contents))


def remove(archive: Archive, what: Unneeded) -> None:
    """Remove releases, then contents. ``release.json`` goes first: without it, the rest of a folder is no release.

    Raises:
        ArchiveUnusable: the archive cannot be written.
    """
    with archive.usable(what.source):
        for release in what.releases:
            with suppress(FileNotFoundError):
                release.folder.fs.rm_file((release.folder / RELEASE_JSON).path)
            if release.folder.exists():
                release.folder.fs.rm(release.folder.path, recursive=True)
        for content in what.contents:
            archive.contents(what.source).remove(content)
