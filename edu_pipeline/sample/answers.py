"""Requests to the sample's server and its answers, as values.

Belongs here: a request, an answer, answers in JSON, files with their date and tag. Does not belong here: who answers
what (`hosts.py`, `portal.py`), sockets (`server.py`).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

TYPES = {
    ".csv": "text/csv; charset=utf-8",
    ".geojson": "application/geo+json",
    ".gz": "application/gzip",
    ".json": "application/json; charset=utf-8",
    ".parquet": "application/vnd.apache.parquet",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".zip": "application/zip",
}


@dataclass(frozen=True)
class Request:
    """A request.

    Attributes:
        host: the publisher's host: the first segment of the path.
        path: the rest of the path, with its leading slash, decoded.
        query: the parameters; if one is repeated, the last value counts.
        headers: the headers, by name in lower case.
    """

    host: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parsed(cls, target: str, headers: Mapping[str, str]) -> Request:
        """The request for ``/<host>/<path>?<query>``."""
        parts = urlsplit(target)
        host, _, rest = parts.path.lstrip("/").partition("/")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        return cls(host.lower(), "/" + unquote(rest), query, {name.lower(): text for name, text in headers.items()})


@dataclass(frozen=True)
class Answer:
    """An answer. An open file as the body is sent in pieces and then closed, an iterator's pieces as they come."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | io.BufferedReader | Iterator[bytes] = b""


def as_json(
    content: object, status: int = 200, headers: Mapping[str, str] | None = None, gzipped: bool = False
) -> Answer:
    """An answer in JSON; if ``gzipped``, compressed whether or not the client accepts it."""
    body = json.dumps(content, ensure_ascii=False).encode()
    sent = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    if gzipped:
        body, sent["Content-Encoding"] = gzip.compress(body, compresslevel=1, mtime=0), "gzip"
    return Answer(status, sent, body)


def not_found(problem: str) -> Answer:
    """The answer 404 with a message."""
    return as_json({"message": problem}, 404)


def http_date(moment: datetime) -> str:
    """A time in the form of HTTP headers."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)


def as_file(path: Path, published_at: datetime, request: Request, tagged: bool = True) -> Answer:
    """A file as a web server sends it: with its date, or 304 if the client already has it.

    Args:
        tagged: whether this server sends ETags.
    """
    stream = path.open("rb")
    status = os.fstat(stream.fileno())
    headers = {"Last-Modified": http_date(published_at), "Accept-Ranges": "bytes"}
    if tagged:
        headers["ETag"] = f'"{status.st_mtime_ns:x}-{status.st_size:x}"'
    if _has_file(request, headers.get("ETag"), published_at):
        stream.close()
        return Answer(304, headers)
    return Answer(200, headers | {"Content-Type": TYPES.get(path.suffix, "application/octet-stream")}, stream)


def ranged(answer: Answer, request: Request) -> Answer:
    """The part of a file that the request names (``bytes=0-99``, ``bytes=-100``), if it is a file of a web server."""
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    body = answer.body
    if not match or answer.status != 200 or "Accept-Ranges" not in answer.headers:
        return answer
    if not isinstance(body, bytes | io.BufferedReader):
        return answer
    stream = io.BytesIO(body) if isinstance(body, bytes) else body
    size = stream.seek(0, os.SEEK_END)
    first = int(match[1]) if match[1] else max(0, size - int(match[2] or 0))
    last = min(size - 1, int(match[2])) if match[1] and match[2] else size - 1
    with stream:
        if first > last:
            return Answer(416, {**answer.headers, "Content-Range": f"bytes */{size}"})
        stream.seek(first)
        part = stream.read(last - first + 1)
    return Answer(206, {**answer.headers, "Content-Range": f"bytes {first}-{last}/{size}"}, part)


def tagged_by_content(answer: Answer, request: Request) -> Answer:
    """The answer with a weak ETag of its body, as Express sends it, or 304 if the client already has it."""
    assert isinstance(answer.body, bytes)
    tag = f'"{len(answer.body):x}-{hashlib.sha1(answer.body, usedforsecurity=False).hexdigest()}"'
    headers = {**answer.headers, "ETag": f"W/{tag}"}
    return Answer(304, headers) if _has_tag(request, tag) else Answer(answer.status, headers, answer.body)


def _has_tag(request: Request, tag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    return tag in [entry.strip().removeprefix("W/") for entry in known.split(",")]


def _has_file(request: Request, tag: str | None, published_at: datetime) -> bool:
    """Whether the request's conditions say that the client has this version of the file."""
    if tag and request.headers.get("if-none-match"):
        return _has_tag(request, tag)
    try:
        since = parsedate_to_datetime(request.headers.get("if-modified-since", ""))
    except (TypeError, ValueError):
        return False
    return published_at <= (since if since.tzinfo else since.replace(tzinfo=UTC))
