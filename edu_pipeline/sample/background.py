"""The sample's server as a separate process, which outlives the command that started it.

Belongs here: starting it, finding it, stopping it; `<home>/server.json` describes it, and `addresses.json` remembers
the address of every folder that was served, since EDU_UPSTREAM may name it. Does not belong here: what it serves
(`server.py`), making the directory (`shelf.py`). Imports little, to keep the command line fast.
"""

from __future__ import annotations

import fcntl
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

import requests

from edu_pipeline.errors import EduError

MODULE = "edu_pipeline.sample.server"
"""The module that the server's command line runs."""

STATE, ADDRESSES, LOG, LOCK = "server.json", "addresses.json", "server.log", "server.lock"
START_SECONDS, STOP_SECONDS, ANSWER_SECONDS = 60.0, 10.0, 10.0


class SampleServerFailed(EduError):
    """The sample's server could not be started, reached or made to publish."""


@dataclass(frozen=True)
class Running:
    """A server in the background: its address, and what it was started with."""

    pid: int
    url: str
    scale: str
    folder: str
    quota: int | None = None


def start(home: Path, folder: Path, scale: str, port: int = 0, quota: int | None = None) -> Running:
    """Start a server over ``folder``, or find the one already running; returns when it answers.

    Args:
        home: the folder of ``server.json`` and the log.
        port: 0 for the one that the folder was last served on, if that is free, else any free one.

    Raises:
        SampleServerFailed: it does not start, or a server with other arguments is running.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _locked(home):
        if (server := running(home)) is not None:
            _check_same(server, str(folder.resolve()), port, quota)
            return server
        port = port or _earlier_port(home, str(folder.resolve()))
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
                    f"expected a server over {folder}, found none that answers: {_last_lines(home / LOG)}",
                    f"Fix what {home / LOG} says, and start the server again.",
                )
        except BaseException:
            process.kill()
            process.wait()
            raise
        server = Running(process.pid, url, scale, str(folder.resolve()), quota)
        _write(home / STATE, asdict(server))
        served = _served(home) | {server.folder: server}
        _write(home / ADDRESSES, {name: asdict(earlier) for name, earlier in served.items()})
        return server


def resume(home: Path, url: str) -> Running | None:
    """Start the server again whose address ``url`` was.

    Returns:
        The server; None if something answers at ``url``, or if no server of ``home`` ever had this address.

    Raises:
        SampleServerFailed: it does not start, for example because another program has its port now.
    """
    server = next((server for server in _served(home).values() if server.url == url.rstrip("/")), None)
    if server is None or _state(server.url) is not None:
        return None
    return start(home, Path(server.folder), server.scale, _port(server.url), server.quota)


def running(home: Path) -> Running | None:
    """The server that ``server.json`` describes, if it still runs and answers."""
    server = _recorded(home)
    return server if server and _is_ours(server) and _answers(server.url, server.pid) else None


def stop(home: Path) -> Running | None:
    """End the server that ``server.json`` describes; None if there is none, or if its pid is now another program's.

    Raises:
        SampleServerFailed: it cannot be ended.
    """
    if not home.is_dir():
        return None
    with _locked(home):
        server = _recorded(home)
        if server is not None and not _is_ours(server):
            server = None
        if server is not None:
            _end(server)
        (home / STATE).unlink(missing_ok=True)
        return server


def publish(url: str, source: str, misbehaviour: str = "{}") -> dict[str, object]:
    """Make the server publish a new release of a source.

    Args:
        misbehaviour: what is wrong with it, as ``Misbehaviour.as_text``.

    Returns:
        The server's description of the release.

    Raises:
        SampleServerFailed: it does not answer, or has no such source.
    """
    try:
        answer = _session().post(
            f"{url.rstrip('/')}/-/publish/{source}",
            params={"misbehaviour": misbehaviour},
            timeout=(ANSWER_SECONDS, None),
        )
        release = answer.json()
    except (requests.RequestException, ValueError) as error:
        raise SampleServerFailed(
            "sample publish",
            f"expected a sample's server at {url}, found {type(error).__name__}: {error}.",
            "Start one: edu-pipeline sample serve --background.",
        ) from error
    if answer.status_code != 200:
        raise SampleServerFailed(
            "sample publish",
            f"expected a new release of {source}, found the answer {answer.status_code}: {release.get('message')}",
            f"Do what the answer says; the sources are at {url}/-/.",
        )
    return dict(release)


def _check_same(server: Running, folder: str, port: int, quota: int | None) -> None:
    """Refuse a running server that was started with other arguments."""
    own_port = _port(server.url)
    if (server.folder, server.quota) != (folder, quota) or port not in (0, own_port):
        raise SampleServerFailed(
            "sample serve",
            f"expected a server over {folder} with quota {quota}{f' on port {port}' if port else ''}, found one over "
            f"{server.folder} with quota {server.quota} at {server.url}.",
            "Stop that one first: edu-pipeline sample stop.",
        )


def _recorded(home: Path) -> Running | None:
    try:
        return Running(**json.loads((home / STATE).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def _served(home: Path) -> dict[str, Running]:
    """The server that every folder was last served by; most of them have ended."""
    try:
        records = json.loads((home / ADDRESSES).read_text(encoding="utf-8"))
        return {folder: Running(**record) for folder, record in records.items()}
    except (FileNotFoundError, ValueError, TypeError, AttributeError):
        return {}


def _earlier_port(home: Path, folder: str) -> int:
    """The port that the folder was last served on; 0 if there is none, or if another program has it now."""
    server = _served(home).get(folder)
    if server is None:
        return 0
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", _port(server.url)))
        except OSError:
            return 0
    return _port(server.url)


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


def _write(path: Path, record: Mapping[str, object]) -> None:
    """Write JSON to a file that is never half written."""
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)


def _is_ours(server: Running) -> bool:
    """Whether the process still runs and is the server that was started: pids are reused."""
    try:
        if Path("/proc/self/cmdline").exists():
            words = Path(f"/proc/{server.pid}/cmdline").read_bytes().decode(errors="replace").replace("\0", " ")
        else:
            ps = ["ps", "-ww", "-p", str(server.pid), "-o", "args="]
            words = subprocess.run(ps, capture_output=True, text=True).stdout
    except OSError:
        return False
    return f"-m {MODULE} {server.folder} --port" in words


def _end(server: Running) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.kill(server.pid, number)
        if _ends(server):
            return
    raise SampleServerFailed(
        "sample stop",
        f"expected process {server.pid} to end, found it still running.",
        f"Look at it with: ps -p {server.pid}.",
    )


def _ends(server: Running) -> bool:
    """Whether the process ends in time."""
    deadline = time.monotonic() + STOP_SECONDS
    while time.monotonic() < deadline:
        with suppress(ChildProcessError):  # it is not a child of this process
            os.waitpid(server.pid, os.WNOHANG)
        try:
            os.kill(server.pid, 0)
            state = Path(f"/proc/{server.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except ProcessLookupError:
            return True
        except FileNotFoundError:  # it ended just now, or this system has no /proc
            state = ""
        if state == "Z":  # it has ended, but its parent has not collected it
            return True
        time.sleep(0.02)
    return not _is_ours(server)


def _answers(url: str, pid: int) -> bool:
    """Whether this process is the one that answers there."""
    state = _state(url)
    return state is not None and state.get("pid") == pid


def _state(url: str) -> dict[str, object] | None:
    """What the sample's server at ``url`` says of itself; None if there is none."""
    try:
        state = _session().get(f"{url}/-/", timeout=ANSWER_SECONDS).json()
    except (requests.RequestException, ValueError):
        return None
    return state if isinstance(state, dict) else None


def _session() -> requests.Session:
    """A session without the environment's proxies, which cannot reach this machine's own address."""
    session = requests.Session()
    session.trust_env = False
    return session


def _line(stream: IO[bytes], seconds: float) -> str:
    """The first line that the process prints; empty if it prints none in time."""
    with selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        return stream.readline().decode().strip() if selector.select(seconds) else ""


def _last_lines(path: Path) -> str:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
    return " / ".join(lines) or "it printed nothing."


@contextmanager
def _locked(home: Path) -> Iterator[None]:
    """A lock, so that only one process at a time starts or stops the server."""
    with (home / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
