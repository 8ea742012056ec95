"""Dagster's ``in_process`` executor, with several steps at a time: each step runs in a thread of this process.

Belongs here: starting the steps of a run, passing on their events, stopping them when the run is stopped. Does not
belong here: which executor runs the jobs (``executors.py``), what a step does, Dagster's parts that it is made of
(``dagster_internals.py``).

While the server copies and indexes the rows of one table, the files of the next are read: Python's lock is free for
most of both. Hooks of ops are not called: the project has none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread

import dagster as dg

from edu_pipeline.database.connection import cancel_statements
from edu_pipeline.orchestration.dagster_internals import (
    ExecutionPlan,
    PlanExecutionContext,
    PlanOrchestrationContext,
    RetryMode,
    active_execution,
    captured_logs,
    plan_events,
    raise_in_thread,
    step_events,
)
from edu_pipeline.settings import settings

INTERRUPT_CHECK_SECONDS = 0.5
"""While no step reports anything, the run checks this often whether it was interrupted."""


@dg.executor(name="in_process")
def in_process_executor(_: dg.InitExecutorContext) -> dg.Executor:
    """All steps in this process, ``EDU_STEPS_AT_ONCE`` at a time; of those that may start, the one with the highest
    ``dagster/priority`` starts first."""
    return ThreadedExecutor(settings().steps_at_once)


class ThreadedExecutor(dg.Executor):
    """Runs the steps of a run in threads.

    Args:
        steps_at_once: how many steps run at a time, at most.
    """

    def __init__(self, steps_at_once: int) -> None:
        self.steps_at_once = steps_at_once

    @property
    def retries(self) -> RetryMode:
        """A step that asks for a retry gets it."""
        return RetryMode.ENABLED

    def execute(
        self, plan_context: PlanOrchestrationContext, execution_plan: ExecutionPlan
    ) -> Iterator[dg.DagsterEvent]:
        """Run the steps of the plan, each after those that it depends on have succeeded.

        Raises:
            DagsterExecutionInterruptedError: the run was interrupted; all its steps have ended.
        """
        yield from plan_events(plan_context, execution_plan, partial(_run_plan, steps_at_once=self.steps_at_once))


@dataclass(frozen=True)
class Report:
    """What a step reports: an event, or its end.

    Attributes:
        step_key: the step; empty if no step has reported anything for a while.
        event: None at the end of the step.
        error: what ended the step, if that was not a failure which Dagster handles.
    """

    step_key: str
    event: dg.DagsterEvent | None = None
    error: BaseException | None = None


class StepThreads:
    """The steps under way, each in a thread.

    Attributes:
        running: step key to thread.
    """

    def __init__(self) -> None:
        self.running: dict[str, Thread] = {}
        self._interrupted: set[str] = set()
        self._reports: SimpleQueue[Report] = SimpleQueue()
        self._events: dict[str, list[dg.DagsterEvent]] = defaultdict(list)

    def start(self, context: dg.StepExecutionContext) -> None:
        """Start a step."""
        key = context.step.key
        self.running[key] = Thread(target=self._run, args=(context,), name=key, daemon=True)
        self.running[key].start()

    def next_report(self) -> Report:
        """The next report of any step. After a while without one: the end of a step whose thread died without
        reporting it, or a report of no step."""
        # Looked for before the wait: a thread that is dead by now has put all its reports into the queue; one that dies
        # during the wait may have put some there just after it.
        dead = next((key for key, thread in self.running.items() if not thread.is_alive()), "")
        try:
            report = self._reports.get(timeout=INTERRUPT_CHECK_SECONDS)
        except Empty:
            return Report(dead)
        if report.event:
            self._events[report.step_key].append(report.event)
        return report

    def finish(self, step_key: str) -> list[dg.DagsterEvent]:
        """Wait for the thread of a step that has ended.

        Returns:
            The events that the step has reported.
        """
        self.running.pop(step_key).join()
        return self._events.pop(step_key, [])

    def interrupt(self) -> None:
        """Raise in every thread, once, what a signal raises in a process with one thread. A thread notices when Python
        returns from what it called, so the statements that the server executes for it are cancelled. Where a thread
        cannot be interrupted just now, the next call does it."""
        if not self.running:
            return
        for key in self.running.keys() - self._interrupted:
            if raise_in_thread(self.running[key], dg.DagsterExecutionInterruptedError):
                self._interrupted.add(key)
        cancel_statements()

    def end(self) -> None:
        """Interrupt all steps, and wait until they have ended."""
        for thread in self.running.values():
            while thread.is_alive():
                self.interrupt()
                thread.join(INTERRUPT_CHECK_SECONDS)

    def _run(self, context: dg.StepExecutionContext) -> None:
        """Run a step, in its thread."""
        key, error = context.step.key, None
        try:
            for event in step_events(context):
                self._reports.put(Report(key, event))
        except BaseException as raised:
            error = raised
        self._reports.put(Report(key, error=error))


def _run_plan(
    job_context: PlanExecutionContext, execution_plan: ExecutionPlan, steps_at_once: int
) -> Iterator[dg.DagsterEvent]:
    """The events of a plan: first where the output of the process is kept, then those of the steps."""
    with captured_logs(job_context, execution_plan) as captured:
        yield captured
        yield from _run_steps(job_context, execution_plan, steps_at_once)


def _run_steps(
    job_context: PlanExecutionContext, execution_plan: ExecutionPlan, steps_at_once: int
) -> Iterator[dg.DagsterEvent]:
    """Run all steps. An interrupt, or an error that is not a step's failure, stops those under way and the run."""
    threads = StepThreads()
    stopped_by: BaseException | None = None
    report = Report("")
    with active_execution(job_context, execution_plan, steps_at_once) as active:
        try:
            while threads.running or not (stopped_by or active.is_complete):
                if not (stopped_by or report.event):
                    for step in active.get_steps_to_execute():
                        threads.start(job_context.for_step(step, active.get_known_state()))
                    yield from active.concurrency_event_iterator(job_context)
                report = threads.next_report()
                if report.event:
                    yield report.event
                elif report.step_key:
                    # Only now are its events handled: a step that asks for a retry must not start again before it ends.
                    for event in threads.finish(report.step_key):
                        active.handle_event(event)
                    active.verify_complete(job_context, report.step_key)
                    if not (stopped_by or report.error):
                        yield from active.plan_events_iterator(job_context)
                error = dg.DagsterExecutionInterruptedError() if active.check_for_interrupts() else report.error
                stopped_by = stopped_by or error
                if error or (stopped_by and not report.step_key):
                    threads.interrupt()
        finally:
            threads.end()
        if stopped_by:
            raise stopped_by
