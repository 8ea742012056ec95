"""Steps in threads: as many at a time as may be, each after those that it depends on, and all ended by a signal."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from threading import Barrier, BrokenBarrierError, Event, current_thread, main_thread

import dagster as dg
import psycopg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run

from edu_pipeline.database.connection import Database
from edu_pipeline.definitions import defs
from edu_pipeline.orchestration.threaded_executor import in_process_executor
from edu_pipeline.settings import settings

TOLD: list[str] = []
"""What assets of a test say they have done."""


@pytest.fixture(autouse=True)
def nothing_told(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    TOLD.clear()
    monkeypatch.setenv("EDU_STEPS_AT_ONCE", "2")
    yield
    settings.cache_clear()


def executed(
    folder: Path, assets: Sequence[dg.AssetsDefinition], at_once: int, *, raise_on_error: bool = False
) -> dict[str, list[str]]:
    """Step to the types of its events, in their order."""
    every = dg.define_asset_job("every")
    job = dg.Definitions(assets=assets, jobs=[every], executor=in_process_executor).resolve_job_def("every")
    os.environ["EDU_STEPS_AT_ONCE"] = str(at_once)
    settings.cache_clear()
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        run = instance.create_run_for_job(job)
        execute_run(InMemoryJob(job), run, instance, raise_on_error)
        logged = instance.all_logs(run.run_id)
        assert instance.get_run_stats(run.run_id).end_time
    return in_order(entry.dagster_event for entry in logged if entry.dagster_event)


def in_order(events: Iterable[dg.DagsterEvent]) -> dict[str, list[str]]:
    steps: dict[str, list[str]] = {}
    for event in events:
        if event.step_key and event.event_type_value.startswith("STEP_"):
            steps.setdefault(event.step_key, []).append(event.event_type_value.removeprefix("STEP_"))
    return steps


def meeting(name: str, barrier: Barrier, deps: Sequence[str] = ()) -> dg.AssetsDefinition:
    """An asset that waits until the others are there."""

    @dg.asset(name=name, deps=list(deps))
    def wait() -> None:
        assert current_thread() is not main_thread()
        try:
            barrier.wait(1)
            TOLD.append("met")
        except BrokenBarrierError:
            TOLD.append("alone")

    return wait


def telling(
    name: str, deps: Sequence[str] = (), error: Exception | None = None, priority: int = 0
) -> dg.AssetsDefinition:
    """An asset that tells its name; or fails."""

    @dg.asset(name=name, deps=list(deps), op_tags={"dagster/priority": str(priority)})
    def tell() -> None:
        TOLD.append(name)
        if error:
            raise error

    return tell


@pytest.mark.parametrize(("at_once", "met"), [(1, ["alone", "alone"]), (2, ["met", "met"])])
def test_as_many_steps_run_at_a_time_as_may_be(tmp_path: Path, at_once: int, met: list[str]) -> None:
    barrier = Barrier(2)
    executed(tmp_path, [meeting("one", barrier), meeting("other", barrier)], at_once)
    assert met == TOLD


def test_no_more_steps_run_at_a_time_than_may_be(tmp_path: Path) -> None:
    barrier = Barrier(3)
    executed(tmp_path, [meeting(name, barrier) for name in ("one", "two", "three")], 2)
    assert TOLD == ["alone"] * 3


def test_a_step_waits_for_those_that_it_depends_on(tmp_path: Path) -> None:
    steps = [telling("a_last", ["b", "c"]), telling("b", ["d"]), telling("c", ["d"]), telling("d")]
    assert set(executed(tmp_path, steps, 4)) == {"a_last", "b", "c", "d"}
    assert TOLD[0] == "d" and TOLD[-1] == "a_last"


def test_the_step_of_the_greatest_priority_is_first(tmp_path: Path) -> None:
    executed(tmp_path, [telling("a"), telling("b", priority=1), telling("c", priority=2)], 1)
    assert TOLD == ["c", "b", "a"]


def test_the_sectorisation_is_first_of_all_tables_and_before_it_what_it_is_made_from() -> None:
    steps = {node.name: node.tags.get("dagster/priority") for node in defs.resolve_job_def("full_rebuild").nodes}
    first, before = ({name for name, priority in steps.items() if priority == wanted} for wanted in "21")
    assert first == {"sectorisation_segments", "sectorisation_zones"}
    assert before == {"departements", "info_communes", "passage_communes", "commune_boundaries"}


def test_a_failed_step_keeps_back_those_behind_it_and_no_other(tmp_path: Path) -> None:
    steps = [
        telling("fails", error=ValueError("no")), telling("behind", ["fails"]), telling("far_behind", ["behind"]),
        telling("other"), telling("behind_other", ["other"]),
    ]  # fmt: skip
    events = executed(tmp_path, steps, 2)
    assert {"fails", "other", "behind_other"} == set(events)
    assert events["fails"][-1] == "FAILURE" and events["behind_other"][-1] == "SUCCESS"


@pytest.mark.parametrize("seconds", [None, 0.2])
def test_a_step_that_asks_for_it_is_tried_again_while_others_run(tmp_path: Path, seconds: float | None) -> None:
    again = Event()

    @dg.asset
    def retried() -> None:
        TOLD.append("try")
        if TOLD.count("try") < 2:
            raise dg.RetryRequested(max_retries=1, seconds_to_wait=seconds)
        again.set()

    @dg.asset
    def patient() -> None:
        assert again.wait(20)

    events = executed(tmp_path, [patient, retried], 2)
    assert events["retried"] == ["START", "UP_FOR_RETRY", "RESTARTED", "OUTPUT", "SUCCESS"]
    assert events["patient"][-1] == "SUCCESS"


def test_an_error_that_ends_the_run_ends_the_steps_under_way_first(tmp_path: Path) -> None:
    started = Event()

    @dg.asset
    def endless() -> None:
        started.set()
        try:
            while True:
                time.sleep(0.01)
        finally:
            TOLD.append("ended")

    @dg.asset
    def fails() -> None:
        assert started.wait(20)
        raise ValueError("the run ends by this")

    with pytest.raises(ValueError, match="the run ends by this"):
        executed(tmp_path, [endless, fails], 2, raise_on_error=True)
    assert TOLD == ["ended"]


INTERRUPTED = """
import sys, time
from pathlib import Path
import dagster as dg
from edu_pipeline.database.connection import Database
from edu_pipeline_tests.orchestration.test_threaded_executor import executed

folder = Path(sys.argv[1])

@dg.asset
def asks():
    with Database(sys.argv[2], "public").connect() as connection:
        (folder / "asks").touch()
        connection.execute("SELECT pg_sleep(120), 'asked by a step'")

@dg.asset
def counts():
    (folder / "counts").touch()
    while True:
        time.sleep(0.01)

@dg.asset(deps=[counts])
def behind():
    (folder / "behind").touch()

for step, events in executed(folder / "dagster", [asks, counts, behind], 2).items():
    print(step, *events)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_steps_and_what_the_server_does_for_them(
    empty_database: Database, tmp_path: Path, number: signal.Signals
) -> None:
    (tmp_path / "dagster").mkdir()
    program = [sys.executable, "-c", INTERRUPTED, str(tmp_path), empty_database.url]
    started = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=os.environ)
    asked = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%asked by a step%' AND pid <> pg_backend_pid() "
        "AND datname = current_database()"
    )
    try:
        with psycopg.connect(empty_database.url, autocommit=True) as connection:
            until = time.monotonic() + 60
            while connection.execute(asked).fetchone() != (1,) or not (tmp_path / "counts").exists():
                assert started.poll() is None and time.monotonic() < until
                time.sleep(0.1)
            started.send_signal(number)
            printed, _ = started.communicate(timeout=30)
            assert connection.execute(asked).fetchone() == (0,)
    finally:
        started.kill()
    assert set(printed.splitlines()) == {"asks START FAILURE", "counts START FAILURE"}
    assert not (tmp_path / "behind").exists()
