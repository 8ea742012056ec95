"""Vector tiles: every shape at every zoom, with its code as it is."""

from __future__ import annotations

from pathlib import Path

import geopandas
import mapbox_vector_tile
import pytest
import shapely

from edu_pipeline.site.atlas import tiles
from edu_pipeline.site.atlas.tiles import Index, TileLayer

SIDE = 20
CODES = [f"0{1000 + number}" for number in range(SIDE * SIDE)]
"""With a leading zero, which an id that is a number would lose."""

Decoded = dict[int, dict[str, dict[str, dict[str, object]]]]
"""Zoom, layer, code: the properties."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Index]:
    """A checkerboard of fields of 300 m next to one large one, and a point in each."""
    folder = tmp_path_factory.mktemp("atlas") / "land"
    squares = [
        shapely.box(x, y, x + 0.003, y + 0.003)
        for x in (4 + 0.003 * step for step in range(SIDE))
        for y in (46 + 0.003 * step for step in range(SIDE))
    ]
    large = shapely.box(5, 45, 7, 47)
    properties = {"code": [*CODES, "2A004"], "parent": [None] * len(CODES) + ["2A000"]}
    fields = geopandas.GeoDataFrame(properties, geometry=[*squares, large], crs=4326)
    points = fields[["code"]].set_geometry(shapely.point_on_surface(fields.geometry.values), crs=4326)
    nothing = fields[:0]
    layers = {
        "fields": TileLayer(fields, 5, 7),
        "points": TileLayer(points, 4, 7),
        "nothing": TileLayer(nothing, 4, 7),
    }
    return folder, tiles.write(layers, folder)


@pytest.fixture(scope="module")
def decoded(written: tuple[Path, Index]) -> Decoded:
    folder, index = written
    found: Decoded = {}
    for zoom, names in index.items():
        for name in names:
            content = mapbox_vector_tile.decode((folder / zoom / f"{name}.pbf").read_bytes())
            for layer, shapes in content.items():
                of_layer = found.setdefault(int(zoom), {}).setdefault(layer, {})
                of_layer |= {shape["properties"]["code"]: shape["properties"] for shape in shapes["features"]}
    return found


def test_no_code_is_missing_at_any_zoom(decoded: Decoded) -> None:
    everything = {*CODES, "2A004"}
    assert {zoom: set(layers) for zoom, layers in decoded.items()} == {
        4: {"points"},
        5: {"fields", "points"},
        6: {"fields", "points"},
        7: {"fields", "points"},
    }
    for layers in decoded.values():
        for shapes in layers.values():
            assert set(shapes) == everything


def test_properties_are_text_and_null_is_left_out(decoded: Decoded) -> None:
    assert decoded[7]["fields"]["01000"] == {"code": "01000"}
    assert decoded[7]["fields"]["2A004"] == {"code": "2A004", "parent": "2A000"}


def test_the_index_has_every_tile(written: tuple[Path, Index]) -> None:
    folder, index = written
    files = {str(path.relative_to(folder)) for path in folder.rglob("*.pbf")}
    assert files == {f"{zoom}/{name}.pbf" for zoom, names in index.items() for name in names}


def test_without_a_shape_there_is_no_tile(tmp_path: Path) -> None:
    nothing = geopandas.GeoDataFrame({"code": []}, geometry=[], crs=4326)
    assert tiles.write({"fields": TileLayer(nothing, 5, 7)}, tmp_path / "land") == {}
