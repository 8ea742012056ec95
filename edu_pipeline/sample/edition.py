"""What everything invented follows from: a scale, a seed, and the number of new releases of each source.

Belongs here: random numbers for each purpose, and which values a new release revises. Does not belong here: what is
invented with them (`country.py`, `schools.py`, `publishers/`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, get_args

import numpy as np
import polars as pl

Scale = Literal["sample", "national"]

REVISED, REVISED_BY = 0.01, 0.1
"""Share of the rows that a release revises, and by how much at most."""


class Edition:
    """One state of the invented data: the same arguments always give the same data.

    Args:
        scale: eight départements, or the whole country.
        releases: number of new releases since the first, by source; 0 for a source that is not named.
    """

    def __init__(self, scale: Scale = "sample", seed: int = 1, releases: Mapping[str, int] | None = None) -> None:
        if scale not in get_args(Scale):
            raise ValueError(f"scale: expected one of {', '.join(get_args(Scale))}, found {scale!r}.")
        self.scale: Scale = scale
        self.seed = seed
        self._releases = dict(releases or {})

    def rng(self, *names: str) -> np.random.Generator:
        """The random numbers of one purpose, independent of what was drawn for any other."""
        digest = hashlib.sha256("\n".join([str(self.seed), *names]).encode()).digest()
        return np.random.default_rng(int.from_bytes(digest[:16], "big"))

    def release(self, source: str) -> int:
        """How many new releases of the source have been published since the first."""
        return self._releases.get(source, 0)

    def revised(self, frame: pl.DataFrame, source: str, *columns: str) -> pl.DataFrame:
        """The frame as of the source's current release: each release revises a hundredth of the rows.

        A value moves towards 0, by a tenth at most, so that it stays within its bounds, and keeps the column's number
        of decimals. Only the smallest possible value, such as a count of 1, doubles. Nulls and zeros stay.
        """
        for release in range(1, self.release(source) + 1):
            rng = self.rng("moved", source, *columns, str(release))
            share = rng.uniform(0, REVISED_BY, frame.height)
            share[rng.permutation(frame.height)[round(REVISED * frame.height + 0.5) :]] = 0
            frame = frame.with_columns(_towards_zero(frame[name], pl.Series(share)) for name in columns)
        return frame

    def is_revised(self, frame: pl.DataFrame, source: str) -> pl.Series:
        """Which rows any release of the source has revised, for a source that has no number to revise."""
        marks = self.revised(pl.DataFrame({"mark": np.full(frame.height, 1_000_000)}), source, "mark")
        return marks["mark"] != 1_000_000


def _towards_zero(column: pl.Series, share: pl.Series) -> pl.Series:
    """The column with its values reduced by ``share`` where that is positive, in steps of its last decimal."""
    decimals = 0
    if column.dtype.is_float():
        decimals = next((number for number in range(6) if (column.round(number) - column).abs().sum() < 1e-9), 6)
    units = (column.cast(pl.Float64) * 10**decimals).round()
    step = pl.when(pl.col("units").abs() == 1).then(-1.0).otherwise((pl.col("units").abs() * pl.col("share")).clip(1))
    revised = (
        pl.when((pl.col("share") > 0) & (pl.col("units") != 0))
        .then(pl.col("units") - pl.col("units").sign() * step.floor())
        .otherwise("units")
    )
    frame = pl.DataFrame({"units": units, "share": share})
    return frame.select((revised / 10**decimals).round(decimals).cast(column.dtype).alias(column.name)).to_series()
