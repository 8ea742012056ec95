"""The programs of `edu-pipeline ui` as a group: one that ends is noticed, and all end together."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import pytest

from edu_pipeline.errors import SettingInvalid, UiStopped
from edu_pipeline.orchestration import services
from edu_pipeline.orchestration.services import Group, serve
from edu_pipeline_tests.waiting import awaited

STUBBORN = """
import pathlib, signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen(["sleep", "600"], preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN))
pathlib.Path(sys.path[0], "ready").touch()
time.sleep(600)
"""


@pytest.fixture
def group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Group:
    """A group without programs; modules for them are found in the test's folder."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Group()


def test_what_ignores_the_signal_is_killed_with_its_children(
    group: Group, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stubborn.py").write_text(STUBBORN, encoding="utf-8")
    monkeypatch.setattr(services, "ENDING_SECONDS", 0.3)
    group.start("stubborn", ["stubborn"])
    awaited((tmp_path / "ready").exists, "the program to ignore the signal", group.programs["stubborn"])
    group.check()
    group.end()
    assert group.programs["stubborn"].returncode == -9
    awaited(lambda: not group.is_there, "its child to end")


def test_one_that_ends_by_itself_is_named(group: Group, tmp_path: Path) -> None:
    (tmp_path / "short.py").write_text("raise SystemExit(3)", encoding="utf-8")
    group.start("web server", ["short"])
    group.programs["web server"].wait()
    with pytest.raises(UiStopped, match="the UI's web server: expected it to run, found it ended with code 3"):
        group.check()
    began = time.monotonic()
    group.end()
    assert time.monotonic() - began < services.ENDING_SECONDS, "nothing is waited for"


def test_a_port_that_is_taken_is_refused_at_once() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingInvalid, match=f"--port: expected a free port of 127.0.0.1, found {port}"):
            serve(port, read_only=False)
