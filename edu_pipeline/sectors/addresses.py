"""The addresses of the Base Adresse Nationale (BAN), one département at a time.

Belongs here: which part of the BAN goes with which rows, and its columns as values. Does not belong here: which
addresses belong to a segment (``placing.py``), which ones are far from their street (``strays.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

import polars as pl

from edu_pipeline import accounts
from edu_pipeline.accounts import SOURCE_ROW
from edu_pipeline.flow import keep, pick
from edu_pipeline.sectors.strays import are_isolated
from edu_pipeline.vocabulary import arrondissements

COLUMNS = ("code_insee", "numero", "rep", "nom_voie", "nom_afnor", "lon", "lat")
"""The BAN's columns that are read."""

AT_ONCE = 10_000
"""About how many rows are processed together: their addresses take many times the memory."""

MARKERS_FROM = 5_000
"""House numbers from here on, such as 99999, are not numbers on a door but say that there is none; so does 0."""

NO_ADDRESSES = pl.DataFrame(
    schema=dict.fromkeys(COLUMNS, pl.String) | {"numero": pl.Int32, "lon": pl.Float64, "lat": pl.Float64}
)
"""An empty frame of addresses, with their columns and types."""


def by_departement(rows: pl.LazyFrame, ban: Mapping[str, pl.LazyFrame]) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """For each département, in the order of the rows: its rows, and the addresses of their communes.

    Args:
        rows: with ``code_departement`` and ``code_commune``.
        ban: département to its addresses, all text; a département that it lacks has no addresses.
    """
    departement = pl.col("code_departement")
    for code in rows.select(departement.unique(maintain_order=True)).collect().to_series():
        own_rows = rows.filter(departement.is_null() if code is None else departement == code).collect()
        yield own_rows, of_communes(ban, code, own_rows["code_commune"].unique().to_list())


def in_parts(rows: pl.DataFrame, addresses: pl.DataFrame) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """The rows, about ``AT_ONCE`` at a time and in their order, each time with the addresses of their communes.

    The rows of a commune stay together, and so do those of a city and its arrondissements.
    """
    communes = rows.group_by("code_commune", maintain_order=True).len()
    city = pl.col("code_commune").replace(arrondissements.COMMUNES).alias("city")
    cities = communes.group_by(city, maintain_order=True).agg("code_commune", pl.col("len").sum())
    parts = cities.with_columns(part=(pl.col("len").cum_sum() - pl.col("len")) // AT_ONCE).explode("code_commune")
    for (_,), part in parts.group_by("part", maintain_order=True):
        yield (
            rows.join(part, on="code_commune", how="semi", nulls_equal=True, maintain_order="left"),
            addresses.filter(pl.col("code_insee").is_in(part["code_commune"].implode())),
        )


def of_communes(ban: Mapping[str, pl.LazyFrame], departement: str | None, communes: Collection[str]) -> pl.DataFrame:
    """The addresses of some communes of a département, with the columns and types of ``NO_ADDRESSES``.

    Addresses without a number or a position are left out, and so are those whose number is a marker or that are far
    from their street.
    """
    if departement is None or departement not in ban:
        return NO_ADDRESSES
    number = pl.col("numero").cast(NO_ADDRESSES.schema["numero"], strict=False)
    position = pl.col("lon", "lat").cast(pl.Float64, strict=False)
    own = keep(ban[departement], pl.col("code_insee").is_in(list(communes)), "of a commune that is not asked for")
    is_placed = pl.col("numero").is_not_null() & pl.col("lon").is_finite() & pl.col("lat").is_finite()
    placed = keep(pick(own, *COLUMNS).with_columns(number, position), is_placed, "without a number or a position")
    is_marker = (pl.col("numero") < 1) | (pl.col("numero") >= MARKERS_FROM)
    sound = keep(placed, ~is_marker, "a number that says that there is none").collect()
    used = keep(sound.lazy(), pl.lit(~are_isolated(sound)), "far from its street").collect()
    if SOURCE_ROW in used.columns:
        accounts.note(used[SOURCE_ROW], accounts.USED)
    return used.select(COLUMNS)
