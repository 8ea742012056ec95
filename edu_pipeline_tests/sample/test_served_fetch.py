"""Fetching from the sample's server with the pipeline's own ``fetch``."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import requests

from edu_pipeline.catalogue import catalogue
from edu_pipeline.errors import PublisherUnavailable
from edu_pipeline.sample.server import SampleServer, serving
from edu_pipeline.sample.shelf import Shelf
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.fetch import Fetched, fetch
from edu_pipeline.sources.policy import Policy
from edu_pipeline_tests.sample.small_sample import (
    ADDRESSES,
    ANNUAIRE,
    BPE,
    COMMUNES,
    CONTOURS,
    CRIME,
    EQUIPMENT,
    OPTIONS,
    PARIS,
    PROFESSIONS,
    SALES,
    SCHOOLS,
    TIMEOUT,
    Get,
    features,
    logged_requests,
    publish,
)


def fetched(server: SampleServer, archive: Archive, source: str, slept: list[float] | None = None) -> Fetched:
    policy = Policy(sleep=(slept if slept is not None else []).append)
    return fetch(catalogue()[source], archive, server.url, policy=policy)


@pytest.mark.parametrize(
    "source", [ANNUAIRE, SALES, CRIME, COMMUNES, EQUIPMENT, OPTIONS, PROFESSIONS, PARIS, ADDRESSES]
)
def test_each_release_is_fetched_once(
    server: SampleServer, archive: Archive, source: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "edu_pipeline.sample.server")
    first = fetched(server, archive, source)
    assert first.new
    assert first.release.invented
    assert fetched(server, archive, source) == Fetched(first.release, new=False)
    publish(server, source)
    logged_requests(caplog)
    second = fetched(server, archive, source)
    assert second.new
    assert logged_requests(caplog)
    if source != COMMUNES:  # whose publisher gives no date
        assert second.release.published_at and first.release.published_at
        assert second.release.published_at > first.release.published_at
    assert not fetched(server, archive, source).new


def test_an_unchanged_export_is_not_downloaded_again(
    server: SampleServer, archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "edu_pipeline.sample.server")
    fetched(server, archive, ANNUAIRE)
    export = f"GET /{SCHOOLS}/exports/csv?use_labels=false&delimiter=%3B"
    assert logged_requests(caplog) == [f"GET /{SCHOOLS}", export]
    fetched(server, archive, ANNUAIRE)
    assert logged_requests(caplog) == [f"GET /{SCHOOLS}"]
    publish(server, ANNUAIRE)
    fetched(server, archive, ANNUAIRE)
    assert logged_requests(caplog)[1:] == [f"GET /{SCHOOLS}", export]


def test_a_layer_becomes_one_file_of_the_archive(server: SampleServer, archive: Archive) -> None:
    release = fetched(server, archive, PARIS).release
    (file,) = release.files
    assert (file.name, release.parts) == (f"{PARIS}.geojson", {"main": f"{PARIS}.geojson"})
    assert json.loads(archive.local(release, file).read_bytes()) == features(0)
    holding = server.shelf.holding(PARIS)
    assert holding and release.published_at == holding.published_at


def test_addresses_by_departement_are_parts_of_a_release(server: SampleServer, archive: Archive) -> None:
    release = fetched(server, archive, ADDRESSES).release
    assert release.parts == {code: f"adresses-{code}.csv.gz" for code in ("2A", "35")}


def test_contours_are_fetched_from_the_folder_of_the_year(server: SampleServer, archive: Archive) -> None:
    outcome = fetched(server, archive, CONTOURS)
    (file,) = outcome.release.files
    assert f"/{datetime.now(UTC).year}/" in file.url


@pytest.mark.parametrize("status", [429, 503])
def test_a_request_that_fails_for_a_while_is_repeated(server: SampleServer, archive: Archive, status: int) -> None:
    slept: list[float] = []
    failures = requests.post(f"{server.url}/-/fail?count=2&status={status}&retry_after=7", timeout=TIMEOUT)
    assert failures.json() == {"count": 2, "status": status}
    assert fetched(server, archive, ANNUAIRE, slept).new
    assert slept == [7, 7]


def test_a_used_up_quota_ends_the_fetch(shelf: Shelf, archive: Archive) -> None:
    with (
        serving(shelf, quota=0) as server,
        pytest.raises(PublisherUnavailable, match="Too many requests on the domain"),
    ):
        fetched(server, archive, ANNUAIRE)


def test_a_failing_portal_answers_429_in_its_own_words(server: SampleServer, get: Get) -> None:
    server.fail_next(2, 429)
    portal, insee = get(SCHOOLS), get(BPE)
    assert (portal.status_code, portal.json()["errorcode"], "Retry-After" in portal.headers) == (429, 10002, False)
    assert (insee.status_code, insee.json()) == (429, {"message": "Too Many Requests"})
    assert get(SCHOOLS).status_code == 200
