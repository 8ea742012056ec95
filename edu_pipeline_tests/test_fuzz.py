"""A sample of what `make fuzz` tries: damaged files never end in an exception of a library."""

from __future__ import annotations

from collections import Counter

from fuzz.__main__ import mutants, subjects

SEED, COUNT = 1, 60


def test_damaged_files_end_in_rows_or_own_errors() -> None:
    outcomes = list(mutants(SEED, COUNT, subjects()))
    assert [f"{label}: {verdict.detail}" for label, verdict in outcomes if verdict.kind == "foreign exception"] == []
    kinds = Counter(verdict.kind for _, verdict in outcomes)
    assert kinds["right"] and kinds["refused"], "the sample shows both"
