"""The schema beside the live one: made empty, swapped with it, swapped back, dropped.

Belongs here: names of whole schemas. ``<schema>__next`` is what a full rebuild fills, ``<schema>__previous`` what was
live before the last swap. Does not belong here: filling it (the assets), who may rebuild (``rebuilds.py``), what a
role may do (``rights.py``).

A rename locks nobody out: a statement sees the old tables or the new ones, and a prepared one is planned anew. Only a
snapshot older than the new rows would find the new tables empty, so the swap waits until there is none.
"""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Sequence

import psycopg
from psycopg import sql

from edu_pipeline.database import TABLES, VIEWS, Connection, Database, exists, relations
from edu_pipeline.errors import NoPrevious, SchemaInUse, SwapBlocked, TableShrank
from edu_pipeline.migrate import start_over
from edu_pipeline.rights import copy_rights

LOCK_TIMEOUT = "50ms"
"""How long a rename may wait for a load or a migration to end before it lets go and tries again."""

PATIENCE = 600.0
"""Seconds that a swap waits in all: for transactions with older snapshots, then for loads under way."""

DEPENDENTS = """
    WITH inside AS (
        SELECT 'pg_class'::regclass AS classid, oid FROM pg_class WHERE relnamespace = %(schema)s::regnamespace
        UNION ALL SELECT 'pg_proc'::regclass, oid FROM pg_proc WHERE pronamespace = %(schema)s::regnamespace
        UNION ALL SELECT 'pg_type'::regclass, oid FROM pg_type WHERE typnamespace = %(schema)s::regnamespace
    ), outside AS (
        SELECT coalesce(r.ev_class, c.conrelid, a.adrelid, p.oid) AS oid, d.classid = 'pg_proc'::regclass AS is_routine
        FROM inside
        JOIN pg_depend AS d ON d.refclassid = inside.classid AND d.refobjid = inside.oid AND d.deptype IN ('n', 'a')
        LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
        LEFT JOIN pg_constraint AS c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid
        LEFT JOIN pg_attrdef AS a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid
        LEFT JOIN pg_proc AS p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
    )
    SELECT DISTINCT n.nspname || '.' || coalesce(c.relname, p.proname)
    FROM outside AS o
    LEFT JOIN pg_class AS c ON NOT o.is_routine AND c.oid = o.oid
    LEFT JOIN pg_proc AS p ON o.is_routine AND p.oid = o.oid
    JOIN pg_namespace AS n ON n.oid = coalesce(c.relnamespace, p.pronamespace)
    WHERE n.oid <> %(schema)s::regnamespace
    ORDER BY 1
"""

SNAPSHOTS = """
    SELECT pid, backend_xmin::text, coalesce(application_name, '')
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL
        AND coalesce(backend_type, 'client backend') = 'client backend'
"""
"""Who reads by which snapshot; these columns everybody may see. A pair that is gone has let go of that snapshot."""


def previous_of(schema: str) -> str:
    """The name that a live schema has after the next one has taken its place."""
    return f"{schema}__previous"


def prepare(beside: Database) -> None:
    """Make the schema beside the live one anew: migrated and empty; what an earlier rebuild left there is gone.

    Raises:
        SchemaInUse: an object of another schema depends on the previous schema, which the swap would have to drop.
        PrivilegeMissing: the rights of the live schema cannot be given to it.
        MigrationFailed: a migration did not apply.
    """
    assert beside.live is not None
    with beside.connect() as connection:
        for name in (previous_of(beside.live), _discarded(beside.live)):
            _check_unused(connection, name)
    start_over(beside)
    with beside.connect() as connection:
        copy_rights(connection, beside.live, beside.schema)


def swap(beside: Database, accept_shrink: Collection[str] = ()) -> list[str]:
    """Give the schema beside the live one its name, and keep the live one as the previous.

    Returns:
        Objects of other schemas that depend on what was live, and go on reading the old rows.

    Raises:
        TableShrank: a table that has rows has none beside, and is not in ``accept_shrink``.
        SwapBlocked: for ``PATIENCE`` someone read by a snapshot older than the new rows, or loaded; nothing changed.
        PrivilegeMissing: the rights of the live schema cannot be given to the other.
    """
    assert beside.live is not None
    live, previous, discarded = beside.live, previous_of(beside.live), _discarded(beside.live)
    with beside.connect() as connection:
        _drop(connection, discarded)
        dependents: list[str] = []
        if exists(connection, live):
            _check_filled(connection, live, beside.schema, accept_shrink)
            dependents = _dependents(connection, live)
            copy_rights(connection, live, beside.schema)
        connection.commit()
        deadline = time.monotonic() + PATIENCE
        _await_snapshots(connection, live, deadline)
        _rename(connection, live, [(previous, discarded), (live, previous), (beside.schema, live)], deadline)
        connection.execute(
            "UPDATE edu_pipeline.rebuilds SET finished_at = clock_timestamp(), outcome = 'swapped' "
            "WHERE target_schema = %s AND outcome IS NULL",
            [live],
        )
        connection.commit()
        _drop(connection, discarded)
        connection.commit()
    return dependents


def roll_back(database: Database) -> None:
    """Swap the live schema with the previous one; doing it again swaps them back.

    Raises:
        NoPrevious: there is no previous schema.
        SwapBlocked: loads are under way and do not end; nothing has changed.
    """
    live, previous, aside = database.schema, previous_of(database.schema), _discarded(database.schema)
    with database.connect() as connection:
        _check_previous(connection, database)
        _drop(connection, aside)
        copy_rights(connection, live, previous)
        connection.commit()
        deadline = time.monotonic() + PATIENCE
        _await_snapshots(connection, live, deadline)
        _rename(connection, live, [(live, aside), (previous, live), (aside, previous)], deadline)


def drop_previous(database: Database) -> None:
    """Drop the previous schema with all that is in it; its loads stay in the ledger, its quarantine does not.

    Raises:
        NoPrevious: there is none.
        SchemaInUse: an object of another schema depends on it, or it has a table that the live one has not.
    """
    previous = previous_of(database.schema)
    with database.connect() as connection:
        _check_previous(connection, database)
        only_there = set(relations(connection, previous, TABLES + VIEWS + "v")) - set(
            relations(connection, database.schema, TABLES + VIEWS + "v")
        )
        if only_there:
            raise SchemaInUse(
                f"schema {previous}",
                f"expected only what {database.schema} has too, found {', '.join(sorted(only_there))}.",
                "Move it to a schema of your own (ALTER TABLE ... SET SCHEMA ...) or drop it; then try again.",
            )
        _drop(connection, previous)


def _discarded(schema: str) -> str:
    return f"{schema}__discarded"


def _check_previous(connection: Connection, database: Database) -> None:
    if not exists(connection, previous_of(database.schema)):
        raise NoPrevious(
            database.place,
            f"expected a schema {previous_of(database.schema)}, which a full rebuild leaves, found none.",
            "A former day can be rebuilt from the archive instead: `edu-pipeline rebuild --as-of DAY`.",
        )


def _check_filled(connection: Connection, live: str, beside: str, accept_shrink: Collection[str]) -> None:
    """No table or view that has rows may lose all of them."""
    built = relations(connection, beside, TABLES + VIEWS)
    lost = [
        name
        for name in relations(connection, live, TABLES + VIEWS)
        if name in built
        and name not in accept_shrink
        and _has_rows(connection, live, name)
        and not _has_rows(connection, beside, name)
    ]
    if lost:
        raise TableShrank(
            f"schema {live}",
            f"expected rows in every table that has some now, found none beside in {', '.join(lost)}.",
            "Look why (`edu-pipeline sources` shows what the archive has) and rebuild again; accept what is right: "
            + " ".join(f"--accept-shrink {name}" for name in lost),
        )


def _has_rows(connection: Connection, schema: str, name: str) -> bool:
    filled = "SELECT relispopulated FROM pg_class WHERE oid = format('%%I.%%I', %s::text, %s::text)::regclass"
    if connection.execute(filled, [schema, name]).fetchone() != (True,):
        return False
    statement = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(schema, name))
    return connection.execute(statement).fetchone() == (True,)


def _dependents(connection: Connection, schema: str) -> list[str]:
    quoted = sql.Identifier(schema).as_string(connection)
    return [str(name) for (name,) in connection.execute(DEPENDENTS, {"schema": quoted})]


def _check_unused(connection: Connection, schema: str) -> None:
    dependents = _dependents(connection, schema) if exists(connection, schema) else []
    if dependents:
        raise SchemaInUse(
            f"schema {schema}",
            f"expected nothing outside it to depend on it, found {', '.join(dependents)}.",
            "Make it anew on the live schema (CREATE OR REPLACE VIEW ...) or drop it; then try again.",
        )


def _drop(connection: Connection, schema: str) -> None:
    """Drop a schema that is not live, and its quarantine."""
    if not exists(connection, schema):
        return
    _check_unused(connection, schema)
    connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
    connection.execute("DELETE FROM edu_pipeline.migrations WHERE target_schema = %s", [schema])
    connection.execute(
        "DELETE FROM edu_pipeline.refused_rows USING edu_pipeline.loads WHERE id = load_id AND target_schema = %s",
        [schema],
    )
    connection.commit()


def _await_snapshots(connection: Connection, live: str, deadline: float) -> None:
    """Return when nobody reads any more by a snapshot that is as old as this call."""
    old = set(connection.execute(SNAPSHOTS).fetchall())
    connection.commit()
    while old:
        if time.monotonic() > deadline:
            readers = ", ".join(f"{pid} {name}".strip() for pid, _, name in sorted(old, key=str))
            raise SwapBlocked(
                f"schema {live}",
                f"expected the transactions that began before the new rows to end within {PATIENCE:.0f} s, found "
                f"{readers} still reading.",
                "End them (a backup, a report; pg_terminate_backend) and rebuild again; nothing has changed.",
            )
        time.sleep(0.1)
        old &= set(connection.execute(SNAPSHOTS).fetchall())
        connection.commit()


def _rename(connection: Connection, live: str, names: Sequence[tuple[str, str]], deadline: float) -> None:
    """Rename schemas, and what the ledger says of them, in one transaction, between two loads."""
    while True:
        try:
            with connection.transaction():
                connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
                for key in (f"edu_pipeline.schema:{live}", f"edu_pipeline.migrate:{live}"):
                    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
                for old, new in names:
                    _rename_one(connection, old, new)
            return
        except psycopg.errors.LockNotAvailable as error:
            if time.monotonic() > deadline:
                raise SwapBlocked(
                    f"schema {live}",
                    f"expected the loads under way to end within {PATIENCE:.0f} s, found that one has not.",
                    "Look at the runs in the UI, or at pg_stat_activity; then rebuild again. Nothing has changed.",
                ) from error
            time.sleep(random.uniform(0.1, 0.5))


def _rename_one(connection: Connection, old: str, new: str) -> None:
    if exists(connection, old):
        rename = sql.SQL("ALTER SCHEMA {} RENAME TO {}")
        connection.execute(rename.format(sql.Identifier(old), sql.Identifier(new)))
        for table in ("loads", "migrations"):
            move = sql.SQL("UPDATE edu_pipeline.{} SET target_schema = %s WHERE target_schema = %s")
            connection.execute(move.format(sql.Identifier(table)), [new, old])
