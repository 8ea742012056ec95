"""Files that are refused before they become a release, and what is remembered of them.

Belongs here: fetching a source whose file is bad. Does not belong here: what is bad (``test_soundness.py``).
"""

from __future__ import annotations

import errno
import gzip
import shutil
from pathlib import Path

import polars as pl
import pytest
from pytest_httpserver import HTTPServer
from upath import UPath
from werkzeug import Request, Response

from edu_pipeline.errors import FileInvalid, MemberMissing, StillRefused
from edu_pipeline.sources import admission, copies, readers
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import Fetched, fetch, fetch_if_any
from edu_pipeline.sources.probe import Probed, probe
from edu_pipeline_tests.a_source import a_source
from edu_pipeline_tests.sources.fetching import CSV, CSV_2, PLAIN, Get, in_archive

PAGE = b"<!doctype html><title>En maintenance</title>"
JSON = a_source(main={"url": "https://www.insee.fr/f/communes.json", "format": "json", "name": r".*\.json"})


class Publisher:
    """A publisher with one file, whose ETag changes with the content."""

    def __init__(self, server: HTTPServer, path: str = "/www.insee.fr/f/communes.csv") -> None:
        self.content, self.has_etag = CSV, True
        server.expect_request(path).respond_with_handler(self._answer)

    def _answer(self, request: Request) -> Response:
        etag = f'"{hash(self.content)}"' if self.has_etag else ""
        if self.has_etag and request.headers.get("If-None-Match") == etag:
            return Response(status=304)
        return Response(self.content, headers={"ETag": etag} if etag else {})


@pytest.fixture
def publisher(httpserver: HTTPServer) -> Publisher:
    return Publisher(httpserver)


def test_a_refused_file_is_not_downloaded_again(
    httpserver: HTTPServer, publisher: Publisher, archive: Archive, get: Get
) -> None:
    first = get(PLAIN).release
    publisher.content = PAGE
    with pytest.raises(FileInvalid, match="an HTML page") as refused:
        get(PLAIN)
    assert not isinstance(refused.value, StillRefused)
    for _ in range(2):
        with pytest.raises(StillRefused, match=r"an HTML page.* The publisher still has the file that was refused"):
            get(PLAIN)
    assert [response.status_code for _, response in httpserver.log] == [200, 200, 304, 304]
    assert archive.newest("a-source") == first


def test_a_refused_file_is_reported_once(httpserver: HTTPServer, publisher: Publisher, archive: Archive) -> None:
    mirror = httpserver.url_for("").rstrip("/")
    first = fetch_if_any(PLAIN, archive, mirror)
    publisher.content = PAGE
    with pytest.raises(FileInvalid):
        fetch_if_any(PLAIN, archive, mirror)
    assert first is not None
    assert fetch_if_any(PLAIN, archive, mirror) == Fetched(first.release, new=False)


def test_without_an_etag_the_content_is_recognised(publisher: Publisher, archive: Archive, get: Get) -> None:
    publisher.has_etag, publisher.content = False, PAGE
    with pytest.raises(FileInvalid):
        get(PLAIN)
    with pytest.raises(StillRefused):
        get(PLAIN)
    assert len(archive.refusals("a-source")) == 1


def test_a_good_file_is_taken_and_refusals_are_forgotten(publisher: Publisher, archive: Archive, get: Get) -> None:
    publisher.content = PAGE
    with pytest.raises(FileInvalid):
        get(PLAIN)
    publisher.content = CSV_2
    assert get(PLAIN).new
    assert archive.refusals("a-source") == []


def test_the_previous_file_published_again_is_no_new_release(publisher: Publisher, archive: Archive, get: Get) -> None:
    first = get(PLAIN).release
    publisher.content = PAGE
    with pytest.raises(FileInvalid):
        get(PLAIN)
    publisher.content = CSV
    assert get(PLAIN) == Fetched(first, new=False)
    assert archive.refusals("a-source") == []


def test_again_tries_a_refused_file(publisher: Publisher, get: Get) -> None:
    publisher.content = PAGE
    for _ in range(2):
        with pytest.raises(FileInvalid) as caught:
            get(PLAIN, again=True)
        assert not isinstance(caught.value, StillRefused)


def test_new_code_tries_a_refused_file(
    httpserver: HTTPServer, publisher: Publisher, archive: Archive, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    def probed(known: dict[str, str]) -> Probed:
        return probe([PLAIN], archive, httpserver.url_for("").rstrip("/"), known)["a-source"]

    get(PLAIN)
    publisher.content = PAGE
    with pytest.raises(FileInvalid):
        get(PLAIN)
    known = {"a-source": probed({}).version}
    assert not probed(known).changed
    monkeypatch.setattr(admission, "_code", lambda: "other code")
    assert probed(known).changed
    with pytest.raises(FileInvalid) as caught:
        get(PLAIN)
    assert not isinstance(caught.value, StillRefused)


def test_a_file_that_its_reader_cannot_read_is_refused(httpserver: HTTPServer, archive: Archive, get: Get) -> None:
    publisher = Publisher(httpserver, "/www.insee.fr/f/communes.json")
    publisher.content = b'[{"code": "01001"}, {"code": ]'
    with pytest.raises(FileInvalid, match="does not parse"):
        get(JSON)
    assert archive.newest("a-source") is None


def test_parquet_with_damaged_rows_is_refused(
    archive: Archive, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end, which says what is where, is whole. Polars, whose process may end over such a file, does not get it."""
    source = a_source(main={"url": "https://www.insee.fr/f.parquet", "format": "parquet", "name": r"f\.parquet"})
    path = directory / "f.parquet"
    pl.DataFrame({"code": [f"{number:05}" for number in range(50_000)]}).write_parquet(path)
    content = bytearray(path.read_bytes())
    content[1_000:3_000] = bytes(2_000)
    path.write_bytes(content)
    assert pl.scan_parquet(path).collect_schema().names() == ["code"]
    monkeypatch.setattr(pl, "scan_parquet", lambda path: pytest.fail("it was read by polars"))
    with pytest.raises(FileInvalid, match=r"file f\.parquet: expected parquet"):
        fetch(source, archive, str(directory.parent))
    assert archive.newest("a-source") is None


@pytest.mark.parametrize("name", ["f.geojson", "f.geojson.gz"])
def test_geojson_that_its_reader_cannot_read_is_refused(archive: Archive, directory: Path, name: str) -> None:
    """Both ends are right, and a feature in the middle is not."""
    source = a_source(main={"url": f"https://www.insee.fr/{name}", "format": "geojson", "name": r"f\.geojson(\.gz)?"})
    content = b'{"type": "FeatureCollection", "features": [{"type": "Feature", "geometry": [}]}'
    (directory / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    with pytest.raises(FileInvalid, match=r"file f\.geojson.*does not parse"):
        fetch(source, archive, str(directory.parent))
    assert archive.newest("a-source") is None


def test_of_huge_geojson_only_the_ends_are_checked(
    archive: Archive, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "LARGEST_GEOJSON", 10)
    source = a_source(main={"url": "https://www.insee.fr/f.geojson", "format": "geojson", "name": r"f\.geojson"})
    (directory / "f.geojson").write_bytes(b'{"type": "FeatureCollection", "features": [}]}')
    assert fetch(source, archive, str(directory.parent)).new


def test_an_archive_without_the_member_is_refused(archive: Archive, directory: Path) -> None:
    source = a_source(main={"url": "https://www.insee.fr/f.zip", "member": r"rows\.csv", "name": r"f\.zip"})
    shutil.make_archive(str(directory / "f"), "zip", root_dir=Path(__file__).parent, base_dir="conftest.py")
    with pytest.raises(MemberMissing):
        fetch(source, archive, str(directory.parent))
    with pytest.raises(StillRefused, match="expected a member"):
        fetch(source, archive, str(directory.parent))


def test_a_bucket_remembers_refused_files(directory: Path) -> None:
    archive = Archive(UPath("memory://test-of-refusals"))
    (directory / "f.csv").write_bytes(PAGE)
    for error in (FileInvalid, StillRefused):
        with pytest.raises(error):
            fetch(PLAIN, archive, str(directory.parent))
    (directory / "f.csv").write_bytes(CSV)
    assert fetch(PLAIN, archive, str(directory.parent)).new
    assert archive.refusals("a-source") == []


def test_nothing_of_a_refused_file_stays_in_the_archive(archive: Archive, directory: Path) -> None:
    (directory / "f.csv").write_bytes(PAGE)
    with pytest.raises(FileInvalid):
        fetch(PLAIN, archive, str(directory.parent))
    assert in_archive(archive) == []


def test_a_large_file_is_read_once_for_admission_and_load(
    publisher: Publisher, archive: Archive, get: Get, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copies, "LARGE", 0)
    assert publisher.content == CSV
    release = get(PLAIN).release
    (received,), (file,) = release.files, PLAIN.files.values()
    expected = readers.read(archive.local(release, received), file, tmp_path, "a test").frame.collect()
    monkeypatch.delattr(readers, "read")
    assert copies.read(archive, release, received, file, tmp_path, "a test").frame.collect().equals(expected)


@pytest.mark.usefixtures("publisher")
def test_a_full_disk_refuses_no_file(archive: Archive, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its copy a file is read again by the load."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(copies, "LARGE", 0)
    monkeypatch.setattr(copies, "write", full)
    assert get(PLAIN).new
    assert archive.refusals("a-source") == []
