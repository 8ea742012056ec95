"""What the benchmarks of the whole product run on: a cluster made for the run, and the sample publisher.

Belongs here: starting and stopping both, running programs, and what these cost. Does not belong here: what is measured.
"""

from __future__ import annotations

import argparse
import gzip
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

import psutil
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


def arguments(about: str | None) -> argparse.ArgumentParser:
    """The arguments that the benchmarks have in common: ``--scale``.

    Args:
        about: the benchmark's docstring.
    """
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=["sample", "national"], default="national", help="sample: to try it out")
    return parser


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


def replace_file(
    bench: Workbench, sample: Path, source: str, rewritten: Callable[[Iterator[str]], Iterable[str]]
) -> Path:
    """Make the sample's files the upstream, those of ``source`` rewritten.

    Args:
        rewritten: from the lines of its file, a CSV in gzip, those of the new one.

    Returns:
        The new file.
    """
    upstream = bench.folder / "upstream"
    shutil.rmtree(upstream, ignore_errors=True)
    upstream.mkdir()
    for folder in sample.iterdir():
        if folder.is_dir() and folder.name != source:
            (upstream / folder.name).symlink_to(folder)
    (whole,) = (sample / source).iterdir()
    file = upstream / source / whole.name
    file.parent.mkdir()
    with gzip.open(whole, "rt") as read, gzip.open(file, "wt", compresslevel=6) as written:
        written.writelines(rewritten(read))
    os.environ["EDU_UPSTREAM"] = str(upstream)
    settings.cache_clear()
    return file


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


class Cost(NamedTuple):
    """What a program has cost.

    Attributes:
        seconds: by the clock.
        cpu: seconds of processor, user and system, of all its processes and of what it made the server do.
    """

    seconds: float
    cpu: float


def cost_of(cluster: Cluster, *command: str | Path, environment: Mapping[str, str] | None = None) -> Cost:
    """Run a program that nothing else uses the server beside; exit if it fails.

    Args:
        environment: in addition to that of this process.
    """
    server = cluster.status().pid or sys.exit("the server does not run")
    used, begun, begin = resource.getrusage(resource.RUSAGE_CHILDREN), server_cpu(server), time.perf_counter()
    done = subprocess.run(command, env=os.environ | (environment or {}), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-4000:]}")
    seconds, now = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    client = now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime
    return Cost(seconds, client + server_cpu(server) - begun)


def server_cpu(pid: int) -> float:
    """CPU seconds of the server: of its first process, of those that have ended, and of those that run."""
    first = psutil.Process(pid)
    seconds = float(sum(first.cpu_times()[:4]))  # user and system, its own and those of the processes that have ended
    for process in first.children():
        with suppress(psutil.NoSuchProcess):
            seconds += sum(process.cpu_times()[:2])
    return seconds
