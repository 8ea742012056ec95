"""A million rows of the crime file, compared with the way of the Node importers. `make bench-node`.

Measured: `edu-pipeline refresh criminalite_2024` into an empty table, end to end: the start of the program, the file of
the publisher, contract, difference, checks.
Floor: `node/import.mjs`, which parses the same file with csv-parse and writes it by INSERTs of 1,000 rows through pg,
into an empty table with the same indexes.
Goal: at most a sixth of its CPU seconds, of the client and of the server.

Then one row in a hundred changes, and the table is refreshed again; the goal is a third of the first load. The importer
does the same for that as for a first import.

They take turns on the same server. CPU seconds are user and system of the program, its processes and the server.
"""

from __future__ import annotations

import argparse
import gzip
import shutil
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.table import Table
from workbench import BIN, cost_of, replace_file, run, workbench

from edu_pipeline.settings import settings

SOURCE, TABLE = "ssmsi-communale", "criminalite_2024"
NODE = Path(__file__).parent / "node"
VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "dbname": "PGDATABASE",
    "passfile": "PGPASSFILE",
}
"""How libpq, and pg, call in the environment what a URL says."""

TURNS = 3
GOAL, GOAL_OF_CHANGE = 6, 3

DWELLINGS = 9
"""The position of the column that changes."""

CHANGED = 100
"""One row in so many changes."""


def change(file: Path, by: int) -> None:
    """Publish the file again, with some more dwellings in one row of a hundred."""
    new = file.with_suffix(".new")
    with gzip.open(file, "rt") as read, gzip.open(new, "wt", compresslevel=6) as written:
        written.writelines(_changed(read, by))
    new.replace(file)


def _changed(lines: Iterator[str], by: int) -> Iterator[str]:
    for place, line in enumerate(lines):
        cells = line.split(";")
        number = cells[DWELLINGS].strip('"')
        if place % CHANGED == 1 and number.isdigit():
            cells[DWELLINGS] = f'"{int(number) + by}"'
        yield ";".join(cells)


def main() -> None:
    """Print CPU seconds, seconds, and the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    node = shutil.which("node") or sys.exit("node is not installed")
    sample = settings().local / "sample" / "national"
    with workbench("national") as bench:
        modules = bench.folder / "node"
        shutil.copytree(NODE, modules)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=modules, check=True)
        file = replace_file(bench, sample, SOURCE, lambda lines: islice(lines, rows + 1))
        schema = settings().target_schema
        parts = conninfo_to_dict(bench.cluster.url())
        place = {variable: str(parts[key]) for key, variable in VARIABLES.items()}
        refresh = (BIN / "edu-pipeline", "refresh")
        turns = []
        for number in range(1, TURNS + 1):
            change(file, number)  # the archive has a copy of a file that was read before
            run(BIN / "edu-pipeline", "start-over", "--yes")
            run(*refresh, "departements", "info_communes", "passage_communes")
            ours = cost_of(bench.cluster, *refresh, TABLE)
            change(file, number)
            again = cost_of(bench.cluster, *refresh, TABLE)
            with psycopg.connect(bench.cluster.url(), autocommit=True) as connection:
                for statement in ("DROP TABLE IF EXISTS imported", "CREATE TABLE imported (LIKE {} INCLUDING ALL)"):
                    connection.execute(sql.SQL(statement).format(sql.Identifier(schema, TABLE)))
            theirs = cost_of(bench.cluster, node, modules / "import.mjs", file, "imported", environment=place)
            turns.append((ours, again, theirs))
    console = Console()
    grid = Table("edu-pipeline: CPU", "seconds", "1 % changed: CPU", "seconds", "Node: CPU", "seconds")
    for turn in turns:
        grid.add_row(*(f"{value:.1f} s" for cost in turn for value in (cost.cpu, cost.seconds)))
    console.print(grid)
    part = median(theirs.cpu / ours.cpu for ours, _, theirs in turns)
    console.print(f"median: 1/{part:.1f} of the CPU seconds of Node; goal: at most 1/{GOAL}")
    part = median(ours.cpu / again.cpu for ours, again, _ in turns)
    console.print(
        f"a change of 1 %: 1/{part:.1f} of the CPU seconds of the first load; goal: at most 1/{GOAL_OF_CHANGE}"
    )


if __name__ == "__main__":
    main()
