"""Making the next item while one is used.

Belongs here: the thread that does so. Does not belong here: what is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


@contextmanager
def ahead(items: Iterator[Item]) -> Iterator[Iterator[Item]]:
    """The items, in order, each made by a thread while the previous one is used; none is made after the block.

    Raises:
        Exception: what the iterator raises, in its place.
    """
    with ThreadPoolExecutor(1) as thread:

        def made() -> Iterator[Item]:
            coming = thread.submit(next, items, None)
            while (item := coming.result()) is not None:
                coming = thread.submit(next, items, None)
                yield item

        yield made()
