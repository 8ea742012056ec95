"""The private PostgreSQL cluster of a checkout, for people who need not know PostgreSQL.

Belongs here: creating, starting and stopping it, its URL. Does not belong here: finding PostgreSQL's programs
(``binaries.py``), the user that the server runs as (``server_user.py``), what is in the database (``migrate.py``), the
choice between this cluster and another database (``connection.py``).

Below its ``home``:

- ``cluster.json``: the port, the folder of the sockets, and that of the server's own files where it is not ``home``
- ``pgpass``: the password, mode 0600, never on a command line and never in a URL
- ``data/``, ``socket/``, ``server.conf``, ``server.log``: the server's own, which belong to the user that it runs as
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
from psycopg import sql

from edu_pipeline.database.binaries import Binaries, find_binaries
from edu_pipeline.database.server_user import THIS_USER, ServerUser, server_user
from edu_pipeline.errors import ClusterFailed

log = logging.getLogger(__name__)

DATABASE = "evalLycee"
SUPERUSER = "edu"

SETTINGS = {
    "shared_buffers": "256MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "listen_addresses": "127.0.0.1",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "logging_collector": "off",
}
"""Written at every start, so that a change here reaches existing clusters too."""

THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "300"}
"""Settings of a cluster that need not survive a crash of the machine, and that many tests use at the same time."""

START_SECONDS = 300
"""How long a server may take to start: one that crashed replays its log first."""

STOP_SECONDS = 60

ANSWER_SECONDS = 30
"""How long a running server may take to accept connections; it refuses them while it starts or stops."""

SOCKET_PATH_BYTES = 100
"""The longest path of a Unix socket; systems allow 103 (macOS) to 107 (Linux)."""

LOG_BYTES = 10_000_000
"""Size of the server's log from which a new one is begun."""

DEAD_PID = 99_999_999
"""Greater than any process number of Linux and macOS."""


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """The state of a cluster.

    Attributes:
        running: whether the server runs; it may still be starting.
        version: of PostgreSQL; None: it is not installed.
        port: None: the cluster was never started.
        data: the data folder, whether or not it exists yet.
        pid: the server's process; None: it does not run.
    """

    running: bool
    version: str | None
    port: int | None
    data: Path
    pid: int | None


class Cluster:
    """A PostgreSQL cluster of our own, on a free port of 127.0.0.1.

    Started by root it runs as the user ``postgres`` or ``nobody``, since PostgreSQL refuses to run as root. A folder
    that this user cannot enter is replaced by one below /var/tmp; ``status().data`` tells where the data are.

    Args:
        home: its folder, e.g. ``<checkout>/.local/postgres``; created at the first start.
        durable: False for tests: faster, and lost if the machine crashes.
    """

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home = home.resolve()
        self.durable = durable

    @property
    def passfile(self) -> Path:
        """The file with the password, in libpq's format."""
        return self.home / "pgpass"

    @property
    def folder(self) -> Path:
        """The folder of the server's own files: ``home``, or one below /var/tmp."""
        return Path(self._state().get("folder") or self.home)

    @property
    def fallback_folder(self) -> Path:
        """The folder of the server's own files where the server cannot use ``home``; it survives a reboot."""
        return Path("/var/tmp") / self._unique_name

    @property
    def data(self) -> Path:
        """The data folder."""
        return self.folder / "data"

    def start(self) -> None:
        """Create the cluster, start the server and create the database, each unless that is done already.

        Returns when the database answers. Several processes may call it at the same time.

        Raises:
            ClusterFailed: PostgreSQL is missing, a folder cannot be used, or the server does not start; the text
                ends with the server's message.
        """
        with self._locked():
            deadline = time.monotonic() + ANSWER_SECONDS
            while True:
                if not self.running():
                    if not (self.data / "PG_VERSION").exists():
                        self._create()
                    self._launch()
                try:
                    self._ensure_database()
                    return
                except psycopg.Error as error:  # it may be starting, or about to stop: check again
                    if "authentication failed" in str(error) or time.monotonic() > deadline:
                        raise self._failed("an answer from the running server", str(error)) from error
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server and disconnect its clients; do nothing if it is not running.

        Raises:
            ClusterFailed: it does not stop within a minute.
        """
        if not self.home.exists():
            return
        with self._locked():
            if not self.running():
                return
            stop = ("stop", "-D", self.data, "-m", "fast", "-w", "-t", str(STOP_SECONDS))
            outcome = self._run(self._binaries(), "pg_ctl", *stop)
            if outcome.returncode:
                raise self._failed(f"the server to stop within {STOP_SECONDS} s", outcome.stdout + outcome.stderr)
            sockets = Path(self._state().get("socket", self.folder))
            if not sockets.is_relative_to(self.folder):
                with suppress(OSError):
                    sockets.rmdir()

    def running(self) -> bool:
        """Whether the server of this data folder is running (it may still be starting)."""
        return self._pid() is not None

    def url(self, database: str = DATABASE) -> str:
        """The URL of a database, for psql, psycopg 2 and 3 and SQLAlchemy; it names the file with the password.

        Raises:
            ClusterFailed: the cluster was never started, so it has no port yet.
        """
        port = self._state().get("port")
        if port is None:
            raise ClusterFailed(
                str(self.home), "expected a cluster, found none.", "Create it: `edu-pipeline db start`."
            )
        return (
            f"postgresql://{SUPERUSER}@127.0.0.1:{port}/{quote(database, safe='')}"
            f"?passfile={quote(str(self.passfile), safe='')}"
        )

    def status(self) -> ClusterStatus:
        """The state of the cluster; does not fail where PostgreSQL is missing."""
        version = None
        with suppress(ClusterFailed):
            version = self._binaries().version
        pid = self._pid()
        return ClusterStatus(pid is not None, version, self._state().get("port"), self.data, pid)

    # -- creating it

    def _create(self) -> None:
        """Create the data folder, which gets its name when it is complete."""
        binaries, user = find_binaries(), self._user()
        try:
            folder = self._choose_folder(user)
            for leftover in folder.glob("data.new-*"):
                shutil.rmtree(leftover, ignore_errors=True)
            for leftover in folder.glob("password-*"):
                leftover.unlink()
            self._create_in(folder, binaries, user)
        except OSError as error:
            raise self._failed("a folder that can be used", str(error)) from error

    def _create_in(self, folder: Path, binaries: Binaries, user: ServerUser) -> None:
        password, attempt = secrets.token_urlsafe(24), secrets.token_hex(4)
        self._write(self.passfile, f"*:*:*:{SUPERUSER}:{password}\n")
        new, password_file = folder / f"data.new-{attempt}", folder / f"password-{attempt}"
        try:
            user.make_folder(new)
            user.make_file(password_file)
            password_file.write_text(password + "\n")
            self._initdb(binaries, new, password_file)
            user.write(">>", new / "postgresql.conf", "include '../server.conf' # written at every start\n")
            new.rename(folder / "data")
        finally:
            password_file.unlink(missing_ok=True)
            shutil.rmtree(new, ignore_errors=True)

    def _initdb(self, binaries: Binaries, folder: Path, password_file: Path) -> None:
        """Run initdb with the first locale that this system has: C.UTF-8, or the like."""
        options: list[str | Path] = ["-D", folder, "-U", SUPERUSER, f"--pwfile={password_file}", "--encoding=UTF8"]
        options += ["--auth-host=scram-sha-256", "--auth-local=scram-sha-256"]
        options += [] if self.durable else ["--no-sync"]
        locales = [["--locale=C.UTF-8", "--lc-collate=C"], ["--locale=C"]]  # collation C: the same order, faster
        if binaries.major >= 17:
            locales.insert(0, ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"])
        for locale in locales:
            outcome = self._run(binaries, "initdb", *options, *locale)
            if outcome.returncode == 0:
                return
        raise self._failed("initdb to succeed", outcome.stdout + outcome.stderr)

    def _choose_folder(self, user: ServerUser) -> Path:
        quotable = not set(str(self.home)) & set('"$`\\\n')  # pg_ctl makes a shell command of it
        if quotable and user.can_enter(self.home):
            self._remember(folder=None)
            return self.home
        folder = self.fallback_folder
        THIS_USER.make_folder(folder)
        folder.chmod(0o711)
        self._remember(folder=str(folder))
        log.warning("the data are in %s: %s, which PostgreSQL runs as, cannot use %s", folder, user.name, self.home)
        return folder

    # -- starting it

    def _launch(self) -> None:
        """Start the server, on the port that it had if that is free."""
        user, server_log = self._user(), self.folder / "server.log"
        try:
            sockets = self._choose_sockets(user)
            if server_log.exists() and server_log.stat().st_size > LOG_BYTES:
                server_log.rename(server_log.with_suffix(".log.1"))
            user.make_file(server_log)
            self._forget_reused_pid(user)
            for leftover in sockets.glob(".s.PGSQL.*"):  # its lock file contains a process number, too
                leftover.unlink(missing_ok=True)
        except OSError as error:
            raise self._failed("files that can be used", str(error)) from error
        deadline = time.monotonic() + START_SECONDS
        while not self._start_once(user, sockets, server_log, final=time.monotonic() > deadline):
            time.sleep(0.2)  # another program took the port, or the last processes of a crashed server are ending

    def _start_once(self, user: ServerUser, sockets: Path, server_log: Path, *, final: bool) -> bool:
        """Whether the server started; False where another attempt may succeed, unless this is the ``final`` one."""
        self._configure(user, sockets)
        begin = server_log.stat().st_size
        start = ("start", "-D", self.data, "-l", server_log, "-w", "-t", str(START_SECONDS))
        outcome = self._run(self._binaries(), "pg_ctl", *start)
        if outcome.returncode == 0:
            return True
        message = server_log.read_bytes()[begin:].decode(errors="replace")
        temporary = ("could not create any TCP/IP sockets", "pre-existing shared memory block")
        if final or not any(text in message for text in temporary):
            raise self._failed("the server to start", outcome.stderr + message)
        return False

    def _configure(self, user: ServerUser, sockets: Path) -> None:
        port = self._state().get("port")
        port = port if port and _is_free(port) else _free_port()
        own = {"port": str(port), "unix_socket_directories": f'"{sockets}"', "unix_socket_permissions": "0700"}
        values = SETTINGS | own | ({} if self.durable else THROWAWAY)
        lines = [f"{name} = '" + value.replace("'", "''") + "'\n" for name, value in values.items()]
        file = self.folder / "server.conf"
        try:
            user.make_file(file)
            file.write_text("".join(lines))
        except OSError as error:
            raise self._failed(f"{file.name} that can be written", str(error)) from error
        self._remember(port=port, socket=str(sockets))

    def _choose_sockets(self, user: ServerUser) -> Path:
        for parent in (self.folder, Path(tempfile.gettempdir()).resolve(), Path("/tmp")):
            folder = parent / ("socket" if parent == self.folder else self._unique_name)
            longest = len(os.fsencode(folder / ".s.PGSQL.65535.lock"))
            if longest <= SOCKET_PATH_BYTES and user.can_enter(parent):
                user.make_folder(folder)
                return folder
        raise self._failed("a folder for the socket with a path below 100 bytes", f"only {tempfile.gettempdir()}")

    def _forget_reused_pid(self, user: ServerUser) -> None:
        """Clear a stale postmaster.pid whose number another program has by now: PostgreSQL would not start.

        Only the number goes: from the other lines PostgreSQL sees whether processes of a crashed server are left. A
        PostgreSQL server under that number is left to PostgreSQL to judge.
        """
        pid = self._noted_pid()
        if pid and not re.search("(^|/)postgres -", command_line(pid)):
            file = self.data / "postmaster.pid"
            user.write(">", file, f"{DEAD_PID}\n" + file.read_text().partition("\n")[2])

    def _ensure_database(self) -> None:
        if not self.passfile.exists():
            raise self._failed(f"the password in {self.passfile}", "no such file")
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=20) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    # -- its state

    def _pid(self) -> int | None:
        """The server's process; None if the one in postmaster.pid has ended or is another program by now."""
        pid = self._noted_pid()
        return pid if pid and f"postgres -D {self.data} " in command_line(pid) else None

    def _noted_pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().partition("\n")[0])
        except (OSError, ValueError):
            return None

    def _binaries(self) -> Binaries:
        """The programs that can read the data folder, if there is one."""
        try:
            return find_binaries(int((self.data / "PG_VERSION").read_text()))
        except FileNotFoundError:
            return find_binaries()
        except OSError as error:
            raise self._failed("a data folder that can be read", str(error)) from error

    def _user(self) -> ServerUser:
        return server_user(self.data)

    @property
    def _unique_name(self) -> str:
        return f"edu-pipeline-{hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]}"

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads((self.home / "cluster.json").read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._failed("cluster.json that can be read", str(error)) from error
        return state

    def _remember(self, **changes: str | int | None) -> None:
        state = {key: value for key, value in (self._state() | changes).items() if value is not None}
        self._write(self.home / "cluster.json", json.dumps(state, indent=2) + "\n")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time; the lock is released when the process ends."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            file = (self.home / "lock").open("w")
        except OSError as error:
            raise self._failed("a folder that can be used", str(error)) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _write(self, file: Path, text: str) -> None:
        """Write a file of mode 0600, whole or not at all."""
        descriptor, name = tempfile.mkstemp(dir=file.parent)
        with os.fdopen(descriptor, "w") as new:
            new.write(text)
        Path(name).replace(file)

    def _run(self, binaries: Binaries, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of PostgreSQL's programs as the server's user."""
        try:
            return self._user().run(binaries.folder / program, *arguments)
        except OSError as error:
            raise self._failed(f"{program} to run", str(error)) from error

    def _failed(self, expected: str, answer: str) -> ClusterFailed:
        tail = "\n".join(answer.strip().splitlines()[-20:])
        return ClusterFailed(
            str(self.home),
            f"expected {expected}, found: {tail}.",
            f"Fix that and start again; or, if the data may go, stop it, delete {self.home} and rebuild.",
        )


def command_line(pid: int) -> str:
    """The command line of a process, a space after each word; empty if there is no such process or it is a zombie."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    listing = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
    return listing.stdout.strip() + " "


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
