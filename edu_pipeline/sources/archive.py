"""The archive of releases: the files as received, one immutable folder per release.

Belongs here: the folders ``<archive>/<source id>/<UTC time>-<sha256, 12>/``, storing one whole or not at all, finding
one, handing out its files verified. Does not belong here: what is known of a release (``release.py``), removing one
(``pruning.py``), where the files come from (``fetch.py``), what is in them (``readers.py``).

A folder is a release if it has a ``release.json``, which is written last. In an archive on a local disk the whole
folder is prepared under another name and renamed. A bucket cannot rename: there the files are put in place first
(``bucket.py``), and ``release.json`` after them, in one request. The files of a release with several are not in its
folder but next to it, each content once (``contents.py``); ``release.json`` says where.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import groupby
from pathlib import Path

from upath import UPath

from edu_pipeline.errors import ArchiveUnusable, ReleaseDamaged
from edu_pipeline.sources import bucket
from edu_pipeline.sources.contents import Contents, key
from edu_pipeline.sources.release import (
    Incoming,
    ReceivedFile,
    Refusal,
    Release,
    from_json,
    sha256_by_part,
    sha256_of_all,
    to_json,
)

__all__ = ["Archive", "Incoming", "ReceivedFile", "Refusal", "Release"]

log = logging.getLogger(__name__)

RELEASE_JSON = "release.json"
SEEN_JSON = ".seen.json"
REFUSED = ".refused"
"""The folder with what is remembered of refused files, one file per source."""

REFUSALS = 20
"""How many refused files of a source are remembered."""

INCOMING = ".incoming-"
RELEASE_ID = re.compile(r"(\d{8}T\d{6}Z)-[0-9a-f]{12}")
LEFT_OVER = timedelta(days=1)
"""From this age on, a folder that never became a release was left behind by a dead process."""

_verified: dict[Path, tuple[int, int]] = {}
"""Files whose SHA-256 this process has verified, with the size and the mtime that they had then."""


class Archive:
    """All releases of all sources, under a folder or in a bucket.

    Args:
        root: a folder, or whatever else universal-pathlib supports.
        as_of: the newest release is by default the newest as of this day (its end, in UTC) or time (in UTC if it has no
            zone); None: as of now.
    """

    def __init__(self, root: UPath, as_of: date | datetime | None = None) -> None:
        self._is_local = root.protocol in ("", "file", "local")
        self.root, self.as_of = bucket.without_cache(root), as_of

    def __repr__(self) -> str:
        return f"Archive({str(self.root)!r})"

    def releases(self, source: str) -> list[Release]:
        """Every release of ``source``, oldest first; a folder without a readable ``release.json`` is not a release.

        Raises:
            ArchiveUnusable: the archive cannot be read.
        """
        releases = (self._read(source, name) for name in self._names(source) if RELEASE_ID.fullmatch(name))
        return sorted(filter(None, releases), key=lambda release: (release.retrieved_at, release.id))

    def newest(self, source: str, as_of: date | datetime | None = None) -> Release | None:
        """The newest release of ``source``, or the newest that the archive held at ``as_of``.

        Args:
            as_of: a day or a time, as for the whole archive, whose own is the default.

        Raises:
            ArchiveUnusable: the archive cannot be read.
        """
        as_of = as_of if as_of is not None else self.as_of
        limit = end_of(as_of) if as_of is not None else None
        names = sorted(filter(RELEASE_ID.fullmatch, self._names(source)), reverse=True)
        for _, names_of_second in groupby(names, key=lambda name: name.partition("-")[0]):
            releases = [release for name in names_of_second if (release := self._read(source, name))]
            releases = [release for release in releases if limit is None or release.retrieved_at <= limit]
            if releases:
                return max(releases, key=lambda release: release.retrieved_at)
        return None

    @contextmanager
    def workspace(self, source: str) -> Iterator[Path]:
        """A local folder for the files of a release under way; it is removed at the end.

        If the archive is on a local disk, the folder is inside it, so that storing the files is a rename.

        Raises:
            ArchiveUnusable: the folder cannot be created.
        """
        if self._is_local:
            folder = Path((self.root / source).path) / f"{INCOMING}{uuid.uuid4().hex}"
            with self.usable(source):
                folder.mkdir(parents=True)
        else:
            folder = Path(tempfile.mkdtemp(prefix=f"edu-pipeline{INCOMING}"))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def store(self, source: str, incoming: Incoming) -> Release:
        """Make a release of what was received, whole or not at all.

        If the newest release holds the same, that one is returned and nothing is written.

        Raises:
            ArchiveUnusable: the archive cannot be read or written.
        """
        files = sorted([*incoming.files.values(), *incoming.carried], key=lambda file: file.name)
        sha256 = sha256_of_all(files)
        newest = self.newest(source)
        if (
            newest
            and newest.sha256 == sha256
            and sha256_by_part(newest.files, newest.parts) == sha256_by_part(files, incoming.parts)
        ):
            return newest
        name = f"{incoming.retrieved_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{sha256[:12]}"
        if stored := self._read(source, name):
            return stored  # another process has stored the same in the same second
        release = Release(
            source=source,
            id=name,
            folder=self.root / source / name,
            retrieved_at=incoming.retrieved_at.astimezone(UTC),
            published_at=incoming.published_at.astimezone(UTC) if incoming.published_at else None,
            sha256=sha256,
            files=tuple(files),
            parts=dict(incoming.parts),
        )
        with self.usable(source):
            own = incoming.files
            if len(files) > 1 or incoming.carried:
                release, own = replace(release, stored=self._store_contents(source, files, incoming)), {}
            if self._is_local:
                self._rename_into_place(release, own)
            else:
                self._put_into_place(release, own)
        return self._read(source, name) or release

    def _store_contents(self, source: str, files: list[ReceivedFile], incoming: Incoming) -> dict[str, str]:
        """Store what the archive does not have yet; file name to the address of its content."""
        contents = self.contents(source)
        addresses = contents.addresses(files)
        for path, file in incoming.files.items():
            if key(file) not in addresses:
                addresses[key(file)] = contents.put(path, file)
        return {file.name: addresses[key(file)] for file in files}

    def contents(self, source: str) -> Contents:
        """What the releases of ``source`` with several files share."""
        return Contents(self.root / source, self._is_local)

    def _rename_into_place(self, release: Release, files: Mapping[Path, ReceivedFile]) -> None:
        final = Path(release.folder.path)
        with self.workspace(release.source) as folder:
            for path, file in files.items():
                shutil.move(path, folder / file.name)
            (folder / RELEASE_JSON).write_text(to_json(release), encoding="utf-8")
            try:
                folder.rename(final)
            except OSError:
                # Another process may have stored the same meanwhile; then its release stays.
                if self._read(release.source, release.id) is None:
                    raise

    def _put_into_place(self, release: Release, files: Mapping[Path, ReceivedFile]) -> None:
        for path, file in files.items():
            bucket.put(path, release.folder / file.name, file.bytes)
        release.folder.fs.pipe_file((release.folder / RELEASE_JSON).path, to_json(release).encode())

    def sweep(self, source: str) -> list[str]:
        """Remove what dead processes left behind, and return the names of the folders removed.

        That is a ``.incoming-*`` folder, or in a bucket a folder without ``release.json``, in which nothing was
        written for a day. Age decides, not the process: several machines may share the archive, and a process number
        means nothing on another machine. Call it at the start of a fetch; until then such a folder only costs space.

        Raises:
            ArchiveUnusable: the archive cannot be read or written.
        """
        removed = []
        for name in self._names(source):
            folder = self.root / source / name
            with self.usable(source):
                if not name.startswith(INCOMING) and not self._is_half_put(folder):
                    continue
                if _last_written(folder) < datetime.now(UTC) - LEFT_OVER:
                    with suppress(FileNotFoundError):  # another process may sweep too
                        folder.fs.rm(folder.path, recursive=True)
                    removed.append(name)
        return removed

    def _is_half_put(self, folder: UPath) -> bool:
        """Whether ``folder`` is in a bucket and never became a release."""
        return not self._is_local and bool(RELEASE_ID.fullmatch(folder.name)) and not (folder / RELEASE_JSON).exists()

    def local(self, release: Release, file: ReceivedFile, verify: bool = True) -> Path:
        """A local path of a stored file: its own if the archive is local, else that of a copy.

        A copy lives as long as this process, since polars reads lazily. A file is hashed once per process, and again if
        its size or its mtime has changed.

        Raises:
            ReleaseDamaged: the file is missing, or no longer has the SHA-256 that it was stored with.
            ArchiveUnusable: the archive cannot be read.
        """
        stored = release.path(file)
        path = Path(stored.path) if self._is_local else self.copies(release.source) / release.address(file)
        with self.usable(release.source):
            try:
                if not self._is_local and not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
                    stored.fs.get_file(stored.path, str(partial))
                    partial.rename(path)
                state = path.stat()
            except FileNotFoundError:
                raise _damaged(release, file, "no such file") from None
            if verify and _verified.get(path) != (state.st_size, state.st_mtime_ns):
                with path.open("rb") as stream:
                    sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
                if sha256 != file.sha256:
                    if not self._is_local:
                        path.unlink()
                    raise _damaged(release, file, f"{sha256} ({state.st_size:,} bytes)")
                _verified[path] = (state.st_size, state.st_mtime_ns)
        return path

    def remember(self, release: Release, files: list[ReceivedFile]) -> None:
        """Note that the publisher now offers the same content under other ETags, dates or addresses.

        A release never changes, so this goes into a file next to it; without it, the same content would be downloaded
        at every fetch.

        Raises:
            ArchiveUnusable: the archive cannot be written.
        """
        text = json.dumps(
            {"release": release.id, "files": [asdict(file) for file in files]}, ensure_ascii=False, indent=1
        )
        with self.usable(release.source):
            self._write(self.root / release.source / SEEN_JSON, text)

    def _write(self, target: UPath, text: str) -> None:
        """Write a file that is not part of a release, at once or not at all."""
        if self._is_local:
            folder = Path(target.path).parent
            folder.mkdir(parents=True, exist_ok=True)
            partial = folder / f"{INCOMING}{uuid.uuid4().hex}"
            partial.write_text(text, encoding="utf-8")
            partial.replace(target.path)
        else:
            target.fs.pipe_file(target.path, text.encode())

    def as_last_seen(self, release: Release) -> tuple[ReceivedFile, ...]:
        """The files of ``release``, with the addresses, ETags and dates under which they were last seen."""
        try:
            seen = json.loads((self.root / release.source / SEEN_JSON).read_text(encoding="utf-8"))
            if seen["release"] != release.id:
                return release.files
            by_sha256 = {entry["sha256"]: ReceivedFile(**entry) for entry in seen["files"]}
        except (OSError, ValueError, KeyError, TypeError):
            return release.files
        return tuple(
            replace(by_sha256[file.sha256], name=file.name) if file.sha256 in by_sha256 else file
            for file in release.files
        )

    def refusals(self, source: str) -> list[Refusal]:
        """The files of ``source`` that were refused since its newest release, oldest first."""
        try:
            entries = json.loads(self._refused(source).read_text(encoding="utf-8"))
            return [Refusal(**entry | {"file": ReceivedFile(**entry["file"])}) for entry in entries]
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def remember_refusal(self, source: str, refusal: Refusal) -> None:
        """Note that a file was refused; of the same content only the newest is remembered.

        Raises:
            ArchiveUnusable: the archive cannot be written.
        """
        others = [other for other in self.refusals(source) if other.file.sha256 != refusal.file.sha256]
        entries = [asdict(each) for each in [*others, refusal][-REFUSALS:]]
        with self.usable(source):
            self._write(self._refused(source), json.dumps(entries, ensure_ascii=False, indent=1))

    def forget_refusals(self, source: str) -> None:
        """Forget which files of ``source`` were refused.

        Raises:
            ArchiveUnusable: the archive cannot be written.
        """
        with self.usable(source), suppress(FileNotFoundError):
            self._refused(source).unlink()

    def _refused(self, source: str) -> UPath:
        return self.root / REFUSED / f"{source}.json"

    def sources(self) -> list[str]:
        """The sources that the archive has a folder of, sorted: those of the catalogue, and operators' own files.

        Raises:
            ArchiveUnusable: the archive cannot be read.
        """
        return [name for name in self._names("") if not name.startswith(".")]

    def copies(self, source: str) -> Path:
        """The local folder for what is made of a source's files: its own if the archive is local, else that of the
        files' local copies, which lives as long as this process."""
        if self._is_local:
            return Path((self.root / source).path)
        return Path(_scratch().name) / hashlib.sha256(str(self.root).encode()).hexdigest()[:12] / source

    def _names(self, source: str) -> list[str]:
        """The names of everything in the folder of ``source``; empty: of the whole archive."""
        folder = self.root / source if source else self.root
        with self.usable(source):
            if not folder.is_dir():
                return []
            return sorted(path.name for path in folder.iterdir())

    def _read(self, source: str, name: str) -> Release | None:
        """The release in folder ``name``, None if it is not a release."""
        folder = self.root / source / name
        with self.usable(source):
            try:
                return from_json((folder / RELEASE_JSON).read_text(encoding="utf-8"), source, folder)
            except (FileNotFoundError, NotADirectoryError):
                return None
            except (ValueError, KeyError, TypeError) as error:
                log.warning("%s: not a release, its %s cannot be read: %r", folder, RELEASE_JSON, error)
                return None

    @contextmanager
    def usable(self, source: str) -> Iterator[None]:
        """Turn the errors of the file system into this product's own.

        Raises:
            ArchiveUnusable: the archive cannot be read or written.
        """
        try:
            yield
        except Exception as error:
            if not bucket.is_failure(error):
                raise
            raise ArchiveUnusable(
                source,
                f"expected to read and write the archive {self.root}, found {type(error).__name__}: {error}.",
                "Fix the cause (disk space, permissions, the bucket's address or credentials), or set EDU_ARCHIVE to "
                "another one.",
            ) from error


def end_of(as_of: date | datetime) -> datetime:
    """The last moment, in UTC, of a day; a time is its own."""
    if not isinstance(as_of, datetime):
        return datetime.combine(as_of, time.max, UTC)
    return as_of if as_of.tzinfo else as_of.replace(tzinfo=UTC)


def _last_written(folder: UPath) -> datetime:
    """The time of the newest file in ``folder``; now, if the file system does not know."""
    paths = [*folder.fs.find(folder.path), folder.path]
    times = []
    for path in paths:
        try:
            times.append(folder.fs.modified(path))
        except (NotImplementedError, FileNotFoundError, IsADirectoryError, KeyError):
            continue  # a bucket has no times of folders
    return max((moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in times), default=datetime.now(UTC))


@lru_cache(maxsize=1)
def _scratch() -> tempfile.TemporaryDirectory[str]:
    """A folder that lives as long as this process."""
    return tempfile.TemporaryDirectory(prefix="edu-pipeline-releases-")


def _damaged(release: Release, file: ReceivedFile, found: str) -> ReleaseDamaged:
    return ReleaseDamaged(
        f"{release.source} {release.label}",
        f"{release.path(file)}: expected the SHA-256 {file.sha256} ({file.bytes:,} bytes) that it was stored "
        f"with, found {found}.",
        f"Restore the file from a backup; or delete it, delete the folder {release.folder} and fetch the source again.",
    )
