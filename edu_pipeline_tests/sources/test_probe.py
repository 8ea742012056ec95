"""Probing: what the publishers are asked, what counts as new, and what is remembered.

Belongs here: the sample's server with all sources of the catalogue, asked over loopback. Does not belong here: single
publishers (``test_file_states.py``), HTTP (``test_download.py``), what follows from a new release.
"""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from upath import UPath

from edu_pipeline.catalogue import catalogue
from edu_pipeline.database.connection import Database
from edu_pipeline.database.probe_memory import fetching, known_versions, remember
from edu_pipeline.errors import EduError
from edu_pipeline.sample.answers import Answer, Request
from edu_pipeline.sample.server import SampleServer, serving
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import fetch, fetch_if_any
from edu_pipeline.sources.policy import Policy
from edu_pipeline.sources.probe import PROBING, Probed, probe
from edu_pipeline_tests.sample.sample_files import copied_sample

ANNUAIRE, SALES, EQUIPMENT = "fr-en-annuaire-education", "dvf-indicateurs-communes", "insee-bpe"
ONISEP, COMMUNES, CENSUS, ACADEMIES = "onisep-5fa5816ac6a6e", "geo-api-communes", "insee-rp", "departement-academie"
PORTALS = {
    file.opendatasoft.portal for source in catalogue().values() for file in source.files.values() if file.opendatasoft
}
CONTOURS, PARIS, ADDRESSES = "contours-communes", "paris-affectation-lycees", "ban"
MELODI = "api.insee.fr"
SAME_BYTES = {ACADEMIES, CONTOURS}
"""Sources of the sample whose new releases are only newly dated."""

ONCE = Policy(tries=1)


@dataclass
class Publishers:
    """The sample's server, with the requests that it got, and an archive to fetch into."""

    server: SampleServer
    archive: Archive
    requests: list[tuple[str, Request]] = field(default_factory=list)
    sent: int = 0
    broken: str = "none"
    """Host that answers with 503."""

    def answer(self, method: str, request: Request) -> Answer:
        """Answer as the server does, note the request, and count the bytes of the body."""
        if request.host == self.broken:
            return Answer(503)
        answer = SampleServer.answer(self.server, method, request)
        if request.host != "-":
            self.requests.append((method, request))
        if method == "GET":
            body = answer.body
            assert isinstance(body, bytes | io.BufferedReader)
            self.sent += len(body) if isinstance(body, bytes) else os.fstat(body.fileno()).st_size
        return answer

    def probe(self, known: dict[str, str] | None = None, policy: Policy = PROBING) -> dict[str, Probed]:
        """Probe every source of the catalogue, those that the sample does not have as well."""
        self.requests.clear()
        self.sent = 0
        return probe(catalogue().values(), self.archive, self.server.url, known or {}, policy=policy)

    def fetch(self, *sources: str) -> list[bool]:
        """Fetch sources; whether each has a new release."""
        results = [fetch_if_any(catalogue()[source], self.archive, self.server.url) for source in sources]
        return [bool(fetched and fetched.new) for fetched in results]


@pytest.fixture(scope="module")
def publishers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publishers]:
    folder = tmp_path_factory.mktemp("publishers")
    with serving(copied_sample(folder / "sample")) as server, pytest.MonkeyPatch.context() as patch:
        publishers = Publishers(server, Archive(UPath(folder / "archive")))
        patch.setattr(server, "answer", publishers.answer)
        yield publishers


@pytest.fixture
def filled(publishers: Publishers) -> Publishers:
    """The publishers, and an archive with what they have."""
    publishers.broken = "none"
    publishers.fetch(*(probed.source for probed in publishers.probe().values() if probed.changed))
    return publishers


def changed(results: dict[str, Probed]) -> list[str]:
    """The sources that have changed; none may have failed."""
    assert [probed.error for probed in results.values() if probed.error] == []
    return [probed.source for probed in results.values() if probed.changed]


def versions(results: dict[str, Probed]) -> dict[str, str]:
    return {probed.source: probed.version for probed in results.values()}


# --- the whole catalogue


def test_nothing_new_takes_one_small_request_per_portal_or_file(filled: Publishers) -> None:
    first = filled.probe()
    assert changed(first) == []
    assert list(first) == list(catalogue())

    by_host: dict[str, list[str]] = {}
    for method, request in filled.requests:
        by_host.setdefault(request.host, []).append(f"{method} {request.path} {dict(request.query) or ''}")
    files = [file for source in catalogue().values() for file in source.files.values()]
    for host, lines in by_host.items():
        if host in PORTALS | {"adresse.data.gouv.fr"}:
            assert len(lines) == 1
        elif host == "www.data.gouv.fr":
            assert len(lines) == len([file for file in files if file.datagouv])
        elif host == "supplied":
            assert len(lines) == len({file.source for file in files if file.supplied})
        elif host == MELODI:
            files_of_host = [file for file in files if f"//{host}/" in (file.url or "")]
            assert len([line for line in lines if line.startswith("HEAD ")]) == len(files_of_host)
            assert len(lines) == len(files_of_host) + len({file.source for file in files_of_host}), "later editions"
        else:
            assert len(lines) == len({url for file in files if f"//{host}/" in (url := file.url or file.arcgis or "")})
    read = {host for host, lines in by_host.items() if any(not line.startswith("HEAD ") for line in lines)}
    assert read == {*PORTALS, "www.data.gouv.fr", "geo.api.gouv.fr", "services9.arcgis.com", MELODI}
    assert len(filled.requests) <= len([file for file in files if file.source != ADDRESSES])
    assert not any("/exports/" in request.path for _, request in filled.requests)
    assert filled.sent < 100_000

    again = filled.probe(versions(first))
    assert changed(again) == []
    assert versions(again) == versions(first)


def test_a_probe_of_all_sources_neither_waits_nor_takes_long(filled: Publishers) -> None:
    """The sensor has 60 s for it. The bound grows with the time that the same requests take one after the other."""
    waits: list[float] = []
    began = time.monotonic()
    filled.probe(policy=replace(PROBING, sleep=waits.append))
    seconds = time.monotonic() - began
    assert waits == []

    urls = [(method, f"{filled.server.url}/{request.host}{request.path}") for method, request in filled.requests]
    began = time.monotonic()
    for method, url in urls:
        requests.request(method, url, timeout=600).close()
    assert seconds < 5 + 2 * (time.monotonic() - began)


@pytest.mark.parametrize(
    "source", [ANNUAIRE, SALES, EQUIPMENT, ONISEP, COMMUNES, CENSUS, PARIS, ADDRESSES, ACADEMIES, CONTOURS]
)
def test_a_new_release_is_noticed_of_its_own_source_only(filled: Publishers, source: str) -> None:
    before = filled.probe()
    filled.server.shelf.publish(source)
    assert changed(filled.probe()) == [source]
    after = filled.probe(versions(before))
    assert changed(after) == [source]
    assert after[source].published_at != before[source].published_at or source == COMMUNES
    assert filled.fetch(source) == [source not in SAME_BYTES]
    assert changed(filled.probe()) == []


def test_every_source_with_files_is_new_before_its_first_fetch(publishers: Publishers, archive: Archive) -> None:
    published = publishers.server.shelf.sources()
    results = probe(catalogue().values(), archive, publishers.server.url, {})
    assert changed(results) == published
    assert changed(probe(catalogue().values(), archive, publishers.server.url, versions(results))) == published
    assert not {"editorial-anecdotes", "editorial-ips-score"} & set(published)


def test_a_publisher_out_of_order_fails_its_own_sources_only(filled: Publishers) -> None:
    known = versions(filled.probe())
    filled.server.shelf.publish(SALES)
    filled.broken = "data.occitanie.education.gouv.fr"
    results = filled.probe(known, ONCE)
    failed = [probed for probed in results.values() if probed.error]
    assert [probed.source for probed in failed] == ["fr-en-occitanie-carte-scolaire-des-colleges-lycees-publics"]
    assert "PublisherUnavailable" in str(failed[0].error)
    assert "data.occitanie.education.gouv.fr" in str(failed[0].error)
    assert not failed[0].changed
    assert failed[0].version == known[failed[0].source]
    assert [probed.source for probed in results.values() if probed.changed] == [SALES]


# --- what is remembered


def test_a_release_is_known_after_its_fetch_and_new_until_then(filled: Publishers, database: Database) -> None:
    def look(policy: Policy = PROBING) -> dict[str, Probed]:
        with database.connect() as connection:
            results = filled.probe(known_versions(connection), policy)
            remember(connection, results.values())
        return results

    def row() -> tuple[Any, ...]:
        with database.connect() as connection:
            row = connection.execute(
                "SELECT version = known_version, changed_at = probed_at, error, consecutive_errors "
                "FROM edu_pipeline.probes WHERE source = %s",
                [SALES],
            ).fetchone()
        assert row is not None
        return row

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


def test_the_same_bytes_with_a_new_date_are_fetched_once(filled: Publishers, database: Database) -> None:
    with database.connect() as connection:
        remember(connection, filled.probe().values())
    shelf = filled.server.shelf
    assert shelf.holding(ANNUAIRE) is not None
    processed = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    manifest = json.loads((shelf.folder / "sample.json").read_text())
    manifest["published"][ANNUAIRE]["at"] = processed.isoformat()
    (shelf.folder / "sample.json").write_text(json.dumps(manifest))

    with database.connect() as connection:
        results = filled.probe(known_versions(connection))
        assert changed(results) == [ANNUAIRE]
        assert results[ANNUAIRE].published_at == processed
        remember(connection, results.values())
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
