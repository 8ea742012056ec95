"""What is written of a run in batches is what Dagster's own storage writes one by one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dagster as dg
import psycopg
import pytest

from edu_pipeline.database.connection import Database
from edu_pipeline.orchestration.dagster_internals import EventLog, run_job
from edu_pipeline.orchestration.event_batches import EventBatches
from edu_pipeline.orchestration.home import home
from edu_pipeline.settings import settings
from edu_pipeline_tests.orchestration.steps import job_of

EVENTS = """
    SELECT dagster_event_type, step_key, asset_key, partition,
        event::jsonb #>> '{dagster_event,event_specific_data,check_name}'
    FROM dagster.event_logs WHERE run_id = %s ORDER BY id
"""
CHECKS = """
    SELECT c.asset_key, c.check_name, c.partition, c.execution_status, made.dagster_event_type, told.dagster_event_type,
        c.evaluation_event = told.event, c.evaluation_event_timestamp = told.timestamp
    FROM dagster.asset_check_executions AS c
    LEFT JOIN dagster.event_logs AS made ON made.id = c.materialization_event_storage_id AND made.run_id = c.run_id
    LEFT JOIN dagster.event_logs AS told ON told.id = c.evaluation_event_storage_id AND told.run_id = c.run_id
    WHERE c.run_id = %s ORDER BY check_name
"""


@dg.asset(check_specs=[dg.AssetCheckSpec(name, asset="checked") for name in ("filled", "fresh", "keyed")])
def checked() -> Iterator[Any]:
    """An asset with three checks, one of which fails."""
    results = [dg.AssetCheckResult(passed=name != "fresh", check_name=name) for name in ("filled", "fresh", "keyed")]
    yield dg.MaterializeResult(check_results=results)


@dg.asset(deps=[checked])
def failing() -> None:
    """An asset that is never there."""
    raise ValueError


@pytest.fixture
def instance(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance with the product's storage."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("EDU_DATABASE_URL", database.url)
    settings.cache_clear()
    with dg.DagsterInstance.from_config(home(settings())) as instance:
        yield instance


def one_by_one(instance: dg.DagsterInstance) -> None:
    """Let the storage write events as Dagster's own does."""
    log: Any = instance.event_log_storage
    log.store_event = type(log).store_event.__get__(log)


def written(database: Database, run_id: str) -> tuple[list[Any], list[Any]]:
    """The events and the latest states of checks of a run."""
    with psycopg.connect(database.url) as connection:
        return connection.execute(EVENTS, [run_id]).fetchall(), connection.execute(CHECKS, [run_id]).fetchall()


def test_batches_are_what_dagster_writes(instance: dg.DagsterInstance, database: Database) -> None:
    runs = [run_job(job_of([checked, failing]), instance, lambda _: None)]
    one_by_one(instance)
    runs.append(run_job(job_of([checked, failing]), instance, lambda _: None))
    (events, checks), (their_events, their_checks) = (written(database, run_id) for run_id in runs)
    assert events == their_events and len(events) > 15
    assert checks == their_checks
    assert [(check[1], check[3], check[4]) for check in checks] == [
        (name, state, "ASSET_MATERIALIZATION")
        for name, state in (("filled", "SUCCEEDED"), ("fresh", "FAILED"), ("keyed", "SUCCEEDED"))
    ]


def test_announced_checks_are_written_before_the_run_begins(instance: dg.DagsterInstance, database: Database) -> None:
    seen: list[Any] = []

    @dg.asset(check_specs=[dg.AssetCheckSpec("filled", asset="looking")])
    def looking() -> Any:
        with psycopg.connect(database.url) as connection:
            states = "SELECT check_name, execution_status FROM dagster.asset_check_executions"
            seen.extend(connection.execute(states).fetchall())
        yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])

    run_job(job_of([looking]), instance, lambda _: None)
    assert seen == [("filled", "PLANNED")]


class Log(EventLog):
    """A log that fails as long as it is broken; it keeps what it is told."""

    def __init__(self) -> None:
        self.broken = True
        self.told: list[Any] = []
        self.store = lambda event: self.told.append([event.dagster_event_type])

    def row(self, event: dg.EventLogEntry) -> dict[str, Any]:
        return {"dagster_event_type": event.dagster_event_type, "event": "", "timestamp": 0.0}

    def execute(self, statement: str, values: Any) -> list[int]:
        if self.broken:
            raise ConnectionError
        self.told.append(values.get("dagster_event_type", values.get("status")))
        return [1] * len(values["event"])


def test_events_that_cannot_be_written_wait_on() -> None:
    events: list[dg.EventLogEntry] = []
    with dg.DagsterInstance.ephemeral() as instance:
        run_job(job_of([checked]), instance, events.append)
    of_step = [event for event in events if event.step_key == "checked" and "STEP" in str(event.dagster_event_type)]
    *outputs, success = of_step[of_step.index(next(e for e in of_step if "OUTPUT" in str(e.dagster_event_type))) :]
    log = Log()
    batches = EventBatches(log)
    for event in outputs:
        batches.store_event(event)
    with pytest.raises(ConnectionError):
        batches.store_event(success)
    assert log.told == []
    log.broken = False
    batches.store_event(success)
    output = dg.DagsterEventType.STEP_OUTPUT
    assert log.told == [[output] * 4, [dg.DagsterEventType.STEP_SUCCESS]]
