"""The guard in front of Dagster's web server: what it refuses, with which text, and what it lets through."""

from __future__ import annotations

import asyncio
import re
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Scope

from edu_pipeline.orchestration.guard import POLICY, Guard, Origins, refusal

OWN = Origins.of("http://127.0.0.1:3000", "http://localhost:3000", "https://Dagster.example.org:443/")
HOME = "http://127.0.0.1:3000"
JSON = {"content-type": "application/json"}


def request(method: str, path: str, *pairs: tuple[str, str], kind: str = "http", **headers: str) -> Scope:
    """A request or web socket as a server passes it on; the header Host is that of the UI unless ``pairs`` has one."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = [("host", "127.0.0.1:3000")] * ("host" not in dict(pairs)) + [*pairs, *named.items()]
    raw = [(name.encode(), value.encode()) for name, value in sent]
    return {"type": kind, "method": method, "path": path, "query_string": b"", "headers": raw, "extensions": {}}


@pytest.mark.parametrize(
    "let_through",
    [
        request("GET", "/"),
        request("HEAD", "/asset-groups"),
        request("POST", "/graphql", **JSON),
        request("POST", "/graphql", content_type="Application/JSON; charset=utf-8", origin=HOME),
        request("POST", "/graphql", origin="http://localhost:3000", **JSON),
        request("POST", "/graphql", ("host", "dagster.example.org"), origin="https://dagster.example.org", **JSON),
        request("GET", "/graphql", kind="websocket", origin=HOME),
        request("GET", "/graphql", kind="websocket"),
    ],
    ids=str,
)
def test_what_the_ui_sends_is_let_through(let_through: Scope) -> None:
    assert refusal(let_through, OWN) is None


@pytest.mark.parametrize(
    ("refused", "status", "text"),
    [
        (request("GET", "/", ("host", "evil.example")), 421, "Host to be one of .*, found evil.example. Open"),
        (request("GET", "/", ("host", "127.0.0.1:3001")), 421, "found 127.0.0.1:3001"),
        (request("GET", "/", ("host", "localhost:3000"), ("host", "evil")), 421, "found localhost:3000, evil"),
        (request("POST", "/graphql", origin="http://evil.example", **JSON), 403, "Origin to be one of .*, found http:"),
        (request("POST", "/graphql", origin="null", **JSON), 403, "found null. .* set EDU_UI_URL"),
        (request("POST", "/graphql", origin="https://127.0.0.1:3000", **JSON), 403, "found https://127.0.0.1:3000"),
        (request("POST", "/graphql", ("origin", HOME), ("origin", "http://evil"), **JSON), 403, "evil"),
        (request("GET", "/", origin="http://evil.example"), 403, "found http://evil.example"),
        (request("GET", "/graphql"), 405, "expected POST, found GET"),
        (request("POST", "/graphql", content_type="text/plain"), 415, "application/json, found text/plain. Post JSON"),
        (request("POST", "/graphql", content_type="text/plain; x=application/json"), 415, "found text/plain;"),
        (request("POST", "/graphql"), 415, "found none"),
        (request("POST", "/report_asset_check/ips_lycees", **JSON), 405, "expected GET, found POST. Only /graphql"),
        (request("GET", "/graphql", kind="websocket", origin="http://evil.example"), 403, "found http://evil"),
        (request("GET", "/graphql", ("host", "evil.example"), kind="websocket"), 421, "found evil.example"),
    ],
    ids=str,
)
def test_what_another_page_sends_is_refused(refused: Scope, status: int, text: str) -> None:
    found = refusal(refused, OWN)
    assert found is not None
    assert (found.status, bool(re.search(text, found.text))) == (status, True), found.text


def answer(scope: Scope) -> list[Message]:
    """What the guard answers; behind it is a page that says "the UI"."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    asyncio.run(Guard(PlainTextResponse("the UI"), OWN)(scope, receive, send))
    return sent


def headers(message: Message) -> dict[str, Any]:
    return {name.decode(): value.decode() for name, value in message["headers"]}


def test_a_page_of_the_ui_loads_nothing_from_elsewhere() -> None:
    start, body = answer(request("GET", "/"))
    assert (start["status"], body["body"]) == (200, b"the UI")
    assert headers(start)["content-security-policy"] == POLICY


def test_a_refused_web_socket_gets_the_text_where_possible() -> None:
    foreign = request("GET", "/graphql", kind="websocket", origin="http://evil.example")
    start, body = answer({**foreign, "extensions": {"websocket.http.response": {}}})
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 403)
    assert b"EDU_UI_URL" in body["body"]
