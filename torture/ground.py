"""What the campaign runs on: a server and a state of its own, and the sample's files in two editions.

Belongs here: making it, running the product's commands on it, and what must hold after whatever was done to it. Does
not belong here: what is done (`kills.py`, `faults.py`, `disks.py`).
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from edu_pipeline.database import sessions
from edu_pipeline.database.checksum import checksums
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.sample.directory import write_all, write_one
from edu_pipeline.sample.world import World

COMMAND = [str(Path(sys.executable).parent / "edu-pipeline")]
LIVE = "educational_data"

CHANGED = ("dvf-indicateurs-communes", "fr-en-annuaire-education", "geo-api-communes", "fr-en-ips-colleges-ap2023")
"""The sources in which the two editions differ."""

FEW = (
    *CHANGED,
    "departement-academie",
    "fr-en-ips-lycees-ap2023",
    "geo-api-departements",
    "insee-cog",
    "insee-table-passage",
)
"""Sources that are enough for most campaigns; tables that need others wait."""

PATIENCE = 60.0
"""Seconds in which the server must be rid of a process that was killed."""

LONGEST = 900.0
"""Seconds after which a run that should end by itself counts as endless."""

ENDLESS = "processes of the command were still there"
"""How the text of such a run begins."""

Content = dict[str, str]
"""Table to the checksum of its rows."""


@dataclass
class Run:
    """A command that was started.

    Attributes:
        log: its standard error.
        is_over: whether all its processes are known to have ended, so that their number may be another's by now.
    """

    process: subprocess.Popen[bytes]
    log: Path
    is_over: bool = False

    def ended(self) -> tuple[int, str]:
        """Wait until it and all processes that it has started have ended by themselves; what has not is killed.

        Returns:
            Its exit code, and the end of its standard error.
        """
        end, text = time.monotonic() + LONGEST, ""
        while self.is_alive():
            if time.monotonic() > end:
                text = f"{ENDLESS} after {LONGEST:.0f} s\n"
                self.kill()
            time.sleep(0.05)
        self.is_over = True
        return self.process.wait(), text + self.log.read_text()[-2_000:]

    def is_alive(self) -> bool:
        """Whether the command, or a process that it has started, is still there."""
        self.process.poll()
        try:
            os.killpg(self.process.pid, 0)
        except ProcessLookupError:
            return False
        return True

    def kill(self) -> None:
        """Kill the command and all processes that it has started, unless they have ended."""
        if not self.is_over:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)


@dataclass(frozen=True)
class Ground:
    """What the product runs on.

    Attributes:
        folder: of everything; EDU_HOME.
        cluster: running, with a database of its own.
        editions: two directories that stand in for the publishers.
        runs: the commands that were started, to be killed at the end.
    """

    folder: Path
    cluster: Cluster
    editions: tuple[Path, Path]
    runs: list[Run] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """That of a command: nothing of whoever starts the campaign says which database it works on."""
        others = {name: text for name, text in os.environ.items() if not name.startswith(("EDU_", "DAGSTER_", "PG"))}
        return others | {"EDU_HOME": str(self.folder)}

    @property
    def database(self) -> Database:
        """The live schema."""
        return Database(self.cluster.url(), LIVE)

    def start(
        self, command: str, edition: int, settings: Mapping[str, str] | None = None, through: Sequence[str] = ()
    ) -> Run:
        """Start a command of the product, in a process group of its own, with an edition as the publishers.

        Args:
            settings: further variables of its environment.
            through: the command that starts it, with its arguments.
        """
        log = self.folder / f"{command}-{time.monotonic_ns()}.log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [*through, *COMMAND, command],
                env=self.environment | {"EDU_UPSTREAM": str(self.editions[edition])} | dict(settings or {}),
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        run = Run(process, log)
        self.runs.append(run)
        return run

    def run(self, command: str, edition: int) -> tuple[int, str]:
        """Run a command to its end: its exit code, and the end of its standard error."""
        return self.start(command, edition).ended()

    def content(self) -> Content:
        """The checksums of the live tables. The session that asks for them does not stay: it would look left behind."""
        try:
            return {name: str(checksum) for name, checksum in checksums(self.database).items()}
        finally:
            sessions.close_idle()

    def left_behind(self) -> list[str]:
        """Sessions and locks of the product that are still there when it has ended, after a while."""
        end = time.monotonic() + PATIENCE
        while found := self._sessions():
            if time.monotonic() > end:
                return found
            time.sleep(0.2)
        return []

    def _sessions(self) -> list[str]:
        with psycopg.connect(self.cluster.url(), autocommit=True, application_name="torture") as connection:
            rows = connection.execute(
                "SELECT a.pid, a.state, coalesce(l.locktype, 'no lock') FROM pg_stat_activity AS a "
                "LEFT JOIN pg_locks AS l ON l.pid = a.pid AND l.locktype = 'advisory' "
                "WHERE a.datname = current_database() AND a.application_name = 'edu_pipeline'"
            )
            return [f"session {pid}, {state}, {lock}" for pid, state, lock in rows]


@contextmanager
def ground(folder: Path, whole: bool = False, durable: bool = True) -> Iterator[Ground]:
    """Make the ground, filled with the first edition, and take it down at the end, with every command that still runs.

    Args:
        whole: with all sources; if not, with a few.
        durable: False for tests: faster, and lost if the machine crashes.
    """
    folder.chmod(0o755)  # the server may run as another user
    editions = (folder / "edition-0", folder / "edition-1")
    for number, edition in enumerate(editions):
        world = World("sample", releases=dict.fromkeys(CHANGED, number))
        if whole:
            write_all(world, edition)
        for source in () if whole else FEW:
            write_one(world, edition, source)
    made = Ground(folder, Cluster(folder / ".local" / "postgres", durable=durable), editions)
    try:
        made.cluster.start()
        for command in ("migrate", "rebuild"):
            code, text = made.run(command, 0)
            if code:
                raise SystemExit(f"{command} failed:\n{text}")
        yield made
    finally:
        for run in made.runs:
            run.kill()
        made.cluster.stop()
        shutil.rmtree(made.cluster.fallback_folder, ignore_errors=True)


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for everything, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="edu-pipeline-torture-", ignore_cleanup_errors=True) as name:
        yield Path(name)
