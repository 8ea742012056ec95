"""The full rebuild as an operator runs it: by the command line and by Dagster's, each in a process of its own.

All tests use one database, which a session reads all the time; the functions alone are tested in ``test_swap.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from rich.console import Console
from upath import UPath

from edu_pipeline.catalogue import catalogue
from edu_pipeline.cli import runs
from edu_pipeline.database import locks
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.database.views import views
from edu_pipeline.errors import SettingInvalid, SourceMissing
from edu_pipeline.loading.load import Options
from edu_pipeline.loading.plan import sources_to_ask, stale
from edu_pipeline.loading.releases import fetch_new
from edu_pipeline.operations import swap
from edu_pipeline.operations.rebuild_claim import claim
from edu_pipeline.orchestration.home import home
from edu_pipeline.settings import PROJECT, Settings, settings
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import tables
from edu_pipeline_tests import programs
from edu_pipeline_tests.operations.generations import COMMUNES, LIVE, WHOLE, content, publish, rebuild, schemas, whole
from edu_pipeline_tests.operations.readers import Readers, reading
from edu_pipeline_tests.operations.waits import HANG, wait_for_advisory_lock, wait_until
from edu_pipeline_tests.programs import BIN, run, run_here
from edu_pipeline_tests.stand_in import SALES_HEADER, StandIn, sale

REBUILD = ["edu-pipeline", "rebuild"]
BY_DAGSTER = ["dagster", "job", "execute", "-m", "edu_pipeline.definitions", "-j", "full_rebuild"]

MOMENTS: dict[str, LiteralString] = {
    "it makes the schema": "SELECT to_regclass('educational_data__next.pcs_libelle') IS NOT NULL "
    "AND to_regnamespace('educational_data__next')::oid IS DISTINCT FROM %(old)s::oid AND %(now)s::timestamptz < now()",
    "it begins to load": "SELECT bool_or(outcome IS NULL AND started_at > %(now)s) AND %(old)s::oid IS DISTINCT FROM 0 "
    "FROM edu_pipeline.rebuilds",
    "it loads": "SELECT count(*) > 2 FROM edu_pipeline.loads "
    "WHERE target_schema = 'educational_data__next' AND started_at > %(now)s AND %(old)s::oid IS DISTINCT FROM 0",
    "it has built everything": "SELECT count(*) > 0 FROM edu_pipeline.loads WHERE table_name = 'lycee_context_cache' "
    "AND target_schema = 'educational_data__next' AND started_at > %(now)s AND %(old)s::oid IS DISTINCT FROM 0",
}
"""What is true at a moment of a rebuild that began after ``now``, when another one had left the schema ``old``."""


def start(*command: str) -> subprocess.Popen[str]:
    """Start a program of the environment with the settings of this test."""
    return subprocess.Popen(
        [str(BIN / command[0]), *command[1:]],
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def filled(cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """The first generation, which `edu-pipeline rebuild` has built in an empty database."""
    folder = tmp_path_factory.mktemp("rebuild")
    name = f"rebuild_{os.getpid()}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    archive = Archive(UPath(folder / ".local" / "archive"))
    stand_in = StandIn(folder / "upstream", archive, Database(cluster.url(name), LIVE))
    publish(stand_in, 1)
    with pytest.MonkeyPatch.context() as patch:
        _set(patch, stand_in)
        rebuilt = run_here("rebuild")
        assert rebuilt.returncode == 0, rebuilt.stderr
    yield stand_in
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def readers(filled: StandIn) -> Iterator[Readers]:
    """A session that reads from the first test to the last, through all rebuilds, rollbacks and kills.

    Whatever a test does to the schemas, it ends with ``no_reader_noticed``. Nothing that would be noticed lasts less
    than half a second; the moment of a swap itself is looked at closely in ``test_swap.py``.
    """
    with reading(filled.database.url, "prepared", pause=0.02) as readers:
        yield readers


def no_reader_noticed(readers: Readers) -> None:
    """Check that the reader has seen whole generations only, without an error or a long wait, in all tests so far."""
    readers.wait_for_more()
    readers.check(1, 2, 3, 4)


@pytest.fixture
def live(filled: StandIn, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The database of this module, named by the settings: some generation is live, there is no previous schema, and
    the publishers offer the first one. No test relies on another."""
    _set(monkeypatch, filled)
    settings.cache_clear()
    monkeypatch.setenv("DAGSTER_HOME", home(settings()))
    publish(filled, 1)
    if "__previous" in schemas(filled.database):
        swap.drop_previous(filled.database)
    return filled


def _set(patch: pytest.MonkeyPatch, stand_in: StandIn) -> None:
    patch.setenv("EDU_HOME", str(stand_in.folder.parent))
    patch.setenv("EDU_DATABASE_URL", stand_in.database.url)
    patch.setenv("EDU_UPSTREAM", str(stand_in.folder))


def rebuild_here(as_of: str | None = None, offline: bool = False) -> dict[str, str]:
    """Rebuild in this process; asset to failure text."""
    settings.cache_clear()
    return runs.rebuild(settings(), Options(), Console(quiet=True), as_of=as_of, offline=offline)


def wait_for_moment(stand_in: StandIn, process: subprocess.Popen[str], moment: str) -> None:
    """Wait until a rebuild that has just been started is at one of ``MOMENTS``."""
    with psycopg.connect(stand_in.database.url, autocommit=True) as connection:
        left_behind = "SELECT to_regnamespace('educational_data__next')::oid, clock_timestamp()"
        schema, now = connection.execute(left_behind).fetchone() or (None, None)
        values = {"old": schema, "now": now}
        wait_until(
            lambda: connection.execute(MOMENTS[moment], values).fetchone() == (True,),
            moment,
            lambda: process.poll() is None,
        )


def test_a_rebuild_counts_what_differs_from_the_live_rows(live: StandIn, readers: Readers) -> None:
    """A refresh after a rebuild loads nothing. The rows that are edited here are in a table that the reader does not
    read."""
    assert rebuild_here() == {}
    assert fetch_new(sources_to_ask(), settings(), live.database, live.archive).fetched == {}
    assert stale(live.database, live.archive) == set()
    with live.database.connect() as connection:
        codes = connection.execute("SELECT code_ancien FROM passage_communes ORDER BY 1").fetchall()
        connection.execute("DELETE FROM passage_communes WHERE code_ancien = %s", codes[0])
    assert rebuild_here() == {}
    status = programs.status()
    changes, communes = status["passage_communes"], status["info_communes"]
    assert [changes[count] for count in ("rows", "added", "changed", "removed")] == [len(codes), 1, 0, 0]
    assert [communes[count] for count in ("added", "changed", "removed")] == [0, 0, 0]
    no_reader_noticed(readers)


def test_only_an_empty_schema_is_rebuilt_on_request(live: StandIn, readers: Readers) -> None:
    with live.database.connect() as connection:
        rebuilds = "SELECT count(*) FROM edu_pipeline.rebuilds"
        before = connection.execute(rebuilds).fetchone()
    ended = run_here("rebuild", "--if-empty")
    assert ended.returncode == 0, ended.stderr
    assert "new releases: " in ended.stderr
    with live.database.connect() as connection:
        assert connection.execute(rebuilds).fetchone() == before
    assert run_here("rebuild", "--if-empty", "--offline").returncode == 2


def test_status_shows_what_was_swapped_in(live: StandIn) -> None:
    status = programs.status()["mutations_immo_latest"]
    assert (status["rows"], status["state"]) == (COMMUNES, "loaded")


def test_a_failed_table_leaves_the_live_schema_alone(live: StandIn, readers: Readers) -> None:
    before = content(live)
    live.put_sales([sale("01001")], header=SALES_HEADER.replace("nb_mutations", "autre"))
    failures = rebuild_here()
    assert "ColumnMissing" in failures["mutations_immo_latest"]
    assert content(live) == before and "__previous" not in schemas(live.database)
    no_reader_noticed(readers)


def test_a_failed_view_leaves_the_live_schema_alone(
    live: StandIn, readers: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = content(live)
    prepare = swap.prepare

    def with_a_trap(upcoming: Database) -> None:
        """Prepare a schema in which a view fails as soon as there are sales."""
        prepare(upcoming)
        with upcoming.connect() as connection:
            connection.execute("DROP MATERIALIZED VIEW commune_context_cache")
            connection.execute(
                "CREATE MATERIALIZED VIEW commune_context_cache AS "
                "SELECT count(*) / (count(*) - 30) AS x FROM mutations_immo_latest WITH NO DATA"
            )

    monkeypatch.setattr("edu_pipeline.operations.rebuild_claim.prepare", with_a_trap)
    failures = rebuild_here()
    assert "division by zero" in failures["commune_context_cache"]
    assert content(live) == before and "__previous" not in schemas(live.database)
    no_reader_noticed(readers)


def test_killed_at_any_moment_and_started_again(live: StandIn, readers: Readers) -> None:
    before = content(live)
    publish(live, 2)
    for moment in ("it makes the schema", "it loads", "it has built everything"):
        with psycopg.connect(live.database.url) as holder:
            holder.execute("SELECT count(*) FROM educational_data.info_communes")
            with start(*REBUILD) as process:
                wait_for_moment(live, process, moment)
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL, moment
        assert content(live) == before, moment
    again = run(*REBUILD)
    assert again.returncode == 0, again.stderr
    assert live.rows(WHOLE) == [whole(2)] and schemas(live.database) == ["", "__previous"]
    outcomes = "SELECT count(*) FROM edu_pipeline.rebuilds WHERE outcome IS NULL"
    assert live.rows(outcomes) == [(0,)]
    no_reader_noticed(readers)


def test_two_at_once_by_dagster_and_by_our_command(live: StandIn, readers: Readers) -> None:
    publish(live, 3)
    with psycopg.connect(live.database.url) as holder:  # so that the first does not end too soon
        holder.execute("SELECT count(*) FROM educational_data.info_communes")
        with start(*BY_DAGSTER) as process:
            wait_for_moment(live, process, "it begins to load")
            refused = run(*REBUILD)
            holder.rollback()
            _, errors = process.communicate(timeout=HANG)
    assert process.returncode == 0, errors[-3000:]
    assert live.rows(WHOLE) == [whole(3)]
    text = " ".join(refused.stderr.split())
    assert refused.returncode == 1 and "Traceback" not in text
    assert "RebuildUnderWay: schema educational_data: expected no other full rebuild of it, found run" in text

    with claim(live.database.next, "by-hand", one_process=True):
        refused = run(*BY_DAGSTER)
    assert refused.returncode == 1
    assert f"found run by-hand, started by process {os.getpid()} on" in " ".join(refused.stderr.split())
    assert live.rows(WHOLE) == [whole(3)]
    no_reader_noticed(readers)


def test_an_earlier_day_is_rebuilt_without_publishers(live: StandIn, readers: Readers, tmp_path: Path) -> None:
    rebuild(live, 2)
    entries = filter(None, map(live.archive.releases, catalogue()))
    moment = max(min(release.retrieved_at for release in releases) for releases in entries)
    moved = live.folder.rename(tmp_path / "moved")
    try:
        live.folder.mkdir()
        digests = []
        for _ in range(2):
            assert rebuild_here(as_of=(moment + timedelta(seconds=1)).isoformat()) == {}
            assert live.rows(WHOLE) == [whole(1)]
            digests.append(run_here("checksum", "--json").stdout)
        assert digests[0] == digests[1] and len(json.loads(digests[0])) == len(tables()) + len(views())
        assert rebuild_here(offline=True) == {}
        assert live.rows(WHOLE) == [whole(2)]
    finally:
        shutil.rmtree(live.folder)
        moved.rename(live.folder)
    no_reader_noticed(readers)


@pytest.mark.parametrize(
    ("as_of", "error", "text"),
    [
        ("2020-01-01", SourceMissing, r"held 2020-01-01, found that the first came at 20\d\d-.*Name a later day"),
        ("yesterday", SettingInvalid, r"expected a day or a time such as 2026-05-01.*found 'yesterday'"),
        ("2026-02-30", SettingInvalid, r"found '2026-02-30'"),
    ],
)
def test_a_day_of_which_nothing_is_archived(live: StandIn, as_of: str, error: type[Exception], text: str) -> None:
    before = schemas(live.database)
    with pytest.raises(error, match=text):
        rebuild_here(as_of=as_of)
    assert schemas(live.database) == before


def test_an_empty_archive_has_nothing_to_rebuild_from(
    live: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDU_ARCHIVE", str(tmp_path / "empty"))
    with pytest.raises(SourceMissing, match=r"found none at all.*rebuild without --offline"):
        rebuild_here(offline=True)


def test_a_long_load_of_the_live_schema_ends_first(live: StandIn, readers: Readers) -> None:
    """The lock of a load delays the swap, not the building; readers notice nothing."""
    rebuild(live, 3)
    publish(live, 4)
    with start(*REBUILD) as process:
        with psycopg.connect(live.database.url) as loading:
            locks.schema_in_use(loading, LIVE)
            loading.execute("SELECT 1")  # releases the snapshot of the statement before: the lock alone is in the way
            wait_for_moment(live, process, "it has built everything")
            wait_for_advisory_lock(live.database.url, lambda: process.poll() is None)
            assert process.poll() is None and live.rows(WHOLE) == [whole(3)]
        _, errors = process.communicate(timeout=HANG)
    assert process.returncode == 0, errors
    assert live.rows(WHOLE) == [whole(4)]
    no_reader_noticed(readers)


def test_rollback_and_drop_by_the_command_line(live: StandIn, readers: Readers) -> None:
    for generation in (3, 4):
        rebuild(live, generation)
    for expected in (3, 4):
        back = run_here("rollback")
        assert back.returncode == 0, back.stderr
        assert live.rows(WHOLE) == [whole(expected)]
    declined = subprocess.run(
        [BIN / "edu-pipeline", "drop-previous"], cwd=PROJECT, input="n\n", capture_output=True, text=True, check=False
    )
    assert declined.returncode == 1 and "__previous" in schemas(live.database)
    assert run_here("drop-previous", "--yes").returncode == 0
    back = run_here("rollback")
    assert back.returncode == 1 and "Traceback" not in back.stderr
    assert "NoPrevious: " in back.stderr and "edu-pipeline rebuild --as-of DAY" in " ".join(back.stderr.split())
    no_reader_noticed(readers)


@pytest.mark.parametrize("schema", ["public", "user_mgmt", "analytics", "Educational", 'edu"data', "pg_mine", "a b"])
def test_a_schema_of_others_or_an_odd_name_is_refused(
    live: StandIn, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDU_SCHEMA", schema)
    with pytest.raises(SettingInvalid, match=r"EDU_SCHEMA: expected a lower-case identifier.*Choose another"):
        Settings()
    if schema == "public":
        refused = run_here("rebuild")
        assert refused.returncode == 1 and "SettingInvalid: EDU_SCHEMA" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_a_reader_sees_one_generation_after_the_other(live: StandIn, readers: Readers) -> None:
    for generation in (2, 3):
        publish(live, generation)
        assert rebuild_here() == {}
        readers.wait_for(generation)
    assert run_here("rollback").returncode == 0
    no_reader_noticed(readers)
