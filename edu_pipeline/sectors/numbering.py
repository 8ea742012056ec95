"""Numbers for rows that have no number of their own, the same ones at every load.

Belongs here: a number that follows from what a row is. Does not belong here: which columns tell rows apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

LARGEST = 2**31 - 1
"""Of PostgreSQL's type integer."""

SEPARATOR = "\x1f"

Numbers = npt.NDArray[np.int64]


def hashed(rows: pl.DataFrame, by: Sequence[str]) -> pl.Series:
    """``hash`` (0 to 2^63 - 1): of the columns ``by``, and of the row's place among those that have the same ones."""
    values = rows.select(value=pl.concat_str(pl.col(by).cast(pl.String).fill_null(""), separator=SEPARATOR))
    place = pl.col("value").cum_count().over("value") - 1
    names = values.select(pl.concat_str("value", place, separator=SEPARATOR)).to_series()
    return pl.Series("hash", [_hash(name) for name in names], dtype=pl.Int64)


def numbered(pieces: Iterable[pl.DataFrame], largest: int = LARGEST) -> Iterator[pl.DataFrame]:
    """The pieces with ``id`` in the place of ``hash``: a different number from 1 to ``largest`` for each row of all.

    It follows from the hash. Where a row before has that number already, which happens to some hundred of a million
    rows, it is the next free one.
    """
    taken: Numbers = np.empty(0, dtype=np.int64)
    for piece in pieces:
        numbers: Numbers = piece["hash"].to_numpy() % largest + 1
        wanted, first = np.unique(numbers, return_index=True)
        free = first[~_among(taken, wanted)]
        taken = _with(taken, np.sort(numbers[free]))
        for row in np.setdiff1d(np.arange(len(numbers)), free):
            number = numbers[row]
            while _among(taken, number):
                number = number % largest + 1
            numbers[row] = number
            taken = _with(taken, number)
        yield piece.with_columns(id=pl.Series(numbers, dtype=pl.Int32)).drop("hash")


def _among(taken: Numbers, numbers: Numbers | np.int64) -> Any:
    """Whether the numbers, one or several, are among those ``taken``, which are sorted."""
    return np.searchsorted(taken, numbers, side="left") < np.searchsorted(taken, numbers, side="right")


def _with(taken: Numbers, numbers: Numbers | np.int64) -> Numbers:
    return np.insert(taken, np.searchsorted(taken, numbers), numbers)


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1
