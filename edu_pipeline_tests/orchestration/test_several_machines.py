"""Rebuilds by workers of Dask and of Celery that share nothing but the database and a bucket, one of which is killed.

Belongs here: what only several machines can do wrong. Does not belong here: what a step does.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import dagster as dg
import psutil
import psycopg
import pytest
from celery.backends.base import DisabledBackend
from celery.result import EagerResult
from dask import config
from distributed import Client, LocalCluster
from upath import UPath

from edu_pipeline.catalogue import catalogue
from edu_pipeline.database.checksum import checksums
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.errors import SettingInvalid
from edu_pipeline.orchestration import celery_executor
from edu_pipeline.orchestration.celery_executor import CelerySteps
from edu_pipeline.orchestration.dask_executor import scheduler_address
from edu_pipeline.orchestration.remote_steps import run_step
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import fetch_if_any
from edu_pipeline.table import tables
from edu_pipeline_tests.buckets import new_bucket
from edu_pipeline_tests.operations.generations import LIVE, LOADED, publish
from edu_pipeline_tests.operations.waits import wait_until
from edu_pipeline_tests.servers import new_database
from edu_pipeline_tests.stand_in import StandIn

REBUILD = [sys.executable, "-m", "edu_pipeline_tests.orchestration.small_rebuild"]
DASK = [sys.executable, "-m", "distributed.cli.dask_worker", "--no-nanny", "--no-dashboard", "--nthreads", "1"]
CELERY = [sys.executable, "-m", "celery", "-A", "edu_pipeline.orchestration.celery_executor", "worker"]

LOADING = "SELECT FROM pg_locks WHERE relation = 'edu_pipeline.loads'::regclass AND NOT granted"
"""The sessions that wait to write their load into the ledger."""

STARTED = "SELECT EXISTS (SELECT FROM dagster.event_logs WHERE dagster_event_type = %s)"
"""Whether a step has begun."""

STEPS = """
    SELECT step_key FROM dagster.event_logs WHERE dagster_event_type = %s AND run_id = (
        SELECT run_id FROM dagster.runs ORDER BY id DESC LIMIT 1
    )
"""
"""The steps of the last run that reported an event, once for each report."""


@pytest.fixture(scope="module")
def archive_of_all(
    bucket_server: str, cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """The URL of an archive that has what the small rebuild reads, in a bucket."""
    bucket = new_bucket()
    with new_database(cluster, template) as name:
        upstream = tmp_path_factory.mktemp("publishers") / "upstream"
        stand_in = StandIn(upstream, Archive(UPath(bucket)), Database(cluster.url(name), LIVE))
        publish(stand_in, 1)
        for source in {source for name in LOADED for source in tables()[name].sources}:
            fetch_if_any(catalogue()[source], stand_in.archive, str(stand_in.folder))
    return bucket


class Outcome(NamedTuple):
    """What a rebuild has made, and the steps that it took."""

    contents: Mapping[str, object]
    steps: list[str]


@pytest.fixture(scope="module")
def undisturbed(
    archive_of_all: str, cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Outcome:
    """The same rebuild in one process."""
    with new_database(cluster, template) as name:
        database = Database(cluster.url(name), LIVE)
        here = machine(tmp_path_factory.mktemp("one"), database, archive_of_all, "in_process")
        subprocess.run(REBUILD, env=here, check=True)
        return Outcome(checksums(database), steps(database, dg.DagsterEventType.STEP_SUCCESS))


def machine(folder: Path, database: Database, archive: str, executor: str, **more: str) -> dict[str, str]:
    """The environment of a process with a home and a folder for temporary files of its own, and no publisher."""
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    places = {"EDU_HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    own = {"EDU_DATABASE_URL": database.url, "EDU_ARCHIVE": archive, "EDU_EXECUTOR": executor}
    left_out = {"EDU_UPSTREAM", "DAGSTER_HOME"}
    return {name: text for name, text in os.environ.items() if name not in left_out} | places | own | more


@contextmanager
def workers(*environments: dict[str, str]) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a scheduler, and a worker in each of the environments."""
    with LocalCluster(n_workers=0, dashboard_address=None, host="127.0.0.1") as scheduler:
        address = scheduler.scheduler_address
        processes = [subprocess.Popen([*DASK, address], env=environment) for environment in environments]
        try:
            with Client(address) as client:
                client.wait_for_workers(len(processes), timeout=300)
            yield address, processes
        finally:
            for process in processes:
                process.kill()
                process.wait()


def kill_who_works(address: str, processes: list[subprocess.Popen[bytes]]) -> None:
    """Kill the one worker that has a step."""
    with Client(address) as client:
        (busy,) = [worker for worker, tasks in client.processing().items() if tasks]
        number = client.run(os.getpid, workers=[busy])[busy]
    (process,) = [process for process in processes if process.pid == number]
    process.kill()
    process.wait()


def has_begun(connection: Connection) -> bool:
    """Whether a step has begun; the first run of a database creates Dagster's tables."""
    return connection.execute("SELECT to_regclass('dagster.event_logs') IS NOT NULL").fetchone() == (
        True,
    ) and connection.execute(STARTED, [dg.DagsterEventType.STEP_START.value]).fetchone() == (True,)


def steps(database: Database, kind: dg.DagsterEventType) -> list[str]:
    with psycopg.connect(database.url) as connection:
        return sorted(str(key) for (key,) in connection.execute(STEPS, [kind.value]))


def disturbed(database: Database, environment: dict[str, str], kill: Callable[[], None]) -> int:
    """The exit code of a rebuild of which a load is held up as it writes into the ledger, and its worker is killed."""
    with psycopg.connect(database.url) as blocking, psycopg.connect(database.url, autocommit=True) as watching:
        run = subprocess.Popen(REBUILD, env=environment)
        wait_until(lambda: has_begun(watching), "a step", lambda: run.poll() is None)
        blocking.execute("LOCK TABLE edu_pipeline.loads IN SHARE MODE")
        wait_until(lambda: watching.execute(LOADING).fetchall(), "a load", lambda: run.poll() is None)
        kill()
        blocking.rollback()
    return run.wait()


def check(database: Database, undisturbed: Outcome) -> None:
    """Check that a step has started again, and that nothing else differs."""
    starts = steps(database, dg.DagsterEventType.STEP_START)
    assert sorted(set(starts)) == undisturbed.steps
    assert [step for step, times in Counter(starts).items() if times > 1], "a step has started again"
    assert steps(database, dg.DagsterEventType.STEP_SUCCESS) == undisturbed.steps
    assert checksums(database) == undisturbed.contents


def test_a_rebuild_on_a_dask_cluster_of_which_a_worker_dies(
    database: Database, archive_of_all: str, undisturbed: Outcome, tmp_path: Path
) -> None:
    environments = [machine(tmp_path / f"worker-{number}", database, archive_of_all, "dask") for number in range(2)]
    with workers(*environments) as (address, processes):
        here = machine(tmp_path / "run", database, archive_of_all, "dask", DASK_SCHEDULER_ADDRESS=address)
        assert disturbed(database, here, lambda: kill_who_works(address, processes)) == 0
    check(database, undisturbed)


@contextmanager
def celery_worker(environment: dict[str, str]) -> Iterator[psutil.Process]:
    """A worker with one process; both are killed at the end."""
    worker = subprocess.Popen([*CELERY, "--concurrency", "1"], env=environment)
    try:
        yield psutil.Process(worker.pid)
    finally:
        for process in [*psutil.Process(worker.pid).children(), worker]:
            process.kill()
        worker.wait()


def kill_who_works_for(worker: psutil.Process) -> None:
    """Kill the process of a worker that executes its tasks."""
    (process,) = worker.children()
    process.kill()


def test_a_rebuild_by_celery_of_which_a_process_dies(
    database: Database, archive_of_all: str, undisturbed: Outcome, tmp_path: Path
) -> None:
    """A folder stands in for the broker."""
    broker = {
        "CELERY_BROKER_URL": "filesystem://",
        "CELERY_RESULT_BACKEND": f"file://{tmp_path / 'outcomes'}",
        "CELERY_CONFIG_MODULE": "edu_pipeline_tests.orchestration.broker_in_a_folder",
        "FOLDER_OF_THE_BROKER": str(tmp_path / "broker"),
    }
    for folder in ("outcomes", "broker"):
        (tmp_path / folder).mkdir()
    here, there = (machine(tmp_path / name, database, archive_of_all, "celery", **broker) for name in ("run", "worker"))
    with celery_worker(there) as worker:
        assert disturbed(database, here, lambda: kill_who_works_for(worker)) == 0
    check(database, undisturbed)


def test_a_cluster_needs_an_address() -> None:
    with config.set({"scheduler-address": None}), pytest.raises(SettingInvalid, match="DASK_SCHEDULER_ADDRESS: expec"):
        scheduler_address()
    with config.set({"scheduler-address": "tcp://10.0.0.1:8786"}):
        assert scheduler_address() == "tcp://10.0.0.1:8786"


@pytest.mark.parametrize(("state", "outcome"), [("STARTED", None), ("SUCCESS", None), ("FAILURE", RuntimeError("no"))])
def test_a_task_that_failed_fails_its_step(
    monkeypatch: pytest.MonkeyPatch, state: str, outcome: Exception | None
) -> None:
    monkeypatch.setattr(celery_executor, "step_attempt", lambda context: ("ips_lycees", 0))
    steps = CelerySteps()
    steps._results["ips_lycees"] = EagerResult("id", outcome, state)
    context: Any = None
    health = steps.check_step_health(context)
    assert (health.is_healthy, health.unhealthy_reason) == (outcome is None, outcome and "no")


def test_a_failure_reaches_the_run_as_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery makes an error again from its class and its arguments, of which the project's have three."""
    monkeypatch.setenv("EDU_EXECUTOR", "in_process")
    settings.cache_clear()
    outcome = celery_executor.step.apply([""])
    backend = DisabledBackend(celery_executor.app)
    made_again = backend.exception_to_python(json.loads(json.dumps(backend.prepare_exception(outcome.result, "json"))))
    assert str(made_again).startswith("SettingInvalid: EDU_EXECUTOR: expected 'celery' on a worker too, found")


def test_celery_needs_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingInvalid, match="CELERY_BROKER_URL: expected the URL of a broker"):
        celery_executor.check_broker()
    monkeypatch.setenv("CELERY_BROKER_URL", "amqp://10.0.0.1")
    celery_executor.check_broker()


def test_a_worker_needs_the_same_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDU_EXECUTOR", "in_process")
    settings.cache_clear()
    with pytest.raises(SettingInvalid, match="EDU_EXECUTOR: expected 'dask' on a worker too, found 'in_process'"):
        run_step("", "dask")
