"""COPY between polars and PostgreSQL, as CSV.

Belongs here: the text form of every contract type in both directions, and streaming it. Does not belong
here: which rows to write.
"""

from __future__ import annotations

import io
from collections.abc import Collection
from pathlib import Path

import dataframely as dy
import polars as pl
from psycopg import sql
from psycopg.copy import QueuedLibpqWriter

from edu_pipeline.contracts import Contract
from edu_pipeline.database.connection import Connection

SLICE = 10_000
"""Rows per write: large enough for the speed of ``psql \\copy``, small enough to bound the memory."""

BATCH = 100_000
"""Rows that are in memory at a time."""

SEPARATOR = "\x1f"
"""Stands between the elements of an array on its way out of the database (a control character: in no text)."""


def copy_in(connection: Connection, into: sql.Composable, frame: pl.LazyFrame, *, frozen: bool = False) -> int:
    """Append the rows of ``frame`` to the table ``into``, columns by name.

    A thread sends them, so that the server takes in rows while the next ones become text.

    Args:
        frozen: visible to every snapshot, with nothing to vacuum; this transaction must have made or truncated the
            table.

    Returns:
        The number of rows, which the server has counted too.

    Raises:
        psycopg.Error: the server refused a row.
        RuntimeError: the server counted other rows than were sent.
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
            raise RuntimeError(f"COPY took {cursor.rowcount} rows of {sent} that were sent")
    return sent


def _to_text(name: str, kind: pl.DataType) -> pl.Expr:
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
    """The rows of table ``name``, lazily, columns and types of ``contract``, through a file in ``scratch``.

    The frame can be used as long as the file is there.

    Args:
        only: the columns to read; empty: all.
        latest: the column of which only the rows with the greatest value are read; None: all rows.
    """
    columns = {key: column for key, column in contract.columns().items() if not only or key in only}
    chosen = sql.SQL(", ").join(_out_of(column_name, column) for column_name, column in columns.items())
    rows = sql.SQL("SELECT {} FROM {}").format(chosen, sql.Identifier(name))
    if latest:
        rows += sql.SQL(" WHERE {0} = (SELECT max({0}) FROM {1})").format(sql.Identifier(latest), sql.Identifier(name))
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv, HEADER)").format(rows)
    path = scratch / f"{name}.csv"
    with connection.cursor() as cursor, cursor.copy(statement) as copy, path.open("wb") as file:
        for block in copy:
            file.write(block)
    text = pl.scan_csv(path, infer_schema=False)
    return text.select(_of_text(column_name, column) for column_name, column in columns.items())


def _out_of(name: str, column: dy.Column) -> sql.Composable:
    if column.dtype == pl.List:
        form = sql.SQL("array_to_string({}, {}) AS {}")
        return form.format(sql.Identifier(name), sql.Literal(SEPARATOR), sql.Identifier(name))
    return sql.Identifier(name)


def _of_text(name: str, column: dy.Column) -> pl.Expr:
    value, wanted = pl.col(name), column.dtype
    if wanted == pl.List:
        return pl.when(value == "").then(pl.lit([], dtype=wanted)).otherwise(value.str.split(SEPARATOR)).alias(name)
    if wanted == pl.Boolean:
        return value == "t"
    if wanted == pl.Date:
        return value.str.to_date("%Y-%m-%d")
    return value.cast(wanted)
