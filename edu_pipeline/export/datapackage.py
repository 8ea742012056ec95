"""``datapackage.json``: the export as a Data Package (frictionlessdata.io, version 1).

Belongs here: that vocabulary. Does not belong here: what is known of a table (``description.py``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from edu_pipeline.database.provenance import INVENTED, Origin
from edu_pipeline.export.description import Collection, Described, Field
from edu_pipeline.export.files import ExportedFile
from edu_pipeline.export.licences import licence

NAME = "edu-pipeline"
TITLE = "French open data about schools and the communes around them"

TYPES: Mapping[pa.DataType, str] = {
    pa.string(): "string",
    pa.list_(pa.string()): "array",
    pa.int32(): "integer",
    pa.int64(): "integer",
    pa.float64(): "number",
    pa.bool_(): "boolean",
    pa.date32(): "date",
}

FORMATS = {
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/geopackage+sqlite3": "gpkg",
    "application/vnd.duckdb": "duckdb",
}


def datapackage(collection: Collection, files: Mapping[str, ExportedFile]) -> dict[str, Any]:
    """The descriptor of the package.

    Args:
        files: the file of each table, by name; several tables may be in one.
    """
    return {
        "profile": "data-package",
        "name": NAME,
        "title": TITLE,
        "description": INVENTED if collection.invented else f"{TITLE}, compiled by edu_pipeline.",
        "version": collection.day.isoformat(),
        "created": f"{collection.taken_at:%Y-%m-%dT%H:%M:%SZ}",
        "licenses": _licences(collection.licences),
        "resources": [resource(table, collection) | _file(table, files[table.name]) for table in collection.tables],
    }


def resource(table: Described, collection: Collection) -> dict[str, Any]:
    """The description of a table of ``collection``, without its file."""
    keys = [
        {
            "fields": [field.name],
            "reference": {"resource": "" if other.name == table.name else other.name, "fields": [other.key[0]]},
        }
        for field, other in collection.foreign_keys(table)
    ]
    return {
        "name": table.name,
        "description": table.description,
        "licenses": _licences(table.provenance.licences),
        "sources": [source(origin) for origin in table.provenance.origins],
        "attribution": table.provenance.attribution,
        "release_day": table.provenance.day.isoformat() if table.provenance.day else None,
        "loaded_at": moment(table.loaded_at),
        "schema": {
            "fields": [_field(field, table) for field in table.fields],
            "primaryKey": list(table.key),
            "missingValues": [""],
            **({"foreignKeys": keys} if keys else {}),
        },
    }


def moment(time: datetime | None) -> str | None:
    """A time in UTC, as JSON has it."""
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}" if time else None


def source(origin: Origin) -> dict[str, Any]:
    """A release, with the address and SHA-256 of each file; no address of an operator's own folder."""
    described: dict[str, Any] = {"title": origin.title}
    if origin.source and origin.source.landing_page:
        described["path"] = origin.source.landing_page
    if origin.source:
        described["licence"] = origin.source.licence
    if origin.edition:
        described["edition"] = origin.edition
    files = [
        {name: file[name] for name in ("name", "url", "bytes", "sha256") if name != "url" or _is_public(file)}
        for file in origin.release.files
    ]
    return described | {"release": origin.release.release, "release_day": origin.day.isoformat(), "files": files}


def _is_public(file: Mapping[str, Any]) -> bool:
    return str(file["url"]).startswith(("https://", "http://"))


def _licences(titles: Sequence[str]) -> list[dict[str, str]]:
    described = []
    for known in map(licence, titles):
        path = {"path": known.url} if known.url else {}
        described.append({"name": known.name, "title": known.title} | path)
    return described


def _file(table: Described, file: ExportedFile) -> dict[str, Any]:
    form = FORMATS[file.media_type]
    described = {
        "path": file.name,
        "profile": "tabular-data-resource" if form == "csv" else "data-resource",
        "format": form,
        "mediatype": file.media_type,
        "encoding": "utf-8",
        "bytes": file.bytes,
        "hash": f"sha256:{file.sha256}",
    }
    return described if form in ("csv", "parquet") else described | {"table": table.name}


def _field(field: Field, table: Described) -> dict[str, Any]:
    is_decimal = pa.types.is_decimal(field.arrow)
    described: dict[str, Any] = {"name": field.name, "type": "string" if field.is_geometry else TYPES.get(field.arrow)}
    if is_decimal:
        described["type"] = "number"
    if pa.types.is_boolean(field.arrow):
        described |= {"trueValues": ["t"], "falseValues": ["f"]}
    described |= {"description": field.description, "sql": field.sql}
    if field.unit:
        described["unit"] = field.unit
    if field.references:
        described["references"] = list(field.references)
    limits = {
        "required": field.required or None,
        "unique": True if table.key == (field.name,) else None,
        "minimum": _plain(field.minimum),
        "maximum": _plain(field.maximum),
        "pattern": field.pattern,
        "maxLength": field.length,
    }
    constraints = {name: value for name, value in limits.items() if value is not None}
    return described | ({"constraints": constraints} if constraints else {})


def _plain(value: Any) -> float | int | str | None:
    """A bound as JSON has it."""
    if value is None or isinstance(value, int):
        return value
    return value.isoformat() if hasattr(value, "isoformat") else float(value)
