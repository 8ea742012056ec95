"""One snapshot of the target schema: what its tables and views are, and their rows as a stream.

Belongs here: every statement that an export makes. Does not belong here: the form of any file.

The rows are copied out as CSV, eight megabytes at a time: while one piece is written, the next one is parsed, and the
one after that arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

import polars as pl
import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from edu_pipeline import ewkb
from edu_pipeline.database import ledger, locks
from edu_pipeline.database.checksum import SAME_TEXT
from edu_pipeline.database.connection import Connection, Database, check_migrated
from edu_pipeline.database.copy_stream import PIECE, CopyStream
from edu_pipeline.database.provenance import provenance
from edu_pipeline.database.views import views
from edu_pipeline.errors import SettingInvalid
from edu_pipeline.export.ahead import ahead
from edu_pipeline.export.description import DIGITS, Collection, Described, Field, contract_field
from edu_pipeline.table import tables

Arrived = Callable[[int], None]
"""Called with the number of rows that have arrived."""

COLUMNS = """
    SELECT
        a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
        coalesce(col_description(a.attrelid, a.attnum), '')
    FROM pg_attribute AS a
    WHERE a.attrelid = to_regclass(quote_ident(%s)) AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY a.attnum
"""

KEY = """
    SELECT a.attname, i.indexrelid
    FROM pg_index AS i
    CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
    JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.number
    WHERE i.indrelid = to_regclass(quote_ident(%s)) AND i.indisunique AND i.indpred IS NULL
    ORDER BY i.indisprimary DESC, i.indexrelid, k.place
"""

ORDERED_BY_BYTES = """
    SELECT datlocprovider = 'c' AND datcollate IN ('C', 'POSIX') FROM pg_database WHERE datname = current_database()
"""

WORK_MEMORY = "64MB"
"""For sorting: four times the server's default for all queries."""


def names_of(chosen: Sequence[str]) -> list[str]:
    """The tables and views to export: ``chosen``, or all of them if it is empty.

    Raises:
        SettingInvalid: a name is not that of a table or view.
    """
    known = [*tables(), *views()]
    for name in chosen:
        if name not in known:
            raise SettingInvalid(
                name,
                "expected the name of a table or view, found none of that name.",
                "`edu-pipeline status` shows all.",
            )
    return [name for name in known if name in chosen or not chosen]


@contextmanager
def snapshot(database: Database) -> Iterator[Snapshot]:
    """A snapshot of the target schema, which lasts as long as the block.

    Loads go on meanwhile; a swap of schemas and the exchange of a large table's partition wait. Both bring rows that
    every snapshot sees (``loading/writing.py``), so that an older one would find the new rows in one table and the old
    ones in the next.

    Raises:
        SchemaMissing: the database was never migrated.
        DatabaseUnreachable: the server does not answer.
    """
    with database.connect() as guard:
        check_migrated(guard, database.schema)
        locks.schema_in_use(guard, database.schema)
        for table in tables().values():
            if table.large:
                guard.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(sql.Identifier(table.name)))
        with _session(database) as connection:
            yield Snapshot(connection, database)


@contextmanager
def _session(database: Database, exported: str | None = None) -> Iterator[Connection]:
    """A transaction that only reads: of a snapshot that another one has ``exported``, otherwise of its own."""
    with database.connect() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        if exported:
            connection.execute(sql.SQL("SET TRANSACTION SNAPSHOT {}").format(exported))
        for name, value in {**SAME_TEXT, "work_mem": WORK_MEMORY}.items():
            connection.execute("SELECT set_config(%s, %s, true)", [name, value])
        yield connection


class Snapshot:
    """A transaction that sees one state of the target schema."""

    def __init__(self, connection: Connection, database: Database) -> None:
        self.connection, self.database, self.schema = connection, database, database.schema
        self._is_ordered_by_bytes = connection.execute(ORDERED_BY_BYTES).fetchone() == (True,)

    @contextmanager
    def in_sessions(self, number: int) -> Iterator[list[Snapshot]]:
        """The same snapshot in so many sessions of the server, each for one thread at a time; this is the first."""
        with ExitStack() as others:
            (exported,) = self.connection.execute("SELECT pg_export_snapshot()").fetchall()[0]
            sessions = (others.enter_context(_session(self.database, str(exported))) for _ in range(number - 1))
            yield [self, *(Snapshot(session, self.database) for session in sessions)]

    def describe(self, names: Sequence[str]) -> Collection:
        """Everything that is known of tables and views, except their rows."""
        loads = ledger.newest(self.connection, self.schema)
        described = tuple(self._described(name, loads.get(name)) for name in names)
        (now,) = self.connection.execute("SELECT now() AT TIME ZONE 'UTC'").fetchall()[0]
        assert isinstance(now, datetime)
        return Collection(described, now)

    def rows(self, table: Described, arrived: Arrived = lambda rows: None) -> Rows:
        """The rows of a table or view, sorted by its key."""
        return Rows(self.connection, table, self._is_ordered_by_bytes, arrived)

    def _described(self, name: str, load: ledger.Load | None) -> Described:
        table, view = tables().get(name), views().get(name)
        unknown = load.unknown if load else {}
        fields = []
        for column, kind, required, comment in self._columns(name):
            if table:
                fields.append(contract_field(column, kind, table, unknown.get(column, 0)))
            else:
                fields.append(Field(column, kind, comment, required=required))
        return Described(
            name=name,
            description=table.description if table else views()[name].description,
            fields=tuple(fields),
            key=tuple(table.key if table else self._key(name)),
            layer=table.layer if table else "views",
            provenance=provenance(self.connection, self.schema, view.inputs if view else [name]),
            rows=(load.rows or 0) if load else 0,
            loaded_at=load.finished_at if load else None,
        )

    def _columns(self, name: str) -> list[tuple[str, str, bool, str]]:
        """Name, type, whether it is never NULL and comment of the columns of a table or view."""
        rows = self.connection.execute(COLUMNS, [name]).fetchall()
        return [
            (str(column), self._exact(name, str(column), str(kind)), bool(required), str(comment))
            for column, kind, required, comment in rows
        ]

    def _key(self, name: str) -> list[str]:
        """The columns of the first unique index of a view."""
        rows = self.connection.execute(KEY, [name]).fetchall()
        return [str(column) for column, index in rows if index == rows[0][1]]

    def _exact(self, name: str, column: str, kind: str) -> str:
        """The type with the digits that a plain ``numeric`` has in this snapshot."""
        if kind != "numeric":
            return kind
        query = sql.SQL("SELECT coalesce(max(scale({})), 0) FROM {}").format(
            sql.Identifier(column), sql.Identifier(name)
        )
        (scale,) = self.connection.execute(query).fetchall()[0]
        return f"numeric({DIGITS},{scale})"


@dataclass(frozen=True)
class Rows:
    """The rows of a table or view, as a stream; each method reads them again.

    Attributes:
        is_ordered_by_bytes: whether the database orders texts by their bytes, as the statistics of Parquet do: then the
            key's index has the order, and naming it would only hide that.
        arrived: called for every piece of the stream.
    """

    connection: Connection
    table: Described
    is_ordered_by_bytes: bool
    arrived: Arrived

    def csv(self) -> Iterator[bytes]:
        """The rows as CSV without a header, some at a time: NULL is nothing, an empty text is ``""``, a list is JSON.

        Raises:
            psycopg.Error: the table cannot be read.
        """
        with self.connection.cursor() as cursor, cursor.copy(self._statement()):
            stream = CopyStream(self.connection)
            while piece := stream.piece(PIECE):
                self.arrived(stream.rows)
                yield piece

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows in the types of ``Field.arrow``.

        Raises:
            psycopg.Error: the table cannot be read.
            RuntimeError: the server counted more or fewer rows than were parsed.
        """
        parsed = 0
        with self.connection.cursor() as cursor, cursor.copy(self._statement()):
            stream = CopyStream(self.connection)
            pieces = iter(lambda: stream.piece(PIECE), b"")
            with ahead(pieces) as arriving, ahead(map(self._parsed, arriving)) as batches:
                for batch in batches:
                    parsed += batch.num_rows
                    self.arrived(batch.num_rows)
                    yield batch
        if stream.sent != parsed:
            raise RuntimeError(f"{self.table.name}: expected {stream.sent} rows, found {parsed} in the stream")

    def _statement(self) -> sql.Composed:
        columns = sql.SQL(", ").join(_selected(field) for field in self.table.fields)
        order = sql.SQL(", ").join(sql.Identifier(name) for name in self.table.key)
        if not self.is_ordered_by_bytes:
            texts = {field.name for field in self.table.fields if field.arrow == pa.string()}
            collated = sql.SQL('{} COLLATE "C"')
            by_bytes = (
                collated.format(sql.Identifier(name)) if name in texts else sql.Identifier(name)
                for name in self.table.key
            )
            order = sql.SQL(", ").join(by_bytes)
        query = sql.SQL("COPY (SELECT {} FROM {} ORDER BY {}) TO STDOUT (FORMAT csv)")
        return query.format(columns, sql.Identifier(self.table.name), order)

    def _parsed(self, piece: bytes) -> pa.RecordBatch:
        fields = self.table.fields
        on_the_way = {field.name: pa.string() if _is_encoded(field) else field.arrow for field in fields}
        parsed = pa.csv.read_csv(
            pa.BufferReader(piece),
            pa.csv.ReadOptions(column_names=list(on_the_way), block_size=len(piece) + 1),
            pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
            pa.csv.ConvertOptions(
                column_types=on_the_way,
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
                true_values=["t"],
                false_values=["f"],
            ),
        ).combine_chunks()
        arrays = [_decoded(field, parsed[field.name].combine_chunks()) for field in fields]
        return pa.RecordBatch.from_arrays(arrays, schema=self.table.schema)


def _selected(field: Field) -> sql.Composable:
    """The column as COPY is to write it: a list as JSON, which keeps empty lists and NULL elements apart."""
    name = sql.Identifier(field.name)
    if pa.types.is_list(field.arrow):
        return sql.SQL("array_to_json({})").format(name)
    return name


def _is_encoded(field: Field) -> bool:
    return field.is_geometry or pa.types.is_list(field.arrow)


def _decoded(field: Field, values: pa.Array) -> pa.Array:
    """The values in the field's type: lists from JSON, WKB from EWKB in hexadecimal."""
    if pa.types.is_list(field.arrow):
        lists = pl.Series(values, dtype=pl.String).str.json_decode(pl.List(pl.String))
        return lists.to_arrow().cast(field.arrow)
    if field.is_geometry:
        return ewkb.without_srid(pl.Series(values, dtype=pl.String)).to_arrow().cast(field.arrow)
    return values
