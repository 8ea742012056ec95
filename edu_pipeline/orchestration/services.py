"""The programs of `edu-pipeline ui`: the code server, the web server and the daemon, which start and end together.

`dagster dev` starts the same ones, but cannot put anything in front of its web server, leaves them behind when its
database has gone, and does not notice a SIGINT if a script started it in the background.

Belongs here: starting, watching and ending the programs. Does not belong here: serving pages (``webserver.py``), what
the code server serves (``definitions.py``). Nothing here imports Dagster, so that nothing of it can hold up the end.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

from edu_pipeline.errors import SettingInvalid, UiStopped

LOOPBACK = "127.0.0.1"

LOCATION = "edu_pipeline"

CODE = ["dagster", "code-server", "start", "-m", "edu_pipeline.definitions", "--location-name", LOCATION]

ENDING_SECONDS = 2.0
"""What has not ended so long after SIGTERM is killed: a run, or whatever waits for a database that has gone."""

GONE_SECONDS = 0.5
"""How long to wait for what was killed."""

WATCH_SECONDS = 0.1
"""Between two looks at the programs."""


def serve(port: int, *, read_only: bool) -> None:
    """Serve the UI until SIGTERM or SIGINT, then end everything that it has started, runs included.

    Raises:
        SettingInvalid: the port is taken.
        UiStopped: one of the programs has ended by itself; the others are ended too.
    """
    _check_free(port)
    with _ending() as is_ending, tempfile.TemporaryDirectory(prefix="edu-pipeline-ui-") as folder:
        code_socket, workspace = Path(folder) / "code.sock", Path(folder) / "workspace.yaml"
        workspace.write_text(
            f"load_from:\n  - grpc_server: {{socket: {code_socket}, location_name: {LOCATION}}}\n", encoding="utf-8"
        )
        web = ["edu_pipeline.orchestration.webserver", "--port", str(port), "--workspace", str(workspace)]
        daemon = ["dagster._daemon", "run", "--workspace", str(workspace)]
        group = Group()
        try:
            group.start("code server", [*CODE, "--use-python-environment-entry-point", "--socket", str(code_socket)])
            while not is_ending and not _answers(code_socket):
                group.check()
                time.sleep(WATCH_SECONDS)
            if not is_ending:
                group.start("web server", [*web, "--read-only"] if read_only else web)
                group.start("daemon", daemon)
            while not is_ending:
                group.check()
                time.sleep(WATCH_SECONDS)
        finally:
            group.end()


class Group:
    """Programs that end together with whatever they have started: a process group of their own."""

    def __init__(self) -> None:
        self.programs: dict[str, subprocess.Popen[bytes]] = {}
        self.id = 0

    def start(self, name: str, module: Sequence[str]) -> None:
        """Start a module of Python's with its arguments; the first one makes the group."""
        command = [sys.executable, "-m", *module]
        self.programs[name] = subprocess.Popen(command, process_group=self.id, stdin=subprocess.DEVNULL)
        self.id = self.id or self.programs[name].pid

    def check(self) -> None:
        """Check that all programs run.

        Raises:
            UiStopped: one has ended.
        """
        for name, program in self.programs.items():
            if program.poll() is not None:
                raise UiStopped(
                    f"the UI's {name}",
                    f"expected it to run, found it ended with code {program.returncode}.",
                    "Its last lines above say why; start `edu-pipeline ui` again when that is fixed.",
                )

    def end(self) -> None:
        """Ask the group to end, and kill what has not after a few seconds."""
        for number, seconds in (signal.SIGTERM, ENDING_SECONDS), (signal.SIGKILL, GONE_SECONDS):
            with suppress(ProcessLookupError):
                os.killpg(self.id, number)
            deadline = time.monotonic() + seconds
            while self.is_there and time.monotonic() < deadline:
                time.sleep(WATCH_SECONDS)

    @property
    def is_there(self) -> bool:
        """Whether any process of the group has not ended."""
        for program in self.programs.values():
            program.poll()  # one that has ended stays in the group until its parent has noticed
        try:
            os.killpg(self.id, 0)
        except ProcessLookupError:
            return False
        return True


@contextmanager
def _ending() -> Iterator[list[int]]:
    """A list that is empty until SIGTERM or SIGINT, also where a shell has set the process to ignore the latter."""
    received: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        received.append(number)

    numbers = (signal.SIGTERM, signal.SIGINT)
    before = [signal.signal(number, note) for number in numbers]
    try:
        yield received
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except (OSError, OverflowError) as error:
            raise SettingInvalid(
                "--port",
                f"expected a free port of {LOOPBACK}, found {port}: {error}.",
                "End the program that has it, or choose another port.",
            ) from error


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(str(path))
        except OSError:
            return False
        return True
