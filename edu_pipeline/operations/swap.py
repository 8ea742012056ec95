"""Swapping whole schemas: the live one with the next one, which a rebuild has filled, or with the previous one.

Belongs here: the names ``<schema>__next`` and ``<schema>__previous``, creating the next schema, renaming schemas. Does
not belong here: filling the next schema (the assets), who may rebuild (``rebuild_claim.py``), what may be dropped
(``dropping.py``), what a role may do (``rights.py``).

A statement looks up its tables one after the other. If they were renamed in between, it would read old rows of one
table and new rows of another. So the swap locks all tables for the few milliseconds that the rename takes, when nobody
is reading them; prepared statements are planned again. A snapshot older than the new rows would find the new tables
empty, so the swap first waits until there is no such snapshot.
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
from edu_pipeline.operations import dropping, rebuilds
from edu_pipeline.operations.waiting import await_old_snapshots, blocked, limit_lock_waits

log = logging.getLogger(__name__)

LOCK_TIMEOUT = "50ms"
"""How long an attempt may wait for a lock, with readers queueing behind it, before it lets go and tries again."""

ATTEMPT_TIMEOUT = "500ms"
"""How long an attempt may hold table locks, all waits included."""

PATIENCE = 600.0
"""Seconds that a swap waits in all: for older snapshots, then for the readers and loads that are under way."""

DROP_PATIENCE = 5.0
"""Seconds that a swap waits for readers of the schema that it drops at the end; else the next rebuild drops it."""


def previous_of(live: str) -> str:
    """The name that the live schema gets when the next one takes its place."""
    return f"{live}__previous"


def prepare(upcoming: Database) -> None:
    """Create the next schema, migrated and empty; whatever an earlier rebuild left in it is dropped.

    Raises:
        SchemaInUse: an object of another schema depends on the previous schema, which the swap would have to drop, or
            the previous schema has a table that is not ours.
        PrivilegeMissing: the rights of the live schema cannot be copied to the next one.
        MigrationFailed: a migration did not apply.
    """
    live = upcoming.live
    assert live is not None
    with upcoming.connect() as connection:
        for schema in (previous_of(live), _discarded(live)):
            dropping.check_no_dependents(connection, schema)
        dropping.check_only_ours(connection, previous_of(live), live)
    start_over(upcoming)
    with upcoming.connect() as connection:
        copy_rights(connection, live, upcoming.schema)


def swap(upcoming: Database, accept_shrink: Collection[str] = (), run_id: str | None = None) -> list[str]:
    """Make the next schema the live one, and the live one the previous.

    A live schema that nothing was ever loaded into is dropped: nobody should roll back to empty tables.

    Args:
        accept_shrink: tables that may become empty.
        run_id: the rebuild that the swap completes, to be recorded as swapped.

    Returns:
        Objects of other schemas that depend on the formerly live tables, and so still read the old rows.

    Raises:
        TableShrank: a table that has rows is empty in the next schema, and is not in ``accept_shrink``.
        SwapBlocked: for ``PATIENCE`` seconds there was a snapshot older than the new rows, a table lock or a load;
            nothing has changed.
        PrivilegeMissing: the rights of the live schema cannot be copied to the next one.
    """
    live = upcoming.live
    assert live is not None
    previous, discarded = previous_of(live), _discarded(live)
    with upcoming.connect() as connection:
        dropping.drop(connection, discarded, PATIENCE)
        dependents = dropping.dependents(connection, live)
        if exists(connection, live):
            _check_filled(connection, live, upcoming.schema, accept_shrink)
            copy_rights(connection, live, upcoming.schema)
        connection.commit()
        deadline = time.monotonic() + PATIENCE
        await_old_snapshots(connection, live, PATIENCE, deadline)
        moves = [(previous, discarded), (live, previous)] if ledger.newest(connection, live) else [(live, discarded)]
        _rename(connection, live, [*moves, (upcoming.schema, live)], deadline, run_id)
        try:
            dropping.drop(connection, discarded, DROP_PATIENCE)
        except (SchemaInUse, SwapBlocked) as error:
            log.warning("swapped, but %s could not be dropped; the next rebuild drops it: %s", discarded, error)
    return dependents


def roll_back(database: Database, on_wait: Callable[[str], None] = log.warning) -> None:
    """Swap the live schema with the previous one; a second time swaps them back.

    Waits for a run that is loading, so that it does not load some tables into one schema and some into the other.

    Args:
        on_wait: called with a text if there is such a run.

    Raises:
        NoPrevious: there is no previous schema.
        SwapBlocked: readers or loads did not end in time; nothing has changed.
    """
    live, previous, discarded = database.schema, previous_of(database.schema), _discarded(database.schema)
    with locks.one_run(database, on_wait), database.connect() as connection:
        _check_previous(connection, database)
        dropping.drop(connection, discarded, PATIENCE)
        copy_rights(connection, live, previous)
        connection.commit()
        deadline = time.monotonic() + PATIENCE
        await_old_snapshots(connection, live, PATIENCE, deadline)
        _rename(connection, live, [(live, discarded), (previous, live), (discarded, previous)], deadline)


def drop_previous(database: Database) -> None:
    """Drop the previous schema with everything in it; its loads stay in the ledger, its quarantine does not.

    Raises:
        NoPrevious: there is no previous schema.
        SchemaInUse: an object of another schema depends on it, or it has a table that is not ours.
        SwapBlocked: sessions that read it did not finish in time.
    """
    previous = previous_of(database.schema)
    with database.connect() as connection:
        _check_previous(connection, database)
        dropping.check_only_ours(connection, previous, database.schema)
        dropping.drop(connection, previous, PATIENCE)


def _discarded(live: str) -> str:
    """The name of a schema between the moment when it is replaced and the moment when it is dropped."""
    return f"{live}__discarded"


def _check_previous(connection: Connection, database: Database) -> None:
    if not exists(connection, previous_of(database.schema)):
        raise NoPrevious(
            database.place,
            f"expected a schema {previous_of(database.schema)}, which a full rebuild leaves behind, found none.",
            "Rebuild an earlier day from the archive instead: `edu-pipeline rebuild --as-of DAY`.",
        )


def _check_filled(connection: Connection, live: str, upcoming: str, accept_shrink: Collection[str]) -> None:
    """Check that no table or view that has rows loses all of them."""
    limit_lock_waits(connection, PATIENCE)
    built = relations(connection, upcoming, TABLES + VIEWS)
    try:
        emptied = [
            name
            for name in relations(connection, live, TABLES + VIEWS)
            if name in built
            and name not in accept_shrink
            and _has_rows(connection, live, name)
            and not _has_rows(connection, upcoming, name)
        ]
    except psycopg.errors.LockNotAvailable as error:
        raise blocked(connection, live, PATIENCE) from error
    if emptied:
        raise TableShrank(
            f"schema {live}",
            f"expected rows in every table that has some now, found no rows in the new {', '.join(emptied)}.",
            "Find out why (`edu-pipeline sources` shows what the archive has) and rebuild again; accept what is right: "
            + " ".join(f"--accept-shrink {name}" for name in emptied),
        )


def _has_rows(connection: Connection, schema: str, name: str) -> bool:
    populated = "SELECT relispopulated FROM pg_class WHERE oid = format('%%I.%%I', %s::text, %s::text)::regclass"
    if connection.execute(populated, [schema, name]).fetchone() != (True,):
        return False
    statement = sql.SQL("SELECT EXISTS (SELECT FROM {})").format(sql.Identifier(schema, name))
    return connection.execute(statement).fetchone() == (True,)


def _rename(
    connection: Connection, live: str, moves: Sequence[tuple[str, str]], deadline: float, run_id: str | None = None
) -> None:
    """Rename schemas and their bookkeeping in one transaction, between two loads and while nobody reads.

    The same transaction records the rebuild ``run_id`` as swapped.

    One request to the server locks the tables, renames and commits: a client that is slow or killed keeps nobody
    waiting. A reader may hold one table and wait for another that an attempt has locked. So the table that an attempt
    could not lock comes first in the next attempt: after a few attempts the order is that of the readers.
    """
    moves = _possible(connection, moves)
    rename = sql.SQL("ALTER SCHEMA {} RENAME TO {}")
    renames = [rename.format(*map(sql.Identifier, move)).as_string(connection) for move in moves]
    lockings = _lock_statements(connection, live)
    connection.commit()
    while True:
        try:
            connection.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(LOCK_TIMEOUT)))
            locks.schema_swapped(connection, live)
            for old, new in moves:
                _move_bookkeeping(connection, old, new)
            if run_id is not None:
                rebuilds.finish(connection, run_id, "swapped")
            connection.execute(sql.SQL("SET LOCAL statement_timeout = {}").format(sql.Literal(ATTEMPT_TIMEOUT)))
            block = "BEGIN " + "".join(f"{statement}; " for statement in [*lockings, *renames]) + "END"
            connection.execute(sql.SQL("DO {}; COMMIT").format(sql.Literal(block)))
            return
        except (psycopg.errors.LockNotAvailable, psycopg.errors.QueryCanceled) as error:
            connection.rollback()
            if time.monotonic() > deadline:
                raise blocked(connection, live, PATIENCE) from error
            context = error.diag.context or ""
            lockings.sort(key=lambda statement: statement not in context)
            time.sleep(random.uniform(0.1, 0.5))


def _possible(connection: Connection, moves: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """The renames, in order, whose schema exists when its turn comes."""
    schemas = {name for move in moves for name in move if exists(connection, name)}
    possible = []
    for old, new in moves:
        if old in schemas:
            schemas = schemas - {old} | {new}
            possible.append((old, new))
    return possible


def _lock_statements(connection: Connection, schema: str) -> list[str]:
    """Statements that lock the tables and materialized views of a schema until the end of the transaction.

    LOCK does not accept a materialized view; giving one the owner that it has changes nothing and takes the same lock.
    """
    rows = connection.execute(
        "SELECT relname, relkind = 'm', pg_get_userbyid(relowner) FROM pg_class "
        "WHERE relnamespace = to_regnamespace(quote_ident(%s)) AND relkind IN ('r', 'p', 'm') AND NOT relispartition",
        [schema],
    ).fetchall()
    lock, own = sql.SQL("LOCK TABLE ONLY {}"), sql.SQL("ALTER MATERIALIZED VIEW {} OWNER TO {}")
    statements = [
        own.format(sql.Identifier(schema, str(name)), sql.Identifier(str(owner)))
        if is_view
        else lock.format(sql.Identifier(schema, str(name)))
        for name, is_view, owner in rows
    ]
    return [statement.as_string(connection) for statement in statements]


def _move_bookkeeping(connection: Connection, old: str, new: str) -> None:
    """Record for the schema ``new`` what is recorded for ``old``; the records of an earlier ``new`` go."""
    dropping.forget(connection, new)
    for table in dropping.SCHEMA_RECORDS:
        move = sql.SQL("UPDATE edu_pipeline.{} SET target_schema = %s WHERE target_schema = %s")
        connection.execute(move.format(sql.Identifier(table)), [new, old])
    ledger.rename_schema(connection, old, new)
