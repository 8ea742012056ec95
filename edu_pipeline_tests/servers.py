"""The PostgreSQL servers of the tests, and databases on them: removed at the end, and in memory where there is room.

Every test has its own database: a thousand files that are created and removed again, which on a disk takes a fifth of
the time of the tests. Belongs here: where the files of a server are, and removing them. Does not belong here: what is
in a database (``conftest.py``).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql

from edu_pipeline.database import sessions
from edu_pipeline.database.cluster import Cluster

MEMORY = Path("/dev/shm")
CLUSTER = "EDU_TESTS_CLUSTER"
"""The variable of the environment that names the folder of the run's own cluster."""

ROOM = 2 << 30
"""Servers are made in memory if it has this many bytes free; those of a whole run need half a GB."""


@contextmanager
def own_server() -> Iterator[Cluster]:
    """A server without roles or databases of anybody else; it is removed at the end."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    with tempfile.TemporaryDirectory(prefix="edu-pipeline-tests-", dir=MEMORY if in_memory else None) as folder:
        Path(folder).chmod(0o755)
        cluster = Cluster(Path(folder) / "postgres", durable=False)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()


def of_the_run() -> Path:
    """A folder that all processes of the run share; it is removed at the end."""
    return Path(os.environ[CLUSTER]).parent


@contextmanager
def new_database(cluster: Cluster, origin: str) -> Iterator[str]:
    """The name of a new copy of the database ``origin``; it is dropped at the end."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    copy, drop = map(sql.Identifier, (name, origin)), sql.SQL("DROP DATABASE {} WITH (FORCE)")
    sessions.close_idle()  # a database that anybody is connected to cannot be copied
    _execute(cluster, sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(*copy))
    try:
        yield name
    finally:
        _execute(cluster, drop.format(sql.Identifier(name)))


def _execute(cluster: Cluster, statement: sql.Composed) -> None:
    """Execute a statement that no transaction may contain."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(statement)
