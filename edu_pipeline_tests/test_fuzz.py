"""A sample of what `make fuzz` tries: what is damaged is read right, refused, or said."""

from __future__ import annotations

from collections import Counter

from fuzz.__main__ import mutants
from fuzz.judging import BAD, REFUSED, RIGHT, SAID
from fuzz.subjects import subjects

SEED, COUNT = 1, 60


def test_damaged_files_are_read_right_refused_or_said() -> None:
    outcomes = list(mutants(SEED, COUNT, subjects()))
    wrong = [(label, verdict) for label, verdict in outcomes if verdict.kind in BAD]
    assert [f"{label}: {verdict.detail}" for label, verdict in wrong] == []
    kinds = Counter(verdict.kind for _, verdict in outcomes)
    assert kinds[RIGHT] and kinds[REFUSED] and kinds[SAID], "the sample shows all three"
