"""From the addresses of a street, on both its sides, to the vertices of one clean line.

Belongs here: the order of the addresses of one side, one line for two sides, and the short line for a single place; all
in metres, in frames. Does not belong here: which addresses a line has, and anything in degrees (``placing.py``).

A side follows its numbers, or its main axis if that makes a shorter line: numbers are right in bends, the axis is right
where numbers do not follow the street. Two sides make the line half-way between them, as far as they face each other;
where one side extends beyond the other, the line continues along it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import shapely

SHORT_LINE = 10.0
"""Length in metres of the line of addresses in a single place."""

FACING = 40.0
"""The largest distance in metres between an address and the other side of its street."""

SAME_PLACE = 0.5
"""The largest distance in metres between two consecutive addresses that are one vertex."""

SIDE = ["line", "odd"]

Array = np.ndarray[Any, np.dtype[Any]]


def vertices(points: pl.DataFrame) -> pl.DataFrame:
    """The vertices of every line, in order; no two consecutive ones are in the same place.

    Args:
        points: ``line``; ``numero``, ``rank``, ``address``: the order along the street; ``odd``: the side; ``x``,
            ``y``: metres.

    Returns:
        ``line``, ``x``, ``y``; ``address``: the first one at the vertex; ``single``: whether it is the line's only
        vertex.
    """
    sides = _thinned(_in_order(points), SIDE)
    both = _both_sides(sides)
    columns = ["line", "x", "y", "address"]
    merged = pl.concat([sides.filter(~both).select(columns), _between(sides.filter(both)).select(columns)])
    lines = _thinned(merged, ["line"])
    return lines.with_columns(single=pl.Series(_is_single(group_numbers(lines, ["line"])), dtype=pl.Boolean))


def short(vertices: pl.DataFrame) -> pl.DataFrame:
    """A short line around each vertex, in the direction of the unit vector ``dx``, ``dy``: two rows for each."""
    half = pl.Series("half", [-SHORT_LINE / 2, SHORT_LINE / 2]).to_frame()
    ends = vertices.join(half, how="cross", maintain_order="left_right")
    return ends.with_columns(
        x=pl.col("x") + pl.col("half") * pl.col("dx"), y=pl.col("y") + pl.col("half") * pl.col("dy")
    ).drop("half", "dx", "dy")


def group_numbers(rows: pl.DataFrame, group: list[str]) -> Array:
    """The number of each row's group, from 0, in rows that are sorted by group.

    Sums by group use these numbers: polars takes six times as long with ``over`` for small groups.
    """
    return rows.select(pl.struct(group).rle_id().cast(pl.Int64)).to_series().to_numpy()


def starts(group: list[str]) -> pl.Expr:
    """Whether a row is the first of its group, in rows that are sorted by group."""
    return pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in group).fill_null(True)


def main_axis(places: Array, groups: Array) -> Array:
    """The main axis of its group for each place, a unit vector; to the east if all places of the group are the same.

    Args:
        places: columns east and north, as the result has them.
        groups: from ``group_numbers``.
    """
    x, y = (values - _mean(values, groups) for values in places.T)
    angle = np.arctan2(2 * np.bincount(groups, x * y), np.bincount(groups, x**2 - y**2)) / 2
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)[groups]


def _mean(values: Array, groups: Array) -> Array:
    mean: Array = (np.bincount(groups, values) / np.bincount(groups))[groups]
    return mean


def _is_single(groups: Array) -> Array:
    """Whether each row is the only one of its group."""
    is_single: Array = np.bincount(groups)[groups] == 1
    return is_single


def _places(points: pl.DataFrame) -> Array:
    return points.select("x", "y").to_numpy()


def _steps(places: Array, groups: Array) -> Array:
    """The distance in metres from the previous row, 0 for the first of a group."""
    distances = np.hypot(*np.diff(places, axis=0, prepend=places[:1]).T)
    return np.where(np.diff(groups, prepend=-1) > 0, 0.0, distances)


def _thinned(points: pl.DataFrame, group: list[str]) -> pl.DataFrame:
    """Without the points that are in the same place as the previous one, in rows that are sorted by group."""
    groups = group_numbers(points, group)
    return points.filter((_steps(_places(points), groups) > SAME_PLACE) | (np.diff(groups, prepend=-1) > 0))


def _in_order(points: pl.DataFrame) -> pl.DataFrame:
    """The points of each side by number or along its axis, whichever makes the shorter line."""
    points = points.sort(*SIDE, "numero", "rank", "address")
    places, sides, rank = _places(points), group_numbers(points, SIDE), np.arange(points.height, dtype=float)
    along = (places * main_axis(places, sides)).sum(axis=1)
    is_backwards = np.bincount(sides, along * (rank - _mean(rank, sides))) < 0
    along = np.where(is_backwards[sides], -along, along)
    by_axis = np.lexsort((along, sides))
    axis_is_shorter = np.bincount(sides, _steps(places[by_axis], sides)) < np.bincount(sides, _steps(places, sides))
    return points[np.lexsort((np.where(axis_is_shorter[sides], along, rank), sides))]


def _both_sides(sides: pl.DataFrame) -> pl.Series:
    """Whether the line has points on both sides of its street."""
    line, is_first = group_numbers(sides, ["line"]), sides.select(starts(SIDE)).to_series().to_numpy()
    return pl.Series(np.bincount(line[is_first])[line] > 1, dtype=pl.Boolean)


def _between(sides: pl.DataFrame) -> pl.DataFrame:
    """The line between the two sides: the longer one, moved to the middle, and the other one beyond its ends."""
    if sides.is_empty():
        return sides.with_columns(measure=pl.lit(0.0))
    side, line = group_numbers(sides, SIDE), group_numbers(sides, ["line"])
    even, odd = np.bincount(side, _steps(_places(sides), side)).reshape(-1, 2).T
    sides = sides.with_columns(main=pl.col("odd") != pl.Series((even >= odd)[line]))
    main, other = (sides.filter(pl.col("main") == is_main) for is_main in (True, False))
    (main_lines, main_index), (other_lines, other_index) = map(_geometries, (main, other))

    places = _places(main)
    crossings = shapely.shortest_line(shapely.points(places), other_lines[main_index])
    across = shapely.get_coordinates(crossings).reshape(-1, 2, 2)
    is_facing = np.hypot(*(across[:, 1] - across[:, 0]).T) <= FACING
    moved = np.where(is_facing[:, None], across.mean(axis=1), across[:, 0])
    measure = np.cumsum(_steps(places, main_index))
    first = np.flatnonzero(np.diff(main_index, prepend=-1))
    middle = main.with_columns(
        x=pl.Series(moved[:, 0]), y=pl.Series(moved[:, 1]), measure=pl.Series(measure - measure[first][main_index])
    )

    beyond = _beyond(shapely.points(_places(other)), main_lines[other_index])
    rest = other.with_columns(measure=pl.Series(beyond)).filter(pl.col("measure").is_not_nan())
    return pl.concat([middle, rest]).sort("line", "measure", maintain_order=True)


def _geometries(side: pl.DataFrame) -> tuple[Array, Array]:
    """A geometry per line, a LineString, or a Point if it has one vertex; and the index of each row's geometry."""
    line, places = group_numbers(side, ["line"]), _places(side)
    is_single = _is_single(line)
    shapes: Array = np.empty(line[-1] + 1, dtype=object)
    shapes[line[is_single]] = shapely.points(places[is_single])
    longer, indices = np.unique(line[~is_single], return_inverse=True)
    shapes[longer] = shapely.linestrings(places[~is_single], indices=indices)
    return shapes, line


def _beyond(points: Array, lines: Array) -> Array:
    """The position along its line, in metres, of each point beyond an end; NaN for the other points."""
    distance, length = shapely.distance(points, lines), shapely.length(lines)
    nearest, is_line = np.zeros(len(points)), length > 0
    nearest[is_line] = shapely.line_locate_point(lines[is_line], points[is_line])
    measure = np.where(nearest >= length, length + distance, np.where(nearest <= 0, -distance, np.nan))
    beyond: Array = np.where(distance > FACING, measure, np.nan)
    return beyond
