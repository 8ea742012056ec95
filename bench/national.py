"""A full rebuild at national size, compared with copying its finished rows. `make bench-national`.

Measured: `edu-pipeline rebuild` into an empty schema, with every release already in the archive.
Floor: psql, which copies the finished rows of every table into an empty schema and runs the same REFRESH statements.
Goals: at most 2 times the floor, and less than 2 GiB resident for all processes of the rebuild, the server included.

Both write into the same cluster, and take turns, three times each: the speed of a machine may change by half within
minutes, which the ratio of two neighbouring runs mostly leaves out. The result is the median ratio. Peak memory is that
of one more rebuild, since reading it every 50 ms takes a good part of a processor.

The floor has no counterpart to the work of the layer sectorisation: placing a million segments among three million
addresses, and dividing communes among their zones.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table
from workbench import BIN, run, show_turns, workbench

from edu_pipeline.database import ledger
from edu_pipeline.database.binaries import find_binaries
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import TABLES, VIEWS, Database, relations
from edu_pipeline.database.migrate import migrate
from edu_pipeline.settings import PROJECT, settings

GOAL, GOAL_BYTES = 2.0, 2 << 30
TURNS = 3
"""Odd, so that one ratio is in the middle."""


def dump(database: Database, folder: Path) -> list[str]:
    """Write the rows of every table as CSV.

    Returns:
        The psql commands that copy the rows into an empty schema and refresh the views.
    """
    with database.connect() as connection:
        tables, views = (relations(connection, database.schema, kind) for kind in (TABLES, VIEWS))
        for name in tables:
            statement = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT csv)").format(sql.Identifier(name))
            with (folder / f"{name}.csv").open("wb") as file, connection.cursor().copy(statement) as copy:
                file.writelines(copy)
    copies = [f"\\copy {name} FROM '{folder / name}.csv' (FORMAT csv)" for name in tables]
    return [*copies, *(f"REFRESH MATERIALIZED VIEW {name};" for name in views)]


def rebuild() -> float:
    """Seconds that a rebuild into an empty schema takes."""
    run(BIN / "edu-pipeline", "start-over", "--yes")
    seconds, _ = run(BIN / "edu-pipeline", "rebuild")
    return seconds


def floor(cluster: Cluster, commands: list[str], folder: Path) -> float:
    """Seconds that psql takes for the same rows and views, in an empty schema of another database."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE floor")
    migrate(Database(cluster.url("floor"), settings().target_schema))
    script = folder / "floor.sql"
    script.write_text("\n".join([f"SET search_path TO {settings().target_schema}, postgis;", *commands, ""]))
    psql = find_binaries().folder / "psql"
    seconds, _ = run(psql, "-qX", "-v", "ON_ERROR_STOP=1", "-f", script, cluster.url("floor"))
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE floor")  # or autovacuum would work on it during the next rebuild
    return seconds


def main() -> None:
    """Print rows, seconds, ratio and memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", choices=["sample", "national"], default="national", help="sample: to try it out")
    with workbench(parser.parse_args().scale) as bench:
        run(BIN / "edu-pipeline", "migrate")
        run(BIN / "edu-pipeline", "rebuild")
        database = Database(bench.cluster.url(), settings().target_schema)
        with database.connect() as connection:
            loads = ledger.newest(connection, database.schema)
        commands = dump(database, bench.folder)
        turns = [(rebuild(), floor(bench.cluster, commands, bench.folder)) for _ in range(TURNS)]
        run(BIN / "edu-pipeline", "start-over", "--yes")
        _, memory = run(sys.executable, PROJECT / "bench" / "peak_memory.py", "edu-pipeline", "rebuild")
    console = Console()
    grid = Table("table", "rows", "refused")
    for name, load in loads.items():
        grid.add_row(name, f"{load.rows:,}", f"{load.refused:,}")
    console.print(grid)
    console.print(memory.strip().splitlines()[-1])
    show_turns(console, turns, "rebuild", "psql \\copy and REFRESH")
    console.print(f"goals: at most {GOAL} times the floor, less than {GOAL_BYTES / 2**20:,.0f} MiB")


if __name__ == "__main__":
    main()
