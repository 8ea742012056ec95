"""The schema beside the live one: made empty, swapped with it, swapped back, dropped.

Belongs here: names of whole schemas. ``<schema>__next`` is what a full rebuild fills, ``<schema>__previous`` what was
live before the last swap. Does not belong here: filling it (the assets), who may rebuild (``rebuilds.py``), what a
role may do (``rights.py``).

A statement looks its tables up one after the other: renamed meanwhile, it would read the old rows of one and the new
rows of the next. So the swap holds all tables for the milliseconds that the rename takes, when nobody is reading, and a
prepared statement is planned anew. A snapshot older than the new rows would find the new tables empty, so the swap
waits until there is none.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Collection, Sequence

import psycopg
from psycopg import sql

from edu_pipeline.database import ledger, locks
from edu_pipeline.database.connection import TABLES, VIEWS, Connection, Database, exists, relations
from edu_pipeline.database.migrate import start_over
from edu_pipeline.database.rights import copy_rights
from edu_pipeline.errors import NoPrevious, SchemaInUse, SwapBlocked, TableShrank

log = logging.getLogger(__name__)

LOCK_TIMEOUT = "50ms"
"""How long a rename may wait for readers, loads and migrations, with readers behind it, before it tries again."""

HELD_AT_MOST = "500ms"
"""How long a try may hold tables, all waits included."""

PATIENCE = 600.0
"""Seconds that a swap waits in all: for transactions with older snapshots, then for readers and loads under way."""

DROP_PATIENCE = 5.0
"""Seconds that a drop waits after a swap for those who still read what is dropped; the next rebuild drops it then."""

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


def prepare(upcoming: Database) -> None:
    """Make the schema beside the live one anew: migrated and empty; what an earlier rebuild left there is gone.

    Raises:
        SchemaInUse: an object of another schema depends on the previous schema, which the swap would have to drop, or
            there is a table in it that is not ours.
        PrivilegeMissing: the rights of the live schema cannot be given to it.
        MigrationFailed: a migration did not apply.
    """
    assert upcoming.live is not None
    with upcoming.connect() as connection:
        for name in (previous_of(upcoming.live), _discarded(upcoming.live)):
            _check_unused(connection, name)
        _check_ours(connection, previous_of(upcoming.live), upcoming.live)
    start_over(upcoming)
    with upcoming.connect() as connection:
        copy_rights(connection, upcoming.live, upcoming.schema)


def swap(upcoming: Database, accept_shrink: Collection[str] = (), run_id: str | None = None) -> list[str]:
    """Give the schema beside the live one its name, and keep the live one as the previous.

    A live schema that nothing was ever loaded into is not kept: nobody should roll back to empty tables.

    Args:
        run_id: the rebuild that this ends, which is noted with the swap.

    Returns:
        Objects of other schemas that depend on what was live, and go on reading the old rows.

    Raises:
        TableShrank: a table that has rows has none beside, and is not in ``accept_shrink``.
        SwapBlocked: for ``PATIENCE`` someone read by a snapshot older than the new rows, held a table, or loaded;
            nothing changed.
        PrivilegeMissing: the rights of the live schema cannot be given to the other.
    """
    assert upcoming.live is not None
    live, previous, discarded = upcoming.live, previous_of(upcoming.live), _discarded(upcoming.live)
    with upcoming.connect() as connection:
        _drop(connection, discarded, PATIENCE)
        dependents: list[str] = []
        if exists(connection, live):
            _check_filled(connection, live, upcoming.schema, accept_shrink)
            dependents = _dependents(connection, live)
            copy_rights(connection, live, upcoming.schema)
        connection.commit()
        deadline = time.monotonic() + PATIENCE
        _await_snapshots(connection, live, deadline)
        away = [(previous, discarded), (live, previous)] if ledger.newest(connection, live) else [(live, discarded)]
        _rename(connection, live, [*away, (upcoming.schema, live)], deadline, run_id)
        try:
            _drop(connection, discarded, DROP_PATIENCE)
        except (SchemaInUse, SwapBlocked) as error:
            log.warning("swapped; the next rebuild drops what it could not: %s", error)
    return dependents


def roll_back(database: Database, waiting: Callable[[str], None] = log.warning) -> None:
    """Swap the live schema with the previous one; doing it again swaps them back.

    A run that loads is waited for, so that it does not load some tables into the one and some into the other.

    Args:
        waiting: told if there is such a run.

    Raises:
        NoPrevious: there is no previous schema.
        SwapBlocked: readers or loads are under way and do not end; nothing has changed.
    """
    live, previous, aside = database.schema, previous_of(database.schema), _discarded(database.schema)
    with locks.one_run(database, waiting), database.connect() as connection:
        _check_previous(connection, database)
        _drop(connection, aside, PATIENCE)
        copy_rights(connection, live, previous)
        connection.commit()
        deadline = time.monotonic() + PATIENCE
        _await_snapshots(connection, live, deadline)
        _rename(connection, live, [(live, aside), (previous, live), (aside, previous)], deadline)


def drop_previous(database: Database) -> None:
    """Drop the previous schema with all that is in it; its loads stay in the ledger, its quarantine does not.

    Raises:
        NoPrevious: there is none.
        SchemaInUse: an object of another schema depends on it, or there is a table in it that is not ours.
        SwapBlocked: somebody reads it and does not end.
    """
    previous = previous_of(database.schema)
    with database.connect() as connection:
        _check_previous(connection, database)
        _check_ours(connection, previous, database.schema)
        _drop(connection, previous, PATIENCE)


def _discarded(schema: str) -> str:
    return f"{schema}__discarded"


def _check_previous(connection: Connection, database: Database) -> None:
    if not exists(connection, previous_of(database.schema)):
        raise NoPrevious(
            database.place,
            f"expected a schema {previous_of(database.schema)}, which a full rebuild leaves, found none.",
            "A former day can be rebuilt from the archive instead: `edu-pipeline rebuild --as-of DAY`.",
        )


def _check_filled(connection: Connection, live: str, upcoming: str, accept_shrink: Collection[str]) -> None:
    """No table or view that has rows may lose all of them."""
    _wait_for_locks(connection, PATIENCE)
    built = relations(connection, upcoming, TABLES + VIEWS)
    try:
        lost = [
            name
            for name in relations(connection, live, TABLES + VIEWS)
            if name in built
            and name not in accept_shrink
            and _has_rows(connection, live, name)
            and not _has_rows(connection, upcoming, name)
        ]
    except psycopg.errors.LockNotAvailable as error:
        raise _blocked(connection, live) from error
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


def _check_ours(connection: Connection, schema: str, live: str) -> None:
    """Nothing may be in ``schema`` that neither is in the live one nor was ever loaded."""
    if not (exists(connection, schema) and exists(connection, live)):
        return
    kinds = TABLES + VIEWS + "v"
    loaded = {str(name) for (name,) in connection.execute("SELECT DISTINCT table_name FROM edu_pipeline.loads")}
    foreign = set(relations(connection, schema, kinds)) - set(relations(connection, live, kinds)) - loaded
    if foreign:
        raise SchemaInUse(
            f"schema {schema}",
            f"expected only what {live} has too, found {', '.join(sorted(foreign))}.",
            "Move it to a schema of your own (ALTER TABLE ... SET SCHEMA ...) or drop it; then try again.",
        )


def _drop(connection: Connection, schema: str, patience: float) -> None:
    """Drop a schema that is not live, and its quarantine; wait ``patience`` seconds for those who read it."""
    if not exists(connection, schema):
        return
    _check_unused(connection, schema)
    _wait_for_locks(connection, patience)
    try:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(schema)))
    except psycopg.errors.LockNotAvailable as error:
        raise _blocked(connection, schema) from error
    _forget(connection, schema)
    connection.commit()


def _forget(connection: Connection, schema: str) -> None:
    """Let no later schema of this name take over what the bookkeeping says of a schema that is gone."""
    for table in ("migrations", "check_results"):
        forget = sql.SQL("DELETE FROM edu_pipeline.{} WHERE target_schema = %s")
        connection.execute(forget.format(sql.Identifier(table)), [schema])
    connection.execute(
        "DELETE FROM edu_pipeline.refused_rows USING edu_pipeline.loads WHERE id = load_id AND target_schema = %s",
        [schema],
    )
    keep = "UPDATE edu_pipeline.loads SET target_schema = %s WHERE target_schema = %s"
    connection.execute(keep, [f"{schema}__dropped", schema])


def _wait_for_locks(connection: Connection, seconds: float) -> None:
    """Until the end of the transaction wait no longer than this for a lock."""
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{seconds * 1000:.0f}ms"])


def _blocked(connection: Connection, schema: str) -> SwapBlocked:
    """The error that names those who hold a schema's tables; the transaction is rolled back."""
    connection.rollback()
    holders = locks.holders(connection, schema)
    connection.commit()
    return SwapBlocked(
        f"schema {schema}",
        f"expected the loads and the transactions that hold its tables to end within {PATIENCE:.0f} s, found "
        f"{', '.join(holders) or 'one that has just ended'}.",
        "Look at the runs in the UI, or at these process ids in pg_stat_activity; end them (pg_terminate_backend) and "
        "try again; nothing has changed.",
    )


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


def _rename(
    connection: Connection, live: str, names: Sequence[tuple[str, str]], deadline: float, run_id: str | None = None
) -> None:
    """Rename schemas, and what the ledger says of them, in one transaction, between two loads and between readers.

    With it the rebuild ``run_id`` is noted as swapped.

    The tables are held by one request to the server, which has the commit in it: a client that is slow, or is killed,
    keeps nobody waiting. A reader may hold one table and wait for another that is held already. So the table that
    could not be had comes first in the next try: after some tries the order is that of the readers.
    """
    statements, there = (
        _lock_statements(connection, live),
        {name for pair in names for name in pair if exists(connection, name)},
    )
    moves = []
    for old, new in names:
        if old in there:
            there = there - {old} | {new}
            moves.append((old, new))
    connection.commit()
    while True:
        try:
            connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
            locks.schema_swapped(connection, live)
            for old, new in moves:
                _move_bookkeeping(connection, old, new)
            connection.execute(
                "UPDATE edu_pipeline.rebuilds SET finished_at = clock_timestamp(), outcome = 'swapped' "
                "WHERE run_id = %s AND outcome IS NULL",
                [run_id],
            )
            rename = sql.SQL("ALTER SCHEMA {} RENAME TO {}")
            renames = [rename.format(*map(sql.Identifier, move)).as_string(connection) for move in moves]
            together = sql.Literal(
                "BEGIN " + "".join(f"{statement}; " for statement in [*statements, *renames]) + "END"
            )
            connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(HELD_AT_MOST)))
            connection.execute(sql.SQL("DO {}; COMMIT").format(together))
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
            connection.rollback()
            if time.monotonic() > deadline:
                raise _blocked(connection, live) from error
            failed = error.diag.context or ""
            statements.sort(key=lambda statement: statement not in failed)
            time.sleep(random.uniform(0.1, 0.5))


def _lock_statements(connection: Connection, schema: str) -> list[str]:
    """The statements that hold the tables and materialized views of a schema, if it is there, until a transaction ends.

    LOCK takes no materialized view; to give one the owner that it has changes nothing and takes the same lock.
    """
    rows = connection.execute(
        "SELECT relname, relkind = 'm', pg_get_userbyid(relowner) FROM pg_class "
        "WHERE relnamespace = to_regnamespace(quote_ident(%s)) AND relkind IN ('r', 'p', 'm') AND NOT relispartition",
        [schema],
    ).fetchall()
    connection.commit()
    lock, own = sql.SQL("LOCK TABLE ONLY {}"), sql.SQL("ALTER MATERIALIZED VIEW {} OWNER TO {}")
    found = [
        own.format(sql.Identifier(schema, str(name)), sql.Identifier(str(owner)))
        if is_view
        else lock.format(sql.Identifier(schema, str(name)))
        for name, is_view, owner in rows
    ]
    return [statement.as_string(connection) for statement in found]


def _move_bookkeeping(connection: Connection, old: str, new: str) -> None:
    """Let what is known of the schema ``old`` be known of ``new``."""
    _forget(connection, new)
    for table in ("loads", "migrations", "check_results"):
        move = sql.SQL("UPDATE edu_pipeline.{} SET target_schema = %s WHERE target_schema = %s")
        connection.execute(move.format(sql.Identifier(table)), [new, old])
