"""Frames made piece by piece: in order, only as far as they are needed, and failing where a piece fails."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing import get_context
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.errors import EduError, InputMissing, ProcessKilled
from edu_pipeline.sectors.piecewise import AHEAD, FEW, in_order, lazily

SCHEMA = pl.Schema({"number": pl.Int64, "name": pl.String})
HANGS = 300.0
"""Seconds after which a wait is given up."""


@pytest.fixture(autouse=True)
def three_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loky.cpu_count", lambda: 3)


def slow_at_first(number: int) -> tuple[int, int]:
    time.sleep(0.2 if number == 0 else 0)
    return 10 * number, os.getpid()


def six_over(number: int) -> float:
    if number == 0:
        raise InputMissing("piece 0", "expected another number, found 0.", "Choose one.", "a table")
    return 6 / number


def killed(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


CACHED: list[list[int]] = []


def traversed(number: int) -> int:
    """How many of the cached objects a collection of cycles would traverse."""
    count = sum(any(item is cached for cached in CACHED) for item in gc.get_objects()) if CACHED else 0
    CACHED.append([number])
    return count


def test_what_a_process_caches_is_exempt_from_collection() -> None:
    results = list(in_order(traversed, range(12), rows=FEW))
    assert results == [0] * 12
    for number in range(3):
        traversed(number)
    assert traversed(3) == 3  # in this process it is not exempt


@pytest.mark.parametrize(("rows", "processes"), [(FEW, 3), (FEW - 1, 1)])
def test_results_are_in_order_and_few_items_are_ahead(rows: int, processes: int) -> None:
    started: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            started.append(number)
            yield number

    results = in_order(slow_at_first, items(), rows=rows)
    first, _ = next(results)
    assert first == 0 and len(started) == (AHEAD * processes + 1 if processes > 1 else 1)
    rest = list(results)
    assert [value for value, _ in rest] == [10 * number for number in range(1, 20)]
    assert ({process for _, process in rest} == {os.getpid()}) == (processes == 1)


@pytest.mark.parametrize("rows", [FEW, FEW - 1])
def test_an_error_is_raised_where_its_result_would_be(rows: int) -> None:
    results = in_order(six_over, [2, 0, 3], rows=rows)
    assert next(results) == 3
    with pytest.raises(EduError, match="piece 0: expected another number, found 0") as caught:
        next(results)
    assert isinstance(caught.value, InputMissing) and caught.value.awaited == "a table"


def test_a_killed_process_is_a_failure_that_says_so() -> None:
    with pytest.raises(ProcessKilled, match="one was killed, most often by the system because memory ran out"):
        list(in_order(killed, range(9), rows=FEW))


def test_processes_end_after_their_parent_was_killed(tmp_path: Path) -> None:
    program = (
        "from edu_pipeline_tests.sectors.workers import sleepy\n"
        "from edu_pipeline.sectors.piecewise import FEW, in_order\n"
        "import loky; loky.cpu_count = lambda: 2\n"
        f"list(in_order(sleepy, 100 * [{10 * HANGS}], rows=FEW))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], env=os.environ | {"PIDS": str(tmp_path)})
    wait_until(lambda: parent.poll() is not None or len(list(tmp_path.iterdir())) == 2)
    assert parent.poll() is None
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid.name}").exists() for pid in tmp_path.iterdir()))


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for an event; its bound is for a test that hangs, not for a slow machine."""
    deadline = time.monotonic() + HANGS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_daemon_process_does_the_work_itself(tmp_path: Path) -> None:
    process = get_context("spawn").Process(target=_write_pids, args=(tmp_path / "pids",), daemon=True)
    process.start()
    process.join(HANGS)
    assert (tmp_path / "pids").read_text() == str({process.pid})


def _write_pids(path: Path) -> None:
    path.write_text(str({pid for _, pid in in_order(slow_at_first, range(9), rows=FEW)}))


def pieces() -> Iterator[pl.DataFrame]:
    for start in (0, 3, 6):
        numbers = pl.int_range(start, start + 3, eager=True)
        yield pl.DataFrame({"name": numbers.cast(pl.String), "number": numbers})


def test_a_lazy_frame_of_pieces() -> None:
    frame = lazily(pieces, SCHEMA)
    assert frame.collect_schema() == SCHEMA
    assert frame.collect()["number"].to_list() == list(range(9))
    chosen = frame.filter(pl.col("number") % 2 == 1).select("name").head(3)
    assert chosen.collect(engine="streaming")["name"].to_list() == ["1", "3", "5"]
    assert frame.select(pl.len()).collect().item() == 9
    batches = frame.rename({"name": "nom"}).collect_batches(maintain_order=True, engine="streaming")
    assert pl.concat(batches)["nom"].to_list() == [str(number) for number in range(9)]


def test_only_as_many_pieces_are_made_as_are_needed() -> None:
    made = []

    def counted() -> Iterator[pl.DataFrame]:
        for piece in pieces():
            made.append(piece)
            yield piece

    assert lazily(counted, SCHEMA).head(4).collect()["number"].to_list() == [0, 1, 2, 3]
    assert len(made) == 2
