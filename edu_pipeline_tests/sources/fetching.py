"""Fetching sources in tests: single sources, their content, and what the mirror was asked for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from pytest_httpserver import HTTPServer

from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline.sources.fetch import Fetched
from edu_pipeline_tests.a_source import a_source

TODAY = date(2026, 11, 23)
CSV = b"code;nom\n01004;Amberieu\n"
CSV_2 = b"code;nom\n01004;Amberieu-en-Bugey\n"

PLAIN = a_source(main={"url": "https://www.insee.fr/f/communes.csv"})

Get = Callable[..., Fetched]
"""Fetches a source from the mirror."""


def content(archive: Archive, release: Release, part: str = "main") -> bytes:
    """The bytes of a part of a release."""
    file = release.file(part)
    assert file is not None
    return archive.local(release, file).read_bytes()


def requests_of(httpserver: HTTPServer) -> list[str]:
    """What the mirror was asked for, as ``<method> <path>?<query>``."""
    return [f"{request.method} {request.full_path.rstrip('?')}" for request, _ in httpserver.log]


def in_archive(archive: Archive) -> list[str]:
    """The names of what the archive has of the test's source."""
    return sorted(path.name for path in (archive.root / "a-source").iterdir())
