"""Points on the map for tables that have a latitude and a longitude instead of a geometry.

Belongs here: the column of points that files for maps have in addition. Does not belong here: writing it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import shapely

from edu_pipeline.export.description import Described, Field

GEOMETRY = Field("geometry", "geometry(Point,4326)", "The position (longitude, latitude), WGS 84.")


def on_the_map(table: Described) -> Described | None:
    """The table with a geometry: its own, else the points; None if it has neither."""
    if table.geometry:
        return table
    return replace(table, fields=(*table.fields, GEOMETRY)) if table.has_position else None


def with_points(batches: Iterator[pa.RecordBatch], table: Described) -> Iterator[pa.RecordBatch]:
    """The rows with the geometry of ``table``, which ``on_the_map`` has returned; NULL where there is no position."""
    for batch in batches:
        if GEOMETRY not in table.fields:
            yield batch
            continue
        longitude, latitude = (
            batch.column(name).to_numpy(zero_copy_only=False).astype(float) for name in ("longitude", "latitude")
        )
        missing = np.isnan(longitude) | np.isnan(latitude)
        points = np.where(missing, None, shapely.points(longitude, latitude))
        wkb = pa.array(shapely.to_wkb(points, byte_order=1), pa.binary())
        yield pa.RecordBatch.from_arrays([*batch.columns, wkb], schema=table.schema)
