"""Frames made piece by piece: several pieces are processed at a time, passed on in their order, and not kept.

Belongs here: the processes and the order of the results. Does not belong here: what the pieces are (``addresses.py``).

Many rows are processed by several processes, one per processor: half of the work is Python code, of which a process
runs one thread at a time. They end with the process that started them, however that ends.
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
"""The number of rows that one process can finish before others have started."""

AHEAD = 2
"""How many items per process are handed out before the first result is taken."""


def in_order(work: Callable[[Item], Result], items: Iterable[Item], *, rows: int) -> Iterator[Result]:
    """The results of ``work`` for the items, in their order.

    A few items per processor are under way, so that a long one does not hold up the others.

    Args:
        work: a function of a module, since it is pickled; so are items, results and errors.
        rows: how many rows the items have together; if they are few, the work is done in this process.

    Raises:
        ProcessKilled: a process was killed, for example because memory ran out.
    """
    # A daemon process, as Dask's workers are, must not start processes.
    processes = 1 if current_process().daemon else loky.cpu_count()
    if rows < FEW or processes < 2:
        yield from map(work, items)
        return
    arguments, one_thread = (os.getpid(),), {"POLARS_MAX_THREADS": "1"}
    with ProcessPoolExecutor(processes, initializer=_start, initargs=arguments, env=one_thread) as pool:
        pending: deque[Future[Result]] = deque()
        for item in items:
            pending.append(pool.submit(_run_and_freeze, work, item))
            if len(pending) > AHEAD * processes:
                yield _result(pending.popleft())
        while pending:
            yield _result(pending.popleft())


def _result(future: Future[Result]) -> Result:
    try:
        return future.result()
    except TerminatedWorkerError as error:
        raise ProcessKilled(
            "processes of sectors/piecewise.py",
            "expected every process to finish its rows, found that one was killed, most often by the system because "
            "memory ran out.",
            "Check the system's log, give the machine or the container more memory, and run it again.",
        ) from error


def _run_and_freeze(work: Callable[[Item], Result], item: Item) -> Result:
    """The result of ``work`` for the item; what exists after it is exempt from garbage collection.

    Once a second loky collects cycles, of which rows have none. That would traverse everything cached by earlier items
    and take a fifth of the time.
    """
    result = work(item)
    gc.freeze()
    return result


def _start(parent: int) -> None:
    """End with ``parent``, and collect no cycles between loky's collections, which takes another fifth of the time."""
    gc.disable()
    Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when ``parent`` has ended; a killed process tells nobody."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def lazily(pieces: Callable[[], Iterator[pl.DataFrame]], schema: pl.Schema) -> pl.LazyFrame:
    """A frame with the rows of all pieces, which are made again whenever it is collected.

    Args:
        schema: that of the frame; a piece may have its columns in any order.
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
