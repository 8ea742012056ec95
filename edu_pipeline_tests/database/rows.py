"""Rows put into tables by hand, for tests that need some values and do not care about the others."""

from __future__ import annotations

from psycopg import sql

from edu_pipeline.database.connection import Connection

FILL = {"i": "0", "n": "0", "f": "0", "d": "2000-01-01", "t": "", "v": "", "_": "{}", "g": "MULTIPOLYGON EMPTY"}
"""The value of a required column that a test does not care about, by the first letter of its type's internal name."""


def put(connection: Connection, table: str, **values: object) -> None:
    """Insert a row; required columns without a value get 0, '' or {}."""
    required = connection.execute(
        "SELECT a.attname, t.typname FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND a.attnotnull AND NOT a.atthasdef",
        [table],
    )
    row = {str(name): FILL[str(kind)[0]] for name, kind in required} | values
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join([sql.Placeholder()] * len(row)),
    )
    connection.execute(statement, list(row.values()))
