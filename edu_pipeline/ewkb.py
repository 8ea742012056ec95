"""Geometries as rows hold them: EWKB (WGS 84) in upper-case hexadecimal, as PostGIS writes it.

Belongs here: encoding and decoding shapes, reading those that others write. Does not belong here: computing with them.

GEOS reads and writes hexadecimal too, but character by character, which takes three times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely
from shapely import Geometry

SRID = 4326

FLAGGED = "^01......20E6100000"
"""How a text begins: little-endian, the kind of shape, the flag that says that a SRID follows, and this SRID."""

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


def read(text: str) -> Geometry | None:
    """The shape that a text describes, whoever wrote it: WKT, GeoJSON, or (E)WKB in hexadecimal; None if it is none."""
    parse: Any = shapely.from_wkb if text[:2] in ("00", "01") else shapely.from_wkt
    if text.lstrip().startswith("{"):
        parse = shapely.from_geojson
    shape: Geometry | None = parse(text, on_invalid="ignore")
    return shape


def without_srid(texts: pl.Series) -> pl.Series:
    """The WKB of each text, as bytes; NULL for NULL.

    Raises:
        ValueError: a text is not EWKB as `encoded` and PostGIS write it.
    """
    if not texts.str.contains(FLAGGED).all():
        raise ValueError("expected EWKB, little-endian, in WGS 84, found another text")
    parts = pl.DataFrame({"kind": texts.str.slice(0, 8), "rest": texts.str.slice(18)})
    return parts.select(pl.concat_str("kind", pl.lit("00"), "rest").str.decode("hex")).to_series()
