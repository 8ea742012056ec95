"""From the addresses of a street, on both its sides, to the vertices of one clean line.

Belongs here: the order of the addresses of one side, one line for two sides, and the short line of what lies in one
place; all in metres, in frames. Does not belong here: which addresses a line has, degrees and geometries in degrees
(``placing.py``).

A side follows its numbers, or its main axis where that makes the shorter line: numbers are right in bends, the axis
where numbers do not follow the street. Two sides make the line half-way between them, as far as they face each other,
and what the one has beyond the ends of the other goes on from there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import shapely

SHORT_LINE = 10.0
"""Metres of the line of what lies in one place."""

FACING = 40.0
"""Metres at most between an address and the other side of its street."""

SAME_PLACE = 0.5
"""Metres at most between two addresses in a row that are one vertex."""

SIDE = ["line", "odd"]

Array = np.ndarray[Any, np.dtype[Any]]


def vertices(points: pl.DataFrame) -> pl.DataFrame:
    """The vertices of every line, in order, no two in a row in the same place.

    Args:
        points: ``line``; ``numero``, ``rank``, ``address``: the order along the street; ``odd``: the side; ``x``,
            ``y``: metres.

    Returns:
        ``line``, ``x``, ``y``; ``address``: the first that is there; ``alone``: whether the line lies in one place, and
        has but this vertex.
    """
    sides = _thinned(_in_order(points), SIDE)
    both = _both_sides(sides)
    columns = ["line", "x", "y", "address"]
    merged = pl.concat([sides.filter(~both).select(columns), _between(sides.filter(both)).select(columns)])
    lines = _thinned(merged, ["line"])
    return lines.with_columns(alone=pl.Series(_single(runs(lines, ["line"])), dtype=pl.Boolean))


def short(single: pl.DataFrame) -> pl.DataFrame:
    """A short line around each vertex, in the direction ``dx``, ``dy``, a unit vector: two rows of each."""
    half = pl.Series("half", [-SHORT_LINE / 2, SHORT_LINE / 2]).to_frame()
    ends = single.join(half, how="cross", maintain_order="left_right")
    return ends.with_columns(
        x=pl.col("x") + pl.col("half") * pl.col("dx"), y=pl.col("y") + pl.col("half") * pl.col("dy")
    ).drop("half", "dx", "dy")


def runs(rows: pl.DataFrame, group: list[str]) -> Array:
    """The number of each row's group, from 0, in rows that are sorted by group.

    What is summed by group is summed by these numbers: polars takes six times as long ``over`` small groups.
    """
    return rows.select(pl.struct(group).rle_id().cast(pl.Int64)).to_series().to_numpy()


def begins(group: list[str]) -> pl.Expr:
    """Whether a row is the first of its group, in rows that are sorted by group."""
    return pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in group).fill_null(True)


def main_axis(places: Array, run: Array) -> Array:
    """The main axis of each group at each of its places, a unit vector (columns east and north, as of places); to the
    east if they are all one."""
    x, y = (values - _mean(values, run) for values in places.T)
    half = np.arctan2(2 * np.bincount(run, x * y), np.bincount(run, x**2 - y**2)) / 2
    return np.stack([np.cos(half), np.sin(half)], axis=1)[run]


def _mean(values: Array, run: Array) -> Array:
    mean: Array = (np.bincount(run, values) / np.bincount(run))[run]
    return mean


def _single(run: Array) -> Array:
    """Whether a row is alone in its group."""
    alone: Array = np.bincount(run)[run] == 1
    return alone


def _places(points: pl.DataFrame) -> Array:
    return points.select("x", "y").to_numpy()


def _steps(places: Array, run: Array) -> Array:
    """Metres from the row before, 0 at the first of its group."""
    apart = np.hypot(*np.diff(places, axis=0, prepend=places[:1]).T)
    return np.where(np.diff(run, prepend=-1) > 0, 0.0, apart)


def _thinned(points: pl.DataFrame, group: list[str]) -> pl.DataFrame:
    """Without the points that are in the same place as the one before, in rows that are sorted by group."""
    run = runs(points, group)
    return points.filter((_steps(_places(points), run) > SAME_PLACE) | (np.diff(run, prepend=-1) > 0))


def _in_order(points: pl.DataFrame) -> pl.DataFrame:
    """The points of each side by number or along its axis, as makes the shorter line."""
    points = points.sort(*SIDE, "numero", "rank", "address")
    places, run, place = _places(points), runs(points, SIDE), np.arange(points.height, dtype=float)
    along = (places * main_axis(places, run)).sum(axis=1)
    backwards = np.bincount(run, along * (place - _mean(place, run))) < 0
    along = np.where(backwards[run], -along, along)
    by_axis = np.lexsort((along, run))
    shorter = np.bincount(run, _steps(places[by_axis], run)) < np.bincount(run, _steps(places, run))
    return points[np.lexsort((np.where(shorter[run], along, place), run))]


def _both_sides(sides: pl.DataFrame) -> pl.Series:
    """Whether the line has points on both sides of its street."""
    of_line, first = runs(sides, ["line"]), sides.select(begins(SIDE)).to_series().to_numpy()
    return pl.Series(np.bincount(of_line[first])[of_line] > 1, dtype=pl.Boolean)


def _between(sides: pl.DataFrame) -> pl.DataFrame:
    """The line between the two sides: the longer one, moved to the middle, and the other one beyond its ends."""
    if sides.is_empty():
        return sides.with_columns(measure=pl.lit(0.0))
    side, line = runs(sides, SIDE), runs(sides, ["line"])
    even, odd = np.bincount(side, _steps(_places(sides), side)).reshape(-1, 2).T
    sides = sides.with_columns(main=pl.col("odd") != pl.Series((even >= odd)[line]))
    main, other = (sides.filter(pl.col("main") == is_main) for is_main in (True, False))
    (main_line, of_main), (other_line, of_other) = map(_geometries, (main, other))

    here = _places(main)
    across = shapely.get_coordinates(shapely.shortest_line(shapely.points(here), other_line[of_main])).reshape(-1, 2, 2)
    facing = np.hypot(*(across[:, 1] - across[:, 0]).T) <= FACING
    moved = np.where(facing[:, None], across.mean(axis=1), across[:, 0])
    measure = np.cumsum(_steps(here, of_main))
    first = np.flatnonzero(np.diff(of_main, prepend=-1))
    middle = main.with_columns(
        x=pl.Series(moved[:, 0]), y=pl.Series(moved[:, 1]), measure=pl.Series(measure - measure[first][of_main])
    )

    beyond = _beyond(shapely.points(_places(other)), main_line[of_other])
    rest = other.with_columns(measure=pl.Series(beyond)).filter(pl.col("measure").is_not_nan())
    return pl.concat([middle, rest]).sort("line", "measure", maintain_order=True)


def _geometries(side: pl.DataFrame) -> tuple[Array, Array]:
    """One geometry per line, a LineString, or a Point if it has one vertex; and which of them each row is of."""
    line, places = runs(side, ["line"]), _places(side)
    single = _single(line)
    shapes: Array = np.empty(line[-1] + 1, dtype=object)
    shapes[line[single]] = shapely.points(places[single])
    many, of_line = np.unique(line[~single], return_inverse=True)
    shapes[many] = shapely.linestrings(places[~single], indices=of_line)
    return shapes, line


def _beyond(points: Array, lines: Array) -> Array:
    """Where along the lines the points are that lie beyond an end, in metres; NaN for those that do not."""
    distance, length = shapely.distance(points, lines), shapely.length(lines)
    at, is_line = np.zeros(len(points)), length > 0
    at[is_line] = shapely.line_locate_point(lines[is_line], points[is_line])
    measure = np.where(at >= length, length + distance, np.where(at <= 0, -distance, np.nan))
    found: Array = np.where(distance > FACING, measure, np.nan)
    return found
