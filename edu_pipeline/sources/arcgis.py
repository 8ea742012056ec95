"""A layer of an ArcGIS service as one GeoJSON file, although its features come in pages.

Belongs here: the layer's query, the state of a layer, joining the pages, errors in answers of status 200. Does not
belong here: HTTP (``download.py``), when a layer is downloaded (``publishers.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edu_pipeline.errors import DownloadFailed, FileInvalid, PublisherUnavailable
from edu_pipeline.sources.download import Downloaded, download, too_large
from edu_pipeline.sources.policy import Policy
from edu_pipeline.sources.texts import CATALOGUE, without_secrets

PAGE = 1000
"""Features requested at a time; a service may send fewer."""

GEOJSON = "geojson"


def query_of(layer: str, description: Mapping[str, Any]) -> str:
    """The query for all features of a layer, in the order of their ids, so that no two pages share a feature.

    Args:
        layer: URL of the layer.
        description: the layer's own description.
    """
    identifier = description.get("objectIdField")
    order = f"&orderByFields={quote(identifier)}" if identifier else ""
    return f"{layer}/query?where=1%3D1&outFields=%2A&outSR=4326{order}&f={GEOJSON}"


def layer_state(description: Mapping[str, Any]) -> dict[str, Any]:
    """What tells one state of a layer from another.

    Args:
        description: the layer's own description.

    Returns:
        ``lastEditDate`` (ms since 1970), ``last_modified`` (the same in ISO 8601), ``fields``.
    """
    edited = (description.get("editingInfo") or {}).get("lastEditDate")
    return {
        "lastEditDate": edited,
        "last_modified": datetime.fromtimestamp(edited / 1000, UTC).isoformat() if edited is not None else None,
        "fields": [field.get("name") for field in description.get("fields") or []],
    }


def check_answer(answer: Mapping[str, Any], url: str, where: str) -> None:
    """Check that an answer is not one of the errors that come with status 200.

    Raises:
        PublisherUnavailable: 5xx or 429.
        DownloadFailed: any other, for example 499 (a token is required); its ``status`` is the error's code.
    """
    error = answer.get("error")
    if error is None:
        return
    code = error.get("code") if isinstance(error, dict) else None
    problem = (
        f"expected a layer's answer from {without_secrets(url)}, "
        f"found the error {json.dumps(error, ensure_ascii=False)}."
    )
    if isinstance(code, int) and (code >= 500 or code == 429):
        raise PublisherUnavailable(where, problem, "Nothing was changed; fetch it again later.")
    failed = DownloadFailed(
        where,
        problem,
        f"Open the layer's page in a browser: if it has moved, put its URL into {CATALOGUE}; if it is no longer open "
        "to all, hand the file in under EDU_UPSTREAM.",
    )
    failed.status = code if isinstance(code, int) else None
    raise failed


def download_layer(query: str, into: Path, *, max_bytes: int, policy: Policy, where: str) -> Downloaded:
    """Write all features to ``into``, one GeoJSON collection; whatever happens, no partial file stays.

    Args:
        query: as ``query_of`` returns it.
        max_bytes: a larger file is refused.
        where: source and part, for the failure texts.

    Raises:
        DownloadFailed, DownloadRefused, PublisherUnavailable: see ``download`` and ``check_answer``.
        FileInvalid: an answer is not what was requested, or there are fewer or more features than the layer has.
    """
    page = into.with_name(f"{into.name}.page")

    def ask(url: str) -> tuple[Downloaded, dict[str, Any]]:
        downloaded = download(url, page, max_bytes=max_bytes, policy=policy, where=where)
        assert isinstance(downloaded, Downloaded)
        return downloaded, _parsed(page, url, where)

    partial = into.with_name(f"{into.name}.part")
    count = 0
    try:
        with partial.open("w", encoding="utf-8") as out:
            out.write('{"type":"FeatureCollection","features":[')
            has_more = True
            while has_more:
                downloaded, answer = ask(f"{query}&resultOffset={count}&resultRecordCount={PAGE}")
                features = _features(answer, query, where)
                for feature in features:
                    out.write(("," if count else "") + json.dumps(feature, ensure_ascii=False, separators=(",", ":")))
                    count += 1
                if out.tell() > max_bytes:
                    raise too_large(query, f"{out.tell():,} and more", max_bytes, where)
                has_more = bool(features) and _is_cut(answer)
            out.write("]}")
        _, counted = ask(f"{query.removesuffix(GEOJSON)}json&returnCountOnly=true")
        if counted.get("count") != count:
            expected = f"{counted.get('count')} features, as many as {without_secrets(query)} counts"
            raise _invalid(where, expected, f"{count}")
        partial.replace(into)
    finally:
        partial.unlink(missing_ok=True)
        page.unlink(missing_ok=True)
    with into.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return replace(
        downloaded,
        path=into,
        url=without_secrets(query),
        bytes=into.stat().st_size,
        sha256=sha256,
        etag=None,
        last_modified=None,
    )


def _parsed(path: Path, url: str, where: str) -> dict[str, Any]:
    raw = path.read_bytes()
    try:
        answer = json.loads(raw)
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        expected = f"a JSON object from {without_secrets(url)}"
        raise _invalid(where, expected, f"{len(raw):,} bytes that begin with {raw[:60]!r}")
    check_answer(answer, url, where)
    return answer


def _features(answer: Mapping[str, Any], query: str, where: str) -> list[Any]:
    features = answer.get("features")
    if answer.get("type") != "FeatureCollection" or not isinstance(features, list):
        expected = f"a FeatureCollection from {without_secrets(query)}"
        raise _invalid(where, expected, f"an object of {', '.join(answer) or 'nothing'}")
    return features


def _is_cut(page: Mapping[str, Any]) -> bool:
    """Whether a page says that there are more features; services say so in one of two places."""
    return bool(page.get("exceededTransferLimit") or (page.get("properties") or {}).get("exceededTransferLimit"))


def _invalid(where: str, expected: str, found: str) -> FileInvalid:
    return FileInvalid(
        where,
        f"expected {expected}, found {found}.",
        "Fetch it again later (the layer may have been edited meanwhile); if it fails again, see the layer's page.",
    )
