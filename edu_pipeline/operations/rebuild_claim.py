"""One full rebuild of a schema at a time: who is at it, and what a second one is told.

Belongs here: the claim that a run holds while it builds beside the live schema. Dagster's queue cannot give it, since
`dagster job execute` and the command line go past the queue. Does not belong here: preparing, swapping (``swap.py``);
that any two runs wait for each other (``locks.one_run``).

A claim is a row, which says who, and an advisory lock that every process of the run holds, which says that it lives:
after a kill the server has released it, and the next rebuild begins anew.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from edu_pipeline.database import locks
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.errors import RebuildUnderWay
from edu_pipeline.operations.swap import prepare

BETWEEN_STEPS = "2 minutes"
"""How long an executor with a process per step may take from one to the next, while none holds the lock."""


@contextmanager
def held(upcoming: Database, run_id: str, one_process: bool) -> Iterator[None]:
    """Hold the claim of ``run_id`` on the rebuild of a schema; the first process of the run prepares the schema.

    Args:
        upcoming: the database with the schema that is built.
        one_process: whether the whole run is in this process (else the claim outlives it).

    Raises:
        RebuildUnderWay: another run is at it.
        EduError: the schema cannot be prepared, see ``swap.prepare``.
    """
    assert upcoming.live is not None
    with upcoming.connect() as connection:
        with locks.rebuild_claim(connection, upcoming.live):
            _claim(connection, upcoming, run_id, one_process)
            locks.rebuilding(connection, upcoming.live, run_id)
        try:
            yield
        finally:
            if one_process and not connection.closed:
                close(connection, run_id, "not swapped")


def close(connection: Connection, run_id: str, outcome: str) -> None:
    """Note how a rebuild has ended, unless that is noted already."""
    connection.execute(
        "UPDATE edu_pipeline.rebuilds SET finished_at = clock_timestamp(), outcome = %s "
        "WHERE run_id = %s AND outcome IS NULL",
        [outcome, run_id],
    )
    connection.commit()


def _claim(connection: Connection, upcoming: Database, run_id: str, one_process: bool) -> None:
    if connection.execute("SELECT to_regclass('edu_pipeline.rebuilds')").fetchone() != (None,):
        ended = "SELECT FROM edu_pipeline.rebuilds WHERE run_id = %s AND outcome IS NOT NULL"
        if connection.execute(ended, [run_id]).fetchone() is not None:
            return  # Dagster makes the resources of a run once more when it has ended
        other = connection.execute(
            "SELECT run_id, started_by, started_at, seen_at > clock_timestamp() - %s::interval "
            "FROM edu_pipeline.rebuilds WHERE target_schema = %s AND outcome IS NULL",
            [BETWEEN_STEPS, upcoming.live],
        ).fetchone()
        if other and other[0] == run_id:
            _seen(connection, run_id)
            return
        if other and (
            locks.is_rebuilding(connection, str(upcoming.live), str(other[0])) or (other[3] and not one_process)
        ):
            raise RebuildUnderWay(
                f"schema {upcoming.live}",
                f"expected no other full rebuild of it, found run {other[0]}, begun by {other[1]} at {other[2]:%H:%M}.",
                "Wait for it to end, or end it in the UI (Runs); then rebuild again.",
            )
        if other:
            close(connection, str(other[0]), "abandoned")
    connection.commit()
    prepare(upcoming)
    connection.execute(
        "INSERT INTO edu_pipeline.rebuilds (target_schema, run_id, started_by) VALUES (%s, %s, %s)",
        [upcoming.live, run_id, f"process {os.getpid()} on {socket.gethostname()}"],
    )
    connection.commit()


def _seen(connection: Connection, run_id: str) -> None:
    connection.execute("UPDATE edu_pipeline.rebuilds SET seen_at = clock_timestamp() WHERE run_id = %s", [run_id])
    connection.commit()
