"""What the census tables have in common: weighted counts, shares computed from them, and editions one below the other.

Belongs here: how such a column is declared and computed. Does not belong here: the variables of any one table.
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.flow import stacked


def count(description: str, upstream: str | Mapping[str, str], *, unit: str = "people", **rest: Any) -> Any:
    """A count: a sum of census weights, hence not a whole number; NULL where INSEE gives none."""
    return c.real(description, unit=unit, min=0, max=c.MOST_PEOPLE, upstream=upstream, adds_up=True, **rest)


def annee(source: str) -> Any:
    """The year of the census, of a table with several of them, from the long file ``source``."""
    description = "Year of the census: the middle of the five years of surveys that it is made of."
    return c.year(description, key=True, upstream={source: "TIME_PERIOD"})


def statut(source: str) -> Any:
    """What INSEE says of the figures of a commune in the long file ``source``."""
    return c.text(
        "INSEE's status of the figures (OBS_STATUS): A as usual, W including a commune that has merged into this one; "
        "several in the order of the alphabet. NULL: the file has none.",
        pattern="^[A-Z](,[A-Z])*$",
        upstream={source: "OBS_STATUS"},
        optional=True,
    )


def share(part: str, whole: str) -> Any:
    """The share of the column ``part`` in the column ``whole``, which ``with_shares`` computes."""
    description = f"Share of `{part}` in `{whole}`; NULL where `{whole}` is 0 or NULL."
    return c.percentage(description, computed_from=(part, whole))


def with_shares(rows: pl.LazyFrame, contract: type[c.Contract]) -> pl.LazyFrame:
    """Add all the columns of ``contract`` that are a ``share``."""
    return rows.with_columns(
        percent(part, whole).alias(name) for name, (part, whole) in c.computed_from(contract).items()
    )


def editions(long: pl.LazyFrame, wide: pl.LazyFrame | None, contract: type[c.Contract]) -> pl.LazyFrame:
    """The rows of the long file, with its own years, and below them those of the wide one of an earlier edition.

    A column that only one of them has is NULL in the rows of the other. Shares are added.

    Args:
        wide: the file of one year, which is its ``vintage``.
    """
    if wide is None:
        return with_shares(stacked(long), contract)
    of_year = wide.rename({"vintage": "annee"})
    return with_shares(stacked(long, of_year), contract)


def percent(part: str, whole: str) -> pl.Expr:
    """``part`` in percent of ``whole``; NULL if the whole is 0, or if either is NULL or not a number."""
    number, total = (pl.col(name).cast(pl.Float64, strict=False) for name in (part, whole))
    return pl.when(total > 0).then(100 * number / total)
