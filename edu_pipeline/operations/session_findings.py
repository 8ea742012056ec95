"""What a new session of the database finds: its search_path, the schema of each table, and what is in the way.

Belongs here: the findings that ``edu-pipeline switchover verify`` prints, one function for each. Does not belong here:
which of them are made, and changing the search_path (``switchover.py``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from edu_pipeline.database.connection import Connection

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
class Finding:
    """What was checked, whether it is as it should be, and how it is."""

    what: str
    ok: bool
    detail: str


def search_path(connection: Connection, schema: str) -> Finding:
    """Whether ``schema`` comes first on the search_path of this session, and where the path was set."""
    row = connection.execute(
        "SELECT setting, source, current_schema() FROM pg_settings WHERE name = 'search_path'"
    ).fetchone()
    assert row is not None
    path, source, first = map(str, row)
    return Finding("search_path", first == schema, f"{path} ({SET_BY.get(source, source)})")


def resolved_names(connection: Connection, schema: str, names: list[str]) -> list[Finding]:
    """In which schema this session finds each of the bare ``names``, which should be ``schema``."""
    if not names:
        return [Finding(f"schema {schema}", False, "no table in it")]
    return [
        Finding(f"table {name}", home == schema, f"in {home}" if home else "not found")
        for name, home in connection.execute(RESOLVED, [names])
    ]


def role_settings(connection: Connection, schema: str, roles: Sequence[str]) -> list[Finding]:
    """Roles with a search_path of their own, whether ``schema`` comes first on it; of all roles if none are named."""
    rows = connection.execute(ROLE_SETTINGS, {"roles": list(roles)}).fetchall()
    return [
        Finding(
            f"role {role}",
            schemas_in(str(path))[:1] == [schema],
            f"has a search_path of its own, which overrides the database's: {path} (ALTER ROLE ...{scope} SET)",
        )
        for role, path, scope in rows
    ]


def readable_tables(connection: Connection, schema: str, names: list[str], role: str) -> Finding:
    """Whether a role may read all of the tables ``names``."""
    what = f"tables for {role}"
    if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).fetchone() is None:
        return Finding(what, False, "no such role")
    rows = connection.execute(UNREADABLE, {"names": names, "role": role, "schema": schema})
    unreadable = [str(name) for (name,) in rows]
    return Finding(what, not unreadable, f"may not read {', '.join(unreadable)}" if unreadable else "may read them all")


def old_sessions(connection: Connection, applied_at: datetime, roles: Sequence[str]) -> list[Finding]:
    """Sessions opened before the switch-over; of all roles if none are named."""
    rows = connection.execute(OLD_SESSIONS, {"applied_at": applied_at, "roles": list(roles)})
    return [
        Finding(
            f"session {pid}",
            False,
            f"{application or 'without a name'}, role {role}, opened "
            f"{f'{opened:%Y-%m-%d %H:%M:%S}' if opened else 'at a time that only pg_read_all_stats may see'}: "
            "it may still have the old path; reconnect the pool",
        )
        for pid, role, application, opened in rows
    ]


def schemas_in(path: str) -> list[str]:
    """The schemas that a search_path names, without the empty name that ``SET search_path TO ''`` stores."""
    entries = re.findall(r'"((?:[^"]|"")*)"|([^\s,"]+)', path)
    names = [plain.lower() if plain else quoted.replace('""', '"') for quoted, plain in entries]
    return [name for name in names if name]
