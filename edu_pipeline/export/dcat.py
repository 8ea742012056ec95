"""``dcat.jsonld``: the export for open data portals, in the profile DCAT-AP 3.

Belongs here: that vocabulary. Does not belong here: what is known of a table (``description.py``).

Addresses of files are relative: they are next to this one, wherever the folder is published.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from edu_pipeline.catalogue import Cadence
from edu_pipeline.database.provenance import INVENTED
from edu_pipeline.export.datapackage import TITLE
from edu_pipeline.export.description import Collection, Described
from edu_pipeline.export.files import ExportedFile
from edu_pipeline.export.licences import Licence, licence

AUTHORITY = "http://publications.europa.eu/resource/authority"

CONTEXT: Mapping[str, Any] = {
    "dcat": "http://www.w3.org/ns/dcat#",
    "dct": "http://purl.org/dc/terms/",
    "foaf": "http://xmlns.com/foaf/0.1/",
    "rdfs": "http://www.w3.org/2000/01/rdf-schema#",
    "spdx": "http://spdx.org/rdf/terms#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}

FREQUENCIES: Mapping[Cadence, str] = {
    "continuous": "CONT",
    "monthly": "MONTHLY",
    "quarterly": "QUARTERLY",
    "yearly": "ANNUAL",
    "irregular": "IRREG",
}
"""Cadence to the European authority's code, the most frequent first."""

FILE_TYPES = {"text/csv": "CSV", "application/geopackage+sqlite3": "GPKG", "application/vnd.apache.parquet": "PARQUET"}
"""Media type to the European authority's code."""


def dcat(collection: Collection, files: Mapping[str, ExportedFile]) -> dict[str, Any]:
    """The catalogue: a dataset per table, each with its file.

    Args:
        files: the file of each table, by name.
    """
    return {
        "@context": dict(CONTEXT),
        "@id": "",
        "@type": "dcat:Catalog",
        "dct:title": _text(TITLE),
        "dct:description": _text(INVENTED if collection.invented else f"{TITLE}, compiled by edu_pipeline."),
        "dct:publisher": _agent("edu_pipeline"),
        "dct:language": {"@id": f"{AUTHORITY}/language/FRA"},
        "dct:modified": _date(collection.day.isoformat()),
        "dcat:dataset": [_dataset(table, files[table.name]) for table in collection.tables],
    }


def _dataset(table: Described, file: ExportedFile) -> dict[str, Any]:
    origins = table.provenance.origins
    pages = [origin.source.landing_page for origin in origins if origin.source and origin.source.landing_page]
    cadences = {origin.source.cadence for origin in origins if origin.source}
    described: dict[str, Any] = {
        "@id": f"#{table.name}",
        "@type": "dcat:Dataset",
        "dct:title": _text(table.name),
        "dct:description": _text(table.description),
        "dct:identifier": table.name,
        "dct:publisher": _agent("edu_pipeline"),
        "dct:creator": [_agent(name) for name in dict.fromkeys(o.source.publisher for o in origins if o.source)],
        "dcat:theme": {"@id": f"{AUTHORITY}/data-theme/EDUC"},
        "dct:spatial": {"@id": f"{AUTHORITY}/country/FRA"},
        "dct:source": [{"@id": page} for page in dict.fromkeys(pages)],
        "dct:provenance": {"@type": "dct:ProvenanceStatement", "rdfs:label": table.provenance.attribution},
        "dcat:distribution": _distribution(table, file),
    }
    if cadences:
        code = next(code for cadence, code in FREQUENCIES.items() if cadence in cadences)
        described["dct:accrualPeriodicity"] = {"@id": f"{AUTHORITY}/frequency/{code}"}
    if table.provenance.day:
        described["dct:modified"] = _date(table.provenance.day.isoformat())
    return described


def _distribution(table: Described, file: ExportedFile) -> dict[str, Any]:
    described: dict[str, Any] = {
        "@id": f"#{table.name}-file",
        "@type": "dcat:Distribution",
        "dct:title": _text(file.name),
        "dcat:accessURL": {"@id": file.name},
        "dcat:downloadURL": {"@id": file.name},
        "dcat:mediaType": {"@id": f"https://www.iana.org/assignments/media-types/{file.media_type}"},
        "dcat:byteSize": {"@type": "xsd:nonNegativeInteger", "@value": str(file.bytes)},
        "dct:license": [{"@id": known.url} if known.url else _unnamed(known.title) for known in _licences(table)],
        "dct:rights": {"@type": "dct:RightsStatement", "rdfs:label": table.provenance.attribution},
        "spdx:checksum": {
            "@type": "spdx:Checksum",
            "spdx:algorithm": {"@id": "spdx:checksumAlgorithm_sha256"},
            "spdx:checksumValue": {"@type": "xsd:hexBinary", "@value": file.sha256},
        },
    }
    if file.media_type in FILE_TYPES:
        described["dct:format"] = {"@id": f"{AUTHORITY}/file-type/{FILE_TYPES[file.media_type]}"}
    return described


def _licences(table: Described) -> list[Licence]:
    return [licence(title) for title in table.provenance.licences]


def _unnamed(title: str) -> dict[str, Any]:
    return {"@type": "dct:LicenseDocument", "dct:title": _text(title)}


def _agent(name: str) -> dict[str, Any]:
    return {"@type": "foaf:Agent", "foaf:name": name}


def _text(text: str) -> dict[str, str]:
    return {"@language": "en", "@value": text}


def _date(day: str) -> dict[str, str]:
    return {"@type": "xsd:date", "@value": day}
