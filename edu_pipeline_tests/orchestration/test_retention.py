"""Pruning Dagster's storage: old runs, events, results and ticks go; the newest of each kind stays."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from edu_pipeline.cli.runs import dagster_instance
from edu_pipeline.database.connection import Database, target
from edu_pipeline.orchestration.dagster_internals import run_job
from edu_pipeline.orchestration.retention import Forgotten, forget
from edu_pipeline.orchestration.threaded_executor import in_process_executor
from edu_pipeline.settings import settings


@dg.asset
def often() -> None:
    """An asset of every run."""


@dg.asset(check_specs=[dg.AssetCheckSpec("fine", asset="once")])
def once() -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """An asset that only the first run makes."""
    yield dg.MaterializeResult(check_results=[dg.AssetCheckResult(check_name="fine", passed=True)])


@pytest.fixture
def instance(database: Database, monkeypatch: pytest.MonkeyPatch) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance on the test's own database."""
    monkeypatch.setenv("EDU_DATABASE_URL", database.url)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    settings.cache_clear()
    with dagster_instance(settings()) as instance:
        yield instance


def run(instance: dg.DagsterInstance, *keys: str) -> str:
    """Materialize assets in a run; its id."""
    definitions = dg.Definitions(assets=[often, once], jobs=[dg.define_asset_job("all")], executor=in_process_executor)
    selection = frozenset(map(dg.AssetKey, keys))
    return run_job(definitions.resolve_job_def("all"), instance, lambda _: None, asset_selection=selection)


def logs_of(run_id: str) -> Path:
    return Path(os.environ["DAGSTER_HOME"]) / "storage" / run_id


def test_the_newest_of_each_asset_stays(instance: dg.DagsterInstance) -> None:
    first, second, third = run(instance, "often", "once"), run(instance, "often"), run(instance, "often")
    for _ in range(3):
        instance.report_runless_asset_event(dg.AssetMaterialization("often"))
    now = datetime.now(UTC)
    assert forget(instance, 30, now) == Forgotten(0, 0, 0, 0)
    later = now + timedelta(days=31)
    foretold = forget(instance, 30, later, dry_run=True)
    assert foretold == Forgotten(runs=2, events=2, results=0, ticks=0)
    assert {record.dagster_run.run_id for record in instance.get_run_records()} == {first, second, third}
    assert logs_of(second).exists()
    assert forget(instance, 30, later) == foretold
    assert {record.dagster_run.run_id for record in instance.get_run_records()} == {first}
    assert logs_of(first).exists() and not logs_of(second).exists() and not logs_of(third).exists()
    assert not instance.all_logs(second)
    for key in ("often", "once"):
        assert instance.get_latest_materialization_event(dg.AssetKey(key)) is not None
    assert forget(instance, 30, later) == Forgotten(0, 0, 0, 0)


def test_old_results_of_checks_go_but_the_newest(instance: dg.DagsterInstance) -> None:
    for _ in range(3):
        run(instance, "once")
    later = datetime.now(UTC) + timedelta(days=31)
    assert forget(instance, 30, later).results == 2
    assert forget(instance, 30, later).results == 0


def test_old_ticks_go_but_the_newest(instance: dg.DagsterInstance) -> None:
    with target(settings()).connect() as connection:
        connection.execute(
            "INSERT INTO dagster.job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body) "
            "SELECT 'o', sensor, status, 'SENSOR', now() AT TIME ZONE 'UTC' - days * interval '1 day', '' "
            "FROM unnest('{SKIPPED,SUCCESS}'::text[]) AS status, unnest('{40,20,1}'::int[]) AS days, "
            "unnest('{a,b}'::text[]) AS sensor ORDER BY days DESC"
        )
    assert forget(instance, 30, datetime.now(UTC), dry_run=True).ticks == 6  # of each: both of day 40, one of day 20
    assert forget(instance, 30, datetime.now(UTC)).ticks == 6
    assert forget(instance, 30, datetime.now(UTC) + timedelta(days=99)).ticks == 4
