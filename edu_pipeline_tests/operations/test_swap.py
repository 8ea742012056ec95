"""The swap of whole schemas, by its functions: what readers see meanwhile, what stops it, what follows it, what stays.

A generation is a content of the tables in which every row bears its number: two numbers in one answer are a mix.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from upath import UPath

from edu_pipeline.database import locks, rights
from edu_pipeline.database.checksum import Checksum, checksums
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.database.migrate import migrate, start_over
from edu_pipeline.database.views import views
from edu_pipeline.errors import (
    ColumnMissing,
    DiskFull,
    NoPrevious,
    RebuildUnderWay,
    SchemaInUse,
    SwapBlocked,
    TableShrank,
)
from edu_pipeline.loading.view_refresh import refresh
from edu_pipeline.monitoring.status import table_status
from edu_pipeline.operations import rebuild_claim, swap
from edu_pipeline.settings import PROJECT
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.servers import new_database
from edu_pipeline_tests.stand_in import StandIn, sale

LOADED = ("departements", "passage_communes", "info_communes", "mutations_immo_latest")
COMMUNES = 30
LIVE = "educational_data"

WHOLE = """
    SELECT count(*), min(prix_moyen)::int, max(prix_moyen)::int, min(population), max(population)
    FROM mutations_immo_latest JOIN info_communes USING (code_commune)
"""
"""The generation, four times over, from two tables."""


def whole(generation: int) -> tuple[int, ...]:
    """What ``WHOLE`` returns of a generation."""
    return COMMUNES, generation, generation, generation, generation


def publish(stand_in: StandIn, generation: int) -> None:
    """Have the publishers give a generation."""
    codes = stand_in.put_communes(COMMUNES)
    communes = stand_in.folder / "geo-api-communes" / "communes.json"
    communes.write_text(communes.read_text().replace('"population": 860', f'"population": {generation}'))
    stand_in.put_sales([sale(code, price=str(generation)) for code in codes])


def fill(stand_in: StandIn) -> None:
    """Load what the publishers give, and bring the views up to date."""
    stand_in.load(*LOADED)
    for view in views().values():
        refresh(view, stand_in.database)


def build(stand_in: StandIn, generation: int) -> Database:
    """Build a generation beside the live schema."""
    publish(stand_in, generation)
    upcoming = stand_in.database.next
    swap.prepare(upcoming)
    fill(replace(stand_in, database=upcoming))
    return upcoming


def rebuild(stand_in: StandIn, generation: int) -> list[str]:
    """Build a generation and swap."""
    return swap.swap(build(stand_in, generation))


def content(stand_in: StandIn, schema: str = LIVE) -> dict[str, Checksum]:
    """Checksums of a schema."""
    return checksums(Database(stand_in.database.url, schema))


def schemas(database: Database) -> list[str]:
    """The live schema and those that a rebuild makes beside it, without the name that they share."""
    with database.connect() as connection:
        found = connection.execute(
            "SELECT nspname FROM pg_namespace WHERE nspname ~ ('^' || %s) ORDER BY 1", [database.schema]
        )
        return [str(name).removeprefix(database.schema) for (name,) in found]


def seen_by(database: Database, statement: LiteralString) -> list[tuple[Any, ...]]:
    """What a person at psql gets, whose search_path leads nowhere near."""
    with psycopg.connect(database.url, autocommit=True, options="-csearch_path=public") as connection:
        return connection.execute(statement).fetchall()


@pytest.fixture(scope="module")
def first(cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """The first generation in the live schema, to be copied."""
    folder = tmp_path_factory.mktemp("first")
    with new_database(cluster, template) as name:
        archive = Archive(UPath(folder / "archive"))
        stand_in = StandIn(folder / "upstream", archive, Database(cluster.url(name), LIVE))
        publish(stand_in, 1)
        fill(stand_in)
        yield stand_in


@pytest.fixture
def live(first: StandIn, cluster: Cluster, tmp_path: Path) -> Iterator[StandIn]:
    """The first generation in the live schema of this test's own database."""
    shutil.copytree(first.folder.parent, tmp_path, dirs_exist_ok=True)
    with new_database(cluster, str(conninfo_to_dict(first.database.url)["dbname"])) as name:
        archive = Archive(UPath(tmp_path / "archive"))
        yield StandIn(tmp_path / "upstream", archive, Database(cluster.url(name), LIVE))


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No swap waits for more than a moment."""
    monkeypatch.setattr(swap, "PATIENCE", 0.5)
    monkeypatch.setattr(swap, "DROP_PATIENCE", 0.2)


class Reader(threading.Thread):
    """A session that queries until it is stopped.

    Attributes:
        answers: what it got, each once.
        pause: seconds between two transactions; more than nothing where the processor is needed elsewhere.
        slowest: seconds that the slowest query took.
    """

    def __init__(self, url: str, *, prepare: bool, isolation: psycopg.IsolationLevel | None = None) -> None:
        super().__init__(daemon=True)
        self.prepare, self.stopped = prepare, threading.Event()
        self.answers: set[tuple[Any, ...]] = set()
        self.slowest, self.count, self.error = 0.0, 0, ""
        self.pause = 0.0
        self.connection = psycopg.connect(url, options=f"-csearch_path={LIVE}")
        self.connection.isolation_level = isolation
        self.connection.autocommit = isolation is None

    def run(self) -> None:
        """Query; in a transaction of several statements, if an isolation level is given."""
        try:
            while not self.stopped.is_set():
                with self.connection.transaction():
                    for _ in range(1 if self.connection.autocommit else 3):
                        began = time.monotonic()
                        row = self.connection.execute(WHOLE, prepare=self.prepare).fetchone()
                        self.slowest = max(self.slowest, time.monotonic() - began)
                        self.count += 1
                        assert row is not None
                        self.answers.add(row)
                    self.connection.execute("SELECT count(*) FROM commune_context_cache", prepare=self.prepare)
                time.sleep(self.pause)
        except Exception as error:
            self.error = repr(error)

    def stop(self) -> None:
        """End it."""
        self.stopped.set()
        self.join(10)
        self.connection.close()


@contextmanager
def reading(url: str) -> Iterator[list[Reader]]:
    """Three readers meanwhile: plain statements, prepared ones, transactions of one snapshot."""
    readers = [
        Reader(url, prepare=False),
        Reader(url, prepare=True),
        Reader(url, prepare=True, isolation=psycopg.IsolationLevel.REPEATABLE_READ),
    ]
    for reader in readers:
        reader.start()
    try:
        yield readers
    finally:
        for reader in readers:
            reader.stop()


def test_readers_get_one_generation_or_the_other_throughout(live: StandIn) -> None:
    with reading(live.database.url) as readers:
        rebuild(live, 2)
        swap.roll_back(live.database)
        swap.roll_back(live.database)
        rebuild(live, 3)
        for _ in range(6):
            swap.roll_back(live.database)
        swap.drop_previous(live.database)
    for reader in readers:
        print(f"{reader.count} queries, the slowest {1000 * reader.slowest:.0f} ms")
        assert reader.error == "" and reader.count > 100 and reader.slowest < 1
        assert reader.answers == {whole(1), whole(2), whole(3)}
    assert schemas(live.database) == [""]


def test_a_statement_that_has_found_one_of_its_tables_finds_the_other_of_the_same_generation(
    live: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits for its second table, which somebody holds; its snapshot is younger than the wait for old ones."""
    rebuild(live, 2)
    monkeypatch.setattr(swap, "_await_snapshots", lambda *_: None)
    reader = Reader(live.database.url, prepare=False)
    with psycopg.connect(live.database.url) as holder, psycopg.connect(live.database.url) as watching:
        holder.execute("LOCK TABLE educational_data.info_communes IN ACCESS EXCLUSIVE MODE")
        reader.start()
        _until(watching, "SELECT count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted", 1)
        swapping = threading.Thread(target=swap.roll_back, args=[live.database])
        swapping.start()
        time.sleep(0.5)
        holder.rollback()
        swapping.join(20)
    time.sleep(0.2)
    reader.stop()
    assert reader.error == "" and reader.answers == {whole(2), whole(1)}


def test_a_swap_waits_for_whoever_would_notice_and_names_him(
    live: StandIn, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An old snapshot, a cursor, a transaction that has read a table, a long lock, a load: nothing changes for them."""
    upcoming = build(live, 2)
    before = content(live)

    def snapshot(connection: psycopg.Connection[Any]) -> None:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SELECT 1")

    def cursor(connection: psycopg.Connection[Any]) -> None:
        connection.execute("DECLARE c CURSOR FOR SELECT prix_moyen FROM mutations_immo_latest")

    def read(connection: psycopg.Connection[Any]) -> None:
        connection.execute(WHOLE)

    def lock(connection: psycopg.Connection[Any]) -> None:
        connection.execute("LOCK TABLE info_communes IN ACCESS EXCLUSIVE MODE")

    def loading(connection: psycopg.Connection[Any]) -> None:
        locks.schema_in_use(connection, LIVE)

    kinds: list[Callable[[psycopg.Connection[Any]], None]] = [snapshot, cursor, read, lock, loading]
    for kind in kinds:
        with psycopg.connect(live.database.url, options=f"-csearch_path={LIVE}", application_name="report") as other:
            kind(other)
            with pytest.raises(SwapBlocked, match=rf"{other.info.backend_pid} report.*nothing has changed"):
                swap.swap(upcoming)
            assert schemas(live.database) == ["", "__next"]
            if kind is snapshot:
                assert other.execute(WHOLE).fetchone() == whole(1)
            if kind is cursor:
                assert other.execute("FETCH ALL c").fetchall() == [(1,)] * COMMUNES
    assert content(live) == before

    monkeypatch.setattr(swap, "PATIENCE", 20.0)
    with psycopg.connect(live.database.url, options=f"-csearch_path={LIVE}") as other:
        snapshot(other)
        waiting = threading.Thread(target=swap.swap, args=[upcoming])
        waiting.start()
        time.sleep(0.5)
        assert other.execute(WHOLE).fetchone() == whole(1) and waiting.is_alive()
        other.rollback()
        waiting.join(10)
        assert other.execute(WHOLE).fetchone() == whole(2)


def test_readers_wait_no_longer_than_the_lock_timeout_behind_a_swap_that_waits(live: StandIn, impatient: None) -> None:
    upcoming = build(live, 2)
    with psycopg.connect(live.database.url, options=f"-csearch_path={LIVE}") as other:
        other.execute(WHOLE)
        with reading(live.database.url) as readers:
            time.sleep(0.2)
            with pytest.raises(SwapBlocked):
                swap.swap(upcoming)
    for reader in readers:
        print(f"{reader.count} queries, the slowest {1000 * reader.slowest:.0f} ms")
        assert reader.answers == {whole(1)} and reader.error == "" and reader.slowest < 1


def test_a_load_under_way_ends_before_the_swap(live: StandIn) -> None:
    upcoming = build(live, 2)
    publish(live, 7)
    table = f"edu_pipeline.load:{LIVE}.mutations_immo_latest"
    with psycopg.connect(live.database.url) as gate:
        gate.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [table])
        gate.commit()
        loading = threading.Thread(target=live.load, args=["mutations_immo_latest"])
        loading.start()
        _until(gate, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", 1)
        swapping = threading.Thread(target=swap.swap, args=[upcoming])
        swapping.start()
        time.sleep(0.5)
        assert swapping.is_alive() and schemas(live.database) == ["", "__next"]
        gate.execute("SELECT pg_advisory_unlock_all()")
        gate.commit()
        loading.join(20)
        swapping.join(20)
    assert live.rows(WHOLE) == [whole(2)]
    published = "SELECT DISTINCT prix_moyen::int FROM educational_data__previous.mutations_immo_latest"
    assert live.rows(published) == [(7,)]


def test_a_load_that_begins_during_the_swap_waits_and_writes_into_the_new_schema(live: StandIn) -> None:
    rebuild(live, 2)
    publish(live, 3)
    with psycopg.connect(live.database.url) as swapping:
        swapping.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"edu_pipeline.schema:{LIVE}"])
        swapping.execute("ALTER SCHEMA educational_data RENAME TO aside")
        swapping.execute("ALTER SCHEMA educational_data__previous RENAME TO educational_data")
        loading = threading.Thread(target=live.load, args=["mutations_immo_latest"])
        loading.start()
        waits = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        _until(psycopg.connect(live.database.url), waits, 1)
    loading.join(20)
    prices = "SELECT DISTINCT prix_moyen::int FROM {}.mutations_immo_latest"
    with live.database.connect() as connection:
        found = {
            name: connection.execute(sql.SQL(prices).format(sql.Identifier(name))).fetchall()
            for name in (LIVE, "aside")
        }
    assert found == {LIVE: [(3,)], "aside": [(2,)]}


def _until(connection: psycopg.Connection[Any], statement: LiteralString, expected: object) -> None:
    """Wait until a query returns a value."""
    deadline = time.monotonic() + 20
    while connection.execute(statement).fetchone() != (expected,):
        assert time.monotonic() < deadline, statement
        connection.rollback()
        time.sleep(0.02)
    connection.rollback()


def test_an_empty_table_stops_the_swap_unless_that_is_accepted(live: StandIn) -> None:
    before = content(live)
    swap.prepare(live.database.next)
    with pytest.raises(TableShrank, match=r"info_communes.*--accept-shrink mutations_immo_latest"):
        swap.swap(live.database.next)
    assert content(live) == before and schemas(live.database) == ["", "__next"]
    swap.swap(live.database.next, LOADED)
    assert live.rows("SELECT count(*) FROM mutations_immo_latest") == [(0,)]
    assert content(live, "educational_data__previous") == before


def test_killed_between_the_swap_and_the_drop(live: StandIn) -> None:
    """The drop waits for a reader of what is dropped; there the process is killed, and the next rebuild cleans up."""
    rebuild(live, 2)
    build(live, 3)
    code = (
        "import sys\nfrom edu_pipeline.operations import swap\nfrom edu_pipeline.database.connection import Database\n"
        f"swap.DROP_PATIENCE = 60.0\nswap.swap(Database(sys.argv[1], {LIVE!r}).next)"
    )
    with psycopg.connect(live.database.url) as reader:
        reader.execute("SELECT count(*) FROM educational_data__previous.info_communes")
        with subprocess.Popen([sys.executable, "-c", code, live.database.url], cwd=PROJECT) as swapping:
            with psycopg.connect(live.database.url) as watching:
                _until(watching, "SELECT to_regnamespace('educational_data__discarded') IS NOT NULL", True)
            swapping.send_signal(signal.SIGKILL)
    assert live.rows(WHOLE) == [whole(3)]
    assert schemas(live.database) == ["", "__discarded", "__previous"]
    swap.roll_back(live.database)
    assert live.rows(WHOLE) == [whole(2)]
    rebuild(live, 4)
    assert live.rows(WHOLE) == [whole(4)] and schemas(live.database) == ["", "__previous"]


def test_what_still_reads_the_discarded_schema_does_not_stop_a_rebuild(live: StandIn, impatient: None) -> None:
    rebuild(live, 2)
    with psycopg.connect(live.database.url) as reader:
        reader.execute("SELECT count(*) FROM educational_data__previous.info_communes")
        rebuild(live, 3)
        assert schemas(live.database) == ["", "__discarded", "__previous"] and live.rows(WHOLE) == [whole(3)]
    rebuild(live, 4)
    assert schemas(live.database) == ["", "__previous"]


@pytest.fixture
def role(cluster: Cluster) -> Iterator[str]:
    """A role of this test's own."""
    name = f"reader_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(name)))
    yield name
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def _rights(database: Database, schema: str) -> tuple[object, ...]:
    """Rights and comments of a schema, without its name."""
    comments = (
        "SELECT relname, objsubid, description FROM pg_description JOIN pg_class ON objoid = pg_class.oid "
        "WHERE classoid = 'pg_class'::regclass AND relnamespace = %(schema)s::regnamespace UNION ALL "
        "SELECT '', 0, obj_description(%(schema)s::regnamespace) ORDER BY 1, 2"
    )
    with database.connect() as connection:
        found = {(o.kind, o.label): (o.owner, o.grants) for o in rights.objects(connection, schema)}
        described = connection.execute(comments, {"schema": schema}).fetchall()
        return found, rights.defaults(connection, schema), described


def test_rights_and_comments_follow_the_swap_and_the_way_back(live: StandIn, role: str) -> None:
    name = sql.Identifier(role)
    with psycopg.connect(live.database.url, autocommit=True) as connection:
        for statement in (
            "GRANT USAGE ON SCHEMA educational_data TO {}",
            "GRANT SELECT ON ALL TABLES IN SCHEMA educational_data TO {}",
            "GRANT EXECUTE ON ALL ROUTINES IN SCHEMA educational_data TO {} WITH GRANT OPTION",
            "REVOKE ALL ON ALL ROUTINES IN SCHEMA educational_data FROM PUBLIC",
            "ALTER DEFAULT PRIVILEGES IN SCHEMA educational_data GRANT SELECT ON TABLES TO {}",
            "ALTER TABLE educational_data.ips_score OWNER TO {}",
            "COMMENT ON SCHEMA educational_data IS 'Ours.'",
        ):
            connection.execute(sql.SQL(statement).format(name))
    try:
        before = _rights(live.database, LIVE)
        steps: list[Callable[[], object]] = [
            lambda: rebuild(live, 2),
            lambda: swap.roll_back(live.database),
            lambda: rebuild(live, 3),
        ]
        for step in steps:
            step()
            assert _rights(live.database, LIVE) == before
            with psycopg.connect(live.database.url, options=f"-csearch_path={LIVE}") as reader:
                reader.execute(sql.SQL("SET ROLE {}").format(name))
                assert (reader.execute(WHOLE).fetchone() or (0,))[0] == COMMUNES
    finally:
        with psycopg.connect(live.database.url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(name))


def test_functions_and_ledger_follow_the_swap_and_the_way_back(live: StandIn) -> None:
    freshness: LiteralString = (
        "SELECT row_count, releases ->> 'dvf-indicateurs-communes' FROM educational_data.check_data_freshness() "
        "WHERE table_name = 'mutations_immo_latest'"
    )

    def told(generation: int) -> None:
        """Everybody who tells of the live schema tells of this generation."""
        release = releases[generation]
        assert seen_by(live.database, freshness) == [(COMMUNES, release)]
        entry = {e.table: e for e in table_status(live.database, live.archive)}["mutations_immo_latest"]
        assert (entry.rows, entry.releases["dvf-indicateurs-communes"]) == (COMMUNES, release)
        assert migrate(live.database) == []
        recorded: LiteralString = (
            "SELECT count(*) FROM edu_pipeline.loads "
            "WHERE target_schema = 'educational_data' AND code_version = 'refresh_all_caches'"
        )
        ((before,),) = live.rows(recorded)
        refreshed = seen_by(live.database, "SELECT view_name, rows FROM educational_data.refresh_all_caches()")
        assert len(refreshed) == len(views()) and live.rows(recorded) == [(before + len(views()),)]

    def release_of() -> str:
        release = live.archive.newest("dvf-indicateurs-communes")
        assert release is not None
        return release.id

    releases = {1: release_of()}
    told(1)
    rebuild(live, 2)
    releases[2] = release_of()
    told(2)
    assert live.load(*LOADED).skipped
    swap.roll_back(live.database)
    told(1)
    swap.roll_back(live.database)
    told(2)


def test_a_schema_takes_over_nothing_of_one_that_is_gone(live: StandIn) -> None:
    """A load into what was dropped later is newer than those of its successor, and not of its rows."""
    rebuild(live, 2)
    upcoming = build(live, 3)
    publish(live, 9)
    live.load("mutations_immo_latest")
    swap.swap(upcoming)
    swap.drop_previous(live.database)
    rebuild(live, 4)
    swap.roll_back(live.database)
    with live.database.connect() as connection:
        ledger_rows = connection.execute(
            "SELECT count(*) FROM edu_pipeline.loads WHERE target_schema = %s AND table_name = %s",
            [LIVE, "mutations_immo_latest"],
        ).fetchone()
    assert ledger_rows == (1,) and live.rows(WHOLE) == [whole(3)]


def test_analytics_stay_whatever_happens_to_the_schema(live: StandIn) -> None:
    with psycopg.connect(live.database.url, autocommit=True) as connection:
        connection.execute("INSERT INTO analytics.nl_query_log (user_query) VALUES ('Quels lycées ?'), ('Où ?')")
        connection.execute("INSERT INTO analytics.user_feedback (mood, message) VALUES ('good', 'Merci')")
    kept: LiteralString = (
        "SELECT id, user_query, created_at FROM analytics.nl_query_log UNION ALL "
        "SELECT id, message, created_at FROM analytics.user_feedback ORDER BY 2"
    )
    before = live.rows(kept)
    assert len(before) == 3

    def dropped_by_hand() -> None:
        with psycopg.connect(live.database.url, autocommit=True) as connection:
            connection.execute("DROP SCHEMA educational_data CASCADE")

    steps: list[Callable[[], object]] = [
        lambda: rebuild(live, 2),
        lambda: swap.roll_back(live.database),
        lambda: start_over(live.database),
        lambda: swap.drop_previous(live.database),
        dropped_by_hand,
        lambda: rebuild(live, 3),
    ]
    for step in steps:
        step()
        assert seen_by(live.database, kept) == before
    assert live.rows(WHOLE) == [whole(3)]


def test_a_previous_schema_dropped_by_hand_is_in_nobodys_way(live: StandIn) -> None:
    rebuild(live, 2)
    with psycopg.connect(live.database.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA educational_data__previous CASCADE")
    with pytest.raises(NoPrevious, match=r"edu-pipeline rebuild --as-of DAY"):
        swap.roll_back(live.database)
    with pytest.raises(NoPrevious):
        swap.drop_previous(live.database)
    rebuild(live, 3)
    assert live.rows(WHOLE) == [whole(3)]


def test_what_others_hang_on_a_schema(live: StandIn) -> None:
    """On the live one: the swap goes through and says so. On the previous one: it stays, and so does no rebuild."""
    with psycopg.connect(live.database.url, autocommit=True) as connection:
        connection.execute("CREATE VIEW public.dear AS SELECT * FROM educational_data.mutations_immo_latest")
    assert rebuild(live, 2) == ["public.dear"]
    before = content(live)
    refusals: list[Callable[[], object]] = [
        lambda: swap.prepare(live.database.next),
        lambda: swap.drop_previous(live.database),
    ]
    for refused in refusals:
        with pytest.raises(SchemaInUse, match=r"educational_data__previous: .*public\.dear.*CREATE OR REPLACE VIEW"):
            refused()
    assert content(live) == before and schemas(live.database) == ["", "__previous"]
    assert live.rows("SELECT DISTINCT prix_moyen::int FROM public.dear") == [(1,)]
    with psycopg.connect(live.database.url, autocommit=True) as connection:
        connection.execute("CREATE OR REPLACE VIEW public.dear AS SELECT * FROM educational_data.mutations_immo_latest")
    assert rebuild(live, 3) == ["public.dear"]


def test_a_table_of_the_operators_own_is_never_dropped(live: StandIn) -> None:
    with psycopg.connect(live.database.url, autocommit=True) as connection:
        connection.execute("CREATE TABLE educational_data.my_notes AS SELECT 'mine' AS note")
    rebuild(live, 2)
    refusals: list[Callable[[], object]] = [lambda: swap.drop_previous(live.database), lambda: rebuild(live, 3)]
    for refused in refusals:
        with pytest.raises(SchemaInUse, match=r"found my_notes\. Move it to a schema of your own"):
            refused()
    with psycopg.connect(live.database.url, autocommit=True) as connection:
        connection.execute("ALTER TABLE educational_data__previous.my_notes SET SCHEMA public")
    rebuild(live, 3)
    swap.drop_previous(live.database)
    assert live.rows("SELECT note FROM public.my_notes") == [("mine",)]


def test_one_rebuild_at_a_time(live: StandIn) -> None:
    upcoming = live.database.next
    with rebuild_claim.held(upcoming, "first", one_process=True):
        for one_process in (True, False):
            with (
                pytest.raises(RebuildUnderWay, match=rf"found run first, begun by process {os.getpid()} on "),
                rebuild_claim.held(upcoming, "second", one_process),
            ):
                pass
    with rebuild_claim.held(upcoming, "second", one_process=True):
        swap.swap(upcoming, LOADED, "second")
    assert live.rows("SELECT run_id, outcome FROM edu_pipeline.rebuilds ORDER BY id") == [
        ("first", "not swapped"),
        ("second", "swapped"),
    ]


def test_a_run_that_has_ended_neither_claims_again_nor_ends_another(live: StandIn) -> None:
    """Dagster makes the resources of a run once more when its result is asked for; another may have begun by then."""
    upcoming = live.database.next
    with rebuild_claim.held(upcoming, "first", one_process=True):
        fill(replace(live, database=upcoming))
        swap.swap(upcoming, (), "first")
    with rebuild_claim.held(upcoming, "second", one_process=True):
        with rebuild_claim.held(upcoming, "first", one_process=True):
            pass
        with pytest.raises(RebuildUnderWay), rebuild_claim.held(upcoming, "third", one_process=True):
            pass
        assert live.rows("SELECT run_id, outcome FROM edu_pipeline.rebuilds ORDER BY id") == [
            ("first", "swapped"),
            ("second", None),
        ]


def test_a_live_schema_that_was_never_filled_is_not_kept(live: StandIn) -> None:
    """Rolling back to it would show the readers empty tables; what was live before it stays the previous one."""
    rebuild(live, 2)
    start_over(live.database)
    rebuild(live, 3)
    assert live.rows(WHOLE) == [whole(3)]
    swap.roll_back(live.database)
    assert live.rows(WHOLE) == [whole(1)]


def test_the_way_back_waits_for_a_run_that_loads(live: StandIn) -> None:
    rebuild(live, 2)
    told: list[str] = []
    with locks.one_run(live.database, told.append):
        going = threading.Thread(target=swap.roll_back, args=(live.database, told.append))
        going.start()
        going.join(0.5)
        assert going.is_alive() and live.rows(WHOLE) == [whole(2)]
    going.join(20)
    assert live.rows(WHOLE) == [whole(1)]
    assert told == [f"another run loads into {LIVE}: this one waits for it to end"]


def test_a_run_of_many_processes_keeps_its_claim_between_two_of_them(live: StandIn) -> None:
    upcoming = live.database.next
    with rebuild_claim.held(upcoming, "first", one_process=False):
        fill(replace(live, database=upcoming))
    with pytest.raises(RebuildUnderWay), rebuild_claim.held(upcoming, "second", one_process=False):
        pass
    with rebuild_claim.held(upcoming, "first", one_process=False), upcoming.connect() as connection:
        assert connection.execute(WHOLE).fetchone() == whole(1)


def test_the_claim_of_a_killed_process_is_taken_over_at_once(live: StandIn) -> None:
    code = (
        "import sys, time\nfrom edu_pipeline.operations import rebuild_claim\n"
        "from edu_pipeline.database.connection import Database\n"
        f"with rebuild_claim.held(Database(sys.argv[1], {LIVE!r}).next, 'killed', one_process=True):\n"
        "    print('held', flush=True)\n    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", code, live.database.url]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None and killed.stdout.readline() == "held\n"
        killed.kill()
        killed.wait()
    time.sleep(0.2)  # the server has to notice
    began = time.monotonic()
    with rebuild_claim.held(live.database.next, "next", one_process=True):
        assert time.monotonic() - began < 5
        assert live.rows("SELECT outcome FROM edu_pipeline.rebuilds ORDER BY id") == [("abandoned",), (None,)]


@pytest.fixture
def small_disk(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A tablespace on a file system of 8 MB, and its folder."""
    if os.geteuid() != 0:
        pytest.skip("a file system of its own needs root")
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        data = (connection.execute("SELECT current_setting('data_directory')").fetchone() or ("",))[0]
    owner = Path(data).stat()
    disk = Path(data).parent / f"small-{uuid.uuid4().hex[:6]}"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "none", disk], check=False).returncode:
        disk.rmdir()
        pytest.skip("mounting a tmpfs is not permitted here")
    name = f"small_{uuid.uuid4().hex[:8]}"
    try:
        folder = disk / "tablespace"
        folder.mkdir()
        os.chown(folder, owner.st_uid, owner.st_gid)
        with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
            make = sql.SQL("CREATE TABLESPACE {} LOCATION {}")
            connection.execute(make.format(sql.Identifier(name), sql.Literal(str(folder))))
            yield name, disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
        disk.rmdir()


def test_a_full_disk_while_building(live: StandIn, small_disk: tuple[str, Path], cluster: Cluster) -> None:
    tablespace, disk = small_disk
    before = content(live)
    upcoming = live.database.next
    in_it = Database(
        f"{upcoming.url}{'&' if '?' in upcoming.url else '?'}options=-cdefault_tablespace%3D{tablespace}", ""
    )
    small = replace(upcoming, url=in_it.url)
    swap.prepare(small)
    filler = disk / "filler"
    filler.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - 64 * 1024)))
    publish(live, 2)
    with pytest.raises(DiskFull) as failed:
        fill(replace(live, database=small))
    print(failed.value)
    assert "No space left on device" in str(failed.value) and "edu-pipeline drop-previous" in str(failed.value)
    assert content(live) == before
    assert seen_by(live.database, "SELECT count(*) > 0 FROM edu_pipeline.loads WHERE error ~ '^DiskFull: '") == [
        (True,)
    ]
    filler.unlink()
    with rebuild_claim.held(small, "again", one_process=True):
        fill(replace(live, database=small))
        swap.swap(small)
    assert live.rows(WHOLE) == [whole(2)]
    start_over(live.database)  # leaves the tablespace empty
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP TABLESPACE {}").format(sql.Identifier(tablespace)))


def test_a_failed_load_beside_leaves_the_live_schema_alone(live: StandIn) -> None:
    before = content(live)
    upcoming = live.database.next
    swap.prepare(upcoming)
    live.put_sales(["01001,2024"], header="INSEE_COM,annee")
    with pytest.raises(ColumnMissing):
        replace(live, database=upcoming).load(*LOADED)
    assert content(live) == before
