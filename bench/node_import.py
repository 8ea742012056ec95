"""A million rows of the crime file, compared with the way of the Node importers. `make bench-node`.

Measured: `edu-pipeline refresh criminalite_2024` into an empty table, end to end: the start of the program, the file of
the publisher, contract, difference, checks.
Floor: `node/import.mjs`, which parses the same file with csv-parse and writes it by INSERTs of 1,000 rows through pg,
into an empty table with the same indexes.
Goal: at most a sixth of its CPU seconds, of the client and of the server.

They take turns on the same server. CPU seconds are user and system of the program, its processes and the server.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import subprocess
import sys
from itertools import islice
from pathlib import Path
from statistics import median

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.table import Table
from workbench import BIN, Workbench, cost_of, run, workbench

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
GOAL = 6


def cut(bench: Workbench, sample: Path, rows: int) -> Path:
    """Make the sample's files the upstream, with the first ``rows`` rows of the crime file.

    Returns:
        That file.
    """
    upstream = bench.folder / "upstream"
    upstream.mkdir()
    for folder in sample.iterdir():
        if folder.is_dir() and folder.name != SOURCE:
            (upstream / folder.name).symlink_to(folder)
    (whole,) = (sample / SOURCE).iterdir()
    file = upstream / SOURCE / whole.name
    file.parent.mkdir()
    with gzip.open(whole, "rb") as read, gzip.open(file, "wb", compresslevel=6) as written:
        written.writelines(islice(read, rows + 1))
    os.environ["EDU_UPSTREAM"] = str(upstream)
    settings.cache_clear()
    return file


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
        file, schema = cut(bench, sample, rows), settings().target_schema
        parts = conninfo_to_dict(bench.cluster.url())
        place = {variable: str(parts[key]) for key, variable in VARIABLES.items()}
        refresh = (BIN / "edu-pipeline", "refresh")
        turns = []
        for _ in range(TURNS):
            run(BIN / "edu-pipeline", "start-over", "--yes")
            run(*refresh, "departements", "info_communes", "passage_communes")
            ours = cost_of(bench.cluster, *refresh, TABLE)
            with psycopg.connect(bench.cluster.url(), autocommit=True) as connection:
                for statement in ("DROP TABLE IF EXISTS imported", "CREATE TABLE imported (LIKE {} INCLUDING ALL)"):
                    connection.execute(sql.SQL(statement).format(sql.Identifier(schema, TABLE)))
            theirs = cost_of(bench.cluster, node, modules / "import.mjs", file, "imported", environment=place)
            turns.append((ours, theirs))
    console = Console()
    grid = Table("edu-pipeline: CPU", "seconds", "Node: CPU", "seconds", "part of the CPU", "part of the time")
    for ours, theirs in turns:
        times = (ours.cpu, ours.seconds, theirs.cpu, theirs.seconds)
        parts_of = (ours.cpu / theirs.cpu, ours.seconds / theirs.seconds)
        grid.add_row(*(f"{value:.1f} s" for value in times), *(f"{part:.3f}" for part in parts_of))
    console.print(grid)
    ratio = median(ours.cpu / theirs.cpu for ours, theirs in turns)
    console.print(f"median: 1/{1 / ratio:.1f} of the CPU seconds of Node; goal: at most 1/{GOAL}")


if __name__ == "__main__":
    main()
