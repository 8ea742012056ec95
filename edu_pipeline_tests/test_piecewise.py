"""Frames made piece by piece: in order, only as far as they are asked for, and failing as their pieces do."""

from __future__ import annotations

import time
from collections.abc import Iterator

import polars as pl
import pytest

from edu_pipeline.sectors.piecewise import in_order, lazily

SCHEMA = pl.Schema({"number": pl.Int64, "name": pl.String})


def test_results_come_in_the_order_of_the_items_and_few_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    begun: list[int] = []

    def work(number: int) -> int:
        begun.append(number)
        time.sleep(0.02 if number == 0 else 0)
        return 10 * number

    results = in_order(work, range(20))
    assert next(results) == 0
    assert set(begun) <= {0, 1, 2, 3}
    assert list(results) == [10 * number for number in range(1, 20)]


def test_an_error_is_raised_where_its_result_would_be() -> None:
    results = in_order(lambda number: 6 // number, [2, 0, 3])
    assert next(results) == 3
    with pytest.raises(ZeroDivisionError):
        next(results)


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
