"""What the rows of a table are made from: which releases and tables, whether they are there, and their version.

Belongs here: looking at the archive's releases and at the ledger's versions. Does not belong here: reading the files
(``load.py``), and what follows from something missing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping

from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline.sources.catalogue import File
from edu_pipeline.table import Table


def releases_of(table: Table, archive: Archive) -> dict[str, Release]:
    """The newest release of every source that the table reads, as far as the archive has one."""
    found = {source: archive.newest(source) for source in table.sources}
    return {source: release for source, release in found.items() if release is not None}


def missing_files(table: Table, releases: Mapping[str, Release]) -> list[File]:
    """The files without which the table cannot be loaded, and which no release has."""
    return [
        file
        for parameter, file in table.files.items()
        if not table.parameters[parameter]
        and (file.source not in releases or releases[file.source].file(file.part) is None)
    ]


def missing_tables(table: Table, loaded: Collection[str]) -> list[str]:
    """The tables that it is made from and that are not among those ``loaded``."""
    return [name for name in table.parameters if name not in table.files and name not in loaded]


def inputs_version(table: Table, releases: Mapping[str, Release], versions: Mapping[str, int]) -> str:
    """Hash of all that the rows depend on: releases, upstream tables, code."""
    inputs = {
        "code": table.code_version,
        "releases": {source: release.sha256 for source, release in sorted(releases.items())},
        "tables": {name: versions.get(name) for name in sorted(table.tables)},
    }
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:16]
