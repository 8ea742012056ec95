"""Peak resident memory of a command, of every process that it starts, and of the private cluster's server.

`python bench/peak_memory.py edu-pipeline rebuild`. Every 50 ms the proportional set sizes of all these processes are
added up: a page that n processes share counts 1/n for each. Linux only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.settings import settings

INTERVAL = 0.05
"""Seconds between two readings."""


def children(pid: int, parents: dict[int, int]) -> set[int]:
    """``pid`` and all its descendants."""
    family = {pid}
    while more := {child for child, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def resident(pid: int) -> int:
    """Bytes of memory of a process, with its share of shared pages; 0 if it has ended."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def all_parents() -> dict[int, int]:
    """Process to its parent, for all processes."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    return parents


def main() -> None:
    """Run the command of the arguments, and print the peak on standard error."""
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    server = Cluster(settings().local / "postgres").status().pid
    program = Path(sys.executable).with_name(sys.argv[1])
    begin = time.monotonic()
    process = subprocess.Popen([str(program), *sys.argv[2:]], env=os.environ)
    peak = {"command": 0, "server": 0, "both": 0}
    while process.poll() is None:
        parents = all_parents()
        command = sum(map(resident, children(process.pid, parents)))
        cluster = sum(map(resident, children(server, parents))) if server else 0
        for name, value in {"command": command, "server": cluster, "both": command + cluster}.items():
            peak[name] = max(peak[name], value)
        time.sleep(INTERVAL)
    seconds = time.monotonic() - begin
    figures = ", ".join(f"{name} {value / 2**20:,.0f} MiB" for name, value in peak.items())
    print(f"peak resident: {figures}; {seconds:.1f} s; exit code {process.returncode}", file=sys.stderr)


if __name__ == "__main__":
    main()
