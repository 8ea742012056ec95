"""The private cluster: real servers, each in its own folder; each test stops the server that it starts."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from edu_pipeline.database import binaries
from edu_pipeline.database.binaries import find_binaries
from edu_pipeline.database.cluster import DEAD_PID, Cluster, command_line
from edu_pipeline.errors import ClusterFailed


@contextmanager
def made_at(home: Path, *, durable: bool = False) -> Iterator[Cluster]:
    """A cluster, which is stopped at the end and, if its files are not below ``home``, removed."""
    cluster = Cluster(home, durable=durable)
    try:
        yield cluster
    finally:
        cluster.stop()
        if not cluster.folder.is_relative_to(cluster.home):
            shutil.rmtree(cluster.folder)


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every user may enter; root's tmp_path only root may."""
    with tempfile.TemporaryDirectory(prefix="edu-cluster-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture
def cluster(reachable: Path) -> Iterator[Cluster]:
    with made_at(reachable / "postgres") as cluster:
        yield cluster


def commands() -> str:
    """The command lines of all processes; not every machine has ps."""
    if Path("/proc/self").exists():
        return "".join(command_line(int(p.name)) for p in Path("/proc").iterdir() if p.name.isdigit())
    return subprocess.run(["ps", "-A", "-ww", "-o", "command="], capture_output=True, text=True).stdout


def answer(cluster: Cluster, query: str) -> object:
    """The only value of a query's only row."""
    with psycopg.connect(cluster.url()) as connection:
        row = connection.execute(query).fetchone()
    assert row
    return row[0]


def test_create_start_stop_and_start_again(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    commands_run: list[str] = []
    run = subprocess.run

    def watch(command: list[str], **options: Any) -> object:
        commands_run.append(" ".join(map(str, command)))
        return run(command, **options)

    monkeypatch.setattr(subprocess, "run", watch)
    monkeypatch.setenv("PGPORT", "1")
    assert not cluster.running()
    cluster.stop()  # nothing to stop, not even a folder
    assert not cluster.home.exists()
    with pytest.raises(ClusterFailed, match="edu-pipeline db start"):
        cluster.url()

    cluster.start()
    first = cluster.status()
    assert first.running and cluster.running()
    assert first.data == cluster.home / "data"
    assert first.version == find_binaries().version
    assert first.port and f"127.0.0.1:{first.port}/" in cluster.url()
    with psycopg.connect(cluster.url()) as connection:
        connection.execute("CREATE EXTENSION postgis")
        connection.execute("CREATE TABLE kept AS SELECT 'Orléans' AS commune")
    for setting, value in {
        "server_encoding": "UTF8",
        "listen_addresses": "127.0.0.1",
        "timezone": "UTC",
        "wal_level": "minimal",
        "max_wal_size": "2GB",
        "fsync": "off",
    }.items():
        assert answer(cluster, f"SHOW {setting}") == value

    password = cluster.passfile.read_text().strip().rpartition(":")[2]
    assert len(password) >= 24
    assert cluster.passfile.stat().st_mode & 0o777 == 0o600
    assert str(cluster.data) in commands()
    assert password not in cluster.url() + commands() + "".join(commands_run)
    assert any("--pwfile" in command for command in commands_run)
    others = [p for p in cluster.home.rglob("*") if p.is_file() and p != cluster.passfile]
    assert len(others) > 100
    assert not [p for p in others if password.encode() in p.read_bytes()]
    assert not list(cluster.home.glob("*-*")), "initdb left something behind"
    for wrong in (cluster.url().partition("?")[0] + "?password=wrong", f"{cluster.url()}&password=wrong"):
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)

    Cluster(cluster.home).start()
    assert cluster.status() == first, "a second start must change nothing"

    cluster.stop()
    cluster.stop()
    assert not cluster.running()
    assert cluster.status().pid is None
    cluster.start()
    assert cluster.status().port == first.port
    assert cluster.status().pid != first.pid
    assert answer(cluster, "SELECT commune FROM kept") == "Orléans"


def test_a_crashed_server_starts_again_with_its_data(reachable: Path) -> None:
    with made_at(reachable / "postgres", durable=True) as cluster:
        cluster.start()
        assert answer(cluster, "SHOW fsync") == answer(cluster, "SHOW synchronous_commit") == "on"
        with psycopg.connect(cluster.url()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 1 AS x")
        crashed = cluster.status().pid
        assert crashed
        os.kill(crashed, signal.SIGKILL)
        cluster.start()
        assert cluster.status().pid != crashed
        assert answer(cluster, "SELECT x FROM kept") == 1


def test_a_stale_pid_file_that_names_another_program(cluster: Cluster) -> None:
    cluster.start()
    note = cluster.data / "postmaster.pid"
    lines = note.read_text().splitlines(keepends=True)
    cluster.stop()
    user = cluster.data.stat().st_uid
    bystander = subprocess.Popen(["sleep", "60"], user=user if os.geteuid() == 0 else None)
    try:
        note.write_text(f"{bystander.pid}\n" + "".join(lines[1:]))
        os.chown(note, user, -1)
        assert not cluster.running()
        cluster.stop()
        assert bystander.poll() is None, "another program was signalled"
        cluster.start()
        assert cluster.running()
        assert cluster.status().pid not in (bystander.pid, DEAD_PID)
        cluster.stop()
        assert bystander.poll() is None, "another program was signalled"
    finally:
        bystander.kill()
        bystander.wait()


def test_a_taken_port_is_replaced(cluster: Cluster) -> None:
    cluster.start()
    port = cluster.status().port
    cluster.stop()
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # its last connections may linger
        taken.bind(("127.0.0.1", port))
        taken.listen()
        cluster.start()
        assert cluster.status().port not in (None, port)
        assert answer(cluster, "SELECT 1") == 1


def test_two_starts_at_once(cluster: Cluster) -> None:
    code = (
        "import sys; from pathlib import Path; from edu_pipeline.database.cluster import Cluster; "
        "c = Cluster(Path(sys.argv[1]), durable=False); c.start(); print(c.status().pid)"
    )
    starts = [
        subprocess.Popen([sys.executable, "-c", code, str(cluster.home)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    pids = {start.communicate()[0].strip() for start in starts}
    assert [start.returncode for start in starts] == [0, 0]
    assert pids == {str(cluster.status().pid)}


def test_a_path_that_is_long_and_strange(reachable: Path) -> None:
    home = reachable / "it's, déjà 100% #?&" / ("x" * 80)
    with made_at(home) as cluster:
        cluster.start()
        assert answer(cluster, "SELECT 1") == 1
        sockets = Path(str(answer(cluster, "SHOW unix_socket_directories")).strip('"'))
        assert sockets.is_dir() and not sockets.is_relative_to(home)
        cluster.stop()
        assert not sockets.exists()


def test_a_path_that_cannot_be_quoted_for_the_shell(reachable: Path) -> None:
    with made_at(reachable / 'a "$HOME" `b`' / "postgres") as cluster:
        cluster.start()
        assert answer(cluster, "SELECT 1") == 1
        assert cluster.status().data.is_relative_to("/var/tmp")


def test_leftovers_of_an_interrupted_initdb_are_removed(cluster: Cluster) -> None:
    (cluster.home / "data.new-0123" / "base").mkdir(parents=True)
    (cluster.home / "password-0123").write_text("x")
    cluster.start()
    assert answer(cluster, "SELECT 1") == 1
    assert not list(cluster.home.glob("*-0123"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_a_folder_that_the_server_cannot_enter(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    tmp_path.chmod(0o700)
    with made_at(tmp_path / "postgres") as cluster:
        cluster.start()
        data = cluster.status().data
        assert data.is_relative_to("/var/tmp")
        assert str(data.parent) in caplog.text
        assert data.stat().st_uid != 0 and data.stat().st_mode & 0o777 == 0o700
        assert answer(cluster, "SELECT 1") == 1
        cluster.stop()
        again = Cluster(tmp_path / "postgres", durable=False)
        again.start()
        assert again.status().data == data


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    cluster = Cluster(tmp_path / "postgres", durable=False)
    link = cluster.fallback_folder
    link.symlink_to(tmp_path)
    try:
        with pytest.raises(ClusterFailed, match=r"expected .* to belong to user 0"):
            cluster.start()
    finally:
        link.unlink()


def test_no_postgresql(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "binary_folders", lambda: iter([Path("/nowhere")]))
    with pytest.raises(ClusterFailed) as failure:
        cluster.start()
    assert "expected PostgreSQL 15 or newer with PostGIS, found no PostgreSQL" in str(failure.value)
    assert "apt-get install postgresql postgresql-postgis" in str(failure.value)
    assert "brew install postgresql@17 postgis" in str(failure.value)
    assert cluster.status().version is None


def test_the_newest_usable_postgresql_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def install(version: str, postgis: bool = True) -> Path:
        folder = tmp_path / version / "bin"
        folder.mkdir(parents=True)
        for program in ("postgres", "initdb", "pg_ctl", "pg_config"):
            says = folder.parent if program == "pg_config" else f"{program} (PostgreSQL) {version} (Debian 1:2.3)"
            (folder / program).write_text(f"#!/bin/sh\necho '{says}'\n")
            (folder / program).chmod(0o755)
        if postgis:
            (folder.parent / "extension").mkdir()
            (folder.parent / "extension" / "postgis.control").touch()
        return folder

    folders = [install("15.9"), install("15.18"), install("14.2"), install("9.6.24"), install("18beta1", False)]
    monkeypatch.setattr(binaries, "binary_folders", lambda: iter(folders))
    assert find_binaries().version == "15.18"
    with pytest.raises(ClusterFailed, match=r"expected PostgreSQL 17, which made the data, .* 18 in .* without"):
        find_binaries(17)


def test_a_lost_password_is_reported(cluster: Cluster) -> None:
    cluster.start()
    cluster.passfile.unlink()
    with pytest.raises(ClusterFailed, match=r"expected the password in .*pgpass, found: no such file.*delete"):
        cluster.start()


def test_the_servers_own_message_is_reported(cluster: Cluster) -> None:
    cluster.start()
    cluster.stop()
    with (cluster.data / "postgresql.conf").open("a") as conf:
        conf.write("no_such_setting = 1\n")
    with pytest.raises(ClusterFailed, match="no_such_setting"):
        cluster.start()
