"""A sample directory as its publishers see it: the current files of each source, their release and its date.

Belongs here: reading the directory, `make`, publishing a new release, and the dates, which `sample.json` keeps under
`published`. Does not belong here: what is in the files (`publishers/`), writing them (`directory.py`), answering
requests (`hosts.py`).
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
from edu_pipeline.sample.misbehaviour import AS_EXPECTED, Misbehaviour, altered
from edu_pipeline.sample.world import World

Write = Callable[[World, Path, str], None]
"""Writes the files of one source into a directory, as ``directory.write_one`` does."""

MAKE_IT = "Make the sample first: edu-pipeline sample make."

Labels = Callable[[str], Mapping[str, str]]
"""The known French labels of a dataset, by machine name."""


@dataclass(frozen=True)
class Holding:
    """What a publisher currently has of a source.

    Attributes:
        release: 0 at first, one more with each new release.
        published_at: when the release was published, to the second.
        files: the files by name; with other columns if that is how the source misbehaves.
        misbehaviour: what else is wrong with the source.
    """

    source: str
    release: int
    published_at: datetime
    files: Mapping[str, Path]
    misbehaviour: Misbehaviour = AS_EXPECTED


class Shelf:
    """A sample directory, read again each time, because another process may write to it.

    Args:
        write: writes the files of a new release.
        labels: returns the labels of a dataset.

    Raises:
        FolderNotASample: the folder has no ``sample.json``.
    """

    def __init__(self, folder: Path, write: Write = directory.write_one, labels: Labels | None = None) -> None:
        self.folder = folder.resolve()
        self.labels = labels or _labels
        self._write = write
        self._publishing = threading.Lock()
        self._misbehaving: dict[str, tuple[Misbehaviour, dict[str, Path]]] = {}
        self._altered = tempfile.TemporaryDirectory(prefix="edu-pipeline-sample-")
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
        """The sources of the catalogue of which the directory has files."""
        return [source for source in catalogue() if self._files(source)]

    def holding(self, source: str) -> Holding | None:
        """The current release of a source; None if there are no files."""
        files = self._files(source)
        if not files:
            return None
        manifest = self._manifest()
        release = int(manifest.get("releases", {}).get(source, 0))
        published_at = _published_at(manifest, manifest.get("published", {}), source, files)
        misbehaviour, altered_files = self._misbehaving.get(source, (AS_EXPECTED, {}))
        return Holding(source, release, published_at, {**files, **altered_files}, misbehaviour)

    def publish(self, source: str, misbehaviour: Misbehaviour | None = None) -> Holding:
        """Publish a new release of a source: its files are rewritten, with a later date.

        Args:
            misbehaviour: what is wrong with the release, until the next one; never written into the directory.

        Raises:
            SourceMissing: the directory has no files of the source.
            SettingInvalid: the files have no such column; then the new release is as it should be.
        """
        with self._publishing:
            previous = self.holding(source)
            if previous is None:
                raise SourceMissing(
                    source,
                    f"expected files in {self.folder / source}, found none.",
                    f"Choose one of {', '.join(self.sources())}." if self.sources() else MAKE_IT,
                )
            manifest = self._manifest()
            releases = {**manifest.get("releases", {}), source: previous.release + 1}
            recorded = manifest.get("published", {})
            self._misbehaving.pop(source, None)
            self._write(World(self.scale, self.seed, releases), self.folder, source)
            now = datetime.now(UTC).replace(microsecond=0)
            self._record(recorded, {source: max(now, previous.published_at + timedelta(seconds=1))}, releases)
            if misbehaviour:
                self._misbehaving[source] = misbehaviour, self._with_other_columns(source, misbehaviour)
            current = self.holding(source)
            assert current is not None
            return current

    def _with_other_columns(self, source: str, misbehaviour: Misbehaviour) -> dict[str, Path]:
        """Copies of the files of a source with the columns renamed and dropped; none if the columns stay."""
        if not misbehaviour.alters_columns:
            return {}
        folder = Path(tempfile.mkdtemp(prefix=f"{source}-", dir=self._altered.name))
        copies = {}
        for name, path in self._files(source).items():
            copies[name] = folder / name
            copies[name].write_bytes(altered(path.read_bytes(), name, misbehaviour))
        return copies

    def record_dates(self, before: Mapping[str, Any]) -> None:
        """Record the dates of all sources, so that a copy of the directory keeps them.

        Args:
            before: the dates that ``sample.json`` had before the files were last written.
        """
        manifest = self._manifest()
        moments = {source: _published_at(manifest, before, source, self._files(source)) for source in self.sources()}
        self._record({}, moments, manifest.get("releases", {}))

    def _record(self, before: Mapping[str, Any], moments: Mapping[str, datetime], releases: Mapping[str, int]) -> None:
        """Add the dates of the releases to ``sample.json``, since ``directory.py`` does not write them."""
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
                f"expected a sample, with {MANIFEST}, found no such file.",
                MAKE_IT,
            ) from None

    def _files(self, source: str) -> dict[str, Path]:
        folder = self.folder / source
        if source not in catalogue() or not folder.is_dir():
            return {}
        return {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and path.name[0] != "."}


def make(folder: Path, scale: Scale) -> Shelf:
    """Write the sample directory, or bring it up to date with this code; keeps the releases published since.

    Raises:
        FolderNotASample: the folder has files that are not a sample's.
    """
    path = folder / MANIFEST
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    releases = before.get("releases", {}) if before.get("scale") == scale else {}
    directory.write_all(World(scale, before.get("seed", 1), releases), folder)
    shelf = Shelf(folder)
    shelf.record_dates(before.get("published", {}))
    return shelf


def _published_at(
    manifest: Mapping[str, Any], recorded: Mapping[str, Any], source: str, files: Mapping[str, Path]
) -> datetime:
    """When the files of a source were published: the recorded date if it is that of these files, else when written."""
    entry = recorded.get(source, {})
    if entry.get("of") == _identity(manifest, source, files):
        return datetime.fromisoformat(entry["at"])
    return datetime.fromtimestamp(int(max(path.stat().st_mtime for path in files.values())), UTC)


def _identity(manifest: Mapping[str, Any], source: str, files: Mapping[str, Path]) -> str:
    """What tells one version of a source's files from another: fingerprints, or else modification times."""
    prints = {key: value for key, value in manifest.get("files", {}).items() if key.startswith(f"{source}/")}
    versions = prints or {name: path.stat().st_mtime_ns for name, path in files.items()}
    return hashlib.sha256(json.dumps(versions, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _labels(source: str) -> Mapping[str, str]:
    labels: dict[str, str] = {}
    for file in directory.publications():
        if file.source == source:
            labels |= file.labels
    return labels
