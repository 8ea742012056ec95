"""Fetching a source: from the publishers (played by a mirror), from a directory, and not at all if nothing changed.

Belongs here: which URLs are asked for and what becomes a release. Does not belong here: the HTTP of it.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from upath import UPath
from werkzeug import Request, Response

from edu_pipeline.catalogue import Source, catalogue
from edu_pipeline.errors import (
    ArchiveUnusable,
    DownloadFailed,
    DownloadRefused,
    FileInvalid,
    PublisherUnavailable,
    ReleaseDamaged,
    SourceMissing,
)
from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline.sources.download import Policy
from edu_pipeline.sources.fetch import Fetched, fetch
from edu_pipeline_tests.a_source import a_source
from edu_pipeline_tests.real_files import real_file, upstream

TODAY = date(2026, 11, 23)
CSV = b"code;nom\n01004;Amberieu\n"
CSV_2 = b"code;nom\n01004;Amberieu-en-Bugey\n"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(UPath(tmp_path / "archive"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "upstream" / "a-source"
    folder.mkdir(parents=True)
    return folder


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
def get(httpserver: HTTPServer, archive: Archive, slept: list[float]) -> Callable[..., Fetched]:
    """Fetches a source from the mirror."""

    def from_mirror(source: Source, **changes: Any) -> Fetched:
        upstream = httpserver.url_for("").rstrip("/")
        return fetch(source, archive, upstream, **{"policy": Policy(sleep=slept.append), "today": TODAY, **changes})

    return from_mirror


PLAIN = a_source(main={"url": "https://www.insee.fr/f/communes.csv"})
EXPORT = a_source(main={"opendatasoft": {"portal": "data.education.gouv.fr", "dataset": "annuaire"}})
BASE = "/data.education.gouv.fr/api/explore/v2.1/catalog/datasets/annuaire"


def content(archive: Archive, release: Release, part: str = "main") -> bytes:
    file = release.file(part)
    assert file is not None
    return archive.local(release, file).read_bytes()


def asked(httpserver: HTTPServer) -> list[str]:
    return [f"{request.method} {request.full_path.rstrip('?')}" for request, _ in httpserver.log]


def in_archive(archive: Archive) -> list[str]:
    return [path.name for path in (archive.root / "a-source").iterdir()]


# --- a directory that stands in for the publishers


def test_a_directory_gives_the_greatest_name_that_matches_fully(archive: Archive, directory: Path) -> None:
    for name in ("dvf2023.csv", "dvf2024.csv", "dvf2025.csv.bak", "old-dvf2026.csv", ".dvf2027.csv"):
        (directory / name).write_bytes(CSV + name.encode())
    source = a_source(main={"name": r"\.?dvf\d{4}\.csv", "url": "https://example.org/dvf.csv"})
    fetched = fetch(source, archive, str(directory.parent))
    assert fetched.new
    assert content(archive, fetched.release) == CSV + b"dvf2024.csv"
    (file,) = fetched.release.files
    assert file.name == "dvf2024.csv"
    assert file.url == (directory / "dvf2024.csv").as_uri()
    assert fetch(source, archive, str(directory.parent)) == Fetched(fetched.release, new=False)
    assert in_archive(archive) == [fetched.release.id]


def test_a_changed_file_in_the_directory_is_a_new_release(archive: Archive, directory: Path) -> None:
    source = a_source(
        main={"url": "https://example.org/f.csv"}, other={"name": r"o\.json", "supplied": True, "format": "json"}
    )
    (directory / "f.csv").write_bytes(CSV)
    (directory / "o.json").write_bytes(b"[]")
    first = fetch(source, archive, str(directory.parent)).release
    (directory / "o.json").write_bytes(b'[{"a": 1}]')
    second = fetch(source, archive, str(directory.parent))
    assert second.new
    assert (content(archive, first, "other"), content(archive, second.release, "other")) == (b"[]", b'[{"a": 1}]')
    assert content(archive, second.release) == CSV
    assert (directory / "f.csv").read_bytes() == CSV


def test_parts_of_one_file_in_the_directory_share_it(archive: Archive, directory: Path) -> None:
    (directory / "f.csv").write_bytes(CSV)
    source = a_source(a={"supplied": True}, b={"supplied": True})
    release = fetch(source, archive, str(directory.parent)).release
    assert release.parts == {"a": "f.csv", "b": "f.csv"}
    assert len(release.files) == 1


def test_a_missing_part_names_the_pattern_and_what_is_there(archive: Archive, directory: Path) -> None:
    (directory / "communes.txt").write_bytes(CSV)
    with pytest.raises(SourceMissing) as caught:
        fetch(PLAIN, archive, str(directory.parent))
    assert f"expected a file whose name matches '.*\\\\.csv' in {directory}; found communes.txt." in str(caught.value)


def test_an_optional_part_is_left_out(archive: Archive, directory: Path) -> None:
    (directory / "f.csv").write_bytes(CSV)
    source = a_source(main={"supplied": True}, zones={"supplied": True, "name": r"zones\.csv", "optional": True})
    assert fetch(source, archive, str(directory.parent)).release.parts == {"main": "f.csv"}


def test_a_source_with_nothing_but_optional_parts_left_out_is_missing(archive: Archive, directory: Path) -> None:
    source = a_source(main={"supplied": True, "optional": True})
    with pytest.raises(SourceMissing, match="found nothing"):
        fetch(source, archive, str(directory.parent))
    with pytest.raises(SourceMissing, match="none was handed in yet"):
        fetch(source, archive, None)


def test_a_directory_never_sends_us_to_the_publisher(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(
        SourceMissing, match=r"NotInStandIn: a-source: expected a file whose name matches .* found nothing"
    ):
        fetch(PLAIN, archive, str(tmp_path))


def test_what_stands_in_has_to_be_sound_as_well(archive: Archive, directory: Path) -> None:
    (directory / "f.csv").write_bytes(b"<!doctype html>")
    with pytest.raises(FileInvalid, match=r"a-source, .*/f\.csv: expected a csv file; found an HTML page"):
        fetch(PLAIN, archive, str(directory.parent))
    assert in_archive(archive) == []


def test_a_converted_file_stands_in(archive: Archive, directory: Path) -> None:
    (directory / "table.csv").write_bytes(CSV)
    source = a_source(main={"format": "xlsx", "member": r".*\.xlsx", "url": "https://example.org/table.zip"})
    assert fetch(source, archive, str(directory.parent)).new


@pytest.mark.parametrize("source", catalogue().values(), ids=lambda source: source.id)
def test_the_real_files_are_sound(archive: Archive, source: Source) -> None:
    if not (upstream() / source.id).is_dir():
        pytest.skip("no real file of this source")
    if all(real_file(file) is None for file in source.files.values()):
        pytest.skip("no real file of this source in its publisher's form")
    assert fetch(source, archive, str(upstream())).new


# --- plain URLs


def test_the_mirror_is_asked_under_the_publishers_host(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched]
) -> None:
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


def test_an_unchanged_file_is_no_new_release(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    def answer(request: Request) -> Response:
        unchanged = request.headers.get("If-None-Match") == '"v1"'
        return Response(status=304) if unchanged else Response(CSV, headers={"ETag": '"v1"'})

    httpserver.expect_request("/www.insee.fr/f/communes.csv").respond_with_handler(answer)
    first = get(PLAIN)
    assert get(PLAIN) == Fetched(first.release, new=False)
    assert [response.status_code for _, response in httpserver.log] == [200, 304]


def test_the_same_content_under_a_new_etag_is_downloaded_once_more(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched]
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


def test_dates_of_a_mirror_are_not_told_to_the_publisher(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched]
) -> None:
    httpserver.expect_request("/other/www.insee.fr/f/communes.csv").respond_with_data(CSV, headers={"ETag": '"v1"'})
    httpserver.expect_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV_2, headers={"ETag": '"v1"'})
    fetch(PLAIN, archive, httpserver.url_for("/other"))
    assert get(PLAIN).new
    assert "If-None-Match" not in httpserver.log[-1][0].headers


def test_one_changed_file_of_two_makes_a_release_with_both(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched]
) -> None:
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


def test_a_damaged_file_is_not_carried_into_a_new_release(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched]
) -> None:
    def answer(request: Request) -> Response:
        return Response(status=304) if "If-None-Match" in request.headers else Response(CSV, headers={"ETag": '"1"'})

    source = a_source(a={"url": "https://www.insee.fr/a.csv"}, b={"url": "https://www.insee.fr/b.csv"})
    httpserver.expect_request("/www.insee.fr/a.csv").respond_with_handler(answer)
    httpserver.expect_oneshot_request("/www.insee.fr/b.csv").respond_with_data(CSV)
    httpserver.expect_request("/www.insee.fr/b.csv").respond_with_data(CSV_2)
    release = get(source).release
    (release.folder / "a.csv").write_bytes(b"damaged")
    with pytest.raises(ReleaseDamaged):
        get(source)
    assert in_archive(archive) == [release.id]


def test_parts_with_one_url_are_downloaded_once(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("com.csv", CSV)
        packed.writestr("bv.csv", CSV_2)
    httpserver.expect_request("/www.insee.fr/filosofi_CSV.zip").respond_with_data(out.getvalue())
    url = "https://www.insee.fr/filosofi_CSV.zip"
    source = a_source(main={"url": url, "member": r"com\.csv"}, bv={"url": url, "member": r"bv\.csv"})
    fetched = get(source)
    assert fetched.release.parts == {"main": "filosofi_CSV.zip", "bv": "filosofi_CSV.zip"}
    assert asked(httpserver) == ["GET /www.insee.fr/filosofi_CSV.zip"]


def test_a_part_added_to_the_catalogue_makes_a_new_release(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
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
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched], headers: dict[str, str], name: str
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


def test_a_name_without_suffix_gets_one(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    httpserver.expect_request("/geo.api.gouv.fr/communes", query_string="fields=nom,code").respond_with_data("[]")
    source = a_source(main={"url": "https://geo.api.gouv.fr/communes?fields=nom,code", "format": "json"})
    (file,) = get(source).release.files
    assert file.name == "communes.json"


def test_an_error_page_becomes_no_release(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched]
) -> None:
    httpserver.expect_ordered_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV)
    httpserver.expect_ordered_request("/www.insee.fr/f/communes.csv").respond_with_data("<html>En maintenance</html>")
    release = get(PLAIN).release
    with pytest.raises(
        FileInvalid, match=r"a-source, http://localhost:\d+/www.insee.fr/f/communes.csv: .*En maintenance"
    ):
        get(PLAIN)
    assert archive.newest("a-source") == release
    assert in_archive(archive) == [release.id]


def test_a_truncated_gzip_becomes_no_release(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched]
) -> None:
    httpserver.expect_request("/www.insee.fr/full.csv.gz").respond_with_data(gzip.compress(CSV * 1000)[:-20])
    with pytest.raises(FileInvalid, match="cut off or damaged"):
        get(a_source(main={"url": "https://www.insee.fr/full.csv.gz"}))
    assert in_archive(archive) == []


def test_a_missing_file_fails_and_an_optional_one_is_left_out(
    httpserver: HTTPServer, get: Callable[..., Fetched], caplog: pytest.LogCaptureFixture
) -> None:
    httpserver.expect_request("/www.insee.fr/a.csv").respond_with_data(CSV)
    httpserver.expect_request("/www.insee.fr/b.csv").respond_with_data("introuvable", status=404)
    urls = {part: {"url": f"https://www.insee.fr/{part}.csv"} for part in ("a", "b")}
    with pytest.raises(DownloadFailed, match=r"a-source \(b\): .*HTTP status 404"):
        get(a_source(**urls))
    caplog.set_level("INFO", logger="edu_pipeline")
    assert get(a_source(a=urls["a"], b={**urls["b"], "optional": True})).release.parts == {"a": "a.csv"}
    assert "a-source (b): left out, being optional" in caplog.text


@pytest.mark.parametrize(("status", "failure"), [(403, DownloadFailed), (503, PublisherUnavailable)])
def test_an_optional_file_is_not_left_out_for_another_reason(
    httpserver: HTTPServer, get: Callable[..., Fetched], status: int, failure: type[Exception]
) -> None:
    httpserver.expect_request("/www.insee.fr/a.csv").respond_with_data(CSV)
    httpserver.expect_request("/www.insee.fr/b.csv").respond_with_data("", status=status)
    with pytest.raises(failure):
        get(
            a_source(a={"url": "https://www.insee.fr/a.csv"}, b={"url": "https://www.insee.fr/b.csv", "optional": True})
        )


def test_a_plain_http_url_of_the_catalogue_is_refused(get: Callable[..., Fetched]) -> None:
    with pytest.raises(DownloadRefused, match="expected an https URL"):
        get(a_source(main={"url": "http://osm13.openstreetmap.fr/communes.csv"}))


def test_the_size_limit_is_the_catalogues(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched]
) -> None:
    httpserver.expect_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV)
    with pytest.raises(DownloadRefused, match="expected at most 5 bytes"):
        get(a_source(main={"url": "https://www.insee.fr/f/communes.csv", "max_bytes": 5}))
    assert in_archive(archive) == []


def test_a_bucket_is_an_archive_as_well(httpserver: HTTPServer, tmp_path: Path) -> None:
    archive = Archive(UPath(f"memory://{tmp_path.name}-{httpserver.port}"))
    httpserver.expect_ordered_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV)
    httpserver.expect_ordered_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV_2)
    mirror = httpserver.url_for("").rstrip("/")
    first, second = fetch(PLAIN, archive, mirror), fetch(PLAIN, archive, mirror)
    assert (first.new, second.new) == (True, True)
    assert content(archive, second.release) == CSV_2
    assert archive.releases("a-source") == [first.release, second.release]


def test_an_archive_without_room_says_so(
    httpserver: HTTPServer, get: Callable[..., Fetched], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    httpserver.expect_request("/www.insee.fr/f/communes.csv").respond_with_data(CSV)
    monkeypatch.setattr("edu_pipeline.sources.download._stream", full)
    with pytest.raises(ArchiveUnusable, match="No space left on device"):
        get(PLAIN)


# --- what an operator hands in


def test_a_file_to_be_handed_in_says_where_to_put_it(archive: Archive) -> None:
    with pytest.raises(SourceMissing) as caught:
        fetch(a_source(main={"supplied": True, "name": r"pcs2003\.csv"}), archive, None)
    assert r"Put it into a folder <directory>/a-source/, under a name that matches 'pcs2003\\.csv'" in str(caught.value)


def test_what_was_handed_in_stays_when_the_publisher_is_asked(
    httpserver: HTTPServer, archive: Archive, directory: Path, get: Callable[..., Fetched]
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


def test_a_mirror_may_have_what_no_publisher_offers(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched]
) -> None:
    source = a_source(main={"supplied": True, "name": r"pcs\d+\.csv"})
    httpserver.expect_request("/supplied/a-source/").respond_with_json(["lisez-moi.txt", "pcs2003.csv", "pcs2020.csv"])
    httpserver.expect_request("/supplied/a-source/pcs2020.csv").respond_with_data(CSV)
    release = get(source).release
    assert content(archive, release) == CSV
    assert release.parts == {"main": "pcs2020.csv"}
    assert not release.invented


def test_what_the_sample_publisher_sends_is_marked_as_invented(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched]
) -> None:
    source = a_source(main={"url": "https://www.insee.fr/main.csv"})
    httpserver.expect_request("/www.insee.fr/main.csv").respond_with_data(CSV, headers={"X-Invented-Data": "yes"})
    assert get(source).release.invented
    assert archive.newest("a-source").invented  # type: ignore[union-attr]


def test_a_source_that_is_only_handed_in_needs_no_network(archive: Archive, directory: Path) -> None:
    (directory / "pcs.csv").write_bytes(CSV)
    source = a_source(main={"supplied": True})
    release = fetch(source, archive, str(directory.parent)).release
    assert fetch(source, archive, None) == Fetched(release, new=False)


# --- Opendatasoft


def metadata(processed: str | None = "2026-11-20T08:00:00+00:00", count: int = 2, fields: str = "code nom") -> str:
    return json.dumps(
        {
            "dataset_id": "annuaire",
            "fields": [{"name": name, "type": "text"} for name in fields.split()],
            "metas": {"default": {"data_processed": processed, "records_count": count, "modified": "2020-01-01"}},
        }
    )


def test_an_export_is_asked_for_with_machine_names(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched]
) -> None:
    httpserver.expect_request(BASE).respond_with_data(metadata())
    httpserver.expect_request(f"{BASE}/exports/csv").respond_with_data(CSV)
    release = get(EXPORT).release
    assert asked(httpserver) == [f"GET {BASE}", f"GET {BASE}/exports/csv?use_labels=false&delimiter=%3B"]
    assert release.published_at == datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
    (file,) = release.files
    assert file.name == "annuaire.csv"
    assert file.publisher == {
        "data_processed": "2026-11-20T08:00:00+00:00",
        "records_count": 2,
        "fields": ["code", "nom"],
    }
    stored = archive.newest("a-source")
    assert stored is not None
    assert stored.files == release.files


def test_another_format_has_no_delimiter(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    httpserver.expect_request(BASE).respond_with_data(metadata())
    httpserver.expect_request(f"{BASE}/exports/geojson").respond_with_data('{"type": "FeatureCollection"}')
    assert EXPORT.files["main"].opendatasoft is not None
    get(a_source(main={"opendatasoft": EXPORT.files["main"].opendatasoft.model_dump(), "format": "geojson"}))
    assert asked(httpserver)[1] == f"GET {BASE}/exports/geojson?use_labels=false"


def test_data_that_was_not_processed_since_is_not_exported(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    httpserver.expect_request(BASE).respond_with_data(metadata())
    httpserver.expect_request(f"{BASE}/exports/csv").respond_with_data(CSV)
    first = get(EXPORT).release
    assert get(EXPORT) == Fetched(first, new=False)
    assert [path.removeprefix(f"GET {BASE}") for path in asked(httpserver)] == [
        "",
        "/exports/csv?use_labels=false&delimiter=%3B",
        "",
    ]


@pytest.mark.parametrize(
    "second",
    [
        metadata(processed="2026-11-21T08:00:00+00:00"),
        metadata(count=3),
        metadata(fields="code libelle"),
        metadata(processed=None),
        "{}",
    ],
    ids=["processed", "count", "fields", "no date", "nothing"],
)
def test_data_that_may_have_changed_is_exported(
    httpserver: HTTPServer, get: Callable[..., Fetched], second: str
) -> None:
    httpserver.expect_ordered_request(BASE).respond_with_data(metadata())
    httpserver.expect_ordered_request(f"{BASE}/exports/csv").respond_with_data(CSV)
    httpserver.expect_ordered_request(BASE).respond_with_data(second)
    httpserver.expect_ordered_request(f"{BASE}/exports/csv").respond_with_data(CSV_2)
    first = get(EXPORT).release
    again = get(EXPORT)
    assert again.new
    assert again.release.sha256 != first.sha256


def test_data_processed_again_to_the_same_is_exported_once(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    httpserver.expect_ordered_request(BASE).respond_with_data(metadata())
    httpserver.expect_ordered_request(f"{BASE}/exports/csv").respond_with_data(CSV)
    httpserver.expect_ordered_request(BASE).respond_with_data(metadata(processed="2026-11-22T08:00:00+00:00"))
    httpserver.expect_ordered_request(f"{BASE}/exports/csv").respond_with_data(CSV)
    httpserver.expect_ordered_request(BASE).respond_with_data(metadata(processed="2026-11-22T08:00:00+00:00"))
    first = get(EXPORT).release
    assert get(EXPORT) == Fetched(first, new=False)
    assert get(EXPORT) == Fetched(first, new=False)
    httpserver.check()


def test_a_portal_without_metadata_still_has_the_export(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    httpserver.expect_request(BASE).respond_with_data("", status=404)
    httpserver.expect_request(f"{BASE}/exports/csv").respond_with_data(CSV)
    first = get(EXPORT)
    assert first.release.published_at is None
    assert get(EXPORT) == Fetched(first.release, new=False)


def test_metadata_that_is_none_says_so(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    httpserver.expect_request(BASE).respond_with_data("<html>")
    with pytest.raises(FileInvalid, match=r"expected a JSON object from https://data\.education\.gouv\.fr/api"):
        get(EXPORT)


# --- data.gouv.fr


def resources(*entries: tuple[str, str, str, str]) -> str:
    return json.dumps(
        {
            "resources": [
                {"id": name, "title": title, "format": form, "last_modified": modified, "checksum": None}
                | {"url": f"https://static.data.gouv.fr/{name}.csv", "latest": f"https://www.data.gouv.fr/r/{name}"}
                for name, title, form, modified in entries
            ]
        }
    )


DATA_GOUV = a_source(main={"datagouv": {"dataset": "delinquance", "title": "COM - Base", "format": "csv.gz"}})


def test_the_newest_matching_resource_is_taken(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    httpserver.expect_request("/www.data.gouv.fr/api/1/datasets/delinquance/").respond_with_data(
        resources(
            ("old", "COM - Base statistique 2024", "csv.gz", "2025-07-01T10:00:00.000000+00:00"),
            ("new", "COM - Base statistique 2025", "CSV.GZ", "2026-07-01T10:00:00.123000+00:00"),
            ("parquet", "COM - Base statistique 2025", "parquet", "2026-07-02T10:00:00+00:00"),
            ("dep", "DEP - Base statistique 2025", "csv.gz", "2026-07-03T10:00:00+00:00"),
        )
    )
    httpserver.expect_request("/www.data.gouv.fr/r/new").respond_with_data(
        "", status=302, headers={"Location": "https://static.data.gouv.fr/2026/geographie2026.csv.gz"}
    )
    httpserver.expect_request("/static.data.gouv.fr/2026/geographie2026.csv.gz").respond_with_data(gzip.compress(CSV))
    release = get(DATA_GOUV).release
    (file,) = release.files
    assert file.name == "geographie2026.csv.gz"
    assert file.url == "https://www.data.gouv.fr/r/new"
    assert file.publisher["id"] == "new"
    assert release.published_at == datetime(2026, 7, 1, 10, 0, 0, 123000, tzinfo=UTC)


def test_no_matching_resource_lists_the_titles(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    httpserver.expect_request("/www.data.gouv.fr/api/1/datasets/delinquance/").respond_with_data(
        resources(("dep", "DEP - Base statistique", "csv.gz", "2026"), ("doc", "Documentation", "pdf", "2026"))
    )
    with pytest.raises(SourceMissing) as caught:
        get(DATA_GOUV)
    assert "title that matches 'COM - Base'; found 'DEP - Base statistique' (csv.gz), 'Documentation' (pdf)." in str(
        caught.value
    )


def test_a_dataset_of_several_parts_is_asked_once(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    httpserver.expect_ordered_request("/www.data.gouv.fr/api/1/datasets/d/").respond_with_data(
        resources(("a", "A", "csv", "2026"), ("b", "B", "csv", "2026"))
    )
    httpserver.expect_ordered_request("/www.data.gouv.fr/r/a").respond_with_data(CSV)
    httpserver.expect_ordered_request("/www.data.gouv.fr/r/b").respond_with_data(CSV_2)
    parts = {name: {"datagouv": {"dataset": "d", "title": f"^{name.upper()}$", "format": "csv"}} for name in "ab"}
    assert get(a_source(**parts)).release.parts == {"a": "a.csv", "b": "b.csv"}
    httpserver.check()


# --- ArcGIS

LAYER = "/services9.arcgis.com/x/arcgis/rest/services/Lyc%C3%A9es/FeatureServer/0"
ARCGIS = a_source(main={"arcgis": f"https:/{LAYER}", "format": "geojson", "name": r"a-source\.geojson"})
EDITED = 1_750_000_000_123


class FeatureServer:
    """A layer with ``count`` features, given out two at a time."""

    def __init__(self, count: int, nested: bool = True) -> None:
        self.count, self.nested, self.counted = count, nested, count
        self.edited: int | None = EDITED
        self.error: dict[str, Any] | None = None

    def __call__(self, request: Request) -> Response:
        return Response(json.dumps(self.answer(request)), content_type="application/json")

    def answer(self, request: Request) -> dict[str, Any]:
        if self.error and request.path.endswith("/query"):
            return {"error": self.error}
        if not request.path.endswith("/query"):
            return {"objectIdField": "OBJECTID", "fields": [{"name": "OBJECTID"}], "editingInfo": self.editing()}
        assert (request.args["where"], request.args["outFields"]) == ("1=1", "*")
        if request.args.get("returnCountOnly") == "true":
            assert request.args["f"] == "json"
            return {"count": self.counted}
        assert (request.args["f"], request.args["outSR"], request.args["orderByFields"]) == (
            "geojson", "4326", "OBJECTID",
        )  # fmt: skip
        first = int(request.args["resultOffset"])
        more = {"exceededTransferLimit": True} if first + 2 < self.count else {}
        features = [
            {"type": "Feature", "geometry": None, "properties": {"OBJECTID": number, "Nom": "Lycée"}}
            for number in range(first, min(first + 2, self.count))
        ]
        return {"type": "FeatureCollection", "features": features} | ({"properties": more} if self.nested else more)

    def editing(self) -> dict[str, Any]:
        return {} if self.edited is None else {"lastEditDate": self.edited}


def serve(httpserver: HTTPServer, layer: FeatureServer) -> FeatureServer:
    httpserver.expect_request(re.compile(r"/services9\.arcgis\.com/.*")).respond_with_handler(layer)
    return layer


@pytest.mark.parametrize(("count", "nested"), [(0, True), (2, True), (5, True), (5, False)])
def test_the_pages_of_a_layer_become_one_file(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched], count: int, nested: bool
) -> None:
    serve(httpserver, FeatureServer(count, nested))
    release = get(ARCGIS).release
    (file,) = release.files
    assert file.name == "a-source.geojson"
    assert file.url.endswith(
        "/FeatureServer/0/query?where=1%3D1&outFields=%2A&outSR=4326&orderByFields=OBJECTID&f=geojson"
    )
    collection = json.loads(content(archive, release))
    assert [feature["properties"]["OBJECTID"] for feature in collection["features"]] == list(range(count))
    assert file.bytes == len(content(archive, release))
    assert release.published_at == datetime.fromtimestamp(EDITED / 1000, UTC)
    assert file.publisher["lastEditDate"] == EDITED


def test_a_layer_that_was_not_edited_is_not_fetched_again(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    layer = serve(httpserver, FeatureServer(3))
    first = get(ARCGIS)
    httpserver.clear_log()
    assert get(ARCGIS) == Fetched(first.release, new=False)
    assert len(httpserver.log) == 1
    layer.edited = EDITED + 1
    assert not get(ARCGIS).new  # the same features
    layer.edited, layer.count, layer.counted = EDITED + 2, 4, 4
    assert get(ARCGIS).new


def test_a_layer_without_a_date_is_compared_by_its_content(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    layer = serve(httpserver, FeatureServer(3))
    layer.edited = None
    release = get(ARCGIS).release
    assert release.published_at is None
    assert get(ARCGIS) == Fetched(release, new=False)


def test_a_layer_that_loses_features_on_the_way_is_no_release(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched]
) -> None:
    serve(httpserver, FeatureServer(3)).counted = 4
    with pytest.raises(FileInvalid, match=r"expected 4 features, as many as https://.* counts; found 3"):
        get(ARCGIS)
    assert in_archive(archive) == []


@pytest.mark.parametrize(
    ("code", "failure"), [(499, DownloadFailed), (400, DownloadFailed), (500, PublisherUnavailable)]
)
def test_an_error_of_status_200_is_a_failure(
    httpserver: HTTPServer, archive: Archive, get: Callable[..., Fetched], code: int, failure: type[Exception]
) -> None:
    serve(httpserver, FeatureServer(3)).error = {"code": code, "message": "Token Required"}
    with pytest.raises(failure, match=r'found the error \{"code": \d+, "message": "Token Required"\}'):
        get(ARCGIS)
    assert in_archive(archive) == []


def test_a_layer_beyond_the_limit_is_refused(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    serve(httpserver, FeatureServer(9))
    files = {"arcgis": ARCGIS.files["main"].arcgis, "format": "geojson", "name": r".*\.geojson", "max_bytes": 400}
    with pytest.raises(DownloadRefused, match="expected at most 400 bytes"):
        get(a_source(main=files))


# --- the newest year that answers

CONTOURS = a_source(main={"url": "https://contours.fr/{year}/communes-{year}.csv"})


def test_the_newest_year_that_answers_is_taken(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    for year, status in ((2026, 404), (2025, 403), (2024, 200), (2023, 200)):
        httpserver.expect_request(f"/contours.fr/{year}/communes-{year}.csv").respond_with_data(CSV, status=status)
    (file,) = get(CONTOURS).release.files
    assert file.url == "https://contours.fr/2024/communes-2024.csv"
    path = "/contours.fr/{0}/communes-{0}.csv"
    assert asked(httpserver) == [
        f"HEAD {path.format(2026)}",
        f"HEAD {path.format(2025)}",
        f"GET {path.format(2025)}",
        f"HEAD {path.format(2024)}",
        f"GET {path.format(2024)}",
    ]


def test_no_year_answers(httpserver: HTTPServer, get: Callable[..., Fetched]) -> None:
    httpserver.expect_request("/contours.fr/2021/communes-2021.csv").respond_with_data(CSV)
    for year in range(2022, 2027):
        httpserver.expect_request(f"/contours.fr/{year}/communes-{year}.csv").respond_with_data("", status=404)
    with pytest.raises(SourceMissing, match=r"found none: 2026 \(HTTP status 404\), .*2022 \(HTTP status 404\)\."):
        get(CONTOURS)


def test_a_publisher_out_of_order_does_not_take_us_back_a_year(
    httpserver: HTTPServer, get: Callable[..., Fetched]
) -> None:
    httpserver.expect_request("/contours.fr/2026/communes-2026.csv").respond_with_data("", status=503)
    httpserver.expect_request("/contours.fr/2025/communes-2025.csv").respond_with_data(CSV)
    with pytest.raises(PublisherUnavailable):
        get(CONTOURS)
