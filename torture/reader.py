"""A reader that asks throughout, as the application does: every answer is of one edition, and comes soon.

Belongs here: asking, timing, and telling what is wrong with an answer. Does not belong here: what is done meanwhile.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from torture.ground import LIVE

PAUSE = 0.005
"""Seconds between two questions."""

PATIENCE = 60.0
"""Seconds in which the reader must have an answer again when the server is back."""

TABLES = ("mutations_immo_latest", "ips_colleges", "info_communes")
"""Tables that differ between the editions, and that even a few sources fill."""

DIGEST = sql.SQL("(SELECT sum(hashtextextended(t::text, 0)) FROM {} AS t)")
QUESTION = sql.SQL("SELECT {}").format(
    sql.SQL(", ").join(DIGEST.format(sql.Identifier(LIVE, table)) for table in TABLES)
)
"""The digests of all tables in one statement, which a swap must not mix."""

Digests = tuple[object, ...]
"""One for each of ``TABLES``."""


@dataclass
class Reader:
    """Asks in a thread as long as its block lasts.

    Attributes:
        milliseconds: how long each answer took.
        lateness: by how many milliseconds each pause was too long: what the machine itself adds to an answer.
        errors: what went wrong, but for connections lost while the server was taken down on purpose.
        excused: how many such connections there were.
        editions: number of an edition to its digests, as undisturbed runs leave them.
        seen: the answers.
        seen_whole: those that had to be of one edition.
    """

    url: str
    milliseconds: list[float] = field(default_factory=list)
    lateness: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    excused: int = 0
    editions: dict[int, Digests] = field(default_factory=dict)
    seen: set[Digests] = field(default_factory=set)
    seen_whole: set[Digests] = field(default_factory=set)
    _is_whole: threading.Event = field(default_factory=threading.Event)
    _is_away: threading.Event = field(default_factory=threading.Event)
    _is_answered: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Reader:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @contextmanager
    def outage(self) -> Iterator[None]:
        """The server is taken down and started again in the block; after it the reader has an answer again.

        Raises:
            TimeoutError: it has none.
        """
        self._is_answered.clear()
        self._is_away.set()
        try:
            yield
            self._is_answered.clear()
            if not self._is_answered.wait(PATIENCE):
                raise TimeoutError(f"the reader had no answer within {PATIENCE:.0f} s after the server was back")
        finally:
            self._is_away.clear()

    @contextmanager
    def whole(self, expected: bool) -> Iterator[None]:
        """A block in which, if ``expected``, all tables of an answer must be of the same edition."""
        if expected:
            self._is_whole.set()
        try:
            yield
        finally:
            self._is_whole.clear()

    def learn(self, edition: int) -> None:
        """Take what readers see now for that edition, unless it is known."""
        if edition not in self.editions:
            with psycopg.connect(self.url) as connection:
                self.editions[edition] = _digests(connection)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True, application_name="reader") as connection:
                    while not self._stop.is_set():
                        begin = time.perf_counter()
                        self._stop.wait(PAUSE)
                        self.lateness.append(1_000 * (time.perf_counter() - begin - PAUSE))
                        self._ask(connection)
            except psycopg.OperationalError as error:
                if self._is_away.is_set():
                    self.excused += 1
                else:
                    self.errors.append(_told(error))
                self._stop.wait(0.05)
            except psycopg.Error as error:
                self.errors.append(_told(error))
                self._stop.wait(0.05)

    def _ask(self, connection: psycopg.Connection[Digests]) -> None:
        was_whole, begin = self._is_whole.is_set(), time.perf_counter()
        digests = _digests(connection)
        self.milliseconds.append(1_000 * (time.perf_counter() - begin))
        self._is_answered.set()
        self.seen.add(digests)
        if was_whole and self._is_whole.is_set():
            self.seen_whole.add(digests)

    @property
    def mixed(self) -> list[str]:
        """The answers that were of neither edition, or of both where all tables had to be of one."""
        known = {table: {digests[place] for digests in self.editions.values()} for place, table in enumerate(TABLES)}
        strange = {
            f"{table}: content of neither edition"
            for digests in self.seen
            for table, digest in zip(TABLES, digests, strict=True)
            if digest not in known[table]
        }
        halves = self.seen_whole - set(self.editions.values())
        return sorted(strange) + [f"tables of both editions in one answer: {digests}" for digests in halves]


def _digests(connection: psycopg.Connection[Digests]) -> Digests:
    return connection.execute(QUESTION).fetchone() or ()


def _told(error: psycopg.Error) -> str:
    return f"{type(error).__name__} {error.sqlstate or ''}: {str(error).strip()}"


def distribution(milliseconds: list[float]) -> dict[str, float]:
    """The median, high percentiles and the slowest of some times; zeros if there are none."""
    ordered = sorted(milliseconds) or [0.0]
    shares = {"median": 0.5, "99 %": 0.99, "99.9 %": 0.999, "99.99 %": 0.9999, "slowest": 1.0}
    return {name: ordered[min(int(share * len(ordered)), len(ordered) - 1)] for name, share in shares.items()}
