"""An executor whose steps run on the workers of a Dask cluster, on as many machines as it has.

Belongs here: giving steps to the cluster. Does not belong here: executing one (``remote_steps.py``), in which order
they run and when one is retried (Dagster), which executor runs the jobs (``executors.py``).

dagster-dask has an executor too. It retries no step that asks for it, runs the steps after one that has failed, and
expects the folders of the process that started the run on every worker.

The scheduler is the one that ``DASK_SCHEDULER_ADDRESS`` names, Dask's own setting. If a worker dies, Dask gives its
step to another one, several times (``distributed.scheduler.allowed-failures``); then the step fails.
"""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
from dask import config
from distributed import Client, Future

from edu_pipeline.errors import SettingInvalid, failure_text
from edu_pipeline.orchestration.dagster_internals import (
    CheckStepHealthResult,
    StepHandler,
    StepHandlerContext,
    step_attempt,
    whole_step,
)
from edu_pipeline.orchestration.remote_steps import delegating_executor, run_step


@dg.executor(name="dask", requirements=dg.multiple_process_executor_requirements())
def dask_executor(_: dg.InitExecutorContext) -> dg.Executor:
    """Every step on a worker of the cluster; as many at a time as it has threads.

    Raises:
        SettingInvalid: no scheduler is named.
    """
    return delegating_executor(DaskSteps(scheduler_address()))


def scheduler_address() -> str:
    """The address of the scheduler, from Dask's own configuration.

    Raises:
        SettingInvalid: no scheduler is named.
    """
    address = config.get("scheduler-address", None)
    if not address:
        raise SettingInvalid(
            "DASK_SCHEDULER_ADDRESS",
            "expected the address of a Dask scheduler, such as tcp://10.0.0.1:8786, found none.",
            "Set it where runs start, or set EDU_EXECUTOR to in_process.",
        )
    return str(address)


class DaskSteps(StepHandler):
    """The steps of a run that are on the cluster.

    Args:
        address: the scheduler's.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._client: Client | None = None
        self._futures: dict[str, Future] = {}

    @property
    def name(self) -> str:
        """What Dagster calls it."""
        return "dask"

    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        """Give a step to the cluster."""
        if self._client is None:
            self._client = Client(self._address, name="edu_pipeline")
        key, attempt = step_attempt(step_handler_context)
        self._futures[key] = self._client.submit(
            run_step,
            whole_step(step_handler_context),
            "dask",
            key=f"{key}-{attempt}-{step_handler_context.dagster_run.run_id}",
            priority=int(step_handler_context.step_tags[key].get("dagster/priority", 0)),
            pure=False,
        )
        return iter(())

    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        """Whether the cluster still has a step, or has ended it as it should."""
        future = self._futures[step_attempt(step_handler_context)[0]]
        if future.status in ("pending", "finished"):
            return CheckStepHealthResult.healthy()
        if future.status == "error":
            return CheckStepHealthResult.unhealthy(failure_text(future.exception()))
        return CheckStepHealthResult.unhealthy(f"the cluster has {future.status} it")

    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[dg.DagsterEvent]:
        """Take a step from the cluster, if no worker has begun it; one that has been begun is finished."""
        self._futures[step_attempt(step_handler_context)[0]].cancel()
        return iter(())
