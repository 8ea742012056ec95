"""The sample's server itself: new releases, its own paths, streaming, connections."""

from __future__ import annotations

import json
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter

from edu_pipeline.errors import SourceMissing
from edu_pipeline.sample.directory import MANIFEST, FolderNotASample
from edu_pipeline.sample.misbehaviour import AS_EXPECTED
from edu_pipeline.sample.server import SampleServer
from edu_pipeline.sample.shelf import Shelf
from edu_pipeline_tests.sample.small_sample import (
    ANNUAIRE,
    BPE,
    BROWSER,
    EQUIPMENT,
    OPTIONS_URL,
    SALES,
    SCHOOLS,
    TIMEOUT,
    Get,
    publish,
)


def test_each_release_has_a_later_date_which_is_recorded(server: SampleServer, folder: Path) -> None:
    before = requests.get(f"{server.url}/-/", timeout=TIMEOUT).json()
    assert (before["invented"], before["pid"], before["scale"]) == (True, os.getpid(), "sample")
    releases = [publish(server, SALES) for _ in range(3)]
    assert [release["release"] for release in releases] == [1, 2, 3]
    moments = [before["sources"][SALES]["published_at"], *(release["published_at"] for release in releases)]
    assert sorted(set(moments)) == moments
    reopened = Shelf(folder).holding(SALES)
    assert reopened is not None
    assert (reopened.release, reopened.published_at.isoformat()) == (3, moments[-1])
    assert json.loads((folder / MANIFEST).read_text())["releases"] == {SALES: 3}


def test_files_written_by_another_process_are_noticed(server: SampleServer, folder: Path, shelf: Shelf) -> None:
    publish(server, SALES)
    path = folder / SALES / "communesdvf2024.csv"
    os.utime(path, (2_000_000_000, 2_000_000_000))
    holding = shelf.holding(SALES)
    assert holding is not None
    assert holding.published_at.timestamp() == 2_000_000_000


def test_only_sample_folders_and_their_sources_are_accepted(tmp_path: Path, shelf: Shelf) -> None:
    with pytest.raises(FolderNotASample):
        Shelf(tmp_path)
    with pytest.raises(SourceMissing, match=ANNUAIRE):
        shelf.publish("insee-cog")


def test_commands_are_posts_and_not_from_a_browser(server: SampleServer) -> None:
    def post(path: str, **headers: str) -> int:
        return requests.post(f"{server.url}/{path}", headers=headers, timeout=TIMEOUT).status_code

    assert post(f"-/publish/{SALES}", Origin="https://example.org") == 403
    assert post("-/publish/insee-cog") == 404
    assert post("-/publish/") == 404
    assert post("-/fail?count=1") == 400
    assert post("-/fail?count=1&status=999") == 400
    assert post(BPE) == 405


def test_a_large_file_is_streamed_to_many_clients_at_once(server: SampleServer, folder: Path) -> None:
    size = 64 << 20
    path = folder / EQUIPMENT / "DS_BPE_CSV_FR.zip"
    with path.open("wb") as stream:
        stream.truncate(size)

    def received(_: int) -> int:
        with requests.get(f"{server.url}/{BPE}", stream=True, headers=BROWSER, timeout=TIMEOUT) as answer:
            return sum(len(piece) for piece in answer.iter_content(1 << 20))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(received, range(8))) == [size] * 8


def test_a_release_during_a_download_does_not_break_it(server: SampleServer, folder: Path) -> None:
    path = folder / EQUIPMENT / "DS_BPE_CSV_FR.zip"
    path.write_bytes(b"a" * (32 << 20))
    with requests.get(f"{server.url}/{BPE}", stream=True, headers=BROWSER, timeout=TIMEOUT) as answer:
        pieces = answer.iter_content(1 << 20)
        content = next(pieces)
        publish(server, EQUIPMENT)
        content += b"".join(pieces)
    assert content == b"a" * (32 << 20)


def test_a_client_that_goes_away_does_no_harm(
    server: SampleServer, folder: Path, get: Get, caplog: pytest.LogCaptureFixture
) -> None:
    path = folder / EQUIPMENT / "DS_BPE_CSV_FR.zip"
    path.write_bytes(b"a" * (32 << 20))
    with requests.get(f"{server.url}/{BPE}", stream=True, headers=BROWSER, timeout=TIMEOUT) as answer:
        next(answer.iter_content(1 << 10))
    for thread in threading.enumerate():
        if "process_request" in thread.name:
            thread.join(TIMEOUT)
            assert not thread.is_alive()
    assert get(SCHOOLS).status_code == 200
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


def test_requests_share_a_connection(server: SampleServer) -> None:
    with requests.Session() as session:
        for path in (
            SCHOOLS,
            f"{SCHOOLS}/exports/csv",
            f"{SCHOOLS}/exports/json",
            "example.org/",
            f"{SCHOOLS}/records",
        ):
            assert session.get(f"{server.url}/{path}", timeout=TIMEOUT).headers.get("Connection") != "close"
        adapter = session.get_adapter(server.url)
        assert isinstance(adapter, HTTPAdapter) and len(adapter.poolmanager.pools) == 1


def test_a_part_of_a_file_is_sent_on_request(get: Get) -> None:
    whole = get(OPTIONS_URL).content
    for requested, expected in {"0-3": whole[:4], "5-": whole[5:], "-4": whole[-4:], "0-999": whole}.items():
        answer = get(OPTIONS_URL, headers={**BROWSER, "Range": f"bytes={requested}"})
        assert (answer.status_code, answer.content) == (206, expected)
        assert answer.headers["Content-Range"].endswith(f"/{len(whole)}")
    assert get(OPTIONS_URL, headers={**BROWSER, "Range": "bytes=999-"}).status_code == 416
    assert get(SCHOOLS, headers={**BROWSER, "Range": "bytes=0-3"}).status_code == 200, "an interface sends no parts"


def test_a_source_misbehaves_until_its_next_release(server: SampleServer, get: Get, folder: Path) -> None:
    def publish_with(**what: object) -> int:
        query = {"misbehaviour": json.dumps(what)}
        return requests.post(f"{server.url}/-/publish/{SALES}", params=query, timeout=TIMEOUT).status_code

    stored = folder / SALES / "communesdvf2024.csv"
    assert publish_with(rename={"annee": "an"}, drop=["INSEE_COM"]) == 200
    holding = server.shelf.holding(SALES)
    assert holding and holding.files[stored.name].read_text().startswith("an,")
    assert stored.read_text().startswith("INSEE_COM,annee"), "the directory has the release as it should be"
    assert publish_with(rename={"no such column": "an"}) == 400
    assert publish_with(status=99) == 400
    assert publish_with(frobnicate=True) == 400
    assert publish_with(html=True) == 200
    publish(server, SALES)
    holding = server.shelf.holding(SALES)
    assert holding and holding.misbehaviour == AS_EXPECTED and holding.files[stored.name] == stored
