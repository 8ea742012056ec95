"""What the campaign runs on: a server and a state of its own, and the sample's files in two editions.

Belongs here: making it, running the product's commands on it, and what must hold after whatever was done to it. Does
not belong here: what is done (`kills.py`, `faults.py`).
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from edu_pipeline.database.checksum import checksums
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.sample.directory import write_all, write_one
from edu_pipeline.sample.world import World
from edu_pipeline.settings import settings

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

Content = dict[str, str]
"""Table to the checksum of its rows."""


@dataclass(frozen=True)
class Run:
    """A command that was started.

    Attributes:
        log: its standard error.
    """

    process: subprocess.Popen[bytes]
    log: Path

    def ended(self) -> tuple[int, str]:
        """Wait until it and all processes that it has started have ended by themselves; what has not is killed.

        Returns:
            Its exit code, and the end of its standard error.
        """
        end, text = time.monotonic() + LONGEST, ""
        with suppress(ProcessLookupError):
            while time.monotonic() < end:
                self.process.poll()
                os.killpg(self.process.pid, 0)
                time.sleep(0.1)
            text = f"processes of the command were still there after {LONGEST:.0f} s"
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait(), text + self.log.read_text()[-2_000:]


@dataclass(frozen=True)
class Ground:
    """What the product runs on.

    Attributes:
        folder: of everything; EDU_HOME.
    cluster: running, with a database of its own.
    editions: two directories that stand in for the publishers.
    """

    folder: Path
    cluster: Cluster
    editions: tuple[Path, Path]

    @property
    def database(self) -> Database:
        """The live schema."""
        return Database(self.cluster.url(), LIVE)

    def start(self, command: str, edition: int) -> Run:
        """Start a command of the product, in a process group of its own, with an edition as the publishers."""
        log = self.folder / f"{command}-{time.monotonic_ns()}.log"
        with log.open("wb") as stderr:
            process = subprocess.Popen(
                [*COMMAND, command],
                env=os.environ | {"EDU_HOME": str(self.folder), "EDU_UPSTREAM": str(self.editions[edition])},
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,
            )
        return Run(process, log)

    def run(self, command: str, edition: int) -> tuple[int, str]:
        """Run a command to its end: its exit code, and the end of its standard error."""
        return self.start(command, edition).ended()

    def content(self) -> Content:
        """The checksums of the live tables."""
        return {name: str(checksum) for name, checksum in checksums(self.database).items()}

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
def ground(folder: Path, whole: bool) -> Iterator[Ground]:
    """Make the ground, filled with the first edition, and take it down at the end.

    Args:
        whole: with all sources; if not, with a few.
    """
    folder.chmod(0o755)  # the server may run as another user
    editions = (folder / "edition-0", folder / "edition-1")
    for number, edition in enumerate(editions):
        world = World("sample", releases=dict.fromkeys(CHANGED, number))
        if whole:
            write_all(world, edition)
        for source in () if whole else FEW:
            write_one(world, edition, source)
    cluster = Cluster(folder / ".local" / "postgres")
    cluster.start()
    try:
        os.environ["EDU_HOME"] = str(folder)
        settings.cache_clear()
        made = Ground(folder, cluster, editions)
        for command in ("migrate", "rebuild"):
            code, text = made.run(command, 0)
            if code:
                raise SystemExit(f"{command} failed:\n{text}")
        yield made
    finally:
        cluster.stop()


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for everything, removed at the end."""
    with tempfile.TemporaryDirectory(prefix="edu-pipeline-torture-", ignore_cleanup_errors=True) as name:
        yield Path(name)
