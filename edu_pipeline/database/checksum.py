"""Checksums: one short number per table; two schemas with the same numbers have the same rows.

Belongs here: the digest of rows. Does not belong here: where the rows come from, comparing them one by one
(``loading/difference.py``), comparing the speed of queries (``operations/compare.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from psycopg import sql

from edu_pipeline.database.connection import TABLES, VIEWS, Connection, Database, check_migrated, relations

SAME_TEXT = {
    "DateStyle": "ISO, YMD",
    "IntervalStyle": "iso_8601",
    "TimeZone": "UTC",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "lc_monetary": "C",
}
"""The settings that the text of a value depends on; with these, the text of a float is exact."""


@dataclass(frozen=True)
class Checksum:
    """A table's content.

    Attributes:
        rows: how many there are.
        digest: of the rows, 16 hexadecimal digits.
    """

    rows: int
    digest: str


def checksums(database: Database) -> dict[str, Checksum]:
    """The checksum of every table and materialized view of the target schema, by name, all from one snapshot.

    The digest is the sum, modulo 2^64, of a 64-bit hash of each row, so the order of the rows does not matter. A row is
    hashed as text, its columns in the order of their names: NULL differs from the empty text, floats and geometries are
    exact. Columns that the database numbers (``SERIAL``) are left out.

    Two different contents have the same digest with a probability of 2^-64 (5e-20). It is no protection against
    somebody who looks for a collision. PostgreSQL does not promise that ``hashtextextended`` is the same in the next
    major version, and its values differ between byte orders and encodings: compare checksums of similar servers, and do
    not keep them for years.

    Raises:
        SchemaMissing: the schema does not exist.
        DatabaseUnreachable: the server does not answer.
        psycopg.Error: a table cannot be read.
    """
    with database.connect() as connection:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        check_migrated(connection, database.schema)
        for name, value in SAME_TEXT.items():
            connection.execute("SELECT set_config(%s, %s, true)", [name, value])
        return {
            name: _checksum(connection, database.schema, name)
            for name in relations(connection, database.schema, TABLES + VIEWS)
        }


def checksum_of_all(checksums: Mapping[str, Checksum]) -> str:
    """One digest (SHA-256, 64 hexadecimal digits) of the names, rows and digests of all tables."""
    lines = [f"{name} {checksum.rows} {checksum.digest}\n" for name, checksum in sorted(checksums.items())]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _checksum(connection: Connection, schema: str, name: str) -> Checksum:
    table = sql.Identifier(schema, name)
    columns = sql.SQL(", ").join(map(sql.Identifier, _columns(connection, table)))
    digest = sql.SQL("SELECT count(*), sum(hashtextextended(ROW({})::text, 0)) FROM {}").format(columns, table)
    row = connection.execute(digest).fetchone()
    assert row is not None
    return Checksum(int(str(row[0])), f"{int(str(row[1] or 0)) % 2**64:016x}")


def _columns(connection: Connection, table: sql.Identifier) -> list[str]:
    """The columns that count, sorted."""
    rows = connection.execute(
        "SELECT attname, pg_get_serial_sequence(%(table)s::text, attname) FROM pg_attribute "
        "WHERE attrelid = %(table)s::text::regclass AND attnum > 0 AND NOT attisdropped "
        'ORDER BY attname COLLATE "C"',
        {"table": table.as_string(connection)},
    )
    return [str(name) for name, sequence in rows if sequence is None]
