"""Peak resident memory of a command and of everything it starts, with the server of the private cluster.

`python bench/peak_memory.py edu-pipeline rebuild`. Every 50 ms the resident pages of all processes are added up;
pages that processes share are counted once for each (PSS where the kernel tells it, so they are shared out).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.settings import settings

EVERY = 0.05


def children(pid: int, parents: dict[int, int]) -> set[int]:
    """``pid`` and all that descend from it."""
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def resident(pid: int) -> int:
    """Bytes that a process has in memory, its part of shared pages."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def all_parents() -> dict[int, int]:
    """Process to its parent."""
    found = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                found[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
    return found


def main() -> None:
    """Run the command line's arguments and print the peak."""
    server = Cluster(settings().local / "postgres").status().pid
    program = Path(sys.executable).with_name(sys.argv[1])
    begin = time.monotonic()
    process = subprocess.Popen([str(program), *sys.argv[2:]], env=os.environ)
    peak = {"command": 0, "server": 0, "both": 0}
    while process.poll() is None:
        parents = all_parents()
        ours = sum(map(resident, children(process.pid, parents)))
        theirs = sum(map(resident, children(server, parents))) if server else 0
        for name, value in {"command": ours, "server": theirs, "both": ours + theirs}.items():
            peak[name] = max(peak[name], value)
        time.sleep(EVERY)
    seconds = time.monotonic() - begin
    figures = ", ".join(f"{name} {value / 2**20:,.0f} MiB" for name, value in peak.items())
    print(f"peak resident: {figures}; {seconds:.1f} s; exit code {process.returncode}", file=sys.stderr)


if __name__ == "__main__":
    main()
