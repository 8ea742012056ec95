"""The difference between new and published rows."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edu_pipeline.loading.difference import HASHES, ROW, _only_in, difference
from edu_pipeline_tests.loading.samples import everything, row


def test_added_changed_and_removed_rows_are_counted() -> None:
    old = pl.DataFrame({"k": ["a", "b", "c", "d"], "v": [1, None, 3, None], "l": [["x"], [], None, ["y", "z"]]})
    new = pl.DataFrame({"k": ["a", "b", "c", "e"], "v": [1, None, 4, 5], "l": [["x"], None, None, ["y"]]})
    change = difference(new.lazy(), old.lazy(), ["k"])
    assert (change.added, change.changed, change.removed, change.published, change.size) == (1, 2, 1, 4, 4)
    assert sorted(change.fresh.collect()["k"]) == ["b", "c", "e"]
    assert sorted(change.stale.collect()["k"]) == ["b", "c", "d"]


@given(
    old=st.lists(row, max_size=6, unique_by=lambda row: str(row["cle"])),
    new=st.lists(row, max_size=6, unique_by=lambda row: str(row["cle"])),
    kept=st.sets(st.integers(0, 5)),
)
@hypothesis_settings(max_examples=200, deadline=None)
def test_the_same_as_comparing_row_by_row(
    old: list[dict[str, object]], new: list[dict[str, object]], kept: set[int]
) -> None:
    for number in kept & set(range(len(old))):  # rows in common, and rows that share a key only
        if old[number]["cle"] not in {row["cle"] for row in new}:
            new = [*new, old[number] if number % 2 else old[number] | {"texte": "changed", "liste": None}]
    before, after = ({row["cle"]: row for row in everything(rows).to_dicts()} for rows in (old, new))
    change = difference(everything(new).lazy(), everything(old).lazy(), ["cle"])
    assert change.added == len(after.keys() - before.keys())
    assert change.removed == len(before.keys() - after.keys())
    assert change.changed == len([key for key in before.keys() & after.keys() if before[key] != after[key]])
    assert change.published == len(old)


def test_swapped_values_are_a_difference() -> None:
    old = pl.DataFrame({"k": ["a", "b"], "x": ["1", None], "y": [None, "1"], "z": ["p", "q"], "w": ["q", "p"]})
    new = old.select("k", x="y", y="x", z="w", w="z")
    assert difference(new.lazy(), old.lazy(), ["k"]).changed == 2


def test_one_hash_in_common_is_no_row_in_common() -> None:
    """Of five million rows some may share one of their hashes by chance."""
    schema = {ROW: pl.UInt32, **dict.fromkeys(HASHES, pl.UInt64)}
    rows = pl.DataFrame([(0, 1, 10), (1, 2, 20), (2, 3, 30)], schema=schema, orient="row")
    others = pl.DataFrame([(0, 2, 99), (1, 1, 10), (2, 98, 30)], schema=schema, orient="row")
    assert sorted(_only_in(rows, others)[ROW]) == [1, 2]
