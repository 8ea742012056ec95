"""commune_boundaries and communes_limitrophes: a few literal contours, and the publisher's real file."""

import gzip
import json
from collections import defaultdict
from decimal import Decimal
from functools import lru_cache
from itertools import combinations
from typing import Any

import polars as pl
import pytest
import shapely
from pyproj import Geod

from edu_pipeline.assets.geographic.commune_boundaries import commune_boundaries
from edu_pipeline.assets.geographic.communes_limitrophes import communes_limitrophes
from edu_pipeline.table import tables
from edu_pipeline_tests.conformed import Conformed, conform
from edu_pipeline_tests.real_files import produced, upstream

SQUARE = "POLYGON((2 45,2.1 45,2.1 45.1,2 45.1,2 45))"
WITH_HOLE = "POLYGON((2 45,2.1 45,2.1 45.1,2 45.1,2 45),(2.02 45.02,2.04 45.02,2.04 45.04,2.02 45.04,2.02 45.02))"
BOW_TIE = "POLYGON((2 45,2.1 45.1,2.1 45,2 45.1,2 45))"
SPIKE = "POLYGON((2 45,2.1 45,2.1 45.1,2.1 45.2,2.1 45.1,2 45.1,2 45))"


def on_the_ellipsoid(shape: Any) -> float:
    """Area in km², computed geodesically, which is not how the transform does it."""
    oriented = shapely.orient_polygons(shape)
    return float(abs(Geod(ellps="WGS84").geometry_area_perimeter(oriented)[0])) / 1e6


def boundaries(*contours: str | None) -> Conformed:
    """The table made from contours in WKT; other text is passed unchanged."""
    written = [
        shapely.to_wkb(shapely.set_srid(shapely.from_wkt(contour), 4326), hex=True, include_srid=True)
        if contour and contour != "0102"
        else contour
        for contour in contours
    ]
    frame = pl.LazyFrame(
        {
            "code_commune": [f"01{number:03}" for number in range(1, len(contours) + 1)],
            "nom_commune": ["L'Abergement-Clémenciat"] * len(contours),
            "code_commune_parent": pl.Series([None] * len(contours), dtype=pl.String),
            "geometry": pl.Series(written, dtype=pl.String),
        }
    )
    return conform(commune_boundaries(frame), tables()["commune_boundaries"])


@pytest.mark.parametrize(
    ("contour", "parts", "area"),
    [
        (SQUARE, 1, SQUARE),
        (f"MULTIPOLYGON({SQUARE.removeprefix('POLYGON')})", 1, SQUARE),
        (WITH_HOLE, 1, WITH_HOLE),
        (SPIKE, 1, SQUARE),
        (BOW_TIE, 2, "MULTIPOLYGON(((2 45,2.05 45.05,2 45.1,2 45)),((2.1 45,2.1 45.1,2.05 45.05,2.1 45)))"),
    ],
)
def test_contours_become_valid_multipolygons(contour: str, parts: int, area: str) -> None:
    result = boundaries(contour)
    assert result.refused.height == 0
    shape = shapely.from_wkb(result.frame["geometry"].item())
    assert (shape.geom_type, shapely.get_srid(shape), shape.is_valid) == ("MultiPolygon", 4326, True)
    assert shapely.get_num_geometries(shape) == parts
    assert float(result.frame["surface_km2"].item()) == pytest.approx(
        on_the_ellipsoid(shapely.from_wkt(area)), abs=0.02
    )


def test_a_contour_without_area_is_refused_unchanged() -> None:
    result = boundaries(SQUARE, "POINT(2 45)", None, "0102")
    assert result.frame["code_commune"].to_list() == ["01001"]
    assert result.refused["key"].to_list() == ["01002", "01003", "01004"]
    assert [json.loads(row)["geometry"] for row in result.refused["row"]] == [
        shapely.to_wkb(shapely.set_srid(shapely.Point(2, 45), 4326), hex=True, include_srid=True),
        None,
        "0102",
    ]


def square(column: int, row: int) -> str:
    west, south, east, north = 2 + column / 10, 45 + row / 10, 2 + (column + 1) / 10, 45 + (row + 1) / 10
    return f"POLYGON(({west} {south},{east} {south},{east} {north},{west} {north},{west} {south}))"


def test_neighbours_share_a_border_or_a_corner() -> None:
    contours = boundaries(square(0, 0), square(1, 0), square(1, 1), square(5, 5)).frame.lazy()
    result = conform(communes_limitrophes(contours), tables()["communes_limitrophes"])
    assert result.refused.height == 0
    assert result.frame.rows() == [
        ("01001", ["01002", "01003"], 2),
        ("01002", ["01001", "01003"], 2),
        ("01003", ["01001", "01002"], 2),
        ("01004", [], 0),
    ]


def plm(*rows: tuple[str, str | None, str]) -> pl.LazyFrame:
    """Boundaries of places: code, city by the file, contour in WKT."""
    frame = pl.LazyFrame(
        {
            "code_commune": [code for code, _, _ in rows],
            "nom_commune": [code for code, _, _ in rows],
            "code_commune_parent": pl.Series([city for _, city, _ in rows], dtype=pl.String),
            "geometry": [shapely.to_wkb(shapely.from_wkt(contour), hex=True) for _, _, contour in rows],
        }
    )
    return commune_boundaries(frame.with_columns(codes_anciens=pl.lit(None, pl.List(pl.String))))


CITY = "POLYGON((2 45,2.2 45,2.2 45.1,2 45.1,2 45))"


@pytest.mark.parametrize("city", ["75056", None], ids=["named", "known by the code"])
def test_parent_and_child_are_kept_apart(city: str | None) -> None:
    """A city of two squares in a row, and its neighbour to the east."""
    rows = plm(
        ("75056", None, CITY),
        ("75101", city, square(0, 0)),
        ("75102", city, square(1, 0)),
        ("92044", None, square(2, 0)),
    )
    made = conform(rows, tables()["commune_boundaries"])
    parents = dict(made.frame.select("code_commune", "code_commune_parent").rows())
    assert parents == {"75056": None, "75101": "75056", "75102": "75056", "92044": None}
    result = conform(communes_limitrophes(made.frame.lazy()), tables()["communes_limitrophes"])
    assert result.frame.rows() == [
        ("75056", ["92044"], 1),
        ("75101", ["75102"], 1),
        ("75102", ["75101", "92044"], 2),
        ("92044", ["75056"], 1),
    ]


def test_arrondissements_of_two_cities_may_touch() -> None:
    rows = plm(
        ("75056", None, square(0, 0)),
        ("75101", "75056", square(0, 0)),
        ("69123", None, square(1, 0)),
        ("69381", "69123", square(1, 0)),
    )
    result = conform(
        communes_limitrophes(conform(rows, tables()["commune_boundaries"]).frame.lazy()),
        tables()["communes_limitrophes"],
    )
    assert dict(result.frame.select("insee", "insee_voisins").rows()) == {
        "75056": ["69123"],
        "75101": ["69123", "69381"],
        "69123": ["75056"],
        "69381": ["75056", "75101"],
    }


@lru_cache(maxsize=1)
def published() -> dict[str, Any]:
    """The real contours by code, read without any of the product's code."""
    text = gzip.decompress((upstream() / "contours-communes/communes-100m.geojson.gz").read_bytes())
    return {row["properties"]["code"]: shapely.geometry.shape(row["geometry"]) for row in json.loads(text)["features"]}


def test_all_real_contours() -> None:
    result = produced("commune_boundaries")
    assert result.refused.height == 0
    assert result.frame.height == len(published()) == 3912
    shapes = shapely.from_wkb(result.frame["geometry"].to_list())
    assert shapely.is_valid(shapes).all()
    assert set(shapely.get_type_id(shapes)) == {shapely.GeometryType.MULTIPOLYGON}
    for code, area, shape in zip(*result.frame["code_commune", "surface_km2"], shapes, strict=True):
        assert shapely.equals(shape, published()[code])
        assert float(area) == pytest.approx(on_the_ellipsoid(published()[code]), abs=0.012)
    areas = dict(result.frame.select("code_commune", "surface_km2").rows())
    assert areas["75056"] == Decimal("105.35")  # officially 105.4 km²


def test_all_real_neighbours() -> None:
    at: dict[tuple[float, float], set[str]] = defaultdict(set)
    for code, shape in published().items():
        for longitude, latitude in shapely.get_coordinates(shape):
            at[round(longitude, 5), round(latitude, 5)].add(code)
    pairs = {pair for codes in at.values() for pair in combinations(sorted(codes), 2)}
    result = produced("communes_limitrophes")
    assert result.refused.height == 0
    assert result.frame.height == 3912
    neighbours = set(
        result.frame.explode("insee_voisins", empty_as_null=True).drop_nulls().select("insee", "insee_voisins").rows()
    )
    assert {(left, right) for left, right in neighbours if left < right} == pairs
    assert neighbours == pairs | {(right, left) for left, right in pairs}
    assert len(pairs) == 11_050
    paris = result.frame.filter(pl.col("insee") == "75056")
    assert paris["nb_voisins"].item() == 29
    assert (result.frame["nb_voisins"] == result.frame["insee_voisins"].list.len()).all()
    assert set(result.frame.filter(pl.col("nb_voisins") == 0)["insee"]) == {"97110", "97130", "97131"}
