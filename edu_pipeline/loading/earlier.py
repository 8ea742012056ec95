"""The rows of a file in the earlier releases of its source, for a table that keeps what they said.

Belongs here: which releases these are, and reading them. Does not belong here: the newest release (``rows.py``), what
the table makes of the rows (its transform).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from edu_pipeline.catalogue import File
from edu_pipeline.errors import EduError
from edu_pipeline.loading.intake import take_in
from edu_pipeline.sources import readers
from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline.table import RELEASE, Table


def earlier_rows(
    table: Table, parameter: str, file: File, newest: Release, archive: Archive, scratch: Path
) -> tuple[list[pl.LazyFrame], list[str]]:
    """The columns that ``table`` takes from ``file`` in each release before ``newest`` that has other content.

    They are read without a Parquet copy, of which there is one for each file: that of the newest release. Releases of
    another origin (invented data, real data) do not count.

    Returns:
        The frames, newest first, with the column ``RELEASE``; and which releases could not be read, in sentences.

    Raises:
        ArchiveUnusable: the archive cannot be read.
    """
    frames, notes = [], []
    current = newest.file(file.part)
    seen = {current.sha256} if current else set()
    before = [
        release
        for release in archive.releases(file.source)
        if release.retrieved_at < newest.retrieved_at and release.invented == newest.invented
    ]
    for number, release in enumerate(reversed(before), 1):
        received = release.file(file.part)
        if received is None or received.sha256 in seen:
            continue
        seen.add(received.sha256)
        where = f"{file.source} {release.label}"
        try:
            raw = readers.read(archive.local(release, received), file, scratch, where).frame
            taken = take_in(table, parameter, raw, file, received.name, where)
            frames.append(taken.frame.with_columns(pl.lit(number).alias(RELEASE)).collect().lazy())
        except EduError as error:
            notes.append(f"{where}: an earlier release that cannot be read is left out: {error}")
    return frames, notes
