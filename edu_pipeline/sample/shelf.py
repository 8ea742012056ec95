"""A sample directory as its publishers hold it: which files a source has now, of which release, since when.

Belongs here: reading the directory, `make`, publishing a new release, and the dates, which `sample.json` remembers
under `published`. Does not belong here: what is in the files (`publishers/`), writing them (`directory.py`), how they
are asked for (`portal.py`, `hosts.py`).
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from edu_pipeline.catalogue import catalogue
from edu_pipeline.errors import SourceMissing
from edu_pipeline.sample import directory
from edu_pipeline.sample.directory import MANIFEST, FolderNotASample
from edu_pipeline.sample.edition import Scale
from edu_pipeline.sample.world import World

Write = Callable[[World, Path, str], None]
"""Writes the files of one source of a world into a directory: ``directory.write_one``."""

Labels = Callable[[str], Mapping[str, str]]
"""The French labels of a dataset's machine names, as far as they are known."""


@dataclass(frozen=True)
class Holding:
    """What a publisher has of a source.

    Attributes:
        release: 0 at first, one more with every new release.
        published_at: since when, to the second.
        files: the files by their names.
    """

    source: str
    release: int
    published_at: datetime
    files: Mapping[str, Path]


class Shelf:
    """A sample directory. It is read anew at every question, so that another process may write it meanwhile.

    Args:
        write: writes the files of a new release.
        labels: gives the labels of a dataset.

    Raises:
        FolderNotASample: the folder has no ``sample.json``.
    """

    def __init__(self, folder: Path, write: Write = directory.write_one, labels: Labels | None = None) -> None:
        self.folder = folder.resolve()
        self.labels = labels or _labels
        self._write = write
        self._publishing = threading.Lock()
        self._read: tuple[tuple[int, int], dict[str, Any]] | None = None
        self._manifest()

    @property
    def scale(self) -> Scale:
        """The scale of the invented country."""
        scale: Scale = self._manifest()["scale"]
        return scale

    @property
    def seed(self) -> int:
        """The seed of the invented country."""
        return int(self._manifest()["seed"])

    def sources(self) -> list[str]:
        """The sources of the catalogue that the directory has files of."""
        return [source for source in catalogue() if self._files(source)]

    def holding(self, source: str) -> Holding | None:
        """What there is of a source; None if there is nothing."""
        files = self._files(source)
        if not files:
            return None
        manifest = self._manifest()
        release = int(manifest.get("releases", {}).get(source, 0))
        return Holding(source, release, _moment(manifest, manifest.get("published", {}), source, files), files)

    def publish(self, source: str) -> Holding:
        """Publish a new release of a source: its files are written again, its date moves on.

        Raises:
            SourceMissing: the directory has no files of the source.
        """
        with self._publishing:
            before = self.holding(source)
            if before is None:
                raise SourceMissing(
                    source,
                    f"expected a source that {self.folder} has files of; found none.",
                    f"Choose one of {', '.join(self.sources()) or 'none: make the sample first'}.",
                )
            manifest = self._manifest()
            releases = {**manifest.get("releases", {}), source: before.release + 1}
            remembered = manifest.get("published", {})
            self._write(World(self.scale, self.seed, releases), self.folder, source)
            now = datetime.now(UTC).replace(microsecond=0)
            self._remember(remembered, {source: max(now, before.published_at + timedelta(seconds=1))}, releases)
            after = self.holding(source)
            assert after is not None
            return after

    def remember(self, before: Mapping[str, Any]) -> None:
        """Write the dates of all sources down, so that they outlast a copy of the directory.

        Args:
            before: what ``sample.json`` remembered before the files were last written.
        """
        manifest = self._manifest()
        moments = {source: _moment(manifest, before, source, self._files(source)) for source in self.sources()}
        self._remember({}, moments, manifest.get("releases", {}))

    def _remember(
        self, before: Mapping[str, Any], moments: Mapping[str, datetime], releases: Mapping[str, int]
    ) -> None:
        """Add to ``sample.json`` what ``directory.py`` does not keep: the dates of the releases."""
        manifest = dict(self._manifest())
        published = dict(before)
        for source, moment in moments.items():
            identity = _identity(manifest, source, self._files(source))
            published[source] = {"at": moment.isoformat(), "of": identity}
        manifest |= {"releases": dict(releases), "published": dict(sorted(published.items()))}
        descriptor, temporary = tempfile.mkstemp(dir=self.folder, prefix=f".{MANIFEST}.", suffix=".part")
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
                stream.write(json.dumps(manifest, indent=2) + "\n")
            Path(temporary).chmod(0o644)
            Path(temporary).replace(self.folder / MANIFEST)
        finally:
            Path(temporary).unlink(missing_ok=True)

    def _manifest(self) -> dict[str, Any]:
        path = self.folder / MANIFEST
        try:
            status = path.stat()
            version = (status.st_mtime_ns, status.st_size)
            if self._read is None or self._read[0] != version:
                self._read = version, dict(json.loads(path.read_text(encoding="utf-8")))
            return self._read[1]
        except FileNotFoundError:
            raise FolderNotASample(
                str(self.folder),
                f"expected a sample, with {MANIFEST}; found no such file.",
                "Make the sample first: edu-pipeline sample make.",
            ) from None

    def _files(self, source: str) -> dict[str, Path]:
        folder = self.folder / source
        if source not in catalogue() or not folder.is_dir():
            return {}
        return {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and path.name[0] != "."}


def make(folder: Path, scale: Scale) -> Shelf:
    """Write the sample directory, or bring it up to date with this code; releases published since are kept.

    Raises:
        FolderNotASample: the folder has other files than a sample's.
    """
    path = folder / MANIFEST
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    releases = before.get("releases", {}) if before.get("scale") == scale else {}
    directory.write_all(World(scale, before.get("seed", 1), releases), folder)
    shelf = Shelf(folder)
    shelf.remember(before.get("published", {}))
    return shelf


def _moment(
    manifest: Mapping[str, Any], remembered: Mapping[str, Any], source: str, files: Mapping[str, Path]
) -> datetime:
    """Since when a source has its files: as remembered, if these are what is remembered, else since written."""
    entry = remembered.get(source, {})
    if entry.get("of") == _identity(manifest, source, files):
        return datetime.fromisoformat(entry["at"])
    return datetime.fromtimestamp(int(max(path.stat().st_mtime for path in files.values())), UTC)


def _identity(manifest: Mapping[str, Any], source: str, files: Mapping[str, Path]) -> str:
    """What tells one state of a source's files from another: their fingerprints, else the times they were written."""
    prints = {key: value for key, value in manifest.get("files", {}).items() if key.startswith(f"{source}/")}
    known = prints or {name: path.stat().st_mtime_ns for name, path in files.items()}
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _labels(source: str) -> Mapping[str, str]:
    labels: dict[str, str] = {}
    for file in directory.publications():
        if file.source == source:
            labels |= file.labels
    return labels
