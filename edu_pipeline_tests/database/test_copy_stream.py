"""Reading a COPY in pieces: all rows, whole, and the server's failure if there is one."""

from __future__ import annotations

import psycopg
import pytest

from edu_pipeline.database.connection import Database
from edu_pipeline.database.copy_stream import CopyStream


@pytest.mark.parametrize("size", [1, 1000, 1 << 20])
def test_all_rows_arrive_whole(empty_database: Database, size: int) -> None:
    with empty_database.connect() as connection:
        statement = (
            "COPY (SELECT i, repeat('x', i % 50) || E'\\n' FROM generate_series(1, 3000) AS i) TO STDOUT (FORMAT csv)"
        )
        with connection.cursor() as cursor, cursor.copy(statement):
            stream = CopyStream(connection)
            pieces, rows = [], 0
            while piece := stream.piece(size):
                pieces.append(piece)
                rows += stream.rows
            assert stream.piece(size) == b""
        assert (rows, stream.sent) == (3000, 3000)
        assert all(piece.endswith(b'"\n') for piece in pieces)
        assert b"".join(pieces).count(b'\n"\n') == 3000
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_failure_in_the_middle_is_the_servers(empty_database: Database) -> None:
    with empty_database.connect() as connection:
        statement = "COPY (SELECT 1 / (2000 - i) FROM generate_series(1, 3000) AS i) TO STDOUT"
        with pytest.raises(psycopg.errors.DivisionByZero), connection.cursor() as cursor, cursor.copy(statement):
            stream = CopyStream(connection)
            while stream.piece(100):
                pass
        connection.rollback()
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_a_reader_may_stop_early(empty_database: Database) -> None:
    with empty_database.connect() as connection:
        many = "COPY (SELECT * FROM generate_series(1, 100000)) TO STDOUT"
        with pytest.raises(KeyError), connection.cursor() as cursor, cursor.copy(many):
            CopyStream(connection).piece(10)
            raise KeyError
        connection.rollback()
        assert connection.execute("SELECT 1").fetchone() == (1,)
