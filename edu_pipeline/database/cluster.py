"""The private PostgreSQL cluster of a checkout: made, started and stopped without any knowledge of PostgreSQL.

Belongs here: finding PostgreSQL's programs, initdb, start, stop, the URL. Does not belong here: what is in the
database (schemas, extensions, migrations), Dagster, the choice between this cluster and another database.

What it keeps, below its ``home``:

- ``cluster.json``: port, and the folder of the server's own files where that is not ``home``
- ``pgpass``: the password, mode 0600, never on a command line and never in a URL
- ``data/``, ``socket/``, ``server.log``: the server's own, and belong to the user it runs as
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import pwd
import re
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import psycopg
from psycopg import sql

from edu_pipeline.errors import ClusterFailed

log = logging.getLogger(__name__)

DATABASE = "evalLycee"
SUPERUSER = "edu"
OLDEST = 15
"""Oldest PostgreSQL that will do."""

INSTALL = (
    "Run scripts/setup, or install PostgreSQL and PostGIS yourself: on Debian or Ubuntu "
    "`sudo apt-get install postgresql postgresql-postgis`, on macOS `brew install postgresql@17 postgis`."
)

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
"""Written at every start, so that a change here reaches clusters that exist already."""

THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

START_SECONDS = 300
"""Long, for a crashed server first replays its log."""

SOCKET_PATH_BYTES = 100
"""Unix sockets allow 103 (macOS) to 107 (Linux)."""

ANSWER_SECONDS = 30
"""For a running server to accept connections, which one that is starting or stopping does not."""

LOG_BYTES = 10_000_000
DEAD_PID = 99_999_999
"""Beyond the largest process number of Linux and macOS."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """PostgreSQL's programs: their folder, and their version, e.g. ``15.18``."""

    folder: Path
    version: str
    postgis: bool

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """What can be said of a cluster; ``None`` where it is not known (yet)."""

    running: bool
    version: str | None
    port: int | None
    data: Path
    pid: int | None


def binary_folders() -> Iterator[Path]:
    """The folders in which PostgreSQL's programs may lie."""
    with suppress(OSError, subprocess.SubprocessError):
        yield Path(_output("pg_config", "--bindir"))
    for pattern in (
        "usr/lib/postgresql/*/bin",
        "opt/homebrew/opt/postgresql*/bin",
        "usr/local/opt/postgresql*/bin",
        "Applications/Postgres.app/Contents/Versions/*/bin",
    ):
        yield from Path("/").glob(pattern)
    yield from map(Path, os.get_exec_path())


def find_binaries(major: int | None = None) -> Binaries:
    """The newest PostgreSQL with PostGIS, or the one of version ``major``.

    Raises:
        ClusterFailed: there is none, it is older than 15, or PostGIS is missing.
    """
    found = list(_installed(binary_folders()))
    usable = [b for b in found if b.postgis and b.major >= OLDEST and major in (None, b.major)]
    if usable:
        return max(usable, key=lambda b: [int(part) for part in b.version.split(".")])
    wanted = f"PostgreSQL {major}, which made the data," if major else f"PostgreSQL {OLDEST} or newer"
    have = ", ".join(f"{b.version} in {b.folder}{'' if b.postgis else ' without PostGIS'}" for b in found)
    raise ClusterFailed("programs", f"expected {wanted} with PostGIS; found {have or 'no PostgreSQL'}.", INSTALL)


def _installed(folders: Iterable[Path]) -> Iterator[Binaries]:
    seen = set()
    for folder in folders:
        programs = [folder / name for name in ("postgres", "initdb", "pg_ctl")]
        if folder in seen or not all(os.access(program, os.X_OK) for program in programs):
            continue
        seen.add(folder)
        with suppress(OSError, subprocess.SubprocessError):
            version = re.search(r"\d+(\.\d+)*", _output(programs[0], "--version"))
            share = Path(_output(folder / "pg_config", "--sharedir"))
            if version:
                yield Binaries(folder, version[0], (share / "extension" / "postgis.control").exists())


def _output(*command: str | Path) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


class Cluster:
    """A PostgreSQL cluster of our own, on a free port of 127.0.0.1.

    Started by root it runs as the user ``postgres`` or ``nobody``, since PostgreSQL refuses root. A folder which
    that user cannot reach is replaced by one below /var/tmp; ``status().data`` says where the data are.

    Args:
        home: its folder, e.g. ``<checkout>/.local/postgres``; made at the first start.
        durable: false for tests: faster, and lost if the machine crashes.
    """

    def __init__(self, home: Path, *, durable: bool = True) -> None:
        self.home = home.resolve()
        self.durable = durable

    @property
    def passfile(self) -> Path:
        return self.home / "pgpass"

    @property
    def folder(self) -> Path:
        """Where the server's own files are: ``home``, or below /var/tmp."""
        return Path(self._state().get("folder") or self.home)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """Make the cluster if there is none, start it if it is not running, make the database if it is missing.

        Returns when the database answers. Two processes may call it at once.

        Raises:
            ClusterFailed: PostgreSQL is missing, a folder cannot be used, or the server does not start; the text
                ends with what the server said.
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
                except psycopg.Error as error:  # it may be starting, or about to vanish: look again
                    if "authentication failed" in str(error) or time.monotonic() > deadline:
                        raise self._failed("the server runs but does not answer", str(error)) from error
                time.sleep(0.1)

    def stop(self) -> None:
        """Stop the server, disconnecting its clients; nothing if it is not running.

        Raises:
            ClusterFailed: it does not stop within a minute.
        """
        if not self.home.exists():
            return
        with self._locked():
            if not self.running():
                return
            done = self._run(self._binaries(), "pg_ctl", "stop", "-D", self.data, "-m", "fast", "-w", "-t", "60")
            if done.returncode:
                raise self._failed("the server did not stop within 60 s", done.stdout + done.stderr)
            sockets = Path(self._state().get("socket", self.folder))
            if not sockets.is_relative_to(self.folder):
                with suppress(OSError):
                    sockets.rmdir()

    def running(self) -> bool:
        """Whether the server of this very data folder is running (it may still be starting)."""
        return self._pid() is not None

    def url(self, database: str = DATABASE) -> str:
        """The URL of a database, for psql, psycopg 2 and 3 and SQLAlchemy; the password is in the file it names.

        Raises:
            ClusterFailed: the cluster was never started, so it has no port yet.
        """
        port = self._state().get("port")
        if port is None:
            raise ClusterFailed(str(self.home), "expected a cluster; found none.", "Make it: `edu-pipeline db start`.")
        return (
            f"postgresql://{SUPERUSER}@127.0.0.1:{port}/{quote(database, safe='')}"
            f"?passfile={quote(str(self.passfile), safe='')}"
        )

    def status(self) -> ClusterStatus:
        """What is running where; never fails because PostgreSQL is missing."""
        version = None
        with suppress(ClusterFailed):
            version = self._binaries().version
        pid = self._pid()
        return ClusterStatus(pid is not None, version, self._state().get("port"), self.data, pid)

    # -- making it

    def _create(self) -> None:
        """initdb into a folder that gets its name when it is complete."""
        binaries = find_binaries()
        user = self._server_user()
        folder = self._choose_folder(user)
        for leftover in folder.glob("data.new-*"):
            shutil.rmtree(leftover, ignore_errors=True)
        for leftover in folder.glob("password-*"):
            leftover.unlink()
        password = secrets.token_urlsafe(24)
        self._write(self.passfile, f"*:*:*:{SUPERUSER}:{password}\n")
        attempt = secrets.token_hex(4)
        new, pwfile = folder / f"data.new-{attempt}", folder / f"password-{attempt}"
        try:
            self._own(new, user, folder=True)
            self._own(pwfile, user)
            pwfile.write_text(password + "\n")
            command: list[str | Path] = ["-D", new, "-U", SUPERUSER, f"--pwfile={pwfile}", "--encoding=UTF8"]
            command += ["--auth-host=scram-sha-256", "--auth-local=scram-sha-256"]
            command += [] if self.durable else ["--no-sync"]
            locales = [["--locale=C.UTF-8", "--lc-collate=C"], ["--locale=C"]]  # the same order as C.UTF-8's, sooner
            if binaries.major >= 17:
                locales.insert(0, ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"])
            for locale in locales:
                done = self._run(binaries, "initdb", *command, *locale)
                if done.returncode == 0:
                    break
            else:
                raise self._failed("initdb failed", done.stdout + done.stderr)
            self._put(">>", new / "postgresql.conf", "include '../server.conf' # written at every start\n")
            new.rename(folder / "data")
        except OSError as error:
            raise self._failed("the folder cannot be used", str(error)) from error
        finally:
            pwfile.unlink(missing_ok=True)
            shutil.rmtree(new, ignore_errors=True)

    def _choose_folder(self, user: pwd.struct_passwd | None) -> Path:
        quotable = not set(str(self.home)) & set('"$`\\\n')  # pg_ctl makes a shell command of it
        if quotable and (user is None or self._reaches(user, self.home)):
            self._remember(folder=None)
            return self.home
        folder = Path("/var/tmp") / f"edu-pipeline-{self._digest}"  # survives a reboot, unlike /tmp
        self._own(folder, None, folder=True)
        folder.chmod(0o711)
        self._remember(folder=str(folder))
        name = user.pw_name if user else "the server"
        log.warning("the data are in %s: %s, as whom PostgreSQL runs, cannot use %s", folder, name, self.home)
        return folder

    def _choose_sockets(self, user: pwd.struct_passwd | None) -> Path:
        for parent in (self.folder, Path(tempfile.gettempdir()).resolve(), Path("/tmp")):
            own = "socket" if parent == self.folder else f"edu-pipeline-{self._digest}"
            longest = len(os.fsencode(parent / own / ".s.PGSQL.65535.lock"))
            if longest <= SOCKET_PATH_BYTES and (user is None or self._reaches(user, parent)):
                self._own(parent / own, user, folder=True)
                return parent / own
        raise self._failed("expected a folder for the socket with a path below 100 bytes", tempfile.gettempdir())

    # -- starting it

    def _launch(self) -> None:
        binaries, user = self._binaries(), self._server_user()
        sockets = self._choose_sockets(user)
        server_log = self.folder / "server.log"
        if server_log.exists() and server_log.stat().st_size > LOG_BYTES:
            server_log.rename(server_log.with_suffix(".log.1"))
        self._own(server_log, user)
        self._forget_reused_pid()
        for leftover in sockets.glob(".s.PGSQL.*"):  # its lock file has a process number, too
            leftover.unlink(missing_ok=True)
        port, deadline = self._state().get("port"), time.monotonic() + START_SECONDS
        while True:
            port = port if port and _is_free(port) else _free_port()
            own = {"port": str(port), "unix_socket_directories": f'"{sockets}"', "unix_socket_permissions": "0700"}
            values = SETTINGS | own | ({} if self.durable else THROWAWAY)
            lines = [f"{name} = '" + value.replace("'", "''") + "'\n" for name, value in values.items()]
            conf = self.folder / "server.conf"
            self._own(conf, user)
            conf.write_text("".join(lines))
            self._remember(port=port, socket=str(sockets))
            begin = server_log.stat().st_size
            done = self._run(
                binaries, "pg_ctl", "start", "-D", self.data, "-l", server_log, "-w", "-t", str(START_SECONDS)
            )
            if done.returncode == 0:
                return
            said = server_log.read_bytes()[begin:].decode(errors="replace")
            retry = "could not create any TCP/IP sockets" in said or "pre-existing shared memory block" in said
            if not retry or time.monotonic() > deadline:
                raise self._failed("the server did not start", done.stderr + said)
            time.sleep(0.2)  # another program took the port; or a crashed server's last processes are going

    def _ensure_database(self) -> None:
        if not self.passfile.exists():
            raise self._failed("expected the password", f"{self.passfile} is gone")
        with psycopg.connect(self.url("postgres"), autocommit=True, connect_timeout=20) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    # -- what there is

    def _pid(self) -> int | None:
        """The server's process; ``None`` if the one of postmaster.pid is gone, or is another program by now."""
        pid = self._noted_pid()
        return pid if pid and f"postgres -D {self.data} " in _command_of(pid) else None

    def _noted_pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text().partition("\n")[0])
        except (OSError, ValueError):
            return None

    def _forget_reused_pid(self) -> None:
        """Clear a stale postmaster.pid whose number another program has by now: PostgreSQL would not start.

        Only the number goes: the other lines tell PostgreSQL whether processes of a crashed server are left. A
        PostgreSQL server under that number is left to PostgreSQL to judge.
        """
        pid = self._noted_pid()
        if pid and not re.search("(^|/)postgres -", _command_of(pid)):
            file = self.data / "postmaster.pid"
            self._put(">", file, f"{DEAD_PID}\n" + file.read_text().partition("\n")[2])

    def _binaries(self) -> Binaries:
        """Those that can read the data folder, if there is one."""
        try:
            return find_binaries(int((self.data / "PG_VERSION").read_text()))
        except FileNotFoundError:
            return find_binaries()
        except OSError as error:
            raise self._failed("the data folder cannot be read", str(error)) from error

    def _server_user(self) -> pwd.struct_passwd | None:
        """As whom root runs the server: whom the data belong to, else an unprivileged user; ``None`` if not root."""
        if os.geteuid() != 0:
            return None
        with suppress(OSError, KeyError):
            if owner := self.data.stat().st_uid:
                return pwd.getpwuid(owner)
        for name in ("postgres", "nobody"):
            with suppress(KeyError):
                return pwd.getpwnam(name)
        raise ClusterFailed(
            str(self.home),
            "PostgreSQL does not run as root; expected a user postgres or nobody, found neither.",
            "Make one (`adduser --system postgres`), or run this as an ordinary user.",
        )

    @property
    def _digest(self) -> str:
        return hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]

    def _state(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = json.loads((self.home / "cluster.json").read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._failed("cluster.json cannot be read", str(error)) from error
        return state

    def _remember(self, **changes: str | int | None) -> None:
        state = {key: value for key, value in (self._state() | changes).items() if value is not None}
        self._write(self.home / "cluster.json", json.dumps(state, indent=2) + "\n")

    # -- files and processes

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One process at a time; the lock goes with the process that holds it."""
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            file = (self.home / "lock").open("w")
        except OSError as error:
            raise self._failed("the folder cannot be used", str(error)) from error
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def _write(self, file: Path, text: str) -> None:
        """A file of mode 0600 that is whole or not there."""
        descriptor, name = tempfile.mkstemp(dir=file.parent)
        with os.fdopen(descriptor, "w") as new:
            new.write(text)
        Path(name).replace(file)

    def _own(self, path: Path, user: pwd.struct_passwd | None, *, folder: bool = False) -> None:
        """Make a file (0600) or folder (0700) of the server's, or see that it is one.

        Raises:
            ClusterFailed: there is something of that name that belongs to another.
        """
        uid = user.pw_uid if user else os.geteuid()
        try:
            if folder:
                path.mkdir(mode=0o700, exist_ok=True)
            else:
                os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW, 0o600))
            found = path.lstat()
            if user and found.st_uid == os.geteuid() and not path.is_symlink():
                os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
                found = path.lstat()
        except OSError as error:
            raise self._failed(f"{path} cannot be used", str(error)) from error
        if found.st_uid != uid or stat.S_ISLNK(found.st_mode):
            raise self._failed(f"expected {path} to belong to user {uid}", f"it belongs to user {found.st_uid}")

    def _put(self, how: Literal[">", ">>"], path: Path, text: str) -> None:
        """Write into the server's own folders as the server's user: root must not follow links laid there."""
        done = self._as(self._server_user(), ["/bin/sh", "-c", f'printf %s "$1" {how} "$0"', path, text])
        if done.returncode:
            raise self._failed(f"{path} cannot be written", done.stderr)

    def _reaches(self, user: pwd.struct_passwd, folder: Path) -> bool:
        return self._as(user, ["/bin/sh", "-c", 'cd "$0"', folder]).returncode == 0

    def _run(self, binaries: Binaries, program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self._as(self._server_user(), [binaries.folder / program, *arguments])

    def _as(self, user: pwd.struct_passwd | None, command: list[str | Path]) -> subprocess.CompletedProcess[str]:
        """Run as ``user`` with PATH as the only variable of ours, so that no PGDATA or PGPORT meddles."""
        try:
            return subprocess.run(
                command,
                capture_output=True,
                text=True,
                stdin=subprocess.DEVNULL,
                cwd="/",
                env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
            )
        except OSError as error:
            raise self._failed(f"{command[0]} cannot be run", str(error)) from error

    def _failed(self, problem: str, found: str) -> ClusterFailed:
        tail = "\n".join(found.strip().splitlines()[-20:])
        return ClusterFailed(
            str(self.home),
            f"{problem}: {tail}.",
            f"Mend that and start again; or, if the data may go, stop it, delete {self.home} and rebuild.",
        )


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


def _command_of(pid: int) -> str:
    """The command line of a process, a space after each word; empty for a zombie, or if there is none."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    found = subprocess.run(["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True)
    return found.stdout.strip() + " "
