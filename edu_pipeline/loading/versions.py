"""When rows are out of date: the version of the code that makes a table's rows, and of all that they are made from.

Belongs here: what counts as a change. Does not belong here: what follows from one (``plan.py``, ``load.py``), and how
code is hashed (``code_digest.py``).

The code that makes the rows of a table is its own module, ``rows.py``, and whatever these import; and how
``catalogue.toml`` says that its files are read, and the entries of ``corrections.toml`` that are about it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from edu_pipeline.code_digest import digest
from edu_pipeline.loading import rows
from edu_pipeline.loading.corrections import corrections_for
from edu_pipeline.sources.archive import Release
from edu_pipeline.table import Table

MAKES_NO_ROWS = frozenset(
    f"edu_pipeline.{module}"
    for module in (
        "errors",
        "settings",
        "sources.archive",
        "sources.json_place",
        "sources.soundness",
        "database.cluster",
        "database.connection",
        "database.ledger",
    )
)
"""Modules that are imported on the way and whose code is in no row: texts, places, connections, whole files refused."""

NAMES = ("source", "part", "name", "exact_name")
LIMITS = ("max_bytes", "max_unpacked_bytes")
ORIGIN = frozenset((*NAMES, "url", "opendatasoft", "datagouv", "arcgis", "supplied", "optional", *LIMITS))
"""What the catalogue says of where a file is from. The rest says how it is read."""


def code_version(table: Table) -> str:
    """Hash of the code that makes the rows of ``table``, 12 hexadecimal digits.

    Raises:
        CorrectionInvalid: an entry of corrections.toml cannot be applied to anything.
    """
    files = [*table.files.values(), *(file for source in table.in_parts.values() for file in source.files.values())]
    parts = {
        "modules": digest([table.transform.__module__, rows.__name__], MAKES_NO_ROWS),
        "files": [file.model_dump(mode="json", exclude=set(ORIGIN)) for file in files],
        "corrections": [correction.model_dump(mode="json") for correction in corrections_for(table.name)],
    }
    return _hash(parts, 12)


def inputs_version(table: Table, releases: Mapping[str, Release], changes: Mapping[str, int]) -> str:
    """Hash of all that the rows of ``table`` depend on: releases, upstream tables, code; 16 hexadecimal digits.

    Args:
        releases: source to the release that is read.
        changes: table to the id of the newest load that changed a row of it (``ledger.last_change``).
    """
    parts = {
        "code": code_version(table),
        "releases": {source: release.sha256 for source, release in releases.items()},
        "tables": {name: changes.get(name) for name in table.tables},
    }
    return _hash(parts, 16)


def _hash(parts: Mapping[str, object], digits: int) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:digits]
