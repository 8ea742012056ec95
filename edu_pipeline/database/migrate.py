"""Migrations: the SQL files, applied once and in order, and the comments that come from the contracts.

Belongs here: applying ``sql/migrations`` (numbered; an applied file must never change) and ``sql/views`` (applied
again when their text changes), each in a transaction, with its checksum recorded. Does not belong here: what the files
say, and how they are read (``psql_files.py``).
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
from edu_pipeline.database import ledger
from edu_pipeline.database.comments import comment_on_table
from edu_pipeline.database.connection import Connection, Database, check_migrated, home_of_postgis, set_search_path
from edu_pipeline.database.locks import migrating
from edu_pipeline.database.psql_files import sql_of
from edu_pipeline.errors import MigrationFailed, MigrationInvalid
from edu_pipeline.sql import FOLDER
from edu_pipeline.table import Table, tables

log = logging.getLogger(__name__)

ONCE_PER_DATABASE = {"109_analytics.sql", "128_analytics_owner.sql"}
"""Files about what all target schemas share and the pipeline may not own any more: the first of them applies it."""


@dataclass(frozen=True)
class Migration:
    """A file of SQL.

    Attributes:
        name: of the file.
        text: its SQL.
        repeatable: it creates the view of its name, and is applied again when its text changes.
    """

    name: str
    text: str
    repeatable: bool

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """The numbered files in order, then those of the views.

    The lines ``\\ir ../views/<view>.sql`` of a numbered file are for people who run it with ``psql -f``. Here the
    views come after all numbered files, so that they may use columns of any of them.
    """
    numbered = [
        Migration(file.name, re.sub(r"(?m)^\\ir .*$", "", file.read_text(encoding="utf-8")), repeatable=False)
        for file in sorted((FOLDER / "migrations").glob("*.sql"))
    ]
    views = [Migration(file.name, sql_of(file), repeatable=True) for file in sorted((FOLDER / "views").glob("*.sql"))]
    return numbered + views


def migrate(database: Database, applied: Callable[[str], None] = lambda name: None) -> list[str]:
    """Bring the target schema up to date.

    Args:
        applied: called with the name of each file once it is applied.

    Returns:
        The names of the applied files; empty if the schema was up to date.

    Raises:
        MigrationInvalid: an applied numbered file has been edited or is gone.
        MigrationFailed: a file could not be applied; nothing of it remains.
    """
    names = []
    files = migrations()
    with database.connect() as connection, migrating(connection, database.schema):
        recorded, of_all = _recorded(connection, database.schema), _recorded(connection, None)
        _check(files, of_all)
        _find_postgis(connection, database.schema)
        for file in files:
            view = sql.Identifier(database.schema, file.name.removesuffix(".sql"))
            # A migration that alters a view's tables has to drop it.
            missing = file.repeatable and not _is_there(connection, view)
            if missing or recorded.get(file.name) != file.checksum:
                is_done = file.name in ONCE_PER_DATABASE and file.name in of_all
                _apply(connection, database.schema, file, is_done)
                applied(file.name)
                names.append(file.name)
        _comment(connection, database.schema)
        _link_analytics(connection)
    return names


def check_current(connection: Connection, schema: str) -> None:
    """Check that the database is neither older nor newer than this program.

    Raises:
        SchemaMissing: it was never migrated.
        MigrationInvalid: a file of this program was not applied to ``schema``, or one was that this program lacks.
    """
    check_migrated(connection, schema)
    files, recorded = migrations(), _recorded(connection, schema)
    _check(files, recorded)
    if pending := [file.name for file in files if file.name not in recorded]:
        raise MigrationInvalid(
            f"schema {schema}",
            f"expected that {', '.join(pending)} were applied, found that the database is older than this program.",
            "Bring it up to date: `edu-pipeline migrate`. The rows stay as they are.",
        )


def start_over(database: Database) -> None:
    """Recreate the target schema, empty, and forget its loads and check results; ``analytics`` is kept.

    Raises:
        MigrationFailed: a file could not be applied.
    """
    with database.connect() as connection, migrating(connection, database.schema):
        with connection.transaction():
            connection.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(database.schema)))
            ledger.forget(connection, database.schema)
            if _is_there(connection, sql.Identifier("edu_pipeline", "migrations")):
                connection.execute(
                    "DELETE FROM edu_pipeline.migrations WHERE target_schema = %s AND name <> ALL (%s)",
                    [database.schema, list(ONCE_PER_DATABASE)],
                )
            if _is_there(connection, sql.Identifier("edu_pipeline", "check_results")):
                connection.execute("DELETE FROM edu_pipeline.check_results WHERE target_schema = %s", [database.schema])
        connection.commit()
    migrate(database)


def _recorded(connection: Connection, schema: str | None) -> dict[str, str]:
    """The files that were applied to ``schema``, with their checksums; None: to any schema of this database."""
    if not _is_there(connection, sql.Identifier("edu_pipeline", "migrations")):
        return {}
    rows = connection.execute(
        "SELECT name, checksum FROM edu_pipeline.migrations WHERE target_schema = %(schema)s OR %(schema)s::text "
        "IS NULL ORDER BY applied_at DESC",
        {"schema": schema},
    )
    return {str(name): str(checksum) for name, checksum in rows}


def _check(files: list[Migration], recorded: dict[str, str]) -> None:
    """Check that every file of ``recorded`` is there and, if numbered, has the recorded checksum."""
    known = {file.name: file for file in files}
    for name, checksum in recorded.items():
        file = known.get(name)
        if file is None:
            raise MigrationInvalid(
                f"migration {name}",
                "expected the file that was applied to this database, found none: the database is newer than this "
                "program.",
                "Use the version of edu_pipeline that it was migrated with, or a newer one.",
            )
        if file.checksum != checksum and not file.repeatable:
            raise MigrationInvalid(
                f"migration {name}",
                f"expected the text that was applied (SHA-256 {checksum[:12]}), found an edited one "
                f"({file.checksum[:12]}).",
                "Undo the edit, and write the change as a new migration.",
            )


def _apply(connection: Connection, schema: str, file: Migration, is_done: bool) -> None:
    """Apply a file and record it, in one transaction; only record it if it ``is_done`` for the whole database."""
    try:
        with connection.transaction():
            if file.repeatable:
                view = sql.Identifier(schema, file.name.removesuffix(".sql"))
                connection.execute(sql.SQL("DROP MATERIALIZED VIEW IF EXISTS {}").format(view))
            if not is_done:
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
            "Nothing of it remains. Fix the file or the database, and migrate again.",
        ) from error
    connection.commit()
    _find_postgis(connection, schema)


def _find_postgis(connection: Connection, schema: str) -> None:
    """Add PostGIS's schema to the search_path: the files use its types and functions without naming their schema."""
    set_search_path(connection, [schema, *home_of_postgis(connection)])


def _is_there(connection: Connection, relation: sql.Identifier) -> bool:
    """Whether there is a table or view of that name."""
    return connection.execute("SELECT to_regclass(%s)", [relation.as_string(connection)]).fetchone() != (None,)


def _link_analytics(connection: Connection) -> None:
    """Add the analytics tables' foreign keys to the application's users, as soon as there is a table of users."""
    with connection.transaction():
        for (obstacle,) in connection.execute("SELECT edu_pipeline.link_analytics_to_users()"):
            log.info("analytics: %s", obstacle)
    connection.commit()


def _comment(connection: Connection, schema: str) -> None:
    """Write the contracts' descriptions into the database, with the attribution of what is loaded."""
    with connection.transaction():
        for table in tables().values():
            name = sql.Identifier(table.name)
            comment_on_table(connection, schema, table)
            for column, text in described_columns(table).items():
                connection.execute(
                    sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(name, sql.Identifier(column), sql.Literal(text))
                )
    connection.commit()


def described_columns(table: Table) -> dict[str, str]:
    """Column to its description with unit and upstream name, as in the database and the UI."""
    descriptions = {}
    for name, column in table.contract.columns().items():
        details = spec(column)
        upstream = details.upstream if isinstance(details.upstream, str) else None
        if isinstance(details.upstream, dict):
            upstream = ", ".join(f"{source}: {field}" for source, field in details.upstream.items())
        extra = [f"unit: {details.unit}"] * bool(details.unit) + [f"upstream: {upstream}"] * bool(upstream)
        descriptions[name] = (column.description or "") + (f" ({'; '.join(extra)})" if extra else "")
    return descriptions
