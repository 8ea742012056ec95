"""The sample's server as a process of its own, which outlives the command that started it.

Belongs here: starting it, finding it again, stopping it; what is known of it is in ``<home>/server.json``. Does not
belong here: what it serves (`server.py`), making the directory (`shelf.py`). Imports little, for the command line's
sake.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import requests

from edu_pipeline.errors import EduError

MODULE = "edu_pipeline.sample.server"
"""What the server's command line names."""

STATE, LOG, LOCK = "server.json", "server.log", "server.lock"
START_SECONDS, STOP_SECONDS, ANSWER_SECONDS = 60.0, 10.0, 10.0


class SampleServerFailed(EduError):
    """The sample's server could not be started, reached or told something."""


@dataclass(frozen=True)
class Running:
    """A server in the background: where it answers, and what it was started with."""

    pid: int
    url: str
    scale: str
    folder: str
    quota: int | None = None


def start(home: Path, folder: Path, scale: str, port: int = 0, quota: int | None = None) -> Running:
    """Start a server over ``folder``, or find the one that runs already; returns when it answers.

    Args:
        home: where ``server.json`` and the log are.
        port: 0 for any free one.

    Raises:
        SampleServerFailed: it does not start, or another one runs than is asked for.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home):
        already = running(home)
        if already is not None:
            _check_same(already, str(folder.resolve()), port, quota)
            return already
        command = [sys.executable, "-m", MODULE, str(folder.resolve()), "--port", str(port)]
        if quota is not None:
            command += ["--quota", str(quota)]
        with (home / LOG).open("wb") as log:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True
            )
        assert process.stdout is not None
        try:
            with process.stdout as stdout:
                url = _line(stdout, START_SECONDS)
            if not url or not _answers(url, process.pid):
                raise SampleServerFailed(
                    "sample serve",
                    f"expected a server over {folder}; it ended or does not answer: {_last_lines(home / LOG)}",
                    f"Mend what it says (the whole is in {home / LOG}), and start it again.",
                )
        except BaseException:
            process.kill()
            process.wait()
            raise
        found = Running(process.pid, url, scale, str(folder.resolve()), quota)
        partial = home / f"{STATE}.part"
        partial.write_text(json.dumps(asdict(found), indent=1) + "\n", encoding="utf-8")
        partial.replace(home / STATE)
        return found


def running(home: Path) -> Running | None:
    """The server that ``server.json`` names, if it still runs, is ours and answers."""
    found = _noted(home)
    return found if found and _is_ours(found) and _answers(found.url, found.pid) else None


def stop(home: Path) -> Running | None:
    """End the server that ``server.json`` names; None if there was none, or if its number is another program's now.

    Raises:
        SampleServerFailed: it cannot be ended.
    """
    if not home.is_dir():
        return None
    with _locked(home):
        found = _noted(home)
        ours = found is not None and _is_ours(found)
        if found is not None and ours:
            for number in (signal.SIGTERM, signal.SIGKILL):
                with suppress(ProcessLookupError):
                    os.kill(found.pid, number)
                if _gone(found):
                    break
            else:
                raise SampleServerFailed(
                    "sample stop",
                    f"expected process {found.pid} to end; it is still there.",
                    f"Look at it with: ps -p {found.pid}.",
                )
        (home / STATE).unlink(missing_ok=True)
        return found if ours else None


def publish(url: str, source: str) -> dict[str, object]:
    """Make the server publish a new release of a source; what it has then.

    Raises:
        SampleServerFailed: it does not answer, or has no such source.
    """
    try:
        answer = _session().post(f"{url.rstrip('/')}/-/publish/{source}", timeout=(ANSWER_SECONDS, None))
        said = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise SampleServerFailed(
            "sample publish",
            f"expected a sample's server at {url}; found {type(error).__name__}: {error}.",
            "Start one: edu-pipeline sample serve --background.",
        ) from error
    if answer.status_code != 200:
        raise SampleServerFailed(
            "sample publish",
            f"expected a new release of {source}; the server says: {said.get('message')}",
            f"Its sources are at {url}/-/.",
        )
    return dict(said)


def _check_same(found: Running, folder: str, port: int, quota: int | None) -> None:
    """Refuse to pass one server off as another."""
    port_found = int(found.url.rpartition(":")[2])
    if (found.folder, found.quota) != (folder, quota) or port not in (0, port_found):
        raise SampleServerFailed(
            "sample serve",
            f"expected a server over {folder} with quota {quota}{f' on port {port}' if port else ''}; one over "
            f"{found.folder} with quota {found.quota} runs at {found.url}.",
            "Stop that one first: edu-pipeline sample stop.",
        )


def _noted(home: Path) -> Running | None:
    try:
        return Running(**json.loads((home / STATE).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _is_ours(found: Running) -> bool:
    """Whether the process runs and is the sample's server that was started: numbers are given out again."""
    try:
        if Path("/proc/self/cmdline").exists():
            words = Path(f"/proc/{found.pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        else:
            ps = ["ps", "-ww", "-p", str(found.pid), "-o", "args="]
            words = subprocess.run(ps, capture_output=True, text=True).stdout
    except OSError:
        return False
    return f"-m {MODULE} {found.folder} --port" in words


def _gone(found: Running) -> bool:
    """Whether the process ends in time."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        with suppress(ChildProcessError):  # where this very process started it
            os.waitpid(found.pid, os.WNOHANG)
        try:
            os.kill(found.pid, 0)
            state = Path(f"/proc/{found.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except ProcessLookupError:
            return True
        except FileNotFoundError:  # it went just now, or there is no /proc here
            state = ""
        if state == "Z":  # dead, and whoever should take note of it does not
            return True
        time.sleep(0.02)
    return not _is_ours(found)


def _answers(url: str, pid: int) -> bool:
    """Whether it is that process that answers there."""
    try:
        said = _session().get(f"{url}/-/", timeout=ANSWER_SECONDS).json()
        return bool(said["pid"] == pid)
    except (requests.RequestException, ValueError, TypeError, KeyError):
        return False


def _session() -> requests.Session:
    """Without the environment's proxies, which cannot reach this machine's own address."""
    session = requests.Session()
    session.trust_env = False
    return session


def _line(stream: IO[bytes], seconds: float) -> str:
    """The first line that the process prints; empty if it prints none in that time."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return stream.readline().decode().strip() if selector.select(seconds) else ""


def _last_lines(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
    return " / ".join(lines) or "it said nothing."


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """One process at a time starts or stops the server."""
    with (home / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
