"""The switch-over of the application: the database's search_path, which decides whose tables it reads.

Belongs here: setting it when the tables are ready, restoring what was there before, and saying what a new session of
the database finds. Does not belong here: the application's own connections (docs/SWITCH_OVER.md), swapping schemas.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from edu_pipeline.catalogue import catalogue
from edu_pipeline.database.connection import Connection, Database, exists, home_of_postgis
from edu_pipeline.errors import SwitchoverRefused
from edu_pipeline.monitoring.status import TableStatus, table_status
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import tables

APPLICATION_SCHEMAS = ("user_mgmt", "public")
"""What stays behind the target schema where the database has no search_path of its own yet."""

SETTING = """
    SELECT substr(entry, length('search_path=') + 1)
    FROM pg_db_role_setting AS s
    JOIN pg_database AS d ON d.oid = s.setdatabase AND d.datname = current_database()
    CROSS JOIN unnest(s.setconfig) AS entry
    WHERE s.setrole = 0 AND starts_with(entry, 'search_path=')
"""

ROLE_SETTINGS = """
    SELECT DISTINCT ON (r.rolname)
        r.rolname, substr(entry, length('search_path=') + 1), CASE WHEN d.oid IS NULL THEN '' ELSE ' IN DATABASE' END
    FROM pg_db_role_setting AS s
    JOIN pg_roles AS r ON r.oid = s.setrole AND r.rolcanlogin
    LEFT JOIN pg_database AS d ON d.oid = s.setdatabase
    CROSS JOIN unnest(s.setconfig) AS entry
    WHERE starts_with(entry, 'search_path=') AND (s.setdatabase = 0 OR d.datname = current_database())
        AND (cardinality(%(roles)s::text[]) = 0 OR r.rolname = ANY (%(roles)s::text[]))
    ORDER BY r.rolname, s.setdatabase DESC
"""

RELATIONS = """
    SELECT c.relname
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'm', 'v', 'f') AND NOT c.relispartition AND c.relname !~ '__'
    ORDER BY c.relname
"""

RESOLVED = """
    SELECT name, n.nspname
    FROM unnest(%s::text[]) AS name
    LEFT JOIN pg_class AS c ON c.oid = to_regclass(quote_ident(name))
    LEFT JOIN pg_namespace AS n ON n.oid = c.relnamespace
"""

UNREADABLE = """
    SELECT name
    FROM unnest(%(names)s::text[]) AS name
    WHERE NOT has_schema_privilege(%(role)s, %(schema)s, 'USAGE')
        OR NOT has_table_privilege(%(role)s, format('%%I.%%I', %(schema)s::text, name), 'SELECT')
"""

OLD_SESSIONS = """
    SELECT pid, usename, application_name, backend_start
    FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND application_name <> 'edu_pipeline'
        AND (backend_start IS NULL OR backend_start < %(applied_at)s)
        AND (cardinality(%(roles)s::text[]) = 0 OR usename = ANY (%(roles)s::text[]))
    ORDER BY backend_start, pid
"""

SET_BY = {
    "database": "set for the database",
    "user": "set for the role",
    "database user": "set for the role in this database",
    "client": "set by the connection's options",
    "configuration file": "set in postgresql.conf",
    "default": "PostgreSQL's default",
}
"""``pg_settings.source``, in words."""


@dataclass(frozen=True)
class Switchover:
    """A row of ``edu_pipeline.switchovers``, and what this call made of it.

    Attributes:
        former_value, new_value: the database's setting, as ``pg_db_role_setting`` has it; None: it had none.
        rolled_back_at: None as long as it is in force.
        changed: whether this call has changed anything.
        warnings: what does not stand in the way, but should be known.
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


@dataclass(frozen=True)
class Finding:
    """What ``verify`` looked at, whether it is as it should be, and what it is."""

    what: str
    ok: bool
    detail: str


def apply(
    database: Database,
    archive: Archive,
    *,
    red_checks: Sequence[str] = (),
    application_schemas: Sequence[str] = APPLICATION_SCHEMAS,
) -> Switchover:
    """Put the target schema first on the database's search_path; sessions opened from now on read its tables.

    Behind it stay the schemas that the setting named, or where there was none those of ``application_schemas`` that
    exist; behind all, that of PostGIS. Applied already: nothing changes.

    Args:
        red_checks: the failed checks of the orchestrator, as texts.

    Raises:
        SwitchoverRefused: a table is empty, its newest load failed, a check is red, or the setting was changed by
            someone else; the text lists what. Nothing has changed.
    """
    with _recording(database) as connection:
        former, current = _setting(connection), _in_force(connection, database)
        if current and former == current.new_value:
            return replace(current, changed=False)
        if current and former != current.former_value:
            raise _changed_by_hand(database, current, former, f"set the path to {database.schema}")
        if current:
            _close(connection, current)
        warnings = _readiness(database, table_status(database, archive), red_checks)
        value = _new_value(connection, database.schema, former, application_schemas)
        if value == former:
            raise SwitchoverRefused(
                database.place,
                f"expected a search_path that is not switched over yet, found {value!r}, which this command has not "
                "set: it knows no former value.",
                "Leave it; or set the former value by hand (docs/SWITCH_OVER.md) and apply again.",
            )
        _set(connection, value)
        return replace(_record(connection, database, former, value), warnings=warnings)


def rollback(database: Database, *, force: bool = False) -> Switchover:
    """Restore the database's search_path of before, to the letter; sessions opened from now on have it.

    Args:
        force: also if someone has changed the setting since.

    Raises:
        SwitchoverRefused: nothing is applied, or someone has changed the setting since; nothing has changed.
    """
    with _recording(database) as connection:
        found, current = _setting(connection), _in_force(connection, database)
        if current is None:
            raise SwitchoverRefused(
                database.place,
                f"expected a switch-over to {database.schema} in force, found none in edu_pipeline.switchovers; "
                f"the database's search_path is {_shown(found)}.",
                "Nothing to roll back. Look whether EDU_DATABASE_URL and EDU_SCHEMA are those it was applied with.",
            )
        if found not in (current.new_value, current.former_value) and not force:
            raise _changed_by_hand(database, current, found, f"restore {_shown(current.former_value)}")
        if found != current.former_value:
            _set(connection, current.former_value)
        return _close(connection, current)


def verify(database: Database, roles: Sequence[str] = ()) -> list[Finding]:
    """What a new session finds: its search_path, the schema of every name of the target, and what stands in the way.

    Args:
        roles: the application's. Then whether they may read the tables is looked at too, and of the settings and
            sessions of roles only theirs; empty: those of all roles.

    Raises:
        SwitchoverRefused: the role of this connection may not read the bookkeeping.
    """
    with _session(database) as connection:
        connection.execute("RESET search_path")  # to what the session began with
        names = [str(name) for (name,) in connection.execute(RELATIONS, [database.schema])]
        findings = [_path(connection, database.schema), *_resolved(connection, database.schema, names)]
        findings += _role_settings(connection, database.schema, roles)
        findings += [_readable(connection, database.schema, names, role) for role in roles]
        current = _in_force(connection, database) if _is_migrated(connection) else None
        return findings + (_old_sessions(connection, current, roles) if current else [])


@contextmanager
def _session(database: Database) -> Iterator[Connection]:
    """A connection; what its role may not do is said in words."""
    try:
        with database.connect() as connection:
            connection.execute("SET ROLE NONE")
            yield connection
    except psycopg.errors.InsufficientPrivilege as error:
        raise SwitchoverRefused(
            database.place,
            f"expected the owner of the database, found a role that may not: {str(error).strip()}.",
            "Name the owner of the database or a superuser in EDU_DATABASE_URL for this command.",
        ) from error


@contextmanager
def _recording(database: Database) -> Iterator[Connection]:
    """A transaction in which nobody else switches over."""
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
    found = connection.execute(SETTING).fetchone()
    return str(found[0]) if found else None


def _set(connection: Connection, value: str | None) -> None:
    """Make ``value`` the database's own search_path; None: none.

    ``SET search_path TO`` would quote anew what it is given; ``FROM CURRENT`` keeps the text as it is.
    """
    row = connection.execute("SELECT current_database()").fetchone()
    assert row is not None
    alter = sql.SQL("ALTER DATABASE {} ").format(sql.Identifier(str(row[0])))
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


def _record(connection: Connection, database: Database, former: str | None, value: str) -> Switchover:
    with connection.cursor(row_factory=class_row(Switchover)) as cursor:
        row = cursor.execute(
            "INSERT INTO edu_pipeline.switchovers (target_schema, former_value, new_value) VALUES (%s, %s, %s) "
            "RETURNING *",
            [database.schema, former, value],
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


def _new_value(connection: Connection, target: str, former: str | None, application_schemas: Iterable[str]) -> str:
    kept = application_schemas if former is None else _schemas_of(former)
    there = [name for name in kept if former is not None or exists(connection, name)]
    names = dict.fromkeys([target, *there, *home_of_postgis(connection)])
    row = connection.execute(
        "SELECT string_agg(quote_ident(name), ', ' ORDER BY place) "
        "FROM unnest(%s::text[]) WITH ORDINALITY AS n (name, place)",
        [list(names)],
    ).fetchone()
    assert row is not None
    return str(row[0])


def _schemas_of(path: str) -> list[str]:
    """The schemas that a search_path names, without the empty name by which ``SET search_path TO ''`` names none."""
    found = re.findall(r'"((?:[^"]|"")*)"|([^\s,"]+)', path)
    names = [plain.lower() if plain else quoted.replace('""', '"') for quoted, plain in found]
    return [name for name in names if name]


def _readiness(database: Database, found: Sequence[TableStatus], red_checks: Sequence[str]) -> tuple[str, ...]:
    """What should be known of the tables.

    Raises:
        SwitchoverRefused: they are not ready.
    """
    red = [f"{entry.table}: its newest load failed" for entry in found if entry.state == "failed"]
    warnings = []
    for entry in found:
        if entry.rows or entry.state == "failed":
            continue
        if entry.state.startswith("waits for") or _may_be_empty(entry.table):
            warnings.append(f"{entry.table} is empty ({entry.state})")
        else:
            red.append(f"{entry.table}: empty ({entry.state})")
    red += [f"check {check}" for check in red_checks]
    if red or not found:
        raise SwitchoverRefused(
            f"schema {database.schema} of {database.place}",
            f"expected tables with rows and checks that pass, found {'; '.join(red) or 'no table at all'}.",
            "Mend it (`edu-pipeline status` shows more; `edu-pipeline refresh TABLE` loads), then apply again.",
        )
    if any(entry.invented for entry in found):
        warnings.append("the rows are invented data of the sample publisher")
    return tuple(warnings)


def _may_be_empty(name: str) -> bool:
    """Whether all that a table is made of is optional, as editorial files are."""
    sources = tables()[name].sources if name in tables() else []
    return bool(sources) and all(catalogue()[source].optional for source in sources)


def _changed_by_hand(database: Database, current: Switchover, found: str | None, intended: str) -> SwitchoverRefused:
    return SwitchoverRefused(
        database.place,
        f"expected the search_path {current.new_value!r} that was applied at {current.applied_at:%Y-%m-%d %H:%M}, "
        f"found {_shown(found)}: someone has changed it since. This would {intended}.",
        f"Ask who needs it; to go back to {_shown(current.former_value)} all the same: "
        "`edu-pipeline switchover rollback --force`.",
    )


def _shown(value: str | None) -> str:
    return "not set" if value is None else repr(value)


def _path(connection: Connection, schema: str) -> Finding:
    row = connection.execute(
        "SELECT setting, source, current_schema() FROM pg_settings WHERE name = 'search_path'"
    ).fetchone()
    assert row is not None
    setting, source, first = map(str, row)
    return Finding("search_path", first == schema, f"{setting} ({SET_BY.get(source, source)})")


def _resolved(connection: Connection, schema: str, names: list[str]) -> list[Finding]:
    if not names:
        return [Finding(f"schema {schema}", False, "no table in it")]
    return [
        Finding(f"table {name}", home == schema, f"in {home}" if home else "not found")
        for name, home in connection.execute(RESOLVED, [names])
    ]


def _role_settings(connection: Connection, schema: str, roles: Sequence[str]) -> list[Finding]:
    rows = connection.execute(ROLE_SETTINGS, {"roles": list(roles)}).fetchall()
    return [
        Finding(
            f"role {role}",
            _schemas_of(str(path))[:1] == [schema],
            f"has a search_path of its own, which overrides the database's: {path} (ALTER ROLE ...{scope} SET)",
        )
        for role, path, scope in rows
    ]


def _readable(connection: Connection, schema: str, names: list[str], role: str) -> Finding:
    what = f"tables for {role}"
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        return Finding(what, False, "no such role")
    rows = connection.execute(UNREADABLE, {"names": names, "role": role, "schema": schema})
    unreadable = [str(name) for (name,) in rows]
    return Finding(what, not unreadable, f"may not read {', '.join(unreadable)}" if unreadable else "may read them all")


def _old_sessions(connection: Connection, current: Switchover, roles: Sequence[str]) -> list[Finding]:
    rows = connection.execute(OLD_SESSIONS, {"applied_at": current.applied_at, "roles": list(roles)})
    return [
        Finding(
            f"session {pid}",
            False,
            f"{application or 'without a name'}, role {role}, opened "
            f"{f'{opened:%Y-%m-%d %H:%M:%S}' if opened else 'when, only pg_read_all_stats may see'}: "
            "it may still have the old path; reconnect the pool",
        )
        for pid, role, application, opened in rows
    ]
