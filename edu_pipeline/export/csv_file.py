"""CSV files, as ``\\copy TABLE TO FILE CSV HEADER`` writes them, except that a list is JSON.

Belongs here: the header. Does not belong here: the form of the values (``snapshot.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from edu_pipeline.export.description import Described


def write(path: Path, table: Described, rows: Iterable[bytes]) -> None:
    """Write the rows of ``table``; booleans are ``t`` and ``f``, geometries EWKB in hexadecimal."""
    with path.open("wb") as file:
        file.write(",".join(field.name for field in table.fields).encode() + b"\n")
        file.writelines(rows)
