"""What a page says of a column's values."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from edu_pipeline.export.description import Field
from edu_pipeline.site.profile import BARS, COUNTED, Histogram, Words, histogram, profile, words


def profiled(values: list[object], kind: pl.DataType | None = None, sql: str = "text") -> object:
    return profile(pl.Series(values, dtype=kind), Field("x", sql, "")).shape


def test_nulls_are_counted_and_left_out() -> None:
    found = profile(pl.Series([1, None, 3, None]), Field("x", "integer", ""))
    assert (found.rows, found.nulls, found.null_share) == (4, 2, 0.5)
    assert isinstance(found.shape, Histogram)
    assert (found.shape.smallest, found.shape.median, found.shape.largest) == (1, 1, 3)


@pytest.mark.parametrize("values", [[], [None, None]])
def test_without_values_there_is_no_figure(values: list[None]) -> None:
    assert profiled([*values], pl.Int32(), "integer") is None
    assert profiled([*values], pl.String()) is None
    assert profiled([*values], pl.List(pl.String), "text[]") is None


def test_a_geometry_has_no_figure() -> None:
    assert profiled([b"\x01"], sql="geometry(Point,4326)") is None


def test_every_value_is_in_a_bar_or_beyond() -> None:
    values = pl.Series([*range(1_000), 1_000_000, -1_000_000])
    found = histogram(values)
    assert sum(found.counts) + found.below + found.above == len(values)
    assert (found.smallest, found.largest) == (-1_000_000, 1_000_000)
    assert found.below > 0
    assert found.above > 0
    assert len(found.counts) <= BARS


def test_few_outliers_do_not_squeeze_the_others() -> None:
    found = histogram(pl.Series([float(number % 100) for number in range(10_000)] + [1e9]))
    assert isinstance(found.high, float)
    assert found.high < 100
    assert found.above == 1


def test_each_bar_has_as_many_whole_numbers() -> None:
    assert histogram(pl.Series([1990, 1991, 1993])).counts == (1, 1, 0, 1)
    years = histogram(pl.Series(range(1990, 2024)))
    assert set(years.counts) == {2}
    assert len(years.counts) == 17


def test_dates_and_decimals_keep_their_form() -> None:
    days = histogram(pl.Series([date(2020, 1, 1), date(2020, 1, 3)]))
    assert (days.low, days.high, days.counts) == (date(2020, 1, 1), date(2020, 1, 3), (1, 0, 1))
    assert histogram(pl.Series([Decimal("1.5"), Decimal("2.5")])).median == Decimal("1.5")


def test_one_value_is_one_bar() -> None:
    assert histogram(pl.Series([7, 7])).counts == (2,)
    assert sum(histogram(pl.Series([7.5, 7.5])).counts) == 2


def test_frequent_words_come_first_and_ties_by_name() -> None:
    found = profiled(["b", "a", "c", "c", None])
    assert found == Words({"c": 2, "a": 1, "b": 1}, 3)
    assert list(found.counts) == ["c", "a", "b"]


def test_elements_of_lists_are_counted() -> None:
    assert profiled([["a", "b"], ["a"], [], None], pl.List(pl.String), "text[]") == Words({"a": 2, "b": 1}, 2)


def test_flags_are_words() -> None:
    assert profiled([True, False, True], sql="boolean") == Words({"true": 2, "false": 1}, 2)


@pytest.mark.parametrize("count", [50, 2 * COUNTED])
def test_of_names_only_their_number_is_told(count: int) -> None:
    assert words(pl.Series([f"name {number}" for number in range(count)])) == Words({}, count)
