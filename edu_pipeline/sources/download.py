"""One HTTP download to a local file: conditional, streamed, hashed, retried, and refused where it must be.

Belongs here: the HTTP of it, and the rule of what may be reached. Does not belong here: which URL a source
has (``fetch.py``), what is in the file (``soundness.py``).

What the rule covers. Every URL, the first and each redirect's target, has to be https, and no address that
its host resolves to may be private, loopback, link-local, reserved or multicast (IPv4 inside IPv6 is looked
into). A name can resolve to another address a moment later, so the address really connected to is checked
again on the open socket, before a byte is sent or TLS begins. The one exception is the origin (scheme, host,
port) of the configured mirror. Proxies and .netrc of the environment are not used: behind a proxy no address
could be checked, and credentials have no business here. REQUESTS_CA_BUNDLE is honoured.
"""

from __future__ import annotations

import hashlib
import ipaddress
import logging
import os
import random
import re
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urljoin, urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from edu_pipeline.errors import DownloadFailed, DownloadRefused, PublisherUnavailable
from edu_pipeline.sources.archive import ReceivedFile

log = logging.getLogger(__name__)

USER_AGENT = f"Mozilla/5.0 (compatible; edu-pipeline/{version('edu_pipeline')})"
"""Some publishers (insee.fr) answer 403 or 500 to an agent that does not look like a browser."""

CONNECT_SECONDS, READ_SECONDS = 10, 60
MAX_WAIT = 120.0
"""Seconds that a Retry-After makes us wait at most."""

CHUNK = 1 << 20
REDIRECTS = {301, 302, 303, 307, 308}
SECRET = re.compile(r"token|key|secret|passw|pwd|sig|auth|credential|^x-(amz|goog)-", re.IGNORECASE)
"""Query parameters whose value is never shown."""

T = TypeVar("T")


class _Passing(Exception):
    """A failure that another try may mend.

    Args:
        reason: what happened, for the failure text.
        wait: the seconds after which the publisher wants to be asked again.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class Policy:
    """What may be reached, and how patiently.

    Attributes:
        mirror: URL that stands in for all publishers: ``https://host/path?query`` is asked for as
            ``<mirror>/host/path?query``, redirects included. Its origin alone may be http, and private.
        tries: how often a download is tried before ``PublisherUnavailable``.
        max_redirects: how many redirects are followed.
        read_seconds: how long a server may be silent.
        sleep: waits between two tries.
    """

    mirror: str | None = None
    tries: int = 5
    max_redirects: int = 5
    read_seconds: float = READ_SECONDS
    sleep: Callable[[float], None] = time.sleep

    def admit(self, url: str, where: str) -> str:
        """The URL to ask for ``url``: the same, or the mirror's.

        Raises:
            DownloadRefused: it is not https, or its host is at a private address.
            _Passing: its host's name cannot be resolved.
        """
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError as error:
            raise _refused(where, f"expected a URL; found {url[:200]!r} ({error}).") from None
        if self._is_mirror(parts.scheme, host, port):
            return url
        if parts.scheme != "https" or not host:
            raise _refused(where, f"expected an https URL of a publisher; found {shown(url)}.")
        if self.mirror is None:
            for address in resolve(host, port or 443):
                self._check_address(address, host, where)
            return url
        # Nothing but the mirror is connected to, so that no name has to be resolved here.
        with suppress(ValueError):
            self._check_address(str(ipaddress.ip_address(host)), host, where)
        return f"{self.mirror.rstrip('/')}/{host}{f':{port}' if port else ''}" + urlunsplit(
            ("", "", parts.path or "/", parts.query, "")
        )

    def check_peer(self, peer: str, scheme: str, host: str, port: int, where: str) -> None:
        """Check the address that a socket is connected to.

        Raises:
            DownloadRefused: it is a private one, and not the mirror.
        """
        if not self._is_mirror(scheme, host, port):
            self._check_address(peer, host, where)

    def _is_mirror(self, scheme: str, host: str, port: int | None) -> bool:
        if self.mirror is None:
            return False
        mirror = urlsplit(self.mirror)
        default = {"http": 80, "https": 443}
        return (scheme, host.strip("[]").lower(), port or default.get(scheme)) == (
            mirror.scheme,
            mirror.hostname,
            mirror.port or default.get(mirror.scheme),
        )

    def _check_address(self, address: str, host: str, where: str) -> None:
        if not is_public(address):
            raise _refused(where, f"expected a publisher at a public address; {host} is at {address}.")

    def session(self, where: str) -> requests.Session:
        """A session whose connections keep to this policy; ``where`` is for the failure texts."""
        session = _Session()
        session.trust_env = False
        session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or True
        session.headers.update({"User-Agent": USER_AGENT, "Accept-Encoding": "gzip, deflate"})
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Guarded(self, where))
        return session


LIVE = Policy()
"""The publishers themselves."""


INVENTED_HEADER = "X-Invented-Data"
"""Header of every answer of the sample publisher."""


@dataclass(frozen=True)
class Downloaded:
    """A file that arrived whole.

    Attributes:
        path: where it lies.
        url: what was asked for, without secrets, as the publisher's address even if a mirror answered.
        final_url: what answered after redirects, without secrets.
        file_name: the name that Content-Disposition gives it, else the last segment of ``final_url``; as sent.
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

    The bytes are streamed to ``<into>.part``, hashed on the way, and renamed when whole. A Content-Encoding is
    undone, so that size and hash are those of the content.

    Args:
        max_bytes: a larger file is refused as soon as that is known.
        previous: what we have from the same URL; then the request is conditional.
        where: source and part, for the failure texts; the URL if unset.

    Raises:
        DownloadFailed: an answer that is not the file, as 404; its ``status`` is set.
        DownloadRefused: a target that is not https or is private, too many redirects, or beyond ``max_bytes``.
        PublisherUnavailable: time-out, connection lost, 5xx, 429 or a truncated body, after all tries.
    """
    where = where or shown(url)
    partial = into.with_name(f"{into.name}.part")
    conditions = {}
    if previous is not None:
        conditions = {"If-None-Match": previous.etag, "If-Modified-Since": previous.last_modified}

    def receive(session: requests.Session) -> Downloaded | NotModified:
        headers = {name: value for name, value in conditions.items() if value}
        with _ask(session, "GET", url, headers, policy, where) as response:
            if response.status_code == 304 and previous is not None:
                return NotModified(previous)
            if response.status_code != 200:
                raise _failed(response, url, where)
            size, sha256 = _stream(response, partial, max_bytes, where)
            partial.replace(into)
            return Downloaded(
                path=into,
                url=shown(url),
                final_url=shown(response.url),
                file_name=_file_name(response),
                bytes=size,
                sha256=sha256,
                etag=response.headers.get("ETag"),
                last_modified=response.headers.get("Last-Modified"),
                invented=INVENTED_HEADER in response.headers,
            )

    try:
        return _patiently(receive, url, policy, where)
    finally:
        partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class Head:
    """What a publisher says of a file without sending it.

    Attributes:
        status: the HTTP status; 404 for an HTML page.
        bytes: the size; None where it is not said, or is that of a compressed form.
    """

    status: int
    etag: str | None
    last_modified: str | None
    bytes: int | None


def head(url: str, *, policy: Policy = LIVE, where: str | None = None) -> Head:
    """What ``url`` answers with, without fetching the body.

    Asked by HEAD, and by GET if the publisher does not like that.

    Raises:
        DownloadRefused: a target that is not https or is private, or too many redirects.
        PublisherUnavailable: time-out, connection lost, 5xx or 429, after all tries.
    """
    where = where or shown(url)

    def ask(session: requests.Session) -> Head:
        for method in ("HEAD", "GET"):
            with _ask(session, method, url, {}, policy, where) as response:
                said = _said(response)
            if said.status in (200, 404, 410):
                break
        return said

    return _patiently(ask, url, policy, where)


def _said(response: requests.Response) -> Head:
    sent = response.headers
    is_page = response.status_code == 200 and sent.get("Content-Type", "").lower().startswith("text/html")
    size = sent.get("Content-Length", "")
    return Head(
        status=404 if is_page else response.status_code,
        etag=sent.get("ETag"),
        last_modified=sent.get("Last-Modified"),
        bytes=int(size) if size.isdigit() and "Content-Encoding" not in sent else None,
    )


def shown(url: str) -> str:
    """``url`` as it may be shown: without user and password, without the values of tokens in the query."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        query = parts.query
        if any(SECRET.search(name) for name, _ in parse_qsl(query, keep_blank_values=True)):
            pairs = parse_qsl(query, keep_blank_values=True)
            query = urlencode(
                [(name, "***" if SECRET.search(name) else value) for name, value in pairs], safe="*", quote_via=quote
            )
        return urlunsplit(SplitResult(parts.scheme, host, parts.path, query, ""))
    except ValueError:
        return "(not a URL)"


def resolve(host: str, port: int) -> list[str]:
    """Every address of ``host``.

    Raises:
        _Passing: there is none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise _Passing(f"the name {host} cannot be resolved ({error})") from error
    return [str(address[0]) for *_, address in found]


def is_public(address: str) -> bool:
    """Whether ``address`` is one of the open internet; an IPv4 address inside an IPv6 one counts as itself."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        nat64 = ipaddress.ip_network("64:ff9b::/96")
        inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF) if ip in nat64 else ip.ipv4_mapped or ip.sixtofour
        if inner is not None:
            ip = inner
        elif ip.is_site_local:
            return False
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def _patiently(action: Callable[[requests.Session], T], url: str, policy: Policy, where: str) -> T:
    """``action``, tried again after failures that may pass."""
    with policy.session(where) as session:
        for attempt in range(1, policy.tries + 1):
            try:
                return action(session)
            except _Passing as error:
                reason, wait = str(error), error.wait
            except (
                requests.Timeout,
                requests.ConnectionError,
                requests.exceptions.ChunkedEncodingError,
                requests.exceptions.ContentDecodingError,
            ) as error:
                reason, wait = _root(error), None
                if "CERTIFICATE_VERIFY_FAILED" in reason:
                    raise DownloadFailed(
                        where,
                        f"expected a valid certificate from {shown(url)}; found {reason}.",
                        "If your network has its own certificate authority, name its file in REQUESTS_CA_BUNDLE.",
                    ) from error
            except requests.RequestException as error:
                raise DownloadFailed(
                    where,
                    f"expected to be able to ask for {shown(url)}; found {_root(error)}.",
                    "Correct the source's URL in edu_pipeline/sources/catalogue.toml.",
                ) from error
            if attempt < policy.tries:
                seconds = wait if wait is not None else 2 ** (attempt - 1) * random.uniform(0.5, 1.5)
                log.info("%s: %s: %s; next try in %.0f s", where, shown(url), reason, seconds)
                policy.sleep(seconds)
    mirror = f" at the mirror {shown(policy.mirror)}" if policy.mirror else ""
    raise PublisherUnavailable(
        where,
        f"expected an answer from {shown(url)}{mirror}; found, in {policy.tries} tries: {reason}.",
        "Nothing was changed; fetch it again later. If it lasts, look at the publisher's landing page.",
    )


def _ask(
    session: requests.Session, method: str, url: str, headers: dict[str, str], policy: Policy, where: str
) -> requests.Response:
    """The answer to ``url`` after redirects, its body not read yet."""
    asked = policy.admit(url, where)
    for _ in range(policy.max_redirects + 1):
        response = session.request(
            method,
            asked,
            headers=headers,
            stream=True,
            timeout=(CONNECT_SECONDS, policy.read_seconds),
            allow_redirects=False,
        )
        status, target = response.status_code, response.headers.get("Location")
        if status in REDIRECTS and target:
            response.close()
            by = f"{where}, redirected by {shown(asked)}"
            try:
                asked = urljoin(asked, target)
            except ValueError as error:
                raise _refused(by, f"expected a URL; found {target[:200]!r} ({error}).") from None
            asked = policy.admit(asked, by)
            continue
        if status == 429 or status >= 500:
            wait = _retry_after(response.headers.get("Retry-After"))
            reason = f"HTTP status {status}, {_excerpt(response)}"
            response.close()
            raise _Passing(reason, wait)
        return response
    raise _refused(where, f"expected at most {policy.max_redirects} redirects from {shown(url)}; found more.")


def _stream(response: requests.Response, partial: Path, max_bytes: int, where: str) -> tuple[int, str]:
    """Write the body to ``partial``; its size and SHA-256."""
    announced = response.headers.get("Content-Length", "")
    expected = int(announced) if announced.isdigit() and "Content-Encoding" not in response.headers else None
    if expected is not None and expected > max_bytes:
        raise _too_large(response, f"{expected:,} bytes announced", max_bytes, where)
    size, digest = 0, hashlib.sha256()
    with partial.open("wb") as out:
        for chunk in response.iter_content(CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise _too_large(response, f"more than {max_bytes:,} bytes", max_bytes, where)
            digest.update(chunk)
            out.write(chunk)
    if expected is not None and size != expected:
        raise _Passing(f"{size:,} bytes where Content-Length announced {expected:,}")
    return size, digest.hexdigest()


def _file_name(response: requests.Response) -> str:
    """The name that the publisher gives the file; it may be empty, and is not to be trusted as a path."""
    message = Message()
    message["Content-Disposition"] = response.headers.get("Content-Disposition", "")
    return message.get_filename() or urlsplit(response.url).path.rpartition("/")[2]


def _retry_after(value: str | None) -> float | None:
    """The seconds that a Retry-After header asks for, at most ``MAX_WAIT``; None if it asks for nothing."""
    if not value:
        return None
    if value.strip().isdigit():
        seconds = float(value)
    else:
        try:
            moment = parsedate_to_datetime(value)
        except (TypeError, ValueError):
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return min(max(seconds, 0.0), MAX_WAIT)


def _excerpt(response: requests.Response) -> str:
    """The first 200 characters of the body's text, for a failure text."""
    try:
        raw: bytes = next(response.iter_content(2000), b"")
    except requests.RequestException:
        raw = b""
    text = " ".join(raw.decode(response.encoding or "utf-8", "replace").split())
    return f"body: {text[:200]!r}" if text else "empty body"


def _root(error: BaseException) -> str:
    """The cause behind ``error``, whose own text would show the URL."""
    inner: BaseException | None = error
    while inner is not None:
        error, inner = inner, inner.__cause__ or inner.__context__
    name = type(error).__name__
    return name if isinstance(error, requests.RequestException) else f"{name}: {error}"


def _failed(response: requests.Response, url: str, where: str) -> DownloadFailed:
    final = f", answered by {shown(response.url)}" if shown(response.url) != shown(url) else ""
    error = DownloadFailed(
        where,
        f"expected the file at {shown(url)}; found HTTP status {response.status_code}{final}, {_excerpt(response)}.",
        "Open the source's landing page, and change the URL in edu_pipeline/sources/catalogue.toml if it has moved.",
    )
    error.status = response.status_code
    return error


def _refused(where: str, problem: str) -> DownloadRefused:
    return DownloadRefused(
        where,
        problem,
        "Open the source's landing page; if the file is now elsewhere, put its https URL into "
        "edu_pipeline/sources/catalogue.toml, else hand the file in under EDU_UPSTREAM.",
    )


def _too_large(response: requests.Response, found: str, max_bytes: int, where: str) -> DownloadRefused:
    return DownloadRefused(
        where,
        f"expected at most {max_bytes:,} bytes from {shown(response.url)}; found {found}.",
        "If the file has really grown so much, raise max_bytes of the source in edu_pipeline/sources/catalogue.toml.",
    )


class _Session(requests.Session):
    """Leaves redirects alone: requests would parse the target and read the body, however large, even unasked."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


class _Guarded(HTTPAdapter):
    """Connects, and checks the peer's address before anything is sent."""

    def __init__(self, policy: Policy, where: str) -> None:
        self._policy, self._where = policy, where
        super().__init__(max_retries=0)

    def close(self) -> None:
        """Close the connections as well, which urllib3 keeps as long as a failure that is kept refers to their pool."""
        pools = self.poolmanager.pools
        for key in list(pools.keys()):
            pools[key].close()
        super().close()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)

        def checked(connected: socket.socket, scheme: str, host: str, port: int) -> socket.socket:
            try:
                self._policy.check_peer(connected.getpeername()[0], scheme, host, port, self._where)
            except BaseException:
                connected.close()
                raise
            return connected

        class Http(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return checked(super()._new_conn(), "http", self.host, self.port)

        class Https(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return checked(super()._new_conn(), "https", self.host, self.port)

        class HttpPool(HTTPConnectionPool):
            ConnectionCls = Http

        class HttpsPool(HTTPSConnectionPool):
            ConnectionCls = Https

        self.poolmanager.pool_classes_by_scheme = {"http": HttpPool, "https": HttpsPool}
