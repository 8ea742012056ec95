"""A sample of what `make fuzz` tries: damaged files never end in an exception of a library."""

from __future__ import annotations

from collections import Counter

from fuzz.__main__ import mutants, subjects

SEED, COUNT = 1, 60


def test_damaged_files_end_in_rows_or_own_errors() -> None:
    outcomes = list(mutants(SEED, COUNT, subjects()))
    wrong = [(label, verdict) for label, verdict in outcomes if verdict.kind in ("foreign exception", "poor text")]
    assert [f"{label}: {verdict.detail}" for label, verdict in wrong] == []
    kinds = Counter(verdict.kind for _, verdict in outcomes)
    assert kinds["right"] and kinds["refused"], "the sample shows both"
