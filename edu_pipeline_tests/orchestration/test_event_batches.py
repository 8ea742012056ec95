"""What is written of a run in batches is what Dagster's own storage writes one by one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import dagster as dg
import psycopg
import pytest
import sqlalchemy.exc

from edu_pipeline.database.connection import Database
from edu_pipeline.orchestration import event_batches
from edu_pipeline.orchestration.dagster_internals import run_job
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


def test_events_are_written_whole_or_wait_on(
    instance: dg.DagsterInstance, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the second statement of a batch fails, nothing of the first is left, and the next attempt writes both."""
    events: list[dg.EventLogEntry] = []
    with dg.DagsterInstance.ephemeral() as elsewhere:
        run_id = run_job(job_of([checked]), elsewhere, events.append)
    of_step = [event for event in events if event.step_key == "checked"]
    right = event_batches.NOTE_CHECKS
    monkeypatch.setattr(event_batches, "NOTE_CHECKS", right.replace("asset_check_executions", "nowhere"))
    for event in of_step[:-1]:
        if event.dagster_event_type in event_batches.WAITING:
            instance.event_log_storage.store_event(event)
    with pytest.raises(sqlalchemy.exc.ProgrammingError, match="nowhere"):
        instance.event_log_storage.store_event(of_step[-1])
    assert written(database, run_id) == ([], [])
    monkeypatch.setattr(event_batches, "NOTE_CHECKS", right)
    instance.event_log_storage.store_event(of_step[-1])
    kinds, checks = written(database, run_id)
    counts = Counter(kind for kind, *_ in kinds)
    assert counts == {
        "ASSET_CHECK_EVALUATION_PLANNED": 3,
        "ASSET_CHECK_EVALUATION": 3,
        "STEP_OUTPUT": 4,
        "STEP_SUCCESS": 1,
    }
    assert len(checks) == 3
