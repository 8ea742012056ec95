"""What the benchmarks of the whole product run on: a cluster made for the run, and the sample publisher.

Belongs here: starting and stopping both, running programs. Does not belong here: what is measured.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.settings import settings

BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Workbench:
    """A cluster and a publisher, which the programs find in the environment.

    Attributes:
        folder: for the files of the run; it is removed at the end.
        cluster: running, its database not migrated yet.
        upstream: the URL of the sample publisher.
    """

    folder: Path
    cluster: Cluster
    upstream: str


@contextmanager
def workbench(scale: str) -> Iterator[Workbench]:
    """Start a cluster and the sample publisher with its country at ``scale``, and stop them at the end.

    The country is made once, and kept in .local/sample.
    """
    sample = settings().local / "sample" / scale
    publisher = [str(BIN / "edu-pipeline"), "sample"]
    with tempfile.TemporaryDirectory(prefix="edu-pipeline-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # the server may run as another user
        os.environ |= {"EDU_HOME": name}
        run(*publisher, "serve", "--scale", scale, "--folder", sample, "--background")
        try:
            os.environ["EDU_UPSTREAM"] = subprocess.check_output([*publisher, "url"], text=True).strip()
            settings.cache_clear()
            cluster = Cluster(folder / ".local" / "postgres")
            cluster.start()
            try:
                yield Workbench(folder, cluster, os.environ["EDU_UPSTREAM"])
            finally:
                cluster.stop()
        finally:
            run(*publisher, "stop")


def show_turns(console: Console, turns: Sequence[tuple[float, float]], what: str, floor: str) -> None:
    """Print the turns that something and its floor have taken, and the ratio in the middle.

    Args:
        turns: seconds of each, in pairs.
    """
    grid = Table(what, f"floor: {floor}", "times the floor")
    for seconds, least in turns:
        grid.add_row(f"{seconds:.1f} s", f"{least:.1f} s", f"{seconds / least:.2f}")
    console.print(grid)
    console.print(f"median: {median(seconds / least for seconds, least in turns):.2f} times the floor")


def run(*command: str | Path) -> tuple[float, str]:
    """Run a program; exit if it fails.

    Returns:
        The seconds that it took, and its standard error.
    """
    begin = time.perf_counter()
    outcome = subprocess.run([str(word) for word in command], check=False, stderr=subprocess.PIPE, text=True)
    if outcome.returncode:
        sys.exit(f"{command[0]} failed:\n{outcome.stderr[-4000:]}")
    return time.perf_counter() - begin, outcome.stderr
