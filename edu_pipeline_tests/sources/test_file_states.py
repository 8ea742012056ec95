"""What is recognised as new of single publishers: each kind of interface, plain files, and a directory.

Belongs here: what one source shows, before and after a change. Does not belong here: all sources together, and what is
remembered (``test_probe.py``).
"""

from __future__ import annotations

import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from edu_pipeline.catalogue import Source
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import fetch
from edu_pipeline.sources.policy import Policy
from edu_pipeline.sources.probe import Probed, probe
from edu_pipeline_tests.a_source import a_source
from edu_pipeline_tests.sources.fetching import CSV, requests_of

ONCE = Policy(tries=1)
LAYER = "https://services9.arcgis.com/abc/arcgis/rest/services/Lycees/FeatureServer/0"


def look(source: Source, archive: Archive, httpserver: HTTPServer, known: str = "", **changes: Any) -> Probed:
    """Probe one source at a mirror."""
    upstream = httpserver.url_for("").rstrip("/")
    versions = {source.id: known} if known else {}
    return probe([source], archive, upstream, versions, **{"policy": ONCE, **changes})[source.id]


def test_only_metadata_about_the_data_counts_at_a_portal(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"opendatasoft": {"portal": "data.example.org", "dataset": "a-dataset"}})
    base = "/data.example.org/api/explore/v2.1/catalog/datasets"
    metadata = {"data_processed": "2026-01-29T05:00:00+00:00", "records_count": 3, "modified": "2026-01-01"}

    def portal(fields: list[str], **metas: Any) -> None:
        entry = {
            "dataset_id": "a-dataset",
            "metas": {"default": {**metadata, **metas}},
            "fields": [{"name": name} for name in fields],
        }
        httpserver.clear()
        httpserver.expect_request(base).respond_with_json({"total_count": 1, "results": [entry]})
        httpserver.expect_request(f"{base}/a-dataset").respond_with_json(entry)
        httpserver.expect_request(f"{base}/a-dataset/exports/csv").respond_with_data(CSV)

    portal(["code", "nom"])
    assert look(source, archive, httpserver).changed
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    httpserver.clear_log()
    first = look(source, archive, httpserver)
    assert not first.changed
    ((request, _),) = httpserver.log
    assert request.args["where"] == 'dataset_id in ("a-dataset")'
    assert request.args["select"] == "dataset_id,metas,fields"

    portal(["code", "nom"], modified="2026-11-23", title="Renamed")
    assert look(source, archive, httpserver, first.version).version == first.version
    for fields, metas in (
        (["code", "nom"], {"data_processed": "2026-01-30T05:00:00+00:00"}),
        (["code", "nom"], {"records_count": 4}),
        (["code", "name"], {}),
    ):
        portal(fields, **metas)
        assert look(source, archive, httpserver).changed
        assert look(source, archive, httpserver, first.version).changed


def test_a_dataset_that_its_portal_no_longer_has_is_a_failure(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"opendatasoft": {"portal": "data.example.org", "dataset": "a-dataset"}})
    httpserver.expect_request("/data.example.org/api/explore/v2.1/catalog/datasets").respond_with_json({"results": []})
    assert "expected the dataset a-dataset in the catalogue of data.example.org" in str(
        look(source, archive, httpserver).error
    )


def test_an_answer_of_another_shape_is_the_failure_of_its_source(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"datagouv": {"dataset": "abc", "title": ".*", "format": "csv"}})
    httpserver.expect_request("/www.data.gouv.fr/api/1/datasets/abc/").respond_with_json({"resources": ["?"]})
    probed = look(source, archive, httpserver)
    assert probed.error
    assert not probed.changed


def test_a_resource_with_a_new_id_has_not_changed(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"datagouv": {"dataset": "abc", "title": "^COM - ", "format": "csv"}})

    def dataset(**changes: Any) -> None:
        resource = {
            "id": "1",
            "title": "COM - Base",
            "format": "csv",
            "url": "https://static.data.gouv.fr/base.csv",
            "last_modified": "2026-06-25T10:00:00+00:00",
            "filesize": len(CSV),
            "checksum": {"type": "sha1", "value": "ab"},
            **changes,
        }
        httpserver.clear()
        httpserver.expect_request("/www.data.gouv.fr/api/1/datasets/abc/").respond_with_json(
            {"resources": [resource | {"title": "DEP", "last_modified": "2026-11-01"}, resource]}
        )
        httpserver.expect_request("/static.data.gouv.fr/base.csv").respond_with_data(CSV)

    dataset()
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    first = look(source, archive, httpserver)
    assert not first.changed
    dataset(id="2", title="COM - Base communale")
    assert not look(source, archive, httpserver, first.version).changed
    for change in ({"last_modified": "2026-06-26"}, {"checksum": {"type": "sha1", "value": "cd"}}, {"filesize": 1}):
        dataset(**change)
        assert look(source, archive, httpserver).changed
        assert look(source, archive, httpserver, first.version).changed


def test_an_arcgis_layer_shows_when_it_was_edited(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"arcgis": LAYER, "format": "geojson", "name": r".*\.geojson"})
    path = LAYER.removeprefix("https:/")
    feature: dict[str, Any] = {"type": "Feature", "geometry": None, "properties": {}}
    httpserver.expect_request(f"{path}/query").respond_with_json(
        {"type": "FeatureCollection", "features": [feature], "count": 1}
    )

    def layer(times: int, **description: Any) -> None:
        for _ in range(times):
            httpserver.expect_oneshot_request(path, query_string="f=json").respond_with_json(description)

    layer(2, editingInfo={"lastEditDate": 1_700_000_000_000})
    first = look(source, archive, httpserver)
    assert first.changed
    assert first.published_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert [request.path for request, _ in httpserver.log] == [path]
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    for edited, is_new in ((1_700_000_000_000, False), (1_800_000_000_000, True)):
        layer(2, editingInfo={"lastEditDate": edited})
        assert look(source, archive, httpserver).changed == is_new
        assert look(source, archive, httpserver, first.version).changed == is_new
    layer(1, error={"code": 499, "message": "Token Required"})
    assert "Token Required" in str(look(source, archive, httpserver).error)


def test_one_file_speaks_for_all_that_are_published_together(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(
        **{part: {"url": f"https://example.org/adresses-{part}.csv", "optional": True} for part in ("01", "2A", "35")}
    )
    dated = {"Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}
    for part in ("2A", "35"):
        httpserver.expect_request(f"/example.org/adresses-{part}.csv").respond_with_data(CSV, headers=dated)
    httpserver.expect_request("/example.org/adresses-01.csv").respond_with_data("", status=404)
    assert look(source, archive, httpserver).changed
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    httpserver.clear_log()
    assert not look(source, archive, httpserver).changed
    assert [request.path for request, _ in httpserver.log] == ["/example.org/adresses-2A.csv"]


def test_an_interface_whose_etag_is_known_sends_nothing(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"url": "https://geo.example.org/communes?fields=nom"})
    path = "/geo.example.org/communes"
    httpserver.expect_request(path, headers={"If-None-Match": '"a"'}).respond_with_data("", status=304)
    httpserver.expect_request(path).respond_with_data(CSV, headers={"ETag": '"a"'})
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    httpserver.clear_log()
    assert not look(source, archive, httpserver).changed
    assert [answer.status_code for _, answer in httpserver.log] == [304]


def test_an_interface_without_an_etag_shows_its_content(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"url": "https://geo.example.org/communes?fields=nom"})
    httpserver.expect_request("/geo.example.org/communes").respond_with_data(CSV)
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    first = look(source, archive, httpserver)
    assert not first.changed
    httpserver.clear()
    httpserver.expect_request("/geo.example.org/communes").respond_with_data(CSV.upper())
    assert look(source, archive, httpserver).changed
    assert look(source, archive, httpserver, first.version).changed


@pytest.mark.parametrize(
    ("header", "now"),
    [({"ETag": '"a"'}, {"ETag": '"b"'}), ({"Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}, {}), ({}, {})],
)
def test_a_plain_file_shows_an_etag_a_date_or_its_size(
    httpserver: HTTPServer, archive: Archive, header: dict[str, str], now: dict[str, str]
) -> None:
    source = a_source(
        main={"url": "https://example.org/f.csv"},
        same={"url": "https://example.org/f.csv"},
        other={"url": "https://example.org/g.csv", "optional": True},
    )
    httpserver.expect_request("/example.org/f.csv").respond_with_data(CSV, headers=header)
    httpserver.expect_request("/example.org/g.csv").respond_with_data("", status=404)
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    httpserver.clear_log()
    first = look(source, archive, httpserver)
    assert first.error is None
    assert not first.changed
    assert requests_of(httpserver) == ["HEAD /example.org/f.csv", "HEAD /example.org/g.csv"]
    assert not look(source, archive, httpserver, first.version).changed
    httpserver.clear()
    httpserver.expect_request("/example.org/f.csv").respond_with_data(CSV if now else CSV + CSV, headers=now)
    httpserver.expect_request("/example.org/g.csv").respond_with_data("", status=404)
    assert look(source, archive, httpserver).changed
    assert look(source, archive, httpserver, first.version).changed


def test_an_optional_file_that_appears_is_a_change(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(
        main={"url": "https://example.org/f.csv"}, other={"url": "https://example.org/g.csv", "optional": True}
    )
    httpserver.expect_request("/example.org/f.csv").respond_with_data(CSV, headers={"ETag": '"a"'})
    httpserver.expect_oneshot_request("/example.org/g.csv").respond_with_data("", status=404)
    httpserver.expect_request("/example.org/g.csv").respond_with_data(CSV)
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    assert look(source, archive, httpserver).changed


def test_a_file_without_any_description_is_fetched_once_a_day(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"url": "https://example.org/f.csv"})
    httpserver.expect_request("/example.org/f.csv").respond_with_data(CSV, headers={"Content-Encoding": "identity"})
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    monday, tuesday = date(2026, 11, 23), date(2026, 11, 24)
    first = look(source, archive, httpserver, today=monday)
    assert first.changed
    assert not look(source, archive, httpserver, first.version, today=monday).changed
    assert look(source, archive, httpserver, first.version, today=tuesday).changed


def test_a_file_that_is_gone_is_a_failure(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"url": "https://example.org/f.csv"})
    httpserver.expect_request("/example.org/f.csv").respond_with_data("", status=404)
    probed = look(source, archive, httpserver)
    assert "expected the file at https://example.org/f.csv, found HTTP status 404" in str(probed.error)
    assert not probed.changed


def test_the_newest_year_is_asked_for_first(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"url": "https://example.org/{year}/f.csv"})
    httpserver.expect_request("/example.org/2026/f.csv").respond_with_data("", status=404)
    httpserver.expect_request("/example.org/2025/f.csv").respond_with_data(CSV, headers={"ETag": '"a"'})
    fetch(source, archive, httpserver.url_for("").rstrip("/"), today=date(2026, 1, 2))
    httpserver.clear_log()
    assert not look(source, archive, httpserver, today=date(2026, 1, 2)).changed
    assert requests_of(httpserver) == ["HEAD /example.org/2026/f.csv", "HEAD /example.org/2025/f.csv"]


# --- in place of the publishers


def test_a_directory_shows_name_size_and_time(tmp_path: Path, archive: Archive) -> None:
    source = a_source(
        main={"supplied": True, "name": r"f_\d+\.csv"}, other={"supplied": True, "name": "g", "optional": True}
    )
    folder = tmp_path / "upstream" / "a-source"
    folder.mkdir(parents=True)

    def look(known: str = "") -> Probed:
        return probe([source], archive, str(folder.parent), {"a-source": known} if known else {})["a-source"]

    assert look().changed is False
    (folder / "f_2023.csv").write_bytes(CSV)
    assert look().changed
    fetch(source, archive, str(folder.parent))
    first = look()
    assert not first.changed
    assert not look(first.version).changed
    (folder / "f_2023.csv").write_bytes(CSV + CSV)
    assert look().changed
    assert look(first.version).changed
    (folder / "f_2023.csv").write_bytes(CSV)
    (folder / "f_2024.csv").write_bytes(CSV + CSV)
    assert look().changed
    (folder / "f_2024.csv").unlink()
    os.utime(folder / "f_2023.csv", (0, 0))
    assert look(first.version).changed
    assert not look().changed
    (folder / "f_2023.csv").unlink()
    assert not look(first.version).changed


def test_nobody_is_asked_for_a_file_that_was_handed_in(tmp_path: Path, archive: Archive) -> None:
    source = a_source(main={"supplied": True})
    assert probe([source], archive, None, {})["a-source"].changed is False
    folder = tmp_path / "upstream" / "a-source"
    folder.mkdir(parents=True)
    (folder / "f.csv").write_bytes(CSV)
    fetch(source, archive, str(folder.parent))
    first = probe([source], archive, None, {})["a-source"]
    assert (first.changed, first.error) == (False, None)
    (folder / "f.csv").write_bytes(CSV + CSV)
    fetch(source, archive, str(folder.parent))
    assert probe([source], archive, None, {"a-source": first.version})["a-source"].changed
