"""commune_boundaries: the contours of the communes and of the municipal arrondissements.

Does not belong here: their neighbours (communes_limitrophes).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from edu_pipeline import contracts as c
from edu_pipeline import ewkb
from edu_pipeline.table import table
from edu_pipeline.vocabulary import arrondissements

EQUAL_AREA = 6933
"""EPSG code of EASE-Grid 2.0, an equal-area projection of the whole ellipsoid."""


class CommuneBoundaries(c.Contract):
    """The contour of a commune or a municipal arrondissement, generalised to 100 m: for maps and neighbours, not for
    locating points.

    Paris, Lyon and Marseille are here as whole cities and, since the files of 2025, by arrondissement: on a map or in a
    sum use only one of the two (`code_commune_parent IS NULL`: communes). `surface_km2` is the area of the generalised
    contour, including inland waters; it differs by some hectares from the official area. The contours are under the
    ODbL.
    """

    code_commune = c.code_commune(key=True, upstream="code")
    codes_anciens = c.codes_anciens()
    nom_commune = c.text("Name, with its article.", length=255, required=True, upstream="nom")
    geometry = c.geometry(
        "Contour, WGS 84, vertices to 5 decimals (1 m); neighbours share their vertices.",
        "MultiPolygon",
        required=True,
        upstream="geometry",
    )
    surface_km2 = c.numeric(
        "Area of the contour on the WGS 84 ellipsoid.", 9, 2, required=True, unit="km²", min=0, max=500_000
    )
    code_commune_parent = c.code_commune(
        "An arrondissement's commune: 75056 (Paris), 69123 (Lyon), 13055 (Marseille); NULL for a commune.",
        follows_passage=False,
        optional=True,
        upstream="commune",
    )


@table(CommuneBoundaries)
def commune_boundaries(contours_communes: pl.LazyFrame) -> pl.LazyFrame:
    """Make every contour a valid MultiPolygon and measure it; the contract refuses contours without area.

    An arrondissement is known by its code where the file does not name its commune.
    """
    frame = contours_communes.collect()
    valid = shapely.make_valid(ewkb.decoded(frame["geometry"]), method="structure", keep_collapsed=False)
    parts, row = shapely.get_parts(valid, return_index=True)
    has_area = shapely.get_type_id(parts) == shapely.GeometryType.POLYGON
    nothing = np.full(frame.height, None, dtype=object)
    contours = shapely.multipolygons(parts[has_area], indices=row[has_area], out=nothing)
    parent = pl.when(pl.col("code_commune_parent") != pl.col("code_commune")).then("code_commune_parent")
    city = pl.col("code_commune").replace_strict(arrondissements.COMMUNES, default=None, return_dtype=pl.String)
    return frame.lazy().with_columns(
        geometry=pl.coalesce(ewkb.encoded(contours), "geometry"),
        surface_km2=pl.Series(_square_metres(contours) / 1e6, nan_to_null=True),
        code_commune_parent=pl.coalesce(parent, city),
    )


def _square_metres(contours: npt.NDArray[np.object_]) -> npt.NDArray[Any]:
    """The areas on the ellipsoid; NaN for None."""
    import geopandas  # noqa: PLC0415 - takes half a second with pandas, and most processes do not need it

    areas: npt.NDArray[Any] = geopandas.GeoSeries(contours, crs=4326).to_crs(EQUAL_AREA).area.to_numpy()
    return areas
