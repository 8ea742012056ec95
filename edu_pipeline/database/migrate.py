"""Migrations: the SQL files, applied once and in order, and the comments that the contracts give.

Belongs here: applying ``sql/migrations`` (numbered; an applied file must never change) and ``sql/views``
(applied again when their text changes), each in a transaction, under an advisory lock, with its checksum
recorded. Does not belong here: what the files say.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import sql

from edu_pipeline.contracts import spec
from edu_pipeline.database.connection import Connection, Database, home_of_postgis, set_search_path
from edu_pipeline.database.locks import migrating
from edu_pipeline.database.psql_files import sql_of
from edu_pipeline.errors import MigrationFailed, MigrationInvalid
from edu_pipeline.sql import FOLDER
from edu_pipeline.table import Table, tables

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Migration:
    """A file of SQL. ``repeatable``: it makes a view, and is applied again when it changes."""

    name: str
    text: str
    repeatable: bool

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """The numbered files in their order, then those of the views.

    Lines ``\\ir ../views/<view>.sql`` are for people who run the files with ``psql -f``; here the views come
    last of all, so that they may use columns of any migration.
    """
    numbered = [
        Migration(file.name, re.sub(r"(?m)^\\ir .*$", "", file.read_text(encoding="utf-8")), repeatable=False)
        for file in sorted((FOLDER / "migrations").glob("*.sql"))
    ]
    views = [Migration(file.name, sql_of(file), repeatable=True) for file in sorted((FOLDER / "views").glob("*.sql"))]
    return numbered + views


def migrate(database: Database, applied: Callable[[str], None] = lambda name: None) -> list[str]:
    """Bring the target schema up to date; tell ``applied`` each file's name.

    Returns:
        The names of the files that were applied; empty if there was nothing to do.

    Raises:
        MigrationInvalid: an applied numbered file has been edited or is gone.
        MigrationFailed: a file did not apply; nothing of it remains.
    """
    done = []
    files = migrations()
    with database.connect() as connection, migrating(connection, database.schema):
        recorded = _recorded(connection, database.schema)
        _check(files, _recorded(connection, None))
        _find_postgis(connection, database.schema)
        for file in files:
            if recorded.get(file.name) != file.checksum or (
                file.repeatable and not _exists(connection, database, file)
            ):
                _apply(connection, database.schema, file)
                applied(file.name)
                done.append(file.name)
        _comment(connection)
        _link_analytics(connection)
    return done


def start_over(database: Database) -> None:
    """Drop the target schema and what the bookkeeping says of it, and migrate anew; ``analytics`` stays.

    Raises:
        MigrationFailed: a file did not apply.
    """
    with database.connect() as connection, migrating(connection, database.schema):
        with connection.transaction():
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(database.schema)))
            for name in ("loads", "migrations", "check_results"):
                if connection.execute("SELECT to_regclass(%s)", [f"edu_pipeline.{name}"]).fetchone() != (None,):
                    forget = sql.SQL("DELETE FROM edu_pipeline.{} WHERE target_schema = %s")
                    connection.execute(forget.format(sql.Identifier(name)), [database.schema])
        connection.commit()
    migrate(database)


def _recorded(connection: Connection, schema: str | None) -> dict[str, str]:
    """The files that were applied to ``schema`` with their checksums; None: to any, since schemas share bookkeeping."""
    if connection.execute("SELECT to_regclass('edu_pipeline.migrations')").fetchone() == (None,):
        return {}
    rows = connection.execute(
        "SELECT name, checksum FROM edu_pipeline.migrations WHERE target_schema = %(schema)s OR %(schema)s::text "
        "IS NULL ORDER BY applied_at DESC",
        {"schema": schema},
    )
    return {str(name): str(checksum) for name, checksum in rows}


def _check(files: list[Migration], recorded: dict[str, str]) -> None:
    known = {file.name: file for file in files}
    for name, checksum in recorded.items():
        file = known.get(name)
        if file is None:
            raise MigrationInvalid(
                f"migration {name}",
                "expected the file that was applied to this database, found none.",
                "Check out the version of edu_pipeline that this database was migrated with, or a newer one.",
            )
        if file.checksum != checksum and not file.repeatable:
            raise MigrationInvalid(
                f"migration {name}",
                f"expected the text that was applied (SHA-256 {checksum[:12]}), found an edited one "
                f"({file.checksum[:12]}).",
                "Undo the edit and write the change as a new migration.",
            )


def _apply(connection: Connection, schema: str, file: Migration) -> None:
    try:
        with connection.transaction():
            if file.repeatable:
                view = sql.Identifier(schema, file.name.removesuffix(".sql"))
                connection.execute(sql.SQL("DROP MATERIALIZED VIEW IF EXISTS {}").format(view))
            connection.execute(file.text.encode())  # the files have no parameters; bytes are sent as they are
            connection.execute(
                "INSERT INTO edu_pipeline.migrations (target_schema, name, checksum) VALUES (%s, %s, %s) "
                "ON CONFLICT (target_schema, name) DO UPDATE SET checksum = excluded.checksum, applied_at = now()",
                [schema, file.name, file.checksum],
            )
    except psycopg.Error as error:
        raise MigrationFailed(
            f"migration {file.name}, schema {schema}",
            f"expected it to apply, found: {str(error).strip()}.",
            "Nothing of it remains; mend the file or the database and migrate again.",
        ) from error
    connection.commit()
    _find_postgis(connection, schema)


def _find_postgis(connection: Connection, schema: str) -> None:
    """Put PostGIS's schema behind the target: the files use its types and functions without naming where it lives."""
    set_search_path(connection, [schema, *home_of_postgis(connection)])


def _exists(connection: Connection, database: Database, view: Migration) -> bool:
    """Whether the view that a file makes is there: a migration that alters its tables has to drop it."""
    name = sql.Identifier(database.schema, view.name.removesuffix(".sql")).as_string(connection)
    return connection.execute("SELECT to_regclass(%s)", [name]).fetchone() != (None,)


def _link_analytics(connection: Connection) -> None:
    """Let the analytics tables refer to the application's users, as soon as it has a table of them."""
    with connection.transaction():
        for (obstacle,) in connection.execute("SELECT edu_pipeline.link_analytics_to_users()"):
            log.info("analytics: %s", obstacle)
    connection.commit()


def _comment(connection: Connection) -> None:
    """Descriptions reach the database from the contracts."""
    with connection.transaction():
        for table in tables().values():
            name = sql.Identifier(table.name)
            connection.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(name, sql.Literal(table.description)))
            for column, text in described_columns(table).items():
                connection.execute(
                    sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(name, sql.Identifier(column), sql.Literal(text))
                )
    connection.commit()


def described_columns(table: Table) -> dict[str, str]:
    """Column to its description with unit and upstream name, as the database and the UI show it."""
    described = {}
    for name, column in table.contract.columns().items():
        details = spec(column)
        upstream = details.upstream if isinstance(details.upstream, str) else None
        if isinstance(details.upstream, dict):
            upstream = ", ".join(f"{source}: {field}" for source, field in details.upstream.items())
        extra = [f"unit: {details.unit}"] * bool(details.unit) + [f"upstream: {upstream}"] * bool(upstream)
        described[name] = (column.description or "") + (f" ({'; '.join(extra)})" if extra else "")
    return described
