"""An executor whose steps are tasks of Celery, for a broker that is there already.

Belongs here: giving steps to the broker, and Celery's own application, which workers start: ``celery -A
edu_pipeline.orchestration.celery_executor worker``. Does not belong here: executing a step (``remote_steps.py``), which
executor runs the jobs (``executors.py``).

dagster-celery has an executor too. If a worker dies, it fails the run; and it sends what the process that started the
run knows of Dagster's database, where here a worker has its own settings.

The broker is the one that ``CELERY_BROKER_URL`` names, and ``CELERY_RESULT_BACKEND`` may say where the outcome of a
task is kept, both Celery's own settings; ``CELERY_CONFIG_MODULE`` names a module with others. A task is acknowledged
when it has ended: if the process that executes it is killed, it goes back to the broker.
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
from celery import Celery
from celery.result import AsyncResult

from edu_pipeline.errors import SettingInvalid, failure_text
from edu_pipeline.orchestration.dagster_internals import (
    CheckStepHealthResult,
    StepHandler,
    StepHandlerContext,
    step_attempt,
    whole_step,
)
from edu_pipeline.orchestration.remote_steps import delegating_executor, run_step

app = Celery("edu_pipeline", backend="rpc://")
app.conf.update(
    task_acks_late=True,
    task_default_queue="edu_pipeline",
    task_reject_on_worker_lost=True,
    worker_hijack_root_logger=False,
    worker_prefetch_multiplier=1,
)
app.config_from_envvar("CELERY_CONFIG_MODULE", silent=True)

GIVEN_UP = ("FAILURE", "REVOKED")


def _execute(text: str) -> None:
    """Execute a step; of an error Celery passes on only what can be made again from a single text."""
    try:
        run_step(text, "celery")
    except Exception as error:
        raise RuntimeError(failure_text(error)) from error


step = app.task(_execute, name="edu_pipeline.step")


@dg.executor(name="celery", requirements=dg.multiple_process_executor_requirements())
def celery_executor(_: dg.InitExecutorContext) -> dg.Executor:
    """Every step as a task; as many at a time as the workers have processes.

    Raises:
        SettingInvalid: no broker is named.
    """
    check_broker()
    return delegating_executor(CelerySteps())


def check_broker() -> None:
    """Check that a broker is named.

    Raises:
        SettingInvalid: none is.
    """
    if not app.conf.broker_url:
        raise SettingInvalid(
            "CELERY_BROKER_URL",
            "expected the URL of a broker, such as amqp://10.0.0.1, found none.",
            "Set it where runs start and on every worker, or set EDU_EXECUTOR to in_process.",
        )


class CelerySteps(StepHandler):
    """The steps of a run that were given to the broker."""

    def __init__(self) -> None:
        self._results: dict[str, AsyncResult] = {}

    @property
    def name(self) -> str:
        """What Dagster calls it."""
        return "celery"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        """Give a step to the broker."""
        key, attempt = step_attempt(step_handler_context)
        task = f"{key}-{attempt}-{step_handler_context.dagster_run.run_id}"
        self._results[key] = step.apply_async([whole_step(step_handler_context)], task_id=task)
        return iter(())

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """Whether a step waits, is being executed, or has ended as it should."""
        result = self._results[step_attempt(step_handler_context)[0]]
        if result.state not in GIVEN_UP:
            return CheckStepHealthResult.healthy()
        return CheckStepHealthResult.unhealthy(str(result.result))

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        """Take a step back, if no worker has begun it; one that has been begun is finished."""
        self._results[step_attempt(step_handler_context)[0]].revoke()
        return iter(())
