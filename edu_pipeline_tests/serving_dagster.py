"""The UI with its daemon: started as a person starts it, queried as the browser queries it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from edu_pipeline.settings import PROJECT
from edu_pipeline_tests.programs import BIN
from edu_pipeline_tests.waiting import HANG, awaited

RUNS = """
query ($tag: String!, $value: String!) {
  runsOrError(filter: {tags: [{key: $tag, value: $value}]}) {
    ... on Runs { results { runId status assetSelection { path } } }
  }
}
"""

STOP_SECONDS = 60
"""After these, a UI that was asked to end is killed. No test depends on it."""


@dataclass(frozen=True)
class Ui:
    """A Dagster UI that is running.

    Attributes:
        start_seconds: how long it took to start, a measure of how fast the machine is now.
    """

    url: str
    process: subprocess.Popen[bytes]
    start_seconds: float

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The answer of the GraphQL interface."""
        request = {"query": query, "variables": variables}
        answer = requests.post(f"{self.url}/graphql", json=request, timeout=HANG).json()
        assert "errors" not in answer, answer
        data = answer["data"]
        assert isinstance(data, dict)
        return data

    def runs(self, tag: str, value: str) -> list[dict[str, Any]]:
        """The runs with a tag, the newest first."""
        runs = self.ask(RUNS, tag=tag, value=value)["runsOrError"]["results"]
        assert isinstance(runs, list)
        return runs


@contextmanager
def serving_ui(log: Path, **variables: str) -> Iterator[Ui]:
    """`edu-pipeline ui` on a free port, with the settings of this test and ``variables``; ended with all it started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(BIN / "edu-pipeline"), "ui", "--port", str(port)],
            cwd=PROJECT,
            env=os.environ | variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        awaited(lambda: _is_up(url), f"the UI to answer (see {log})", process)
        yield Ui(url, process, start_seconds=time.monotonic() - began)
    finally:
        _end(process)


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/server_info", timeout=60).ok
    except requests.RequestException:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ask the process to end. What has not ended after a while, with all that it started, is killed."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
