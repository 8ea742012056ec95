"""COPY between polars and PostgreSQL, as CSV.

Belongs here: the text form of every contract type in both directions, and streaming it. Does not belong here: which
rows to write (``loading/writing.py``).
"""

from __future__ import annotations

import io
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from psycopg import sql
from psycopg.copy import QueuedLibpqWriter

from edu_pipeline.contracts import Contract
from edu_pipeline.database.connection import Connection
from edu_pipeline.database.copy_stream import PIECE, CopyStream

if TYPE_CHECKING:
    import dataframely as dy

SLICE = 10_000
"""Rows per write: enough to be as fast as ``psql \\copy``, few enough to bound the memory."""

BATCH = 100_000
"""Rows in memory at a time."""

SEPARATOR = "\x1f"
"""Separates the elements of an array on its way out of the database; a control character that no text contains."""


def copy_in(connection: Connection, into: sql.Composable, frame: pl.LazyFrame, *, frozen: bool = False) -> int:
    """Append the rows of ``frame`` to the table ``into``, matching columns by name.

    A thread sends them, so that the server reads rows while the next ones are encoded.

    Args:
        frozen: write rows that are visible to every snapshot and need no vacuum; the table must have been created or
            truncated in this transaction.

    Returns:
        The number of rows, as the server counted them.

    Raises:
        psycopg.Error: the server refused a row.
        RuntimeError: the server counted more or fewer rows than were sent.
    """
    schema = frame.collect_schema()
    columns = sql.SQL(", ").join(map(sql.Identifier, schema.names()))
    form = sql.SQL("FORMAT csv, FREEZE" if frozen else "FORMAT csv")
    statement = sql.SQL("COPY {} ({}) FROM STDIN ({})").format(into, columns, form)
    encoded = frame.select(_to_text(name, kind) for name, kind in schema.items())
    sent = 0
    with connection.cursor() as cursor:
        with cursor.copy(statement, writer=QueuedLibpqWriter(cursor)) as copy:
            for batch in encoded.collect_batches(chunk_size=BATCH, engine="streaming"):
                for part in batch.iter_slices(SLICE):
                    text = io.BytesIO()
                    part.write_csv(text, include_header=False, quote_style="non_numeric")
                    copy.write(text.getbuffer())
                sent += batch.height
        if cursor.rowcount != sent:
            raise RuntimeError(f"expected COPY to write the {sent} rows that were sent, found {cursor.rowcount}")
    return sent


def _to_text(name: str, kind: pl.DataType) -> pl.Expr:
    """The column as COPY reads it: an array as ``{"a","b"}``."""
    column = pl.col(name)
    if isinstance(kind, pl.List):
        quoted = pl.format(
            '"{}"', pl.element().str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
        )
        return pl.format("{{{}}}", column.list.eval(quoted).list.join(",")).alias(name)
    return column


def copy_out(
    connection: Connection,
    name: str,
    contract: type[Contract],
    scratch: Path,
    only: Collection[str] = (),
    latest: str | None = None,
) -> pl.LazyFrame:
    """The rows of table ``name``, lazily, with the columns and types of ``contract``, by way of a file in ``scratch``.

    The frame is usable as long as the file exists.

    Args:
        only: the columns to read; empty: all.
        latest: a column; only the rows with its greatest value are read. None: all rows.
    """
    columns = {key: column for key, column in contract.columns().items() if not only or key in only}
    chosen = sql.SQL(", ").join(_exported(column_name, column) for column_name, column in columns.items())
    rows = sql.SQL("SELECT {} FROM {}").format(chosen, sql.Identifier(name))
    if latest:
        rows += sql.SQL(" WHERE {0} = (SELECT max({0}) FROM {1})").format(sql.Identifier(latest), sql.Identifier(name))
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER)").format(rows)
    path = scratch / f"{name}.csv"
    with connection.cursor() as cursor, cursor.copy(statement), path.open("wb") as file:
        stream = CopyStream(connection)
        while piece := stream.piece(PIECE):
            file.write(piece)
    text = pl.scan_csv(path, infer_schema=False)
    return text.select(_parsed(column_name, column) for column_name, column in columns.items())


def _exported(name: str, column: dy.Column) -> sql.Composable:
    """The column as COPY is to write it: an array as one text."""
    if column.dtype == pl.List:
        form = sql.SQL("array_to_string({}, {}) AS {}")
        return form.format(sql.Identifier(name), sql.Literal(SEPARATOR), sql.Identifier(name))
    return sql.Identifier(name)


def _parsed(name: str, column: dy.Column) -> pl.Expr:
    """The column from the text that COPY wrote."""
    text, kind = pl.col(name), column.dtype
    if kind == pl.List:
        return pl.when(text == "").then(pl.lit([], dtype=kind)).otherwise(text.str.split(SEPARATOR)).alias(name)
    if kind == pl.Boolean:
        return text == "t"
    if kind == pl.Date:
        return text.str.to_date("%Y-%m-%d")
    return text.cast(kind)
