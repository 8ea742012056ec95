"""Geometries in the form in which rows have them: EWKB (WGS 84) in upper-case hexadecimal, as PostGIS writes it.

Belongs here: shapes to that form and back. Does not belong here: what is done with shapes.

GEOS can read and write hexadecimal itself, character by character: that takes three times as long.
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
    """Text for each shape; NULL where there is none."""
    placed = shapely.set_srid(np.asarray(shapes, dtype=object), SRID)
    written = shapely.to_wkb(placed, include_srid=True, byte_order=1)
    return pl.Series("geometry", written.tolist(), dtype=pl.Binary).bin.encode("hex").str.to_uppercase()


def decoded(texts: pl.Series) -> Shapes:
    """The shape of each text; None where there is none, or what is there is no geometry."""
    read: Shapes = shapely.from_wkb(texts.str.decode("hex", strict=False).to_numpy(), on_invalid="ignore")
    return read
