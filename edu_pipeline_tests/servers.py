"""The PostgreSQL servers of the tests: thrown away at the end, and in memory where there is room.

A test has a database of its own, which is a thousand files that are made and removed again: on a disk that is a
fifth of what the tests take. Belongs here: where a server's files are, and that nothing of it is left. Does not belong
here: databases (``conftest.py``).
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edu_pipeline.database.cluster import Cluster

MEMORY = Path("/dev/shm")
ROOM = 2 << 30
"""Bytes free in memory from which servers are made there; those of a whole run need half a GB."""


@contextmanager
def own_server() -> Iterator[Cluster]:
    """A server that nobody else has roles or databases on; it is removed at the end."""
    in_memory = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM
    with tempfile.TemporaryDirectory(prefix="edu-pipeline-tests-", dir=MEMORY if in_memory else None) as folder:
        Path(folder).chmod(0o755)
        cluster = Cluster(Path(folder) / "postgres", durable=False)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
