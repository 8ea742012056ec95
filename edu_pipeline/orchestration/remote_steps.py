"""Steps that other processes execute, on as many machines as there are.

Belongs here: what the executors for Dask and Celery have in common, at either end. Does not belong here: giving a step
away (``dask_executor.py``, ``celery_executor.py``), in which order steps run and when one is retried (Dagster).

A worker needs the same settings as the process that starts runs, the database and the archive, and nothing else. If it
dies, its step goes to another one; a load is one transaction, so nothing is left of the first try.
"""

from __future__ import annotations

import os

import dagster as dg

from edu_pipeline.errors import SettingInvalid
from edu_pipeline.orchestration.dagster_internals import (
    RetryMode,
    StepDelegatingExecutor,
    StepHandler,
    execute_step,
)
from edu_pipeline.orchestration.home import home
from edu_pipeline.settings import settings

POLL_SECONDS = 0.25
"""Between two looks at the events that the workers have reported."""

HEALTH_SECONDS = 5
"""Between two looks at whether a step has been given up."""


def delegating_executor(steps: StepHandler) -> dg.Executor:
    """An executor that gives every step away, and retries those that ask for it."""
    return StepDelegatingExecutor(
        steps,
        retries=RetryMode.ENABLED,
        sleep_seconds=POLL_SECONDS,
        check_step_health_interval_seconds=HEALTH_SECONDS,
    )


def run_step(text: str, executor: str) -> None:
    """Execute a step, on a worker.

    Args:
        text: from ``whole_step``.
        executor: the setting of the process that started the run.

    Raises:
        SettingInvalid: this worker has another one.
    """
    if settings().executor != executor:
        raise SettingInvalid(
            "EDU_EXECUTOR",
            f"expected {executor!r} on a worker too, found {settings().executor!r}.",
            "Give every worker the settings of the process that starts runs, and start it again.",
        )
    os.environ.setdefault("DAGSTER_HOME", home(settings()))
    with dg.DagsterInstance.get() as instance:
        execute_step(text, instance)
