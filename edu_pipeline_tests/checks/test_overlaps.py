"""When zones overlap."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

from edu_pipeline.checks.overlaps import SPECK, overlapping


def right_of_the_unit_square(*bumps: float) -> shapely.Polygon:
    """The square to the right of the unit square, with bumps of these widths that reach into it."""
    border = [
        (x, 0.1 * n + y)
        for n, width in enumerate(bumps, start=1)
        for x, y in ((1, 0), (1 - width, 0), (1 - width, width), (1, width))
    ]
    return shapely.Polygon([(2, 1), (2, 0), (1, 0), *border, (1, 1)])


def test_zones_overlap_by_an_area_not_by_a_border() -> None:
    square, speck = shapely.box(0, 0, 1, 1), SPECK**0.5
    inside = shapely.box(0.2, 0.2, 0.4, 0.4)

    def overlap(*zones: Any) -> list[tuple[int, int]]:
        return sorted((min(pair), max(pair)) for pair in overlapping(np.array(zones, dtype=object)))

    assert overlap() == overlap(square) == []
    assert overlap(square, shapely.box(1, 0, 2, 1), shapely.box(1, 1, 2, 2), shapely.Polygon()) == []
    assert overlap(square, inside, shapely.box(5, 5, 6, 6), square) == [(0, 1), (0, 3), (1, 3)]
    assert overlap(inside, shapely.difference(square, inside)) == []
    bow_tie = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    assert overlap(square, bow_tie, inside) == [(0, 2)], "invalid zones are left to another check"
    for bumps, pairs in (([0.9], []), ([1.1], [(0, 1)]), ([0.8, 0.8], [(0, 1)]), ([0.6, 0.6], [])):
        neighbour = right_of_the_unit_square(*(width * speck for width in bumps))
        assert shapely.intersection(square, neighbour).geom_type == "GeometryCollection", "it has the border too"
        assert overlap(neighbour, square) == pairs
