"""A database that is ready for the switch-over, and what a test of it asks.

Belongs here: filling the tables, the application's role, the database's settings and what is recorded. Does not belong
here: the fixtures (``conftest.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

from edu_pipeline.database.connection import TABLES, VIEWS, Connection, Database, relations
from edu_pipeline.database.views import views
from edu_pipeline.operations import switchover
from edu_pipeline.operations.session_findings import Finding

HOME = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = 'ips_lycees'::regclass"
"""The schema in which a session finds one of the tables."""

VALUES = {
    "date": "2024-01-01",
    "timestamp with time zone": "2024-01-01",
    "text[]": "{1}",
    "character varying[]": "{1}",
    "geometry": "SRID=4326;MULTIPOLYGON EMPTY",
}
"""A value of each type that does not accept 1."""


def fill(database: Database) -> None:
    """Give every table a row and a load in the ledger, and refresh every view."""
    with database.connect() as connection:
        names = relations(connection, database.schema, TABLES + VIEWS)
        for name in [name for name in names if name not in views()]:
            required = connection.execute(
                "SELECT attname, regexp_replace(format_type(atttypid, atttypmod), '^\\w+\\.|\\(.*\\)', '', 'g') "
                "FROM pg_attribute "
                "WHERE attrelid = %s::regclass AND attnum > 0 AND attnotnull ORDER BY attnum",
                [name],
            ).fetchall()
            columns = sql.SQL(", ").join(sql.Identifier(str(column)) for column, _ in required)
            values = sql.SQL(", ").join(sql.Literal(VALUES.get(str(kind), "1")) for _, kind in required)
            connection.execute(sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(name), columns, values))
        for name in views():
            connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.Identifier(name)))
        record(connection, database, names, "published")


def record(connection: Connection, database: Database, names: list[str], state: str) -> None:
    """Write loads into the ledger."""
    connection.execute(
        "INSERT INTO edu_pipeline.loads (target_schema, table_name, state, started_at, releases, inputs_version, "
        "code_version, strategy) SELECT %s, name, %s, now(), '{}', '', '', 'all' FROM unnest(%s::text[]) AS name",
        [database.schema, state, names],
    )


@dataclass(frozen=True)
class Role:
    """A role that may log in, and its URL for the database."""

    name: str
    password: str
    url: str


def grant(database: Database, role: Role) -> None:
    """Let the role read all tables of the target schema."""
    statement = "GRANT USAGE ON SCHEMA {0} TO {1}; GRANT SELECT ON ALL TABLES IN SCHEMA {0} TO {1}"
    names = [sql.Identifier(database.schema), sql.Identifier(role.name)]
    with database.connect() as connection:
        connection.execute(sql.SQL(statement).format(*names))


def set_to(database: Database, value: str | None) -> None:
    """Make ``value`` the database's search_path, to the letter, as somebody could do by hand."""
    with psycopg.connect(database.url) as connection:
        switchover._set(connection, value)


def setting(database: Database) -> list[tuple[object, ...]]:
    """All settings of the database, as PostgreSQL's catalogue has them."""
    with psycopg.connect(database.url) as connection:
        return connection.execute(
            "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 0 AND setdatabase = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()


def answer(url: str, statement: str = HOME) -> str:
    """The one value that a new session with this URL gets."""
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row
    return str(row[0])


def recorded(database: Database) -> list[tuple[object, ...]]:
    with database.connect() as connection:
        return connection.execute(
            "SELECT former_value, new_value, rolled_back_at IS NULL FROM edu_pipeline.switchovers ORDER BY id"
        ).fetchall()


def red(findings: list[Finding]) -> list[str]:
    return [finding.what for finding in findings if not finding.ok]


def name_of(connection: Connection) -> sql.Identifier:
    return sql.Identifier(connection.info.dbname)
