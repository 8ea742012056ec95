"""What the tests of sources share: a mirror that plays the publishers, and a directory that stands in for them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from edu_pipeline.catalogue import Source
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import Fetched, fetch
from edu_pipeline.sources.policy import Policy
from edu_pipeline_tests.sources.fetching import TODAY, Get


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """The folder of the test's source in a directory that stands in for the publishers."""
    folder = tmp_path / "upstream" / "a-source"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def waits() -> list[float]:
    """The seconds of every wait between two tries; nothing sleeps."""
    return []


@pytest.fixture
def get(httpserver: HTTPServer, archive: Archive, waits: list[float]) -> Get:
    """Fetches a source from the mirror."""

    def from_mirror(source: Source, **changes: Any) -> Fetched:
        upstream = httpserver.url_for("").rstrip("/")
        return fetch(source, archive, upstream, **{"policy": Policy(sleep=waits.append), "today": TODAY, **changes})

    return from_mirror


@pytest.fixture
def policy(httpserver: HTTPServer, waits: list[float]) -> Policy:
    """The mirror in place of the publishers."""
    return Policy(mirror=httpserver.url_for("").rstrip("/"), sleep=waits.append)


@pytest.fixture
def into(tmp_path: Path) -> Path:
    """The path of a download, the only file in its folder."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    return folder / "received"


@pytest.fixture
def raw_server() -> Iterator[Callable[[bytes], str]]:
    """Starts a server that sends the same bytes to whoever asks, and hangs up; returns its URL."""
    listening: list[socket.socket] = []

    def start(answer: bytes) -> str:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        return f"http://127.0.0.1:{server.getsockname()[1]}"

    yield start
    for server in listening:
        server.shutdown(socket.SHUT_RDWR)
        server.close()
