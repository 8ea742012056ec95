"""The Parquet copies of the archive's large files, so that each is unpacked and parsed once.

Belongs here: when there is a copy, where, and that it is of this file and this reader. Does not belong here: reading
(``readers.py``).

A copy is next to the releases of its source, one for each part of it; it may be deleted at any time except while a load
reads it. If the archive is in a bucket, it is next to the local copy of the file, and lives as long as this process.
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
    if received.bytes < LARGE or file.format != "csv":
        return readers.read(path, file, scratch, where)
    folder = archive.copies(release.source)
    copy = folder / f".{file.part}-{received.sha256[:12]}-{_reading(file)}.parquet"
    if not copy.exists():
        partial = folder / f"{INCOMING}{uuid.uuid4().hex}"
        try:
            result = readers.read(path, file, scratch, where)
            result.frame.sink_parquet(partial, row_group_size=ROW_GROUP, metadata={METADATA: _described(result)})
            partial.rename(copy)  # replaces a copy that another load may have made meanwhile, and be reading
            for old_copy in folder.glob(f".{file.part}-*.parquet"):
                if old_copy != copy:
                    old_copy.unlink(missing_ok=True)
        finally:
            partial.unlink(missing_ok=True)
    return _read_copy(copy)


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
