"""Fixtures that the tests of the sample's server share: the small sample of `small_sample.py`, served."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from edu_pipeline.sample.server import SampleServer, serving
from edu_pipeline.sample.shelf import Shelf
from edu_pipeline_tests.sample.small_sample import BROWSER, TIMEOUT, Get, make_small, small_shelf


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small sample directory."""
    folder = tmp_path / "sample"
    make_small(folder)
    return folder


@pytest.fixture
def shelf(folder: Path) -> Shelf:
    """The small sample's shelf."""
    return small_shelf(folder)


@pytest.fixture
def server(shelf: Shelf) -> Iterator[SampleServer]:
    """A server over the small sample."""
    with serving(shelf) as running:
        yield running


@pytest.fixture
def get(server: SampleServer) -> Get:
    """Sends a GET request to the server, as a browser, without following redirects."""

    def send(path: str, **options: Any) -> requests.Response:
        options = {"headers": BROWSER, **options}
        return requests.get(f"{server.url}/{path}", timeout=TIMEOUT, allow_redirects=False, **options)

    return send
