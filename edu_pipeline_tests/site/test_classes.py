"""Classes of a figure: as many values in each as ties allow."""

from __future__ import annotations

import polars as pl

from edu_pipeline.site.atlas.classes import edges


def test_classes_are_of_equal_size() -> None:
    assert edges(pl.Series(range(100))) == [0, 20, 40, 60, 80, 99]


def test_order_and_gaps_do_not_matter() -> None:
    assert edges(pl.Series([5.5, None, 1.0, 3.0, float("nan"), 2.0, 4.0])) == [1, 2, 3, 4, 5.5, 5.5]


def test_equal_values_stay_together() -> None:
    assert edges(pl.Series([0] * 70 + list(range(1, 31)))) == [0, 11, 30]


def test_one_value_is_one_class() -> None:
    assert edges(pl.Series([3, 3, None])) == [3, 3]


def test_without_values_there_is_no_class() -> None:
    assert edges(pl.Series([None, None], dtype=pl.Float64)) == []
