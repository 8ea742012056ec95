"""Sessions of the server that are kept for the next use: starting one costs it 10 to 20 ms, more than most statements.

Belongs here: keeping them, and handing them out as they were when they began. Does not belong here: what a session is
used for, and errors of a server that does not answer (``connection.py``).

psycopg_pool connects in threads of its own: a server that refuses is a wait without a reason there.
"""

from __future__ import annotations

import atexit
import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import psycopg

Connection = psycopg.Connection[tuple[object, ...]]

KEPT = 3
"""How many idle sessions a process keeps: two steps run at a time, and a server has a hundred sessions for all."""

IDLE_SECONDS = 60.0
"""An idle session is closed at the next use of any, if it has been idle for longer."""

AS_AT_THE_BEGINNING = """
    SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; DEALLOCATE ALL;
    DISCARD TEMP; DISCARD SEQUENCES; SELECT pg_advisory_unlock_all()
"""
"""What DISCARD ALL does. psycopg 3.3.9 notices DISCARD ALL, and forgets its prepared statements, the first time only,
unless it has prepared some by then; among several statements it notices DEALLOCATE ALL every time."""

CONNECT_TIMEOUT = 10
"""Seconds to wait for the server to answer."""


@dataclass(frozen=True)
class _Idle:
    url: str = field(repr=False)
    since: float
    connection: Connection


_idle: list[_Idle] = []
_lock = threading.Lock()


def take(url: str) -> Connection:
    """An idle session of that URL, or a new one; nothing is left in it of its previous use.

    Raises:
        psycopg.OperationalError: the server does not answer or refuses the connection.
    """
    _close_old()
    while (connection := _last(url)) is not None:
        if not _is_ended(connection):
            return connection
        connection.close()
    return begin(url)


def begin(url: str) -> Connection:
    """A new session.

    Raises:
        psycopg.OperationalError: the server does not answer or refuses the connection.
    """
    return psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT, application_name="edu_pipeline")


def give_back(url: str, connection: Connection) -> None:
    """Keep a session, outside a transaction, for the next `take`; one that cannot be cleaned is closed."""
    if connection.closed:
        return
    try:
        connection.autocommit = True
        connection.execute(AS_AT_THE_BEGINNING)
        connection.autocommit = False
    except psycopg.Error:
        connection.close()
        return
    with _lock:
        _idle.append(_Idle(url, time.monotonic(), connection))
    _close_old()


def close_idle() -> None:
    """Close all idle sessions, for example because their database is to be copied."""
    _close(lambda *_: True)


def _close_old() -> None:
    """Close sessions that have been idle for too long, and the oldest of too many."""
    end = time.monotonic() - IDLE_SECONDS
    _close(lambda place, idle: idle.since <= end or place >= KEPT)


def _close(is_old: Callable[[int, _Idle], bool]) -> None:
    """Close the idle sessions for which that is true; the first place is that of the youngest."""
    with _lock:
        old = [idle for place, idle in enumerate(reversed(_idle)) if is_old(place, idle)]
        for idle in old:
            _idle.remove(idle)
    for idle in old:
        idle.connection.close()


def _last(url: str) -> Connection | None:
    """Remove the session of that URL that was used last from the idle ones."""
    with _lock:
        for place in reversed(range(len(_idle))):
            if _idle[place].url == url:
                return _idle.pop(place).connection
    return None


def _is_ended(connection: Connection) -> bool:
    """Whether the server has ended the session: an idle one has nothing to say otherwise."""
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def _forget() -> None:
    """Leave the parent's sessions to the parent."""
    _idle.clear()
    _lock.release()


atexit.register(close_idle)
os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_forget)
