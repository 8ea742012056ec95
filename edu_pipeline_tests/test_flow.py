"""What becomes of every row: the operations of transforms, and the accounts that they note in."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from edu_pipeline import accounts, flow
from edu_pipeline.accounts import ADDED, PUBLISHED, REFUSED, SOURCE_ROW, USED, Account
from edu_pipeline.contracts import REFUSED_BECAUSE

MANY = 120_000


class Tracked:
    """Rows whose fates are noted."""

    def __init__(self, name: str = "file.csv", **columns: list[Any]) -> None:
        frame = pl.LazyFrame(columns)
        self.account = Account(name, len(next(iter(columns.values()))))
        self.rows = self.account.tracked(frame)


def published(rows: pl.LazyFrame) -> pl.DataFrame:
    """The rows, which are noted as published."""
    frame = rows.collect(engine="streaming")
    accounts.note(frame[SOURCE_ROW], PUBLISHED)
    return frame.drop(SOURCE_ROW)


def test_rows_that_are_not_kept_are_noted_with_their_rule() -> None:
    file = Tracked(level=["COM", "DEP", None, "COM"])
    kept = published(flow.keep(file.rows, pl.col("level") == "COM", "another level"))
    assert kept["level"].to_list() == ["COM", "COM"]
    assert file.account.fates == {"another level": 2, PUBLISHED: 2}
    assert file.account.unaccounted() == []


def test_a_row_dropped_without_an_operation_is_unaccounted() -> None:
    file = Tracked(level=["COM", "DEP", "COM"])
    published(file.rows.filter(pl.col("level") == "COM"))
    assert file.account.unaccounted() == [1]


def test_many_rows_pass_in_batches_and_in_order() -> None:
    file = Tracked(number=list(range(MANY)))
    rows = flow.keep(file.rows, pl.col("number") % 3 == 0, "no multiple")
    batches = list(rows.collect_batches(chunk_size=10_000, maintain_order=True, engine="streaming"))
    assert pl.concat(batches)["number"].to_list() == list(range(0, MANY, 3))
    assert file.account.fates == {"no multiple": 80_000}


def test_a_plan_that_runs_twice_counts_once() -> None:
    file = Tracked(level=["COM", "DEP"])
    rows = flow.keep(file.rows, pl.col("level") == "COM", "another level")
    rows.collect()
    published(rows)
    assert file.account.fates == {"another level": 1, PUBLISHED: 1}


def test_a_word_that_nobody_knows_is_told_from_others() -> None:
    file = Tracked(level=["COM", "DEP", "Com", None])
    published(flow.keep_words(file.rows, "level", ["COM"], "^DEP$", "another level"))
    assert file.account.fates == {"unknown word in level": 2, "another level": 1, PUBLISHED: 1}


def test_the_newest_year_is_chosen_among_valid_ones() -> None:
    file = Tracked(
        uai=["a", "a", "b", "b", None, None, "c", "d", "d"],
        annee=["2023", "2024", "2023", "01/01/2024", "2023", "2024", "9999", "2024", "2099"],
    )
    rows = published(flow.newest(file.rows, "annee", of=["uai"]))
    assert rows.rows() == [
        ("a", "2024"),
        ("b", "2023"),
        ("b", "01/01/2024"),
        (None, "2023"),
        (None, "2024"),
        ("c", "9999"),
        ("d", "2024"),
        ("d", "2099"),
    ]
    assert file.account.fates == {PUBLISHED: 8, "older annee": 1}


def test_school_years_are_compared_by_their_beginning() -> None:
    file = Tracked(annee=["2023-2024", "2024-2025", "2024"])
    assert published(flow.newest(file.rows, "annee"))["annee"].to_list() == ["2024-2025", "2024"]


def test_a_row_of_the_year_2099_does_not_hide_another_school() -> None:
    file = Tracked(uai=["a", "b"], annee=["2024", "2099"])
    assert published(flow.newest(file.rows, "annee", of=["uai"])).height == 2


def test_copies_count_once_and_contradictions_are_refused() -> None:
    file = Tracked(key=["a", "a", "b", "b", "c"], value=["1", "1", "1", "2", "3"])
    rows = published(flow.once(file.rows, ["value"]))
    assert rows.select("key", "value").rows() == [("a", "1"), ("b", "1"), ("b", "2"), ("c", "3")]
    assert rows[REFUSED_BECAUSE].is_not_null().to_list() == [False, True, True, False]
    assert file.account.fates == {PUBLISHED: 4, flow.SAME_ROW: 1}


def test_rows_that_are_added_up_are_in_the_sum() -> None:
    file = Tracked(commune=["a", "b", "a", None], value=[1, 2, 4, 8])
    rows = published(flow.add_up(file.rows, ["commune"], [pl.col("value").sum().alias("total")]))
    assert rows.rows() == [("a", 5), ("b", 2), (None, None)]
    assert file.account.fates == {PUBLISHED: 3, ADDED: 1}


def test_a_refused_row_is_not_added_up() -> None:
    file = Tracked(commune=["a", "a"], value=[1, 2])
    rows = file.rows.with_columns(pl.Series(REFUSED_BECAUSE, [None, "it is wrong"]))
    rows = flow.add_up(rows, ["commune"], [pl.col("value").sum().alias("total")])
    assert published(rows).rows() == [("a", 1, None), ("a", None, "it is wrong")]
    assert file.account.unaccounted() == []


def test_rows_are_added_up_again() -> None:
    file = Tracked(commune=["a", "b", "c"], region=["r", "r", "s"], value=[1, 2, 4])
    once = flow.add_up(file.rows, ["commune"], [pl.col("region").first(), pl.col("value").sum()])
    twice = flow.add_up(once, ["region"], [pl.col("value").sum()])
    assert published(twice).rows() == [("r", 3), ("s", 4)]
    assert file.account.fates == {PUBLISHED: 2, ADDED: 1}


def test_a_look_up_says_how_much_it_found() -> None:
    file = Tracked(commune=["a", "b", "c", None])
    other = Tracked("other.csv", commune=["a", "b", "b", "d", None], basin=["1", "2", "2", "4", "5"])
    rows = published(flow.look_up(file.rows, other.rows, "commune", "the basin"))
    assert rows.rows() == [("a", "1"), ("b", "2"), ("c", None), (None, None)]
    assert file.account.look_ups == {"the basin": (3, 2)}
    assert other.account.fates == {USED: 2, "not looked up": 1, "no commune": 1, flow.SAME_ROW: 1}


def test_rows_that_contradict_each_other_are_not_looked_up() -> None:
    file = Tracked(commune=["a"])
    other = Tracked(commune=["a", "a"], basin=["1", "2"])
    assert published(flow.look_up(file.rows, other.rows, "commune", "the basin")).rows() == [("a", None)]
    assert other.account.fates == {"several rows with the same commune": 2}


def test_other_rows_fill_gaps_only() -> None:
    file = Tracked(uai=["a", "b (p)"], label=["A", "B"])
    other = Tracked(uai=["a", "b", "c"], label=["A", "B", "C"])
    is_readable = pl.col("uai").str.contains("^[a-z]$")
    rows = published(flow.fall_back(file.rows, other.rows, ["uai"], "the file has it", is_readable, ["label"]))
    assert rows.rows() == [("a", "A"), ("b (p)", "B"), ("c", "C")]
    assert other.account.fates == {"the file has it": 2, PUBLISHED: 1}


def test_rows_of_other_tables_pass_through() -> None:
    rows = pl.LazyFrame({"uai": ["a", "b"], "annee": ["2023", "2024"]})
    assert flow.newest(rows, "annee").collect().height == 1
    assert flow.keep(rows, pl.col("uai") == "a", "x").collect().height == 1
    assert flow.add_up(rows, ["uai"], [pl.len()]).collect().columns == ["uai", "len"]


def test_the_highest_fate_counts() -> None:
    file = Tracked(x=[1, 2])
    source_rows = file.rows.collect()[SOURCE_ROW]
    for fate in (PUBLISHED, REFUSED, "set aside"):
        accounts.note(source_rows, fate)
    assert file.account.fates == {PUBLISHED: 2}


@pytest.mark.parametrize("as_list", [False, True])
def test_a_place_is_the_file_and_the_row(as_list: bool) -> None:
    file = Tracked("schools.csv", x=[1, 2])
    source_rows = file.rows.collect()[SOURCE_ROW]
    lists = source_rows.to_frame().select(pl.concat_list(SOURCE_ROW)).to_series()
    assert accounts.places(lists if as_list else source_rows).to_list() == [
        "file schools.csv, row 1",
        "file schools.csv, row 2",
    ]
