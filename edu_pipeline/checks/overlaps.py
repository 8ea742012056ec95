"""The check that zones do not overlap: the one whose geometry is computed here, and not by the database.

Belongs here: all that its result depends on, since of the same rows and the same text of this file the check is not
made again (``running.py``). Does not belong here: other checks of zones (``agreements.py``).

Nearly all zones whose boxes meet are neighbours that share a border and no more. PostGIS would intersect them all, in
12 s at national size; whether interiors meet is told in 3 s, and leaves 2,000 pairs of 263,000 to be intersected.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import loky
import numpy as np
import shapely

from edu_pipeline.checks.subject import Found, Subject, examples_of, judged
from edu_pipeline.errors import EXAMPLES

SPECK, HAIR = 1e-9, 1e-7
"""Square degrees, about ten square metres, of which zones may overlap where they meet at a contour; and degrees, a
centimetre, that an overlap may be wide however long it is: what is cut off a contour has its vertices rounded to one,
which the neighbour's contour has not."""

INTERIORS_MEET = "T********"
"""What two zones that share more than a border are to each other, in the nine letters of DE-9IM."""

BATCH = 10_000
"""Zones whose bytes are held beside their geometries."""

Array = np.ndarray[Any, np.dtype[Any]]


def overlaps(subject: Subject) -> Found:
    """Zones do not overlap, but for a speck or a hair. Left out are those without a geometry, and the invalid ones, of
    which nobody can say what they share with others: the check ``geometries`` finds them."""
    labels, zones = _zones(subject)
    found = sorted(sorted([labels[one], labels[other]]) for one, other in overlapping(zones))
    pairs = [f"{one} and {other} ({name})" for (one, name), (other, _) in found]
    text = f"expected zones that do not overlap, found {len(pairs):,} pairs that do{examples_of(pairs)}."
    remedy = "Look at the supplied zones, and at the contours of the communes."
    return judged(not pairs, text, remedy, {"pairs": len(pairs), "examples": pairs[:EXAMPLES]})


def _zones(subject: Subject) -> tuple[list[tuple[int, str]], Array]:
    """Their numbers and names, and their geometries."""
    query = subject.query(
        "SELECT id, concat_ws(' ', code_commune, zone_name), {binary}(geometry) FROM {table} "
        "WHERE geometry IS NOT NULL",
        **subject.postgis(binary="st_asbinary"),
    )
    labels: list[tuple[int, str]] = []
    zones: list[Array] = []
    with subject.connection.cursor(binary=True) as cursor:
        cursor.execute(query)
        while rows := cursor.fetchmany(BATCH):
            numbers, names, shapes = zip(*rows, strict=True)
            labels += zip(numbers, names, strict=True)
            zones.append(shapely.from_wkb(shapes))
    return labels, np.concatenate([np.empty(0, object), *zones])


def overlapping(zones: Array) -> list[tuple[int, int]]:
    """The pairs of zones, by their places, that overlap by more than a speck and a hair; each pair once.

    A thread per processor works on its share of the pairs: while GEOS computes none keeps the others waiting.
    """
    pairs = shapely.STRtree(zones).query(zones)
    pairs = pairs[:, pairs[0] < pairs[1]]
    threads = loky.cpu_count()
    with ThreadPoolExecutor(threads) as pool:
        parts = pool.map(lambda part: _overlapping(zones, pairs[:, part::threads]), range(threads))
        return [(int(one), int(other)) for part in parts for one, other in part.T]


def _overlapping(zones: Array, pairs: Array) -> Array:
    """Those of the pairs that do. Of what two zones have in common, lines and points have no area and no perimeter."""
    pairs = pairs[:, shapely.relate_pattern(*zones[pairs], INTERIORS_MEET)]
    pairs = pairs[:, shapely.is_valid(zones[pairs]).all(axis=0)]
    shapes, of = shapely.get_parts(shapely.intersection(*zones[pairs]), return_index=True)
    perimeters = np.where(shapely.get_dimensions(shapes) == 2, shapely.length(shapes), 0)
    area, perimeter = (np.bincount(of, sizes, pairs.shape[1]) for sizes in (shapely.area(shapes), perimeters))
    return pairs[:, (area > SPECK) & (2 * area > HAIR * perimeter)]
