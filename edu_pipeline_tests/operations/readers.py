"""Sessions that read while schemas are swapped, and one that reads what no swap touches, for comparison.

Belongs here: reading, and checking what the readers saw and how long they waited. Does not belong here: changing
anything.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from edu_pipeline_tests.operations.generations import LIVE, WHOLE, whole
from edu_pipeline_tests.operations.waits import HANG, wait_until

TRANSACTION = 4
"""How many queries a transaction has at most."""

CONTROL = "control"
"""A schema with a copy of the tables and the view that the readers read."""

HELD_AT_MOST = 0.5
"""Seconds that an attempt to swap may keep readers waiting, by the server's clock."""

NOISE = 15
"""How many times as long as the slowest query of the control a query may take apart from waiting for a swap: after one,
a session looks up its tables and plans its statements again, which the control never has to."""


class Reader(threading.Thread):
    """A session that queries until it is stopped.

    Attributes:
        answers: what it got to ``WHOLE``, each answer once.
        count: how many queries it made.
        slowest: how many seconds the slowest took.
        error: why it ended; empty while it runs.
    """

    def __init__(
        self,
        url: str,
        *,
        prepare: bool,
        isolation: psycopg.IsolationLevel | None = None,
        schema: str = LIVE,
        pause: float = 0.0,
    ) -> None:
        super().__init__(daemon=True)
        self.prepare, self.pause, self.stopped = prepare, pause, threading.Event()
        self.answers: set[tuple[Any, ...]] = set()
        self.slowest, self.count, self.error = 0.0, 0, ""
        self.connection = psycopg.connect(url, options=f"-csearch_path={schema}")
        self.connection.isolation_level = isolation
        self.connection.autocommit = isolation is None

    def run(self) -> None:
        """Query, in transactions of several statements if an isolation level is given."""
        try:
            while not self.stopped.is_set():
                with self.connection.transaction():
                    for _ in range(1 if self.connection.autocommit else TRANSACTION - 1):
                        self.answers.add(self._query(WHOLE))
                    self._query("SELECT count(*) FROM commune_context_cache")
                time.sleep(self.pause)
        except Exception as error:
            self.error = repr(error)

    def _query(self, statement: LiteralString) -> tuple[Any, ...]:
        began = time.monotonic()
        row = self.connection.execute(statement, prepare=self.prepare).fetchone()
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.count += 1
        assert row is not None
        return row

    def wait_for(self, generation: int) -> None:
        """Return when it has seen a generation, or failed."""
        wait_until(lambda: self.error or whole(generation) in self.answers, f"generation {generation}")

    def wait_for_more(self) -> None:
        """Return when it has begun and ended another transaction, or failed."""
        count = self.count + 2 * TRANSACTION
        wait_until(lambda: self.error or self.count >= count, "another transaction")

    def stop(self) -> None:
        """End it."""
        self.stopped.set()
        self.join(HANG)
        self.connection.close()


class Readers:
    """Readers of the live schema, and the control, all reading at the same time."""

    def __init__(self, readers: list[Reader], control: Reader) -> None:
        self.readers, self.control = readers, control

    def wait_for(self, generation: int) -> None:
        """Return when every reader has seen a generation, or failed."""
        for reader in self.readers:
            reader.wait_for(generation)

    def wait_for_more(self) -> None:
        """Return when every reader has begun and ended another transaction, or failed."""
        for reader in self.readers:
            reader.wait_for_more()

    def check(self, *generations: int) -> None:
        """Check that no reader failed, saw anything else, or waited longer than an attempt to swap may last.

        The bound is what an attempt to swap may take, plus what queries of the same kind take on this machine at this
        time when no swap is in their way.

        Args:
            generations: those that have been live so far.
        """
        bound = HELD_AT_MOST + NOISE * self.control.slowest
        for reader in self.readers:
            print(f"{reader.count} queries, the slowest {1000 * reader.slowest:.0f} ms, allowed {1000 * bound:.0f} ms")
            assert reader.error == ""
            assert reader.answers and reader.answers <= {whole(generation) for generation in generations}
            assert reader.slowest < bound
            assert reader.count > self.control.count / 10


KINDS: dict[str, dict[str, Any]] = {
    "plain": {"prepare": False},
    "prepared": {"prepare": True},
    "one snapshot": {"prepare": True, "isolation": psycopg.IsolationLevel.REPEATABLE_READ},
}
"""Ways to read."""


@contextmanager
def reading(url: str, *kinds: str, pause: float = 0.0) -> Iterator[Readers]:
    """Readers of some ``KINDS`` (without any: one of each), and the control.

    Args:
        pause: seconds between two transactions; the control makes longer pauses, to leave the processor to the others.
    """
    with psycopg.connect(url, options=f"-csearch_path={LIVE}") as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(CONTROL)))
        for name in ("mutations_immo_latest", "info_communes", "commune_context_cache"):
            copy = sql.SQL("CREATE TABLE {} AS TABLE {}")
            connection.execute(copy.format(sql.Identifier(CONTROL, name), sql.Identifier(LIVE, name)))
    readers = [Reader(url, pause=pause, **KINDS[kind]) for kind in kinds or KINDS]
    control = Reader(url, prepare=True, pause=max(4 * pause, 0.005), schema=CONTROL)
    for reader in [*readers, control]:
        reader.start()
    try:
        yield Readers(readers, control)
    finally:
        for reader in [*readers, control]:
            reader.stop()
