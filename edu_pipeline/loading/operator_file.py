"""A table from an operator's file in the table's own columns, as ``\\copy TABLE TO FILE CSV HEADER`` writes it.

Belongs here: keeping such a file in the archive as a release, and reading it. Does not belong here: loading it
(``load.py``; from the contract on it is treated like a publisher's file), and publishers' formats (``sources``).
"""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
from pathlib import Path

import polars as pl

from edu_pipeline.catalogue import File
from edu_pipeline.contracts import CODES_ANCIENS, specs
from edu_pipeline.database.provenance import OPERATORS_FILE
from edu_pipeline.errors import ColumnMissing, FileInvalid
from edu_pipeline.loading import cells
from edu_pipeline.loading.columns import close_names
from edu_pipeline.sources.archive import Archive, Incoming, ReceivedFile, Release
from edu_pipeline.sources.readers import read
from edu_pipeline.table import Table

FLAGS = {"t": "true", "f": "false"}
"""A boolean as PostgreSQL writes it, to what the contracts read."""


def keep(path: Path, table: Table, archive: Archive, *, invented: bool) -> Release:
    """Store a copy of the file as the newest release of operators' files for ``table``.

    Args:
        invented: whether it holds data of the sample publisher, as a backup of a database of such data does.

    Raises:
        FileInvalid: there is no such file, or it is empty.
        ArchiveUnusable: the archive cannot be written.
    """
    if not path.is_file() or not path.stat().st_size:
        raise FileInvalid(
            f"table {table.name}, file {path}",
            f"expected a file with rows, found {'an empty one' if path.is_file() else 'none'}.",
            f"Name a file with the table's own columns, as \\copy {table.name} to FILE csv header or "
            "`edu-pipeline export` writes it.",
        )
    with archive.workspace(_source(table)) as folder:
        copy = Path(shutil.copy(path, folder / path.name))
        with copy.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        address = path.absolute().as_uri()
        received = ReceivedFile(path.name, address, address, copy.stat().st_size, sha256, invented=invented)
        return archive.store(_source(table), Incoming({copy: received}, {"main": path.name}))


def kept(table: Table, archive: Archive) -> Release | None:
    """The newest file that an operator has loaded into ``table``."""
    return archive.newest(_source(table))


def rows(release: Release, table: Table, archive: Archive, scratch: Path) -> pl.LazyFrame:
    """The rows of an operator's file: the contract's columns, normalised, as text or lists.

    Raises:
        ColumnMissing: a column of the contract is not in the file; only the flag ``codes_anciens`` may be missing.
        FileInvalid: the file is not a table, a line of it is not a row, or a column is there twice and differs.
    """
    received = release.file("main")
    assert received is not None
    where = f"table {table.name}, file {received.name}"
    file = File(source=release.source, part="main", format="csv", name=".*", supplied=True)
    result = read(archive.local(release, received), file, scratch, where)
    if result.refused.height:
        line, reason, text = result.refused.row(0)
        raise FileInvalid(
            where,
            f"expected a row in every line, found {result.refused.height:,} that are not, the first in line {line} "
            f"({reason}): {text}.",
            "Correct these lines, or remove them; then load the file again.",
        )
    frame = result.frame
    columns = frame.collect_schema().names()
    for name in table.contract.columns():
        if name not in (*columns, CODES_ANCIENS):
            raise ColumnMissing(where, name, close_names(name, columns), table.contract.__name__, name)
    own = {name: name for name in table.contract.columns() if name in columns}
    found = cells.look_at(frame, own, unusable={}, filled=(), amounts={}, where=where)
    frame = frame.with_columns(cells.visible(name) for name in found.invisible)
    if CODES_ANCIENS not in columns:
        frame = frame.with_columns(pl.lit(None, pl.String).alias(CODES_ANCIENS))
    kinds = frame.collect_schema()
    return frame.select(_value(name, table, isinstance(kinds[name], pl.List)) for name in table.contract.columns())


def _value(name: str, table: Table, is_list: bool) -> pl.Expr:
    """The column as the contract reads it.

    Args:
        is_list: whether the file has lists there, as Parquet does, and not their text.
    """
    column, spec = table.contract.columns()[name], specs(table.contract)[name]
    value = pl.col(name)
    if column.dtype == pl.List:
        return value if is_list else value.map_elements(_elements, pl.List(pl.String)).alias(name)
    if column.dtype == pl.Boolean:
        value = value.replace(FLAGS)
    return spec.normalise(value).alias(name) if spec.normalise else value


def _elements(array: str) -> list[str]:
    """The elements of an array of texts as PostgreSQL writes it, ``{a,"b, c"}``, or of a list in JSON."""
    if array.startswith("["):
        return list(json.loads(array))
    inner = array.strip().removeprefix("{").removesuffix("}")
    return next(csv.reader([inner], quotechar='"', escapechar="\\", doublequote=False), [])


def _source(table: Table) -> str:
    return f"{OPERATORS_FILE}{table.name}"
