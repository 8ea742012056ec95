"""Zones on the map: a commune divided among its zones by their addresses.

Belongs here: the partition of a contour by Voronoi cells, and the polygons of a text that somebody supplied. Does not
belong here: which address belongs to which zone (``placing.py``), which zones there are (``coverage.py``).

Every point of a commune belongs to the zone of the nearest address. The cells' edges between two zones and the contour
are noded together, and the faces between them polygonised again: neighbours share their vertices, so zones neither
overlap nor leave gaps. A face without an address is a part of a cell that the contour cut off: it goes to the neighbour
with the longest common edge.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely
from shapely import Geometry

from edu_pipeline import ewkb
from edu_pipeline.ewkb import Shapes

GRID = 1e-7
"""Degrees, about a centimetre, to which coordinates are rounded; narrower shapes vanish."""


def divide(points: pl.DataFrame, contour: Geometry) -> pl.DataFrame:
    """The zones of a commune.

    Args:
        points: zone (any integer), lon, lat; one per address. Of several addresses in one place the first counts.
        contour: the commune's contour, valid, in degrees.

    Returns:
        zone, geometry (Polygon, EWKB in hexadecimal), area (square degrees, not equal-area): a row per polygon, the
        zones in order, the largest polygon of a zone first. They cover the contour and do not overlap.
    """
    places = points.unique(["lon", "lat"], keep="first", maintain_order=True)
    zones = places["zone"].to_numpy()
    if len(np.unique(zones)) < 2:
        whole = shapely.set_precision(contour, GRID)
        return _rows([(int(zone), part) for zone in np.unique(zones) for part in shapely.get_parts(whole)])
    positions = shapely.points(places["lon"].to_numpy(), places["lat"].to_numpy())
    faces = _faces(positions, zones, contour)
    owners = _owners(faces, positions, zones)
    united = {int(zone): shapely.coverage_union_all(faces[owners == zone]) for zone in np.unique(owners)}
    return _rows([(zone, part) for zone, shape in united.items() for part in shapely.get_parts(shape)])


def polygons(text: str | None) -> list[Geometry]:
    """The valid polygons that a text describes, in degrees: WKT, GeoJSON, or (E)WKB in hexadecimal.

    The list is empty if the text is something else, or has no area.
    """
    if not text:
        return []
    valid = shapely.make_valid(ewkb.read(text), method="structure", keep_collapsed=False)
    return [part for part in shapely.get_parts(valid) if part.geom_type == "Polygon" and not part.is_empty]


def _faces(positions: Shapes, zones: npt.NDArray[Any], contour: Geometry) -> Shapes:
    """The pieces into which the edges between zones cut the contour.

    Every edge is between two zones, so the edges of all zones except the one with the most addresses are enough.
    """
    scale = np.array([np.cos(np.radians(shapely.get_y(shapely.centroid(contour)))), 1.0])
    plane = shapely.multipoints(shapely.get_coordinates(positions) * scale)
    frame = shapely.transform(contour, lambda degrees: degrees * scale)
    cells = shapely.get_parts(shapely.voronoi_polygons(plane, extend_to=frame, ordered=True))
    numbers, sizes = np.unique(zones, return_counts=True)
    united = [shapely.coverage_union_all(cells[zones == zone]) for zone in np.delete(numbers, sizes.argmax())]
    edges = shapely.transform(shapely.boundary(united), lambda scaled: scaled / scale)
    noded = shapely.union_all([*edges, shapely.boundary(contour)], grid_size=GRID)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(noded)))
    rounded = shapely.set_precision(contour, GRID)
    shapely.prepare(rounded)
    inside: Shapes = faces[shapely.contains(rounded, shapely.point_on_surface(faces))]
    return inside


def _owners(faces: Shapes, positions: Shapes, zones: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The zone of each face: of an address in it, else of the neighbour with the longest common edge.

    A face without neighbours, an island, gets the zone of the nearest address.
    """
    face, place = shapely.STRtree(positions).query(faces, predicate="intersects")
    backwards = np.argsort(-place)
    owners = np.full(len(faces), -1, dtype=np.int64)
    owners[face[backwards]] = zones[place[backwards]]  # the first address decides
    empty = np.flatnonzero(owners == -1)
    touching, neighbour = shapely.STRtree(faces).query(faces[empty], predicate="touches")
    touching = empty[touching]
    common = shapely.length(shapely.intersection(faces[touching], faces[neighbour]))
    while (unowned := owners == -1).any():
        usable = np.flatnonzero(unowned[touching] & ~unowned[neighbour] & (common > 0))
        if not len(usable):
            break
        best = usable[np.lexsort((neighbour[usable], -common[usable]))]
        face, first = np.unique(touching[best], return_index=True)
        owners[face] = owners[neighbour[best[first]]]
    islands = np.flatnonzero(owners == -1)
    nearest = shapely.STRtree(positions).nearest(shapely.point_on_surface(faces[islands]))
    owners[islands] = zones[nearest]
    return owners


def _rows(parts: list[tuple[int, Geometry]]) -> pl.DataFrame:
    shapes = shapely.orient_polygons(np.array([shape for _, shape in parts], dtype=object))
    shapes = shapely.normalize(shapes)
    frame = pl.DataFrame(
        {"zone": [zone for zone, _ in parts], "geometry": ewkb.encoded(shapes), "area": shapely.area(shapes)},
        schema={"zone": pl.Int64, "geometry": pl.String, "area": pl.Float64},
    )
    return frame.sort("zone", "area", "geometry", descending=[False, True, False])
