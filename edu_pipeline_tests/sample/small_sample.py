"""A small sample directory made by hand, with one source for each way of publishing, and requests to its server.

Belongs here: the files, URLs and requests that the tests of the server share; the fixtures are in `conftest.py`. Does
not belong here: the real sample (`sample_files.py`).
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from edu_pipeline.sample.directory import MANIFEST
from edu_pipeline.sample.itemised import items
from edu_pipeline.sample.server import SampleServer
from edu_pipeline.sample.shelf import Shelf
from edu_pipeline.sample.world import World

Get = Callable[..., requests.Response]
"""Sends a GET request to the server, without following redirects."""

TIMEOUT = 300
"""Seconds after which a request counts as stuck, even on a slow machine."""

ANNUAIRE, LYCEES = "fr-en-annuaire-education", "fr-en-ips-lycees-ap2023"
SALES, CRIME, COMMUNES, EQUIPMENT = "dvf-indicateurs-communes", "ssmsi-communale", "geo-api-communes", "insee-bpe"
OPTIONS, CONTOURS, PROFESSIONS = "onisep-60113c3d5fee0", "contours-communes", "insee-pcs"
PARIS, ADDRESSES = "paris-affectation-lycees", "ban"
AREAS, AREAS_DATASET = "haute-garonne-secteurs-colleges", "sectorisation-colleges-classes-6eme"
CRIME_FILE = "donnee-data.gouv-2025-geographie2026-produit-le2026-06-25.csv.gz"

PORTAL = "data.education.gouv.fr/api/explore/v2.1/catalog/datasets"
SCHOOLS = f"{PORTAL}/{ANNUAIRE}"
AREAS_URL = f"data.haute-garonne.fr/api/explore/v2.1/catalog/datasets/{AREAS_DATASET}"
BPE = "www.insee.fr/fr/statistiques/fichier/8217527/DS_BPE_CSV_FR.zip"
LAYER = "services9.arcgis.com/ekT8MJFiVh8nvlV5/arcgis/rest/services/Affectation_Lyc%C3%A9es/FeatureServer/0"
ADDRESSES_URL = "adresse.data.gouv.fr/data/ban/adresses/latest/csv/adresses-35.csv.gz"
OPTIONS_URL = "api.opendata.onisep.fr/downloads/60113c3d5fee0/60113c3d5fee0.csv"
BROWSER = {"User-Agent": "Mozilla/5.0 (compatible; a test)"}

HEADER = list(
    items("""
    identifiant_de_l_etablissement; nom_etablissement; code_postal; nombre_d_eleves; latitude; date_ouverture;
    date_maj_ligne; position
""")
)
LABELS = {"identifiant_de_l_etablissement": "Identifiant de l'établissement", "nom_etablissement": "Nom"}


def write(world: World, folder: Path, source: str) -> None:
    """Write the files of a source; most of them differ between releases."""
    for name, content in contents(world.release(source))[source].items():
        path = folder / source / name
        path.parent.mkdir(exist_ok=True)
        path.with_suffix(".part").write_bytes(content)
        path.with_suffix(".part").replace(path)


def contents(release: int) -> dict[str, dict[str, bytes]]:
    """The files of every source at a release, by name."""
    rows = [f"schools;{release}"]
    return {
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
        CONTOURS: {"communes-100m.geojson.gz": gzip.compress(json.dumps(features(release)).encode(), mtime=0)},
        PROFESSIONS: {"pcs2003.csv": "\n".join(rows).encode()},
        PARIS: {f"{PARIS}.geojson": json.dumps(features(release)).encode()},
        AREAS: {f"{AREAS_DATASET}.geojson": json.dumps(areas(release)).encode()},
        ADDRESSES: {
            f"adresses-{code}.csv.gz": gzip.compress("\n".join(rows).encode(), mtime=0) for code in ("2A", "35")
        },
    }


def features(release: int) -> dict[str, Any]:
    """A layer of 23 features: three pages."""
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


def areas(release: int) -> dict[str, Any]:
    """The features of a portal's dataset, the second with values that are not there."""
    shape = {"type": "Polygon", "coordinates": [[[1.4, 43.6], [1.5, 43.6], [1.5, 43.7], [1.4, 43.6]]]}
    point = {"lon": 1.45, "lat": 43.65}
    rows = [
        {"nom": "Collège inventé", "eff_2025": 100 + release, "codes": ["0310001A", "0310002B"], "geo_point_2d": point},
        {"nom": None, "eff_2025": None, "codes": [], "geo_point_2d": None},
    ]
    entries = [{"type": "Feature", "geometry": shape, "properties": row} for row in rows]
    return {"type": "FeatureCollection", "features": entries}


def schools(release: int) -> bytes:
    """The directory of schools, as the portal exports it."""
    moment, pupils = "2026-11-20T00:00:00+00:00", str(100 + release)
    rows = [
        ("0350001A", 'Lycée inventé "A"; B', "01000", pupils, "48.1", "1990-09-01", moment, "48.1,-1.7"),
        ("0350002B", "Collège inventé", "35000", "", "48", "", moment, ""),
        ("0350003C", "École inventée\nsur deux lignes", "", "12", "", "2001-01-31", "", "47.9, -1.5"),
    ]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerows([HEADER, *rows])
    return ("\ufeff" + text.getvalue()).encode()


def communes(release: int) -> list[dict[str, Any]]:
    """The communes, as geo.api.gouv.fr lists them."""
    return [
        {"nom": "Inventée", "code": "35001", "codeDepartement": "35", "codesPostaux": ["35000"], "population": release},
        {"nom": "Imaginée", "code": "97101", "codeDepartement": "971", "population": 4},
        {"nom": "Fictive", "code": "97501", "codeDepartement": "975"},
    ]


def archived(name: str, text: str) -> bytes:
    """A zip archive with one member."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(name, text)
    return stream.getvalue()


def make_small(folder: Path) -> None:
    """Make the sample directory at its first release."""
    folder.mkdir()
    manifest = {"invented": True, "scale": "sample", "seed": 1, "releases": {}, "files": {}}
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
    for source in contents(0):
        write(World("sample"), folder, source)


def small_shelf(folder: Path) -> Shelf:
    """The shelf that publishes the small sample's releases."""
    return Shelf(folder, write, lambda source: LABELS)


def publish(server: SampleServer, source: str) -> dict[str, Any]:
    """Publish a new release of a source."""
    answer = requests.post(f"{server.url}/-/publish/{source}", timeout=TIMEOUT)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def logged_requests(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The requests that the server logged since the last call, as ``GET /path``."""
    matches = [re.search(r'"(\w+ \S+)', record.getMessage()) for record in caplog.records]
    caplog.clear()
    return [match[1] for match in matches if match]
