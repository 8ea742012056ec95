"""The contents of a source whose releases have several files: each is stored once, however many releases have it.

Belongs here: the folder ``<archive>/<source id>/.content/<sha256>/<file name>``: what is in it, adding to it, removing
from it. Does not belong here: which release has which content (``release.json``, written by ``archive.py``).

A release refers to a content by its address, the path below the source's folder. Hard links would save the same space
on a local disk, but a bucket has none.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from upath import UPath

from edu_pipeline.sources import bucket
from edu_pipeline.sources.release import ReceivedFile

CONTENT = ".content"

Key = tuple[str, str]


@dataclass(frozen=True)
class Stored:
    """A content in the archive: its address, its size in bytes, and when it was written, in UTC."""

    address: str
    bytes: int
    written_at: datetime


class Contents:
    """The contents of one source.

    Args:
        folder: the source's folder.
        is_local: whether it is on a local disk.
    """

    def __init__(self, folder: UPath, is_local: bool) -> None:
        self._folder, self._is_local = folder, is_local

    def stored(self) -> list[Stored]:
        """Everything that is stored, sorted by address.

        Raises:
            OSError: the archive cannot be read.
        """
        root, fs = self._folder / CONTENT, self._folder.fs
        found = fs.find(root.path, detail=True) if root.exists() else {}
        prefix = len(self._folder.path.rstrip("/")) + 1
        return [
            Stored(path[prefix:], int(entry["size"]), _written_at(entry))
            for path, entry in sorted(found.items())
            if entry["type"] == "file"
        ]

    def addresses(self, files: Collection[ReceivedFile]) -> dict[Key, str]:
        """The addresses of those ``files`` that are stored, by ``key``; a file that was left short does not count.

        Raises:
            OSError: the archive cannot be read.
        """
        wanted = {key(file): file.bytes for file in files}
        addresses = {}
        for stored in self.stored():
            _, sha256, name = PurePosixPath(stored.address).parts
            if wanted.get((sha256, _ending(name))) == stored.bytes:
                addresses[sha256, _ending(name)] = stored.address
        return addresses

    def put(self, path: Path, file: ReceivedFile) -> str:
        """Store the file at ``path``, which is moved away, and return its address.

        Raises:
            OSError: the archive cannot be written.
        """
        address = f"{CONTENT}/{file.sha256}/{file.name}"
        target = self._folder / address
        if self._is_local:
            Path(target.path).parent.mkdir(parents=True, exist_ok=True)
            path.replace(target.path)
        else:
            bucket.put(path, target, file.bytes)
        return address

    def remove(self, stored: Stored) -> None:
        """Remove a content; nothing happens if it is gone.

        Raises:
            OSError: the archive cannot be written.
        """
        target = self._folder / stored.address
        with suppress(FileNotFoundError):
            target.fs.rm_file(target.path)
            if self._is_local:
                Path(target.path).parent.rmdir()


def key(file: ReceivedFile) -> Key:
    """What files that are stored once have in common: the SHA-256, and the ending by which readers know the form."""
    return file.sha256, _ending(file.name)


def _ending(name: str) -> str:
    return "".join(PurePosixPath(name).suffixes[-2:]).lower()


def _written_at(entry: dict[str, object]) -> datetime:
    """The time of a file, from what fsspec says of it; the beginning of time if it says nothing."""
    moment = entry.get("mtime") or entry.get("LastModified") or entry.get("last_modified") or entry.get("created")
    if isinstance(moment, int | float):
        return datetime.fromtimestamp(moment, UTC)
    if isinstance(moment, datetime):
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.min.replace(tzinfo=UTC)
