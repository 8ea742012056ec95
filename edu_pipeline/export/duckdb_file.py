"""One DuckDB file with all tables: types, keys and comments as in PostgreSQL.

Belongs here: DuckDB's names for types, creating and filling its tables. Does not belong here: the rows
(``snapshot.py``).

DuckDB is not needed for anything else, so that it is an extra (``edu_pipeline[export]``).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, LiteralString

import pyarrow as pa
from psycopg import sql

from edu_pipeline.errors import SettingInvalid
from edu_pipeline.export.description import Described, Field

STORAGE_VERSION = "v1.5.0"
"""The oldest DuckDB that can open the file: the first that has geometries without an extension."""

BLOCK = 262_144
"""Bytes of a block, DuckDB's own default."""

MEMORY = "512MB"
"""What DuckDB may use; without a limit it takes four fifths of the machine's."""

TYPES: dict[pa.DataType, LiteralString] = {
    pa.string(): "VARCHAR",
    pa.list_(pa.string()): "VARCHAR[]",
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.date32(): "DATE",
}

GEOMETRY: LiteralString = "GEOMETRY('OGC:CRS84')"
"""With its reference system, or DuckDB would write it to other files as degrees whatever it is."""


class DuckDBFile:
    """A DuckDB file that tables are added to.

    Args:
        storage_version: the oldest DuckDB that can open it; one before ``STORAGE_VERSION`` has no geometries.
        block: bytes of a block, a power of two from 16,384 to 262,144.
        has_keys: whether primary keys are declared; their indexes take a good half of a small file.

    Raises:
        SettingInvalid: DuckDB is not installed.
    """

    def __init__(
        self, path: Path, storage_version: str = STORAGE_VERSION, block: int = BLOCK, *, has_keys: bool = True
    ) -> None:
        try:
            import duckdb  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise SettingInvalid(
                "--format duckdb",
                "expected the package duckdb, found none.",
                "Install it: `pip install 'edu_pipeline[export]'`.",
            ) from error
        self._connection = duckdb.connect(config={"memory_limit": MEMORY, "autoinstall_known_extensions": "false"})
        self._has_keys = has_keys
        options = map(sql.Literal, (str(path), storage_version, block))
        self._run("ATTACH {} AS file (STORAGE_VERSION {}, BLOCK_SIZE {})", *options)
        self._run("USE file")

    def __enter__(self) -> DuckDBFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._run("USE memory")
        self._run("DETACH file")
        self._connection.close()

    def add(self, table: Described, batches: Iterator[pa.RecordBatch]) -> int:
        """Create ``table`` and fill it.

        Returns:
            The number of rows.
        """
        name = sql.Identifier(table.name)
        columns = sql.SQL(", ").join(_column(field) for field in table.fields)
        key = sql.SQL(", PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, table.key)))
        self._run("CREATE TABLE {} ({}{})", name, columns, key if self._has_keys else sql.SQL(""))
        rows = self._fill(table, batches)
        self._run("COMMENT ON TABLE {} IS {}", name, sql.Literal(table.explanation))
        for field in table.fields:
            column, text = sql.Identifier(table.name, field.name), sql.Literal(field.explanation)
            self._run("COMMENT ON COLUMN {} IS {}", column, text)
        return rows

    def _fill(self, table: Described, batches: Iterator[pa.RecordBatch]) -> int:
        """Insert the rows; a failure of their source is raised as it is, not as DuckDB's."""
        failures: list[Exception] = []
        arriving = pa.RecordBatchReader.from_batches(table.schema, _noting(batches, failures))
        self._connection.register("arriving", arriving)
        values = sql.SQL(", ").join(_value(field) for field in table.fields)
        try:
            ((rows,),) = self._run("INSERT INTO {} SELECT {} FROM arriving", sql.Identifier(table.name), values)
        except Exception as error:
            if failures:
                raise failures[0] from error
            raise
        self._connection.unregister("arriving")
        return int(rows)

    def _run(self, statement: LiteralString, *parts: sql.Composable) -> list[tuple[Any, ...]]:
        """Execute a statement; names and texts are quoted as in PostgreSQL."""
        answer: list[tuple[Any, ...]] = self._connection.execute(
            sql.SQL(statement).format(*parts).as_string()
        ).fetchall()
        return answer


def _noting(batches: Iterator[pa.RecordBatch], failures: list[Exception]) -> Iterator[pa.RecordBatch]:
    """The batches; what ends them before their time is added to ``failures``."""
    try:
        yield from batches
    except Exception as error:
        failures.append(error)
        raise


def _column(field: Field) -> sql.Composable:
    """A column as it is declared."""
    required = sql.SQL("NOT NULL" if field.required else "")
    return sql.SQL("{} {} {}").format(sql.Identifier(field.name), _type(field), required)


def _type(field: Field) -> sql.Composable:
    """DuckDB's type for a column."""
    if field.is_geometry:
        return sql.SQL(GEOMETRY)
    if field.is_json:
        return sql.SQL("JSON")
    if pa.types.is_decimal(field.arrow):
        digits = map(sql.Literal, (field.arrow.precision, field.arrow.scale))
        return sql.SQL("DECIMAL({}, {})").format(*digits)
    return sql.SQL(TYPES[field.arrow])


def _value(field: Field) -> sql.Composable:
    """A column of the arriving rows as it is stored."""
    name = sql.Identifier(field.name)
    return sql.SQL("ST_GeomFromWKB({})::{}").format(name, sql.SQL(GEOMETRY)) if field.is_geometry else name
