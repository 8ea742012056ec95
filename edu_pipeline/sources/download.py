"""One HTTP download to a local file: conditional, streamed, hashed, and never left half written.

Belongs here: requests, redirects and what answers mean. Does not belong here: which addresses may be reached
(``policy.py``), what is tried again (``retries.py``), which URL a source has (``origins.py``), what is in the file
(``soundness.py``).
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from edu_pipeline.errors import DownloadFailed, DownloadRefused
from edu_pipeline.sources.policy import LIVE, Policy, TemporaryFailure, refused
from edu_pipeline.sources.release import ReceivedFile
from edu_pipeline.sources.retries import retry_after, with_retries
from edu_pipeline.sources.texts import CATALOGUE, without_secrets

CONNECT_SECONDS = 10
CHUNK = 16 << 10
"""Bytes that are awaited at a time; so few that a download which has become slow is noticed soon."""

EXCERPT_CHUNK = 8 << 10
EMPTY_RANGE = 416
"""The status that a server answers if a file is too short for the part that is requested, such as an empty one."""

REDIRECTS = {301, 302, 303, 307, 308}
GONE = {404, 410}
"""The statuses of a file that does not exist, or no longer does."""

INVENTED_HEADER = "X-Invented-Data"
"""Header of every answer of the sample publisher."""


@dataclass(frozen=True)
class Downloaded:
    """A file that arrived whole.

    Attributes:
        path: where it is.
        url: the URL that was requested, without secrets; the publisher's address even if a mirror answered.
        final_url: the URL that answered, after redirects, without secrets.
        file_name: the name in Content-Disposition, else the last segment of ``final_url``; as sent.
        invented: whether the server says that it is the sample publisher.
    """

    path: Path
    url: str
    final_url: str
    file_name: str
    bytes: int
    sha256: str
    etag: str | None
    last_modified: str | None
    invented: bool = False


@dataclass(frozen=True)
class NotModified:
    """The publisher still has what we have (304)."""

    previous: ReceivedFile


@dataclass(frozen=True)
class Head:
    """What a publisher says of a file without sending it.

    Attributes:
        status: the HTTP status; 404 for an HTML page.
        bytes: the size; None where it is not given, or is that of a compressed form.
    """

    status: int
    etag: str | None
    last_modified: str | None
    bytes: int | None


@dataclass(frozen=True)
class Excerpt:
    """A part of a file: its first bytes, or its last.

    Attributes:
        content: what was received of the file, at most as many bytes as were requested.
        size: of the whole file; None if the server does not give it.
        is_whole: whether ``content`` is the whole file.
        is_ranged: whether the server sends the part of a file that is requested, and could send another.
        file_name: the name in Content-Disposition, else the last segment of the URL; as sent.
    """

    content: bytes
    size: int | None
    is_whole: bool
    is_ranged: bool
    file_name: str
    last_modified: str | None


def download(
    url: str,
    into: Path,
    *,
    max_bytes: int,
    previous: ReceivedFile | None = None,
    policy: Policy = LIVE,
    where: str | None = None,
) -> Downloaded | NotModified:
    """Download ``url`` to the file ``into``; whatever happens, no partial file stays.

    The bytes are streamed to ``<into>.part``, hashed on the way, and the file is renamed when it is whole. A
    Content-Encoding is undone, so that size and hash are those of the content.

    Args:
        max_bytes: a larger file is refused as soon as its size is known.
        previous: what we have from the same URL; then the request is conditional.
        where: source and part, for the failure texts; the URL if unset.

    Raises:
        DownloadFailed: the answer is not the file, for example 404; its ``status`` is set.
        DownloadRefused: a target that is not https or is private, too many redirects, or more than ``max_bytes``.
        PublisherUnavailable: time-out, connection lost, 5xx, 429, or a body that is truncated or crawls, in every try.
    """
    where = where or without_secrets(url)
    partial = into.with_name(f"{into.name}.part")
    conditions = {}
    if previous is not None:
        conditions = {"If-None-Match": previous.etag, "If-Modified-Since": previous.last_modified}

    def receive(session: requests.Session) -> Downloaded | NotModified:
        headers = {name: value for name, value in conditions.items() if value}
        with _request(session, "GET", url, headers, policy, where) as response:
            if response.status_code == 304 and previous is not None:
                return NotModified(previous)
            if response.status_code != 200:
                raise _no_file(response, url, where)
            size, sha256 = _write_body(response, partial, max_bytes, policy, where)
            partial.replace(into)
            return Downloaded(
                path=into,
                url=without_secrets(url),
                final_url=without_secrets(response.url),
                file_name=_file_name(response),
                bytes=size,
                sha256=sha256,
                etag=response.headers.get("ETag"),
                last_modified=response.headers.get("Last-Modified"),
                invented=INVENTED_HEADER in response.headers,
            )

    try:
        return with_retries(receive, url, policy, where)
    finally:
        partial.unlink(missing_ok=True)


def head(url: str, *, policy: Policy = LIVE, where: str | None = None) -> Head:
    """What ``url`` answers, without its body: to HEAD, or to GET if the publisher does not support HEAD.

    Raises:
        DownloadRefused: a target that is not https or is private, or too many redirects.
        PublisherUnavailable: time-out, connection lost, 5xx or 429, in every try.
    """
    where = where or without_secrets(url)

    def ask(session: requests.Session) -> Head:
        for method in ("HEAD", "GET"):
            with _request(session, method, url, {}, policy, where) as response:
                answer = _read_head(response)
            if answer.status == 200 or answer.status in GONE:
                break
        return answer

    return with_retries(ask, url, policy, where)


def excerpt(
    url: str, count: int, *, from_end: bool = False, policy: Policy = LIVE, where: str | None = None
) -> Excerpt:
    """The first ``count`` bytes of the file at ``url``, or the last; always the first from a server without ranges.

    Raises:
        DownloadFailed, DownloadRefused, PublisherUnavailable: see ``download``.
    """
    where = where or without_secrets(url)
    headers = {"Range": f"bytes=-{count}" if from_end else f"bytes=0-{count - 1}", "Accept-Encoding": "identity"}

    def receive(session: requests.Session) -> Excerpt:
        with _request(session, "GET", url, headers, policy, where) as response:
            if response.status_code not in (200, 206, EMPTY_RANGE):
                raise _no_file(response, url, where)
            content, is_ended = b"", response.status_code == EMPTY_RANGE
            pieces = response.iter_content(EXCERPT_CHUNK) if not is_ended else iter(())
            while len(content) < count and not is_ended:
                piece = next(pieces, b"")
                content, is_ended = content + piece, not piece
            is_ranged = response.status_code == 206
            total = response.headers.get("Content-Range", "").rpartition("/")[2] if is_ranged else ""
            size = int(total) if total.isdigit() else None if is_ranged else _announced_size(response)
            return Excerpt(
                content=content[:count],
                size=size,
                is_whole=size <= len(content) if size is not None else is_ended and not is_ranged,
                is_ranged=is_ranged,
                file_name=_file_name(response),
                last_modified=response.headers.get("Last-Modified"),
            )

    return with_retries(receive, url, policy, where)


def no_file_status(url: str, status: int, where: str, details: str = "") -> DownloadFailed:
    """The failure of a URL whose answer is not the file.

    Args:
        details: what else the answer says, for the text.
    """
    error = DownloadFailed(
        where,
        f"expected the file at {without_secrets(url)}, found HTTP status {status}{details}.",
        f"Open the source's landing page; if the file has moved, change its URL in {CATALOGUE}.",
    )
    error.status = status
    return error


def too_large(url: str, size: str, max_bytes: int, where: str) -> DownloadRefused:
    """The failure of a file beyond the limit of its source.

    Args:
        size: what was found, in words.
    """
    return DownloadRefused(
        where,
        f"expected at most {max_bytes:,} bytes from {without_secrets(url)}, found {size}.",
        f"If the file has really grown that much, raise max_bytes of the source in {CATALOGUE}.",
    )


def _request(
    session: requests.Session, method: str, url: str, headers: dict[str, str], policy: Policy, where: str
) -> requests.Response:
    """The answer to ``url`` after redirects, its body not read yet."""
    target = policy.admit(url, where)
    for _ in range(policy.max_redirects + 1):
        response = session.request(
            method,
            target,
            headers=headers,
            stream=True,
            timeout=(CONNECT_SECONDS, policy.read_seconds),
            allow_redirects=False,
        )
        status, location = response.status_code, response.headers.get("Location")
        if status in REDIRECTS and location:
            response.close()
            target = _redirected(target, location, policy, where)
            continue
        if status == 429 or status >= 500:
            wait = retry_after(response.headers.get("Retry-After"))
            reason = f"HTTP status {status}, {_excerpt(response)}"
            response.close()
            raise TemporaryFailure(reason, wait)
        return response
    problem = f"expected at most {policy.max_redirects} redirects from {without_secrets(url)}, found more."
    raise refused(where, problem)


def _redirected(url: str, location: str, policy: Policy, where: str) -> str:
    """The URL to request after ``url`` redirected to ``location``."""
    where = f"{where}, redirected by {without_secrets(url)}"
    try:
        target = urljoin(url, location)
    except ValueError as error:
        raise refused(where, f"expected a URL, found {location[:200]!r} ({error}).") from None
    return policy.admit(target, where)


def _read_head(response: requests.Response) -> Head:
    headers = response.headers
    is_page = response.status_code == 200 and headers.get("Content-Type", "").lower().startswith("text/html")
    return Head(
        status=404 if is_page else response.status_code,
        etag=headers.get("ETag"),
        last_modified=headers.get("Last-Modified"),
        bytes=_announced_size(response),
    )


def _announced_size(response: requests.Response) -> int | None:
    """The size of the content as announced; None if that is unknown."""
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() and "Content-Encoding" not in response.headers else None


def _write_body(
    response: requests.Response, partial: Path, max_bytes: int, policy: Policy, where: str
) -> tuple[int, str]:
    """Write the body to ``partial``; its size and SHA-256."""
    announced = _announced_size(response)
    if announced is not None and announced > max_bytes:
        raise too_large(response.url, f"{announced:,} bytes announced", max_bytes, where)
    size, digest = 0, hashlib.sha256()
    size_then, then = 0, time.monotonic()
    with partial.open("wb") as out:
        for chunk in response.iter_content(CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise too_large(response.url, f"more than {max_bytes:,} bytes", max_bytes, where)
            digest.update(chunk)
            out.write(chunk)
            if (seconds := time.monotonic() - then) > policy.read_seconds:
                if size - size_then < policy.slowest * seconds:
                    raise TemporaryFailure(f"only {size - size_then:,} bytes in {seconds:.0f} s")
                size_then, then = size, time.monotonic()
    if announced is not None and size != announced:
        raise TemporaryFailure(f"{size:,} bytes where Content-Length announced {announced:,}")
    return size, digest.hexdigest()


def _file_name(response: requests.Response) -> str:
    """The name that the publisher gives the file; it may be empty, and must not be trusted as a path."""
    message = Message()
    message["Content-Disposition"] = response.headers.get("Content-Disposition", "")
    return message.get_filename() or urlsplit(response.url).path.rpartition("/")[2]


def _no_file(response: requests.Response, url: str, where: str) -> DownloadFailed:
    final = without_secrets(response.url)
    answered_by = f", answered by {final}" if final != without_secrets(url) else ""
    return no_file_status(url, response.status_code, where, f"{answered_by}, {_excerpt(response)}")


def _excerpt(response: requests.Response) -> str:
    """The first 200 characters of the body's text, for a failure text."""
    try:
        raw: bytes = next(response.iter_content(2000), b"")
    except requests.RequestException:
        raw = b""
    text = " ".join(raw.decode(response.encoding or "utf-8", "replace").split())
    return f"body: {text[:200]!r}" if text else "empty body"
