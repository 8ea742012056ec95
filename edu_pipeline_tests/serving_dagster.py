"""The UI with its daemon: started as a script starts it in the background, queried as the browser queries it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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

STOP_SECONDS = 5.0
"""The UI ends within this time, on a machine that is not busy."""

IN_BACKGROUND = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh"]
"""What a script does to a program that it starts with `&`: it ignores SIGINT unless it asks not to."""


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
def serving_ui(log: Path, *options: str, **variables: str) -> Iterator[Ui]:
    """`edu-pipeline ui` on a free port, with the settings of this test and ``variables``; ended with all it started."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    began = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*IN_BACKGROUND, str(BIN / "edu-pipeline"), "ui", "--port", str(port), *options],
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
        end(process, signal.SIGINT)


def _is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/server_info", timeout=60).ok
    except requests.RequestException:
        return False


def end(process: subprocess.Popen[bytes], number: signal.Signals) -> float:
    """Ask the process to end, and return the seconds that it took; nothing that it started may be left."""
    began = time.monotonic()
    process.send_signal(number)
    try:
        process.wait(HANG)
        seconds = time.monotonic() - began
    finally:
        left = session(process.pid)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
    assert not left, "it ends with all that it has started"
    return seconds


def session(leader: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for file in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has just ended
            state, _, _, session = file.read_text().rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(file.parent.name))
    return found
