"""Addresses of the BAN that are far from their street.

Belongs here: telling such an address from one of a long street, or of one of two places with a street of the same name.
Does not belong here: reading the BAN (``addresses.py``), where a segment is (``placing.py``).

An address is isolated if the nearest other number of its street is more than ``FAR`` away, and neither of these
explains that: the street's numbers are usually about as far apart (a country road), or they count metres. Of two
numbers that are far apart nothing says which is wrong: the one farther from the middle of the commune's addresses is
taken to be.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

FAR = 2_000.0
"""Metres to the nearest other number, from which on an address may be isolated."""

USUAL = 10.0
"""How many times the median of these distances in its street that has to be."""

METRES_PER_NUMBER = 2.0
"""Where numbers count metres, the farthest that consecutive ones may be apart."""

METRES_PER_DEGREE = 111_195.0
"""Along a great circle on a sphere with a radius of 6,371 km."""

STREET = ("code_insee", "name")

Array = np.ndarray[Any, np.dtype[Any]]


def are_isolated(addresses: pl.DataFrame) -> pl.Series:
    """Whether each address is far from its street.

    Args:
        addresses: all addresses of some communes: ``code_insee``; ``numero``, an integer; ``nom_voie``, ``nom_afnor``;
            ``lon`` and ``lat`` in degrees. None of the numbers and positions is NULL.
    """
    named = addresses.select("code_insee", "numero", "lon", "lat", name=pl.coalesce("nom_voie", "nom_afnor"))
    wide = (
        named.group_by(STREET)
        .agg(_metres(pl.max("lon") - pl.min("lon"), pl.min("lat")), _metres(pl.max("lat") - pl.min("lat")))
        .filter(pl.max_horizontal("lon", "lat") > FAR)
        .drop_nulls()
    )
    of_communes = named.with_row_index("address").join(wide.select("code_insee"), on="code_insee", how="semi")
    located = of_communes.with_columns(
        x=_metres(pl.col("lon"), pl.col("lat").mean().over("code_insee")), y=_metres(pl.col("lat"))
    ).with_columns(pl.median("x", "y").over("code_insee").name.prefix("middle_"))
    isolated = np.zeros(addresses.height, dtype=bool)
    for street in located.join(wide, on=STREET, how="semi").partition_by(STREET):
        places = street.select("x", "y", "middle_x", "middle_y").to_numpy()
        isolated[street["address"].to_numpy()] = _isolated(street["numero"].to_numpy(), places)
    return pl.Series("isolated", isolated)


def _metres(degrees: pl.Expr, lat: pl.Expr | None = None) -> pl.Expr:
    """Degrees of latitude in metres; those of longitude if ``lat`` says where."""
    return degrees * METRES_PER_DEGREE * (1.0 if lat is None else lat.radians().cos())


def _isolated(numbers: Array, places: Array) -> Array:
    """Which addresses of a street are isolated.

    Args:
        places: columns x and y of the address, and of the middle of the commune's addresses.
    """
    x, y, middle_x, middle_y = places.T
    distances = np.hypot(x[:, None] - x, y[:, None] - y)
    distances[numbers[:, None] == numbers] = np.inf
    nearest = distances.argmin(axis=1)
    gaps = distances.min(axis=1)
    steps = np.abs(numbers[nearest].astype(float) - numbers)
    is_far = np.isfinite(gaps) & (gaps > FAR) & (gaps > METRES_PER_NUMBER * steps)
    distinct, number = np.unique(numbers, return_inverse=True)
    from_middle = np.hypot(x - middle_x, y - middle_y)
    gaps_of_numbers = np.full(len(distinct), np.inf)
    np.minimum.at(gaps_of_numbers, number, gaps)
    is_farther = from_middle > from_middle[nearest]
    is_unusual = gaps > USUAL * np.median(gaps_of_numbers)
    isolated: Array = is_far & (is_farther if len(distinct) == 2 else is_unusual)
    return isolated
