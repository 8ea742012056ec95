"""Waiting for events in tests, without a clock that a slow machine fails.

Belongs here: waiting for a condition, for a thread, for a pause of the code under test. Does not belong here: the
conditions (the tests). ``HANG`` is no bound on speed: it only ends a test that would never end.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import LiteralString

import psycopg

HANG = 900.0
"""Seconds after which a wait counts as endless."""


def wait_until(condition: Callable[[], object], what: str, alive: Callable[[], bool] = lambda: True) -> None:
    """Return when ``condition`` holds.

    Args:
        what: the condition in words, for the failure.
        alive: whether it can still come to hold, e.g. whether a process is still running.
    """
    deadline = time.monotonic() + HANG
    while not condition():
        assert alive(), f"ended before this happened: {what}"
        assert time.monotonic() < deadline, f"still waiting: {what}"
        time.sleep(0.01)


def wait_for_query(
    url: str,
    statement: LiteralString,
    values: dict[str, object] | None = None,
    alive: Callable[[], bool] = lambda: True,
) -> None:
    """Return when a query, asked again and again by a session of its own, answers true."""
    with psycopg.connect(url, autocommit=True) as connection:
        wait_until(lambda: connection.execute(statement, values).fetchone() == (True,), statement, alive)


def wait_for_advisory_lock(url: str, alive: Callable[[], bool] = lambda: True) -> None:
    """Return when some session waits for an advisory lock."""
    wait_for_query(url, "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", alive=alive)


class Background(threading.Thread):
    """A call in a thread, begun at once."""

    def __init__(self, function: Callable[..., object], *arguments: object) -> None:
        super().__init__(daemon=True)
        self.function, self.arguments = function, arguments
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        """Make the call."""
        try:
            self.function(*self.arguments)
        except BaseException as error:
            self.error = error

    def finish(self) -> None:
        """Wait until it has returned; an error that it raised is raised here."""
        self.join(HANG)
        assert not self.is_alive(), f"still running: {self.function}"
        if self.error:
            raise self.error


class Pauses:
    """Stands in for the module ``time`` in a module under test: shows that it has begun to wait."""

    monotonic = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self._begun = threading.Semaphore(0)

    def sleep(self, seconds: float) -> None:
        """Pause, and let ``wait_for`` know."""
        self._begun.release()
        time.sleep(seconds)

    def wait_for(self, count: int) -> None:
        """Return when ``count`` more pauses have begun."""
        for _ in range(count):
            assert self._begun.acquire(timeout=HANG), "still waiting: a pause"
