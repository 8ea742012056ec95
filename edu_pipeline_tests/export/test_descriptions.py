"""datapackage.json, croissant.json and dcat.jsonld: valid for their own libraries, and saying what is so."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import rdflib
from frictionless import Package
from rdflib import DCAT, DCTERMS, RDF, XSD, URIRef

from edu_pipeline.database.connection import Database
from edu_pipeline.export.datapackage import datapackage, resource
from edu_pipeline.export.export import Export
from edu_pipeline.export.form import Format
from edu_pipeline.export.snapshot import snapshot
from edu_pipeline_tests.checks.small_country import record
from edu_pipeline_tests.export import country
from edu_pipeline_tests.export.conftest import Exported


@pytest.fixture
def described(exported: Exported) -> dict[str, Any]:
    """The resources of ``datapackage.json``, by name."""
    return resources(exported(Format.PARQUET))


def resources(folder: Path) -> dict[str, Any]:
    package = json.loads((folder / "datapackage.json").read_text(encoding="utf-8"))
    return {resource["name"]: resource for resource in package["resources"]}


@pytest.mark.parametrize("form", list(Format))
def test_frictionless_finds_the_descriptor_valid(exported: Exported, form: Format) -> None:
    text = (exported(form) / "datapackage.json").read_text(encoding="utf-8")
    assert list(Package.metadata_validate(json.loads(text))) == []


def test_frictionless_would_find_an_error(exported: Exported) -> None:
    descriptor = json.loads((exported(Format.PARQUET) / "datapackage.json").read_text(encoding="utf-8"))
    descriptor["resources"][0]["schema"]["primaryKey"] = ["no_such_column"]
    assert list(Package.metadata_validate(descriptor))


def test_a_file_is_known_by_its_hash(exported: Exported, described: dict[str, Any]) -> None:
    content = (exported(Format.PARQUET) / "departements.parquet").read_bytes()
    entry = described["departements"]
    assert (entry["hash"], entry["bytes"]) == (f"sha256:{hashlib.sha256(content).hexdigest()}", len(content))


def test_fields_have_units_bounds_and_keys(described: dict[str, Any]) -> None:
    schema = described["commune_boundaries"]["schema"]
    fields = {field["name"]: field for field in schema["fields"]}
    assert schema["primaryKey"] == ["code_commune"] and schema["missingValues"] == [""]
    assert fields["surface_km2"]["unit"] == "km²"
    assert fields["surface_km2"]["constraints"] == {"required": True, "minimum": 0.0, "maximum": 500000.0}
    assert fields["code_commune"]["constraints"]["pattern"] == "^([0-9]{2}|2[AB])[0-9]{3}$"
    assert fields["code_commune"]["constraints"]["maxLength"] == 5


def test_the_licence_follows_the_sources(described: dict[str, Any]) -> None:
    licences = {name: [entry["name"] for entry in resource["licenses"]] for name, resource in described.items()}
    assert licences["commune_boundaries"] == licences["communes_limitrophes"] == ["ODbL-1.0"]
    assert licences["info_communes"] == ["etalab-2.0"]
    assert licences["mutations_immo_latest"] == ["ODbL-1.0"]
    assert "ODbL-1.0" in licences["commune_context_cache"]


def test_sources_have_releases_but_no_private_paths(described: dict[str, Any]) -> None:
    (contours,) = described["commune_boundaries"]["sources"]
    assert contours["release_day"] == "2026-03-01" and contours["licence"] == "ODbL 1.0"
    assert contours["files"] == [
        {"name": "contours.geojson", "url": "https://example.org/file", "bytes": 10, "sha256": "0" * 64}
    ]
    (by_hand,) = described["pcs_libelle"]["sources"]
    assert by_hand["title"] == "file of an operator, pcs.csv"
    assert "somebody" not in json.dumps(described)


def test_a_foreign_key_is_one_that_holds(database: Database) -> None:
    """The last load of ``info_communes`` found a département that is not known."""
    country.fill(database)
    names = ["departements", "info_communes", "pcs_libelle"]
    keys = foreign_keys(database, names)
    own_parent = {"fields": ["code_parent"], "reference": {"resource": "", "fields": ["code_pcs"]}}
    departement = {"resource": "departements", "fields": ["code_departement"]}
    assert {"fields": ["code_departement"], "reference": departement} in keys["info_communes"]
    assert keys["pcs_libelle"] == [own_parent]
    assert "code_departement" not in str(foreign_keys(database, names[1:])["info_communes"])
    with database.connect() as connection:
        record(connection, "info_communes", unknown={"code_departement": 1})
    assert "code_departement" not in str(foreign_keys(database, names)["info_communes"])


def foreign_keys(database: Database, names: list[str]) -> dict[str, Any]:
    with snapshot(database) as source:
        collection = source.describe(names)
    return {table.name: resource(table, collection)["schema"].get("foreignKeys", []) for table in collection.tables}


RECORDS = """
import sys
import mlcroissant
dataset = mlcroissant.Dataset(sys.argv[1])
for name in ("annuaire_education", "info_communes", "commune_boundaries"):
    print({name: [{key.partition("/")[2]: value for key, value in row.items()} for row in dataset.records(name)]})
"""
"""In a process of its own: the library's logging closes the standard error that pytest has put in place."""


def test_mlcroissant_reads_the_records(exported: Exported) -> None:
    command = [sys.executable, "-c", RECORDS, str(exported(Format.PARQUET) / "croissant.json")]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    schools, places, boundaries = ended.stdout.splitlines()
    assert schools.count("'uai': b'001000") == 3
    assert [flag in schools for flag in ("'ulis': True", "'ulis': None", "'ulis': False")] == [True] * 3
    postal = [text.encode() for text in country.POSTAL["01001"] or ()]
    assert f"'codes_postaux': {postal}" in places
    assert "'code_commune': b'2A004'" in boundaries and "'code_commune': b'01001'" in boundaries


def test_only_parquet_has_a_croissant(exported: Exported) -> None:
    assert (exported(Format.GEOPARQUET) / "croissant.json").exists()
    assert not (exported(Format.CSV) / "croissant.json").exists()


@pytest.fixture
def graph(exported: Exported) -> rdflib.Graph:
    """What ``dcat.jsonld`` says where it is published under ``https://example.org/open/``."""
    file = exported(Format.PARQUET) / "dcat.jsonld"
    return rdflib.Graph().parse(file, format="json-ld", publicID="https://example.org/open/dcat.jsonld")


def test_dcat_leads_to_the_files(graph: rdflib.Graph) -> None:
    dataset = URIRef("https://example.org/open/dcat.jsonld#commune_boundaries")
    assert (dataset, RDF.type, DCAT.Dataset) in graph
    (distribution,) = graph.objects(dataset, DCAT.distribution)
    assert graph.value(distribution, DCAT.downloadURL) == URIRef("https://example.org/open/commune_boundaries.parquet")
    licence = URIRef("https://opendatacommons.org/licenses/odbl/1-0/")
    assert list(graph.objects(distribution, DCTERMS.license)) == [licence]


def test_dcat_has_what_the_profile_demands(graph: rdflib.Graph) -> None:
    for kind, properties in {
        DCAT.Catalog: [DCTERMS.title, DCTERMS.description, DCTERMS.publisher],
        DCAT.Dataset: [DCTERMS.title, DCTERMS.description],
        DCAT.Distribution: [DCAT.accessURL, DCTERMS.license],
    }.items():
        subjects = list(graph.subjects(RDF.type, kind))
        assert subjects
        for subject in subjects:
            missing = [name for name in properties if graph.value(subject, name) is None]
            assert missing == [] or (kind, missing) == (DCAT.Distribution, [DCTERMS.license]), subject


def test_dcat_dates_are_dates(graph: rdflib.Graph) -> None:
    days = [day for day in graph.objects(predicate=DCTERMS.modified) if isinstance(day, rdflib.Literal)]
    assert {str(day) for day in days} == {"2026-03-01", "2026-11-20"}
    assert all(date.fromisoformat(str(day)) for day in days)
    assert {day.datatype for day in days} == {XSD.date}


def test_attribution_is_ready_to_paste(exported: Exported) -> None:
    text = (exported(Format.CSV) / "attribution.txt").read_text(encoding="utf-8")
    (paragraph,) = (part for part in text.split("\n\n") if part.startswith("commune_boundaries\n"))
    assert paragraph.splitlines()[1] == (
        "Sources: Etalab / IGN, Contours administratifs, communes, généralisation à 100 m, release of 2026-03-01, "
        "ODbL 1.0. Compiled by edu_pipeline; licence of the result: ODbL 1.0."
    )


def test_the_day_of_the_package_is_that_of_its_newest_release(parquet: Export) -> None:
    assert datapackage(parquet.collection, parquet.files)["version"] == "2026-11-20"
