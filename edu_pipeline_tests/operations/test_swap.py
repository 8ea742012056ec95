"""The swap of whole schemas: what readers see meanwhile, what it waits for, what stops it.

What follows a swap and what survives it is in ``test_after_swap.py``.
"""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from edu_pipeline.database import locks
from edu_pipeline.errors import SwapBlocked, TableShrank
from edu_pipeline.operations import swap
from edu_pipeline.settings import PROJECT
from edu_pipeline_tests.operations.generations import (
    COMMUNES,
    LIVE,
    LOADED,
    WHOLE,
    build,
    content,
    publish,
    rebuild,
    schemas,
    whole,
)
from edu_pipeline_tests.operations.readers import Reader, reading
from edu_pipeline_tests.operations.waits import Background, Pauses, wait_for_advisory_lock, wait_for_query
from edu_pipeline_tests.stand_in import StandIn

Session = psycopg.Connection[Any]


def read_with_one_snapshot(session: Session) -> None:
    session.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    session.execute("SELECT 1")


def open_a_cursor(session: Session) -> None:
    session.execute("DECLARE c CURSOR FOR SELECT nb_mutations FROM mutations_immo_latest")


def read_a_table(session: Session) -> None:
    session.execute(WHOLE)


def lock_a_table(session: Session) -> None:
    session.execute("LOCK TABLE info_communes IN ACCESS EXCLUSIVE MODE")


def load(session: Session) -> None:
    locks.schema_in_use(session, LIVE)
    session.execute("SELECT 1")  # releases the snapshot of the statement before: the lock alone is in the way


OBSTACLES: list[Callable[[Session], None]] = [
    read_with_one_snapshot,
    open_a_cursor,
    read_a_table,
    lock_a_table,
    load,
]
"""What another session may be doing that a swap must not disturb."""


def session_of(live: StandIn) -> Session:
    """Another session that reads the live schema."""
    return psycopg.connect(live.database.url, options=f"-csearch_path={LIVE}", application_name="report")


def test_readers_see_one_generation_at_a_time(live: StandIn) -> None:
    with reading(live.database.url, pause=0.002) as readers:
        readers.wait_for(1)
        rebuild(live, 2)
        readers.wait_for(2)
        swap.roll_back(live.database)
        swap.roll_back(live.database)
        rebuild(live, 3)
        for _ in range(6):
            swap.roll_back(live.database)
        readers.wait_for(3)
        swap.drop_previous(live.database)
    readers.check(1, 2, 3)
    assert schemas(live.database) == [""]


def test_a_statement_never_mixes_two_generations(live: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has found its first table and waits for the second, which is locked; its snapshot is a young one."""
    rebuild(live, 2)
    monkeypatch.setattr(swap, "await_old_snapshots", lambda *_: None)
    pauses = Pauses()
    monkeypatch.setattr(swap, "time", pauses)
    reader = Reader(live.database.url, prepare=False)
    with session_of(live) as holder:
        lock_a_table(holder)
        reader.start()
        blocked = "SELECT count(*) = 1 FROM pg_locks WHERE locktype = 'relation' AND NOT granted"
        wait_for_query(live.database.url, blocked)
        swapping = Background(swap.roll_back, live.database)
        pauses.wait_for(1)
        holder.rollback()
        swapping.finish()
    reader.wait_for(2)
    reader.wait_for(1)
    reader.stop()
    assert reader.error == "" and reader.answers == {whole(2), whole(1)}


def test_a_swap_names_whoever_blocks_it(live: StandIn, impatient: None) -> None:
    upcoming = build(live, 2)
    before = content(live)
    for obstacle in OBSTACLES:
        with session_of(live) as other:
            obstacle(other)
            with pytest.raises(SwapBlocked, match=rf"{other.info.backend_pid} report.*nothing has changed"):
                swap.swap(upcoming)
            assert schemas(live.database) == ["", "__next"]
            if obstacle is read_with_one_snapshot:
                assert other.execute(WHOLE).fetchone() == whole(1)
            if obstacle is open_a_cursor:
                assert other.execute("FETCH ALL c").fetchall() == [(1,)] * COMMUNES
    assert content(live) == before


def test_a_swap_waits_for_old_snapshots(live: StandIn, pauses: Pauses) -> None:
    upcoming = build(live, 2)
    with session_of(live) as other:
        read_with_one_snapshot(other)
        swapping = Background(swap.swap, upcoming)
        pauses.wait_for(3)
        assert other.execute(WHOLE).fetchone() == whole(1) and swapping.is_alive()
        other.rollback()
        swapping.finish()
        assert other.execute(WHOLE).fetchone() == whole(2)


def test_a_blocked_swap_hardly_delays_readers(live: StandIn, impatient: None, pauses: Pauses) -> None:
    """Each attempt lets go of the tables within its time limit; several are made while the readers read."""
    upcoming = build(live, 2)
    with session_of(live) as other, reading(live.database.url) as readers:
        read_a_table(other)
        readers.wait_for(1)
        swapping = Background(swap.swap, upcoming)
        pauses.wait_for(1)
        with pytest.raises(SwapBlocked):
            swapping.finish()
    readers.check(1)


def test_a_load_under_way_ends_before_the_swap(live: StandIn, pauses: Pauses) -> None:
    upcoming = build(live, 2)
    publish(live, 7)
    with psycopg.connect(live.database.url) as gate:
        locks.table_loading(gate, LIVE, "mutations_immo_latest")
        loading = Background(live.load, "mutations_immo_latest")
        wait_for_advisory_lock(live.database.url)
        swapping = Background(swap.swap, upcoming)
        pauses.wait_for(3)
        assert swapping.is_alive() and schemas(live.database) == ["", "__next"]
        gate.rollback()
        loading.finish()
        swapping.finish()
    assert live.rows(WHOLE) == [whole(2)]
    published = "SELECT DISTINCT nb_mutations FROM educational_data__previous.mutations_immo_latest"
    assert live.rows(published) == [(7,)]


def test_a_load_during_a_swap_goes_into_the_new_schema(live: StandIn) -> None:
    rebuild(live, 2)
    publish(live, 3)
    with psycopg.connect(live.database.url) as swapping:
        locks.schema_swapped(swapping, LIVE)
        swapping.execute("ALTER SCHEMA educational_data RENAME TO aside")
        swapping.execute("ALTER SCHEMA educational_data__previous RENAME TO educational_data")
        loading = Background(live.load, "mutations_immo_latest")
        wait_for_advisory_lock(live.database.url)
    loading.finish()
    generations = sql.SQL("SELECT DISTINCT nb_mutations FROM {}")
    with live.database.connect() as connection:
        for schema, generation in ((LIVE, 3), ("aside", 2)):
            statement = generations.format(sql.Identifier(schema, "mutations_immo_latest"))
            assert connection.execute(statement).fetchall() == [(generation,)]


def test_an_emptied_table_stops_the_swap_until_accepted(live: StandIn) -> None:
    before = content(live)
    swap.prepare(live.database.next)
    with pytest.raises(TableShrank, match=r"info_communes.*--accept-shrink mutations_immo_latest"):
        swap.swap(live.database.next)
    assert content(live) == before and schemas(live.database) == ["", "__next"]
    swap.swap(live.database.next, LOADED)
    assert live.rows("SELECT count(*) FROM mutations_immo_latest") == [(0,)]
    assert content(live, "educational_data__previous") == before


def test_killed_between_the_swap_and_the_drop(live: StandIn) -> None:
    """The drop waits for a reader of what is dropped; the process is killed then, and the next rebuild cleans up."""
    rebuild(live, 2)
    build(live, 3)
    code = (
        "import sys\nfrom edu_pipeline.operations import swap\nfrom edu_pipeline.database.connection import Database\n"
        f"swap.DROP_PATIENCE = 600.0\nswap.swap(Database(sys.argv[1], {LIVE!r}).next)"
    )
    with psycopg.connect(live.database.url) as reader:
        reader.execute("SELECT count(*) FROM educational_data__previous.info_communes")
        with subprocess.Popen([sys.executable, "-c", code, live.database.url], cwd=PROJECT) as swapping:
            discarded = "SELECT to_regnamespace('educational_data__discarded') IS NOT NULL"
            wait_for_query(live.database.url, discarded, alive=lambda: swapping.poll() is None)
            swapping.send_signal(signal.SIGKILL)
    assert live.rows(WHOLE) == [whole(3)]
    assert schemas(live.database) == ["", "__discarded", "__previous"]
    swap.roll_back(live.database)
    assert live.rows(WHOLE) == [whole(2)]
    rebuild(live, 4)
    assert live.rows(WHOLE) == [whole(4)] and schemas(live.database) == ["", "__previous"]


def test_readers_of_a_dropped_schema_stop_no_rebuild(live: StandIn, impatient: None) -> None:
    rebuild(live, 2)
    with psycopg.connect(live.database.url) as reader:
        reader.execute("SELECT count(*) FROM educational_data__previous.info_communes")
        rebuild(live, 3)
        assert schemas(live.database) == ["", "__discarded", "__previous"] and live.rows(WHOLE) == [whole(3)]
    rebuild(live, 4)
    assert schemas(live.database) == ["", "__previous"]


def test_a_rollback_waits_for_a_run_that_loads(live: StandIn) -> None:
    rebuild(live, 2)
    texts: list[str] = []
    with locks.one_run(live.database, texts.append):
        going_back = Background(swap.roll_back, live.database, texts.append)
        wait_for_query(live.database.url, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation > 0")
        assert going_back.is_alive() and live.rows(WHOLE) == [whole(2)]
    going_back.finish()
    assert live.rows(WHOLE) == [whole(1)]
    assert len(texts) == 1 and re.fullmatch(
        rf"another run that loads into {LIVE} has not ended: this one waits for process \d+ of edu \(edu_pipeline\), "
        r"connected since [\d :-]+",
        texts[0],
    )
