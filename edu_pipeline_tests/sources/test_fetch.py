"""Fetching a source: what becomes a release, and what is not even downloaded because nothing has changed.

Belongs here: plain URLs and files from an operator. Does not belong here: the HTTP (``test_download.py``), which URL a
file has (``test_origins.py``), a directory (``test_directory.py``).
"""

from __future__ import annotations

import gzip
import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from upath import UPath
from werkzeug import Request, Response

from edu_pipeline.errors import (
    ArchiveUnusable,
    DownloadFailed,
    DownloadRefused,
    FileInvalid,
    PublisherUnavailable,
    ReleaseDamaged,
    SourceMissing,
)
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import Fetched, fetch, fetch_if_any
from edu_pipeline_tests.a_source import a_source
from edu_pipeline_tests.sources.fetching import CSV, CSV_2, PLAIN, Get, content, in_archive, requests_of

# --- plain URLs


def test_the_mirror_is_asked_under_the_publishers_host(httpserver: HTTPServer, archive: Archive, get: Get) -> None:
    httpserver.expect_request("/www.insee.fr/f/communes.csv").respond_with_data(
        CSV, headers={"Last-Modified": "Fri, 20 Nov 2026 08:00:00 GMT"}
    )
    fetched = get(PLAIN)
    assert fetched.new
    assert content(archive, fetched.release) == CSV
    (file,) = fetched.release.files
    assert (file.name, file.url) == ("communes.csv", "https://www.insee.fr/f/communes.csv")
    assert file.final_url == httpserver.url_for("/www.insee.fr/f/communes.csv")
    assert file.mirror == httpserver.url_for("").rstrip("/")
    assert fetched.release.published_at == datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    assert in_archive(archive) == [fetched.release.id]


def test_an_unchanged_file_is_no_new_release(httpserver: HTTPServer, get: Get) -> None:
    def answer(request: Request) -> Response:
        unchanged = request.headers.get("If-None-Match") == '"v1"'
        return Response(status=304) if unchanged else Response(CSV, headers={"ETag": '"v1"'})

    httpserver.expect_request("/www.insee.fr/f/communes.csv").respond_with_handler(answer)
    first = get(PLAIN)
    assert get(PLAIN) == Fetched(first.release, new=False)
    assert [response.status_code for _, response in httpserver.log] == [200, 304]


def test_the_same_content_with_a_new_etag_is_downloaded_once(
    httpserver: HTTPServer, archive: Archive, get: Get
) -> None:
    etag = '"v1"'

    def answer(request: Request) -> Response:
        unchanged = request.headers.get("If-None-Match") == etag
        return Response(status=304) if unchanged else Response(CSV, headers={"ETag": etag})

    httpserver.expect_request("/www.insee.fr/f/communes.csv").respond_with_handler(answer)
    first = get(PLAIN)
    etag = '"v2"'
    for _ in range(3):
        assert get(PLAIN) == Fetched(first.release, new=False)
    assert [response.status_code for _, response in httpserver.log] == [200, 200, 304, 304]
    assert archive.releases("a-source") == [first.release]


def test_dates_of_a_mirror_are_not_sent_to_the_publisher(httpserver: HTTPServer, archive: Archive, get: Get) -> None:
    httpserver.expect_request("/other/www.insee.fr/f/communes.csv").respond_with_data(CSV, headers={"ETag": '"v1"'})
    httpserver.expect_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV_2, headers={"ETag": '"v1"'})
    fetch(PLAIN, archive, httpserver.url_for("/other"))
    assert get(PLAIN).new
    assert "If-None-Match" not in httpserver.log[-1][0].headers


def test_one_changed_file_of_two_makes_a_release_with_both(httpserver: HTTPServer, archive: Archive, get: Get) -> None:
    source = a_source(a={"url": "https://www.insee.fr/1/full.csv"}, b={"url": "https://www.insee.fr/2/full.csv"})
    contents = {"1": CSV, "2": b"b;c\n1;2\n"}

    def answer(request: Request) -> Response:
        body = contents[request.path.split("/")[2]]
        tag = f'"{hash(body)}"'
        return (
            Response(status=304)
            if request.headers.get("If-None-Match") == tag
            else Response(body, headers={"ETag": tag})
        )

    for part in contents:
        httpserver.expect_request(f"/www.insee.fr/{part}/full.csv").respond_with_handler(answer)
    first = get(source).release
    assert first.parts == {"a": "full.csv", "b": "b-full.csv"}
    contents["1"] = CSV_2
    second = get(source)
    assert second.new
    assert second.release.parts == first.parts
    assert content(archive, second.release, "a") == CSV_2
    assert content(archive, second.release, "b") == contents["2"] == content(archive, first, "b")
    assert [response.status_code for _, response in httpserver.log] == [200, 200, 200, 304]
    assert get(source) == Fetched(second.release, new=False)


def test_a_damaged_file_is_not_carried_into_a_new_release(httpserver: HTTPServer, archive: Archive, get: Get) -> None:
    def answer(request: Request) -> Response:
        return Response(status=304) if "If-None-Match" in request.headers else Response(CSV, headers={"ETag": '"1"'})

    source = a_source(a={"url": "https://www.insee.fr/a.csv"}, b={"url": "https://www.insee.fr/b.csv"})
    httpserver.expect_request("/www.insee.fr/a.csv").respond_with_handler(answer)
    httpserver.expect_oneshot_request("/www.insee.fr/b.csv").respond_with_data(CSV)
    httpserver.expect_request("/www.insee.fr/b.csv").respond_with_data(CSV_2)
    release = get(source).release
    release.path(release.files[0]).write_bytes(b"damaged")
    with pytest.raises(ReleaseDamaged):
        get(source)
    assert in_archive(archive) == [".content", release.id]


def test_parts_with_one_url_are_downloaded_once(httpserver: HTTPServer, get: Get) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("com.csv", CSV)
        packed.writestr("bv.csv", CSV_2)
    httpserver.expect_request("/www.insee.fr/filosofi_CSV.zip").respond_with_data(out.getvalue())
    url = "https://www.insee.fr/filosofi_CSV.zip"
    source = a_source(main={"url": url, "member": r"com\.csv"}, bv={"url": url, "member": r"bv\.csv"})
    fetched = get(source)
    assert fetched.release.parts == {"main": "filosofi_CSV.zip", "bv": "filosofi_CSV.zip"}
    assert requests_of(httpserver) == ["GET /www.insee.fr/filosofi_CSV.zip"]


def test_a_part_added_to_the_catalogue_makes_a_new_release(httpserver: HTTPServer, get: Get) -> None:
    httpserver.expect_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV)
    first = get(PLAIN).release
    url = "https://www.insee.fr/f/communes.csv"
    second = get(a_source(main={"url": url}, zones={"url": url}))
    assert second.release.sha256 == first.sha256
    assert second.release.id == first.id or second.new  # within one second the name is the same


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"Content-Disposition": 'attachment; filename="../../etc/passwd.csv"'}, "passwd.csv"),
        ({"Content-Disposition": 'attachment; filename="..\\\\..\\\\f.csv"'}, "f.csv"),
        ({"Content-Disposition": 'attachment; filename=".bashrc"'}, "bashrc.csv"),
        ({"Content-Disposition": "attachment; filename*=UTF-8''..%2F%00a%0Ab.csv"}, "_a_b.csv"),
        ({"Content-Disposition": 'attachment; filename="release.json"'}, "main-release.json"),
        ({"Content-Disposition": 'attachment; filename=".."'}, "main.csv"),
        ({}, "communes.csv"),
    ],
)
def test_a_name_cannot_leave_the_folder(
    httpserver: HTTPServer, archive: Archive, get: Get, headers: dict[str, str], name: str
) -> None:
    httpserver.expect_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV, headers=headers)
    is_json = name.endswith(".json")
    if is_json:
        httpserver.clear()
        httpserver.expect_request("/www.insee.fr/f/communes.csv").respond_with_data("[]", headers=headers)
    release = get(PLAIN).release
    assert [file.name for file in release.files] == [name]
    assert sorted(path.name for path in release.folder.iterdir()) == sorted([name, "release.json"])
    assert content(archive, release) == (b"[]" if is_json else CSV)


def test_a_name_without_suffix_gets_one(httpserver: HTTPServer, get: Get) -> None:
    httpserver.expect_request("/geo.api.gouv.fr/communes", query_string="fields=nom,code").respond_with_data("[]")
    source = a_source(main={"url": "https://geo.api.gouv.fr/communes?fields=nom,code", "format": "json"})
    (file,) = get(source).release.files
    assert file.name == "communes.json"


def test_an_error_page_becomes_no_release(httpserver: HTTPServer, archive: Archive, get: Get) -> None:
    httpserver.expect_ordered_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV)
    httpserver.expect_ordered_request("/www.insee.fr/f/communes.csv").respond_with_data("<html>En maintenance</html>")
    release = get(PLAIN).release
    with pytest.raises(
        FileInvalid,
        match=r"a-source, http://localhost:\d+/www.insee.fr/f/communes.csv, file communes.csv: .*En maintenance",
    ):
        get(PLAIN)
    assert archive.newest("a-source") == release
    assert in_archive(archive) == [release.id]


def test_a_truncated_gzip_becomes_no_release(httpserver: HTTPServer, archive: Archive, get: Get) -> None:
    httpserver.expect_request("/www.insee.fr/full.csv.gz").respond_with_data(gzip.compress(CSV * 1000)[:-20])
    with pytest.raises(FileInvalid, match="cut off or damaged"):
        get(a_source(main={"url": "https://www.insee.fr/full.csv.gz"}))
    assert in_archive(archive) == []


def test_a_missing_file_fails_and_an_optional_one_is_left_out(
    httpserver: HTTPServer, get: Get, caplog: pytest.LogCaptureFixture
) -> None:
    httpserver.expect_request("/www.insee.fr/a.csv").respond_with_data(CSV)
    httpserver.expect_request("/www.insee.fr/b.csv").respond_with_data("introuvable", status=404)
    urls = {part: {"url": f"https://www.insee.fr/{part}.csv"} for part in ("a", "b")}
    with pytest.raises(DownloadFailed, match=r"a-source \(b\): .*HTTP status 404"):
        get(a_source(**urls))
    caplog.set_level("INFO", logger="edu_pipeline")
    assert get(a_source(a=urls["a"], b={**urls["b"], "optional": True})).release.parts == {"a": "a.csv"}
    assert "a-source (b): optional and left out" in caplog.text


@pytest.mark.parametrize(("status", "failure"), [(403, DownloadFailed), (503, PublisherUnavailable)])
def test_an_optional_file_is_not_left_out_for_another_reason(
    httpserver: HTTPServer, get: Get, status: int, failure: type[Exception]
) -> None:
    httpserver.expect_request("/www.insee.fr/a.csv").respond_with_data(CSV)
    httpserver.expect_request("/www.insee.fr/b.csv").respond_with_data("", status=status)
    with pytest.raises(failure):
        get(
            a_source(a={"url": "https://www.insee.fr/a.csv"}, b={"url": "https://www.insee.fr/b.csv", "optional": True})
        )


def test_an_optional_source_that_is_gone_is_no_failure(httpserver: HTTPServer, archive: Archive) -> None:
    optional = a_source(a={"url": "https://www.insee.fr/a.csv", "optional": True})
    httpserver.expect_oneshot_request("/www.insee.fr/a.csv").respond_with_data("", status=404)
    assert fetch_if_any(optional, archive, httpserver.url_for("")) is None
    httpserver.expect_oneshot_request("/www.insee.fr/a.csv").respond_with_data("", status=403)
    with pytest.raises(DownloadFailed, match="403"):
        fetch_if_any(optional, archive, httpserver.url_for(""))


def test_a_plain_http_url_of_the_catalogue_is_refused(get: Get) -> None:
    with pytest.raises(DownloadRefused, match="expected an https URL"):
        get(a_source(main={"url": "http://osm13.openstreetmap.fr/communes.csv"}))


def test_the_size_limit_is_the_catalogues(httpserver: HTTPServer, archive: Archive, get: Get) -> None:
    httpserver.expect_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV)
    with pytest.raises(DownloadRefused, match="expected at most 5 bytes"):
        get(a_source(main={"url": "https://www.insee.fr/f/communes.csv", "max_bytes": 5}))
    assert in_archive(archive) == []


def test_a_bucket_can_be_the_archive(httpserver: HTTPServer, tmp_path: Path) -> None:
    archive = Archive(UPath(f"memory://{tmp_path.name}-{httpserver.port}"))
    httpserver.expect_ordered_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV)
    httpserver.expect_ordered_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV_2)
    mirror = httpserver.url_for("").rstrip("/")
    first, second = fetch(PLAIN, archive, mirror), fetch(PLAIN, archive, mirror)
    assert (first.new, second.new) == (True, True)
    assert content(archive, second.release) == CSV_2
    assert archive.releases("a-source") == [first.release, second.release]


def test_an_archive_without_room_says_so(httpserver: HTTPServer, get: Get, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    httpserver.expect_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV)
    monkeypatch.setattr("edu_pipeline.sources.download._write_body", full)
    with pytest.raises(ArchiveUnusable, match="No space left on device"):
        get(PLAIN)


# --- files from an operator


def test_a_file_from_an_operator_says_where_to_put_it(archive: Archive) -> None:
    with pytest.raises(SourceMissing) as caught:
        fetch(a_source(main={"supplied": True, "name": r"pcs2003\.csv"}), archive, None)
    assert r"Put it into a folder <directory>/a-source/, under a name that matches 'pcs2003\\.csv'" in str(caught.value)


def test_a_handed_in_file_stays_when_the_publisher_is_asked(
    httpserver: HTTPServer, archive: Archive, directory: Path, get: Get
) -> None:
    workbook = {"supplied": True, "name": r"ival.*\.csv", "optional": True}
    source = a_source(main={"url": "https://www.insee.fr/main.csv", "name": r"main\.csv"}, a=workbook, b=workbook)
    httpserver.expect_request("/www.insee.fr/main.csv").respond_with_data(CSV_2)
    httpserver.expect_request("/supplied/a-source/").respond_with_data("none", status=404)
    (directory / "main.csv").write_bytes(CSV)
    (directory / "ival-2024.csv").write_bytes(b"uai;taux\n")
    handed_in = fetch(source, archive, str(directory.parent)).release
    live = get(source)
    assert live.new
    assert live.release.parts == handed_in.parts == {"main": "main.csv", "a": "ival-2024.csv", "b": "ival-2024.csv"}
    assert content(archive, live.release) == CSV_2
    assert content(archive, live.release, "b") == b"uai;taux\n"
    assert len(live.release.files) == 2


def test_a_mirror_may_have_a_file_that_no_publisher_offers(httpserver: HTTPServer, archive: Archive, get: Get) -> None:
    source = a_source(main={"supplied": True, "name": r"pcs\d+\.csv"})
    httpserver.expect_request("/supplied/a-source/").respond_with_json(["lisez-moi.txt", "pcs2003.csv", "pcs2020.csv"])
    httpserver.expect_request("/supplied/a-source/pcs2020.csv").respond_with_data(CSV)
    release = get(source).release
    assert content(archive, release) == CSV
    assert release.parts == {"main": "pcs2020.csv"}
    assert not release.invented


def test_files_of_the_sample_publisher_are_marked_as_invented(
    httpserver: HTTPServer, archive: Archive, get: Get
) -> None:
    source = a_source(main={"url": "https://www.insee.fr/main.csv"})
    httpserver.expect_request("/www.insee.fr/main.csv").respond_with_data(CSV, headers={"X-Invented-Data": "yes"})
    assert get(source).release.invented
    newest = archive.newest("a-source")
    assert newest and newest.invented


def test_a_source_that_is_only_handed_in_needs_no_network(archive: Archive, directory: Path) -> None:
    (directory / "pcs.csv").write_bytes(CSV)
    source = a_source(main={"supplied": True})
    release = fetch(source, archive, str(directory.parent)).release
    assert fetch(source, archive, None) == Fetched(release, new=False)
