"""Which URL a file has: Opendatasoft, data.gouv.fr, and the newest year that answers."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime

import pytest
from pytest_httpserver import HTTPServer

from edu_pipeline.errors import (
    FileInvalid,
    PublisherUnavailable,
    SourceMissing,
)
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import Fetched
from edu_pipeline_tests.a_source import a_source
from edu_pipeline_tests.sources.fetching import CSV, CSV_2, Get, requests_of

# --- Opendatasoft

EXPORT = a_source(main={"opendatasoft": {"portal": "data.education.gouv.fr", "dataset": "annuaire"}})
BASE = "/data.education.gouv.fr/api/explore/v2.1/catalog/datasets/annuaire"


def metadata(processed: str | None = "2026-11-20T08:00:00+00:00", count: int = 2, fields: str = "code nom") -> str:
    return json.dumps(
        {
            "dataset_id": "annuaire",
            "fields": [{"name": name, "type": "text"} for name in fields.split()],
            "metas": {"default": {"data_processed": processed, "records_count": count, "modified": "2020-01-01"}},
        }
    )


def test_an_export_is_requested_with_machine_names(httpserver: HTTPServer, archive: Archive, get: Get) -> None:
    httpserver.expect_request(BASE).respond_with_data(metadata())
    httpserver.expect_request(f"{BASE}/exports/csv").respond_with_data(CSV)
    release = get(EXPORT).release
    assert requests_of(httpserver) == [f"GET {BASE}", f"GET {BASE}/exports/csv?use_labels=false&delimiter=%3B"]
    assert release.published_at == datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    (file,) = release.files
    assert file.name == "annuaire.csv"
    assert file.publisher == {
        "data_processed": "2026-11-20T08:00:00+00:00",
        "records_count": 2,
        "fields": ["code", "nom"],
    }
    stored = archive.newest("a-source")
    assert stored is not None
    assert stored.files == release.files


def test_another_format_has_no_delimiter(httpserver: HTTPServer, get: Get) -> None:
    httpserver.expect_request(BASE).respond_with_data(metadata())
    httpserver.expect_request(f"{BASE}/exports/geojson").respond_with_data(
        '{"type": "FeatureCollection", "features": []}'
    )
    assert EXPORT.files["main"].opendatasoft is not None
    get(a_source(main={"opendatasoft": EXPORT.files["main"].opendatasoft.model_dump(), "format": "geojson"}))
    assert requests_of(httpserver)[1] == f"GET {BASE}/exports/geojson?use_labels=false"


def test_data_that_was_not_processed_since_is_not_exported(httpserver: HTTPServer, get: Get) -> None:
    httpserver.expect_request(BASE).respond_with_data(metadata())
    httpserver.expect_request(f"{BASE}/exports/csv").respond_with_data(CSV)
    first = get(EXPORT).release
    assert get(EXPORT) == Fetched(first, new=False)
    assert [path.removeprefix(f"GET {BASE}") for path in requests_of(httpserver)] == [
        "",
        "/exports/csv?use_labels=false&delimiter=%3B",
        "",
    ]


@pytest.mark.parametrize(
    "second",
    [
        metadata(processed="2026-11-21T08:00:00+00:00"),
        metadata(count=3),
        metadata(fields="code libelle"),
        metadata(processed=None),
        "{}",
    ],
    ids=["processed", "count", "fields", "no date", "nothing"],
)
def test_data_that_may_have_changed_is_exported(httpserver: HTTPServer, get: Get, second: str) -> None:
    httpserver.expect_ordered_request(BASE).respond_with_data(metadata())
    httpserver.expect_ordered_request(f"{BASE}/exports/csv").respond_with_data(CSV)
    httpserver.expect_ordered_request(BASE).respond_with_data(second)
    httpserver.expect_ordered_request(f"{BASE}/exports/csv").respond_with_data(CSV_2)
    first = get(EXPORT).release
    again = get(EXPORT)
    assert again.new
    assert again.release.sha256 != first.sha256


def test_data_processed_again_to_the_same_is_exported_once(httpserver: HTTPServer, get: Get) -> None:
    httpserver.expect_ordered_request(BASE).respond_with_data(metadata())
    httpserver.expect_ordered_request(f"{BASE}/exports/csv").respond_with_data(CSV)
    httpserver.expect_ordered_request(BASE).respond_with_data(metadata(processed="2026-11-22T08:00:00+00:00"))
    httpserver.expect_ordered_request(f"{BASE}/exports/csv").respond_with_data(CSV)
    httpserver.expect_ordered_request(BASE).respond_with_data(metadata(processed="2026-11-22T08:00:00+00:00"))
    first = get(EXPORT).release
    assert get(EXPORT) == Fetched(first, new=False)
    assert get(EXPORT) == Fetched(first, new=False)
    httpserver.check()


def test_a_portal_without_metadata_still_has_the_export(httpserver: HTTPServer, get: Get) -> None:
    httpserver.expect_request(BASE).respond_with_data("", status=404)
    httpserver.expect_request(f"{BASE}/exports/csv").respond_with_data(CSV)
    first = get(EXPORT)
    assert first.release.published_at is None
    assert get(EXPORT) == Fetched(first.release, new=False)


def test_metadata_that_is_not_json_is_a_failure(httpserver: HTTPServer, get: Get) -> None:
    httpserver.expect_request(BASE).respond_with_data("<html>")
    with pytest.raises(FileInvalid, match=r"expected a JSON object from https://data\.education\.gouv\.fr/api"):
        get(EXPORT)


# --- data.gouv.fr


def resources(*entries: tuple[str, str, str, str]) -> str:
    return json.dumps(
        {
            "resources": [
                {"id": name, "title": title, "format": form, "last_modified": modified, "checksum": None}
                | {"url": f"https://static.data.gouv.fr/{name}.csv", "latest": f"https://www.data.gouv.fr/r/{name}"}
                for name, title, form, modified in entries
            ]
        }
    )


DATA_GOUV = a_source(main={"datagouv": {"dataset": "delinquance", "title": "COM - Base", "format": "csv.gz"}})


def test_the_newest_matching_resource_is_taken(httpserver: HTTPServer, get: Get) -> None:
    httpserver.expect_request("/www.data.gouv.fr/api/1/datasets/delinquance/").respond_with_data(
        resources(
            ("old", "COM - Base statistique 2024", "csv.gz", "2025-07-01T10:00:00.000000+00:00"),
            ("new", "COM - Base statistique 2025", "CSV.GZ", "2026-07-01T10:00:00.123000+00:00"),
            ("parquet", "COM - Base statistique 2025", "parquet", "2026-07-02T10:00:00+00:00"),
            ("dep", "DEP - Base statistique 2025", "csv.gz", "2026-07-03T10:00:00+00:00"),
        )
    )
    httpserver.expect_request("/www.data.gouv.fr/r/new").respond_with_data(
        "", status=302, headers={"Location": "https://static.data.gouv.fr/2026/geographie2026.csv.gz"}
    )
    httpserver.expect_request("/static.data.gouv.fr/2026/geographie2026.csv.gz").respond_with_data(gzip.compress(CSV))
    release = get(DATA_GOUV).release
    (file,) = release.files
    assert file.name == "geographie2026.csv.gz"
    assert file.url == "https://www.data.gouv.fr/r/new"
    assert file.publisher["id"] == "new"
    assert release.published_at == datetime(2026, 7, 1, 10, 0, 0, 123000, tzinfo=UTC)


def test_no_matching_resource_lists_the_titles(httpserver: HTTPServer, get: Get) -> None:
    httpserver.expect_request("/www.data.gouv.fr/api/1/datasets/delinquance/").respond_with_data(
        resources(("dep", "DEP - Base statistique", "csv.gz", "2026"), ("doc", "Documentation", "pdf", "2026"))
    )
    with pytest.raises(SourceMissing) as caught:
        get(DATA_GOUV)
    assert "title that matches 'COM - Base', found 'DEP - Base statistique' (csv.gz), 'Documentation' (pdf)." in str(
        caught.value
    )


def test_a_dataset_of_several_parts_is_asked_once(httpserver: HTTPServer, get: Get) -> None:
    httpserver.expect_ordered_request("/www.data.gouv.fr/api/1/datasets/d/").respond_with_data(
        resources(("a", "A", "csv", "2026"), ("b", "B", "csv", "2026"))
    )
    httpserver.expect_ordered_request("/www.data.gouv.fr/r/a").respond_with_data(CSV)
    httpserver.expect_ordered_request("/www.data.gouv.fr/r/b").respond_with_data(CSV_2)
    parts = {name: {"datagouv": {"dataset": "d", "title": f"^{name.upper()}$", "format": "csv"}} for name in "ab"}
    assert get(a_source(**parts)).release.parts == {"a": "a.csv", "b": "b.csv"}
    httpserver.check()


# --- the newest year that answers

CONTOURS = a_source(main={"url": "https://contours.fr/{year}/communes-{year}.csv"})


def test_the_newest_year_that_answers_is_taken(httpserver: HTTPServer, get: Get) -> None:
    for year, status in ((2026, 404), (2025, 403), (2024, 200), (2023, 200)):
        httpserver.expect_request(f"/contours.fr/{year}/communes-{year}.csv").respond_with_data(CSV, status=status)
    (file,) = get(CONTOURS).release.files
    assert file.url == "https://contours.fr/2024/communes-2024.csv"
    path = "/contours.fr/{0}/communes-{0}.csv"
    assert requests_of(httpserver) == [
        f"HEAD {path.format(2026)}",
        f"HEAD {path.format(2025)}",
        f"GET {path.format(2025)}",
        f"HEAD {path.format(2024)}",
        f"GET {path.format(2024)}",
    ]


def test_no_year_answers(httpserver: HTTPServer, get: Get) -> None:
    httpserver.expect_request("/contours.fr/2021/communes-2021.csv").respond_with_data(CSV)
    for year in range(2022, 2027):
        httpserver.expect_request(f"/contours.fr/{year}/communes-{year}.csv").respond_with_data("", status=404)
    with pytest.raises(SourceMissing, match=r"found none: 2026 \(HTTP status 404\), .*2022 \(HTTP status 404\)\."):
        get(CONTOURS)


def test_a_publisher_out_of_order_does_not_take_us_back_a_year(httpserver: HTTPServer, get: Get) -> None:
    httpserver.expect_request("/contours.fr/2026/communes-2026.csv").respond_with_data("", status=503)
    httpserver.expect_request("/contours.fr/2025/communes-2025.csv").respond_with_data(CSV)
    with pytest.raises(PublisherUnavailable):
        get(CONTOURS)
