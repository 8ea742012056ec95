"""Items that a thread makes ahead: their order, what is raised in their place, and that nothing goes on afterwards."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from edu_pipeline.export.ahead import ahead
from edu_pipeline_tests.waiting import awaited


def test_items_come_in_order_and_one_is_made_ahead() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1, 6):
            made.append(number)
            yield number

    with ahead(items()) as numbers:
        assert next(numbers) == 1
        awaited(lambda: made == [1, 2], "the second item, and no third")
        assert list(numbers) == [2, 3, 4, 5]


def test_what_an_item_raises_is_raised_in_its_place() -> None:
    with ahead(12 // number for number in [4, 3, 0, 1]) as numbers:
        assert [next(numbers), next(numbers)] == [3, 4]
        with pytest.raises(ZeroDivisionError):
            next(numbers)


def test_after_the_block_no_item_is_being_made() -> None:
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def items() -> Iterator[int]:
        yield 1
        begun.set()
        may_end.wait()
        ended.set()
        yield 2

    with ahead(items()) as numbers:
        assert next(numbers) == 1
        begun.wait()
        may_end.set()
    assert ended.is_set()
