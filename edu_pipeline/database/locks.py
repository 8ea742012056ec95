"""The locks: who may do what at the same time, one function for each lock.

Belongs here: every lock that this product takes on purpose, and finding out who holds one. Does not belong here: locks
on tables, which statements take implicitly.

A process that takes several takes them in this order, so that no two processes wait for each other:

1. ``run_alive``       a run, as long as its process lives
2. ``one_run``         one run, or rollback, of a target schema at a time
3. ``archive_in_use``  runs and fetches share it; ``archive_pruned`` takes it alone
4. ``rebuild_claim``   claiming the rebuild of a target schema, then ``rebuilding`` as long as the rebuild lasts
5. ``migrating``       one migration of a schema at a time
6. ``schema_in_use``   loads and refreshes share it
7. ``table_loading``   one load of a table at a time

``schema_swapped`` takes 5 and 6, both exclusively. Locks 1 to 5 are released at the end of the block, ``rebuilding``
when its connection is given back. The others end with the transaction. The server releases all of them when a process
dies.

All are advisory but ``one_run``, which any role that may connect could otherwise hold for ever: it is a lock on a table
that only the owner may touch. Whoever waits does so up to a limit, and says then who is in the way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import LiteralString

import psycopg
from psycopg import sql

from edu_pipeline.database.connection import Connection, Database, check_migrated
from edu_pipeline.errors import TableBusy, WaitTooLong

HOLDERS = """
    SELECT DISTINCT pid, coalesce(application_name, '')
    FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
    WHERE a.datname = current_database() AND pid <> pg_backend_pid() AND l.granted AND (
        l.relation IN (SELECT oid FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%(schema)s)))
        OR l.locktype = 'advisory' AND (l.classid::bigint << 32) | l.objid::bigint = hashtextextended(%(key)s, 0)
    )
    ORDER BY 1
"""
"""The other sessions of this database that hold a lock on a relation of ``schema`` or the advisory lock ``key``."""

HOLDERS_OF_LOCK = """
    SELECT pid, usename, application_name, backend_start FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE locktype = 'advisory' AND granted AND datname = current_database() AND pid <> pg_backend_pid()
        AND (classid::bigint << 32) | objid::bigint = hashtextextended(%(lock)s, 0)
    ORDER BY backend_start
"""

HOLDERS_OF_TABLE = """
    SELECT pid, usename, application_name, backend_start FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE relation = %(lock)s::regclass AND granted AND datname = current_database() AND pid <> pg_backend_pid()
    ORDER BY backend_start
"""

NO_TIME_LIMIT = """
    SELECT set_config(name, '0', true) FROM pg_settings
    WHERE name IN ('idle_in_transaction_session_timeout', 'transaction_timeout')
"""
"""For the transaction that lasts as long as a run."""

TRY_LOCK = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"

ARCHIVE = "edu_pipeline.archive:"
"""The key of the archive's lock. An archive that several databases use is pruned from one of them only."""

PATIENCE = timedelta(hours=1)
"""How long to wait for another process."""

OF_TABLE = timedelta(minutes=10)
"""How long to wait for another load of the same table; the step is tried again later."""


@contextmanager
def run_alive(connection: Connection, run_id: str) -> Iterator[None]:
    """Show that the process of a run is alive, as long as the block lasts."""
    with _session_lock(connection, _key("alive", run_id), f"the process of run {run_id}"):
        yield


def is_run_alive(connection: Connection, run_id: str) -> bool:
    """Whether the process of a run is alive."""
    return _is_held(connection, _key("alive", run_id))


@contextmanager
def one_run(database: Database, waiting: Callable[[str], None], patience: timedelta = PATIENCE) -> Iterator[None]:
    """Load, or roll back, while no other run does.

    The lock lasts as long as a transaction that does nothing else; it has no snapshot, so it keeps nobody from cleaning
    up.

    Args:
        waiting: called with a message if this run has to wait for another one; it names the holder.
        patience: how long to wait for it.

    Raises:
        WaitTooLong: it did not end in time; the text names the holder.
        SchemaMissing: the database was never migrated.
        DatabaseUnreachable: the server does not answer.
    """
    turn = sql.Identifier("edu_pipeline", f"one_run_{database.schema}")
    lock = sql.SQL("LOCK TABLE {} IN EXCLUSIVE MODE").format(turn)
    what = f"another run that loads into {database.schema}"
    with database.connect() as connection:
        try:
            connection.execute(sql.SQL("CREATE TABLE IF NOT EXISTS {} ()").format(turn))
        except psycopg.errors.InvalidSchemaName:
            connection.rollback()
            check_migrated(connection, database.schema)
        connection.commit()
        connection.execute(NO_TIME_LIMIT)
        try:
            with connection.transaction():
                connection.execute(sql.SQL("{} NOWAIT").format(lock))
        except psycopg.errors.LockNotAvailable:
            by = _in_the_way(connection, HOLDERS_OF_TABLE, turn.as_string(connection))
            waiting(f"{what} has not ended: this one waits for {by}")
            _limit(connection, patience)
            try:
                with connection.transaction():
                    connection.execute(lock)
            except psycopg.errors.LockNotAvailable as error:
                by = _in_the_way(connection, HOLDERS_OF_TABLE, turn.as_string(connection))
                raise _too_long(database.place, what, patience, by) from error
        yield


@contextmanager
def archive_in_use(connection: Connection) -> Iterator[None]:
    """Keep the archive from being pruned, as long as the block lasts; wait for the end of a pruning.

    Raises:
        WaitTooLong: it did not end in time.
    """
    with _session_lock(connection, ARCHIVE, "the pruning of the archive", shared=True):
        yield


@contextmanager
def archive_pruned(database: Database, patience: timedelta = PATIENCE) -> Iterator[None]:
    """Prune the archive while no run and no fetch reads it.

    It is asked for again and again rather than queued for: a run that holds the lock and asks for it once more, in a
    fetch, must not wait behind a pruning that waits for the run.

    Raises:
        WaitTooLong: some did not end in time.
        DatabaseUnreachable: the server does not answer.
    """
    end = time.monotonic() + patience.total_seconds()
    with database.connect() as connection:
        while connection.execute(TRY_LOCK, [ARCHIVE]).fetchone() != (True,):
            connection.commit()
            if time.monotonic() > end:
                by = _in_the_way(connection, HOLDERS_OF_LOCK, ARCHIVE)
                raise _too_long(database.place, "the runs and fetches that use the archive", patience, by)
            time.sleep(1)
        connection.commit()
        yield


@contextmanager
def rebuild_claim(connection: Connection, live: str) -> Iterator[None]:
    """Claim the rebuild of a schema, one process at a time.

    Args:
        live: the schema that the rebuild will replace.

    Raises:
        WaitTooLong: another process did not end claiming it in time.
    """
    with _session_lock(connection, _key("rebuild", live), f"another rebuild of {live}, which prepares its schema,"):
        yield


def rebuilding(connection: Connection, live: str, run_id: str) -> None:
    """Show that the rebuild ``run_id`` is under way until the connection is given back, as every process of it does."""
    connection.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", [_rebuild_key(live, run_id)])


def is_rebuilding(connection: Connection, live: str, run_id: str) -> bool:
    """Whether a process of the rebuild ``run_id`` is alive."""
    return _is_held(connection, _rebuild_key(live, run_id))


@contextmanager
def migrating(connection: Connection, schema: str) -> Iterator[None]:
    """Migrate a schema while nobody else does. A lock of the session, since every migration has its own transaction.

    Raises:
        WaitTooLong: another migration did not end in time.
    """
    with _session_lock(connection, _migration_key(schema), f"another migration of {schema}"):
        yield


def schema_in_use(connection: Connection, schema: str) -> None:
    """Keep ``schema`` from being swapped until the transaction ends; wait for a swap that is under way.

    Raises:
        WaitTooLong: it did not end in time.
    """
    if by := _blocked(connection, _use_key(schema), PATIENCE, shared=True):
        raise _too_long(f"schema {schema}", "the swap of the schema", PATIENCE, by)


def schema_swapped(connection: Connection, schema: str) -> None:
    """Keep others from loading into ``schema`` or migrating it until the transaction ends; wait for those who do.

    Raises:
        psycopg.errors.LockNotAvailable: they did not end within the session's ``lock_timeout``.
    """
    for key in (_migration_key(schema), _use_key(schema)):
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


def table_loading(connection: Connection, schema: str, table: str, patience: timedelta = OF_TABLE) -> None:
    """Keep others from loading ``table`` until the transaction ends.

    Args:
        patience: how long to wait for a load that is under way.

    Raises:
        TableBusy: it did not end in time.
    """
    if by := _blocked(connection, _key("load", f"{schema}.{table}"), patience):
        raise TableBusy(
            f"table {table}",
            f"expected the previous load of it to end within {_minutes(patience)}, found it still running: {by}.",
            "See what runs in the UI or in pg_stat_activity; load again when it has ended.",
        )


def holders(connection: Connection, schema: str) -> list[str]:
    """Process id and name of every other session that holds a lock on a table of ``schema`` or loads into it."""
    rows = connection.execute(HOLDERS, {"schema": schema, "key": _use_key(schema)})
    return [f"{pid} {name}".strip() for pid, name in rows]


@contextmanager
def _session_lock(connection: Connection, key: str, what: str, shared: bool = False) -> Iterator[None]:
    """Hold an advisory lock of the session as long as the block lasts.

    Args:
        what: what holds it if another session does, for the error.

    Raises:
        WaitTooLong: another session held it for too long.
    """
    function = sql.SQL("pg_advisory_lock_shared" if shared else "pg_advisory_lock")
    try:
        _limit(connection, PATIENCE)
        connection.execute(sql.SQL("SELECT {}(hashtextextended(%s, 0))").format(function), [key])
        connection.commit()
    except psycopg.errors.LockNotAvailable as error:
        connection.rollback()
        by = _in_the_way(connection, HOLDERS_OF_LOCK, key)
        raise _too_long(f"database {connection.info.dbname}", what, PATIENCE, by) from error
    release = sql.SQL("pg_advisory_unlock_shared" if shared else "pg_advisory_unlock")
    try:
        yield
    finally:
        if not connection.closed:
            connection.rollback()
            connection.execute(sql.SQL("SELECT {}(hashtextextended(%s, 0))").format(release), [key])
            connection.commit()


def _blocked(connection: Connection, key: str, patience: timedelta, shared: bool = False) -> str | None:
    """Take an advisory lock until the end of the transaction.

    Returns:
        Who is in the way, if it could not be taken in time; the transaction goes on all the same.
    """
    function = sql.SQL("pg_advisory_xact_lock_shared" if shared else "pg_advisory_xact_lock")
    _limit(connection, patience)  # begins the transaction, in which the next block is a savepoint
    try:
        with connection.transaction():
            connection.execute(sql.SQL("SELECT {}(hashtextextended(%s, 0))").format(function), [key])
    except psycopg.errors.LockNotAvailable:
        return _in_the_way(connection, HOLDERS_OF_LOCK, key)
    connection.execute("SET LOCAL lock_timeout = 0")
    return None


def _minutes(patience: timedelta) -> str:
    return f"{patience.total_seconds() / 60:.0f} min"


def _limit(connection: Connection, patience: timedelta) -> None:
    """Until the end of the transaction, wait at most that long for a lock."""
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{patience.total_seconds() * 1000:.0f}ms"])


def _in_the_way(connection: Connection, holders: LiteralString, lock: str) -> str:
    """Who holds a lock: process, user, application, and since when it is connected, as far as this login may see it."""
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL ROLE NONE")  # the owner's role, taken by every connection, sees less
        rows = connection.execute(holders, {"lock": lock}).fetchall()
    return (
        ", ".join(
            f"process {pid} of {user or 'another role'}{f' ({application})' if application else ''}"
            f"{f', connected since {since:%Y-%m-%d %H:%M:%S}' if isinstance(since, datetime) else ''}"
            for pid, user, application, since in rows
        )
        or "a session that has just ended"
    )


def _too_long(where: str, what: str, patience: timedelta, by: str) -> WaitTooLong:
    return WaitTooLong(
        where,
        f"expected {what} to end within {_minutes(patience)}, found {by}.",
        "Look it up in the UI or in pg_stat_activity. If it has no business there, end it (pg_terminate_backend); then "
        "try again.",
    )


def _is_held(connection: Connection, key: str) -> bool:
    """Whether any session, this one included, holds the lock."""
    rows = connection.execute(
        "SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted "
        "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND (classid::bigint << 32) | objid::bigint = hashtextextended(%s, 0)",
        [key],
    )
    return rows.fetchone() is not None


def _key(purpose: str, subject: str) -> str:
    """The text that names a lock; its 64-bit hash is the lock's number."""
    return f"edu_pipeline.{purpose}:{subject}"


def _rebuild_key(live: str, run_id: str) -> str:
    return _key("rebuild", f"{live}:{run_id}")


def _migration_key(schema: str) -> str:
    return _key("migrate", schema)


def _use_key(schema: str) -> str:
    return _key("schema", schema)
