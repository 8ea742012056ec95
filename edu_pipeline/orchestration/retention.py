"""Pruning Dagster's own storage: runs with their events and logs, events without a run, results of checks, ticks.

Belongs here: what Dagster keeps for ever and nobody needs any more. Does not belong here: ticks while the daemon runs,
which it removes itself (``retention:`` in `dagster.yaml`); releases and the ledger (``operations/prune.py``).

For runs Dagster has public methods. It has none for the rest, so that is SQL, on the connections of its own storages.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from sqlalchemy import text

from edu_pipeline.orchestration.dagster_internals import events_connection, ticks_connection

SKIPPED_DAYS = 7
"""Days for which ticks that did nothing are kept, as `dagster.yaml` has it for the daemon."""

FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]

AT_ONCE = 1_000
"""Runs that are looked up at the same time."""

NEWEST_OF_ASSETS = text("""
    SELECT DISTINCT run_id FROM event_logs WHERE id IN (
        SELECT max(id) FROM event_logs WHERE dagster_event_type = 'ASSET_MATERIALIZATION' GROUP BY asset_key
    )
""")

WITHOUT_RUN = text("""
    SELECT id FROM event_logs WHERE run_id = '' AND timestamp < :before AND id NOT IN (
        SELECT max(id) FROM event_logs WHERE run_id = '' GROUP BY asset_key, dagster_event_type
    )
""")

OLD_RESULTS = text("""
    SELECT id FROM asset_check_executions WHERE create_timestamp < :before AND id NOT IN (
        SELECT max(id) FROM asset_check_executions GROUP BY asset_key, check_name
    )
""")

OLD_TICKS = text("""
    SELECT id FROM job_ticks WHERE timestamp < CASE status WHEN 'SKIPPED' THEN :skipped_before ELSE :before END
        AND id NOT IN (SELECT max(id) FROM job_ticks GROUP BY job_origin_id, selector_id)
""")

DELETE_TAGS = text("DELETE FROM asset_event_tags WHERE event_id = ANY (:ids)")
DELETE_EVENTS = text("DELETE FROM event_logs WHERE id = ANY (:ids)")
DELETE_RESULTS = text("DELETE FROM asset_check_executions WHERE id = ANY (:ids)")
DELETE_TICKS = text("DELETE FROM job_ticks WHERE id = ANY (:ids)")


@dataclass(frozen=True)
class Forgotten:
    """What was removed of Dagster's storage, or would be.

    Attributes:
        runs: with their events and logs.
        events: that belong to no run, such as what the command line reports of sources.
        results: of checks.
        ticks: of sensors and schedules.
    """

    runs: int
    events: int
    results: int
    ticks: int


def forget(instance: dg.DagsterInstance, days: int, now: datetime, *, dry_run: bool = False) -> Forgotten:
    """Remove what is older than ``days`` and not the newest of its kind: the newest materialization of each asset, the
    newest result of each check and the newest tick of each sensor and schedule stay, with their run.

    Args:
        now: the present, with a zone.
        dry_run: only say what would be removed.
    """
    before = now - timedelta(days=days)
    runs = _old_runs(instance, before)
    moments = {"before": _stored(before), "skipped_before": _stored(now - timedelta(days=min(days, SKIPPED_DAYS)))}
    with events_connection(instance) as connection:
        events, results = (_ids(connection, statement, moments) for statement in (WITHOUT_RUN, OLD_RESULTS))
        if not dry_run:
            connection.execute(DELETE_TAGS, {"ids": events})
            connection.execute(DELETE_EVENTS, {"ids": events})
            connection.execute(DELETE_RESULTS, {"ids": results})
    with ticks_connection(instance) as connection:
        ticks = _ids(connection, OLD_TICKS, moments)
        if not dry_run:
            connection.execute(DELETE_TICKS, {"ids": ticks})
    if not dry_run:
        for run_id in runs:
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            instance.delete_run(run_id)
    return Forgotten(len(runs), len(events), len(results), len(ticks))


def _old_runs(instance: dg.DagsterInstance, before: datetime) -> list[str]:
    """The runs that ended before, but for those with the newest materialization of an asset."""
    with events_connection(instance) as connection:
        kept = {str(run_id) for (run_id,) in connection.execute(NEWEST_OF_ASSETS)}
    filters = dg.RunsFilter(statuses=FINISHED, updated_before=before)
    found: list[str] = []
    cursor: str | None = None
    while records := instance.get_run_records(filters, limit=AT_ONCE, cursor=cursor):
        found += [record.dagster_run.run_id for record in records]
        cursor = found[-1]
    return [run_id for run_id in found if run_id not in kept]


def _ids(connection: Any, statement: Any, moments: dict[str, datetime]) -> list[int]:
    parameters = {name: moment for name, moment in moments.items() if f":{name}" in str(statement)}
    return [int(identifier) for (identifier,) in connection.execute(statement, parameters)]


def _stored(moment: datetime) -> datetime:
    """A time as Dagster stores it: in UTC, without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)
