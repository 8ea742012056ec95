"""What a table is made from, and what of it is missing: releases of the archive, and tables that were loaded.

Belongs here: which releases a table reads, and what it waits for. Does not belong here: reading files
(``loading/rows.py``), whether they are newer than what is loaded (``loading/versions.py``), and what follows from
something missing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from edu_pipeline.catalogue import File
from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline.table import Table


@dataclass(frozen=True)
class Awaited:
    """What a table waits for before it can be loaded; false if it waits for nothing.

    Attributes:
        files: the files that no release of the archive has; for a source in parts the first of its files.
        tables: the tables that it is made from and that were never loaded.
    """

    files: tuple[File, ...]
    tables: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.files or self.tables)

    @property
    def names(self) -> list[str]:
        """The sources of the files, and the tables."""
        return [*sorted({file.source for file in self.files}), *self.tables]

    def __str__(self) -> str:
        sources = ", ".join(sorted({file.source for file in self.files}))
        tables = ", ".join(self.tables)
        return " and ".join([f"a file of {sources}"] * bool(sources) + [f"the table {tables}"] * bool(tables))


def releases_of(table: Table, archive: Archive) -> dict[str, Release]:
    """The newest release of every source that the table reads; sources without a release are left out."""
    newest = {source: archive.newest(source) for source in table.sources}
    return {source: release for source, release in newest.items() if release is not None}


def awaited(table: Table, releases: Mapping[str, Release], loaded: Collection[str]) -> Awaited:
    """What ``table`` waits for; one part of a source in parts is enough, and what may be missing is not waited for.

    Args:
        releases: source to the release that would be read.
        loaded: the tables that were loaded.
    """
    needed = [[file] for parameter, file in table.files.items() if not table.parameters[parameter]]
    needed += [list(source.files.values()) for name, source in table.in_parts.items() if not table.parameters[name]]
    missing = tuple(files[0] for files in needed if not any(_has_file(file, releases) for file in files))
    return Awaited(
        missing, tuple(name for name in table.input_tables if name not in loaded and not table.parameters[name])
    )


def _has_file(file: File, releases: Mapping[str, Release]) -> bool:
    return file.source in releases and releases[file.source].file(file.part) is not None
