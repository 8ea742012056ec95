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


def with_axis(points: pl.DataFrame, group: list[str]) -> pl.DataFrame:
    """The points with the main axis of each group: ``east``, ``north``, a unit vector; to the east if they are in one
    place."""
    points = points.with_columns(
        from_x=pl.col("x") - pl.col("x").mean().over(group), from_y=pl.col("y") - pl.col("y").mean().over(group)
    ).with_columns(
        product=pl.col("from_x") * pl.col("from_y"), squares=pl.col("from_x").pow(2) - pl.col("from_y").pow(2)
    )
    half = pl.arctan2(2 * pl.col("product").sum().over(group), pl.col("squares").sum().over(group)) / 2
    return points.with_columns(east=half.cos(), north=half.sin()).drop("from_x", "from_y", "product", "squares")


def begins(group: list[str]) -> pl.Expr:
    """Whether a row is the first of its group, in rows that are sorted by group.

    What looks at the row before is written for whole columns, with this beside it: `diff` and `shift` take ten times as
    long ``over`` small groups. An expression with it is a column of its own before anything is summed ``over`` groups,
    or it is evaluated in each of them.
    """
    return pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in group).fill_null(True)


def _step(group: list[str]) -> pl.Expr:
    """Metres from the row before, 0 at the first of its group, in rows that are sorted by group."""
    apart = (pl.col("x").diff().pow(2) + pl.col("y").diff().pow(2)).sqrt()
    return pl.when(begins(group)).then(0.0).otherwise(apart)


def _with_length(points: pl.DataFrame, name: str) -> pl.DataFrame:
    """The points, sorted by side, with the metres of the line that their side makes in this order."""
    steps = points.with_columns(_step(SIDE).alias(name))
    return steps.with_columns(pl.col(name).sum().over(SIDE))


def _thinned(points: pl.DataFrame, group: list[str]) -> pl.DataFrame:
    """Without the points that are in the same place as the one before, in rows that are sorted by group."""
    return points.filter(begins(group) | (_step(group) > SAME_PLACE))


def _in_order(points: pl.DataFrame) -> pl.DataFrame:
    """The points of each side by number or along its axis, as makes the shorter line."""
    points = with_axis(points.sort(*SIDE, "numero", "rank", "address").with_row_index("place"), SIDE)
    along, place = pl.col("along"), pl.col("place").cast(pl.Float64)
    points = (
        points.with_columns(along=pl.col("x") * pl.col("east") + pl.col("y") * pl.col("north"))
        .with_columns(moment=along * (place - place.mean().over(SIDE)))
        .with_columns(along=pl.when(pl.col("moment").sum().over(SIDE) < 0).then(-along).otherwise(along))
    )
    points = _with_length(_with_length(points, "by_number").sort(*SIDE, "along"), "by_axis")
    return points.sort(*SIDE, pl.when(pl.col("by_axis") < pl.col("by_number")).then("along").otherwise("place"))


def _between(sides: pl.DataFrame) -> pl.DataFrame:
    """The line between the two sides: the longer one, moved to the middle, and the other one beyond its ends."""
    if sides.is_empty():
        return sides
    longest = pl.col("length") == pl.col("length").max().over("line")
    sides = (
        _with_length(sides, "length")
        .with_columns(even_is_longest=longest & ~pl.col("odd"))
        .with_columns(main=pl.col("odd") != pl.col("even_is_longest").any().over("line"))
    )
    main, other = (sides.filter(pl.col("main") == is_main) for is_main in (True, False))
    main_line, other_line = (_geometries(side) for side in (main, other))
    of_main, of_other = (side["line"].rle_id().to_numpy() for side in (main, other))

    here = shapely.points(main.select("x", "y").to_numpy())
    across = shapely.get_coordinates(shapely.shortest_line(here, other_line[of_main])).reshape(-1, 2, 2)
    facing = np.hypot(*(across[:, 1] - across[:, 0]).T) <= FACING
    moved = np.where(facing[:, None], across.mean(axis=1), across[:, 0])
    measured = main.with_columns(measure=_step(["line"]).cum_sum())
    middle = measured.with_columns(
        x=pl.Series(moved[:, 0]),
        y=pl.Series(moved[:, 1]),
        measure=pl.col("measure") - pl.col("measure").first().over("line"),
    )

    beyond = _beyond(shapely.points(other.select("x", "y").to_numpy()), main_line[of_other])
    rest = other.with_columns(measure=pl.Series(beyond)).filter(pl.col("measure").is_not_nan())
    return pl.concat([middle, rest]).sort("line", "measure", maintain_order=True)


def _geometries(side: pl.DataFrame) -> Array:
    """One geometry per line: a LineString, or a Point if it has one vertex."""
    sized = side.with_columns(single=pl.len().over("line") == 1)
    single, many = (sized.filter(pl.col("single") == is_single) for is_single in (True, False))
    first = sized.filter(begins(["line"]))["single"].to_numpy()
    shapes: Array = np.empty(len(first), dtype=object)
    shapes[first] = shapely.points(single.select("x", "y").to_numpy())
    if not many.is_empty():
        shapes[~first] = shapely.linestrings(many.select("x", "y").to_numpy(), indices=many["line"].rle_id().to_numpy())
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
