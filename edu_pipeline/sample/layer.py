"""An ArcGIS layer as the sample's server answers for it: its description, and queries in pages.

Belongs here: the answers of a FeatureServer's layer over a stored GeoJSON file. Does not belong here: which layer is at
which path (`hosts.py`), what is in the file (`publishers/`).
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from edu_pipeline.sample.answers import Answer, Asked, as_json

MAX_RECORDS = 10
"""Features in a page at most: far fewer than real services give, so that the small scale has pages too."""

OBJECT_ID = "OBJECTID"
TEXT_LENGTH = 256
QUERY = "/query"
"""What the path of a query has after the layer's."""


def answered(path: Path, name: str, published_at: datetime, asked: Asked) -> Answer:
    """What the layer answers; errors come with status 200, as ArcGIS sends them.

    Args:
        path: GeoJSON collection of points; every feature has an ``OBJECTID``, which is in ascending order.
    """
    features: list[dict[str, Any]] = json.loads(path.read_bytes())["features"]
    if not asked.path.endswith(QUERY):
        return as_json(_described(features, name, published_at))
    if asked.query.get("where", "").replace(" ", "") != "1=1":
        return _error("The sample answers where=1=1 only.")
    form = asked.query.get("f", "html")
    if form not in ("geojson", "json", "pjson"):
        return _error("The sample answers f=geojson, json or pjson only.")
    if asked.query.get("returnCountOnly") == "true":
        return as_json({"count": len(features)})
    try:
        first = int(asked.query.get("resultOffset", 0))
        count = min(int(asked.query.get("resultRecordCount", MAX_RECORDS)), MAX_RECORDS)
    except ValueError:
        return _error("resultOffset and resultRecordCount are numbers.")
    page, is_cut = features[first : first + count], first + count < len(features)
    return as_json(_collection(page, is_cut) if form == "geojson" else _feature_set(page, is_cut))


def _described(features: list[dict[str, Any]], name: str, published_at: datetime) -> dict[str, Any]:
    milliseconds = int(published_at.timestamp() * 1000)
    fields = [name for feature in features[:1] for name in feature["properties"]]
    return {
        "id": 0,
        "name": name,
        "type": "Feature Layer",
        "geometryType": "esriGeometryPoint",
        "objectIdField": OBJECT_ID,
        "fields": [_field(field) for field in fields],
        "editingInfo": {"lastEditDate": milliseconds, "schemaLastEditDate": milliseconds},
        "maxRecordCount": MAX_RECORDS,
        "supportedQueryFormats": "JSON, geoJSON",
        "advancedQueryCapabilities": {"supportsPagination": True, "supportsOrderBy": True},
    }


def _field(name: str) -> dict[str, Any]:
    if name == OBJECT_ID:
        return {"name": name, "type": "esriFieldTypeOID", "alias": name, "nullable": False}
    return {"name": name, "type": "esriFieldTypeString", "alias": name, "length": TEXT_LENGTH, "nullable": True}


def _collection(features: list[dict[str, Any]], is_cut: bool) -> dict[str, Any]:
    more = {"properties": {"exceededTransferLimit": True}} if is_cut else {}
    return {"type": "FeatureCollection", **more, "features": features}


def _feature_set(features: list[dict[str, Any]], is_cut: bool) -> dict[str, Any]:
    rows = [
        {
            "attributes": feature["properties"],
            "geometry": dict(zip("xy", feature["geometry"]["coordinates"], strict=True)),
        }
        for feature in features
    ]
    more = {"exceededTransferLimit": True} if is_cut else {}
    return {"objectIdFieldName": OBJECT_ID, "spatialReference": {"wkid": 4326}, "features": rows, **more}


def _error(problem: str) -> Answer:
    return as_json({"error": {"code": 400, "message": "Cannot perform query.", "details": [problem]}})
