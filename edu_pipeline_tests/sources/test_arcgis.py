"""A layer of an ArcGIS service: all its pages in one file, or a failure."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from edu_pipeline.errors import (
    DownloadFailed,
    DownloadRefused,
    FileInvalid,
    PublisherUnavailable,
)
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import Fetched
from edu_pipeline_tests.a_source import a_source
from edu_pipeline_tests.sources.fetching import Get, content, in_archive

LAYER = "/services9.arcgis.com/x/arcgis/rest/services/Lyc%C3%A9es/FeatureServer/0"
ARCGIS = a_source(main={"arcgis": f"https:/{LAYER}", "format": "geojson", "name": r"a-source\.geojson"})
EDITED = 1_750_000_000_123


class FeatureServer:
    """A layer with ``count`` features, given out two at a time."""

    def __init__(self, count: int, nested: bool = True) -> None:
        self.count, self.nested, self.counted = count, nested, count
        self.edited: int | None = EDITED
        self.error: dict[str, Any] | None = None

    def __call__(self, request: Request) -> Response:
        return Response(json.dumps(self.answer(request)), content_type="application/json")

    def answer(self, request: Request) -> dict[str, Any]:
        if self.error and request.path.endswith("/query"):
            return {"error": self.error}
        if not request.path.endswith("/query"):
            return {"objectIdField": "OBJECTID", "fields": [{"name": "OBJECTID"}], "editingInfo": self.editing()}
        assert (request.args["where"], request.args["outFields"]) == ("1=1", "*")
        if request.args.get("returnCountOnly") == "true":
            assert request.args["f"] == "json"
            return {"count": self.counted}
        assert [request.args[name] for name in ("f", "outSR", "orderByFields")] == ["geojson", "4326", "OBJECTID"]
        first = int(request.args["resultOffset"])
        more = {"exceededTransferLimit": True} if first + 2 < self.count else {}
        features = [
            {"type": "Feature", "geometry": None, "properties": {"OBJECTID": number, "Nom": "Lycée"}}
            for number in range(first, min(first + 2, self.count))
        ]
        return {"type": "FeatureCollection", "features": features} | ({"properties": more} if self.nested else more)

    def editing(self) -> dict[str, Any]:
        return {} if self.edited is None else {"lastEditDate": self.edited}


def serve(httpserver: HTTPServer, layer: FeatureServer) -> FeatureServer:
    httpserver.expect_request(re.compile(r"/services9\.arcgis\.com/.*")).respond_with_handler(layer)
    return layer


@pytest.mark.parametrize(("count", "nested"), [(0, True), (2, True), (5, True), (5, False)])
def test_the_pages_of_a_layer_become_one_file(
    httpserver: HTTPServer, archive: Archive, get: Get, count: int, nested: bool
) -> None:
    serve(httpserver, FeatureServer(count, nested))
    release = get(ARCGIS).release
    (file,) = release.files
    assert file.name == "a-source.geojson"
    assert file.url.endswith(
        "/FeatureServer/0/query?where=1%3D1&outFields=%2A&outSR=4326&orderByFields=OBJECTID&f=geojson"
    )
    collection = json.loads(content(archive, release))
    assert [feature["properties"]["OBJECTID"] for feature in collection["features"]] == list(range(count))
    assert file.bytes == len(content(archive, release))
    assert release.published_at == datetime.fromtimestamp(EDITED / 1000, UTC)
    assert file.publisher["lastEditDate"] == EDITED


def test_a_layer_that_was_not_edited_is_not_fetched_again(httpserver: HTTPServer, get: Get) -> None:
    layer = serve(httpserver, FeatureServer(3))
    first = get(ARCGIS)
    httpserver.clear_log()
    assert get(ARCGIS) == Fetched(first.release, new=False)
    assert len(httpserver.log) == 1
    layer.edited = EDITED + 1
    assert not get(ARCGIS).new  # the same features
    layer.edited, layer.count, layer.counted = EDITED + 2, 4, 4
    assert get(ARCGIS).new


def test_a_layer_without_a_date_is_compared_by_its_content(httpserver: HTTPServer, get: Get) -> None:
    layer = serve(httpserver, FeatureServer(3))
    layer.edited = None
    release = get(ARCGIS).release
    assert release.published_at is None
    assert get(ARCGIS) == Fetched(release, new=False)


def test_a_layer_that_loses_features_on_the_way_is_no_release(
    httpserver: HTTPServer, archive: Archive, get: Get
) -> None:
    serve(httpserver, FeatureServer(3)).counted = 4
    with pytest.raises(FileInvalid, match=r"expected 4 features, as many as https://.* counts, found 3"):
        get(ARCGIS)
    assert in_archive(archive) == []


@pytest.mark.parametrize(
    ("code", "failure"), [(499, DownloadFailed), (400, DownloadFailed), (500, PublisherUnavailable)]
)
def test_an_error_of_status_200_is_a_failure(
    httpserver: HTTPServer, archive: Archive, get: Get, code: int, failure: type[Exception]
) -> None:
    serve(httpserver, FeatureServer(3)).error = {"code": code, "message": "Token Required"}
    with pytest.raises(failure, match=r'found the error \{"code": \d+, "message": "Token Required"\}'):
        get(ARCGIS)
    assert in_archive(archive) == []


def test_a_layer_beyond_the_limit_is_refused(httpserver: HTTPServer, get: Get) -> None:
    serve(httpserver, FeatureServer(9))
    files = {"arcgis": ARCGIS.files["main"].arcgis, "format": "geojson", "name": r".*\.geojson", "max_bytes": 400}
    with pytest.raises(DownloadRefused, match="expected at most 400 bytes"):
        get(a_source(main=files))
