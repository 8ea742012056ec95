"""Frames made piece by piece: in order, only as far as they are asked for, and failing as their pieces do."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.errors import EduError, InputMissing, ProcessKilled
from edu_pipeline.sectors.piecewise import AHEAD, FEW, in_order, lazily

SCHEMA = pl.Schema({"number": pl.Int64, "name": pl.String})


@pytest.fixture(autouse=True)
def three_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("loky.cpu_count", lambda: 3)


def slow_at_first(number: int) -> tuple[int, int]:
    time.sleep(0.2 if number == 0 else 0)
    return 10 * number, os.getpid()


def six_over(number: int) -> float:
    if number == 0:
        raise InputMissing("piece 0", "expected another number, found 0.", "Give one.", "a table")
    return 6 / number


def killed(number: int) -> int:
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def sleepy(seconds: float) -> int:
    Path(f"{os.environ['PIDS']}/{os.getpid()}").touch()
    time.sleep(seconds)
    return os.getpid()


KEPT: list[list[int]] = []


def looked_through(number: int) -> int:
    """How many objects a search for cycles would go through, of those that are kept."""
    looked = sum(any(one is kept for kept in KEPT) for one in gc.get_objects()) if KEPT else 0
    KEPT.append([number])
    return looked


def test_what_a_process_keeps_of_its_items_is_not_looked_through() -> None:
    results = list(in_order(looked_through, range(12), rows=FEW))
    assert results == [0] * 12
    for number in range(3):
        looked_through(number)
    assert looked_through(3) == 3  # what is kept here is


@pytest.mark.parametrize(("rows", "processes"), [(FEW, 3), (FEW - 1, 1)])
def test_results_come_in_the_order_of_the_items_and_few_wait(rows: int, processes: int) -> None:
    begun: list[int] = []

    def items() -> Iterator[int]:
        for number in range(20):
            begun.append(number)
            yield number

    results = in_order(slow_at_first, items(), rows=rows)
    first, _ = next(results)
    assert first == 0 and len(begun) == (AHEAD * processes + 1 if processes > 1 else 1)
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


def test_a_process_that_is_killed_is_a_failure_that_says_so() -> None:
    with pytest.raises(ProcessKilled, match="one was killed, most often by the system for want of memory"):
        list(in_order(killed, range(9), rows=FEW))


def test_the_processes_end_after_the_one_that_started_them_was_killed(tmp_path: Path) -> None:
    program = (
        "from edu_pipeline_tests.sectors.test_piecewise import sleepy\n"
        "from edu_pipeline.sectors.piecewise import FEW, in_order\n"
        "import loky; loky.cpu_count = lambda: 2\n"
        "list(in_order(sleepy, 100 * [60], rows=FEW))\n"
    )
    started = subprocess.Popen([sys.executable, "-c", program], env=os.environ | {"PIDS": str(tmp_path)})
    until = time.monotonic() + 60
    while len(list(tmp_path.iterdir())) < 2:
        assert started.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    os.kill(started.pid, signal.SIGKILL)
    started.wait()
    until = time.monotonic() + 30
    while any(Path(f"/proc/{pid.name}").exists() for pid in tmp_path.iterdir()):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_in_a_process_that_may_start_none_the_work_is_done_there(tmp_path: Path) -> None:
    process = get_context("spawn").Process(target=_work_and_tell, args=(tmp_path / "pids",), daemon=True)
    process.start()
    process.join(60)
    assert (tmp_path / "pids").read_text() == str({process.pid})


def _work_and_tell(told: Path) -> None:
    told.write_text(str({pid for _, pid in in_order(slow_at_first, range(9), rows=FEW)}))


def pieces() -> Iterator[pl.DataFrame]:
    for begin in (0, 3, 6):
        numbers = pl.int_range(begin, begin + 3, eager=True)
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


def test_only_as_many_pieces_are_made_as_are_asked_for() -> None:
    made = []

    def counted() -> Iterator[pl.DataFrame]:
        for piece in pieces():
            made.append(piece)
            yield piece

    assert lazily(counted, SCHEMA).head(4).collect()["number"].to_list() == [0, 1, 2, 3]
    assert len(made) == 2
