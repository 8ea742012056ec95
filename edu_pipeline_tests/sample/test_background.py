"""The sample's server in the background: started, found and stopped by the command line."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from typer.testing import CliRunner

from edu_pipeline.cli.sample import app as sample
from edu_pipeline.database.connection import Database
from edu_pipeline.errors import EduError
from edu_pipeline.sample import background
from edu_pipeline.sample.directory import MANIFEST
from edu_pipeline.sample.server import serving
from edu_pipeline.sample.shelf import Shelf
from edu_pipeline.settings import settings
from edu_pipeline_tests.programs import run_here
from edu_pipeline_tests.sample.sample_files import copied_sample
from edu_pipeline_tests.sample.small_sample import (
    COMMUNES,
    TIMEOUT,
)


def run(*words: str) -> str:
    result = CliRunner().invoke(sample, list(words))
    if isinstance(result.exception, EduError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output.strip()


@pytest.fixture
def home() -> Iterator[Path]:
    """The folder with the state of this test's background server, which ends with the test."""
    home = settings().local / "sample"
    try:
        yield home
    finally:
        background.stop(home)


@pytest.fixture
def filled(home: Path) -> Path:
    """The folder, with the sample in it."""
    copied_sample(home / "sample")
    return home


def test_the_server_outlives_its_command_and_is_found_again(home: Path) -> None:
    url = run("serve", "--background")
    state = json.loads((home / "server.json").read_text())
    assert (state["url"], state["scale"], state["folder"]) == (url, "sample", str(home / "sample"))
    assert requests.get(f"{url}/-/", timeout=TIMEOUT).json()["pid"] == state["pid"]
    assert os.getpgid(state["pid"]) != os.getpgid(0)
    assert run("url") == url
    assert run("serve", "--background") == url
    assert json.loads((home / "server.json").read_text()) == state
    assert run("publish", COMMUNES).startswith(f"{COMMUNES}: release 1 of ")
    assert f"{COMMUNES}: release 2 of " in run("publish", COMMUNES, "--url", url)
    with pytest.raises(background.SampleServerFailed, match="insee-nothing"):
        run("publish", "insee-nothing")
    with pytest.raises(background.SampleServerFailed, match="Stop that one first"):
        run("serve", "--background", "--quota", "3")
    assert run("make").endswith("All of it is invented.")
    assert requests.get(f"{url}/-/", timeout=TIMEOUT).json()["sources"][COMMUNES]["release"] == 2
    assert run("stop") == f"stopped {url}"
    assert not background._is_ours(background.Running(**state))
    assert run("stop") == "no server was running"
    with pytest.raises(background.SampleServerFailed, match="found none running"):
        run("url")


def test_the_address_is_kept_and_served_again_on_request(filled: Path) -> None:
    url = run("serve", "--background")
    assert background.resume(filled, url) is None, "it is running"
    run("stop")
    assert background.resume(filled, "http://127.0.0.1:9") is None, "another server's address"
    server = background.resume(filled, f"{url}/")
    assert server is not None and server.url == url == run("url")
    run("stop")
    assert run("serve", "--background") == url


def test_a_port_that_was_taken_meanwhile_is_not_waited_for(filled: Path) -> None:
    url = run("serve", "--background")
    run("stop")
    with socket.create_server(("127.0.0.1", int(url.rpartition(":")[2]))):
        with pytest.raises(background.SampleServerFailed, match="Address already in use"):
            background.resume(filled, url)
        assert run("serve", "--background") != url


def test_refresh_serves_the_sample_again(database: Database, filled: Path) -> None:
    url = run("serve", "--background")
    run("stop")
    settings = {"EDU_DATABASE_URL": database.url, "EDU_UPSTREAM": url}
    ended = run_here("refresh", "pcs_libelle", **settings)
    assert ended.returncode == 0, ended.stderr
    assert f"started the sample publisher on {url}" in ended.stderr and run("url") == url


def test_another_program_with_the_same_pid_is_not_ended(home: Path) -> None:
    home.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        state = {"pid": other.pid, "url": "http://127.0.0.1:9", "scale": "sample", "folder": str(home), "quota": None}
        (home / "server.json").write_text(json.dumps(state))
        assert background.running(home) is None
        assert run("stop") == "no server was running"
        assert other.poll() is None
        other.kill()
    assert not (home / "server.json").exists()


def test_a_server_that_does_not_start_says_why(home: Path, tmp_path: Path, folder: Path) -> None:
    with pytest.raises(background.SampleServerFailed, match=f"expected a sample, with {MANIFEST}"):
        background.start(home, tmp_path / "nothing", "sample")
    with serving(Shelf(folder)) as other, pytest.raises(background.SampleServerFailed, match="Address already in use"):
        background.start(home, folder, "sample", port=int(other.url.rpartition(":")[2]))
    assert not (home / "server.json").exists()
