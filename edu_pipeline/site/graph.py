"""Graphs drawn in layers: boxes in columns from left to right, with curves between them.

Belongs here: where each box and curve is. Does not belong here: what they stand for (``lineage.py``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

COLUMN_GAP, ROW_GAP = 48, 8
"""Between two columns and between two boxes of one, in pixels."""

SWEEPS = 8
"""How many times the order of the columns is improved."""


@dataclass(frozen=True)
class Box:
    """A box: its upper left corner and its size, in pixels."""

    name: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Curve:
    """A curve from the right side of a box to the left side of another one.

    Attributes:
        path: as SVG writes it.
    """

    start: str
    end: str
    path: str


@dataclass(frozen=True)
class Drawing:
    """A drawn graph and its size in pixels."""

    boxes: tuple[Box, ...]
    curves: tuple[Curve, ...]
    width: float
    height: float


def depths(before: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """The column of each node: one to the right of the rightmost node before it, 0 without any.

    Args:
        before: the nodes before each node, without circles.
    """
    found: dict[str, int] = {}

    def depth(name: str) -> int:
        if name not in found:
            found[name] = max((depth(other) + 1 for other in before.get(name, ())), default=0)
        return found[name]

    for name in before:
        depth(name)
    return found


def draw(
    columns: Mapping[str, int], edges: Sequence[tuple[str, str]], sizes: Mapping[str, tuple[float, float]]
) -> Drawing:
    """Draw a graph.

    Args:
        columns: the column of each node; an edge leads to one further right.
        edges: from and to.
        sizes: width and height of each node, in pixels.
    """
    order = _ordered(columns, edges)
    boxes: dict[str, Box] = {}
    heights = [sum(sizes[name][1] + ROW_GAP for name in names) - ROW_GAP for names in order]
    height, left = max(heights, default=0), 0.0
    for names, own in zip(order, heights, strict=True):
        top = (height - own) / 2
        for name in names:
            boxes[name] = Box(name, left, top, *sizes[name])
            top += sizes[name][1] + ROW_GAP
        left += max(sizes[name][0] for name in names) + COLUMN_GAP
    curves = tuple(Curve(start, end, _path(boxes[start], boxes[end])) for start, end in edges)
    return Drawing(tuple(boxes.values()), curves, max(left - COLUMN_GAP, 0), height)


def _ordered(columns: Mapping[str, int], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """The nodes of each column from top to bottom, so that few curves cross: each near the middle of its neighbours."""
    order = [[name for name in columns if columns[name] == number] for number in sorted({*columns.values()})]
    beside: dict[str, list[str]] = defaultdict(list)
    for start, end in edges:
        beside[start].append(end)
        beside[end].append(start)
    for sweep in range(SWEEPS):
        for names in order if sweep % 2 else reversed(order):
            places = {name: place / max(len(column), 1) for column in order for place, name in enumerate(column)}
            names.sort(key=lambda name: _mean([places[other] for other in beside[name]], places[name]))
    return order


def _mean(places: Sequence[float], without: float) -> float:
    return sum(places) / len(places) if places else without


def _path(start: Box, end: Box) -> str:
    """A curve that leaves and arrives horizontally."""
    x1, y1, x2, y2 = start.x + start.width, start.y + start.height / 2, end.x, end.y + end.height / 2
    bend = max((x2 - x1) / 2, COLUMN_GAP / 3)
    return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {x2 - bend:g} {y2:g} {x2:g} {y2:g}"
