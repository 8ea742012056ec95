"""Probing: what is asked of the publishers, what counts as new, what is remembered.

Belongs here: the sample's server with all sources of the catalogue, asked over loopback, and single publishers that the
sample has none of. Does not belong here: the HTTP of it (``test_download.py``), what follows from a new release.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from upath import UPath

from edu_pipeline.catalogue import Source, catalogue
from edu_pipeline.database.connection import Database
from edu_pipeline.database.probe_memory import fetching, known_versions, remember
from edu_pipeline.errors import EduError
from edu_pipeline.sample.answers import Answer, Request
from edu_pipeline.sample.server import SampleServer, serving
from edu_pipeline.sample.shelf import make
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.download import Policy
from edu_pipeline.sources.fetch import fetch, fetch_if_any
from edu_pipeline.sources.probe import PROBING, Probed, probe
from edu_pipeline_tests.a_source import a_source

ANNUAIRE, SALES, EQUIPMENT = "fr-en-annuaire-education", "dvf-indicateurs-communes", "insee-bpe"
ONISEP, COMMUNES, CENSUS, ACADEMIES = "onisep-5fa5816ac6a6e", "geo-api-communes", "insee-rp", "departement-academie"
PORTALS = {"data.education.gouv.fr", "data.occitanie.education.gouv.fr"}
CONTOURS, PARIS, ADDRESSES = "contours-communes", "paris-affectation-lycees", "ban"
SAME_BYTES = {ACADEMIES, CONTOURS}
"""Sources of the sample whose new releases are only newly dated."""

ONCE = Policy(tries=1)
LAYER = "https://services9.arcgis.com/abc/arcgis/rest/services/Lycees/FeatureServer/0"
CSV = b"code;nom\n01004;Amberieu\n"


@dataclass
class Publishers:
    """The sample's server, with what was asked of it, and an archive beside it."""

    server: SampleServer
    archive: Archive
    asked: list[tuple[str, Request]] = field(default_factory=list)
    sent: int = 0
    broken: str = "none"
    """Host that answers with 503."""

    def answer(self, method: str, asked: Request) -> Answer:
        """As the server answers, noted; the bytes of a body that is sent are counted."""
        if asked.host == self.broken:
            return Answer(503)
        answer = SampleServer.answer(self.server, method, asked)
        if asked.host != "-":
            self.asked.append((method, asked))
        if method == "GET":
            body = answer.body
            assert isinstance(body, bytes | io.BufferedReader)
            self.sent += len(body) if isinstance(body, bytes) else os.fstat(body.fileno()).st_size
        return answer

    def probe(self, known: dict[str, str] | None = None, policy: Policy = PROBING) -> dict[str, Probed]:
        """Probe every source that the sample has, and what is not in it."""
        self.asked.clear()
        self.sent = 0
        return probe(catalogue().values(), self.archive, self.server.url, known or {}, policy=policy)

    def fetch(self, *sources: str) -> list[bool]:
        """Fetch sources; whether each has a new release."""
        found = [fetch_if_any(catalogue()[source], self.archive, self.server.url) for source in sources]
        return [bool(fetched and fetched.new) for fetched in found]


@pytest.fixture(scope="module")
def publishers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publishers]:
    folder = tmp_path_factory.mktemp("publishers")
    with serving(make(folder / "sample", "sample")) as server:
        found = Publishers(server, Archive(UPath(folder / "archive")))
        server.answer = found.answer  # type: ignore[method-assign]
        yield found


@pytest.fixture
def filled(publishers: Publishers) -> Publishers:
    """The publishers, and an archive with what they have."""
    publishers.broken = "none"
    publishers.fetch(*(one.source for one in publishers.probe().values() if one.changed))
    return publishers


def changed(probed: dict[str, Probed]) -> list[str]:
    """The sources that have changed; none may have failed."""
    assert [one.error for one in probed.values() if one.error] == []
    return [one.source for one in probed.values() if one.changed]


def versions(probed: dict[str, Probed]) -> dict[str, str]:
    return {one.source: one.version for one in probed.values()}


# --- the whole catalogue


def test_nothing_new_is_one_small_request_per_portal_and_per_file_and_no_download(filled: Publishers) -> None:
    began = time.monotonic()
    first = filled.probe()
    seconds = time.monotonic() - began
    assert changed(first) == []
    assert list(first) == list(catalogue())

    by_host: dict[str, list[str]] = {}
    for method, asked in filled.asked:
        by_host.setdefault(asked.host, []).append(f"{method} {asked.path} {dict(asked.query) or ''}")
    files = [file for source in catalogue().values() for file in source.files.values()]
    for host, requests in by_host.items():
        if host in PORTALS | {"adresse.data.gouv.fr"}:
            assert len(requests) == 1
        elif host == "www.data.gouv.fr":
            assert len(requests) == len([file for file in files if file.datagouv])
        elif host == "supplied":
            assert len(requests) == len({file.source for file in files if file.supplied})
        else:
            assert len(requests) == len(
                {url for file in files if f"//{host}/" in (url := file.url or file.arcgis or "")}
            )
    read = {host for host, requests in by_host.items() if any(not line.startswith("HEAD ") for line in requests)}
    assert read == {*PORTALS, "www.data.gouv.fr", "geo.api.gouv.fr", "services9.arcgis.com"}
    assert len(filled.asked) <= len(catalogue())
    assert not any("/exports/" in asked.path for _, asked in filled.asked)
    assert filled.sent < 100_000
    assert seconds < 5

    again = filled.probe(versions(first))
    assert changed(again) == []
    assert versions(again) == versions(first)


@pytest.mark.parametrize(
    "source", [ANNUAIRE, SALES, EQUIPMENT, ONISEP, COMMUNES, CENSUS, PARIS, ADDRESSES, ACADEMIES, CONTOURS]
)
def test_a_new_release_is_noticed_of_its_source_alone(filled: Publishers, source: str) -> None:
    before = filled.probe()
    filled.server.shelf.publish(source)
    assert changed(filled.probe()) == [source]
    after = filled.probe(versions(before))
    assert changed(after) == [source]
    assert after[source].published_at != before[source].published_at or source == COMMUNES
    assert filled.fetch(source) == [source not in SAME_BYTES]
    assert changed(filled.probe()) == []


def test_what_was_never_fetched_has_changed_unless_there_is_nothing_to_fetch(
    publishers: Publishers, archive: Archive
) -> None:
    there = publishers.server.shelf.sources()
    probed = probe(catalogue().values(), archive, publishers.server.url, {})
    assert changed(probed) == there
    assert changed(probe(catalogue().values(), archive, publishers.server.url, versions(probed))) == there
    assert not {"editorial-anecdotes", "editorial-ips-score"} & set(there)


def test_one_publisher_out_of_order_is_the_failure_of_its_sources_only(filled: Publishers) -> None:
    known = versions(filled.probe())
    filled.server.shelf.publish(SALES)
    filled.broken = "data.occitanie.education.gouv.fr"
    probed = filled.probe(known, ONCE)
    failed = [one for one in probed.values() if one.error]
    assert [one.source for one in failed] == ["fr-en-occitanie-carte-scolaire-des-colleges-lycees-publics"]
    assert "PublisherUnavailable" in str(failed[0].error)
    assert "data.occitanie.education.gouv.fr" in str(failed[0].error)
    assert not failed[0].changed
    assert failed[0].version == known[failed[0].source]
    assert [one.source for one in probed.values() if one.changed] == [SALES]


# --- what is remembered


def test_what_a_fetch_has_brought_is_known_and_what_it_has_not_is_new_again(
    filled: Publishers, database: Database
) -> None:
    def look(policy: Policy = PROBING) -> dict[str, Probed]:
        with database.connect() as connection:
            probed = filled.probe(known_versions(connection), policy)
            remember(connection, probed.values())
        return probed

    def row() -> tuple[Any, ...]:
        with database.connect() as connection:
            found = connection.execute(
                "SELECT version = known_version, changed_at = probed_at, error, consecutive_errors "
                "FROM edu_pipeline.probes WHERE source = %s",
                [SALES],
            ).fetchone()
        assert found is not None
        return found

    assert changed(look()) == []
    assert row() == (True, True, None, 0)
    assert changed(look()) == []
    assert row() == (True, False, None, 0)

    filled.server.shelf.publish(SALES)
    assert changed(look()) == [SALES]
    assert row() == (False, True, None, 0)
    filled.server.fail_next(1, 404)
    with pytest.raises(EduError), fetching(database, SALES):
        fetch(catalogue()[SALES], filled.archive, filled.server.url, policy=ONCE)
    assert changed(look()) == [SALES]

    filled.broken = "www.data.gouv.fr"
    look(ONCE)
    look(ONCE)
    assert row()[2].startswith("PublisherUnavailable: dvf-indicateurs-communes")
    assert row()[3] == 2
    filled.broken = "none"
    assert changed(look()) == [SALES]
    assert row() == (False, False, None, 0)

    with fetching(database, SALES):
        assert filled.fetch(SALES) == [True]
    assert row()[0] is True
    assert changed(look()) == []


def test_a_release_during_a_fetch_is_still_new_after_it(filled: Publishers, database: Database) -> None:
    with database.connect() as connection:
        remember(connection, filled.probe().values())
    with fetching(database, EQUIPMENT):
        filled.fetch(EQUIPMENT)
        filled.server.shelf.publish(EQUIPMENT)
        with database.connect() as connection:
            remember(connection, filled.probe(known_versions(connection)).values())
    with database.connect() as connection:
        assert changed(filled.probe(known_versions(connection))) == [EQUIPMENT]


def test_the_same_bytes_processed_anew_are_fetched_once_and_are_no_release(
    filled: Publishers, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with database.connect() as connection:
        remember(connection, filled.probe().values())
    shelf = filled.server.shelf
    later = shelf.holding(ANNUAIRE)
    assert later is not None
    processed = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    manifest = json.loads((shelf.folder / "sample.json").read_text())
    manifest["published"][ANNUAIRE]["at"] = processed.isoformat()
    (shelf.folder / "sample.json").write_text(json.dumps(manifest))

    with database.connect() as connection:
        probed = filled.probe(known_versions(connection))
        assert changed(probed) == [ANNUAIRE]
        assert probed[ANNUAIRE].published_at == processed
        remember(connection, probed.values())
    with fetching(database, ANNUAIRE):
        assert filled.fetch(ANNUAIRE) == [False]
    with database.connect() as connection:
        assert changed(filled.probe(known_versions(connection))) == []


def test_a_first_failure_is_remembered_without_a_version(database: Database) -> None:
    failed = Probed("a-source", "", changed=False, probed_at=datetime.now(UTC), error="PublisherUnavailable: ...")
    with database.connect() as connection:
        remember(connection, [failed])
        assert known_versions(connection) == {}
        row = connection.execute("SELECT version, changed_at, consecutive_errors FROM edu_pipeline.probes").fetchone()
    assert row == (None, None, 1)
    with fetching(database, "a-source"):
        pass
    with database.connect() as connection:
        assert known_versions(connection) == {}


# --- single publishers


def look(source: Source, archive: Archive, httpserver: HTTPServer, known: str = "", **changes: Any) -> Probed:
    """Probe one source at a mirror."""
    upstream = httpserver.url_for("").rstrip("/")
    given = {source.id: known} if known else {}
    return probe([source], archive, upstream, given, **{"policy": ONCE, **changes})[source.id]


def test_only_what_says_something_of_the_data_counts_at_a_portal(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"opendatasoft": {"portal": "data.example.org", "dataset": "a-dataset"}})
    base = "/data.example.org/api/explore/v2.1/catalog/datasets"
    said: dict[str, Any] = {"data_processed": "2026-01-29T05:00:00+00:00", "records_count": 3, "modified": "2026-01-01"}

    def portal(fields: list[str], **metas: Any) -> None:
        entry = {
            "dataset_id": "a-dataset",
            "metas": {"default": {**said, **metas}},
            "fields": [{"name": name} for name in fields],
        }
        httpserver.clear()
        httpserver.expect_request(base).respond_with_json({"total_count": 1, "results": [entry]})
        httpserver.expect_request(f"{base}/a-dataset").respond_with_json(entry)
        httpserver.expect_request(f"{base}/a-dataset/exports/csv").respond_with_data(CSV)

    portal(["code", "nom"])
    assert look(source, archive, httpserver).changed
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    httpserver.clear_log()
    first = look(source, archive, httpserver)
    assert not first.changed
    ((request, _),) = httpserver.log
    assert request.args["where"] == 'dataset_id in ("a-dataset")'
    assert request.args["select"] == "dataset_id,metas,fields"

    portal(["code", "nom"], modified="2026-11-23", title="Renamed")
    assert look(source, archive, httpserver, first.version).version == first.version
    for fields, metas in (
        (["code", "nom"], {"data_processed": "2026-01-30T05:00:00+00:00"}),
        (["code", "nom"], {"records_count": 4}),
        (["code", "name"], {}),
    ):
        portal(fields, **metas)
        assert look(source, archive, httpserver).changed
        assert look(source, archive, httpserver, first.version).changed


def test_a_dataset_that_its_portal_no_longer_has_is_a_failure(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"opendatasoft": {"portal": "data.example.org", "dataset": "a-dataset"}})
    httpserver.expect_request("/data.example.org/api/explore/v2.1/catalog/datasets").respond_with_json({"results": []})
    assert "expected the dataset a-dataset in the catalogue of data.example.org" in str(
        look(source, archive, httpserver).error
    )


def test_an_answer_of_another_shape_is_the_failure_of_its_source(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"datagouv": {"dataset": "abc", "title": ".*", "format": "csv"}})
    httpserver.expect_request("/www.data.gouv.fr/api/1/datasets/abc/").respond_with_json({"resources": ["?"]})
    probed = look(source, archive, httpserver)
    assert probed.error
    assert not probed.changed


def test_a_resource_under_a_new_id_is_no_news(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"datagouv": {"dataset": "abc", "title": "^COM - ", "format": "csv"}})

    def dataset(**changes: Any) -> None:
        resource = {
            "id": "1", "title": "COM - Base", "format": "csv", "url": "https://static.data.gouv.fr/base.csv",
            "last_modified": "2026-06-25T10:00:00+00:00", "filesize": len(CSV),
            "checksum": {"type": "sha1", "value": "ab"}, **changes,
        }  # fmt: skip
        httpserver.clear()
        httpserver.expect_request("/www.data.gouv.fr/api/1/datasets/abc/").respond_with_json(
            {"resources": [resource | {"title": "DEP", "last_modified": "2026-11-01"}, resource]}
        )
        httpserver.expect_request("/static.data.gouv.fr/base.csv").respond_with_data(CSV)

    dataset()
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    first = look(source, archive, httpserver)
    assert not first.changed
    dataset(id="2", title="COM - Base communale")
    assert not look(source, archive, httpserver, first.version).changed
    for change in ({"last_modified": "2026-06-26"}, {"checksum": {"type": "sha1", "value": "cd"}}, {"filesize": 1}):
        dataset(**change)
        assert look(source, archive, httpserver).changed
        assert look(source, archive, httpserver, first.version).changed


def test_an_arcgis_layer_says_when_it_was_edited(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"arcgis": LAYER, "format": "geojson", "name": r".*\.geojson"})
    path = LAYER.removeprefix("https:/")
    feature: dict[str, Any] = {"type": "Feature", "geometry": None, "properties": {}}
    httpserver.expect_request(f"{path}/query").respond_with_json(
        {"type": "FeatureCollection", "features": [feature], "count": 1}
    )

    def layer(times: int, **said: Any) -> None:
        for _ in range(times):
            httpserver.expect_oneshot_request(path, query_string="f=json").respond_with_json(said)

    layer(2, editingInfo={"lastEditDate": 1_700_000_000_000})
    first = look(source, archive, httpserver)
    assert first.changed
    assert first.published_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert [request.path for request, _ in httpserver.log] == [path]
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    for edited, is_new in ((1_700_000_000_000, False), (1_800_000_000_000, True)):
        layer(2, editingInfo={"lastEditDate": edited})
        assert look(source, archive, httpserver).changed == is_new
        assert look(source, archive, httpserver, first.version).changed == is_new
    layer(1, error={"code": 499, "message": "Token Required"})
    assert "Token Required" in str(look(source, archive, httpserver).error)


def test_one_of_the_files_that_are_published_together_speaks_for_all(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(
        **{part: {"url": f"https://example.org/adresses-{part}.csv", "optional": True} for part in ("01", "2A", "35")}
    )
    dated = {"Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}
    for part in ("2A", "35"):
        httpserver.expect_request(f"/example.org/adresses-{part}.csv").respond_with_data(CSV, headers=dated)
    httpserver.expect_request("/example.org/adresses-01.csv").respond_with_data("", status=404)
    assert look(source, archive, httpserver).changed
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    httpserver.clear_log()
    assert not look(source, archive, httpserver).changed
    assert [request.path for request, _ in httpserver.log] == ["/example.org/adresses-2A.csv"]


def test_an_interface_whose_etag_is_known_sends_nothing(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"url": "https://geo.example.org/communes?fields=nom"})
    path = "/geo.example.org/communes"
    httpserver.expect_request(path, headers={"If-None-Match": '"a"'}).respond_with_data("", status=304)
    httpserver.expect_request(path).respond_with_data(CSV, headers={"ETag": '"a"'})
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    httpserver.clear_log()
    assert not look(source, archive, httpserver).changed
    assert [answer.status_code for _, answer in httpserver.log] == [304]


def test_an_interface_without_a_tag_shows_its_content(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"url": "https://geo.example.org/communes?fields=nom"})
    httpserver.expect_request("/geo.example.org/communes").respond_with_data(CSV)
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    first = look(source, archive, httpserver)
    assert not first.changed
    httpserver.clear()
    httpserver.expect_request("/geo.example.org/communes").respond_with_data(CSV.upper())
    assert look(source, archive, httpserver).changed
    assert look(source, archive, httpserver, first.version).changed


@pytest.mark.parametrize(
    ("header", "now"),
    [({"ETag": '"a"'}, {"ETag": '"b"'}), ({"Last-Modified": "Mon, 23 Nov 2026 10:00:00 GMT"}, {}), ({}, {})],
)
def test_a_plain_file_shows_a_tag_a_date_or_its_size(
    httpserver: HTTPServer, archive: Archive, header: dict[str, str], now: dict[str, str]
) -> None:
    source = a_source(
        main={"url": "https://example.org/f.csv"},
        same={"url": "https://example.org/f.csv"},
        other={"url": "https://example.org/g.csv", "optional": True},
    )
    httpserver.expect_request("/example.org/f.csv").respond_with_data(CSV, headers=header)
    httpserver.expect_request("/example.org/g.csv").respond_with_data("", status=404)
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    httpserver.clear_log()
    first = look(source, archive, httpserver)
    assert first.error is None
    assert not first.changed
    asked = [f"{request.method} {request.path}" for request, _ in httpserver.log]
    assert asked == ["HEAD /example.org/f.csv", "HEAD /example.org/g.csv"]
    assert not look(source, archive, httpserver, first.version).changed
    httpserver.clear()
    httpserver.expect_request("/example.org/f.csv").respond_with_data(CSV if now else CSV + CSV, headers=now)
    httpserver.expect_request("/example.org/g.csv").respond_with_data("", status=404)
    assert look(source, archive, httpserver).changed
    assert look(source, archive, httpserver, first.version).changed


def test_an_optional_file_that_appears_is_news(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(
        main={"url": "https://example.org/f.csv"}, other={"url": "https://example.org/g.csv", "optional": True}
    )
    httpserver.expect_request("/example.org/f.csv").respond_with_data(CSV, headers={"ETag": '"a"'})
    httpserver.expect_oneshot_request("/example.org/g.csv").respond_with_data("", status=404)
    httpserver.expect_request("/example.org/g.csv").respond_with_data(CSV)
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    assert look(source, archive, httpserver).changed


def test_a_file_of_which_nothing_is_shown_is_fetched_once_a_day(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"url": "https://example.org/f.csv"})
    httpserver.expect_request("/example.org/f.csv").respond_with_data(CSV, headers={"Content-Encoding": "identity"})
    fetch(source, archive, httpserver.url_for("").rstrip("/"))
    monday, tuesday = date(2026, 11, 23), date(2026, 11, 24)
    first = look(source, archive, httpserver, today=monday)
    assert first.changed
    assert not look(source, archive, httpserver, first.version, today=monday).changed
    assert look(source, archive, httpserver, first.version, today=tuesday).changed


def test_a_file_that_is_gone_is_a_failure(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"url": "https://example.org/f.csv"})
    httpserver.expect_request("/example.org/f.csv").respond_with_data("", status=404)
    probed = look(source, archive, httpserver)
    assert "expected the file at https://example.org/f.csv; found HTTP status 404" in str(probed.error)
    assert not probed.changed


def test_the_newest_year_is_asked_for_first(httpserver: HTTPServer, archive: Archive) -> None:
    source = a_source(main={"url": "https://example.org/{year}/f.csv"})
    httpserver.expect_request("/example.org/2026/f.csv").respond_with_data("", status=404)
    httpserver.expect_request("/example.org/2025/f.csv").respond_with_data(CSV, headers={"ETag": '"a"'})
    fetch(source, archive, httpserver.url_for("").rstrip("/"), today=date(2026, 1, 2))
    httpserver.clear_log()
    assert not look(source, archive, httpserver, today=date(2026, 1, 2)).changed
    asked = [f"{request.method} {request.path}" for request, _ in httpserver.log]
    assert asked == ["HEAD /example.org/2026/f.csv", "HEAD /example.org/2025/f.csv"]


# --- in place of the publishers


def test_a_directory_shows_name_size_and_time(tmp_path: Path, archive: Archive) -> None:
    source = a_source(
        main={"supplied": True, "name": r"f_\d+\.csv"}, other={"supplied": True, "name": "g", "optional": True}
    )
    folder = tmp_path / "upstream" / "a-source"
    folder.mkdir(parents=True)

    def look(known: str = "") -> Probed:
        return probe([source], archive, str(folder.parent), {"a-source": known} if known else {})["a-source"]

    assert look().changed is False
    (folder / "f_2023.csv").write_bytes(CSV)
    assert look().changed
    fetch(source, archive, str(folder.parent))
    first = look()
    assert not first.changed
    assert not look(first.version).changed
    (folder / "f_2023.csv").write_bytes(CSV + CSV)
    assert look().changed
    assert look(first.version).changed
    (folder / "f_2023.csv").write_bytes(CSV)
    (folder / "f_2024.csv").write_bytes(CSV + CSV)
    assert look().changed
    (folder / "f_2024.csv").unlink()
    os.utime(folder / "f_2023.csv", (0, 0))
    assert look(first.version).changed
    assert not look().changed
    (folder / "f_2023.csv").unlink()
    assert not look(first.version).changed


def test_nobody_is_asked_for_a_file_that_was_handed_in(tmp_path: Path, archive: Archive) -> None:
    source = a_source(main={"supplied": True})
    assert probe([source], archive, None, {})["a-source"].changed is False
    folder = tmp_path / "upstream" / "a-source"
    folder.mkdir(parents=True)
    (folder / "f.csv").write_bytes(CSV)
    fetch(source, archive, str(folder.parent))
    first = probe([source], archive, None, {})["a-source"]
    assert (first.changed, first.error) == (False, None)
    (folder / "f.csv").write_bytes(CSV + CSV)
    fetch(source, archive, str(folder.parent))
    assert probe([source], archive, None, {"a-source": first.version})["a-source"].changed
