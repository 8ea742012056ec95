"""The switch-over of the application: the database's search_path, which decides whose tables it reads.

Belongs here: setting the path when the tables are ready, restoring the previous one, and verifying what new sessions
find. Does not belong here: each single finding (``session_findings.py``), the application's own connections
(docs/SWITCH_OVER.md), swapping schemas (``swap.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from edu_pipeline.database.connection import (
    TABLES,
    VIEWS,
    Connection,
    Database,
    exists,
    home_of_postgis,
    relations,
)
from edu_pipeline.errors import SwitchoverRefused
from edu_pipeline.monitoring.status import TableStatus, table_status
from edu_pipeline.operations import session_findings
from edu_pipeline.operations.session_findings import Finding
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import tables

APPLICATION_SCHEMAS = ("user_mgmt", "public")
"""The schemas that stay behind the target schema where the database has no search_path of its own yet."""

SETTING = """
    SELECT substr(entry, length('search_path=') + 1)
    FROM pg_db_role_setting AS s
    JOIN pg_database AS d ON d.oid = s.setdatabase AND d.datname = current_database()
    CROSS JOIN unnest(s.setconfig) AS entry
    WHERE s.setrole = 0 AND starts_with(entry, 'search_path=')
"""


@dataclass(frozen=True)
class Switchover:
    """A row of ``edu_pipeline.switchovers``, and what this call did.

    Attributes:
        former_value: the database's setting before, as ``pg_db_role_setting`` has it; None: it had none.
        new_value: the database's setting after.
        rolled_back_at: None while it is in force.
        changed: whether this call has changed anything.
        warnings: what does not prevent the switch-over, but should be known.
    """

    id: int
    target_schema: str
    database_name: str
    former_value: str | None
    new_value: str
    applied_at: datetime
    applied_by: str
    rolled_back_at: datetime | None
    changed: bool = True
    warnings: tuple[str, ...] = ()


def apply(
    database: Database,
    archive: Archive,
    *,
    red_checks: Sequence[str] = (),
    application_schemas: Sequence[str] = APPLICATION_SCHEMAS,
) -> Switchover:
    """Put the target schema first on the database's search_path; sessions opened from now on read its tables.

    Behind it stay the schemas that the setting named, or where there was no setting those of ``application_schemas``
    that exist; last comes the schema of PostGIS. If it is applied already, nothing changes.

    Args:
        red_checks: the failed checks, as texts.

    Raises:
        SwitchoverRefused: a table is empty, its newest load failed, a check is red, or someone else has changed the
            setting; the text lists what. Nothing has changed.
    """
    with _recording(database) as connection:
        before, current = _setting(connection), _in_force(connection, database)
        if current and before == current.new_value:
            return replace(current, changed=False)
        if current and before != current.former_value:
            raise _changed_by_hand(database, current, before, f"set the path to {database.schema}")
        if current:
            _close(connection, current)
        warnings = _readiness(database, table_status(database, archive), red_checks)
        value = _new_value(connection, database.schema, before, application_schemas)
        if value == before:
            raise SwitchoverRefused(
                database.place,
                f"expected a search_path that is not switched over yet, found {value!r}, which this command did not "
                "set, so that it knows no previous value.",
                "Leave it; or set the previous value by hand (docs/SWITCH_OVER.md) and apply again.",
            )
        _set(connection, value)
        return replace(_record(connection, database, before, value), warnings=warnings)


def rollback(database: Database, *, force: bool = False) -> Switchover:
    """Restore the database's previous search_path to the letter; sessions opened from now on have it.

    Args:
        force: also if someone has changed the setting since.

    Raises:
        SwitchoverRefused: nothing is applied, or someone has changed the setting since; nothing has changed.
    """
    with _recording(database) as connection:
        setting, current = _setting(connection), _in_force(connection, database)
        if current is None:
            raise SwitchoverRefused(
                database.place,
                f"expected a switch-over to {database.schema} in force, found none in edu_pipeline.switchovers "
                f"(the database's search_path is {_in_words(setting)}).",
                "There is nothing to roll back. Check that EDU_DATABASE_URL and EDU_SCHEMA are those that it was "
                "applied with.",
            )
        if setting not in (current.new_value, current.former_value) and not force:
            raise _changed_by_hand(database, current, setting, f"restore {_in_words(current.former_value)}")
        if setting != current.former_value:
            _set(connection, current.former_value)
        return _close(connection, current)


def verify(database: Database, roles: Sequence[str] = ()) -> list[Finding]:
    """What a new session finds: its search_path, the schema of every name of the target, and what is in the way.

    Args:
        roles: the roles of the application; then it is also checked whether they may read the tables, and only their
            settings and sessions count. Empty: the settings and sessions of all roles.

    Raises:
        SwitchoverRefused: the role of this connection may not read the bookkeeping.
    """
    schema = database.schema
    with _session(database) as connection:
        connection.execute("RESET search_path")  # to what the session began with
        names = relations(connection, schema, TABLES + VIEWS + "vf") if exists(connection, schema) else []
        findings = [
            session_findings.search_path(connection, schema),
            *session_findings.resolved_names(connection, schema, names),
            *session_findings.role_settings(connection, schema, roles),
            *(session_findings.readable_tables(connection, schema, names, role) for role in roles),
        ]
        current = _in_force(connection, database) if _is_migrated(connection) else None
        if current:
            findings += session_findings.old_sessions(connection, current.applied_at, roles)
        return findings


@contextmanager
def _session(database: Database) -> Iterator[Connection]:
    """A new connection as the login itself; an error says in words what its role lacks."""
    try:
        with database.connect(new=True) as connection:
            connection.execute("SET ROLE NONE")
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        raise SwitchoverRefused(
            database.place,
            f"expected the owner of the database, found a role without the right: {str(error).strip()}.",
            "Name the owner of the database or a superuser in EDU_DATABASE_URL for this command.",
        ) from error


@contextmanager
def _recording(database: Database) -> Iterator[Connection]:
    """A transaction during which nobody else switches over."""
    with _session(database) as connection:
        if not _is_migrated(connection):
            raise SwitchoverRefused(
                database.place,
                "expected the table edu_pipeline.switchovers, found none.",
                "Bring the database up to date: `edu-pipeline migrate`.",
            )
        connection.execute("LOCK TABLE edu_pipeline.switchovers IN SHARE ROW EXCLUSIVE MODE")
        yield connection


def _is_migrated(connection: Connection) -> bool:
    return connection.execute("SELECT to_regclass('edu_pipeline.switchovers')").fetchone() != (None,)


def _setting(connection: Connection) -> str | None:
    """The database's own search_path to the letter; None if it has none."""
    row = connection.execute(SETTING).fetchone()
    return str(row[0]) if row else None


def _set(connection: Connection, value: str | None) -> None:
    """Make ``value`` the database's own search_path; None: leave it without one.

    ``SET search_path TO`` would quote the value again; ``FROM CURRENT`` keeps the text unchanged.
    """
    alter = sql.SQL("ALTER DATABASE {} ").format(sql.Identifier(connection.info.dbname))
    if value is None:
        connection.execute(alter + sql.SQL("RESET search_path"))
    else:
        connection.execute("SELECT set_config('search_path', %s, true)", [value])
        connection.execute(alter + sql.SQL("SET search_path FROM CURRENT"))


def _in_force(connection: Connection, database: Database) -> Switchover | None:
    with connection.cursor(row_factory=class_row(Switchover)) as cursor:
        return cursor.execute(
            "SELECT * FROM edu_pipeline.switchovers WHERE target_schema = %s AND database_name = current_database() "
            "AND rolled_back_at IS NULL ORDER BY id DESC LIMIT 1",
            [database.schema],
        ).fetchone()


def _record(connection: Connection, database: Database, before: str | None, value: str) -> Switchover:
    with connection.cursor(row_factory=class_row(Switchover)) as cursor:
        row = cursor.execute(
            "INSERT INTO edu_pipeline.switchovers (target_schema, former_value, new_value) VALUES (%s, %s, %s) "
            "RETURNING *",
            [database.schema, before, value],
        ).fetchone()
        assert row is not None
        return row


def _close(connection: Connection, current: Switchover) -> Switchover:
    with connection.cursor(row_factory=class_row(Switchover)) as cursor:
        row = cursor.execute(
            "UPDATE edu_pipeline.switchovers SET rolled_back_at = clock_timestamp() WHERE id = %s RETURNING *",
            [current.id],
        ).fetchone()
        assert row is not None
        return row


def _new_value(connection: Connection, target: str, before: str | None, application_schemas: Iterable[str]) -> str:
    """The search_path with the target first, quoted where a name needs it."""
    if before is None:
        others = [name for name in application_schemas if exists(connection, name)]
    else:
        others = session_findings.schemas_in(before)
    names = dict.fromkeys([target, *others, *home_of_postgis(connection)])
    row = connection.execute(
        "SELECT string_agg(quote_ident(name), ', ' ORDER BY place) "
        "FROM unnest(%s::text[]) WITH ORDINALITY AS n (name, place)",
        [list(names)],
    ).fetchone()
    assert row is not None
    return str(row[0])


def _readiness(database: Database, statuses: Sequence[TableStatus], red_checks: Sequence[str]) -> tuple[str, ...]:
    """Warnings about the tables.

    Raises:
        SwitchoverRefused: they are not ready.
    """
    may_be_empty = {table.name for table in tables().values() if table.is_supplied}
    obstacles = [f"{status.table}: its newest load failed" for status in statuses if status.state == "failed"]
    warnings = []
    for status in statuses:
        if status.rows or status.state == "failed":
            continue
        if status.state.startswith("waits for") or status.table in may_be_empty:
            warnings.append(f"{status.table} is empty ({status.state})")
        else:
            obstacles.append(f"{status.table}: empty ({status.state})")
    obstacles += [f"check {check}" for check in red_checks]
    if obstacles or not statuses:
        raise SwitchoverRefused(
            f"schema {database.schema} of {database.place}",
            f"expected tables with rows and checks that pass, found {'; '.join(obstacles) or 'no table at all'}.",
            "Fix it (`edu-pipeline status` shows more; `edu-pipeline refresh TABLE` loads), then apply again.",
        )
    if any(status.invented for status in statuses):
        warnings.append("the rows are invented data of the sample publisher")
    return tuple(warnings)


def _changed_by_hand(database: Database, current: Switchover, setting: str | None, intention: str) -> SwitchoverRefused:
    return SwitchoverRefused(
        database.place,
        f"expected the search_path {current.new_value!r} that was applied at {current.applied_at:%Y-%m-%d %H:%M}, "
        f"found {_in_words(setting)}, which someone has set since; this command would {intention}.",
        f"Ask who needs it; to return to {_in_words(current.former_value)} regardless: "
        "`edu-pipeline switchover rollback --force`.",
    )


def _in_words(setting: str | None) -> str:
    return "not set" if setting is None else repr(setting)
