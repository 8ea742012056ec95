"""What the rows of a table are made from: which releases and tables, whether they are there, and their version.

Belongs here: looking at the archive's releases and at the ledger's versions. Does not belong here: reading the files
(``load.py``), and what follows from something missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping

from edu_pipeline.catalogue import File
from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline.table import Table


def releases_of(table: Table, archive: Archive) -> dict[str, Release]:
    """The newest release of every source that the table reads, as far as the archive has one."""
    found = {source: archive.newest(source) for source in table.sources}
    return {source: release for source, release in found.items() if release is not None}


def missing_files(table: Table, releases: Mapping[str, Release]) -> list[File]:
    """The files without which the table cannot be loaded, and which no release has.

    Of a source in parts one is enough; if there is none, the first of them is missing.
    """
    wanted = [[file] for parameter, file in table.files.items() if not table.parameters[parameter]]
    wanted += [list(source.files.values()) for name, source in table.in_parts.items() if not table.parameters[name]]
    return [files[0] for files in wanted if not any(_is_there(file, releases) for file in files)]


def _is_there(file: File, releases: Mapping[str, Release]) -> bool:
    return file.source in releases and releases[file.source].file(file.part) is not None


def missing_tables(table: Table, loaded: Collection[str]) -> list[str]:
    """The tables that it is made from and that are not among those ``loaded``."""
    return [name for name in table.made_of if name not in loaded]


def inputs_version(table: Table, releases: Mapping[str, Release], versions: Mapping[str, int]) -> str:
    """Hash of all that the rows depend on: releases, upstream tables, code."""
    inputs = {
        "code": table.code_version,
        "releases": {source: release.sha256 for source, release in sorted(releases.items())},
        "tables": {name: versions.get(name) for name in sorted(table.tables)},
    }
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]
