"""The sample's server: over loopback, asked as by hand and by the real ``fetch``, on a small directory made here.

Belongs here: what each publisher answers, new releases, failures, the server in the background. Does not belong here:
what is in the sample's files.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import requests
from typer.testing import CliRunner

from edu_pipeline.catalogue import catalogue
from edu_pipeline.cli.sample import sample
from edu_pipeline.errors import EduError, PublisherUnavailable, SourceMissing
from edu_pipeline.sample import background
from edu_pipeline.sample.answers import Request
from edu_pipeline.sample.directory import MANIFEST, FolderNotASample
from edu_pipeline.sample.hosts import Hosts
from edu_pipeline.sample.server import SampleServer, serving
from edu_pipeline.sample.shelf import Shelf
from edu_pipeline.sample.world import World
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.download import Policy
from edu_pipeline.sources.fetch import Fetched, fetch

ANNUAIRE, LYCEES = "fr-en-annuaire-education", "fr-en-ips-lycees-ap2023"
SALES, CRIME, COMMUNES, EQUIPMENT = "dvf-indicateurs-communes", "ssmsi-communale", "geo-api-communes", "insee-bpe"
OPTIONS, CONTOURS, PROFESSIONS = "onisep-60113c3d5fee0", "contours-communes", "insee-pcs"
PARIS, ADDRESSES = "paris-affectation-lycees", "ban"
CRIME_FILE = "donnee-data.gouv-2025-geographie2026-produit-le2026-06-25.csv.gz"

PORTAL = "data.education.gouv.fr/api/explore/v2.1/catalog/datasets"
SCHOOLS = f"{PORTAL}/{ANNUAIRE}"
BPE = "www.insee.fr/fr/statistiques/fichier/8217527/DS_BPE_CSV_FR.zip"
LAYER = "services9.arcgis.com/ekT8MJFiVh8nvlV5/arcgis/rest/services/Affectation_Lyc%C3%A9es/FeatureServer/0"
ADDRESSES_URL = "adresse.data.gouv.fr/data/ban/adresses/latest/csv/adresses-35.csv.gz"
BROWSER = {"User-Agent": "Mozilla/5.0 (compatible; a test)"}

HEADER = ["identifiant_de_l_etablissement", "nom_etablissement", "code_postal", "nombre_d_eleves", "latitude",
          "date_ouverture", "date_maj_ligne", "position"]  # fmt: skip
LABELS = {"identifiant_de_l_etablissement": "Identifiant de l'établissement", "nom_etablissement": "Nom"}


def write(world: World, folder: Path, source: str) -> None:
    """The files of a source; what a release changes is in all of them."""
    release = world.release(source)
    rows = [f"schools;{release}"]
    contents: dict[str, dict[str, bytes]] = {
        ANNUAIRE: {f"{ANNUAIRE}.csv": schools(release)},
        LYCEES: {f"{LYCEES}.csv": "\ufeffuai;ips_etab\r\n0351234A;100.5\r\n".encode()},
        SALES: {
            "communesdvf2023.csv": b"INSEE_COM,annee\n35001,2023\n",
            "communesdvf2024.csv": f"INSEE_COM,annee,{release}\n35001,2024,{release}\n".encode(),
        },
        CRIME: {CRIME_FILE: gzip.compress("\n".join(rows).encode(), mtime=0)},
        COMMUNES: {
            "communes.json": json.dumps(communes(release)).encode(),
            "arrondissements-municipaux.json": json.dumps([{"nom": "Paris 1er", "code": "75101"}]).encode(),
        },
        "geo-api-departements": {
            "departements.json": json.dumps(
                [{"nom": name, "code": name, "codeRegion": "1"} for name in ("2A", "35", "971", "975")]
            ).encode()
        },
        EQUIPMENT: {"DS_BPE_CSV_FR.zip": archived("DS_BPE_2025_data.csv", "\n".join(rows))},
        OPTIONS: {"60113c3d5fee0.csv": "\n".join(rows).encode()},
        CONTOURS: {"communes-100m.geojson.gz": gzip.compress(b'{"type": "FeatureCollection"}', mtime=0)},
        PROFESSIONS: {"pcs2003.csv": "\n".join(rows).encode()},
        PARIS: {f"{PARIS}.geojson": json.dumps(features(release)).encode()},
        ADDRESSES: {
            f"adresses-{code}.csv.gz": gzip.compress("\n".join(rows).encode(), mtime=0) for code in ("2A", "35")
        },
    }
    for name, content in contents[source].items():
        path = folder / source / name
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(".part").write_bytes(content)
        path.with_suffix(".part").replace(path)


SOURCES = [ANNUAIRE, LYCEES, SALES, CRIME, COMMUNES, "geo-api-departements", EQUIPMENT, OPTIONS, CONTOURS, PROFESSIONS,
           PARIS, ADDRESSES]  # fmt: skip


def features(release: int) -> dict[str, Any]:
    """23 features: three pages."""
    entries = [
        {
            "type": "Feature",
            "id": number,
            "geometry": {"type": "Point", "coordinates": [2.3, 48.8]},
            "properties": {"OBJECTID": number, "Réseau": "0752536Z", "secteur": f"{release}"},
        }
        for number in range(1, 24)
    ]
    return {"type": "FeatureCollection", "features": entries}


def schools(release: int) -> bytes:
    rows = [
        ["0350001A", 'Lycée inventé "A"; B', "01000", str(100 + release), "48.1", "1990-09-01",
         "2026-11-20T00:00:00+00:00", "48.1,-1.7"],
        ["0350002B", "Collège inventé", "35000", "", "48", "", "2026-11-20T00:00:00+00:00", ""],
        ["0350003C", "École inventée\nsur deux lignes", "", "12", "", "2001-01-31", "", "47.9, -1.5"],
    ]  # fmt: skip
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerows([HEADER, *rows])
    return ("\ufeff" + text.getvalue()).encode()


def communes(release: int) -> list[dict[str, Any]]:
    return [
        {"nom": "Inventée", "code": "35001", "codeDepartement": "35", "codesPostaux": ["35000"], "population": release},
        {"nom": "Imaginée", "code": "97101", "codeDepartement": "971", "population": 4},
        {"nom": "Fictive", "code": "97501", "codeDepartement": "975"},
    ]


def archived(name: str, text: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, text)
    return stream.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small sample directory."""
    made = tmp_path / "sample"
    made.mkdir()
    manifest = {"invented": True, "scale": "sample", "seed": 1, "releases": {}, "files": {}}
    (made / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    for source in SOURCES:
        write(World("sample"), made, source)
    return made


@pytest.fixture
def shelf(folder: Path) -> Shelf:
    return Shelf(folder, write, lambda source: LABELS)


@pytest.fixture
def server(shelf: Shelf) -> Iterator[SampleServer]:
    with serving(shelf) as running:
        yield running


@pytest.fixture
def get(server: SampleServer) -> Callable[..., requests.Response]:
    """Asks the server, redirects not followed."""

    def ask(path: str, **more: Any) -> requests.Response:
        return requests.get(f"{server.url}/{path}", timeout=30, allow_redirects=False, **{"headers": BROWSER, **more})

    return ask


def publish(server: SampleServer, source: str) -> dict[str, Any]:
    answer = requests.post(f"{server.url}/-/publish/{source}", timeout=30)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def asked(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The requests since the last time, as ``GET /path``."""
    found = [re.search(r'"(\w+ \S+)', record.getMessage()) for record in caplog.records]
    caplog.clear()
    return [match[1] for match in found if match]


# --- Opendatasoft


def test_metadata_say_when_the_data_were_processed_and_what_is_in_them(get: Callable[..., requests.Response]) -> None:
    answer = get(SCHOOLS)
    assert answer.headers["Content-Encoding"] == "gzip"
    said = answer.json()
    assert said["dataset_id"] == ANNUAIRE
    metas = said["metas"]["default"]
    assert metas["records_count"] == 3
    assert metas["title"] == "Annuaire de l'éducation"
    assert datetime.fromisoformat(metas["data_processed"]) <= datetime.now(UTC)
    assert metas["modified"] < metas["data_processed"] < metas["metadata_processed"]
    assert [field["name"] for field in said["fields"]] == HEADER
    types = [field["type"] for field in said["fields"]]
    assert types == ["text", "text", "text", "int", "double", "date", "datetime", "geo_point_2d"]
    assert [field["label"] for field in said["fields"]][:3] == [*LABELS.values(), "Code postal"]


def test_the_default_export_is_the_stored_file(get: Callable[..., requests.Response], folder: Path) -> None:
    for query in ("", "?use_labels=false&delimiter=%3B", "?with_bom=true&limit=-1&lang=fr"):
        answer = get(f"{SCHOOLS}/exports/csv{query}")
        assert answer.content == (folder / ANNUAIRE / f"{ANNUAIRE}.csv").read_bytes()
        assert not {"ETag", "Last-Modified"} & set(answer.headers)
        assert ANNUAIRE in answer.headers["Content-Disposition"]


def test_exports_in_csv_as_asked_for(get: Callable[..., requests.Response]) -> None:
    labelled = get(f"{SCHOOLS}/exports/csv?use_labels=true&with_bom=false").content.decode()
    assert labelled.startswith("Identifiant de l'établissement;Nom;Code postal;")
    query = {"delimiter": ",", "select": "nom_etablissement, code_postal", "limit": "2", "quote_all": "true"}
    selected = get(f"{SCHOOLS}/exports/csv", params=query)
    assert selected.headers["Transfer-Encoding"] == "chunked"
    assert selected.content.decode("utf-8-sig") == (
        '"nom_etablissement","code_postal"\r\n"Lycée inventé ""A""; B","01000"\r\n"Collège inventé","35000"\r\n'
    )


def test_exports_in_json_have_numbers_nulls_and_points(get: Callable[..., requests.Response]) -> None:
    found = get(f"{SCHOOLS}/exports/json").json()
    assert [entry["nombre_d_eleves"] for entry in found] == [100, None, 12]
    assert found[0]["code_postal"] == "01000"
    assert found[0]["position"] == {"lon": -1.7, "lat": 48.1}
    assert found[2]["nom_etablissement"] == "École inventée\nsur deux lignes"
    lines = get(f"{SCHOOLS}/exports/jsonl?limit=2").text.splitlines()
    assert [json.loads(line) for line in lines] == found[:2]
    assert get(f"{SCHOOLS}/exports/json?limit=0").json() == []


def test_exports_in_parquet_have_types(get: Callable[..., requests.Response]) -> None:
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


def test_records_come_in_pages(get: Callable[..., requests.Response]) -> None:
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


def test_the_catalogue_answers_for_several_datasets_at_once(get: Callable[..., requests.Response]) -> None:
    query = {"select": "dataset_id,metas", "limit": "100", "order_by": "data_processed desc"}
    where = f'dataset_id in ("{ANNUAIRE}", "{LYCEES}", "no-such-dataset")'
    said = get(PORTAL, params=query | {"where": where}).json()
    assert said["total_count"] == 2
    assert {entry["dataset_id"] for entry in said["results"]} == {ANNUAIRE, LYCEES}
    assert all(set(entry) == {"dataset_id", "metas"} for entry in said["results"])
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
def test_portals_refuse_in_json(get: Callable[..., requests.Response], path: str, status: int, code: str) -> None:
    answer = get(path)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    if code == "ODSQLError":
        assert answer.json()["message"] == (
            "ODSQL query is malformed: Unknown field: nom_etablissment. Clause(s) containing the error(s): select."
        )


def test_a_quota_used_up_is_429_until_tomorrow(shelf: Shelf) -> None:
    with serving(shelf, quota=2) as server:
        first, second, third = (requests.get(f"{server.url}/{SCHOOLS}", timeout=30) for _ in range(3))
        other = requests.get(f"{server.url}/{OPTIONS_URL}", timeout=30)
    assert [answer.status_code for answer in (first, second, third, other)] == [200, 200, 429, 200]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in (first, second, third)] == ["1", "0", "0"]
    said = third.json()
    resets_at = datetime.fromisoformat(said["reset_time"])
    assert resets_at > datetime.now(UTC)
    assert int(third.headers["X-RateLimit-Reset"]) == resets_at.timestamp()
    assert {name: said[name] for name in ("errorcode", "limit_time_unit", "call_limit")} == {
        "errorcode": 10002,
        "limit_time_unit": "day",
        "call_limit": 2,
    }
    assert said["error"].startswith("Too many requests on the domain")
    assert "X-RateLimit-Limit" not in other.headers


OPTIONS_URL = "api.opendata.onisep.fr/downloads/60113c3d5fee0/60113c3d5fee0.csv"


# --- data.gouv.fr


def test_a_resource_is_found_by_its_title_and_redirects_to_a_dated_path(get: Callable[..., requests.Response]) -> None:
    said = get("www.data.gouv.fr/api/1/datasets/621df2954fa5a3b5a023e23c/").json()
    (resource,) = said["resources"]
    assert resource["title"].startswith("COM - Base statistique communale")
    assert resource["format"] == "csv.gz"
    assert get(f"www.data.gouv.fr/api/1/datasets/{said['slug']}/").json() == said
    assert get(f"www.data.gouv.fr/api/2/datasets/resources/{resource['id']}/").json()["resource"] == resource
    assert resource["latest"] == f"https://www.data.gouv.fr/api/1/datasets/r/{resource['id']}"
    for path in (f"api/1/datasets/r/{resource['id']}", f"fr/datasets/r/{resource['id']}"):
        answer = get(f"www.data.gouv.fr/{path}")
        assert (answer.status_code, answer.headers["Location"]) == (302, resource["url"])
    assert re.fullmatch(
        rf"https://static\.data\.gouv\.fr/resources/{said['slug']}/\d{{8}}-\d{{6}}/{re.escape(CRIME_FILE)}",
        resource["url"],
    )
    file = get(resource["url"].removeprefix("https://"))
    assert len(file.content) == resource["filesize"]
    assert resource["internal"]["last_modified_internal"] == resource["last_modified"]
    assert get(f"www.data.gouv.fr/api/1/datasets/r/{said['id']}").status_code == 404
    assert get("www.data.gouv.fr/api/1/datasets/no-such-dataset/").status_code == 404


def test_files_of_earlier_years_are_older_resources(get: Callable[..., requests.Response]) -> None:
    resources = get("www.data.gouv.fr/api/1/datasets/63dd1cc420bf925d5d1d8b1e/").json()["resources"]
    assert [entry["title"] for entry in resources] == ["Communes DVF 2024", "Communes DVF 2023"]
    assert resources[0]["last_modified"] > resources[1]["last_modified"]


def test_a_new_release_on_data_gouv_has_a_new_path(server: SampleServer, get: Callable[..., requests.Response]) -> None:
    dataset = "www.data.gouv.fr/api/1/datasets/621df2954fa5a3b5a023e23c/"
    (before,) = get(dataset).json()["resources"]
    publish(server, CRIME)
    (after,) = get(dataset).json()["resources"]
    assert after["id"] == before["id"]
    assert after["last_modified"] > before["last_modified"]
    assert after["url"] != before["url"]
    assert after["checksum"] != before["checksum"]
    assert get(before["url"].removeprefix("https://")).status_code == 404


def test_every_resource_of_the_catalogue_has_a_title_that_is_found(shelf: Shelf) -> None:
    hosts = Hosts(shelf)
    files = [file for source in catalogue().values() for file in source.files.values() if file.datagouv]
    assert {file.source for file in files} == {CRIME, SALES}
    for file in files:
        assert file.datagouv is not None
        answer = hosts.answer(Request("www.data.gouv.fr", f"/api/1/datasets/{file.datagouv.dataset}/"))
        assert isinstance(answer.body, bytes)
        for resource in json.loads(answer.body)["resources"]:
            assert re.search(file.datagouv.title, resource["title"])


# --- plain files


def test_a_file_of_insee_is_given_once_and_is_for_browsers(get: Callable[..., requests.Response]) -> None:
    first = get(BPE)
    assert zipfile.ZipFile(io.BytesIO(first.content)).namelist() == ["DS_BPE_2025_data.csv"]
    for condition in (
        {"If-None-Match": first.headers["ETag"]},
        {"If-None-Match": f'"other", W/{first.headers["ETag"]}'},
        {"If-Modified-Since": first.headers["Last-Modified"]},
    ):
        again = get(BPE, headers=BROWSER | condition)
        assert (again.status_code, again.content) == (304, b"")
    for condition in (
        {"If-None-Match": '"other"', "If-Modified-Since": first.headers["Last-Modified"]},
        {"If-Modified-Since": "Sat, 01 Jan 2000 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
    ):
        assert get(BPE, headers=BROWSER | condition).status_code == 200
    assert get(BPE, headers={"User-Agent": "curl/8"}).status_code == 403


def test_a_file_of_onisep_has_a_date_and_no_tag(server: SampleServer, get: Callable[..., requests.Response]) -> None:
    head = requests.head(f"{server.url}/{OPTIONS_URL}", timeout=30)
    assert (head.status_code, head.content) == (200, b"")
    assert "ETag" not in head.headers
    since = {"If-Modified-Since": head.headers["Last-Modified"]}
    assert get(OPTIONS_URL, headers=since).status_code == 304
    publish(server, OPTIONS)
    assert get(OPTIONS_URL, headers=since).text.endswith(";1")


def test_contours_are_there_for_the_newest_year_only(server: SampleServer) -> None:
    url = f"{server.url}/contours-administratifs.s3.rbx.io.cloud.ovh.net/{{}}/geojson/communes-100m.geojson.gz"
    year = datetime.now(UTC).year
    answers = [requests.head(url.format(tried), timeout=30).status_code for tried in (year + 1, year, year - 1)]
    assert answers == [404, 200, 404]


def test_the_api_of_communes_answers_by_query_without_a_date(get: Callable[..., requests.Response]) -> None:
    answer = get("geo.api.gouv.fr/communes?fields=population,codesPostaux&zone=metro,drom")
    assert answer.json() == [
        {"nom": "Inventée", "code": "35001", "codesPostaux": ["35000"], "population": 0},
        {"nom": "Imaginée", "code": "97101", "population": 4},
    ]
    assert "Last-Modified" not in answer.headers
    assert answer.headers["ETag"].startswith('W/"')
    tagged = BROWSER | {"If-None-Match": answer.headers["ETag"]}
    again = get("geo.api.gouv.fr/communes?fields=population,codesPostaux&zone=metro,drom", headers=tagged)
    assert (again.status_code, again.content) == (304, b"")
    assert get("geo.api.gouv.fr/communes?fields=population", headers=tagged).status_code == 200
    assert [entry["code"] for entry in get("geo.api.gouv.fr/communes").json()] == ["35001", "97101", "97501"]
    assert [entry["code"] for entry in get("geo.api.gouv.fr/communes?codeDepartement=971").json()] == ["97101"]
    (paris,) = get("geo.api.gouv.fr/communes?type=arrondissement-municipal&fields=nom,code&format=json").json()
    assert paris["code"] == "75101"
    assert [entry["code"] for entry in get("geo.api.gouv.fr/departements").json()] == ["2A", "35", "971"]
    assert len(get("geo.api.gouv.fr/departements?zone=metro,drom,com").json()) == 4
    assert get("geo.api.gouv.fr/communes?type=commune-deleguee").status_code == 404
    assert get("geo.api.gouv.fr/communes?format=geojson").status_code == 400


def test_what_operators_hand_in_has_an_index_with_its_date(get: Callable[..., requests.Response], folder: Path) -> None:
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
def test_what_is_not_there_is_404_and_marked_like_everything(server: SampleServer, path: str) -> None:
    connection = HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)  # it sends a path as it is
    connection.request("GET", f"/{path}", headers=BROWSER)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["X-Invented-Data"]) == (404, "edu_pipeline sample")
    connection.close()


# --- ArcGIS, and the address files


def test_a_layer_describes_itself(server: SampleServer, get: Callable[..., requests.Response]) -> None:
    said = get(f"{LAYER}?f=json").json()
    assert (said["objectIdField"], said["maxRecordCount"]) == ("OBJECTID", 10)
    assert [(field["name"], field["type"]) for field in said["fields"]] == [
        ("OBJECTID", "esriFieldTypeOID"), ("Réseau", "esriFieldTypeString"), ("secteur", "esriFieldTypeString"),
    ]  # fmt: skip
    publish(server, PARIS)
    assert get(f"{LAYER}?f=json").json()["editingInfo"]["lastEditDate"] > said["editingInfo"]["lastEditDate"]


def test_a_query_is_answered_in_pages(get: Callable[..., requests.Response]) -> None:
    query = f"{LAYER}/query?where=1%3D1&outFields=*&f=geojson"
    pages = [get(f"{query}&resultOffset={first}&resultRecordCount=1000").json() for first in (0, 10, 20)]
    assert [len(page["features"]) for page in pages] == [10, 10, 3]
    assert [page.get("properties") for page in pages] == [{"exceededTransferLimit": True}] * 2 + [None]
    assert [feature["id"] for page in pages for feature in page["features"]] == list(range(1, 24))
    as_sets = get(f"{query.replace('geojson', 'pjson')}&resultRecordCount=2").json()
    assert as_sets["exceededTransferLimit"] and as_sets["features"][0]["attributes"]["OBJECTID"] == 1
    assert get(f"{LAYER}/query?where=1=1&f=json&returnCountOnly=true").json() == {"count": 23}


@pytest.mark.parametrize("query", ["", "where=1=1", "where=secteur=1&f=json", "where=1=1&f=json&resultOffset=x"])
def test_a_query_that_is_not_understood_is_an_error_of_status_200(
    get: Callable[..., requests.Response], query: str
) -> None:
    answer = get(f"{LAYER}/query?{query}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (200, 400)


def test_no_other_layer_is_there(get: Callable[..., requests.Response]) -> None:
    assert get(LAYER.replace("/0", "/1")).status_code == 404


def test_the_addresses_of_a_departement_have_a_date_and_a_tag(
    server: SampleServer, get: Callable[..., requests.Response], folder: Path
) -> None:
    answer = get(ADDRESSES_URL)
    assert answer.content == (folder / ADDRESSES / "adresses-35.csv.gz").read_bytes()
    conditions = {"If-None-Match": answer.headers["ETag"], "If-Modified-Since": answer.headers["Last-Modified"]}
    assert get(ADDRESSES_URL, headers=conditions).status_code == 304
    publish(server, ADDRESSES)
    assert get(ADDRESSES_URL, headers=conditions).status_code == 200
    assert get(ADDRESSES_URL.replace("35", "75")).status_code == 404


# --- with the pipeline


def bring(server: SampleServer, archive: Archive, source: str, slept: list[float] | None = None) -> Fetched:
    policy = Policy(sleep=(slept if slept is not None else []).append)
    return fetch(catalogue()[source], archive, server.url, policy=policy)


@pytest.mark.parametrize(
    "source", [ANNUAIRE, SALES, CRIME, COMMUNES, EQUIPMENT, OPTIONS, PROFESSIONS, PARIS, ADDRESSES]
)
def test_a_release_is_fetched_once_and_the_next_one_once_more(
    server: SampleServer, archive: Archive, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "edu_pipeline.sample.server")
    first = bring(server, archive, source)
    assert first.new
    assert first.release.invented
    assert bring(server, archive, source) == Fetched(first.release, new=False)
    publish(server, source)
    asked(caplog)
    second = bring(server, archive, source)
    assert second.new
    assert asked(caplog)
    if source != COMMUNES:  # whose publisher gives no date
        assert second.release.published_at and first.release.published_at
        assert second.release.published_at > first.release.published_at
    assert not bring(server, archive, source).new


def test_an_export_is_not_downloaded_again(
    server: SampleServer, archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "edu_pipeline.sample.server")
    bring(server, archive, ANNUAIRE)
    export = f"GET /{SCHOOLS}/exports/csv?use_labels=false&delimiter=%3B"
    assert asked(caplog) == [f"GET /{SCHOOLS}", export]
    bring(server, archive, ANNUAIRE)
    assert asked(caplog) == [f"GET /{SCHOOLS}"]
    publish(server, ANNUAIRE)
    bring(server, archive, ANNUAIRE)
    assert asked(caplog)[1:] == [f"GET /{SCHOOLS}", export]


def test_a_layer_is_one_file_of_the_archive(server: SampleServer, archive: Archive) -> None:
    release = bring(server, archive, PARIS).release
    (file,) = release.files
    assert (file.name, release.parts) == (f"{PARIS}.geojson", {"main": f"{PARIS}.geojson"})
    assert json.loads(archive.local(release, file).read_bytes()) == features(0)
    holding = server.shelf.holding(PARIS)
    assert holding and release.published_at == holding.published_at


def test_the_departements_of_the_sample_are_parts_of_one_release(server: SampleServer, archive: Archive) -> None:
    release = bring(server, archive, ADDRESSES).release
    assert release.parts == {code: f"adresses-{code}.csv.gz" for code in ("2A", "35")}


def test_contours_are_found_by_their_year(server: SampleServer, archive: Archive) -> None:
    fetched = bring(server, archive, CONTOURS)
    (file,) = fetched.release.files
    assert f"/{datetime.now(UTC).year}/" in file.url


@pytest.mark.parametrize("status", [429, 503])
def test_a_publisher_that_fails_for_a_while_is_asked_again(server: SampleServer, archive: Archive, status: int) -> None:
    slept: list[float] = []
    said = requests.post(f"{server.url}/-/fail?count=2&status={status}&retry_after=7", timeout=30)
    assert said.json() == {"count": 2, "status": status}
    assert bring(server, archive, ANNUAIRE, slept).new
    assert slept == [7, 7]


def test_a_used_up_quota_ends_the_fetch_with_the_portals_words(shelf: Shelf, archive: Archive) -> None:
    with (
        serving(shelf, quota=0) as server,
        pytest.raises(PublisherUnavailable, match="Too many requests on the domain"),
    ):
        bring(server, archive, ANNUAIRE)


def test_a_failing_portal_answers_429_in_its_own_words(
    server: SampleServer, get: Callable[..., requests.Response]
) -> None:
    server.fail_next(2, 429)
    portal, insee = get(SCHOOLS), get(BPE)
    assert (portal.status_code, portal.json()["errorcode"], "Retry-After" in portal.headers) == (429, 10002, False)
    assert (insee.status_code, insee.json()) == (429, {"message": "Too Many Requests"})
    assert get(SCHOOLS).status_code == 200


# --- new releases


def test_a_release_moves_the_date_on_and_is_remembered(server: SampleServer, folder: Path) -> None:
    before = requests.get(f"{server.url}/-/", timeout=30).json()
    assert (before["invented"], before["pid"], before["scale"]) == (True, os.getpid(), "sample")
    releases = [publish(server, SALES) for _ in range(3)]
    assert [said["release"] for said in releases] == [1, 2, 3]
    moments = [before["sources"][SALES]["published_at"], *(said["published_at"] for said in releases)]
    assert sorted(set(moments)) == moments
    again = Shelf(folder).holding(SALES)
    assert again is not None
    assert (again.release, again.published_at.isoformat()) == (3, moments[-1])
    assert json.loads((folder / MANIFEST).read_text())["releases"] == {SALES: 3}


def test_files_that_were_written_by_another_process_are_seen(server: SampleServer, folder: Path, shelf: Shelf) -> None:
    publish(server, SALES)
    path = folder / SALES / "communesdvf2024.csv"
    os.utime(path, (2_000_000_000, 2_000_000_000))
    holding = shelf.holding(SALES)
    assert holding is not None
    assert holding.published_at.timestamp() == 2_000_000_000


def test_only_a_sample_is_served_and_only_what_it_has_is_published(tmp_path: Path, shelf: Shelf) -> None:
    with pytest.raises(FolderNotASample):
        Shelf(tmp_path)
    with pytest.raises(SourceMissing, match=ANNUAIRE):
        shelf.publish("insee-cog")


def test_the_server_is_told_by_posts_of_no_browser(server: SampleServer) -> None:
    def post(path: str, **headers: str) -> int:
        return requests.post(f"{server.url}/{path}", headers=headers, timeout=30).status_code

    assert post(f"-/publish/{SALES}", Origin="https://example.org") == 403
    assert post("-/publish/insee-cog") == 404
    assert post("-/publish/") == 404
    assert post("-/fail?count=1") == 400
    assert post("-/fail?count=1&status=999") == 400
    assert post(BPE) == 405


# --- the server


def test_a_large_file_is_streamed_to_many_at_once(server: SampleServer, folder: Path) -> None:
    size = 64 << 20
    path = folder / EQUIPMENT / "DS_BPE_CSV_FR.zip"
    with path.open("wb") as stream:
        stream.truncate(size)

    def received(_: int) -> int:
        with requests.get(f"{server.url}/{BPE}", stream=True, headers=BROWSER, timeout=60) as answer:
            return sum(len(piece) for piece in answer.iter_content(1 << 20))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(received, range(8))) == [size] * 8


def test_a_release_in_the_midst_of_a_download_does_not_tear_it(server: SampleServer, folder: Path) -> None:
    path = folder / EQUIPMENT / "DS_BPE_CSV_FR.zip"
    path.write_bytes(b"a" * (32 << 20))
    with requests.get(f"{server.url}/{BPE}", stream=True, headers=BROWSER, timeout=60) as answer:
        pieces = answer.iter_content(1 << 20)
        content = next(pieces)
        publish(server, EQUIPMENT)
        content += b"".join(pieces)
    assert content == b"a" * (32 << 20)


def test_a_client_that_goes_away_does_no_harm(
    server: SampleServer, folder: Path, get: Callable[..., requests.Response], caplog: pytest.LogCaptureFixture
) -> None:
    path = folder / EQUIPMENT / "DS_BPE_CSV_FR.zip"
    path.write_bytes(b"a" * (32 << 20))
    with requests.get(f"{server.url}/{BPE}", stream=True, headers=BROWSER, timeout=60) as answer:
        next(answer.iter_content(1 << 10))
    deadline = time.monotonic() + 10
    while any(
        thread.name.startswith("Thread-") and "process_request" in thread.name for thread in threading.enumerate()
    ):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert get(SCHOOLS).status_code == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_requests_share_a_connection(server: SampleServer) -> None:
    with requests.Session() as session:
        for path in (
            SCHOOLS,
            f"{SCHOOLS}/exports/csv",
            f"{SCHOOLS}/exports/json",
            "example.org/",
            f"{SCHOOLS}/records",
        ):
            assert session.get(f"{server.url}/{path}", timeout=30).headers.get("Connection") != "close"
        assert len(session.adapters["http://"].poolmanager.pools) == 1  # type: ignore[attr-defined]


# --- in the background


def run(*words: str) -> str:
    result = CliRunner().invoke(sample, list(words))
    if isinstance(result.exception, EduError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output.strip()


@pytest.fixture
def home() -> Iterator[Path]:
    """Where this test's server in the background is noted; it ends with the test."""
    found = settings().local / "sample"
    try:
        yield found
    finally:
        background.stop(found)


def test_the_server_outlives_its_command_and_is_found_again(home: Path) -> None:
    url = run("serve", "--background")
    noted = json.loads((home / "server.json").read_text())
    assert (noted["url"], noted["scale"], noted["folder"]) == (url, "sample", str(home / "sample"))
    assert requests.get(f"{url}/-/", timeout=30).json()["pid"] == noted["pid"]
    assert os.getpgid(noted["pid"]) != os.getpgid(0)
    assert run("url") == url
    assert run("serve", "--background") == url
    assert json.loads((home / "server.json").read_text()) == noted
    assert run("publish", COMMUNES).startswith(f"{COMMUNES}: release 1 of ")
    assert f"{COMMUNES}: release 2 of " in run("publish", COMMUNES, "--url", url)
    with pytest.raises(background.SampleServerFailed, match="insee-nothing"):
        run("publish", "insee-nothing")
    with pytest.raises(background.SampleServerFailed, match="Stop that one first"):
        run("serve", "--background", "--quota", "3")
    assert run("make").endswith("All of it is invented.")
    assert requests.get(f"{url}/-/", timeout=30).json()["sources"][COMMUNES]["release"] == 2
    assert run("stop") == f"stopped {url}"
    assert not background._is_ours(background.Running(**noted))
    assert run("stop") == "no server was running"
    with pytest.raises(background.SampleServerFailed, match="none is running"):
        run("url")


def test_a_program_that_took_over_the_number_is_not_ended(home: Path) -> None:
    home.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        state = {"pid": other.pid, "url": "http://127.0.0.1:9", "scale": "sample", "folder": str(home), "quota": None}
        (home / "server.json").write_text(json.dumps(state))
        assert background.running(home) is None
        assert run("stop") == "no server was running"
        assert other.poll() is None
        other.kill()
    assert not (home / "server.json").exists()


def test_a_server_that_does_not_start_says_why(home: Path, tmp_path: Path, folder: Path) -> None:
    with pytest.raises(background.SampleServerFailed, match=f"expected a sample, with {MANIFEST}"):
        background.start(home, tmp_path / "nothing", "sample")
    with serving(Shelf(folder)) as other, pytest.raises(background.SampleServerFailed, match="Address already in use"):
        background.start(home, folder, "sample", port=int(other.url.rpartition(":")[2]))
    assert not (home / "server.json").exists()
