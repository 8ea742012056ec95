"""The advisory locks: who may do what at the same time, one function for each lock.

Belongs here: every advisory lock of this product, and finding out who holds one. Does not belong here: locks on tables,
which statements take implicitly.

A process that takes several takes them in this order, so that no two processes wait for each other:

1. ``run_alive``       a run, as long as its process lives
2. ``one_run``         one run, or rollback, of a target schema at a time
3. ``rebuild_claim``   claiming the rebuild of a target schema, then ``rebuilding`` as long as the rebuild lasts
4. ``migrating``       one migration of a schema at a time
5. ``schema_in_use``   loads and refreshes share it
6. ``table_loading``   one load of a table at a time

``schema_swapped`` takes 4 and 5, both exclusively. Locks 1 to 4 belong to the session: they are released at the end of
the block, ``rebuilding`` at the end of the session. The others end with the transaction. The server releases all of
them when a process dies.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.errors import TableBusy

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


@contextmanager
def run_alive(connection: Connection, run_id: str) -> Iterator[None]:
    """Show that the process of a run is alive, as long as the block lasts."""
    with _session_lock(connection, _key("alive", run_id)):
        yield


def is_run_alive(connection: Connection, run_id: str) -> bool:
    """Whether the process of a run is alive."""
    return _is_held(connection, _key("alive", run_id))


@contextmanager
def one_run(database: Database, waiting: Callable[[str], None]) -> Iterator[None]:
    """Load, or roll back, while no other run does.

    Args:
        waiting: called with a message if this run has to wait for another one.
    """
    text = f"another run loads into {database.schema}: this one waits for it to end"
    key = _key("run", database.schema)
    with database.connect() as connection, _session_lock(connection, key, lambda: waiting(text)):
        yield


@contextmanager
def rebuild_claim(connection: Connection, live: str) -> Iterator[None]:
    """Claim the rebuild of a schema, one process at a time.

    Args:
        live: the schema that the rebuild will replace.
    """
    with _session_lock(connection, _key("rebuild", live)):
        yield


def rebuilding(connection: Connection, live: str, run_id: str) -> None:
    """Show until the session ends that the rebuild ``run_id`` is under way; every process of the run does so."""
    connection.execute("SELECT pg_advisory_lock_shared(hashtextextended(%s, 0))", [_rebuild_key(live, run_id)])


def is_rebuilding(connection: Connection, live: str, run_id: str) -> bool:
    """Whether a process of the rebuild ``run_id`` is alive."""
    return _is_held(connection, _rebuild_key(live, run_id))


@contextmanager
def migrating(connection: Connection, schema: str) -> Iterator[None]:
    """Migrate a schema while nobody else does. A lock of the session, since every migration has its own transaction."""
    with _session_lock(connection, _migration_key(schema)):
        yield


def schema_in_use(connection: Connection, schema: str) -> None:
    """Keep ``schema`` from being swapped until the transaction ends; wait for a swap that is under way."""
    connection.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended(%s, 0))", [_use_key(schema)])


def schema_swapped(connection: Connection, schema: str) -> None:
    """Keep others from loading into ``schema`` or migrating it until the transaction ends; wait for those who do.

    Raises:
        psycopg.errors.LockNotAvailable: they did not end within the session's ``lock_timeout``.
    """
    for key in (_migration_key(schema), _use_key(schema)):
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


def table_loading(connection: Connection, schema: str, table: str, patience: str = "10min") -> None:
    """Keep others from loading ``table`` until the transaction ends.

    Args:
        patience: how long to wait for a load that is under way, as PostgreSQL writes a time.

    Raises:
        TableBusy: it did not end in time.
    """
    try:
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [patience])
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [_key("load", f"{schema}.{table}")])
        connection.execute("SET LOCAL lock_timeout = 0")
    except psycopg.errors.LockNotAvailable as error:
        raise TableBusy(
            f"table {table}",
            f"expected the previous load of it to end within {patience}, found it still running.",
            "See what runs in the UI or in pg_stat_activity; load again when it has ended.",
        ) from error


def holders(connection: Connection, schema: str) -> list[str]:
    """Process id and name of every other session that holds a lock on a table of ``schema`` or loads into it."""
    rows = connection.execute(HOLDERS, {"schema": schema, "key": _use_key(schema)})
    return [f"{pid} {name}".strip() for pid, name in rows]


@contextmanager
def _session_lock(connection: Connection, key: str, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold a lock of the session as long as the block lasts.

    Args:
        waiting: called if another session holds it.
    """
    if connection.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [key]).fetchone() != (True,):
        waiting()
        connection.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [key])
    connection.commit()
    try:
        yield
    finally:
        if not connection.closed:
            connection.rollback()
            connection.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [key])
            connection.commit()


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
