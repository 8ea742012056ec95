"""What stands in front of Dagster's web server: only the UI's own pages may operate it.

Dagster's web server has no authentication and takes commands from whoever reaches it: from any page that the operator's
browser shows, by a link, an image or a form. The guard lets a browser send commands only from the UI itself.

Belongs here: which requests are let through, and the headers that keep the UI's pages from loading anything from
elsewhere. Does not belong here: serving (``webserver.py``). docs/operating.md has the same rules for nginx and Caddy.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edu_pipeline.errors import shown

GRAPHQL = "/graphql"

POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; form-action 'self'; base-uri 'none'; "
    "object-src 'none'; frame-ancestors 'none'"
)
"""A page of the UI loads nothing from elsewhere, and no other page shows it in a frame. Dagster's own policy holds as
well."""

DEFAULT_PORTS = {"http": ":80", "https": ":443"}


@dataclass(frozen=True)
class Origins:
    """The addresses under which people open the UI, as a browser sends them.

    Attributes:
        hosts: values of the header Host.
        origins: values of the header Origin.
    """

    hosts: frozenset[str]
    origins: frozenset[str]

    @classmethod
    def of(cls, *urls: str) -> Origins:
        """Those of URLs such as ``https://dagster.example.org/``."""
        hosts, origins = set(), set()
        for url in urls:
            parts = urlsplit(url.lower())
            host = parts.netloc.rpartition("@")[2].removesuffix(DEFAULT_PORTS.get(parts.scheme, ""))
            hosts.add(host)
            origins.add(f"{parts.scheme}://{host}")
        return cls(frozenset(hosts), frozenset(origins))


@dataclass(frozen=True)
class Refusal:
    """Why a request is not let through.

    Attributes:
        status: of the answer.
        text: what was expected, what was found, and what to do.
    """

    status: int
    text: str


class Guard:
    """An ASGI application that lets through to another what ``refusal`` does not refuse."""

    def __init__(self, app: ASGIApp, own: Origins) -> None:
        self.app, self.own = app, own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif refused := refusal(scope, self.own):
            answer = PlainTextResponse(refused.text, refused.status, {"X-Content-Type-Options": "nosniff"})
            await answer(scope, receive, send)
        else:
            await self.app(scope, receive, with_policy(send))


def with_policy(send: Send) -> Send:
    """``send``, which adds the policy to every answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).append("Content-Security-Policy", POLICY)
        await send(message)

    return sending


def refusal(scope: Scope, own: Origins) -> Refusal | None:
    """Why a request or a web socket is not let through; None: it is.

    A request without Origin is let through: every browser sends one with whatever it posts and with a web socket, so it
    is not from a page. Programs on this machine may ask as they do.
    """
    headers = Headers(scope=scope)
    hosts, origins = headers.getlist("host"), headers.getlist("origin")
    if len(hosts) != 1 or hosts[0].lower() not in own.hosts:
        return _refused(421, "Host", own.hosts, hosts)
    if len(origins) > 1 or any(origin.lower() not in own.origins for origin in origins):
        return _refused(403, "Origin", own.origins, origins)
    if scope["type"] == "websocket":
        return None
    if scope["path"] == GRAPHQL:
        return _refusal_of_query(scope["method"], headers.getlist("content-type"))
    if scope["method"] not in ("GET", "HEAD"):
        return Refusal(
            405, f"expected GET, found {shown(scope['method'])}. Only {GRAPHQL} takes commands: post them there."
        )
    return None


def _refused(status: int, header: str, known: frozenset[str], found: list[str]) -> Refusal:
    return Refusal(
        status,
        f"expected the header {header} to be one of {', '.join(sorted(known))}, "
        f"found {shown(', '.join(found)) or 'none'}. "
        "Open the UI at one of these addresses. If it has another one, set EDU_UI_URL to that and start it again.",
    )


def _refusal_of_query(method: str, types: list[str]) -> Refusal | None:
    """A browser asks before it lets a page of another origin post JSON, and the answer is no."""
    if method != "POST":
        return Refusal(405, f"expected POST, found {shown(method)}. Post the query as JSON.")
    if len(types) != 1 or types[0].partition(";")[0].strip().lower() != "application/json":
        found = shown(", ".join(types)) or "none"
        return Refusal(415, f"expected the header Content-Type to be application/json, found {found}. Post JSON.")
    return None
