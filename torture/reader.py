"""A reader that asks throughout, as the application does: every answer is one edition, and comes soon.

Belongs here: asking, timing, and recognising a mixed answer. Does not belong here: what is done meanwhile.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from torture.ground import LIVE

PAUSE = 0.005
"""Seconds between two questions."""

TABLES = ("mutations_immo_latest", "ips_colleges", "info_communes")
"""Tables that differ between the editions, and that even a few sources fill."""

DIGEST = sql.SQL("SELECT sum(hashtextextended(t::text, 0)) FROM {} AS t")

EDITIONS = 2
"""So many different contents of a table may be seen; another one is a mix of them, or an empty table."""


@dataclass
class Reader:
    """Asks in a thread as long as its block lasts.

    Attributes:
        milliseconds: how long each answer took.
        errors: what went wrong, but for a server that was shut down on purpose.
        contents: table to the digests of its rows that were seen.
    """

    url: str
    milliseconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    contents: dict[str, set[object]] = field(default_factory=dict)
    away: threading.Event = field(default_factory=threading.Event)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Reader:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                with psycopg.connect(
                    self.url, autocommit=True, options=f"-csearch_path={LIVE},postgis", application_name="reader"
                ) as connection:
                    while not self._stop.wait(PAUSE):
                        for table in TABLES:
                            self._ask(connection, table)
            except psycopg.OperationalError as error:
                if not self.away.is_set():
                    self.errors.append(str(error).strip())
                self._stop.wait(0.1)
            except psycopg.Error as error:
                self.errors.append(str(error).strip())

    def _ask(self, connection: psycopg.Connection[tuple[object, ...]], table: str) -> None:
        begin = time.perf_counter()
        (digest,) = connection.execute(DIGEST.format(sql.Identifier(table))).fetchone() or (None,)
        self.milliseconds.append(1_000 * (time.perf_counter() - begin))
        self.contents.setdefault(table, set()).add(digest)

    @property
    def mixed(self) -> list[str]:
        """The tables that were seen with a content of neither edition."""
        return [table for table, digests in self.contents.items() if len(digests) > EDITIONS or None in digests]

    @property
    def slowest(self) -> float:
        """Milliseconds of the slowest answer; 0 if there was none."""
        return max(self.milliseconds, default=0.0)

    def percentile(self, share: float) -> float:
        """Milliseconds within which that share of the answers came."""
        ordered = sorted(self.milliseconds) or [0.0]
        return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
