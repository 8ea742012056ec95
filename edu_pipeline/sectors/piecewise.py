"""Frames made piece by piece: several pieces worked on at a time, given on in their order, none kept.

Belongs here: nothing else. What the pieces are (some communes) is said in ``addresses.py``.

Work on many rows is done by processes, one per processor: half of it is Python's own, of which a process does one thing
at a time. They end with the process that started them, however that ends.
"""

from __future__ import annotations

import gc
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from multiprocessing import current_process
from threading import Thread
from typing import TypeVar

import loky
import polars as pl
from loky.process_executor import ProcessPoolExecutor, TerminatedWorkerError
from polars.io.plugins import register_io_source

from edu_pipeline.errors import ProcessKilled

Item = TypeVar("Item")
Result = TypeVar("Result")

FEW = 50_000
"""Rows that one process has worked on before others have started."""

AHEAD = 2
"""Items per process that are handed out before the result of the first is taken."""


def in_order(work: Callable[[Item], Result], items: Iterable[Item], *, rows: int) -> Iterator[Result]:
    """What ``work`` makes of the items, in their order.

    A few are under way per processor, so that a long one does not keep the others waiting.

    Args:
        work: a function of a module; so are item, result and error pickled between processes.
        rows: of all items; few are worked on here.

    Raises:
        ProcessKilled: a process was, for want of memory for example.
    """
    processes = 1 if current_process().daemon else loky.cpu_count()  # a daemon, as Dask's workers are, may start none
    if rows < FEW or processes < 2:
        yield from map(work, items)
        return
    begin, one_thread = (os.getpid(),), {"POLARS_MAX_THREADS": "1"}
    with ProcessPoolExecutor(processes, initializer=_begin, initargs=begin, env=one_thread) as pool:
        waiting: deque[Future[Result]] = deque()
        for item in items:
            waiting.append(pool.submit(_kept_from_collection, work, item))
            if len(waiting) > AHEAD * processes:
                yield _made(waiting.popleft())
        while waiting:
            yield _made(waiting.popleft())


def _made(result: Future[Result]) -> Result:
    try:
        return result.result()
    except TerminatedWorkerError as error:
        raise ProcessKilled(
            "processes of sectors/piecewise.py",
            "expected each to work until all rows are done, found that one was killed, most often by the system for "
            "want of memory.",
            "Look at the system's log for it, give the machine or the container more memory, and run it again.",
        ) from error


def _kept_from_collection(work: Callable[[Item], Result], item: Item) -> Result:
    """What ``work`` makes of the item. loky looks for cycles once a second, of which rows have none, and goes through
    all that is kept of the items before (a fifth of the time): so it is told to leave that alone."""
    result = work(item)
    gc.freeze()
    return result


def _begin(parent: int) -> None:
    """End with ``parent``, and look for no cycles between loky's searches, which takes another fifth of the time."""
    gc.disable()
    Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when ``parent`` is gone, which a killed one tells nobody."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


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
