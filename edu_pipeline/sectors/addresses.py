"""The addresses of the Base Adresse Nationale, a département at a time.

Belongs here: which part of the BAN goes with which rows, and its columns as values. Does not belong here: which
addresses a segment holds (``placing.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TypeVar

import polars as pl

from edu_pipeline.sectors.piecewise import in_order

Result = TypeVar("Result")

COLUMNS = ("code_insee", "numero", "rep", "nom_voie", "nom_afnor", "lon", "lat")
"""The BAN's columns that are read."""


def each_departement(
    rows: pl.DataFrame, ban: Mapping[str, pl.LazyFrame], work: Callable[[pl.DataFrame, pl.DataFrame], Result]
) -> Iterator[Result]:
    """What ``work`` makes of the rows of each département (column ``code_departement``) and of the addresses of their
    communes, several départements at a time, in the order of the rows.

    Args:
        rows: with ``code_commune``.
        ban: département to its addresses, all text; one that it lacks has none.
    """

    def in_one(part: tuple[tuple[object, ...], pl.DataFrame]) -> Result:
        (departement,), here = part
        return work(here, of_communes(ban, str(departement), here["code_commune"].unique().to_list()))

    return in_order(in_one, rows.group_by("code_departement", maintain_order=True))


def of_communes(ban: Mapping[str, pl.LazyFrame], departement: str, communes: Collection[str]) -> pl.DataFrame:
    """The addresses of some communes of a département: ``COLUMNS``, numero as Int32, lon and lat as Float64; those
    without a number or a position are left out."""
    if departement not in ban:
        empty = pl.LazyFrame(schema=dict.fromkeys(COLUMNS, pl.String))
        return _typed(empty)
    return _typed(ban[departement].filter(pl.col("code_insee").is_in(list(communes))))


def _typed(addresses: pl.LazyFrame) -> pl.DataFrame:
    number = pl.col("numero").cast(pl.Int32, strict=False)
    position = pl.col("lon", "lat").cast(pl.Float64, strict=False)
    return addresses.select(COLUMNS).with_columns(number, position).drop_nulls(["numero", "lon", "lat"]).collect()
