"""One small site for all tests, and a browser on it: built once, served below a path, with nothing from elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import ConsoleMessage, Page, Request, Route
from upath import UPath

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.errors import SettingInvalid, SiteFailed
from edu_pipeline.settings import PROJECT
from edu_pipeline.site import javascript
from edu_pipeline.site.build import build
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.browsing import browser_at, page_in
from edu_pipeline_tests.export import country
from edu_pipeline_tests.servers import new_database
from edu_pipeline_tests.site.communes import put_communes
from edu_pipeline_tests.site.land import put_land

CACHE = PROJECT / "build" / "javascript"

PATIENCE = 60_000
"""Milliseconds after which something that a page does not show never will; it is usually there within one second."""


@pytest.fixture(scope="session")
def packages() -> Path:
    """The folder of the JavaScript packages; without them, the test is skipped."""
    try:
        return javascript.packages(CACHE)
    except (SettingInvalid, SiteFailed) as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def published(cluster: Cluster, template: str) -> Iterator[Database]:
    """The database that the site is about."""
    with new_database(cluster, template) as name:
        database = Database(cluster.url(name), "educational_data")
        country.fill(database)
        put_land(database)
        put_communes(database)
        yield database


@pytest.fixture(scope="session")
def site(published: Database, packages: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a site, in ``below/a/path`` of a folder that has nothing else."""
    folder = tmp_path_factory.mktemp("served") / "below" / "a" / "path"
    build(published, Archive(UPath(tmp_path_factory.mktemp("archive"))), folder, CACHE)
    return folder


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@dataclass(frozen=True)
class Reader:
    """Somebody who reads the site.

    Attributes:
        page: the page that is open.
        problems: errors in its console, and what it asked of other hosts or paths.
    """

    page: Page
    problems: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        """The page at ``path`` below the site."""
        self.page.goto(path)
        return self.page


@pytest.fixture(scope="module")
def reader(site: Path) -> Iterator[Reader]:
    """A reader of the site, the same for all tests of a module."""
    handler = partial(_Quiet, directory=str(site.parents[2]))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    with browser_at(f"{address}/below/a/path/", PATIENCE) as browser, page_in(browser) as page:
        reader = Reader(page)

        def within(route: Route, request: Request) -> None:
            if request.url.startswith((f"{address}/below/a/path/", "blob:", "data:")):
                route.continue_()
            else:
                reader.problems.append(f"asked for {request.url}")
                route.abort()

        page.route("**", within)
        page.on("console", lambda message: _note(reader, message))
        page.on("pageerror", lambda error: reader.problems.append(str(error)))
        yield reader
    server.shutdown()


def _note(reader: Reader, message: ConsoleMessage) -> None:
    if message.type == "error":
        reader.problems.append(message.text)
