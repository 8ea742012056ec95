"""An archive in a bucket of S3 when something fails half way: what is there is whole, and what is not is not there.

Belongs here: what only a bucket can do wrong. Does not belong here: what every archive does (``test_archive.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import s3fs.core
from pytest_httpserver import HTTPServer
from s3fs import S3FileSystem
from upath import UPath

from edu_pipeline.errors import ArchiveUnusable, PublisherUnavailable
from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline.sources.fetch import fetch
from edu_pipeline.sources.policy import Policy
from edu_pipeline_tests.a_source import a_source
from edu_pipeline_tests.sources.incoming_files import NOON, incoming

SOURCE = "a-source"
LARGE = bytes(11 << 20)
"""More than two parts of an upload, the smallest that S3 takes being 5 MiB."""


@pytest.fixture
def archive(bucket: str) -> Archive:
    """An empty archive in a bucket; an upload sends one part after the other."""
    return Archive(UPath(f"{bucket}/releases", max_concurrency=1))


def store(archive: Archive, contents: dict[str, bytes], days: int = 0) -> Release:
    with archive.workspace(SOURCE) as folder:
        return archive.store(SOURCE, incoming(folder, contents, NOON + timedelta(days=days)))


def keys(archive: Archive) -> list[str]:
    """Everything that is in the bucket, asked anew."""
    return sorted(S3FileSystem(skip_instance_cache=True, use_listings_cache=False).find(archive.root.path))


def fail_at_part(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let uploads be cut into parts of 5 MiB, and one of them fail."""
    call = S3FileSystem._call_s3

    async def failing(self: S3FileSystem, method: str, *args: Any, **kwargs: Any) -> Any:
        if method == "upload_part" and kwargs["PartNumber"] == number:
            raise OSError("connection reset")
        return await call(self, method, *args, **kwargs)

    monkeypatch.setattr(S3FileSystem, "_call_s3", failing)
    monkeypatch.setattr(s3fs.core, "calculate_chunksize", lambda *_, **__: 5 << 20)


@pytest.mark.parametrize("files", [{"main.csv": LARGE}, {"main.csv": LARGE, "other.csv": b"b"}], ids=["one", "several"])
def test_an_upload_that_fails_half_way(
    archive: Archive, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store(archive, {"main.csv": b"a"})
    before = keys(archive)
    with monkeypatch.context() as patch:
        fail_at_part(2, patch)
        with pytest.raises(ArchiveUnusable, match="found OSError: connection reset"):
            store(archive, files, days=1)
    assert keys(archive) == before
    assert archive.root.fs.list_multipart_uploads(archive.root.path.partition("/")[0]) == []
    assert archive.releases(SOURCE) == [first]
    second = store(archive, files, days=1)
    assert archive.newest(SOURCE) == second
    assert archive.local(second, second.files[0]).read_bytes() == LARGE


def test_a_file_that_grew_short_before_its_upload(archive: Archive) -> None:
    with archive.workspace(SOURCE) as folder:
        entry = incoming(folder, {"main.csv": b"the whole file"})
        (path,) = entry.files
        path.write_bytes(b"the whole")
        with pytest.raises(ArchiveUnusable, match="14 bytes were to be stored, 9 were"):
            archive.store(SOURCE, entry)
    assert keys(archive) == [] and archive.releases(SOURCE) == []


def test_a_publisher_that_fails_half_way(
    archive: Archive, httpserver: HTTPServer, raw_server: Callable[[bytes], str]
) -> None:
    httpserver.expect_request("/www.insee.fr/f.csv").respond_with_data(b"a;b\n1;2\n")
    source = a_source(main={"url": "https://www.insee.fr/f.csv"})
    first = fetch(source, archive, httpserver.url_for("").rstrip("/")).release
    before = keys(archive)
    mirror = raw_server(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\na;b\n" + b"3;4\n" * 100)
    with pytest.raises(PublisherUnavailable):
        fetch(source, archive, mirror, policy=Policy(mirror=mirror, sleep=lambda _: None))
    assert keys(archive) == before and archive.newest(SOURCE) == first


def test_what_another_machine_stores_is_seen_at_once(archive: Archive) -> None:
    """Each of the two has a client of its own, as two machines have; one that remembers listings misses the second."""
    other = Archive(UPath(str(archive.root), skip_instance_cache=True))
    assert (archive.newest(SOURCE), other.newest(SOURCE)) == (None, None)
    first = store(archive, {"main.csv": b"a", "other.csv": b"b"})
    assert [release.id for release in other.releases(SOURCE)] == [first.id]
    second = store(other, {"main.csv": b"c", "other.csv": b"b"}, days=1)
    assert [release.id for release in archive.releases(SOURCE)] == [first.id, second.id]
    assert first.stored["other.csv"] == second.stored["other.csv"], "a content is stored once"
    assert archive.local(second, second.files[0]).read_bytes() == b"c"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"endpoint_url": "http://127.0.0.1:1"}, "EndpointConnectionError"),
        ({"profile": "nobody"}, "ProfileNotFound"),
    ],
)
def test_a_bucket_that_cannot_be_reached(bucket: str, options: dict[str, str], found: str) -> None:
    archive = Archive(UPath(bucket, config_kwargs={"retries": {"max_attempts": 1}}, **options))
    archive.root.fs.retries = 1
    with pytest.raises(ArchiveUnusable, match=f"found {found}.* the bucket's address or credentials"):
        archive.newest(SOURCE)


def test_a_bucket_that_does_not_exist(bucket: str) -> None:
    archive = Archive(UPath(f"{bucket}-of-nobody"))
    assert archive.newest(SOURCE) is None
    with pytest.raises(ArchiveUnusable, match="found FileNotFoundError: The specified bucket does not exist"):
        store(archive, {"main.csv": b"a"})
