"""Killing a rebuild or a refresh at a random instant: the process, a worker, a server backend, or the whole server.

Belongs here: one kill, and what must hold after it: every table is of the old or the new edition (after a rebuild, all
of the same), nothing is left behind, and the next run ends by itself with the content of an undisturbed one. Does not
belong here: the ground (`ground.py`), counting and reporting (`__main__.py`).
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from torture.ground import LONGEST, Content, Ground, Run
from torture.reader import Reader


@dataclass(frozen=True)
class Kill:
    """One kill.

    Attributes:
        seconds: after its start.
        problems: what does not hold; empty if all is well.
    """

    command: str
    victim: str
    seconds: float
    problems: tuple[str, ...]


class Killer:
    """Kills runs between two editions.

    Args:
        durations: seconds that an undisturbed command takes.
    """

    def __init__(self, ground: Ground, rng: random.Random, reader: Reader) -> None:
        self.ground, self.rng, self.reader = ground, rng, reader
        self.contents: dict[int, Content] = {0: ground.content()}
        self.durations: dict[str, float] = {}
        self.edition = 0

    def measure(self) -> list[str]:
        """Run each command undisturbed, there and back: how long it takes, and what it leads to.

        Returns:
            What is wrong: the content depends on the way to it.
        """
        problems = []
        for command in ("rebuild", "refresh"):
            begin = time.monotonic()
            problems += self.finish(command, 1 - self.edition)
            self.durations[command] = time.monotonic() - begin
        return problems

    def kill(self) -> Kill:
        """Kill a run at a random instant, and check what must hold."""
        command = self.rng.choice(["rebuild", "refresh"])
        victim = self.rng.choice(list(VICTIMS))
        wait = self.rng.uniform(0, 1.05 * self.durations[command])
        old, new = self.contents[self.edition], self.contents[1 - self.edition]
        run = self.ground.start(command, 1 - self.edition)
        time.sleep(wait)
        if victim in OF_SERVER:
            self.reader.away.set()
        VICTIMS[victim](self.ground, run, self.rng)
        begin = time.monotonic()
        run.ended()
        self.reader.away.clear()
        problems = ["it did not end by itself"] if time.monotonic() - begin > LONGEST else []
        problems += self.ground.left_behind()
        found = self.ground.content()
        if command == "rebuild" and found not in (old, new):
            problems.append(f"after the kill the tables are of neither edition: {_different(found, old, new)}")
        if wrong := _different(found, old, new):
            problems.append(f"tables of neither edition: {wrong}")
        problems += self.finish(command, 1 - self.edition)
        return Kill(command, victim, wait, tuple(problems))

    def finish(self, command: str, edition: int) -> list[str]:
        """Run a command undisturbed."""
        code, text = self.ground.run(command, edition)
        found = self.ground.content()
        expected = self.contents.setdefault(edition, found)
        self.edition = edition
        problems = [f"{command} ended with {code}: {text}"] if code else []
        if found != expected:
            problems.append(f"undisturbed {command}, other content: {_different(found, expected, expected)}")
        return problems


def _different(found: Content, *known: Content) -> list[str]:
    names = sorted({*found, *(name for content in known for name in content)})
    return [name for name in names if found.get(name) not in [content.get(name) for content in known]]


def kill_process(_: Ground, run: Run, __: random.Random) -> None:
    """Kill the command itself; its workers, if any, must end by themselves."""
    run.process.send_signal(signal.SIGKILL)


def kill_worker(_: Ground, run: Run, rng: random.Random) -> None:
    """Kill one of the processes that the command has started; without one, the command itself."""
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children")
    pids = [int(pid) for pid in children.read_text().split()] if children.exists() else []
    try:
        os.kill(rng.choice(pids or [run.process.pid]), signal.SIGKILL)
    except ProcessLookupError:
        return
    time.sleep(rng.uniform(0, 2))


def kill_backend(ground: Ground, _: Run, rng: random.Random) -> None:
    """Kill a process of the server that works for the command: the server restarts itself and recovers."""
    try:
        with psycopg.connect(ground.cluster.url(), autocommit=True) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'edu_pipeline'"
            ).fetchall()
            if rows:
                connection.execute("SELECT 1")
                os.kill(int(rng.choice(rows)[0]), signal.SIGKILL)
    except (psycopg.Error, ProcessLookupError):
        return
    _await_server(ground)


def stop_server(ground: Ground, _: Run, __: random.Random) -> None:
    """Shut the server down at once, without a checkpoint, and start it again."""
    postmaster = int((ground.cluster.data / "postmaster.pid").read_text().splitlines()[0])
    os.kill(postmaster, signal.SIGQUIT)
    while Path(f"/proc/{postmaster}").exists():
        time.sleep(0.05)
    ground.cluster.start()
    _await_server(ground)


def _await_server(ground: Ground, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            with psycopg.connect(ground.cluster.url(), connect_timeout=5):
                return
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


Victim = Callable[[Ground, Run, random.Random], None]
VICTIMS: dict[str, Victim] = {
    "process": kill_process,
    "worker": kill_worker,
    "backend": kill_backend,
    "server": stop_server,
}
OF_SERVER = ("backend", "server")
