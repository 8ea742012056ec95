"""An ArcGIS layer: its description, and queries answered in pages.

Belongs here: the answers of a FeatureServer's layer, from a stored GeoJSON file. Does not belong here: which layer is
at which path (`hosts.py`), what is in the file (`publishers/`).
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from edu_pipeline.sample.answers import Answer, Request, as_json

MAX_RECORDS = 10
"""Most features in a page: far fewer than real services send, so that the sample scale has several pages."""

OBJECT_ID = "OBJECTID"
TEXT_LENGTH = 256
QUERY = "/query"
"""What follows the layer's path in the path of a query."""


def answered(path: Path, name: str, published_at: datetime, request: Request) -> Answer:
    """The layer's answer; errors have status 200, as ArcGIS sends them.

    Args:
        path: GeoJSON collection of points; every feature has an ``OBJECTID``, in ascending order.
    """
    features: list[dict[str, Any]] = json.loads(path.read_bytes())["features"]
    if not request.path.endswith(QUERY):
        return as_json(_described(features, name, published_at))
    if request.query.get("where", "").replace(" ", "") != "1=1":
        return _error("The sample answers where=1=1 only.")
    form = request.query.get("f", "html")
    if form not in ("geojson", "json", "pjson"):
        return _error("The sample answers f=geojson, json or pjson only.")
    if request.query.get("returnCountOnly") == "true":
        return as_json({"count": len(features)})
    try:
        first = int(request.query.get("resultOffset", 0))
        count = min(int(request.query.get("resultRecordCount", MAX_RECORDS)), MAX_RECORDS)
    except ValueError:
        return _error("resultOffset and resultRecordCount are numbers.")
    page, has_more = features[first : first + count], first + count < len(features)
    return as_json(_collection(page, has_more) if form == "geojson" else _feature_set(page, has_more))


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


def _collection(features: list[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    more = {"properties": {"exceededTransferLimit": True}} if has_more else {}
    return {"type": "FeatureCollection", **more, "features": features}


def _feature_set(features: list[dict[str, Any]], has_more: bool) -> dict[str, Any]:
    rows = [
        {
            "attributes": feature["properties"],
            "geometry": dict(zip("xy", feature["geometry"]["coordinates"], strict=True)),
        }
        for feature in features
    ]
    more = {"exceededTransferLimit": True} if has_more else {}
    return {"objectIdFieldName": OBJECT_ID, "spatialReference": {"wkid": 4326}, "features": rows, **more}


def _error(problem: str) -> Answer:
    return as_json({"error": {"code": 400, "message": "Cannot perform query.", "details": [problem]}})
