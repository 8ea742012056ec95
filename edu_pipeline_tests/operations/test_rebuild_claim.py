"""The claim of a rebuild: who gets it, who is refused, and who takes it over from a process that is gone."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from edu_pipeline.database import locks
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.migrate import start_over
from edu_pipeline.errors import DiskFull, RebuildUnderWay
from edu_pipeline.operations import swap
from edu_pipeline.operations.rebuild_claim import claim
from edu_pipeline.settings import PROJECT
from edu_pipeline_tests.operations.generations import LIVE, LOADED, WHOLE, content, fill, publish, whole
from edu_pipeline_tests.operations.waits import wait_until
from edu_pipeline_tests.stand_in import StandIn


def outcomes(live: StandIn) -> list[tuple[str, str | None]]:
    """The rebuilds on record, in their order, with their outcomes."""
    return [
        (run_id, outcome)
        for run_id, outcome in live.rows("SELECT run_id, outcome FROM edu_pipeline.rebuilds ORDER BY id")
    ]


def test_one_rebuild_at_a_time(live: StandIn) -> None:
    upcoming = live.database.next
    with claim(upcoming, "first", one_process=True):
        for one_process in (True, False):
            with (
                pytest.raises(RebuildUnderWay, match=rf"found run first, started by process {os.getpid()} on "),
                claim(upcoming, "second", one_process),
            ):
                pass
    with claim(upcoming, "second", one_process=True):
        swap.swap(upcoming, LOADED, "second")
    assert outcomes(live) == [("first", "not swapped"), ("second", "swapped")]


def test_a_finished_run_claims_nothing_and_ends_no_other(live: StandIn) -> None:
    """Dagster creates a run's resources again to return its result; another run may have started by then."""
    upcoming = live.database.next
    with claim(upcoming, "first", one_process=True):
        fill(replace(live, database=upcoming))
        swap.swap(upcoming, (), "first")
    with claim(upcoming, "second", one_process=True):
        with claim(upcoming, "first", one_process=True):
            pass
        with pytest.raises(RebuildUnderWay), claim(upcoming, "third", one_process=True):
            pass
        assert outcomes(live) == [("first", "swapped"), ("second", None)]


def test_a_run_keeps_its_claim_between_its_processes(live: StandIn) -> None:
    upcoming = live.database.next
    with claim(upcoming, "first", one_process=False):
        fill(replace(live, database=upcoming))
    with pytest.raises(RebuildUnderWay), claim(upcoming, "second", one_process=False):
        pass
    with claim(upcoming, "first", one_process=False), upcoming.connect() as connection:
        assert connection.execute(WHOLE).fetchone() == whole(1)


def test_the_claim_of_a_killed_process_is_free_at_once(live: StandIn) -> None:
    """At once: in a few times what a claim takes when there was no other."""
    upcoming = live.database.next
    began = time.monotonic()
    with claim(upcoming, "undisturbed", one_process=True):
        undisturbed = time.monotonic() - began
    code = (
        "import sys, time\nfrom edu_pipeline.operations.rebuild_claim import claim\n"
        "from edu_pipeline.database.connection import Database\n"
        f"with claim(Database(sys.argv[1], {LIVE!r}).next, 'killed', one_process=True):\n"
        "    print('claimed', flush=True)\n    time.sleep(600)\n"
    )
    command = [sys.executable, "-c", code, live.database.url]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None and killed.stdout.readline() == "claimed\n"
        killed.kill()
        killed.wait()
    with live.database.connect() as connection:
        gone = "the server notices that the process is gone"
        wait_until(lambda: not locks.is_rebuilding(connection, LIVE, "killed"), gone)
    began = time.monotonic()
    with claim(upcoming, "next", one_process=True):
        assert time.monotonic() - began < 10 * undisturbed
        assert outcomes(live) == [("undisturbed", "not swapped"), ("killed", "abandoned"), ("next", None)]


@pytest.fixture
def small_disk(cluster: Cluster) -> Iterator[tuple[str, Path]]:
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
            create = sql.SQL("CREATE TABLESPACE {} LOCATION {}")
            connection.execute(create.format(sql.Identifier(name), sql.Literal(str(folder))))
        yield name, disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
        disk.rmdir()


def test_a_full_disk_while_building(live: StandIn, small_disk: tuple[str, Path], cluster: Cluster) -> None:
    tablespace, disk = small_disk
    before = content(live)
    url = live.database.url
    option = f"options=-cdefault_tablespace%3D{tablespace}"
    upcoming = replace(live.database.next, url=f"{url}{'&' if '?' in url else '?'}{option}")
    swap.prepare(upcoming)
    filler = disk / "filler"
    filler.write_bytes(bytes(max(0, shutil.disk_usage(disk).free - 64 * 1024)))
    publish(live, 2)
    with pytest.raises(DiskFull) as failed:
        fill(replace(live, database=upcoming))
    assert "No space left on device" in str(failed.value) and "edu-pipeline drop-previous" in str(failed.value)
    assert content(live) == before
    assert live.rows("SELECT count(*) > 0 FROM edu_pipeline.loads WHERE error ~ '^DiskFull: '") == [(True,)]
    filler.unlink()
    with claim(upcoming, "again", one_process=True):
        fill(replace(live, database=upcoming))
        swap.swap(upcoming)
    assert live.rows(WHOLE) == [whole(2)]
    start_over(live.database)  # leaves the tablespace empty
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP TABLESPACE {}").format(sql.Identifier(tablespace)))
