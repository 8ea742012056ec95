"""Geometries as rows hold them: EWKB (WGS 84) in upper-case hexadecimal, as PostGIS writes it.

Belongs here: encoding and decoding shapes. Does not belong here: computing with shapes.

GEOS reads and writes hexadecimal too, but character by character, which takes three times as long.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely
from shapely import Geometry

SRID = 4326

Shapes = npt.NDArray[np.object_]


def encoded(shapes: Sequence[Geometry | None] | Shapes) -> pl.Series:
    """The text of each shape; NULL for None."""
    placed = shapely.set_srid(np.asarray(shapes, dtype=object), SRID)
    written = shapely.to_wkb(placed, include_srid=True, byte_order=1)
    return pl.Series("geometry", written.tolist(), dtype=pl.Binary).bin.encode("hex").str.to_uppercase()


def decoded(texts: pl.Series) -> Shapes:
    """The shape of each text; None for NULL and for text that is not a geometry."""
    shapes: Shapes = shapely.from_wkb(texts.str.decode("hex", strict=False).to_numpy(), on_invalid="ignore")
    return shapes
