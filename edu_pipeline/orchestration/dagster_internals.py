"""What the project uses of Dagster (and of CPython) that is not public API, and why there is no public way.

Belongs here: every import of ``dagster._...``, and calls of methods that Dagster does not document. Does not belong
here: what the project does with them (``threaded_executor.py``, ``instance.py``, ``cli/runs.py``).

Dagster may change these without notice. ``pyproject.toml`` therefore pins its version, and
``edu_pipeline_tests/orchestration/test_dagster_internals.py`` names what an update has changed.

- ``PlanOrchestrationContext``, ``ExecutionPlan``, ``RetryMode``: types in the signature of ``dg.Executor``, which is
  public. ``PlanExecutionContext`` is what steps are made from.
- ``ActiveExecution``: which steps may start now, which are skipped or retried. The public ``dg.in_process_executor``
  uses it too, but runs one step at a time and cannot be extended.
- ``step_events``: runs one step. Only executors do that, and Dagster exports no class to build one from.
- ``StepDelegatingExecutor``, ``StepHandler``: what Dagster's own executors for clusters are made of. ``execute_step``
  does what its command `dagster api execute_step` does, in a process that has loaded the definitions already.
- ``CheckRunHealthResult``, ``WorkerStatus``: what a run launcher answers to Dagster's run monitoring. Launchers may be
  subclassed (``dg.DefaultRunLauncher``), but these two types are not exported.
- ``WorkspaceProcessContext``, ``WorkspaceFileTarget``: what the web server is made from. Its own program,
  `dagster-webserver`, takes no middleware.
- ``CheckStatus``, ``store_event``, ``_event_to_row``, ``index_transaction``: what the log of events writes. It writes
  in batches what belongs to many partitions of one asset, nothing else.
- ``index_connection``, ``connect``: the connections of its storages. Nothing public removes single events, results of
  checks or ticks.
"""

from __future__ import annotations

import ctypes
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from threading import Thread
from typing import Any, cast

import dagster as dg
from dagster._cli.api import _execute_step_command_body as step_command
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import ExecuteRunWithPlanIterable, execute_run
from dagster._core.execution.context.system import PlanExecutionContext, PlanOrchestrationContext
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step as step_events
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.retries import RetryMode
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandler,
    StepHandlerContext,
)
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus as CheckStatus
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._grpc.types import ExecuteStepArgs
from dagster._serdes import deserialize_value, serialize_value
from dagster_postgres import DagsterPostgresStorage

__all__ = [
    "ActiveExecution",
    "CheckRunHealthResult",
    "CheckStatus",
    "CheckStepHealthResult",
    "EventLog",
    "ExecutionPlan",
    "PlanExecutionContext",
    "PlanOrchestrationContext",
    "RetryMode",
    "StepDelegatingExecutor",
    "StepHandler",
    "StepHandlerContext",
    "WorkerStatus",
    "active_execution",
    "captured_logs",
    "events_connection",
    "execute_step",
    "plan_events",
    "raise_in_thread",
    "reuse_connections",
    "run_job",
    "step_attempt",
    "step_events",
    "ticks_connection",
    "whole_step",
    "workspace_process",
]

LOCKING = {"logging", "queue", "threading"}
"""The modules whose Python functions take locks and release them."""


def run_job(
    job: dg.JobDefinition,
    instance: dg.DagsterInstance,
    listener: Callable[[dg.EventLogEntry], None],
    *,
    run_config: Mapping[str, Any] | None = None,
    tags: Mapping[str, str] | None = None,
    asset_selection: Set[dg.AssetKey] | None = None,
    raise_on_error: bool = False,
) -> str:
    """Run a job in this process, with its own executor.

    The public functions do not fit: ``dg.execute_job`` chooses the run's id itself, so that nobody can listen to its
    events; ``JobDefinition.execute_in_process`` and ``dg.materialize`` replace the executor by one that runs one step
    at a time.

    Args:
        listener: called with every entry of the run's log, as soon as it is written.
        tags: tags of the run, in addition to the job's.
        asset_selection: the assets to run; None: all those of the job.
        raise_on_error: whether the first error of a step is raised and ends the run.

    Returns:
        The id of the run, which has ended.
    """
    run_id = str(uuid.uuid4())
    instance.add_event_listener(run_id, listener)
    run = instance.create_run_for_job(
        job,
        run_id=run_id,
        run_config=run_config,
        tags={**job.run_tags, **(tags or {})},
        asset_selection=asset_selection,
    )
    execute_run(InMemoryJob(job), run, instance, raise_on_error)
    return run_id


def plan_events(
    plan_context: PlanOrchestrationContext,
    plan: ExecutionPlan,
    run_steps: Callable[[PlanExecutionContext, ExecutionPlan], Iterator[dg.DagsterEvent]],
) -> Iterator[dg.DagsterEvent]:
    """The events of a plan: its resources start, ``run_steps`` runs the steps, the resources end.

    Signals are held back meanwhile: ``ActiveExecution.check_for_interrupts`` reports them. Every executor of Dagster
    does this; none can be extended.
    """
    context = PlanExecutionContextManager(
        job=plan_context.job,
        retry_mode=plan_context.retry_mode,
        execution_plan=plan,
        run_config=plan_context.run_config,
        dagster_run=plan_context.dagster_run,
        instance=plan_context.instance,
        raise_on_error=plan_context.raise_on_error,
        output_capture=plan_context.output_capture,
    )

    def iterate(job_context: PlanExecutionContext, execution_plan: ExecutionPlan) -> Iterator[dg.DagsterEvent]:
        return run_steps(job_context, execution_plan)

    yield from ExecuteRunWithPlanIterable(plan, iterate, context)


@contextmanager
def captured_logs(job_context: PlanExecutionContext, plan: ExecutionPlan) -> Iterator[dg.DagsterEvent]:
    """Keep what the process prints; gives the event by which the UI finds it. Only executors do this."""
    manager = job_context.instance.compute_log_manager
    key = manager.build_log_key_for_run(job_context.run_id, uuid.uuid4().hex)
    with manager.capture_logs(key) as log:
        yield dg.DagsterEvent.capture_logs(job_context, plan.step_keys_to_execute, key, log)


@contextmanager
def active_execution(
    job_context: PlanExecutionContext, plan: ExecutionPlan, max_concurrent: int
) -> Iterator[ActiveExecution]:
    """The state of a plan's steps, which honours Dagster's concurrency pools. Only executors need it."""
    with (
        InstanceConcurrencyContext(job_context.instance, job_context.dagster_run) as pools,
        plan.start(
            job_context.retry_mode, max_concurrent=max_concurrent, instance_concurrency_context=pools
        ) as execution,
    ):
        yield execution


ENDS = {
    dg.DagsterEventType.STEP_SUCCESS,
    dg.DagsterEventType.STEP_FAILURE,
    dg.DagsterEventType.STEP_UP_FOR_RETRY,
}
"""What ends an attempt of a step."""


def whole_step(context: StepHandlerContext) -> str:
    """All that another process needs to execute a step, as text."""
    return serialize_value(context.execute_step_args)


def step_attempt(context: StepHandlerContext) -> tuple[str, int]:
    """The step that is to be executed, and how often it was tried before."""
    return _attempt(context.execute_step_args)


def execute_step(text: str, instance: dg.DagsterInstance) -> None:
    """Execute a step here, unless its attempt has ended already: whoever executed it died only after that.

    Args:
        text: from ``whole_step``.
        instance: to which its events are reported; the run's own process reads them there.
    """
    args = deserialize_value(text, ExecuteStepArgs)
    key, attempt = _attempt(args)
    ends = [log for log in instance.all_logs(args.run_id, of_type=ENDS) if log.step_key == key]
    run = instance.get_run_by_id(args.run_id)
    if run is not None and len(ends) <= attempt:
        for _ in step_command(args, instance, run):
            pass


def _attempt(args: ExecuteStepArgs) -> tuple[str, int]:
    (key,) = args.step_keys_to_execute or ()
    return key, args.known_state.get_retry_state().get_attempt_count(key) if args.known_state else 0


def reuse_connections(storage: DagsterPostgresStorage, statement_seconds: int) -> None:
    """Let a storage keep its connections, and ask only once which tables and columns it has.

    By default it connects for every event, which takes longer than the event, and looks up its tables each time. The
    methods are Dagster's own, for its web server; there is no setting in ``dagster.yaml``.
    """
    for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
        part.optimize_for_webserver(statement_seconds * 1000, pool_recycle=3600, max_overflow=20)
    events: Any = storage.event_log_storage
    events.has_table, events.has_asset_key_col = cache(events.has_table), cache(events.has_asset_key_col)


Execute = Callable[[str, Mapping[str, Any]], list[int]]
"""Executes a statement, for psycopg 2; returns the first value of each row that it returns."""


class EventLog:
    """The log of events of a storage: what ``EventBatches`` needs of it."""

    def __init__(self, storage: DagsterPostgresStorage) -> None:
        self._events: Any = storage.event_log_storage
        self.store: Callable[[dg.EventLogEntry], None] = self._events.store_event

    def replace_store(self, store: Callable[[dg.EventLogEntry], None]) -> None:
        """Let Dagster call another function for each event."""
        self._events.store_event = store

    def row(self, event: dg.EventLogEntry) -> dict[str, Any]:
        """The row of the table ``event_logs`` for an event, without its number."""
        return dict(self._events._event_to_row(event))

    @contextmanager
    def transaction(self) -> Iterator[Execute]:
        """A transaction in the log's schema, which is committed at the end and rolled back on an error."""
        with self._events.index_transaction() as connection:

            def execute(statement: str, values: Mapping[str, Any]) -> list[int]:
                result = connection.exec_driver_sql(statement, values)
                return [row[0] for row in result] if result.returns_rows else []

            yield execute


def workspace_process(
    instance: dg.DagsterInstance, workspace: str, *, read_only: bool
) -> AbstractContextManager[WorkspaceProcessContext]:
    """What the web server knows of the code that it shows.

    Args:
        workspace: path of the workspace file.
        read_only: whether it takes no commands.
    """
    return WorkspaceProcessContext(
        instance, WorkspaceFileTarget(paths=[workspace]), version=dg.__version__, read_only=read_only
    )


def events_connection(instance: dg.DagsterInstance) -> AbstractContextManager[Any]:
    """A connection, in a transaction, to the tables of runs and events."""
    return cast(AbstractContextManager[Any], cast(Any, instance.event_log_storage).index_connection())


def ticks_connection(instance: dg.DagsterInstance) -> AbstractContextManager[Any]:
    """A connection, in a transaction, to the table of ticks."""
    return cast(AbstractContextManager[Any], cast(Any, instance.schedule_storage).connect())


def raise_in_thread(thread: Thread, exception: type[BaseException]) -> bool:
    """Raise an exception in another thread, as soon as that executes Python code again.

    This is CPython's C API: ``threading`` has no way to interrupt a thread, and ``signal`` reaches only the main one.
    Nothing happens in a thread that has ended.

    Returns:
        False: the thread is in code that takes and releases locks. An exception between the two would leave a lock
        taken for ever, and whoever needs it next, such as the handler of the run's log, would never end. Try again.
    """
    if _is_locking(thread):
        return False
    identity = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, ctypes.py_object(exception))
    if _is_locking(thread):  # it has run in between
        ctypes.pythonapi.PyThreadState_SetAsyncExc(identity, None)
        return False
    return True


def _is_locking(thread: Thread) -> bool:
    """Whether the innermost Python function that a thread executes is one of those that handle locks."""
    frame = sys._current_frames().get(thread.ident or 0)
    return frame is not None and frame.f_globals.get("__name__") in LOCKING
