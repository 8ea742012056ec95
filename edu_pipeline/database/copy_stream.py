"""The rows of a COPY TO STDOUT, many at a time.

Belongs here: reading from libpq what has arrived. Does not belong here: statements, and what the rows mean.

psycopg's own ``Copy.read()`` goes through its waiting loop for every row, which takes eight times as long as the row;
here it waits only when nothing has arrived. A row is copied at once: to keep a million rows apart takes five times as
long as to receive them.
"""

from __future__ import annotations

import io
import select

import psycopg
from psycopg import pq

from edu_pipeline.database.connection import Connection

PIECE = 8 << 20
"""Bytes that are worth taking together."""

INTERVAL = 100
"""Milliseconds after which a thread that waits can be interrupted."""

END, NOTHING_YET = -1, 0
"""What libpq returns instead of the length of a row."""


class CopyStream:
    """What the server sends in a block ``with cursor.copy(...)``; only one thread at a time may read it.

    Attributes:
        rows: how many rows the last piece had.
        sent: how many rows the server says that it has sent; None before the end.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection.pgconn
        self._arrival = select.poll()
        self._arrival.register(self._connection.socket, select.POLLIN)
        self.rows = 0
        self.sent: int | None = None

    def piece(self, size: int) -> bytes:
        """The next whole rows, together at least ``size`` bytes unless they are the last ones; empty at the end.

        Raises:
            psycopg.Error: the server could not send all rows.
        """
        piece, rows = io.BytesIO(), 0
        while piece.tell() < size and self.sent is None:
            arrived, row = self._connection.get_copy_data(1)
            if arrived > NOTHING_YET:
                piece.write(row)
                rows += 1
            elif arrived == NOTHING_YET:
                self._arrival.poll(INTERVAL)
                self._connection.consume_input()
            else:
                self.sent = self._end()
        self.rows = rows
        return piece.getvalue()

    def _end(self) -> int:
        """The number of rows that the server counted."""
        results = list(iter(self._connection.get_result, None))
        for result in results:
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise psycopg.errors.error_from_result(result)
        return sum(result.command_tuples or 0 for result in results)
