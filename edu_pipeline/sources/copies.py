"""The Parquet copies of the archive's large files, so that each is unpacked and parsed once.

Belongs here: when there is a copy, where, and that it is of this file and this reader. Does not belong here: reading
(``readers.py``).

A copy is made when the file is admitted, which reads all of it anyway; otherwise by the first load. It is next to the
releases of its source, one for each part of it; it may be deleted at any time except while a load reads it. If the
archive is in a bucket, it is next to the local copy of the file, and lives as long as this process.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path

import polars as pl

from edu_pipeline.catalogue import File
from edu_pipeline.code_digest import digest
from edu_pipeline.sources import readers
from edu_pipeline.sources.archive import INCOMING, Archive, ReceivedFile, Release
from edu_pipeline.sources.csv_lines import REFUSED
from edu_pipeline.sources.readers import Read

METADATA = "edu_pipeline"
"""The key of the copy's Parquet metadata under which the reader's other results are."""

MAKES_NO_ROWS = frozenset({"edu_pipeline.errors", "edu_pipeline.sources.json_place", "edu_pipeline.sources.soundness"})
"""Modules that the readers import and that change no row."""

LARGE = 256 << 10
"""The size in bytes, as received, from which a file gets a copy."""

ROW_GROUP = 1 << 15
"""Rows that are unpacked together. polars unpacks several groups ahead: with twice as many rows, reading a census takes
170 MB more."""


def read(archive: Archive, release: Release, received: ReceivedFile, file: File, scratch: Path, where: str) -> Read:
    """The rows of a file of the archive, as ``readers.read`` returns them; a large CSV file is read from its copy.

    Args:
        received: the file, one of ``release``.
        file: its entry in the catalogue.
        scratch: folder for unpacked files; it must live as long as the frame is used.
        where: source and release, for the failure texts.

    Raises:
        FileInvalid: the file does not have its format.
        MemberMissing: the zip archive has no member of the expected name.
        ReleaseDamaged: the file is not the one that was stored.
        ArchiveUnusable: the archive cannot be read.
    """
    path = archive.local(release, received)
    if not has_copy(received, file):
        return readers.read(path, file, scratch, where)
    copy = _place(archive, release.source, received, file)
    if not copy.exists():
        result = readers.read(path, file, scratch, where)
        write(archive, release.source, received, file, result)
    for other in copy.parent.glob(f".{file.part}-*.parquet"):
        if other != copy:
            other.unlink(missing_ok=True)
    return _read_copy(copy)


def has_copy(received: ReceivedFile, file: File) -> bool:
    """Whether a file is read from a copy."""
    return received.bytes >= LARGE and file.format == "csv"


def write(archive: Archive, source: str, received: ReceivedFile, file: File, result: Read) -> None:
    """Make the copy of a file that ``has_copy``.

    Args:
        source: whose file it is.
        received, file: as for ``read``.
        result: what its reader returned.

    Raises:
        polars.exceptions.PolarsError: it cannot be read to its end.
    """
    copy = _place(archive, source, received, file)
    partial = copy.with_name(f"{INCOMING}{uuid.uuid4().hex}")
    try:
        told = {METADATA: _described(result)}
        result.frame.sink_parquet(partial, row_group_size=ROW_GROUP, metadata=told, mkdir=True)
        partial.rename(copy)  # replaces a copy that another load may have made meanwhile, and be reading
    finally:
        partial.unlink(missing_ok=True)


def _place(archive: Archive, source: str, received: ReceivedFile, file: File) -> Path:
    return archive.copies(source) / f".{file.part}-{received.sha256[:12]}-{_reading(file)}.parquet"


def _described(result: Read) -> str:
    """What the reader says of a file besides its rows, as JSON."""
    return json.dumps(
        {
            "refused": result.refused.rows(),
            "skipped": dict(result.skipped),
            "notes": result.notes,
            "begins": result.begins,
        }
    )


def _read_copy(copy: Path) -> Read:
    described = json.loads(pl.read_parquet_metadata(copy)[METADATA])
    refused = pl.DataFrame(described["refused"], schema=REFUSED, orient="row")
    return Read(pl.scan_parquet(copy), refused, described["skipped"], tuple(described["notes"]), described["begins"])


def _reading(file: File) -> str:
    """Hash of what the rows depend on besides the file: its entry in the catalogue, the code that reads."""
    parts = (file.model_dump_json(), digest([readers.__name__], MAKES_NO_ROWS), pl.__version__)
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]
