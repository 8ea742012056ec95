"""What the project uses of Dagster that is not public: an update that changes any of it fails here, by name.

Belongs here: one test per name that ``dagster_internals.py`` uses, and of what its functions do. Does not belong here:
the executor as a whole (``test_threaded_executor.py``).

The tested module is imported inside the tests, so that a missing name fails the test of that name, with a clear text.
"""

# ruff: noqa: PLC0415 - see above

from __future__ import annotations

import ast
import importlib
import inspect
import io
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import sqlalchemy

from edu_pipeline.database import locks
from edu_pipeline.database.connection import Database
from edu_pipeline.settings import PROJECT, settings
from edu_pipeline_tests.waiting import awaited

ADAPT = "Adapt edu_pipeline/orchestration/dagster_internals.py, or pin the previous version of Dagster."

ACTIVE = "dagster._core.execution.plan.active:ActiveExecution"
CONTEXT = "dagster._core.execution.context.system"
DELEGATING = "dagster._core.executor.step_delegating"
LOGS = "dagster._core.storage.compute_log_manager:ComputeLogManager"
PLAN = "dagster._core.execution.plan"
POSTGRES = "dagster_postgres.storage:Postgres"
WORKSPACE = "dagster._core.workspace"

BY_POSITION = {
    "dagster._cli.api:_execute_step_command_body": "args instance dagster_run",
    "dagster._serdes:deserialize_value": "val as_type",
    "dagster._serdes:serialize_value": "val",
    f"{DELEGATING}:CheckStepHealthResult.unhealthy": "reason",
    f"{DELEGATING}:StepDelegatingExecutor.__init__": "self step_handler",
    "dagster._core.definitions.job_base:InMemoryJob": "job_def",
    "dagster._core.execution.api:execute_run": "job dagster_run instance raise_on_error",
    "dagster._core.execution.api:ExecuteRunWithPlanIterable": "execution_plan iterator execution_context_manager",
    "dagster._core.launcher.base:CheckRunHealthResult": "status msg",
    f"{CONTEXT}:PlanExecutionContext.for_step": "self step known_state",
    f"{PLAN}.execute_plan:dagster_event_sequence_for_step": "step_context",
    f"{PLAN}.instance_concurrency_context:InstanceConcurrencyContext": "instance dagster_run",
    f"{ACTIVE}.check_for_interrupts": "self",
    f"{ACTIVE}.concurrency_event_iterator": "self plan_context",
    f"{ACTIVE}.get_known_state": "self",
    f"{ACTIVE}.get_steps_to_execute": "self",
    f"{ACTIVE}.handle_event": "self dagster_event",
    f"{ACTIVE}.plan_events_iterator": "self job_context",
    f"{ACTIVE}.verify_complete": "self job_context step_key",
    f"{LOGS}.build_log_key_for_run": "self run_id step_key",
    f"{LOGS}.capture_logs": "self log_key",
    "dagster:DagsterEvent.capture_logs": "job_context step_keys log_key log_context",
    "dagster:DagsterInstance.add_event_listener": "self run_id cb",
    "dagster:DagsterInstance.create_run_for_job": "self job_def",
    "dagster:DefaultRunLauncher.check_run_worker_health": "self run",
    "dagster_webserver.app:create_app_from_workspace_process_context": "workspace_process_context",
    f"{WORKSPACE}.context:WorkspaceProcessContext.__init__": "self instance workspace_load_target",
    f"{POSTGRES}EventLogStorage.has_asset_key_col": "self",
    f"{POSTGRES}EventLogStorage.has_table": "self table_name",
    f"{POSTGRES}EventLogStorage.index_transaction": "self",
    f"{POSTGRES}EventLogStorage._event_to_row": "self event",
    f"{POSTGRES}EventLogStorage.optimize_for_webserver": "self statement_timeout",
    f"{POSTGRES}EventLogStorage.store_event": "self event",
    f"{POSTGRES}RunStorage.optimize_for_webserver": "self statement_timeout",
    f"{POSTGRES}ScheduleStorage.optimize_for_webserver": "self statement_timeout",
}
"""What is called, and the parameters that are passed by position."""

BY_NAME = {
    f"{DELEGATING}:StepDelegatingExecutor.__init__": "retries sleep_seconds check_step_health_interval_seconds",
    "dagster:DagsterInstance.all_logs": "of_type",
    "dagster._core.execution.context_creation_job:PlanExecutionContextManager": "job retry_mode execution_plan "
    "run_config dagster_run instance raise_on_error output_capture",
    "dagster_webserver.app:create_app_from_workspace_process_context": "live_data_poll_rate",
    f"{WORKSPACE}.context:WorkspaceProcessContext.__init__": "version read_only",
    f"{PLAN}.plan:ExecutionPlan.start": "retry_mode max_concurrent instance_concurrency_context",
    "dagster:DagsterInstance.create_run_for_job": "run_id run_config tags asset_selection",
    f"{POSTGRES}EventLogStorage.optimize_for_webserver": "pool_recycle max_overflow",
    f"{POSTGRES}RunStorage.optimize_for_webserver": "pool_recycle max_overflow",
    f"{POSTGRES}ScheduleStorage.optimize_for_webserver": "pool_recycle max_overflow",
}
"""What is called, and the parameters that are passed by name."""

MEMBERS = {
    "dagster._grpc.types:ExecuteStepArgs": "known_state run_id step_keys_to_execute",
    f"{DELEGATING}:StepHandler": "check_step_health launch_step name terminate_step",
    f"{DELEGATING}:StepHandlerContext": "dagster_run execute_step_args step_tags",
    f"{DELEGATING}:CheckStepHealthResult": "healthy",
    "dagster._core.execution.retries:RetryMode": "ENABLED",
    "dagster._core.storage.asset_check_execution_record:AssetCheckExecutionRecordStatus": "FAILED PLANNED SUCCEEDED",
    "dagster._core.launcher.base:WorkerStatus": "NOT_FOUND RUNNING",
    f"{CONTEXT}:PlanExecutionContext": "dagster_run instance retry_mode run_id",
    f"{CONTEXT}:PlanOrchestrationContext": "dagster_run instance job output_capture raise_on_error retry_mode "
    "run_config",
    f"{PLAN}.plan:ExecutionPlan": "step_keys_to_execute",
    f"{WORKSPACE}.load_target:WorkspaceFileTarget": "create_origins",
    ACTIVE: "is_complete",
    "dagster:DefaultRunLauncher": "supports_check_run_worker_health",
    "dagster:DagsterInstance": "compute_log_manager",
}
"""What is read, and the attributes that are read from it."""


def dagsters(path: str) -> Any:
    """The object that ``module:name.name`` stands for; fails with what to do if there is none."""
    module, _, names = path.partition(":")
    try:
        value = importlib.import_module(module)
        for name in names.split("."):
            value = getattr(value, name)
    except (ImportError, AttributeError) as error:
        pytest.fail(f"Dagster {dg.__version__}: expected {path}, found: {error}. {ADAPT}")
    return value


@pytest.mark.parametrize("path", sorted(BY_POSITION))
def test_positional_parameters_of_dagster(path: str) -> None:
    parameters = list(inspect.signature(dagsters(path)).parameters)
    passed = BY_POSITION[path].split()
    assert parameters[: len(passed)] == passed, (
        f"Dagster {dg.__version__}: expected {path} to begin with the parameters {passed}, found {parameters}. {ADAPT}"
    )


@pytest.mark.parametrize("path", sorted(BY_NAME))
def test_named_parameters_of_dagster(path: str) -> None:
    parameters = set(inspect.signature(dagsters(path)).parameters)
    missing = set(BY_NAME[path].split()) - parameters
    assert not missing, (
        f"Dagster {dg.__version__}: expected {path} to have the parameters {sorted(missing)}, "
        f"found {sorted(parameters)}. {ADAPT}"
    )


@pytest.mark.parametrize("path", sorted(MEMBERS))
def test_attributes_of_dagster(path: str) -> None:
    missing = [name for name in MEMBERS[path].split() if not hasattr(dagsters(path), name)]
    assert not missing, f"Dagster {dg.__version__}: expected {path} to have {missing}, found none. {ADAPT}"


def private_imports(file: Path) -> set[str]:
    """The names that a file imports from private modules of Dagster, as ``module:name``."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}:{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {f"{alias.name}:" for alias in node.names}
    return {name for name in names if name.startswith(("dagster._", "dagster_postgres."))}


INTERNALS = PROJECT / "edu_pipeline" / "orchestration" / "dagster_internals.py"


def test_private_names_are_imported_in_one_module_only() -> None:
    folders = [PROJECT / name for name in ("edu_pipeline", "edu_pipeline_tests", "bench")]
    files = [file for folder in folders for file in folder.rglob("*.py") if file != INTERNALS]
    assert {str(file): names for file in files if (names := private_imports(file))} == {}


def test_every_private_name_has_a_test_here() -> None:
    tested = {path.partition(":")[::2] for path in (*BY_POSITION, *BY_NAME, *MEMBERS)}
    assert private_imports(INTERNALS) <= {f"{module}:{name.partition('.')[0]}" for module, name in tested}


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


@dg.asset
def chosen() -> None:
    """An asset that a run selects."""
    assert threading.current_thread() is not threading.main_thread(), "the job's own executor runs it"


@dg.asset
def left_out() -> None:
    """An asset that a run does not select."""


def test_run_job_runs_a_selection_with_the_jobs_executor(instance: dg.DagsterInstance) -> None:
    from edu_pipeline.orchestration.dagster_internals import run_job
    from edu_pipeline_tests.orchestration.steps import job_of

    entries: list[dg.EventLogEntry] = []
    selection = frozenset({dg.AssetKey("chosen")})
    run_id = run_job(
        job_of([chosen, left_out]), instance, entries.append, tags={"whose": "run"}, asset_selection=selection
    )
    run = instance.get_run_by_id(run_id)
    assert run and run.status == dg.DagsterRunStatus.SUCCESS
    assert run.asset_selection == selection
    assert {"kept": "yes", "whose": "run"}.items() <= run.tags.items()
    assert {entry.step_key for entry in entries if entry.step_key} == {"chosen"}


def test_run_job_listens_from_the_first_event_to_the_last(instance: dg.DagsterInstance) -> None:
    from edu_pipeline.orchestration.dagster_internals import run_job
    from edu_pipeline_tests.orchestration.steps import job_of

    entries: list[dg.EventLogEntry] = []
    run_id = run_job(job_of([chosen]), instance, entries.append)
    heard = [entry.dagster_event_type for entry in entries]
    assert heard == [entry.dagster_event_type for entry in instance.all_logs(run_id)]
    assert dg.DagsterEventType.RUN_START in heard and heard[-1] == dg.DagsterEventType.RUN_SUCCESS


def test_output_of_a_run_is_captured(instance: dg.DagsterInstance) -> None:
    from edu_pipeline.orchestration.dagster_internals import run_job
    from edu_pipeline_tests.orchestration.steps import job_of

    entries: list[dg.EventLogEntry] = []
    run_job(job_of([chosen]), instance, entries.append)
    captures = [entry for entry in entries if entry.dagster_event_type == dg.DagsterEventType.LOGS_CAPTURED]
    assert len(captures) == 1


def test_an_exception_is_raised_in_another_thread() -> None:
    from edu_pipeline.orchestration.dagster_internals import raise_in_thread

    started, stopped = threading.Event(), threading.Event()

    def loop() -> None:
        try:
            while True:
                started.set()
        except dg.DagsterExecutionInterruptedError:
            stopped.set()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    started.wait()
    while not raise_in_thread(thread, dg.DagsterExecutionInterruptedError):
        pass  # it is in a function of `threading`
    thread.join()
    assert stopped.is_set()
    assert raise_in_thread(thread, dg.DagsterExecutionInterruptedError)


def test_no_exception_leaves_a_lock_taken() -> None:
    from edu_pipeline.orchestration.dagster_internals import raise_in_thread

    handler = logging.StreamHandler(io.StringIO())

    def log() -> None:
        with suppress(dg.DagsterExecutionInterruptedError):
            handler.handle(logging.makeLogRecord({}))
            while True:
                time.sleep(0.001)

    def logs() -> bool:
        frame = sys._current_frames().get(thread.ident or 0)
        return frame is not None and frame.f_globals["__name__"] == "logging"

    thread = threading.Thread(target=log, daemon=True)
    handler.acquire()
    thread.start()
    awaited(logs, "the thread to wait for the handler's lock")
    assert not raise_in_thread(thread, dg.DagsterExecutionInterruptedError)
    handler.release()
    while not raise_in_thread(thread, dg.DagsterExecutionInterruptedError):
        time.sleep(0.001)
    thread.join()
    assert handler.lock is not None and handler.lock.acquire(blocking=False)


@pytest.fixture
def here(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """A database that the settings name."""
    monkeypatch.setenv("EDU_DATABASE_URL", database.url)
    settings.cache_clear()
    return database


def test_the_storage_keeps_its_connections(here: Database) -> None:
    from edu_pipeline.orchestration.instance import Storage

    storage: Any = Storage.from_config_value(None, {})
    connections = {
        "runs": storage.run_storage.connect,
        "events": storage.event_log_storage.index_connection,
        "schedules": storage.schedule_storage.connect,
    }
    for part, connect in connections.items():
        servers = []
        for _ in range(2):
            with connect() as connection:
                servers.append(connection.execute(sqlalchemy.text("SELECT pg_backend_pid()")).scalar())
        assert servers[0] == servers[1], f"Dagster {dg.__version__}: the storage of {part} connects again. {ADAPT}"
    for _ in range(2):
        assert storage.event_log_storage.has_table("event_logs")
    assert storage.event_log_storage.has_table.cache_info().hits >= 1


def test_the_launcher_sees_whether_a_run_is_alive(here: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from edu_pipeline.orchestration import instance
    from edu_pipeline.orchestration.dagster_internals import WorkerStatus

    monkeypatch.setattr(instance, "HEALTH_CHECK_INTERVAL", 0)
    launcher, run = instance.Launcher(), dg.DagsterRun("daily_refresh")
    assert launcher.supports_check_run_worker_health
    with here.connect() as connection, locks.run_alive(connection, run.run_id):
        assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
    assert launcher.check_run_worker_health(run).status == WorkerStatus.NOT_FOUND
    monkeypatch.setenv("EDU_EXECUTOR", "multiprocess")
    settings.cache_clear()
    assert launcher.check_run_worker_health(run).status == WorkerStatus.RUNNING
