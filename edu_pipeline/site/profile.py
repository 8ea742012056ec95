"""What the values of a column are like: how many are NULL, how the others are distributed.

Belongs here: figures about the columns of a Parquet file, one column in memory at a time. Does not belong here: showing
them (``templates/macros.html``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import polars as pl

from edu_pipeline.export.description import Described, Field

BARS = 24
"""Most bars of a histogram."""

MOST_WORDS = 40
"""A text column with more different values is shown by their number alone, unless few values are most of it."""

COUNTED = 1_000
"""Values are not counted one by one if there are more different ones than this."""

WORDS = 6
"""Most values of a text column that are shown."""

TAIL = 0.01
"""The share of the values at each end that is beyond the histogram, if they would squeeze all others together."""

SQUEEZED = 3
"""They would if the whole range is longer than the rest of it so many times."""


@dataclass(frozen=True)
class Histogram:
    """How many values are in each of some equal intervals.

    Attributes:
        low, high: the least and the greatest value in an interval, of the kind of the column's values.
        counts: values in each interval.
        below, above: values beyond them.
        smallest, median, largest: of all values, likewise.
    """

    low: object
    high: object
    counts: tuple[int, ...]
    below: int
    above: int
    smallest: object
    median: object
    largest: object


@dataclass(frozen=True)
class Words:
    """The most frequent values.

    Attributes:
        counts: value to how many rows have it (of a list: how many times it is in one).
        distinct: how many different values there are.
    """

    counts: dict[str, int]
    distinct: int


@dataclass(frozen=True)
class Profile:
    """The values of a column.

    Attributes:
        rows: of the table.
        nulls: of these, rows in which it is NULL.
        shape: how the others are distributed; None for a geometry, and if there are none.
    """

    rows: int
    nulls: int
    shape: Histogram | Words | None

    @property
    def null_share(self) -> float:
        """From 0 to 1."""
        return self.nulls / self.rows if self.rows else 0.0


def profiles(file: Path, table: Described) -> Iterator[tuple[str, Profile]]:
    """The name and profile of each column of ``table``, whose rows ``file`` has."""
    rows = pl.scan_parquet(file)
    for field in table.fields:
        yield field.name, profile(rows.select(field.name).collect(engine="streaming").to_series(), field)


def profile(values: pl.Series, field: Field) -> Profile:
    """The profile of the values of a column."""
    known = values.drop_nulls()
    shape: Histogram | Words | None = None
    if len(known) and not field.is_geometry:
        kind = values.dtype
        if kind.is_numeric() or kind == pl.Date:
            shape = histogram(known)
        else:
            shape = words(known.explode().drop_nulls() if kind == pl.List else known.cast(pl.String))
    return Profile(len(values), values.null_count(), shape)


def histogram(values: pl.Series) -> Histogram:
    """The histogram of numbers or dates, of which there is at least one."""
    places = values.to_physical().cast(pl.Float64) if values.dtype == pl.Date else values.cast(pl.Float64)
    least, low, high, most = (_quantile(places, share) for share in (0, TAIL, 1 - TAIL, 1))
    if most - least <= SQUEEZED * (high - low) or low == high:
        low, high = least, most
    whole = values.dtype.is_integer() or values.dtype == pl.Date
    counts = _counts(places, low, high, whole)
    median = values.sort()[(len(values) - 1) // 2]
    return Histogram(
        low=_written(low, values.dtype),
        high=_written(high, values.dtype),
        counts=counts,
        below=len(places.filter(places < low)),
        above=len(places.filter(places > high)),
        smallest=values.min(),
        median=median,
        largest=values.max(),
    )


def words(values: pl.Series) -> Words | None:
    """The most frequent of some texts; none of them if they are nearly all different."""
    if values.is_empty():
        return None
    if values.to_frame().select(pl.all().approx_n_unique()).item() > COUNTED:
        return Words({}, values.n_unique())
    counted = values.value_counts(name="rows")
    distinct, name = counted.height, values.name
    top = counted.sort("rows", name, descending=[True, False]).head(WORDS)
    counts = {str(word): int(rows) for word, rows in top.iter_rows()}
    is_told = distinct <= MOST_WORDS or 2 * sum(counts.values()) >= len(values)
    return Words(counts if is_told else {}, distinct)


def _quantile(places: pl.Series, share: float) -> float:
    found = places.quantile(share, "nearest")
    assert found is not None
    return found


def _counts(places: pl.Series, low: float, high: float, whole: bool) -> tuple[int, ...]:
    """Values in each of at most ``BARS`` intervals from ``low`` on; of whole numbers each has as many of them."""
    span = high - low + whole
    width = (ceil(span / BARS) if whole else span / BARS) or 1.0
    bars = ceil(span / width) or 1
    inside = places.filter((places >= low) & (places <= high))
    numbers = ((inside - low) / width).floor().clip(0, bars - 1).cast(pl.Int64)
    found: dict[int, int] = dict(numbers.value_counts().iter_rows())
    return tuple(found.get(number, 0) for number in range(bars))


def _written(place: float, kind: pl.DataType) -> object:
    """The value at a place on the axis."""
    if kind == pl.Date:
        return pl.Series([int(place)], dtype=pl.Int32).cast(pl.Date)[0]
    return int(place) if kind.is_integer() else place


def first_rows(file: Path, names: Sequence[str], count: int) -> list[dict[str, Any]]:
    """The first rows of a Parquet file, by column."""
    return pl.scan_parquet(file).select(names).head(count).collect().to_dicts()
