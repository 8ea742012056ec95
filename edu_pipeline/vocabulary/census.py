"""What the census tables have in common: weighted counts, and shares computed from them.

Belongs here: how such a column is declared and computed. Does not belong here: the variables of any one table.
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c


def count(description: str, upstream: str, *, unit: str = "people", **rest: Any) -> Any:
    """A count: a sum of census weights, hence not a whole number; NULL where INSEE gives none."""
    return c.real(description, unit=unit, min=0, max=c.MOST_PEOPLE, upstream=upstream, adds_up=True, **rest)


def share(part: str, whole: str) -> Any:
    """The share of the column ``part`` in the column ``whole``, which ``with_shares`` computes."""
    description = f"Share of `{part}` in `{whole}`; NULL where `{whole}` is 0 or NULL."
    return c.percentage(description, computed_from=(part, whole))


def with_shares(rows: pl.LazyFrame, contract: type[c.Contract]) -> pl.LazyFrame:
    """Add all the columns of ``contract`` that are a ``share``."""
    return rows.with_columns(
        percent(part, whole).alias(name) for name, (part, whole) in c.computed_from(contract).items()
    )


def percent(part: str, whole: str) -> pl.Expr:
    """``part`` in percent of ``whole``; NULL if the whole is 0, or if either is NULL or not a number."""
    number, total = (pl.col(name).cast(pl.Float64, strict=False) for name in (part, whole))
    return pl.when(total > 0).then(100 * number / total)
