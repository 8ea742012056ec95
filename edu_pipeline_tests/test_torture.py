"""A sample of what `make torture` does: a kill, what a reader sees, and some faults of a publisher."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from torture.faults import FAULTS, faults
from torture.ground import Ground, ground
from torture.kills import Killer
from torture.reader import Reader

SOME_FAULTS = ["an HTML page with 200", "a tenth of the rows", "UTF-16"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """A server and a state of its own, filled with the first edition."""
    with ground(tmp_path_factory.mktemp("torture"), whole=False) as made:
        yield made


def test_a_killed_run_leaves_one_edition_and_the_next_one_ends(made: Ground) -> None:
    with Reader(made.cluster.url()) as reader:
        killer = Killer(made, random.Random(3), reader)
        assert killer.measure() == []
        assert killer.contents[0] != killer.contents[1]
        assert killer.kill().problems == ()
    assert (reader.errors, reader.mixed) == ([], []) and reader.milliseconds


def test_faults_of_a_publisher_are_alerted_once_or_harmless(made: Ground) -> None:
    assert len(FAULTS) >= 25
    outcomes = list(faults(made, SOME_FAULTS))
    assert [(outcome.fault, outcome.problems) for outcome in outcomes] == [(name, ()) for name in SOME_FAULTS]
