"""Steps in threads: how many run at a time, in which order, and that a signal ends all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Barrier, BrokenBarrierError, Event, current_thread, main_thread
from threading import enumerate as enumerate_threads

import dagster as dg
import psycopg
import pytest

from edu_pipeline.database.connection import Database
from edu_pipeline.definitions import defs
from edu_pipeline.orchestration import threaded_executor
from edu_pipeline.orchestration.threaded_executor import Report
from edu_pipeline.settings import settings
from edu_pipeline_tests.orchestration.steps import run_steps
from edu_pipeline_tests.waiting import HANG, awaited

NOTES: list[str] = []
"""What the assets of a test have noted."""


@pytest.fixture(autouse=True)
def no_notes(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    NOTES.clear()
    monkeypatch.setenv("EDU_STEPS_AT_ONCE", "2")
    yield
    settings.cache_clear()


def meeting(name: str, barrier: Barrier, seconds: float) -> dg.AssetsDefinition:
    """An asset that waits for the others of ``barrier``, and notes whether they met."""

    @dg.asset(name=name)
    def wait() -> None:
        assert current_thread() is not main_thread()
        try:
            barrier.wait(seconds)
            NOTES.append("met")
        except BrokenBarrierError:
            NOTES.append("alone")

    return wait


def noting(
    name: str, deps: Sequence[str] = (), error: Exception | None = None, priority: int = 0
) -> dg.AssetsDefinition:
    """An asset that notes its name, and fails with ``error``."""

    @dg.asset(name=name, deps=list(deps), op_tags={"dagster/priority": str(priority)})
    def note() -> None:
        NOTES.append(name)
        if error:
            raise error

    return note


def test_two_steps_run_at_a_time() -> None:
    barrier = Barrier(2)
    run_steps([meeting(name, barrier, HANG) for name in ("one", "two")], 2)
    assert NOTES == ["met", "met"]


@pytest.mark.parametrize(("steps_at_once", "steps"), [(1, 2), (2, 3)])
def test_no_more_steps_run_at_a_time_than_allowed(steps_at_once: int, steps: int) -> None:
    barrier = Barrier(steps)
    run_steps([meeting(f"step_{number}", barrier, 1) for number in range(steps)], steps_at_once)
    assert ["alone"] * steps == NOTES


def test_a_step_waits_for_those_that_it_depends_on() -> None:
    steps = [noting("a_last", ["b", "c"]), noting("b", ["d"]), noting("c", ["d"]), noting("d")]
    assert set(run_steps(steps, 4)) == {"a_last", "b", "c", "d"}
    assert NOTES[0] == "d" and NOTES[-1] == "a_last"


def test_the_step_with_the_highest_priority_is_first() -> None:
    run_steps([noting("a"), noting("b", priority=1), noting("c", priority=2)], 1)
    assert NOTES == ["c", "b", "a"]


def test_the_sectorisation_is_first_after_what_it_reads() -> None:
    steps = {node.name: node.tags.get("dagster/priority") for node in defs.resolve_job_def("full_rebuild").nodes}
    longest, read_by_them = ({name for name, priority in steps.items() if priority == level} for level in "21")
    assert longest == {"sectorisation_segments", "sectorisation_zones"}
    assert read_by_them == {
        "departements",
        "info_communes",
        "passage_communes",
        "commune_boundaries",
        "annuaire_education",
        "secteurs_colleges",
    }


def test_a_failed_step_stops_those_behind_it_and_no_other() -> None:
    steps = [
        noting("fails", error=ValueError("no")),
        noting("behind", ["fails"]),
        noting("far_behind", ["behind"]),
        noting("other"),
        noting("behind_other", ["other"]),
    ]
    events = run_steps(steps, 2)
    assert {"fails", "other", "behind_other"} == set(events)
    assert events["fails"][-1] == "FAILURE" and events["behind_other"][-1] == "SUCCESS"


@pytest.mark.parametrize("seconds", [None, 0.2])
def test_a_step_is_retried_while_others_run(seconds: float | None) -> None:
    succeeded = Event()

    @dg.asset
    def retried() -> None:
        NOTES.append("try")
        if NOTES.count("try") < 2:
            raise dg.RetryRequested(max_retries=1, seconds_to_wait=seconds)
        succeeded.set()

    @dg.asset
    def patient() -> None:
        assert succeeded.wait(HANG)

    events = run_steps([patient, retried], 2)
    assert events["retried"] == ["START", "UP_FOR_RETRY", "RESTARTED", "OUTPUT", "SUCCESS"]
    assert events["patient"][-1] == "SUCCESS"


def test_a_step_that_ends_just_after_the_wait_has_reported_all(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = Event()

    class WaitsTooShort(SimpleQueue[Report]):
        """Its first wait is over just before the step reports; the step has ended when the caller hears of it."""

        def get(self, block: bool = True, timeout: float | None = None) -> Report:
            if not waited.is_set():
                waited.set()
                thread = next(thread for thread in enumerate_threads() if thread.name == "late")
                thread.join(HANG)
                raise Empty
            return super().get(block, timeout)

    @dg.asset
    def late() -> None:
        assert waited.wait(HANG)

    monkeypatch.setattr(threaded_executor, "SimpleQueue", WaitsTooShort)
    assert run_steps([late, noting("behind", ["late"])], 2)["behind"][-1] == "SUCCESS"


def test_an_error_that_ends_the_run_first_ends_its_steps() -> None:
    started = Event()

    @dg.asset
    def endless() -> None:
        started.set()
        try:
            while True:
                time.sleep(0.01)
        finally:
            NOTES.append("ended")

    @dg.asset
    def fails() -> None:
        assert started.wait(HANG)
        raise ValueError("the run ends by this")

    with pytest.raises(ValueError, match="the run ends by this"):
        run_steps([endless, fails], 2, raise_on_error=True)
    assert NOTES == ["ended"]


INTERRUPTED = """
import sys, time
from pathlib import Path
import dagster as dg
from edu_pipeline.database.connection import Database
from edu_pipeline_tests.orchestration.steps import run_steps

folder = Path(sys.argv[1])

@dg.asset
def queries():
    with Database(sys.argv[2], "public").connect() as connection:
        connection.execute("SELECT pg_sleep(1e6), 'query of a step'")

@dg.asset
def loops():
    (folder / "loops").touch()
    while True:
        time.sleep(0.01)

@dg.asset(deps=[loops])
def behind():
    (folder / "behind").touch()

for step, events in run_steps([queries, loops, behind], 2).items():
    print(step, *events)
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_all_steps_and_their_queries(
    empty_database: Database, tmp_path: Path, number: signal.Signals
) -> None:
    program = [sys.executable, "-c", INTERRUPTED, str(tmp_path), empty_database.url]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=os.environ)
    queries = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%query of a step%' AND pid <> pg_backend_pid() "
        "AND datname = current_database()"
    )
    try:
        with psycopg.connect(empty_database.url, autocommit=True) as connection:
            awaited(
                lambda: connection.execute(queries).fetchone() == (1,) and (tmp_path / "loops").exists(),
                "both steps to run",
                process,
            )
            process.send_signal(number)
            printed, _ = process.communicate(timeout=HANG)
            assert connection.execute(queries).fetchone() == (0,)
    finally:
        process.kill()
    assert set(printed.splitlines()) == {"loops START FAILURE", "queries START FAILURE"}
    assert not (tmp_path / "behind").exists()
