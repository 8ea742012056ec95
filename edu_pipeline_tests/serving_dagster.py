"""The UI with its daemon, started as a person does, and asked as the browser asks it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import requests

from edu_pipeline.settings import PROJECT
from edu_pipeline_tests.programs import BIN

Value = TypeVar("Value")

RUNS = """
query ($tag: String!, $value: String!) {
  runsOrError(filter: {tags: [{key: $tag, value: $value}]}) {
    ... on Runs { results { runId status assetSelection { path } } }
  }
}
"""


@dataclass(frozen=True)
class Ui:
    """A Dagster UI that runs."""

    url: str

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """The answer of the GraphQL interface."""
        answer = requests.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=30).json()
        assert "errors" not in answer, answer
        data = answer["data"]
        assert isinstance(data, dict)
        return data

    def runs(self, tag: str, value: str) -> list[dict[str, Any]]:
        """The runs with a tag, the newest first."""
        found = self.ask(RUNS, tag=tag, value=value)["runsOrError"]["results"]
        assert isinstance(found, list)
        return found


@contextmanager
def serving_ui(log: Path, **variables: str) -> Iterator[Ui]:
    """`edu-pipeline ui` on a free port, with the settings of this test and ``variables``; ended with all it started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ui = Ui(f"http://127.0.0.1:{port}")
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
        awaited(lambda: process.poll() is None and _answers(ui), 60, f"the UI to answer (see {log})")
        yield ui
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _answers(ui: Ui) -> bool:
    try:
        return requests.get(f"{ui.url}/server_info", timeout=5).ok
    except requests.RequestException:
        return False


def awaited(look: Callable[[], Value], seconds: float, what: str) -> Value:
    """What ``look`` finds, as soon as that is something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.2)
    raise AssertionError(f"waited {seconds:.0f} s in vain for {what}")
