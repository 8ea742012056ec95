"""Writing what a step says of its checks at once.

Dagster writes every event by itself, with a statement, a commit and a notification that nobody listens to any more, and
that of a check with a second statement. A rebuild evaluates some four hundred checks, with two events each, and
announces them all before it begins: more work than a small rebuild's own. So these events wait for the next one of
another kind: at the latest the one that submits the run, or ends the step.

Belongs here: which events wait, and writing them. Does not belong here: what checks find (``check_results.py``).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

import dagster as dg

from edu_pipeline.orchestration.dagster_internals import CheckStatus, EventLog

EVALUATED, PLANNED = dg.DagsterEventType.ASSET_CHECK_EVALUATION, dg.DagsterEventType.ASSET_CHECK_EVALUATION_PLANNED
WAITING = {EVALUATED, PLANNED, dg.DagsterEventType.STEP_OUTPUT}

WRITE = """
    INSERT INTO event_logs (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition)
    SELECT run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition
    FROM unnest(%(run_id)s::text[], %(event)s::text[], %(dagster_event_type)s::text[], %(timestamp)s::timestamp[],
            %(step_key)s::text[], %(asset_key)s::text[], %(partition)s::text[]) WITH ORDINALITY
        AS e (run_id, event, dagster_event_type, timestamp, step_key, asset_key, partition, place)
    ORDER BY place
    RETURNING id
"""

NOTE_CHECKS = """
    MERGE INTO asset_check_executions AS c
    USING unnest(%(asset_key)s::text[], %(check_name)s::text[], %(run_id)s::text[], %(status)s::text[],
            %(event)s::text[], %(timestamp)s::timestamp[], %(id)s::bigint[], %(materialization)s::bigint[])
        AS e (asset_key, check_name, run_id, status, event, timestamp, id, materialization)
    ON c.asset_key = e.asset_key AND c.check_name = e.check_name AND c.run_id = e.run_id AND c.partition IS NULL
    WHEN MATCHED THEN UPDATE SET execution_status = e.status, evaluation_event = e.event,
        evaluation_event_timestamp = e.timestamp, evaluation_event_storage_id = e.id,
        materialization_event_storage_id = e.materialization
    WHEN NOT MATCHED THEN INSERT (asset_key, check_name, run_id, execution_status, evaluation_event,
            evaluation_event_timestamp, evaluation_event_storage_id, materialization_event_storage_id)
        VALUES (e.asset_key, e.check_name, e.run_id, e.status, e.event, e.timestamp, e.id, e.materialization)
"""


class EventBatches:
    """Takes the place of ``store_event`` of a log of events in PostgreSQL; one for all threads of a process."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._waiting: list[dg.EventLogEntry] = []
        self._lock = threading.RLock()

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Store an event, after those that wait, or let it wait too."""
        with self._lock:
            if event.run_id and event.dagster_event_type in WAITING:
                self._waiting.append(event)
                return
            self.write()
        self._log.store(event)

    def write(self) -> None:
        """Write the events that wait, all of them or none; if that fails they go on waiting."""
        with self._lock:
            if not self._waiting:
                return
            rows = [self._log.row(event) for event in self._waiting]
            with self._log.transaction() as execute:
                ids = execute(WRITE, {name: [row[name] for row in rows] for name in rows[0]})
                checks = _latest(
                    _of_check(event, row, number)
                    for event, row, number in zip(self._waiting, rows, ids, strict=True)
                    if event.dagster_event_type in (PLANNED, EVALUATED)
                )
                if checks:
                    execute(NOTE_CHECKS, {name: [check[name] for check in checks] for name in checks[0]})
            self._waiting.clear()


def _latest(checks: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last row of each check in a run: a statement may change a row only once."""
    return list({(check["asset_key"], check["check_name"], check["run_id"]): check for check in checks}.values())


def _of_check(event: dg.EventLogEntry, row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row of the latest state of a check in a run."""
    assert event.dagster_event is not None
    data: Any = event.dagster_event.event_specific_data
    status, materialization = CheckStatus.PLANNED, None
    if event.dagster_event_type == EVALUATED:
        status = CheckStatus.SUCCEEDED if data.passed else CheckStatus.FAILED
        materialization = data.target_materialization_data and data.target_materialization_data.storage_id
    return {
        "asset_key": data.asset_key.to_string(),
        "check_name": data.check_name,
        "run_id": event.run_id,
        "status": status.value,
        "event": row["event"],
        "timestamp": row["timestamp"],
        "id": number,
        "materialization": materialization,
    }
