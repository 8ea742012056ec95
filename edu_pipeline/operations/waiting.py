"""Waiting for sessions that use a schema's tables, up to a limit, and naming those that do not finish.

Belongs here: the limit of a wait for table locks, waiting for old snapshots, and the error that says who is in the way.
Does not belong here: advisory locks (``locks.py``), what is done after the wait (``swap.py``, ``dropping.py``).
"""

from __future__ import annotations

import time

from edu_pipeline.database import locks
from edu_pipeline.database.connection import Connection
from edu_pipeline.errors import SwapBlocked

SNAPSHOTS = """
    SELECT pid, backend_xmin::text, coalesce(application_name, '')
    FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_xmin IS NOT NULL
        AND coalesce(backend_type, 'client backend') = 'client backend'
"""
"""Which session reads with which snapshot; any role may see these columns. A row that has disappeared means that the
session has released that snapshot."""


def limit_lock_waits(connection: Connection, seconds: float) -> None:
    """Until the end of the transaction, wait at most ``seconds`` for a lock."""
    connection.execute("SELECT set_config('lock_timeout', %s, true)", [f"{seconds * 1000:.0f}ms"])


def await_old_snapshots(connection: Connection, live: str, patience: float, deadline: float) -> None:
    """Return when nobody reads with a snapshot as old as this call any more.

    Args:
        live: the live schema, for the error.
        patience: how many seconds the wait was allowed to take, for the error.
        deadline: when to stop waiting, by ``time.monotonic()``.

    Raises:
        SwapBlocked: some sessions still had such a snapshot at the deadline.
    """
    old = set(connection.execute(SNAPSHOTS).fetchall())
    connection.commit()
    while old:
        if time.monotonic() > deadline:
            readers = ", ".join(f"{pid} {name}".strip() for pid, _, name in sorted(old, key=str))
            raise SwapBlocked(
                f"schema {live}",
                f"expected the transactions that began before the new rows to end within {patience:.0f} s, found "
                f"{readers} still reading.",
                "End them (a backup, a report; pg_terminate_backend) and try again; nothing has changed.",
            )
        time.sleep(0.1)
        old &= set(connection.execute(SNAPSHOTS).fetchall())
        connection.commit()


def blocked(connection: Connection, schema: str, patience: float) -> SwapBlocked:
    """The error that names the sessions that use a schema's tables; the transaction is rolled back.

    Args:
        patience: how many seconds they had to finish.
    """
    connection.rollback()
    holders = locks.holders(connection, schema)
    connection.commit()
    return SwapBlocked(
        f"schema {schema}",
        f"expected the loads and transactions that use its tables to end within {patience:.0f} s, found "
        f"{', '.join(holders) or 'one that has just ended'}.",
        "Look at the runs in the UI, or up these process ids in pg_stat_activity; end them (pg_terminate_backend) and "
        "try again; nothing has changed.",
    )
