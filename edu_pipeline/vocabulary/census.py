"""What the tables of INSEE's census have in common: counts that are weighted, and shares of them.

Not here: any table's variables.
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c

CATEGORIES = {
    "agriculteurs": "farmers",
    "artisans_commercants": "craftspeople, shopkeepers and heads of businesses",
    "cadres": "managers and higher intellectual professions",
    "professions_intermediaires": "intermediate professions",
    "employes": "clerical, sales and service workers",
    "ouvriers": "manual workers",
}
"""The six categories of people with a profession, in the order of INSEE's nomenclature (1 to 6)."""


def count(description: str, upstream: str, *, unit: str = "people", **rest: Any) -> Any:
    """A column of counts: sums of the census's weights, hence not whole; NULL where INSEE gives none."""
    return c.real(description, unit=unit, min=0, upstream=upstream, adds_up=True, **rest)


def share(part: str, whole: str) -> Any:
    """A column of shares that says of what: the columns ``part`` and ``whole`` of the same table."""
    return c.percentage(f"Share of `{part}` in `{whole}`; NULL where `{whole}` is 0 or NULL.")


def percent(part: str, whole: str) -> pl.Expr:
    """``part`` of 100 ``whole``; NULL where the whole is 0 or one of the two is NULL or no number."""
    number, total = (pl.col(name).cast(pl.Float64, strict=False) for name in (part, whole))
    return pl.when(total > 0).then(100 * number / total)
