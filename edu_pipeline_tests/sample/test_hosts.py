"""The other publishers of the sample's server: data.gouv.fr, plain files, geo.api.gouv.fr, ArcGIS, files handed in."""

from __future__ import annotations

import io
import json
import re
import zipfile
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path

import pytest
import requests

from edu_pipeline.catalogue import catalogue
from edu_pipeline.sample.answers import Request
from edu_pipeline.sample.directory import MANIFEST
from edu_pipeline.sample.hosts import Hosts
from edu_pipeline.sample.server import SampleServer
from edu_pipeline.sample.shelf import Shelf
from edu_pipeline_tests.sample.small_sample import (
    ADDRESSES,
    ADDRESSES_URL,
    ANNUAIRE,
    BPE,
    BROWSER,
    CRIME,
    CRIME_FILE,
    LAYER,
    OPTIONS,
    OPTIONS_URL,
    PARIS,
    PROFESSIONS,
    SALES,
    TIMEOUT,
    Get,
    publish,
)


def test_a_resource_redirects_to_a_dated_path(get: Get) -> None:
    dataset = get("www.data.gouv.fr/api/1/datasets/621df2954fa5a3b5a023e23c/").json()
    (resource,) = dataset["resources"]
    assert resource["title"].startswith("COM - Base statistique communale")
    assert resource["format"] == "csv.gz"
    assert get(f"www.data.gouv.fr/api/1/datasets/{dataset['slug']}/").json() == dataset
    assert get(f"www.data.gouv.fr/api/2/datasets/resources/{resource['id']}/").json()["resource"] == resource
    assert resource["latest"] == f"https://www.data.gouv.fr/api/1/datasets/r/{resource['id']}"
    for path in (f"api/1/datasets/r/{resource['id']}", f"fr/datasets/r/{resource['id']}"):
        answer = get(f"www.data.gouv.fr/{path}")
        assert (answer.status_code, answer.headers["Location"]) == (302, resource["url"])
    assert re.fullmatch(
        rf"https://static\.data\.gouv\.fr/resources/{dataset['slug']}/\d{{8}}-\d{{6}}/{re.escape(CRIME_FILE)}",
        resource["url"],
    )
    file = get(resource["url"].removeprefix("https://"))
    assert len(file.content) == resource["filesize"]
    assert resource["internal"]["last_modified_internal"] == resource["last_modified"]
    assert get(f"www.data.gouv.fr/api/1/datasets/r/{dataset['id']}").status_code == 404
    assert get("www.data.gouv.fr/api/1/datasets/no-such-dataset/").status_code == 404


def test_files_of_earlier_years_are_older_resources(get: Get) -> None:
    resources = get("www.data.gouv.fr/api/1/datasets/63dd1cc420bf925d5d1d8b1e/").json()["resources"]
    assert [entry["title"] for entry in resources] == ["Communes DVF 2024", "Communes DVF 2023"]
    assert resources[0]["last_modified"] > resources[1]["last_modified"]


def test_a_new_release_on_data_gouv_has_a_new_path(server: SampleServer, get: Get) -> None:
    dataset = "www.data.gouv.fr/api/1/datasets/621df2954fa5a3b5a023e23c/"
    (before,) = get(dataset).json()["resources"]
    publish(server, CRIME)
    (after,) = get(dataset).json()["resources"]
    assert after["id"] == before["id"]
    assert after["last_modified"] > before["last_modified"]
    assert after["url"] != before["url"]
    assert after["checksum"] != before["checksum"]
    assert get(before["url"].removeprefix("https://")).status_code == 404


def test_the_catalogue_matches_every_resource_title(shelf: Shelf) -> None:
    hosts = Hosts(shelf)
    files = [file for source in catalogue().values() for file in source.files.values() if file.datagouv]
    assert {file.source for file in files} == {CRIME, SALES}
    for file in files:
        assert file.datagouv is not None
        answer = hosts.answer(Request("www.data.gouv.fr", f"/api/1/datasets/{file.datagouv.dataset}/"))
        assert isinstance(answer.body, bytes)
        for resource in json.loads(answer.body)["resources"]:
            assert re.search(file.datagouv.title, resource["title"])


def test_a_file_of_insee_is_sent_once_and_to_browsers_only(get: Get) -> None:
    first = get(BPE)
    assert zipfile.ZipFile(io.BytesIO(first.content)).namelist() == ["DS_BPE_2025_data.csv"]
    for condition in (
        {"If-None-Match": first.headers["ETag"]},
        {"If-None-Match": f'"other", W/{first.headers["ETag"]}'},
        {"If-Modified-Since": first.headers["Last-Modified"]},
    ):
        repeated = get(BPE, headers=BROWSER | condition)
        assert (repeated.status_code, repeated.content) == (304, b"")
    for condition in (
        {"If-None-Match": '"other"', "If-Modified-Since": first.headers["Last-Modified"]},
        {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
    ):
        assert get(BPE, headers=BROWSER | condition).status_code == 200
    assert get(BPE, headers={"User-Agent": "curl/8"}).status_code == 403


def test_a_file_of_onisep_has_a_date_and_no_tag(server: SampleServer, get: Get) -> None:
    head = requests.head(f"{server.url}/{OPTIONS_URL}", timeout=TIMEOUT)
    assert (head.status_code, head.content) == (200, b"")
    assert "ETag" not in head.headers
    since = {"If-Modified-Since": head.headers["Last-Modified"]}
    assert get(OPTIONS_URL, headers=since).status_code == 304
    publish(server, OPTIONS)
    assert get(OPTIONS_URL, headers=since).text.endswith(";1")


def test_contours_exist_for_the_newest_year_only(server: SampleServer) -> None:
    url = f"{server.url}/contours-administratifs.s3.rbx.io.cloud.ovh.net/{{}}/geojson/communes-100m.geojson.gz"
    year = datetime.now(UTC).year
    answers = [
        requests.head(url.format(path_year), timeout=TIMEOUT).status_code for path_year in (year + 1, year, year - 1)
    ]
    assert answers == [404, 200, 404]


def test_the_list_of_communes_is_filtered_and_undated(get: Get) -> None:
    answer = get("geo.api.gouv.fr/communes?fields=population,codesPostaux&zone=metro,drom")
    assert answer.json() == [
        {"nom": "Inventée", "code": "35001", "codesPostaux": ["35000"], "population": 0},
        {"nom": "Imaginée", "code": "97101", "population": 4},
    ]
    assert "Last-Modified" not in answer.headers
    assert answer.headers["ETag"].startswith('W/"')
    tagged = BROWSER | {"If-None-Match": answer.headers["ETag"]}
    repeated = get("geo.api.gouv.fr/communes?fields=population,codesPostaux&zone=metro,drom", headers=tagged)
    assert (repeated.status_code, repeated.content) == (304, b"")
    assert get("geo.api.gouv.fr/communes?fields=population", headers=tagged).status_code == 200
    assert [entry["code"] for entry in get("geo.api.gouv.fr/communes").json()] == ["35001", "97101", "97501"]
    assert [entry["code"] for entry in get("geo.api.gouv.fr/communes?codeDepartement=971").json()] == ["97101"]
    (paris,) = get("geo.api.gouv.fr/communes?type=arrondissement-municipal&fields=nom,code&format=json").json()
    assert paris["code"] == "75101"
    assert [entry["code"] for entry in get("geo.api.gouv.fr/departements").json()] == ["2A", "35", "971"]
    assert len(get("geo.api.gouv.fr/departements?zone=metro,drom,com").json()) == 4
    assert get("geo.api.gouv.fr/communes?type=commune-deleguee").status_code == 404
    assert get("geo.api.gouv.fr/communes?format=geojson").status_code == 400


def test_supplied_files_have_a_dated_index(get: Get, folder: Path) -> None:
    index = get(f"supplied/{PROFESSIONS}/")
    assert index.json() == ["pcs2003.csv"]
    file = get(f"supplied/{PROFESSIONS}/pcs2003.csv")
    assert file.content == (folder / PROFESSIONS / "pcs2003.csv").read_bytes()
    assert file.headers["Last-Modified"] == index.headers["Last-Modified"]
    assert get("supplied/editorial-anecdotes/").status_code == 404
    assert get(f"supplied/{ANNUAIRE}/").status_code == 404
    assert get(f"supplied/{ANNUAIRE}/{ANNUAIRE}.csv").status_code == 404
    assert get("supplied/no-such-source/").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "www.insee.fr/fr/statistiques/fichier/8217527/other.zip",
        "www.insee.fr/fr/statistiques/fichier/8202349/base-cc-logement-2021_csv.zip",
        "example.org/",
        f"supplied/{PROFESSIONS}/../../{MANIFEST}",
        f"supplied/{PROFESSIONS}/..%2F..%2F{MANIFEST}",
        "supplied/../",
        "-/other",
    ],
)
def test_an_unknown_path_is_404_and_marked_as_invented(server: SampleServer, path: str) -> None:
    connection = HTTPConnection("127.0.0.1", server.server_address[1], timeout=TIMEOUT)  # it sends a path as it is
    connection.request("GET", f"/{path}", headers=BROWSER)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["X-Invented-Data"]) == (404, "edu_pipeline sample")
    connection.close()


def test_a_layer_describes_itself(server: SampleServer, get: Get) -> None:
    layer = get(f"{LAYER}?f=json").json()
    assert (layer["objectIdField"], layer["maxRecordCount"]) == ("OBJECTID", 10)
    assert [(field["name"], field["type"]) for field in layer["fields"]] == [
        ("OBJECTID", "esriFieldTypeOID"),
        ("Réseau", "esriFieldTypeString"),
        ("secteur", "esriFieldTypeString"),
    ]
    publish(server, PARIS)
    assert get(f"{LAYER}?f=json").json()["editingInfo"]["lastEditDate"] > layer["editingInfo"]["lastEditDate"]


def test_a_layer_is_queried_in_pages(get: Get) -> None:
    query = f"{LAYER}/query?where=1%3D1&outFields=*&f=geojson"
    pages = [get(f"{query}&resultOffset={first}&resultRecordCount=1000").json() for first in (0, 10, 20)]
    assert [len(page["features"]) for page in pages] == [10, 10, 3]
    assert [page.get("properties") for page in pages] == [{"exceededTransferLimit": True}] * 2 + [None]
    assert [feature["id"] for page in pages for feature in page["features"]] == list(range(1, 24))
    as_sets = get(f"{query.replace('geojson', 'pjson')}&resultRecordCount=2").json()
    assert as_sets["exceededTransferLimit"] and as_sets["features"][0]["attributes"]["OBJECTID"] == 1
    assert get(f"{LAYER}/query?where=1=1&f=json&returnCountOnly=true").json() == {"count": 23}


@pytest.mark.parametrize("query", ["", "where=1=1", "where=secteur=1&f=json", "where=1=1&f=json&resultOffset=x"])
def test_a_wrong_layer_query_is_an_error_with_status_200(get: Get, query: str) -> None:
    answer = get(f"{LAYER}/query?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (200, 400)


def test_another_layer_is_404(get: Get) -> None:
    assert get(LAYER.replace("/0", "/1")).status_code == 404


def test_a_file_of_addresses_has_a_date_and_a_tag(server: SampleServer, get: Get, folder: Path) -> None:
    answer = get(ADDRESSES_URL)
    assert answer.content == (folder / ADDRESSES / "adresses-35.csv.gz").read_bytes()
    conditions = {"If-None-Match": answer.headers["ETag"], "If-Modified-Since": answer.headers["Last-Modified"]}
    assert get(ADDRESSES_URL, headers=conditions).status_code == 304
    publish(server, ADDRESSES)
    assert get(ADDRESSES_URL, headers=conditions).status_code == 200
    assert get(ADDRESSES_URL.replace("35", "75")).status_code == 404
