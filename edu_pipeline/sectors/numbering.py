"""Numbers for rows that have none of their own, the same at every load.

Belongs here: a number that is computed from a row's values. Does not belong here: which columns identify a row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

LARGEST = 2**31 - 1
"""The largest value of PostgreSQL's type integer."""

SEPARATOR = "\x1f"

Numbers = npt.NDArray[np.int64]


def hashed(rows: pl.DataFrame, by: Sequence[str]) -> pl.Series:
    """``hash`` (0 to 2^63 - 1) of the columns ``by``, and of the row's place among rows with the same values there."""
    values = rows.select(value=pl.concat_str(pl.col(by).cast(pl.String).fill_null(""), separator=SEPARATOR))
    place = pl.col("value").cum_count().over("value") - 1
    names = values.select(pl.concat_str("value", place, separator=SEPARATOR)).to_series()
    return pl.Series("hash", [_hash(name) for name in names], dtype=pl.Int64)


def numbered(pieces: Iterable[pl.DataFrame], largest: int = LARGEST) -> Iterator[pl.DataFrame]:
    """The pieces with ``id`` in place of ``hash``: a number from 1 to ``largest`` that no other row of any piece has.

    It is computed from the hash. If an earlier row already has that number, which happens to a few hundred of a million
    rows, the row gets the next free one.
    """
    taken: Numbers = np.empty(0, dtype=np.int64)
    for piece in pieces:
        numbers: Numbers = piece["hash"].to_numpy() % largest + 1
        wanted, first = np.unique(numbers, return_index=True)
        free = first[~_is_taken(taken, wanted)]
        taken = _with_numbers(taken, np.sort(numbers[free]))
        for row in np.setdiff1d(np.arange(len(numbers)), free):
            number = numbers[row]
            while _is_taken(taken, number):
                number = number % largest + 1
            numbers[row] = number
            taken = _with_numbers(taken, number)
        yield piece.with_columns(id=pl.Series(numbers, dtype=pl.Int32)).drop("hash")


def _is_taken(taken: Numbers, numbers: Numbers | np.int64) -> Any:
    """Whether each of the numbers is in ``taken``, which is sorted."""
    return np.searchsorted(taken, numbers, side="left") < np.searchsorted(taken, numbers, side="right")


def _with_numbers(taken: Numbers, numbers: Numbers | np.int64) -> Numbers:
    return np.insert(taken, np.searchsorted(taken, numbers), numbers)


def _hash(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") >> 1
