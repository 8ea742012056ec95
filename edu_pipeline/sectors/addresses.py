"""The addresses of the Base Adresse Nationale, a département at a time.

Belongs here: which part of the BAN goes with which rows, and its columns as values. Does not belong here: which
addresses a segment holds (``placing.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import polars as pl

from edu_pipeline.vocabulary import arrondissements

COLUMNS = ("code_insee", "numero", "rep", "nom_voie", "nom_afnor", "lon", "lat")
"""The BAN's columns that are read."""

AT_ONCE = 10_000
"""About how many rows are worked on together: their addresses take many times the memory."""

NONE = pl.DataFrame(
    schema=dict.fromkeys(COLUMNS, pl.String) | {"numero": pl.Int32, "lon": pl.Float64, "lat": pl.Float64}
)
"""Columns and types of addresses, without any."""


def by_departement(rows: pl.LazyFrame, ban: Mapping[str, pl.LazyFrame]) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The départements in the order of the rows: its rows, and the addresses of their communes.

    Args:
        rows: with ``code_departement`` and ``code_commune``.
        ban: département to its addresses, all text; one that it lacks has none.
    """
    departement = pl.col("code_departement")
    for code in rows.select(departement.unique(maintain_order=True)).collect().to_series():
        here = rows.filter(departement.is_null() if code is None else departement == code).collect()
        yield here, of_communes(ban, code, here["code_commune"].unique().to_list())


def in_parts(rows: pl.DataFrame, addresses: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The rows and the addresses of some communes, then of others, until all rows were there: about ``AT_ONCE`` at a
    time, all of a commune, and of a city with its arrondissements, together, in their order."""
    communes = rows.group_by("code_commune", maintain_order=True).len()
    city = pl.col("code_commune").replace(arrondissements.COMMUNES).alias("city")
    cities = communes.group_by(city, maintain_order=True).agg("code_commune", pl.col("len").sum())
    parts = cities.with_columns(part=(pl.col("len").cum_sum() - pl.col("len")) // AT_ONCE).explode("code_commune")
    for (_,), some in parts.group_by("part", maintain_order=True):
        yield (
            rows.join(some, on="code_commune", how="semi", nulls_equal=True, maintain_order="left"),
            addresses.filter(pl.col("code_insee").is_in(some["code_commune"].implode())),
        )


def of_communes(ban: Mapping[str, pl.LazyFrame], departement: str | None, communes: Collection[str]) -> pl.DataFrame:
    """The addresses of some communes of a département, as ``NONE`` has their columns; those without a number or a
    position are left out."""
    if departement is None or departement not in ban:
        return NONE
    number = pl.col("numero").cast(NONE.schema["numero"], strict=False)
    position = pl.col("lon", "lat").cast(pl.Float64, strict=False)
    here = ban[departement].filter(pl.col("code_insee").is_in(list(communes)))
    return here.select(COLUMNS).with_columns(number, position).drop_nulls(["numero", "lon", "lat"]).collect()
