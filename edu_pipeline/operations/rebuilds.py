"""The record of full rebuilds: who rebuilds which schema, since when, and how it ended.

Belongs here: reading and writing ``edu_pipeline.rebuilds``. Does not belong here: deciding whether a rebuild may start
(``rebuild_claim.py``). The caller commits.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row

from edu_pipeline.database.connection import Connection

Outcome = Literal["swapped", "not swapped", "abandoned"]
"""``not swapped``: it failed or was ended. ``abandoned``: it was killed, and a later rebuild noticed."""

BETWEEN_STEPS = "2 minutes"
"""How long an executor with one process per step may take to start the next step."""


@dataclass(frozen=True)
class Rebuild:
    """A rebuild that has not finished.

    Attributes:
        seen_lately: whether one of its steps started within ``BETWEEN_STEPS``.
    """

    run_id: str
    started_by: str
    started_at: datetime
    seen_lately: bool


def unfinished(connection: Connection, live: str) -> Rebuild | None:
    """The rebuild of the live schema that has no outcome yet."""
    if not _is_migrated(connection):
        return None
    with connection.cursor(row_factory=class_row(Rebuild)) as cursor:
        return cursor.execute(
            "SELECT run_id, started_by, started_at, seen_at > clock_timestamp() - %s::interval AS seen_lately "
            "FROM edu_pipeline.rebuilds WHERE target_schema = %s AND outcome IS NULL",
            [BETWEEN_STEPS, live],
        ).fetchone()


def is_finished(connection: Connection, run_id: str) -> bool:
    """Whether the rebuild of this run has an outcome."""
    if not _is_migrated(connection):
        return False
    rows = connection.execute(
        "SELECT FROM edu_pipeline.rebuilds WHERE run_id = %s AND outcome IS NOT NULL LIMIT 1", [run_id]
    )
    return rows.fetchone() is not None


def start(connection: Connection, live: str, run_id: str) -> None:
    """Record that this process has started a rebuild of the live schema."""
    connection.execute(
        "INSERT INTO edu_pipeline.rebuilds (target_schema, run_id, started_by) VALUES (%s, %s, %s)",
        [live, run_id, f"process {os.getpid()} on {socket.gethostname()}"],
    )


def see(connection: Connection, run_id: str) -> None:
    """Record that a step of the rebuild starts now."""
    connection.execute("UPDATE edu_pipeline.rebuilds SET seen_at = clock_timestamp() WHERE run_id = %s", [run_id])


def finish(connection: Connection, run_id: str, outcome: Outcome) -> None:
    """Record how a rebuild ended, unless that is recorded already."""
    connection.execute(
        "UPDATE edu_pipeline.rebuilds SET finished_at = clock_timestamp(), outcome = %s "
        "WHERE run_id = %s AND outcome IS NULL",
        [outcome, run_id],
    )


def _is_migrated(connection: Connection) -> bool:
    return connection.execute("SELECT to_regclass('edu_pipeline.rebuilds')").fetchone() != (None,)
