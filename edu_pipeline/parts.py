"""A source in many parts as a single input of a transform: the parts by name, each read on access.

Belongs here: the mapping that a transform receives. Does not belong here: which parts a source has
(``catalogue.py``), reading them (``sources/readers.py``, ``loading/intake.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import polars as pl


class Parts(Mapping[str, pl.LazyFrame]):
    """The rows of each part (a département, say) by name; a part is in memory only while its frame is referenced.

    Args:
        names: the parts in the release.
        read: reads a part; called on every access.
    """

    def __init__(self, names: list[str], read: Callable[[str], pl.LazyFrame]) -> None:
        self._names, self._read = names, read

    def __getitem__(self, name: str) -> pl.LazyFrame:
        if name not in self._names:
            raise KeyError(name)
        return self._read(name)

    def __contains__(self, name: object) -> bool:
        """Whether there is such a part, without reading it."""
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
