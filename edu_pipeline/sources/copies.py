"""The Parquet copies of the archive's large files: what the reader gave, kept so that it is unpacked and parsed once.

Belongs here: when there is a copy, where, and that it is of this file and this reader. Does not belong here: reading
(``readers.py``). A copy is beside the releases of its source, one for each part of it; it may be deleted at any time
but while a load reads it. Of an archive in a bucket it is beside the local copy of the file, as long as this process.
"""

from __future__ import annotations

import hashlib
import inspect
import uuid
from pathlib import Path

import polars as pl

from edu_pipeline import normalise
from edu_pipeline.catalogue import File
from edu_pipeline.sources import readers
from edu_pipeline.sources.archive import INCOMING, Archive, ReceivedFile, Release

LARGE = 256 << 10
"""Bytes of a file, as received, from which a copy is kept."""


def read(
    archive: Archive, release: Release, received: ReceivedFile, file: File, scratch: Path, where: str
) -> pl.LazyFrame:
    """The rows of a file of the archive, as ``readers.read`` gives them; of a large CSV file from its copy.

    Raises:
        FileInvalid: the file is not of its format.
        MemberMissing: the zip archive has no member of the expected name.
        ReleaseDamaged: the file is not the one that was stored.
        ArchiveUnusable: the archive cannot be read.
    """
    path = archive.local(release, received)
    if received.bytes < LARGE or file.format != "csv":
        return readers.read(path, file, scratch, where)
    folder = path.parent.parent
    copy = folder / f".{file.part}-{received.sha256[:12]}-{_reading(file)}.parquet"
    if not copy.exists():
        partial = folder / f"{INCOMING}{uuid.uuid4().hex}"
        try:
            readers.read(path, file, scratch, where).sink_parquet(partial)
            partial.rename(copy)  # in the place of one that another load has made meanwhile, and may be reading
            for former in folder.glob(f".{file.part}-*.parquet"):
                if former != copy:
                    former.unlink(missing_ok=True)
        finally:
            partial.unlink(missing_ok=True)
    return pl.scan_parquet(copy)


def _reading(file: File) -> str:
    """Hash of all that the rows depend on beside the file: its entry in the catalogue, the code that reads."""
    parts = (file.model_dump_json(), inspect.getsource(readers), inspect.getsource(normalise), pl.__version__)
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:12]
