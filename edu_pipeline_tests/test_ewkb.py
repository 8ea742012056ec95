"""Geometries as rows hold them: the same text as GEOS and PostGIS write, and back."""

from __future__ import annotations

import polars as pl
import pytest
import shapely

from edu_pipeline import ewkb

SHAPES = [
    shapely.Point(2.3522219, 48.856614),
    None,
    shapely.LineString([(0, 0), (1.5, -1)]),
    shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(2, 2, 3, 3)]),
]


def test_shapes_are_written_as_geos_writes_them() -> None:
    by_geos = [
        None
        if shape is None
        else shapely.to_wkb(shapely.set_srid(shape, 4326), hex=True, include_srid=True, byte_order=1)
        for shape in SHAPES
    ]
    assert ewkb.encoded(SHAPES).to_list() == by_geos
    assert ewkb.encoded([]).dtype == pl.String and ewkb.encoded([None]).to_list() == [None]


def test_shapes_survive_a_round_trip() -> None:
    read = ewkb.decoded(ewkb.encoded(SHAPES))
    assert [shape and shape.wkt for shape in read] == [shape and shape.wkt for shape in SHAPES]
    assert all(shapely.get_srid(shape) == 4326 for shape in read if shape)


def test_text_that_is_not_a_geometry_is_none() -> None:
    (point,) = ewkb.encoded([shapely.Point(1, 2)])
    texts = pl.Series([None, "", "POINT (1 2)", "0102", point[:-2], point.lower()])
    *nothing, lower = ewkb.decoded(texts)
    assert nothing == [None] * 5 and lower == shapely.Point(1, 2)


def test_without_srid_it_is_the_wkb_of_geos() -> None:
    by_geos = [None if shape is None else shapely.to_wkb(shape, byte_order=1) for shape in SHAPES]
    assert ewkb.without_srid(ewkb.encoded(SHAPES)).to_list() == by_geos
    assert ewkb.without_srid(pl.Series([None], dtype=pl.String)).to_list() == [None]
    elsewhere = shapely.to_wkb(shapely.set_srid(shapely.Point(1, 2), 2154), hex=True, include_srid=True, byte_order=1)
    with pytest.raises(ValueError, match="expected EWKB, little-endian, in WGS 84"):
        ewkb.without_srid(pl.Series([*ewkb.encoded(SHAPES), elsewhere]))
