"""The export of everything to Parquet at national size, compared with psql and DuckDB. `make bench-export`.

Measured: `edu-pipeline export`, with sorted rows, descriptions and GeoParquet.
Floor: psql's `\\copy` of the same tables and views to CSV, and DuckDB's conversion of these files to Parquet, all
columns as text: from the first rows it guesses that the code of a commune is a number, and miscounts columns.
Goals: at most the time of the floor, and less than 1 GiB resident for the export and the server.

Both take turns, three times each, on one filled database; the result is the median ratio. Peak memory is that of one
more export, since reading it every 50 ms takes a good part of a processor.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from rich.console import Console
from workbench import BIN, arguments, run, show_turns, workbench

from edu_pipeline.database.binaries import find_binaries
from edu_pipeline.database.connection import TABLES, VIEWS, Database, relations
from edu_pipeline.settings import PROJECT, settings

GOAL, GOAL_BYTES = 1.0, 1 << 30
TURNS = 3
"""Odd, so that one ratio is in the middle."""


def exported(folder: Path) -> float:
    """Seconds that an export takes."""
    seconds, _ = run(BIN / "edu-pipeline", "export", "--to", folder)
    shutil.rmtree(folder)
    return seconds


def floor(url: str, names: list[str], folder: Path) -> float:
    """Seconds that psql and DuckDB take for the same rows."""
    folder.mkdir()
    copies = [rf"\copy (TABLE {name}) TO '{folder / name}.csv' (FORMAT csv, HEADER)" for name in names]
    script = folder / "copy.sql"
    script.write_text("\n".join([f"SET search_path TO {settings().target_schema}, postgis;", *copies, ""]))
    psql = find_binaries().folder / "psql"
    copying, _ = run(psql, "-qX", "-v", "ON_ERROR_STOP=1", "-f", script, url)
    convert = (
        "import csv, duckdb, sys\n"
        "for path in sys.argv[1:]:\n"
        "    with open(path, newline='') as file:\n"
        "        columns = dict.fromkeys(next(csv.reader(file)), 'VARCHAR')\n"
        "    form = dict(header=True, delimiter=',', quotechar='\"', escapechar='\"', auto_detect=False)\n"
        "    rows = duckdb.read_csv(path, columns=columns, **form)\n"
        "    rows.write_parquet(path.replace('.csv', '.parquet'), compression='zstd')\n"
    )
    converting, _ = run(sys.executable, "-c", convert, *(folder / f"{name}.csv" for name in names))
    shutil.rmtree(folder)
    return copying + converting


def main() -> None:
    """Print rows, seconds, ratio and memory."""
    with workbench(arguments(__doc__).parse_args().scale) as bench:
        run(BIN / "edu-pipeline", "migrate")
        run(BIN / "edu-pipeline", "rebuild")
        database = Database(bench.cluster.url(), settings().target_schema)
        with database.connect() as connection:
            names = relations(connection, database.schema, TABLES + VIEWS)
        turns = [
            (exported(bench.folder / "open"), floor(database.url, names, bench.folder / "floor")) for _ in range(TURNS)
        ]
        command = ("edu-pipeline", "export", "--to", bench.folder / "open")
        _, memory = run(sys.executable, PROJECT / "bench" / "peak_memory.py", *command)
    console = Console()
    console.print(memory.strip().splitlines()[-1])
    show_turns(console, turns, "export", "psql \\copy and DuckDB")
    console.print(f"goals: at most {GOAL} times the floor, less than {GOAL_BYTES / 2**20:,.0f} MiB")


if __name__ == "__main__":
    main()
