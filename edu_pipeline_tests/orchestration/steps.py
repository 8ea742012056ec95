"""Runs of a few small assets by the threaded executor, for several test modules."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

import dagster as dg

from edu_pipeline.orchestration.dagster_internals import run_job
from edu_pipeline.orchestration.threaded_executor import in_process_executor
from edu_pipeline.settings import settings


def job_of(assets: Sequence[dg.AssetsDefinition]) -> dg.JobDefinition:
    """A job of all ``assets``, with the threaded executor."""
    job = dg.define_asset_job("all_assets", tags={"whose": "job", "kept": "yes"})
    return dg.Definitions(assets=assets, jobs=[job], executor=in_process_executor).resolve_job_def("all_assets")


def run_steps(
    assets: Sequence[dg.AssetsDefinition], steps_at_once: int, *, raise_on_error: bool = False
) -> dict[str, list[str]]:
    """Run ``assets`` with Dagster's state in memory.

    Returns:
        Step to the types of its events, in their order.
    """
    os.environ["EDU_STEPS_AT_ONCE"] = str(steps_at_once)
    settings.cache_clear()
    entries: list[dg.EventLogEntry] = []
    with dg.DagsterInstance.ephemeral() as instance:
        run_id = run_job(job_of(assets), instance, entries.append, raise_on_error=raise_on_error)
        assert instance.get_run_stats(run_id).end_time
        logged = [entry.dagster_event for entry in instance.all_logs(run_id) if entry.dagster_event]
    return step_events(logged)


def step_events(events: Iterable[dg.DagsterEvent]) -> dict[str, list[str]]:
    """Step to the types of its events, in their order."""
    steps: dict[str, list[str]] = {}
    for event in events:
        if event.step_key and event.event_type_value.startswith("STEP_"):
            steps.setdefault(event.step_key, []).append(event.event_type_value.removeprefix("STEP_"))
    return steps
