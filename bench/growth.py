"""The crime file at half, once and twice its national size: time per row, and memory. `make bench-growth`.

Measured: `edu-pipeline refresh criminalite_2024` of an empty table, end to end, from the publisher's file on; processor
time is that of all processes, the server's included. Peak memory is that of one more load, from the archive.
Twice: the same rows once more, as of twenty years earlier.
Floor: half of the size. Goal: a row takes no more than 15 % longer, and memory does not grow.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import partial
from itertools import islice

from rich.console import Console
from rich.table import Table
from workbench import BIN, Cost, cost_of, replace_file, run, workbench

from edu_pipeline.settings import PROJECT, settings

SOURCE, TABLE = "ssmsi-communale", "criminalite_2024"
ROWS = 5_238_000
SIZES = (0.5, 1.0, 2.0)
YEARS_EARLIER = 20
YEAR = 1
"""The position of the column with the year."""

GOAL = 1.15


def grown(lines: Iterator[str], size: float) -> Iterator[str]:
    """The header and ``size`` times the rows."""
    yield next(lines)
    for line in islice(lines, int(min(size, 1) * ROWS)):
        yield line
        if size > 1:
            cells = line.split(";")
            cells[YEAR] = f'"{int(cells[YEAR].strip(chr(34))) - YEARS_EARLIER}"'
            yield ";".join(cells)


def main() -> None:
    """Print seconds, processor time and memory for each size, and how much longer a row takes."""
    sample = settings().local / "sample" / "national"
    refresh = ("edu-pipeline", "refresh", TABLE)
    costs: dict[float, tuple[Cost, str]] = {}
    with workbench("national") as bench:
        for size in SIZES:
            replace_file(bench, sample, SOURCE, partial(grown, size=size))
            run(BIN / "edu-pipeline", "start-over", "--yes")
            run(BIN / "edu-pipeline", "refresh", "departements", "info_communes", "passage_communes")
            cost = cost_of(bench.cluster, BIN / refresh[0], *refresh[1:])
            run(BIN / "edu-pipeline", "start-over", "--yes")
            run(BIN / "edu-pipeline", "refresh", "departements", "info_communes", "passage_communes")
            _, memory = run(sys.executable, PROJECT / "bench" / "peak_memory.py", *refresh)
            costs[size] = cost, memory.strip().splitlines()[-1]
    console = Console()
    grid = Table("times national size", "rows", "seconds", "CPU", "CPU per million rows", "memory")
    for size, (cost, memory) in costs.items():
        rows = size * ROWS
        grid.add_row(
            f"{size}",
            f"{rows:,.0f}",
            f"{cost.seconds:.1f} s",
            f"{cost.cpu:.1f} s",
            f"{1e6 * cost.cpu / rows:.2f} s",
            memory,
        )
    console.print(grid)
    (least, _), (most, _) = costs[SIZES[0]], costs[SIZES[-1]]
    growth = SIZES[-1] / SIZES[0]
    console.print(
        f"from half to twice the size a row takes {most.seconds / least.seconds / growth:.2f} times the seconds and "
        f"{most.cpu / least.cpu / growth:.2f} times the processor time (goal: at most {GOAL})"
    )


if __name__ == "__main__":
    main()
