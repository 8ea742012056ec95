"""A sample of what `make torture` does: a kill, what a reader sees, some faults of a publisher, and how it ends."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edu_pipeline.database.cluster import Cluster
from edu_pipeline_tests.waiting import awaited
from torture.faults import FAULTS, faults
from torture.ground import Ground, ground, scratch
from torture.kills import Killer
from torture.reader import Reader, distribution

SOME_FAULTS = ["another delimiter", "a tenth of the rows"]


@pytest.fixture(scope="module")
def made() -> Iterator[Ground]:
    """A server and a state of its own, filled with the first edition."""
    with scratch() as folder, ground(folder, durable=False) as made:
        yield made


def test_a_killed_run_leaves_one_edition_and_the_next_one_ends(made: Ground) -> None:
    with Reader(made.cluster.url()) as reader:
        killer = Killer(made, random.Random(11), reader)
        killer.durations = {"refresh": 8.0}
        kill = killer.kill()
    assert (kill.command, kill.victim, kill.problems) == ("refresh", "server", ())
    assert killer.contents[0] != killer.contents[1]
    assert (reader.errors, reader.mixed) == ([], []) and reader.milliseconds


def test_faults_of_a_publisher_are_alerted_once_or_harmless(made: Ground) -> None:
    assert len(FAULTS) >= 25
    outcomes = list(faults(made, SOME_FAULTS))
    assert [(outcome.fault, outcome.problems) for outcome in outcomes] == [(name, ()) for name in SOME_FAULTS]


def test_a_reader_excuses_only_what_the_campaign_did(cluster: Cluster) -> None:
    with Reader(cluster.url("postgres")) as reader:
        awaited(lambda: reader.errors, "an error, since there are no tables")
    assert reader.errors[0].startswith("UndefinedTable 42P01: ") and reader.excused == 0


def test_a_reader_knows_mixed_answers() -> None:
    reader = Reader("", editions={0: (1, 2, 3), 1: (4, 5, 6)})
    reader.seen |= {(1, 2, 3), (4, 2, 3), (1, None, 6)}
    reader.seen_whole |= {(1, 2, 3), (4, 2, 3)}
    assert reader.mixed == [
        "ips_colleges: content of neither edition",
        "tables of both editions in one answer: (4, 2, 3)",
    ]
    assert distribution([3.0, 1.0, 2.0]) | {"slowest": 3.0, "median": 2.0} == distribution([1.0, 2.0, 3.0])


def test_sigterm_ends_the_campaign_with_all_it_has_started(tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    command = [sys.executable, "-m", "torture", "--kills", "0", "--report", str(report)]
    with scratch() as folder:
        folder.chmod(0o755)
        process = subprocess.Popen(command, env=os.environ | {"TMPDIR": str(folder)})
        try:
            awaited(lambda: list(folder.glob("*/.local/postgres/data/postmaster.pid")), "a server", process)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 128 + signal.SIGTERM
        finally:
            process.kill()
        assert list(folder.iterdir()) == []
        assert not [line for line in _command_lines() if str(folder) in line]
    assert report.read_text(encoding="utf-8").startswith("# Campaign with seed 1\n")


def _command_lines() -> list[str]:
    return subprocess.run(
        ["ps", "-ww", "-eo", "command"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
