"""The check that zones do not overlap: the only one whose geometry is computed here, not in the database.

Belongs here: everything that its result depends on, since the check is not repeated as long as the rows and this file's
code stay the same (``running.py``). Does not belong here: other checks of zones (``agreements.py``).

Nearly all zones whose bounding boxes meet are neighbours that share no more than a border. PostGIS would intersect them
all, which takes 12 s at national size; testing whether interiors meet takes 3 s, and leaves 2,000 of 263,000 pairs to
intersect.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import loky
import numpy as np
import shapely

from edu_pipeline.checks.subject import Finding, Subject, examples_of, finding
from edu_pipeline.errors import EXAMPLES

SPECK, HAIR = 1e-9, 1e-7
"""Tolerances. Square degrees (about ten square metres) by which zones may overlap where they meet at a contour; and
degrees (a centimetre) that an overlap of any length may be wide, since a zone cut along a contour has vertices rounded
to a centimetre, and the neighbouring contour does not."""

INTERIORS_MEET = "T********"
"""The relation of two zones that share more than a border, as a DE-9IM pattern."""

BATCH = 10_000
"""Zones that are fetched at a time; only their bytes are in memory as well as the geometries."""

Array = np.ndarray[Any, np.dtype[Any]]


def overlaps(subject: Subject) -> Finding:
    """That zones do not overlap by more than a speck and a hair.

    Zones without a geometry are left out, and so are invalid ones, whose overlaps are undefined: those are reported by
    the check ``geometries``.
    """
    labels, zones = _zones(subject)
    neighbours = sorted(sorted([labels[left], labels[right]]) for left, right in overlapping(zones))
    pairs = [f"{left} and {right} ({name})" for (left, name), (right, _) in neighbours]
    text = f"expected zones that do not overlap, found {len(pairs):,} pairs that do{examples_of(pairs)}."
    remedy = "Look at the supplied zones, and at the contours of the communes."
    return finding(not pairs, text, remedy, {"pairs": len(pairs), "examples": pairs[:EXAMPLES]})


def _zones(subject: Subject) -> tuple[list[tuple[int, str]], Array]:
    """The ids and names of the zones, and their geometries."""
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
    """The pairs of zones, by position, that overlap by more than a speck and a hair; each pair once.

    Every processor has a thread that works on a part of the pairs; GEOS releases the GIL while it computes.
    """
    pairs = shapely.STRtree(zones).query(zones)
    pairs = pairs[:, pairs[0] < pairs[1]]
    threads = loky.cpu_count()
    with ThreadPoolExecutor(threads) as pool:
        parts = pool.map(lambda part: _overlapping(zones, pairs[:, part::threads]), range(threads))
        return [(int(left), int(right)) for part in parts for left, right in part.T]


def _overlapping(zones: Array, pairs: Array) -> Array:
    """Those of ``pairs`` that overlap; lines and points that two zones share have neither area nor perimeter."""
    pairs = pairs[:, shapely.relate_pattern(*zones[pairs], INTERIORS_MEET)]
    pairs = pairs[:, shapely.is_valid(zones[pairs]).all(axis=0)]
    shapes, pair_of = shapely.get_parts(shapely.intersection(*zones[pairs]), return_index=True)
    perimeters = np.where(shapely.get_dimensions(shapes) == 2, shapely.length(shapes), 0)
    area, perimeter = (np.bincount(pair_of, sizes, pairs.shape[1]) for sizes in (shapely.area(shapes), perimeters))
    return pairs[:, (area > SPECK) & (2 * area > HAIR * perimeter)]
