"""A source in many parts as one input: the parts by name, each read when it is asked for.

Belongs here: the mapping that a transform receives. Does not belong here: which parts there are (``catalogue.py``),
reading one (``readers.py``, ``intake.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import polars as pl


class Parts(Mapping[str, pl.LazyFrame]):
    """Part (a département, say) to its rows; a part is in memory only as long as its frame is kept.

    Args:
        names: the parts that are there.
        read: reads one, anew each time.
    """

    def __init__(self, names: list[str], read: Callable[[str], pl.DataFrame]) -> None:
        self._names, self._read = names, read

    def __getitem__(self, name: str) -> pl.LazyFrame:
        if name not in self._names:
            raise KeyError(name)
        return self._read(name).lazy()

    def __contains__(self, name: object) -> bool:
        """Whether the part is there; it is not read for that."""
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
