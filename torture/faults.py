"""What a publisher can do wrong: each fault stops the load with one text and one alert, or loads what was meant.

Belongs here: the faults, and what must hold for each. Does not belong here: the publisher that misbehaves
(`edu_pipeline/sample`), the ground (`ground.py`).
"""

from __future__ import annotations

import gzip
import io
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from rich.console import Console

from edu_pipeline.cli import runs
from edu_pipeline.database.connection import target
from edu_pipeline.loading.load import Options
from edu_pipeline.sample.answers import Answer, Request
from edu_pipeline.sample.hosts import Hosts
from edu_pipeline.sample.misbehaviour import PAGE, Misbehaviour, altered
from edu_pipeline.sample.server import SampleServer, serving
from edu_pipeline.sample.shelf import Shelf
from edu_pipeline.settings import settings
from edu_pipeline.sources.policy import READ_SECONDS
from torture.ground import LONGEST, Ground

SOURCE, TABLE = "dvf-indicateurs-communes", "mutations_immo_latest"
TOO_LARGE = 10**12
KILOBYTE = 1_000
SILENCE = 4 * READ_SECONDS
"""Seconds for which a publisher stops in the middle of a file."""


@dataclass(frozen=True)
class Fault:
    """A fault of a publisher.

    Attributes:
        alter: from the answer for the file to a wrong one; the number of the request, from 1, is given too.
        loads: whether a load is right all the same: what is wrong passes, or is only a matter of form.
    """

    alter: Callable[[Answer, int], Answer]
    loads: bool = False


def content(change: Callable[[bytes], bytes], loads: bool = False) -> Fault:
    """A file with another content, sent as it should be."""
    return Fault(lambda answer, _: Answer(answer.status, _without_length(answer), change(received(answer))), loads)


def status(number: int, times: int = 10**6, **headers: str) -> Fault:
    """An error in place of the file, for the first so many requests."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}

    def alter(answer: Answer, request: int) -> Answer:
        return Answer(number, named, b"{}") if request <= times else answer

    return Fault(alter, loads=times < 5)


def received(answer: Answer) -> bytes:
    """The whole body of an answer; an open file is closed."""
    if isinstance(answer.body, bytes):
        return answer.body
    if isinstance(answer.body, io.BufferedReader):
        with answer.body as stream:
            return stream.read()
    return b"".join(answer.body)


def _without_length(answer: Answer) -> dict[str, str]:
    return {name: text for name, text in answer.headers.items() if name.lower() not in ("content-length", "etag")}


def _cut(answer: Answer, _: int) -> Answer:
    """The first half, of the length of the whole by its header; then the connection is closed."""
    body = received(answer)
    return Answer(200, _closing(answer, len(body)), body[: len(body) // 2])


def _announced_too_large(answer: Answer, _: int) -> Answer:
    received(answer)
    return Answer(200, _closing(answer, TOO_LARGE), b"")


def _changing(answer: Answer, request: int) -> Answer:
    """Cut twice, as a server does whose file is replaced while it sends it; then whole."""
    return _cut(answer, request) if request <= 2 else answer


def _closing(answer: Answer, length: int) -> dict[str, str]:
    return _without_length(answer) | {"Content-Length": str(length), "Connection": "close"}


def _sent(pieces: Callable[[bytes], Iterator[bytes]], loads: bool = False, times: int = 10**6) -> Fault:
    """The file in pieces, without its length, for the first so many requests; one of them asks for the headers only."""

    def alter(answer: Answer, request: int) -> Answer:
        headers = _without_length(answer)
        return Answer(answer.status, headers, pieces(received(answer))) if request <= times else answer

    return Fault(alter, loads)


def _dropping(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    raise ConnectionResetError


def _crawling(body: bytes) -> Iterator[bytes]:
    for begin in range(0, len(body), KILOBYTE):
        time.sleep(1)
        yield body[begin : begin + KILOBYTE]


def _stopping(body: bytes) -> Iterator[bytes]:
    yield body[: len(body) // 2]
    time.sleep(SILENCE)
    raise ConnectionResetError


def _lines(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return lambda text: b"\n".join(change(text.rstrip(b"\n").split(b"\n"))) + b"\n"


def _cells(change: Callable[[list[bytes]], list[bytes]]) -> Callable[[bytes], bytes]:
    return _lines(lambda lines: [lines[0], *(b",".join(change(line.split(b","))) for line in lines[1:])])


def _columns(rename: dict[str, str], drop: tuple[str, ...] = ()) -> Callable[[bytes], bytes]:
    return lambda text: altered(text, "file.csv", Misbehaviour(rename=rename, drop=drop))


FAULTS: dict[str, Fault] = {
    "cut in the middle, shorter than its Content-Length": Fault(_cut),
    "cut in the middle of a line": content(lambda text: text[: len(text) // 2] + b'"'),
    "429 without Retry-After": status(429),
    "429 with Retry-After, twice": status(429, 2, Retry_After="1"),
    "503": status(503),
    "500, once": status(500, 1),
    "404": status(404),
    "403": status(403),
    "an HTML page with 200": content(lambda _: PAGE),
    "a JSON error with 200": content(lambda _: json.dumps({"error": "maintenance"}).encode()),
    "a redirect to a private address": status(302, Location="http://169.254.169.254/latest/meta-data/"),
    "a redirect to itself": Fault(lambda answer, _: Answer(302, {"Location": "?again"}, b"")),
    "announced with a terabyte": Fault(_announced_too_large),
    "UTF-16": content(lambda text: text.decode().encode("utf-16")),
    "random bytes": content(lambda text: os.urandom(len(text))),
    "NUL bytes in the middle": content(lambda text: text[: len(text) // 2] + bytes(4_096) + text[len(text) // 2 :]),
    "compressed, under the name of a CSV file": content(lambda text: gzip.compress(text), loads=True),
    "empty": content(lambda _: b""),
    "a header without rows": content(_lines(lambda lines: lines[:1])),
    "a column renamed": content(_columns({"INSEE_COM": "COMMUNE"})),
    "a column gone": content(_columns({}, ("INSEE_COM",))),
    "two columns swapped": content(_cells(lambda cells: [cells[1], cells[0], *cells[2:]])),
    "all values NULL": content(_cells(lambda cells: [b""] * len(cells))),
    "a tenth of the rows": content(_lines(lambda lines: lines[: len(lines) // 10])),
    "no figures, only codes": content(_cells(lambda cells: [*cells[:2], *([b"n/a"] * (len(cells) - 2))])),
    "another delimiter": content(lambda text: text.replace(b",", b";"), loads=True),
    "changing while it is read": Fault(_changing, loads=True),
    "the same file as before, with another date": content(bytes, loads=True),
    "a network that drops, twice": _sent(_dropping, loads=True, times=3),
    "a network that drops": _sent(_dropping),
    "a network that crawls at 1 kB/s": _sent(_crawling, loads=True),
    "a network that stops in mid-file, once": _sent(_stopping, loads=True, times=2),
    "a network that crawls at 1 kB/s, with a large file": _sent(lambda body: _crawling(body * 1_000)),
    "a network that stops in mid-file": _sent(_stopping),
}
"""The last ones take minutes: as long as a download waits for a publisher."""


class Unreliable(Hosts):
    """The sample's publishers, one of which has a fault."""

    def __init__(self, shelf: Shelf) -> None:
        super().__init__(shelf)
        self.fault: Fault | None = None
        self.requests = 0

    def answer(self, request: Request) -> Answer:
        """The answer of a publisher; the file of ``SOURCE`` with the fault."""
        answer = super().answer(request)
        if self.fault is None or self._requested(request) != (SOURCE, True):
            return answer
        self.requests += 1
        return self.fault.alter(answer, self.requests)


@dataclass
class Mailbox:
    """Takes the alerts, which apprise posts as JSON."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    @contextmanager
    def open(self) -> Iterator[str]:
        """Serve until the end of the block; gives the URL for apprise."""
        messages = self.messages

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"json://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            server.server_close()

    def alerts(self) -> list[str]:
        """The texts of the alerts so far, without those that say that something is fixed."""
        return [message["message"] for message in self.messages if message["title"] != "Fixed"]


@dataclass(frozen=True)
class Outcome:
    """What became of a fault: the text (empty if it loaded), and what does not hold."""

    fault: str
    text: str
    problems: tuple[str, ...]


Refresh = Callable[[], dict[str, str]]
"""Refreshes the table; what failed."""


def faults(ground: Ground, names: list[str]) -> Iterator[Outcome]:
    """Let the publisher make each of the faults, and load twice; then let it publish as it should, and load.

    The loads are made in one process, which lives on: Dagster takes long to start. It is not this one, in which Dagster
    would keep signals from the campaign.
    """
    mailbox = Mailbox()
    with (
        mailbox.open() as box,
        serving(Shelf(ground.editions[0])) as server,
        get_context("spawn").Pool(1) as worker,
    ):
        server.hosts = hosts = Unreliable(server.shelf)
        environment = ground.environment | {"EDU_UPSTREAM": server.url, "EDU_ALERT_URLS": box}

        def refresh() -> dict[str, str]:
            return worker.apply_async(_refreshed, [environment]).get(LONGEST)

        refresh()
        for name in names:
            yield _outcome(ground, server, hosts, mailbox, name, refresh)
        worker.close()
        worker.join()


def _outcome(
    ground: Ground, server: SampleServer, hosts: Unreliable, mailbox: Mailbox, name: str, refresh: Refresh
) -> Outcome:
    fault, before, posted = FAULTS[name], ground.content(), len(mailbox.alerts())
    server.shelf.publish(SOURCE)
    hosts.fault, hosts.requests = fault, 0
    first, second = refresh(), refresh()
    after, alerts = ground.content(), mailbox.alerts()[posted:]
    hosts.fault = None
    server.shelf.publish(SOURCE)
    repaired = refresh()
    problems = [f"not repaired by the next release: {repaired}"] if repaired else []
    problems += [f"{len(alerts)} alerts"] if len(alerts) != (0 if fault.loads else 1) else []
    if fault.loads:
        problems += [f"did not load: {text}" for text in first.values()]
    else:
        problems += ["the rows have changed"] if after != before else []
        problems += ["it loaded"] if not first else []
        problems += [f"a text without expectation: {text}" for text in first.values() if ": expected " not in text]
    return Outcome(name, next(iter({**second, **first}.values()), ""), tuple(problems))


def _refreshed(environment: dict[str, str]) -> dict[str, str]:
    """What failed; by name, as an operator does who wants to see it again. In a process of its own."""
    for name in [name for name in os.environ if name.startswith("EDU_")]:
        del os.environ[name]
    os.environ.update(environment)
    settings.cache_clear()
    with Path(os.devnull).open("w") as nowhere:
        console = Console(file=nowhere)
        return runs.refresh(settings(), target(settings()), [TABLE], Options(), console)
