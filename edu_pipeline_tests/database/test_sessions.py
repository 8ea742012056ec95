"""Sessions that are kept: used again as new ones, given up when they are old, too many, or ended by the server."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psycopg
import pytest

from edu_pipeline.database import sessions
from edu_pipeline.database.connection import Database
from edu_pipeline.errors import DatabaseUnreachable


@pytest.fixture(autouse=True)
def nothing_idle() -> Iterator[None]:
    """No session is kept before a test and after it."""
    sessions.close_idle()
    yield
    sessions.close_idle()


def process_of(database: Database) -> int:
    """The server's process for one use of the database."""
    with database.connect() as connection:
        return connection.info.backend_pid


def test_one_use_after_the_other_has_one_session(database: Database) -> None:
    assert process_of(database) == process_of(database)


def test_two_uses_at_a_time_have_two(database: Database) -> None:
    with database.connect() as connection:
        assert process_of(database) != connection.info.backend_pid


def test_nothing_is_left_of_the_previous_use(database: Database) -> None:
    with database.connect() as connection:
        before = connection.execute("SELECT current_user, current_setting('search_path')").fetchone()
        connection.execute("SET ROLE pg_read_all_data")
        connection.execute("SET search_path TO pg_catalog")
        connection.execute("SET lock_timeout = 7")
        connection.execute("SELECT pg_advisory_lock(7)")
        connection.execute("RESET ROLE")
        connection.execute("CREATE TEMPORARY TABLE left_over ()")
        connection.execute("SET ROLE pg_read_all_data")
        process = connection.info.backend_pid
    with database.connect() as connection:
        assert connection.info.backend_pid == process and not connection.autocommit
        assert connection.execute("SELECT current_user, current_setting('search_path')").fetchone() == before
        assert connection.execute("SELECT to_regclass('left_over'), current_setting('lock_timeout')").fetchone() == (
            None,
            "0",
        )
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        assert connection.execute(locks).fetchone() == (0,)


def test_prepared_statements_end_with_each_use(database: Database) -> None:
    """psycopg prepares a statement that is executed six times, and must not rely on it in the next use."""
    for _ in range(3):
        process_of(database)
        with database.connect() as connection:
            for _ in range(8):
                connection.execute("SELECT count(*) FROM pg_class WHERE relname = %s", ["info_communes"])
            prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%relname%'"
            assert connection.execute(prepared).fetchone() == (1,)


def test_what_an_error_rolls_back_is_no_longer_kept(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.connect() as connection:
        process = connection.info.backend_pid
        connection.execute("CREATE TABLE half_done ()")
        _ = 1 / 0
    with database.connect() as connection:
        assert connection.info.backend_pid != process
        assert connection.execute("SELECT to_regclass('half_done')").fetchone() == (None,)


def test_a_session_that_the_server_ended_is_replaced(database: Database) -> None:
    process = process_of(database)
    with psycopg.connect(database.url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [process])
    assert process_of(database) != process


def test_an_old_session_is_closed(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    process = process_of(database)
    monkeypatch.setattr(sessions, "IDLE_SECONDS", 0.0)
    assert process_of(database) != process


def test_no_more_are_kept_than_stated(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "KEPT", 1)
    with database.connect(), database.connect():
        pass
    with psycopg.connect(database.url) as other:
        ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'edu_pipeline' AND datname = %s"
        assert other.execute(ours, [other.info.dbname]).fetchone() == (1,)


def test_a_child_process_leaves_the_sessions_alone(database: Database) -> None:
    process = process_of(database)
    child = os.fork()
    if not child:
        os._exit(0 if process_of(database) != process else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert process_of(database) == process


def test_another_url_has_a_session_of_its_own(database: Database) -> None:
    process_of(database)
    with pytest.raises(DatabaseUnreachable):
        process_of(Database("postgresql://edu@127.0.0.1:1/edu", database.schema))


def test_a_session_that_ends_while_it_is_used_says_so(database: Database) -> None:
    text = r"database test_\w+ on .*: expected an answer throughout, found: terminating connection due to admin"
    with pytest.raises(DatabaseUnreachable, match=text), database.connect() as connection:
        with psycopg.connect(database.url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
        connection.execute("SELECT 1")
