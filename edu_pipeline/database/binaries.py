"""PostgreSQL's programs on this machine.

Belongs here: finding them, their version, whether PostGIS is installed for them. Does not belong here: running a
cluster with them (``cluster.py``), installing them (``scripts/setup``).
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from edu_pipeline.errors import ClusterFailed

OLDEST = 15
"""The oldest major version of PostgreSQL that is supported."""

INSTALL = (
    "Run scripts/setup, or install PostgreSQL and PostGIS yourself: on Debian or Ubuntu "
    "`sudo apt-get install postgresql postgresql-postgis`, on macOS `brew install postgresql@17 postgis`."
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """An installed PostgreSQL.

    Attributes:
        folder: where its programs are.
        version: e.g. ``15.18``.
        postgis: whether PostGIS is installed for it.
    """

    folder: Path
    version: str
    postgis: bool

    @property
    def major(self) -> int:
        """The major version, e.g. 15."""
        return int(self.version.partition(".")[0])


def find_binaries(major: int | None = None) -> Binaries:
    """The newest PostgreSQL with PostGIS, or the newest one of version ``major``.

    Raises:
        ClusterFailed: none is installed, it is too old, or PostGIS is missing.
    """
    installed = list(_installed(binary_folders()))
    usable = [b for b in installed if b.postgis and b.major >= OLDEST and major in (None, b.major)]
    if usable:
        return max(usable, key=lambda b: [int(part) for part in b.version.split(".")])
    wanted = f"PostgreSQL {major}, which made the data," if major else f"PostgreSQL {OLDEST} or newer"
    present = ", ".join(f"{b.version} in {b.folder}{'' if b.postgis else ' without PostGIS'}" for b in installed)
    raise ClusterFailed("programs", f"expected {wanted} with PostGIS, found {present or 'no PostgreSQL'}.", INSTALL)


def binary_folders() -> Iterator[Path]:
    """The folders in which PostgreSQL's programs may be."""
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
