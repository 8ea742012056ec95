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
    """The vertices of every line, in order: at least two of each, no two in a row in the same place.

    Args:
        points: ``line``; ``numero``, ``rank``, ``address``: the order along the street; ``odd``: the side; ``x``,
            ``y``: metres; ``dx``, ``dy``: the street's direction there, a unit vector.

    Returns:
        ``line``, ``x``, ``y`` and ``alone``: it lies in one place.
    """
    sides = _thinned(_in_order(points), SIDE)
    both = pl.col("odd").n_unique().over("line") > 1
    merged = [sides.filter(~both), _between(sides.filter(both))]
    columns = ["line", "x", "y", "dx", "dy"]
    lines = _thinned(pl.concat([part.select(columns) for part in merged]), ["line"])
    lines = lines.with_columns(alone=pl.len().over("line") == 1)
    return pl.concat([lines.filter(~pl.col("alone")), _short(lines.filter("alone"))]).drop("dx", "dy")


def axis(group: list[str]) -> tuple[pl.Expr, pl.Expr]:
    """The unit vector of the main axis of the points of each group; to the east if they are in one place."""
    x, y = (pl.col(name) - pl.col(name).mean().over(group) for name in ("x", "y"))
    twice = pl.arctan2(2 * (x * y).sum().over(group), (x * x - y * y).sum().over(group))
    return (twice / 2).cos(), (twice / 2).sin()


def _length() -> pl.Expr:
    return (pl.col("x").diff().pow(2) + pl.col("y").diff().pow(2)).sqrt().sum()


def _thinned(points: pl.DataFrame, group: list[str]) -> pl.DataFrame:
    """Without the points that are in the same place as the one before."""
    apart = (pl.col("x").diff().pow(2) + pl.col("y").diff().pow(2)).sqrt().over(group)
    return points.filter((apart > SAME_PLACE).fill_null(True))


def _in_order(points: pl.DataFrame) -> pl.DataFrame:
    """The points of each side by number or along its axis, as makes the shorter line."""
    east, north = axis(SIDE)
    points = (
        points.sort(*SIDE, "numero", "rank", "address")
        .with_row_index("place")
        .with_columns(along=pl.col("x") * east + pl.col("y") * north)
        .with_columns(backwards=pl.cov("along", "place").over(SIDE) < 0)
        .with_columns(along=pl.when("backwards").then(-pl.col("along")).otherwise("along"))
    )
    by_number = points.group_by(SIDE).agg(_length().alias("by_number"))
    by_axis = points.sort(*SIDE, "along").group_by(SIDE, maintain_order=True).agg(_length().alias("by_axis"))
    return (
        points.join(by_number, on=SIDE)
        .join(by_axis, on=SIDE)
        .sort(*SIDE, pl.when(pl.col("by_axis") < pl.col("by_number")).then("along").otherwise("place"))
    )


def _between(sides: pl.DataFrame) -> pl.DataFrame:
    """The line between the two sides: the longer one, moved to the middle, and the other one beyond its ends."""
    if sides.is_empty():
        return sides
    longest = pl.col("length") == pl.col("length").max().over("line")
    sides = sides.with_columns(length=_length().over(SIDE)).with_columns(
        main=pl.col("odd") == pl.col("odd").filter(longest).first().over("line")
    )
    main, other = (sides.filter(pl.col("main") == is_main) for is_main in (True, False))
    main_line, other_line = (_geometries(side) for side in (main, other))
    of_main, of_other = (side["line"].rle_id().to_numpy() for side in (main, other))

    here = shapely.points(main["x"], main["y"])
    across = shapely.get_coordinates(shapely.shortest_line(here, other_line[of_main])).reshape(-1, 2, 2)
    facing = np.hypot(*(across[:, 1] - across[:, 0]).T) <= FACING
    moved = np.where(facing[:, None], across.mean(axis=1), across[:, 0])
    step = (pl.col("x").diff().pow(2) + pl.col("y").diff().pow(2)).sqrt().fill_null(0).cum_sum().over("line")
    middle = main.with_columns(measure=step).with_columns(x=pl.Series(moved[:, 0]), y=pl.Series(moved[:, 1]))

    beyond = _beyond(shapely.points(other["x"], other["y"]), main_line[of_other])
    rest = other.with_columns(measure=pl.Series(beyond)).filter(pl.col("measure").is_not_nan())
    return pl.concat([middle, rest]).sort("line", "measure", maintain_order=True)


def _geometries(side: pl.DataFrame) -> Array:
    """One geometry per line: a LineString, or a Point if it has one vertex."""
    first = side.group_by("line", maintain_order=True).agg(pl.first("x", "y"), pl.len())
    shapes: Array = shapely.points(first["x"], first["y"])
    many = side.filter(pl.len().over("line") > 1)
    if not many.is_empty():
        shapes[(first["len"] > 1).to_numpy()] = shapely.linestrings(
            many.select("x", "y").to_numpy(), indices=many["line"].rle_id().to_numpy()
        )
    return shapes


def _beyond(points: Array, lines: Array) -> Array:
    """Where along the lines the points are that lie beyond an end, in metres; NaN for those that do not."""
    distance, length = shapely.distance(points, lines), shapely.length(lines)
    at, is_line = np.zeros(len(points)), length > 0
    at[is_line] = shapely.line_locate_point(lines[is_line], points[is_line])
    measure = np.where(at >= length, length + distance, np.where(at <= 0, -distance, np.nan))
    found: Array = np.where(distance > FACING, measure, np.nan)
    return found


def _short(single: pl.DataFrame) -> pl.DataFrame:
    """A short line around each point, in the street's direction."""
    half = pl.Series("half", [-SHORT_LINE / 2, SHORT_LINE / 2]).to_frame()
    ends = single.join(half, how="cross", maintain_order="left_right")
    return ends.with_columns(
        x=pl.col("x") + pl.col("half") * pl.col("dx"), y=pl.col("y") + pl.col("half") * pl.col("dy")
    ).drop("half")
