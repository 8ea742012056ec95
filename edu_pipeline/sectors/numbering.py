"""Numbers for rows that have no number of their own, the same ones at every load.

Belongs here: a number that follows from what a row is. Does not belong here: which columns tell rows apart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import polars as pl

LARGEST = 2**31 - 1
"""Of PostgreSQL's type integer."""

SEPARATOR = "\x1f"


def numbered(rows: pl.DataFrame, by: Sequence[str]) -> pl.Series:
    """``id``: a different number from 1 to 2,147,483,647 for each row.

    It is a hash of the columns ``by``, and of the row's place among those that have the same ones. Where another row
    has that number already, which happens to some hundred of a million rows, it is the next free one.
    """
    values = pl.concat_str(pl.col(by).cast(pl.String).fill_null(""), separator=SEPARATOR)
    names = rows.select(pl.concat_str(values, pl.int_range(pl.len()).over(values), separator=SEPARATOR)).to_series()
    numbers = pl.Series("id", map(_number, names), dtype=pl.Int32)
    hashed = pl.DataFrame({"name": names, "id": numbers}).with_row_index()
    later = hashed.sort("name").filter(~pl.col("id").is_first_distinct())
    taken = set(numbers) if later.height else set()
    for row, number in later.select("index", "id").iter_rows():
        while number in taken:
            number = number % LARGEST + 1
        taken.add(number)
        numbers[row] = number
    return numbers


def _number(name: str) -> int:
    """A number from 1 to ``LARGEST``."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "big") % LARGEST + 1
