"""The Opendatasoft portals of the sample's server: metadata, exports, records, catalogue, refusals, quota."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
import requests

from edu_pipeline.sample.server import serving
from edu_pipeline.sample.shelf import Shelf
from edu_pipeline_tests.sample.small_sample import (
    ANNUAIRE,
    AREAS,
    AREAS_DATASET,
    AREAS_URL,
    HEADER,
    LABELS,
    LYCEES,
    OPTIONS_URL,
    PORTAL,
    SCHOOLS,
    TIMEOUT,
    Get,
    areas,
)


def test_metadata_describe_the_data_and_their_date(get: Get) -> None:
    answer = get(SCHOOLS)
    assert answer.headers["Content-Encoding"] == "gzip"
    metadata = answer.json()
    assert metadata["dataset_id"] == ANNUAIRE
    metas = metadata["metas"]["default"]
    assert metas["records_count"] == 3
    assert metas["title"] == "Annuaire de l'éducation"
    assert datetime.fromisoformat(metas["data_processed"]) <= datetime.now(UTC)
    assert metas["modified"] < metas["data_processed"] < metas["metadata_processed"]
    assert [field["name"] for field in metadata["fields"]] == HEADER
    types = [field["type"] for field in metadata["fields"]]
    assert types == ["text", "text", "text", "int", "double", "date", "datetime", "geo_point_2d"]
    assert [field["label"] for field in metadata["fields"]][:3] == [*LABELS.values(), "Code postal"]


def test_the_default_export_is_the_stored_file(get: Get, folder: Path) -> None:
    for query in ("", "?use_labels=false&delimiter=%3B", "?with_bom=true&limit=-1&lang=fr"):
        answer = get(f"{SCHOOLS}/exports/csv{query}")
        assert answer.content == (folder / ANNUAIRE / f"{ANNUAIRE}.csv").read_bytes()
        assert not {"ETag", "Last-Modified"} & set(answer.headers)
        assert ANNUAIRE in answer.headers["Content-Disposition"]


def test_csv_exports_follow_their_parameters(get: Get) -> None:
    labelled = get(f"{SCHOOLS}/exports/csv?use_labels=true&with_bom=false").content.decode()
    assert labelled.startswith("Identifiant de l'établissement;Nom;Code postal;")
    query = {"delimiter": ",", "select": "nom_etablissement, code_postal", "limit": "2", "quote_all": "true"}
    selected = get(f"{SCHOOLS}/exports/csv", params=query)
    assert selected.headers["Transfer-Encoding"] == "chunked"
    assert selected.content.decode("utf-8-sig") == (
        '"nom_etablissement","code_postal"\r\n"Lycée inventé ""A""; B","01000"\r\n"Collège inventé","35000"\r\n'
    )


def test_json_exports_have_numbers_nulls_and_points(get: Get) -> None:
    records = get(f"{SCHOOLS}/exports/json").json()
    assert [entry["nombre_d_eleves"] for entry in records] == [100, None, 12]
    assert records[0]["code_postal"] == "01000"
    assert records[0]["position"] == {"lon": -1.7, "lat": 48.1}
    assert records[2]["nom_etablissement"] == "École inventée\nsur deux lignes"
    lines = get(f"{SCHOOLS}/exports/jsonl?limit=2").text.splitlines()
    assert [json.loads(line) for line in lines] == records[:2]
    assert get(f"{SCHOOLS}/exports/json?limit=0").json() == []


def test_parquet_exports_have_types(get: Get) -> None:
    frame = pl.read_parquet(get(f"{SCHOOLS}/exports/parquet").content)
    assert frame.columns == HEADER
    assert frame["nombre_d_eleves"].to_list() == [100, None, 12]
    assert frame["latitude"].to_list() == [48.1, 48.0, None]
    assert frame["code_postal"].to_list() == ["01000", "35000", None]
    assert frame["date_ouverture"].to_list() == [date(1990, 9, 1), None, date(2001, 1, 31)]
    assert frame["date_maj_ligne"][0] == datetime(2026, 11, 20, tzinfo=UTC)
    labelled = get(
        f"{SCHOOLS}/exports/parquet?use_labels=true&select=nom_etablissement&limit=1&parquet_compression=zstd"
    )
    assert pl.read_parquet(labelled.content).to_dicts() == [{"Nom": 'Lycée inventé "A"; B'}]


def test_a_dataset_with_features_is_exported_as_geojson(get: Get, folder: Path) -> None:
    whole = get(f"{AREAS_URL}/exports/geojson?use_labels=false")
    assert whole.content == (folder / AREAS / f"{AREAS_DATASET}.geojson").read_bytes()
    assert whole.headers["Content-Type"] == "application/geo+json"
    (first,) = get(f"{AREAS_URL}/exports/geojson?limit=1&select=codes,geo_shape").json()["features"]
    shape = areas(0)["features"][0]["geometry"]
    assert first == {"type": "Feature", "geometry": shape, "properties": {"codes": ["0310001A", "0310002B"]}}
    records = get(f"{AREAS_URL}/exports/json?limit=1").json()
    assert records == [{"geo_shape": shape, **areas(0)["features"][0]["properties"]}]
    metadata = get(AREAS_URL).json()
    assert metadata["metas"]["default"]["records_count"] == 2
    assert {field["name"]: field["type"] for field in metadata["fields"]} == {
        "geo_shape": "geo_shape",
        "nom": "text",
        "eff_2025": "int",
        "codes": "text",
        "geo_point_2d": "geo_point_2d",
    }
    offered = [link["rel"] for link in get(f"{AREAS_URL}/exports").json()["links"]]
    assert offered == ["geojson", "json", "jsonl"]
    assert [get(f"{url}/exports/{kind}").status_code for url, kind in ((AREAS_URL, "csv"), (SCHOOLS, "geojson"))] == [
        400,
        400,
    ]


def test_records_come_in_pages(get: Get) -> None:
    page = get(f"{SCHOOLS}/records?limit=2&offset=1&select=identifiant_de_l_etablissement").json()
    assert page == {
        "total_count": 3,
        "results": [{"identifiant_de_l_etablissement": uai} for uai in ("0350002B", "0350003C")],
    }
    assert get(f"{SCHOOLS}/records?limit=0").json() == {"total_count": 3, "results": []}
    refused = get(f"{SCHOOLS}/records?limit=101")
    assert refused.status_code == 400
    assert refused.json() == {
        "error_code": "InvalidRESTParameterError",
        "message": "Invalid value for limit API parameter: 101 was found but -1 <= limit <= 100 is expected.",
    }
    assert get(f"{SCHOOLS}/records?limit=100&offset=9901").status_code == 400


def test_the_catalogue_describes_several_datasets_at_once(get: Get) -> None:
    query = {"select": "dataset_id,metas", "limit": "100", "order_by": "data_processed desc"}
    where = f'dataset_id in ("{ANNUAIRE}", "{LYCEES}", "no-such-dataset")'
    listing = get(PORTAL, params=query | {"where": where}).json()
    assert listing["total_count"] == 2
    assert {entry["dataset_id"] for entry in listing["results"]} == {ANNUAIRE, LYCEES}
    assert all(set(entry) == {"dataset_id", "metas"} for entry in listing["results"])
    assert get(PORTAL, params={"where": f"dataset_id = '{LYCEES}'"}).json()["total_count"] == 1
    assert get(PORTAL).json()["total_count"] == 2
    for wrong in ({"order_by": "metas.default.data_processed"}, {"select": "dataset"}, {"where": "publisher = 'DEPP'"}):
        assert get(PORTAL, params=wrong).status_code == 400


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"{PORTAL}/no-such-dataset", 404, "DatasetNotFoundError"),
        (f"{PORTAL}/no-such-dataset/exports/csv", 404, "DatasetNotFoundError"),
        (f"{SCHOOLS}/exports/csv?select=nom_etablissment", 400, "ODSQLError"),
        (f"{SCHOOLS}/exports/csv?delimiter=x", 400, "InvalidRESTParameterError"),
        (f"{SCHOOLS}/exports/csv?use_labels=yes", 400, "InvalidRESTParameterError"),
        (f"{SCHOOLS}/exports/csv?limit=many", 400, "InvalidRESTParameterError"),
        (f"{SCHOOLS}/exports/csv?where=1", 400, "InvalidRESTParameterError"),
        (f"{SCHOOLS}/exports/shp", 400, "InvalidRESTParameterError"),
        ("data.education.gouv.fr/explore/dataset/x/", 404, "NotFoundError"),
    ],
)
def test_portals_refuse_wrong_requests_in_json(get: Get, path: str, status: int, code: str) -> None:
    answer = get(path)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    if code == "ODSQLError":
        assert answer.json()["message"] == (
            "ODSQL query is malformed: Unknown field: nom_etablissment. Clause(s) containing the error(s): select."
        )


def test_a_used_up_quota_is_429_until_tomorrow(shelf: Shelf) -> None:
    with serving(shelf, quota=2) as server:
        first, second, third = (requests.get(f"{server.url}/{SCHOOLS}", timeout=TIMEOUT) for _ in range(3))
        other = requests.get(f"{server.url}/{OPTIONS_URL}", timeout=TIMEOUT)
    assert [answer.status_code for answer in (first, second, third, other)] == [200, 200, 429, 200]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in (first, second, third)] == ["1", "0", "0"]
    refusal = third.json()
    resets_at = datetime.fromisoformat(refusal["reset_time"])
    assert resets_at > datetime.now(UTC)
    assert int(third.headers["X-RateLimit-Reset"]) == resets_at.timestamp()
    assert {name: refusal[name] for name in ("errorcode", "limit_time_unit", "call_limit")} == {
        "errorcode": 10002,
        "limit_time_unit": "day",
        "call_limit": 2,
    }
    assert refusal["error"].startswith("Too many requests on the domain")
    assert "X-RateLimit-Limit" not in other.headers
