"""Which addresses a download may reach, and how patiently it tries.

Belongs here: the rule, for the first URL, for redirects and for open connections. Does not belong here: opening
connections (``connections.py``), the requests (``download.py``).

Every URL, the first and each redirect's target, has to be https, and no address that its host resolves to may be
private, loopback, link-local, reserved or multicast (an IPv4 address inside an IPv6 one counts as itself). A name can
resolve to another address a moment later, so the address of the open socket is checked again, before a byte is sent or
TLS begins. The one exception is the origin (scheme, host, port) of the configured mirror.
"""

from __future__ import annotations

import ipaddress
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from edu_pipeline.errors import DownloadRefused
from edu_pipeline.sources.texts import CATALOGUE, without_secrets

READ_SECONDS = 60
SLOWEST = 5_000
DEFAULT_PORTS = {"http": 80, "https": 443}


class TemporaryFailure(Exception):
    """A failure that another try may overcome.

    Args:
        reason: what happened, for the failure text.
        wait: the seconds after which the publisher wants to be asked again; None if it does not say.
    """

    def __init__(self, reason: str, wait: float | None = None) -> None:
        super().__init__(reason)
        self.wait = wait


@dataclass(frozen=True)
class Policy:
    """What may be reached, and how patiently.

    Attributes:
        mirror: URL that stands in for all publishers: ``https://host/path?query`` is requested as
            ``<mirror>/host/path?query``, redirects included. Only its origin may be http, and private.
        tries: how often a download is tried before ``PublisherUnavailable``.
        max_redirects: how many redirects are followed.
        read_seconds: how long a server may be silent.
        slowest: bytes a second that a download must bring, in every ``read_seconds``; else it could take days, in which
            nothing else is loaded.
        sleep: waits between two tries.
    """

    mirror: str | None = None
    tries: int = 5
    max_redirects: int = 5
    read_seconds: float = READ_SECONDS
    slowest: float = SLOWEST
    sleep: Callable[[float], None] = time.sleep

    @property
    def mirror_name(self) -> str | None:
        """The mirror's URL without secrets, as releases record it; None if there is no mirror."""
        return without_secrets(self.mirror) if self.mirror else None

    def admit(self, url: str, where: str) -> str:
        """The URL to request for ``url``: the same, or the mirror's.

        Raises:
            DownloadRefused: it is not https, or its host is at a private address.
            TemporaryFailure: its host's name cannot be resolved.
        """
        try:
            parts = urlsplit(url)
            host, port = (parts.hostname or "").rstrip("."), parts.port
        except ValueError as error:
            raise refused(where, f"expected a URL, found {url[:200]!r} ({error}).") from None
        if self._is_mirror(parts.scheme, host, port):
            return url
        if parts.scheme != "https" or not host:
            raise refused(where, f"expected an https URL of a publisher, found {without_secrets(url)}.")
        if self.mirror is None:
            for address in resolve(host, port or DEFAULT_PORTS["https"]):
                _check_address(address, host, where)
            return url
        # Only the mirror is connected to, so that names need not be resolved here.
        with suppress(ValueError):
            _check_address(str(ipaddress.ip_address(host)), host, where)
        path = urlunsplit(("", "", parts.path or "/", parts.query, ""))
        return f"{self.mirror.rstrip('/')}/{host}{f':{port}' if port else ''}{path}"

    def check_peer(self, peer: str, scheme: str, host: str, port: int, where: str) -> None:
        """Check the address that a socket is connected to.

        Raises:
            DownloadRefused: it is a private one, and not the mirror.
        """
        if not self._is_mirror(scheme, host, port):
            _check_address(peer, host, where)

    def _is_mirror(self, scheme: str, host: str, port: int | None) -> bool:
        if self.mirror is None:
            return False
        mirror = urlsplit(self.mirror)
        return (scheme, host.strip("[]").lower(), port or DEFAULT_PORTS.get(scheme)) == (
            mirror.scheme,
            mirror.hostname,
            mirror.port or DEFAULT_PORTS.get(mirror.scheme),
        )


LIVE = Policy()
"""The publishers themselves."""


def refused(where: str, problem: str) -> DownloadRefused:
    """The failure of a URL that may not be followed."""
    return DownloadRefused(
        where,
        problem,
        "Open the source's landing page; if the file has moved, put its https URL into "
        f"{CATALOGUE}, else hand the file in under EDU_UPSTREAM.",
    )


def resolve(host: str, port: int) -> list[str]:
    """Every address of ``host``.

    Raises:
        TemporaryFailure: it has none.
    """
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (socket.gaierror, UnicodeError) as error:
        raise TemporaryFailure(f"the name {host} cannot be resolved ({error})") from error
    return [str(address[0]) for *_, address in entries]


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


def _check_address(address: str, host: str, where: str) -> None:
    if not is_public(address):
        raise refused(where, f"expected {host} at a public address, found it at {address}.")
