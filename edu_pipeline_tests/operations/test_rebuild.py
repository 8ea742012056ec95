"""The full rebuild as an operator runs it: the command line, and Dagster's own; each in a process of its own.

One database for all, under a reader that never stops; what the functions do by themselves is in ``test_swap.py``.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from rich.console import Console
from upath import UPath

from edu_pipeline.catalogue import catalogue
from edu_pipeline.cli import runs
from edu_pipeline.database.checksum import Checksum, checksums
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.errors import SettingInvalid, SourceMissing
from edu_pipeline.loading.load import Options
from edu_pipeline.loading.plan import sources_to_ask, stale
from edu_pipeline.loading.releases import fetch_new
from edu_pipeline.operations import rebuild_claim, swap
from edu_pipeline.orchestration.instance import home
from edu_pipeline.settings import PROJECT, Settings, settings
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.operations.test_swap import WHOLE, Reader, publish, schemas, whole
from edu_pipeline_tests.programs import BIN, run
from edu_pipeline_tests.stand_in import StandIn

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
"""What is true at a moment of a rebuild that began after ``now``, while the schema ``old`` was left of another."""


def started(*command: str) -> subprocess.Popen[str]:
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
    """The first generation, which `edu-pipeline rebuild` has built where there was nothing."""
    folder = tmp_path_factory.mktemp("rebuild")
    name = f"rebuild_{os.getpid()}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    archive = Archive(UPath(folder / ".local" / "archive"))
    stand_in = StandIn(folder / "upstream", archive, Database(cluster.url(name), "educational_data"))
    publish(stand_in, 1)
    with pytest.MonkeyPatch.context() as patch:
        _set(patch, stand_in)
        done = run(*REBUILD)
        assert done.returncode == 0, done.stderr
    yield stand_in
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def reader(filled: StandIn) -> Iterator[Reader]:
    """A session that reads from the first test to the last, over all rebuilds, ways back and kills."""
    reader = Reader(filled.database.url, prepare=True)
    reader.pause = 0.005
    reader.start()
    yield reader
    reader.stop()
    print(f"{reader.count} queries, the slowest {1000 * reader.slowest:.0f} ms")
    assert reader.error == "" and reader.slowest < 1
    assert reader.answers <= {whole(generation) for generation in (1, 2, 3, 4)}


@pytest.fixture
def live(filled: StandIn, reader: Reader, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """The database of this module, named by the settings: some generation is live, there is no previous schema, and
    the publishers have the first one. No test relies on another."""
    _set(monkeypatch, filled)
    settings.cache_clear()
    monkeypatch.setenv("DAGSTER_HOME", home(settings()))
    assert reader.error == ""
    publish(filled, 1)
    if "__previous" in schemas(filled.database):
        swap.drop_previous(filled.database)
    return filled


def _set(patch: pytest.MonkeyPatch, stand_in: StandIn) -> None:
    patch.setenv("EDU_HOME", str(stand_in.folder.parent))
    patch.setenv("EDU_DATABASE_URL", stand_in.database.url)
    patch.setenv("EDU_UPSTREAM", str(stand_in.folder))


def rebuilt(**options: Any) -> dict[str, str]:
    """Rebuild in this process; asset to failure text."""
    settings.cache_clear()
    given = {"as_of": None, "offline": False} | options
    return runs.rebuild(settings(), Options(), Console(quiet=True), **given)


def content(stand_in: StandIn) -> dict[str, Checksum]:
    return checksums(stand_in.database)


def until(stand_in: StandIn, process: subprocess.Popen[str], moment: str) -> None:
    """Wait until a rebuild that has just been started is at one of ``MOMENTS``."""
    deadline = time.monotonic() + 30
    with psycopg.connect(stand_in.database.url, autocommit=True) as connection:
        left_behind = "SELECT to_regnamespace('educational_data__next')::oid, clock_timestamp()"
        schema, now = connection.execute(left_behind).fetchone() or (None, None)
        while connection.execute(MOMENTS[moment], {"old": schema, "now": now}).fetchone() != (True,):
            assert time.monotonic() < deadline and process.poll() is None, moment
            time.sleep(0.01)


def test_a_refresh_after_it_has_nothing_new_to_load(live: StandIn) -> None:
    assert rebuilt() == {}
    assert fetch_new(sources_to_ask(), settings(), live.database, live.archive).fetched == {}
    assert stale(live.database, live.archive) == set()


def test_status_tells_of_what_was_swapped_in(live: StandIn) -> None:
    done = run("edu-pipeline", "status", "--json")
    found = {entry["table"]: entry for entry in json.loads(done.stdout)}
    assert (found["mutations_immo_latest"]["rows"], found["mutations_immo_latest"]["state"]) == (30, "loaded")


def test_a_table_that_fails_leaves_the_live_schema_as_it_was(live: StandIn) -> None:
    before = content(live)
    live.put_sales(["01001,2024"], header="INSEE_COM,annee")
    failures = rebuilt()
    assert "ColumnMissing" in failures["mutations_immo_latest"]
    assert content(live) == before and "__previous" not in schemas(live.database)


def test_a_view_that_fails_leaves_the_live_schema_as_it_was(live: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    before = content(live)
    prepare = swap.prepare

    def with_a_trap(upcoming: Database) -> None:
        """A schema in which a row of the sales cannot be read by any view."""
        prepare(upcoming)
        with upcoming.connect() as connection:
            connection.execute("DROP MATERIALIZED VIEW commune_context_cache")
            connection.execute(
                "CREATE MATERIALIZED VIEW commune_context_cache AS "
                "SELECT count(*) / (count(*) - 30) AS x FROM mutations_immo_latest WITH NO DATA"
            )

    monkeypatch.setattr("edu_pipeline.operations.rebuild_claim.prepare", with_a_trap)
    failures = rebuilt()
    assert "division by zero" in failures["commune_context_cache"]
    assert content(live) == before and "__previous" not in schemas(live.database)


def test_killed_at_any_moment_and_started_again(live: StandIn) -> None:
    before = content(live)
    publish(live, 2)
    for moment in ("it makes the schema", "it loads", "it has built everything"):
        with psycopg.connect(live.database.url) as holder:
            holder.execute("SELECT count(*) FROM educational_data.info_communes")
            with started(*REBUILD) as process:
                until(live, process, moment)
                os.killpg(process.pid, signal.SIGKILL)
        assert process.returncode == -signal.SIGKILL, moment
        assert content(live) == before, moment
    done = run(*REBUILD)
    assert done.returncode == 0, done.stderr
    assert live.rows(WHOLE) == [whole(2)] and schemas(live.database) == ["", "__previous"]
    outcomes = "SELECT count(*) FROM edu_pipeline.rebuilds WHERE outcome IS NULL"
    assert live.rows(outcomes) == [(0,)]


def test_two_at_once_by_dagster_and_by_the_command_line(live: StandIn) -> None:
    publish(live, 3)
    with psycopg.connect(live.database.url) as holder:  # so that the first is not over too soon
        holder.execute("SELECT count(*) FROM educational_data.info_communes")
        with started(*BY_DAGSTER) as process:
            until(live, process, "it begins to load")
            refused = run(*REBUILD)
            holder.rollback()
            _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors[-3000:]
    assert live.rows(WHOLE) == [whole(3)]
    said = " ".join(refused.stderr.split())
    assert refused.returncode == 1 and "Traceback" not in said
    assert "RebuildUnderWay: schema educational_data: expected no other full rebuild of it, found run" in said

    with rebuild_claim.held(live.database.next, "that of the command line", one_process=True):
        refused = run(*BY_DAGSTER)
    assert refused.returncode == 1
    assert f"found run that of the command line, begun by process {os.getpid()} on" in " ".join(refused.stderr.split())
    assert live.rows(WHOLE) == [whole(3)]


def test_replays_of_a_former_day_without_its_publishers(live: StandIn, tmp_path: Path) -> None:
    publish(live, 2)
    assert rebuilt() == {}
    entries = filter(None, map(live.archive.releases, catalogue()))
    then = max(min(release.retrieved_at for release in releases) for releases in entries)
    gone = live.folder.rename(tmp_path / "gone")
    try:
        live.folder.mkdir()
        found = []
        for _ in range(2):
            assert rebuilt(as_of=(then + timedelta(seconds=1)).isoformat()) == {}
            assert live.rows(WHOLE) == [whole(1)]
            found.append(run("edu-pipeline", "checksum", "--json").stdout)
        assert found[0] == found[1] and len(json.loads(found[0])) > 30
        assert rebuilt(offline=True) == {}
        assert live.rows(WHOLE) == [whole(2)]
    finally:
        shutil.rmtree(live.folder)
        gone.rename(live.folder)


@pytest.mark.parametrize(
    ("as_of", "error", "text"),
    [
        ("2020-01-01", SourceMissing, r"held 2020-01-01, found that the first came at 20\d\d-.*Name a later day"),
        ("yesterday", SettingInvalid, r"expected a day or a time such as 2026-05-01.*found 'yesterday'"),
        ("2026-02-30", SettingInvalid, r"found '2026-02-30'"),
    ],
)
def test_a_day_that_there_is_nothing_of(live: StandIn, as_of: str, error: type[Exception], text: str) -> None:
    before = schemas(live.database)
    with pytest.raises(error, match=text):
        rebuilt(as_of=as_of)
    assert schemas(live.database) == before


def test_an_empty_archive_has_nothing_to_rebuild_from(
    live: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDU_ARCHIVE", str(tmp_path / "empty"))
    with pytest.raises(SourceMissing, match=r"found none at all.*rebuild without --offline"):
        rebuilt(offline=True)


def test_a_long_load_of_the_live_schema_ends_first(live: StandIn) -> None:
    """An advisory lock of a load holds the swap up, not the building, and whoever reads notices nothing."""
    publish(live, 3)
    assert rebuilt() == {}
    publish(live, 4)
    with started(*REBUILD) as process:
        with psycopg.connect(live.database.url) as loading:
            loading.execute(
                "SELECT pg_advisory_xact_lock_shared(hashtextextended('edu_pipeline.schema:educational_data', 0))"
            )
            until(live, process, "it has built everything")
            time.sleep(1)
            assert process.poll() is None and live.rows(WHOLE) == [whole(3)]
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert live.rows(WHOLE) == [whole(4)]


def test_the_way_back_by_the_command_line(live: StandIn) -> None:
    for generation in (3, 4):
        publish(live, generation)
        assert rebuilt() == {}
    for expected in (3, 4):
        done = run("edu-pipeline", "rollback")
        assert done.returncode == 0, done.stderr
        assert live.rows(WHOLE) == [whole(expected)]
    declined = subprocess.run(
        [BIN / "edu-pipeline", "drop-previous"], cwd=PROJECT, input="n\n", capture_output=True, text=True, check=False
    )
    assert declined.returncode == 1 and "__previous" in schemas(live.database)
    assert run("edu-pipeline", "drop-previous", "--yes").returncode == 0
    done = run("edu-pipeline", "rollback")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "NoPrevious: " in done.stderr and "edu-pipeline rebuild --as-of DAY" in " ".join(done.stderr.split())


@pytest.mark.parametrize("schema", ["public", "user_mgmt", "analytics", "Educational", 'edu"data', "pg_mine", "a b"])
def test_a_schema_that_is_not_ours_or_no_plain_name_is_refused(
    live: StandIn, schema: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDU_SCHEMA", schema)
    with pytest.raises(SettingInvalid, match=r"EDU_SCHEMA: expected a lower-case identifier.*Choose another"):
        Settings()
    if schema == "public":
        done = run(*REBUILD)
        assert done.returncode == 1 and "SettingInvalid: EDU_SCHEMA" in done.stderr and "Traceback" not in done.stderr


def test_a_reader_sees_one_generation_after_the_other(live: StandIn, reader: Reader) -> None:
    """What it must not see at any time is in its fixture, which looks at the end of all tests."""
    asked = reader.count
    for generation in (2, 3):
        publish(live, generation)
        assert rebuilt() == {}
    assert run("edu-pipeline", "rollback").returncode == 0
    assert reader.count > asked + 100
    assert {whole(2), whole(3)} <= reader.answers
