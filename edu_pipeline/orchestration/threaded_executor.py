"""Dagster's steps in one process, some at a time: each in a thread of its own.

Belongs here: handing out the steps of a run, taking in their events, ending them when the run is to end. Does not
belong here: which executor runs the jobs (``executors.py``), what a step does.

While the server copies a table's rows and indexes them, the next table's files are read: Python's lock is free for the
greater part of both. Dagster has no such executor. This one is its ``in_process``, made of the same parts; they are
private, so that an update of Dagster (``pyproject.toml`` pins it) has to look at them. Hooks of ops are not called:
there are none.
"""

from __future__ import annotations

import ctypes
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread

import dagster as dg
from dagster._core.execution.api import ExecuteRunWithPlanIterable
from dagster._core.execution.context.system import (
    PlanExecutionContext,
    PlanOrchestrationContext,
    StepExecutionContext,
)
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode

from edu_pipeline.database.connection import cancel_statements
from edu_pipeline.settings import settings

News = tuple[str, dg.DagsterEvent | BaseException | None]
"""The key of a step, and what it tells: an event; None, it has ended; or the error by which it did."""

LOOK_EVERY = 0.5
"""Seconds after which the run looks whether it was interrupted, if no step has told anything."""


@dg.executor(name="in_process")
def in_process_executor(_: dg.InitExecutorContext) -> dg.Executor:
    """All steps in this process, ``EDU_STEPS_AT_ONCE`` at a time; of those that could run the one of the greatest
    ``dagster/priority`` first."""
    return StepThreads(settings().steps_at_once)


class StepThreads(dg.Executor):
    """Runs the steps of a run in threads.

    Args:
        at_once: how many at a time.
    """

    def __init__(self, at_once: int) -> None:
        self.at_once = at_once

    @property
    def retries(self) -> RetryMode:
        """A step that asks for it is tried again."""
        return RetryMode.ENABLED

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Run the steps of the plan, each when those that it depends on have ended well.

        Raises:
            DagsterExecutionInterruptedError: the run was told to end; its steps have ended.
        """
        context = PlanExecutionContextManager(
            job=plan_context.job,
            retry_mode=plan_context.retry_mode,
            execution_plan=execution_plan,
            run_config=plan_context.run_config,
            dagster_run=plan_context.dagster_run,
            instance=plan_context.instance,
            raise_on_error=plan_context.raise_on_error,
            output_capture=plan_context.output_capture,
        )
        yield from ExecuteRunWithPlanIterable(execution_plan, partial(_with_logs, at_once=self.at_once), context)


def _with_logs(
    job_context: PlanExecutionContext, execution_plan: ExecutionPlan, at_once: int
) -> Iterator[dg.DagsterEvent]:
    """The events of the steps, and before them where what the process prints is kept."""
    logs = job_context.instance.compute_log_manager
    key = logs.build_log_key_for_run(job_context.run_id, uuid.uuid4().hex)
    with logs.capture_logs(key) as captured:
        yield dg.DagsterEvent.capture_logs(job_context, execution_plan.step_keys_to_execute, key, captured)
        yield from _steps(job_context, execution_plan, at_once)


def _steps(job_context: PlanExecutionContext, execution_plan: ExecutionPlan, at_once: int) -> Iterator[dg.DagsterEvent]:
    told: SimpleQueue[News] = SimpleQueue()
    running: dict[str, Thread] = {}
    events: dict[str, list[dg.DagsterEvent]] = defaultdict(list)
    end: BaseException | None = None
    with (
        InstanceConcurrencyContext(job_context.instance, job_context.dagster_run) as pools,
        execution_plan.start(
            job_context.retry_mode, max_concurrent=at_once, instance_concurrency_context=pools
        ) as active,
    ):
        try:
            while running or not (end or active.is_complete):
                if not end:
                    for step in active.get_steps_to_execute():
                        context = job_context.for_step(step, active.get_known_state())
                        running[step.key] = Thread(target=_run, args=(context, told), name=step.key, daemon=True)
                        running[step.key].start()
                    yield from active.concurrency_event_iterator(job_context)
                key, news = _next(told, running)
                if isinstance(news, dg.DagsterEvent):
                    events[key].append(news)
                    yield news
                elif key:
                    running.pop(key).join()
                    for event in events.pop(key, []):  # not before: a step that is to be tried again would be twice
                        active.handle_event(event)
                    active.verify_complete(job_context, key)
                    yield from active.plan_events_iterator(job_context) if not (end or news) else ()
                failed = news if isinstance(news, BaseException) else None
                if active.check_for_interrupts():
                    failed = dg.DagsterExecutionInterruptedError()
                if failed and not end:
                    end = failed
                    _interrupt(running.values())
                elif end and not key:
                    cancel_statements()
        finally:
            _interrupt(running.values())
            for thread in running.values():
                thread.join()
        if end:
            raise end


def _next(told: SimpleQueue[News], running: Mapping[str, Thread]) -> News:
    """What a step tells next; after a while without news a step that ended without telling, or none (no key)."""
    try:
        return told.get(timeout=LOOK_EVERY)
    except Empty:
        return next((key for key, thread in running.items() if not thread.is_alive()), ""), None


def _run(context: StepExecutionContext, told: SimpleQueue[News]) -> None:
    """Run a step and tell its events; in the end None, or the error that is no failure of the step."""
    error = None
    try:
        for event in dagster_event_sequence_for_step(context):
            told.put((context.step.key, event))
    except BaseException as raised:
        error = raised
    told.put((context.step.key, error))


def _interrupt(threads: Collection[Thread]) -> None:
    """Raise in the threads, if there are any, what a signal raises in a process that has one thread: as soon as Python
    is back from what it has called, for which the server's part is cancelled."""
    if not threads:
        return
    interruption = ctypes.py_object(dg.DagsterExecutionInterruptedError)
    for thread in threads:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), interruption)
    cancel_statements()
