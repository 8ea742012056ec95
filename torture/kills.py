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
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg

from torture.ground import ENDLESS, Content, Ground, Run
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
        reader.learn(0)
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
        old = self.contents[self.edition]
        with self.reader.whole(command == "rebuild"):
            run = self.ground.start(command, 1 - self.edition)
            time.sleep(wait)
            VICTIMS[victim](self, run)
            _, text = run.ended()
            problems = [text] if text.startswith(ENDLESS) else []
            problems += self.ground.left_behind()
            found = self.ground.content()
            problems += self.finish(command, 1 - self.edition)
        new = self.contents[self.edition]
        if wrong := _different(found, old, new):
            problems.append(f"after the kill, tables of neither edition: {wrong}")
        elif command == "rebuild" and found not in (old, new):
            problems.append(f"after the kill, tables of both editions: {_different(found, old)}")
        return Kill(command, victim, wait, tuple(problems))

    def finish(self, command: str, edition: int) -> list[str]:
        """Run a command undisturbed."""
        code, text = self.ground.run(command, edition)
        found = self.ground.content()
        expected = self.contents.setdefault(edition, found)
        self.edition = edition
        if not code:
            self.reader.learn(edition)
        problems = [f"{command} ended with {code}: {text}"] if code else []
        if found != expected:
            problems.append(f"undisturbed {command}, other content: {_different(found, expected)}")
        return problems


def _different(found: Content, *known: Content) -> list[str]:
    names = sorted({*found, *(name for content in known for name in content)})
    return [name for name in names if found.get(name) not in [content.get(name) for content in known]]


def kill_process(_: Killer, run: Run) -> None:
    """Kill the command itself; its workers, if any, must end by themselves."""
    run.process.send_signal(signal.SIGKILL)


def kill_worker(killer: Killer, run: Run) -> None:
    """Kill one of the processes that the command has started; without one, the command itself."""
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children")
    pids = [int(pid) for pid in children.read_text().split()] if children.exists() else []
    with suppress(ProcessLookupError):
        os.kill(killer.rng.choice(pids or [run.process.pid]), signal.SIGKILL)


def kill_backend(killer: Killer, _: Run) -> None:
    """Kill a process of the server that works for the command: the server ends all sessions, and recovers."""
    with psycopg.connect(killer.ground.cluster.url(), autocommit=True) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'edu_pipeline' AND datname = current_database()"
        ).fetchall()
        if not rows:
            return
        with killer.reader.outage():
            try:
                os.kill(int(killer.rng.choice(rows)[0]), signal.SIGKILL)
            except ProcessLookupError:
                return
            with suppress(psycopg.OperationalError):  # as soon as the server has noticed
                connection.execute("SELECT pg_sleep(10)")
            await_server(killer.ground)


def stop_server(killer: Killer, _: Run) -> None:
    """Shut the server down at once, without a checkpoint, and start it again."""
    postmaster = killer.ground.cluster.status().pid
    assert postmaster is not None
    with killer.reader.outage():
        os.kill(postmaster, signal.SIGQUIT)
        while Path(f"/proc/{postmaster}").exists():
            time.sleep(0.05)
        killer.ground.cluster.start()
        await_server(killer.ground)


def await_server(ground: Ground, seconds: float = 60) -> None:
    """Wait until the server accepts connections.

    Raises:
        psycopg.OperationalError: it does not in time.
    """
    end = time.monotonic() + seconds
    while True:
        try:
            with psycopg.connect(ground.cluster.url(), connect_timeout=5):
                return
        except psycopg.OperationalError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


Victim = Callable[[Killer, Run], None]
VICTIMS: dict[str, Victim] = {
    "process": kill_process,
    "worker": kill_worker,
    "backend": kill_backend,
    "server": stop_server,
}
