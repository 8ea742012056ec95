"""geo.api.gouv.fr: communes, arrondissements and départements, filtered by query.

Belongs here: its answers from a stored list. Does not belong here: what is in the lists (`publishers/geography.py`).

Answers have no date, and the ETag of Express, with which the interface is written: INFERRED from its source
(datagouv/api-geo).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from edu_pipeline.catalogue import File
from edu_pipeline.sample.answers import Answer, Request, as_json, tagged_by_content

OVERSEAS, COLLECTIVITIES = ("971", "972", "973", "974", "976"), ("975", "977", "978", "984", "986", "987", "988", "989")
ALWAYS_SENT = {"nom", "code", "_score"}
"""Properties of a commune that are sent whether or not `fields` names them."""

FILTERS = ("code", "nom", "codeDepartement", "codeRegion", "codeEpci", "siren")


def is_for(request: Request, file: File) -> bool:
    """Whether the request is for the list in ``file``, whatever fields, zones and filters it names."""
    parts = urlsplit(file.url or "")
    kind = dict(parse_qsl(parts.query)).get("type")
    return (parts.hostname, parts.path, kind) == (request.host, request.path, request.query.get("type"))


def answered(path: Path, request: Request) -> Answer:
    """The entries of the list at ``path`` that the request names.

    Départements come without the collectivities unless `zone` names them, communes with them.
    """
    if request.query.get("format", "json") != "json":
        return as_json({"message": "The sample answers with format=json only."}, 400)
    entries: list[dict[str, Any]] = json.loads(path.read_bytes())
    zones = request.query.get("zone") or ("metro,drom" if request.path == "/departements" else "metro,drom,com")
    filters = {name: value for name, value in request.query.items() if name in FILTERS}
    entries = [
        entry
        for entry in entries
        if _zone(entry) in zones.split(",") and all(entry.get(name) == value for name, value in filters.items())
    ]
    if fields := request.query.get("fields"):
        names = ALWAYS_SENT | set(fields.split(","))
        entries = [{name: value for name, value in entry.items() if name in names} for entry in entries]
    return tagged_by_content(as_json(entries), request)


def _zone(entry: dict[str, Any]) -> str:
    """The zone of a commune or département: metro, drom or com."""
    code = str(entry.get("codeDepartement") or entry.get("code"))
    return "com" if code.startswith(COLLECTIVITIES) else "drom" if code.startswith(OVERSEAS) else "metro"
