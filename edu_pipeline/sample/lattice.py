"""The land of the invented country: one cell for each commune, and the borders that cells share.

Belongs here: which cell lies in which département, the coordinates of a cell's ring. Does not belong here: the communes
themselves (`country.py`), where the land is (`territory.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edu_pipeline.sample.territory import Land

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

JITTER = 0.22
"""Greatest distance of a corner from its place in the lattice, in cells; half as much for the middle of an edge."""

KILOMETRES = (76.0, 111.0)
"""Length of a degree of longitude and of latitude in the middle of France, to tell which side is wider."""


def cells(lands: Sequence[Land], counts: Mapping[str, int], centres: Mapping[str, tuple[float, float]]) -> pl.DataFrame:
    """As many cells for each département as it has communes, in one piece, next to its real neighbours.

    Returns:
        land (its number), row and column (in the land's lattice, 0 in its middle), code_departement, longitude and
        latitude (of the cell's middle), width and height (degrees).
    """
    return pl.concat(_cells(number, land, counts, centres) for number, land in enumerate(lands))


def _cells(
    number: int, land: Land, counts: Mapping[str, int], centres: Mapping[str, tuple[float, float]]
) -> pl.DataFrame:
    wanted = sum(counts[code] for code in land.departements)
    reach = int(np.ceil(np.sqrt(wanted))) + 1
    rows, columns = (axis.ravel() for axis in np.mgrid[-reach : reach + 1, -reach : reach + 1])
    middles = np.column_stack([columns * land.width, rows * land.height])
    inside = np.sort(np.lexsort((columns, rows, _gauge(land, middles)))[:wanted])
    rows, columns, middles = rows[inside], columns[inside], middles[inside] + [land.longitude, land.latitude]
    owner = np.empty(wanted, dtype=object)
    _divide(np.arange(wanted), middles, list(land.departements), counts, centres, owner)
    return pl.DataFrame(
        {
            "land": np.full(wanted, number),
            "row": rows,
            "column": columns,
            "code_departement": pl.Series(owner.tolist(), dtype=pl.String),
            "longitude": middles[:, 0],
            "latitude": middles[:, 1],
            "width": np.full(wanted, land.width),
            "height": np.full(wanted, land.height),
        }
    )


def _gauge(land: Land, points: Floats) -> Floats:
    """By what factor the land's outline has to grow for each point to lie on it."""
    corners = np.array(land.outline, dtype=float)
    along = np.roll(corners, -1, axis=0) - corners
    normals = np.column_stack([along[:, 1], -along[:, 0]])
    distances: Floats = np.max(points @ (normals / np.sum(normals * corners, axis=1, keepdims=True)).T, axis=1)
    return distances


def _divide(
    members: Integers,
    middles: Floats,
    codes: list[str],
    counts: Mapping[str, int],
    centres: Mapping[str, tuple[float, float]],
    owner: NDArray[np.object_],
) -> None:
    """Cut the cells across their wider side, and the départements likewise, until each département has its own."""
    if len(codes) == 1:
        owner[members] = codes[0]
        return
    axis = int(np.argmax(np.ptp(middles[members], axis=0) * KILOMETRES))
    codes = sorted(codes, key=lambda code: (centres[code][axis], code))
    behind = np.cumsum([counts[code] for code in codes])[:-1]
    cut = int(np.argmin(np.abs(behind - len(members) / 2)))
    ordered = members[np.lexsort((middles[members, 1 - axis], middles[members, axis]))]
    _divide(ordered[: behind[cut]], middles, codes[: cut + 1], counts, centres, owner)
    _divide(ordered[behind[cut] :], middles, codes[cut + 1 :], counts, centres, owner)


def from_the_middle(frame: pl.DataFrame, counts: Mapping[str, int]) -> pl.DataFrame:
    """The given number of cells of each département, those nearest to its middle."""
    away = ((pl.col("longitude") - pl.col("longitude").mean()) / pl.col("width")) ** 2 + (
        (pl.col("latitude") - pl.col("latitude").mean()) / pl.col("height")
    ) ** 2
    wanted = pl.col("code_departement").replace_strict(counts, default=0, return_dtype=pl.Int64)
    distance = away.over("code_departement")
    return (
        frame.with_columns(distance=distance)
        .sort("code_departement", "distance", "row", "column")
        .filter(pl.int_range(pl.len()).over("code_departement") < wanted)
        .drop("distance")
    )


def rings(rows: Integers, columns: Integers, land: Land, rng: np.random.Generator) -> Floats:
    """The closed rings of the cells, nine points each, counter-clockwise; neighbours have the same points.

    Returns:
        An array of cells, points and coordinates (longitude, latitude).
    """
    first = np.array([columns.min(), rows.min()])
    size = (int(np.ptp(rows)) + 2, int(np.ptp(columns)) + 2)
    places = np.moveaxis(np.indices(size)[::-1], 0, -1) + first

    def jittered(shift: tuple[float, float], reach: float) -> Floats:
        points: Floats = places + shift + rng.uniform(-reach, reach, (*size, 2))
        return points * [land.width, land.height] + [land.longitude, land.latitude]

    corner = jittered((-0.5, -0.5), JITTER)
    south, west = jittered((0, -0.5), JITTER / 2), jittered((-0.5, 0), JITTER / 2)
    y, x = rows - first[1], columns - first[0]
    from_southwest = [corner[y, x], south[y, x], corner[y, x + 1], west[y, x + 1]]
    from_northeast = [corner[y + 1, x + 1], south[y + 1, x], corner[y + 1, x], west[y, x]]
    return np.stack([*from_southwest, *from_northeast, corner[y, x]], axis=1)
