"""The shapes on the map: communes, the départements that they make up, schools, school sectors, and names.

Belongs here: from the published tables to shapes with their properties. Does not belong here: tiles (``tiles.py``),
figures (``figures.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import geopandas
import numpy as np
import polars as pl
import shapely

from edu_pipeline.site.atlas.tiles import TileLayer

CODE = "code"
"""Property that identifies a shape in every layer."""

FIRST, COMMUNES, LAST = 3, 7, 8
"""Zooms of the land: the whole country, communes that can be told apart, contours as exact as they are published."""

SECTORS, NEAREST = 8, 10
"""Zooms of the sectors; nearest one for them and the schools."""

TOLERANCE = 0.001
"""Degrees (about 100 m) by which the border of a département may be simplified: less than a pixel at zoom 8."""


def land(data: Path, places: pl.DataFrame) -> Mapping[str, TileLayer]:
    """The layers of the land.

    Args:
        data: the folder with the tables as Parquet.
        places: code, name and dep (code of the département) of the communes.
    """
    contours = (
        pl.read_parquet(
            data / "commune_boundaries.parquet", columns=["code_commune", "geometry", "code_commune_parent"]
        )
        .rename({"code_commune": CODE})
        .join(places.select(CODE, "name", "dep"), on=CODE, how="left", maintain_order="left")
        .sort(pl.col("code_commune_parent").is_not_null(), CODE)  # arrondissements are drawn on their city
    )
    shapes = shapely.from_wkb(contours["geometry"].to_numpy())
    whole = contours["code_commune_parent"].is_null().to_numpy()
    communes = _frame(contours.select(CODE, parent="code_commune_parent"), shapes)
    departements = _departements(contours["dep"].to_numpy()[whole], shapes[whole])
    return {
        "departements": TileLayer(departements, FIRST, LAST),
        "communes": TileLayer(communes, COMMUNES, LAST),
        "noms": TileLayer(_frame(contours.select(CODE, "name"), shapely.point_on_surface(shapes))[whole], LAST, LAST),
    }


def sectors(data: Path, schools: Mapping[str, pl.DataFrame]) -> Mapping[str, TileLayer]:
    """The layers of the schools, by their name, and of the sectors.

    Args:
        schools: code, x and y (degrees) of the schools of each layer.
    """
    columns = ["id", "geometry", "uai_lycees", "uai_colleges"]
    zones = pl.read_parquet(data / "sectorisation_zones.parquet", columns=columns).filter(
        pl.col("geometry").is_not_null()
    )
    told = zones.select(
        pl.col("id").cast(pl.String).alias(CODE),
        pl.col("uai_lycees").list.join(",").alias("lycees"),
        pl.col("uai_colleges").list.join(",").alias("colleges"),
    )
    layers = {name: TileLayer(_points(places), FIRST, NEAREST) for name, places in schools.items()}
    shapes = shapely.from_wkb(zones["geometry"].to_numpy())
    return {**layers, "secteurs": TileLayer(_frame(told, shapes), SECTORS, NEAREST)}


def _points(places: pl.DataFrame) -> geopandas.GeoDataFrame:
    placed = places.drop_nulls(["x", "y"])
    return _frame(placed.select(CODE), shapely.points(placed["x"].to_numpy(), placed["y"].to_numpy()))


def _departements(codes: np.ndarray, contours: np.ndarray) -> geopandas.GeoDataFrame:
    """What the communes of each département cover together, with borders that neighbours share."""
    known = sorted({code for code in codes if code is not None})
    united = [shapely.union_all(contours[codes == code]) for code in known]
    simpler = shapely.coverage_simplify(np.array(united, dtype=object), TOLERANCE)
    return _frame(pl.DataFrame({CODE: known}, schema={CODE: pl.String}), simpler)


def _frame(properties: pl.DataFrame, shapes: np.ndarray) -> geopandas.GeoDataFrame:
    columns = {name: properties[name].to_numpy() for name in properties.columns}
    return geopandas.GeoDataFrame(columns, geometry=shapes, crs=4326)
