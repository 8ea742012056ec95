"""Where a JSON file fails: the line, or the item or feature."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edu_pipeline.catalogue import File
from edu_pipeline.errors import FileInvalid
from edu_pipeline.sources import json_place
from edu_pipeline.sources.readers import read
from edu_pipeline_tests.a_source import a_source

LINES = b'[{"code": "01001"},\n {"code": "01002"},\n '


def feature(geometry: Any, code: str = "01001") -> dict[str, Any]:
    return {"type": "Feature", "properties": {"code": code}, "geometry": geometry}


def features(*geometries: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": [feature(each) for each in geometries]}).encode()


POINT = {"type": "Point", "coordinates": [5.0, 46.0]}


@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("f.json", LINES + b'{"code" "01003"}]', "line 3, column 10"),
        ("f.json", LINES + b'{"code": NaN}]', "line 3, column 11"),
        ("f.json", LINES + b'{"code": "Vend\xe9e"}]', "line 3, column 16"),
        ("f.json", LINES + b"[" * 5_000 + b"]" * 5_000 + b"]", "line 3, column "),
        ("f.json", LINES + b'{"code": [[1]]}]', "item 3, code"),
        ("f.json", LINES + b'{"code": {"code": 1}}]', "item 3, code"),
        ("f.geojson", features(POINT, {"type": "LineString", "coordinates": [[0, 0]]}), "feature 2, geometry"),
        ("f.geojson", features(POINT, POINT, POINT).replace(b'"01001"', b'[null, "x", 1]'), "feature 1, code"),
        ("f.geojson", features(POINT, POINT)[:-3] + b"]", "line 1, column "),
        ("f.geojson", b'{"error": {"code": 400}}', "line 1"),
    ],
)
def test_the_place_of_damage_is_named(tmp_path: Path, name: str, content: bytes, place: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileInvalid) as caught:
        read(tmp_path / name, entry(name), tmp_path, "a-source").frame.collect()
    assert f"found something that does not parse in {place}" in caught.value.problem
    assert caught.value.where == f"a-source, file {name}" and len(str(caught.value)) < 800


def entry(name: str) -> File:
    return a_source(main={"url": f"https://www.insee.fr/{name}", "format": name.split(".")[1]}).files["main"]


def test_in_a_large_file_nobody_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_place, "LARGEST", 10)
    (tmp_path / "f.json").write_bytes(LINES)
    assert json_place.place_in_json(tmp_path / "f.json", "") == "line unknown, since the file is large"
