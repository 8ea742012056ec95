"""One full rebuild of a schema at a time: a run claims it, a second one is refused.

Belongs here: the claim that a run holds while it fills the next schema. Dagster's queue cannot provide it, since
`dagster job execute` and the command line bypass the queue. Does not belong here: the record of rebuilds
(``rebuilds.py``), preparing and swapping (``swap.py``), any two runs waiting for each other (``locks.one_run``).

A claim is a row, which says who rebuilds, and an advisory lock held by every process of the run, which says that the
run is alive: the server releases the lock when the process is killed, and the next rebuild then starts from scratch.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from edu_pipeline.database import locks
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.errors import RebuildUnderWay
from edu_pipeline.operations import rebuilds
from edu_pipeline.operations.swap import prepare


@contextmanager
def claim(upcoming: Database, run_id: str, one_process: bool) -> Iterator[None]:
    """Claim the rebuild of a schema for the run ``run_id``; its first process also prepares the next schema.

    Args:
        upcoming: the database with the next schema.
        one_process: whether this process is the whole run (if not, the claim outlives it).

    Raises:
        RebuildUnderWay: another run is rebuilding the schema.
        EduError: the next schema cannot be prepared, see ``swap.prepare``.
    """
    live = upcoming.live
    assert live is not None
    with upcoming.connect() as connection:
        with locks.rebuild_claim(connection, live):
            if not rebuilds.is_finished(connection, run_id):  # after a run, Dagster creates its resources once more
                _start_or_join(connection, upcoming, live, run_id, one_process)
            locks.rebuilding(connection, live, run_id)
        try:
            yield
        finally:
            if one_process and not connection.closed:
                rebuilds.finish(connection, run_id, "not swapped")
                connection.commit()


def _start_or_join(connection: Connection, upcoming: Database, live: str, run_id: str, one_process: bool) -> None:
    """Start the rebuild in this run's first process; in a later one, only record that the run is alive."""
    other = rebuilds.unfinished(connection, live)
    if other and other.run_id == run_id:
        rebuilds.see(connection, run_id)
        connection.commit()
        return
    if other:
        if locks.is_rebuilding(connection, live, other.run_id) or (other.seen_lately and not one_process):
            raise RebuildUnderWay(
                f"schema {live}",
                f"expected no other full rebuild of it, found run {other.run_id}, started by {other.started_by} at "
                f"{other.started_at:%H:%M}.",
                "Wait for it to end, or end it in the UI (Runs); then rebuild again.",
            )
        rebuilds.finish(connection, other.run_id, "abandoned")
    connection.commit()
    prepare(upcoming)
    rebuilds.start(connection, live, run_id)
    connection.commit()
