"""Which files become a release, and what is remembered of those that do not.

Belongs here: checking a file before it is stored, and recognising one that was refused. Does not belong here: the
checks (``soundness.py``, ``readers.py``), where refusals are kept (``archive.py``), which columns a table needs
(``loading/intake.py``): what one table lacks, another may not need.

A refused file is recognised by its SHA-256, and before it is downloaded by what its publisher shows of it. A refusal
holds as long as neither the source's entry in the catalogue nor the code that reads files has changed.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import polars as pl

from edu_pipeline.catalogue import File, Source
from edu_pipeline.code_digest import digest
from edu_pipeline.errors import FileInvalid, MemberMissing, StillRefused
from edu_pipeline.sources import copies, readers
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.release import ReceivedFile, Refusal
from edu_pipeline.sources.soundness import check_sound
from edu_pipeline.sources.texts import file_names

LARGEST_GEOJSON = 256 << 20
"""The size in bytes up to which GeoJSON is read; the contours of all communes have a fifth of that. What a packed file
may unpack to is limited in the catalogue."""


class Admission:
    """Decides which files of a source may become a release.

    Args:
        again: check even what was refused before.
    """

    def __init__(self, source: Source, archive: Archive, again: bool = False) -> None:
        self._source, self._archive = source, archive
        self._refusals = [] if again else standing(source, archive)

    def refused_at(self, url: str, mirror: str | None) -> Refusal | None:
        """The newest refusal of a file at ``url``.

        Args:
            url: without secrets.
            mirror: the mirror that is asked, without secrets.
        """
        at_url = [refusal for refusal in self._refusals if (refusal.file.url, refusal.file.mirror) == (url, mirror)]
        return at_url[-1] if at_url else None

    def check(self, path: Path, files: Sequence[File], received: ReceivedFile, address: str) -> None:
        """Check that the file at ``path`` is whole, and that its reader can read it.

        Args:
            files: the entries of the parts that it holds.
            address: where it is from, for the failure text.

        Raises:
            StillRefused: it was refused before.
            FileInvalid, MemberMissing: it is refused now, and remembered.
        """
        for refusal in self._refusals:
            if refusal.file.sha256 == received.sha256:
                self._archive.remember_refusal(self._source.id, replace(refusal, file=received))
                raise still_refused(refusal)
        try:
            for file in {(file.format, file.member): file for file in files}.values():
                self._try(path, file, received, f"{file_names(file)}, {address}")
        except (FileInvalid, MemberMissing) as error:
            now = datetime.now(UTC).isoformat(timespec="seconds")
            refusal = Refusal(received, _reading(self._source), now, error.where, error.problem, error.remedy)
            self._archive.remember_refusal(self._source.id, refusal)
            raise

    def passed(self) -> None:
        """Forget the refusals: everything that the publisher shows has passed."""
        self._archive.forget_refusals(self._source.id)

    def _try(self, path: Path, file: File, received: ReceivedFile, where: str) -> None:
        """Try the file at ``path`` out under its own name; a large one is copied on the way."""

        def read_all(result: readers.Read) -> None:
            if copies.has_copy(received, file):
                with suppress(*readers.UNREADABLE):  # or the disk is full: reading again tells
                    return copies.write(self._archive, self._source.id, received, file, result)
            return readers.throw_away(result)

        with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
            folder = Path(scratch) / "received"
            folder.mkdir()
            (folder / received.name).symlink_to(path.resolve())
            try_out(folder / received.name, file, Path(scratch), where, read_all)


def standing(source: Source, archive: Archive) -> list[Refusal]:
    """The refusals of files of ``source`` that still hold, oldest first."""
    refusals = archive.refusals(source.id)
    return [refusal for refusal in refusals if refusal.reading == _reading(source)] if refusals else []


def has_lapsed(source: Source, archive: Archive) -> bool:
    """Whether a file of ``source`` was refused that may be read now, by other code or with another entry."""
    refusals = archive.refusals(source.id)
    return any(refusal.reading != _reading(source) for refusal in refusals)


def still_refused(refusal: Refusal) -> StillRefused:
    """The failure of a file that was refused before."""
    day = refusal.refused_at.partition("T")[0]
    return StillRefused(
        refusal.where,
        refusal.problem,
        f"{refusal.remedy} The publisher still has the file that was refused on {day} ({refusal.file.sha256[:12]}), so "
        "it was not tried again; `edu-pipeline refresh TABLE --force` does.",
    )


def try_out(
    path: Path, file: File, scratch: Path, where: str, use: Callable[[readers.Read], None] = readers.throw_away
) -> readers.Read:
    """Check the file at ``path``, and read all of it, as a load would.

    Of GeoJSON that is larger than ``LARGEST_GEOJSON`` only the two ends are checked: its geometries take long, and many
    times its size in memory.

    Args:
        use: as for ``readers.read_through``.

    Raises:
        FileInvalid, MemberMissing: it cannot be read.
    """
    check_sound(path, file, f"{where}, file {path.name}")
    if file.format == "geojson" and path.stat().st_size > LARGEST_GEOJSON:
        return readers.Read(pl.LazyFrame())
    result = readers.read(path, file, scratch, where)
    readers.read_through(result, path, file, where, use)
    return result


def _reading(source: Source) -> str:
    """Hash of what decides on the files of ``source``: its entry in the catalogue, and the code that reads."""
    files = "".join(file.model_dump_json() for file in source.files.values())
    return hashlib.sha256((files + _code()).encode()).hexdigest()[:12]


@lru_cache(maxsize=1)
def _code() -> str:
    return digest([readers.__name__, check_sound.__module__], frozenset())
