"""A release: the files of a source as received at one time, and how they are described in ``release.json``.

Belongs here: what is known of a received file and of a release, before and after it is stored. Does not belong here:
storing and finding releases (``archive.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from upath import UPath


@dataclass(frozen=True)
class ReceivedFile:
    """A file as received.

    Attributes:
        name: its name in the release's folder.
        url: the URL that was requested; the publisher's own address even if a mirror answered.
        final_url: the URL that answered, after redirects.
        publisher: what the publisher's interface says of the data (``data_processed``, ``records_count``, ...).
        mirror: the mirror that answered in place of the publisher.
        invented: whether it comes from the sample publisher.
    """

    name: str
    url: str
    final_url: str
    bytes: int
    sha256: str
    etag: str | None = None
    last_modified: str | None = None
    publisher: Mapping[str, Any] = field(default_factory=dict, hash=False)
    mirror: str | None = None
    invented: bool = False


@dataclass(frozen=True)
class ArrivedFile:
    """A file for the next release.

    Attributes:
        parts: the parts of the source that it holds.
        path: where it is; None if it is one of the previous release's files, unchanged.
    """

    file: ReceivedFile
    parts: tuple[str, ...]
    path: Path | None


@dataclass(frozen=True)
class Incoming:
    """What ``Archive.store`` makes a release of.

    Attributes:
        files: every received file by its local path, from which it is moved away.
        parts: the name of the file of every part of the source that was received.
        published_at: the publisher's own processing date.
        retrieved_at: the time of the download, in UTC.
        carried: files of the previous release, unchanged, whose contents are stored already.
    """

    files: Mapping[Path, ReceivedFile]
    parts: Mapping[str, str]
    published_at: datetime | None = None
    retrieved_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    carried: tuple[ReceivedFile, ...] = ()


@dataclass(frozen=True)
class Refusal:
    """A file that did not become a release, and why.

    Attributes:
        reading: a hash that changes with the code, or the entry of the catalogue, that refused it.
        refused_at: the time, in UTC and ISO 8601.
        where, problem, remedy: those of the failure.
    """

    file: ReceivedFile
    reading: str
    refused_at: str
    where: str
    problem: str
    remedy: str


@dataclass(frozen=True)
class Release:
    """One state of a source, as received at one time; it never changes.

    Attributes:
        id: the folder's name, ``<UTC time>-<first 12 of sha256>``.
        retrieved_at: the time of the download, in UTC.
        published_at: the publisher's own processing date, where there is one.
        sha256: that of the only file; for several see ``sha256_of_all``.
        parts: the name of the file of every part of the source that was received.
        stored: the name of every file that is not in the release's folder to where it is, below the source's folder.
    """

    source: str
    id: str
    folder: UPath
    retrieved_at: datetime
    published_at: datetime | None
    sha256: str
    files: tuple[ReceivedFile, ...]
    parts: Mapping[str, str] = field(hash=False)
    stored: Mapping[str, str] = field(default_factory=dict, hash=False)

    @property
    def label(self) -> str:
        """What messages call it: ``2026-11-23 a1b2c3d4e5f6``."""
        return f"{self.retrieved_at:%Y-%m-%d} {self.sha256[:12]}"

    @property
    def invented(self) -> bool:
        """Whether any of its files comes from the sample publisher."""
        return any(file.invented for file in self.files)

    def address(self, file: ReceivedFile) -> str:
        """Where ``file`` is, below the source's folder."""
        return self.stored.get(file.name, f"{self.id}/{file.name}")

    def path(self, file: ReceivedFile) -> UPath:
        """Where ``file`` is."""
        return self.folder.parent / self.address(file)

    def file(self, part: str) -> ReceivedFile | None:
        """The file that holds ``part``; None if this release has none."""
        return next((file for file in self.files if file.name == self.parts.get(part)), None)


def sha256_of_all(files: list[ReceivedFile]) -> str:
    """The SHA-256 of a release: of its only file, else of the sorted lines ``<name> <sha256>`` of its files."""
    if len(files) == 1:
        return files[0].sha256
    lines = sorted(f"{file.name} {file.sha256}\n" for file in files)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def sha256_by_part(files: Iterable[ReceivedFile], parts: Mapping[str, str]) -> dict[str, str]:
    """The SHA-256 of the file of every part.

    Args:
        parts: the name of the file of every part.
    """
    by_name = {file.name: file.sha256 for file in files}
    return {part: by_name[name] for part, name in parts.items()}


def to_json(release: Release) -> str:
    """The text of ``release.json``."""
    entry = {
        "source": release.source,
        "id": release.id,
        "retrieved_at": release.retrieved_at.isoformat(),
        "published_at": release.published_at.isoformat() if release.published_at else None,
        "sha256": release.sha256,
        "parts": dict(release.parts),
        "files": [asdict(file) for file in release.files],
        **({"stored": dict(release.stored)} if release.stored else {}),
    }
    return json.dumps(entry, ensure_ascii=False, indent=1) + "\n"


def from_json(text: str, source: str, folder: UPath) -> Release:
    """The release in ``folder`` whose ``release.json`` has this text.

    Raises:
        ValueError, KeyError, TypeError: the text does not describe a release.
    """
    entry = json.loads(text)
    return Release(
        source=source,
        id=folder.name,
        folder=folder,
        retrieved_at=datetime.fromisoformat(entry["retrieved_at"]),
        published_at=datetime.fromisoformat(entry["published_at"]) if entry["published_at"] else None,
        sha256=entry["sha256"],
        files=tuple(ReceivedFile(**file) for file in entry["files"]),
        parts=entry["parts"],
        stored=entry.get("stored", {}),
    )
