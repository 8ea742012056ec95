"""Work in a process for each processor, some of which may end a process.

Belongs here: the processes, and finding which item has ended one. Does not belong here: the work (``mutants.py``).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from multiprocessing import get_context
from typing import TypeVar

import loky

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_processes(
    work: Callable[[Item], Result], items: Sequence[Item], *, at_a_time: int
) -> Iterator[tuple[Item, Result | None]]:
    """Every item with its result, in order; None if it ended its process.

    Args:
        work: a function of a module, since it is pickled.
        at_a_time: items that a process is handed together.
    """
    batches = deque(items[first : first + at_a_time] for first in range(0, len(items), at_a_time))
    while batches:
        with _processes(loky.cpu_count()) as pool:
            try:
                for results in pool.map(partial(_each, work), list(batches)):
                    yield from zip(batches.popleft(), results, strict=True)
            except BrokenProcessPool:  # by the first batch without results, or by one of the next
                suspects = batches.popleft()
            else:
                return
            finally:
                pool.shutdown(cancel_futures=True)
        yield from ((item, _alone(work, item)) for item in suspects)


def _each(work: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
    return list(map(work, items))


def _alone(work: Callable[[Item], Result], item: Item) -> Result | None:
    with _processes(1) as pool:
        try:
            return pool.submit(work, item).result()
        except BrokenProcessPool:
            return None


def _processes(number: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(number, mp_context=get_context("spawn"))
