"""Frames made piece by piece: several pieces worked on at a time, given on in their order, none kept.

Belongs here: nothing else. What the pieces are (départements) is said in ``addresses.py``.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import polars as pl
from polars.io.plugins import register_io_source

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_order(work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """What ``work`` makes of the items, in their order; it is called in as many threads as there are processors.

    No more results wait than there are threads. Polars and shapely let other threads run while they work.
    """
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def lazily(pieces: Callable[[], Iterator[pl.DataFrame]], schema: pl.Schema) -> pl.LazyFrame:
    """The frame whose rows are those of the pieces; they are made anew whenever it is collected.

    Args:
        schema: of the frame; a piece may have its columns in any order.
    """

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        for piece in pieces():
            chosen = piece.select(schema.names())
            chosen = chosen if predicate is None else chosen.filter(predicate)
            chosen = chosen.head(rows) if rows is not None else chosen
            rows = rows - chosen.height if rows is not None else None
            yield chosen if columns is None else chosen.select(columns)
            if rows == 0:
                return

    return register_io_source(source, schema=schema)
