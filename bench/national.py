"""A full rebuild at national size, from a filled archive, against a floor in the same run. `make bench-national`.

The sample publisher makes its country at national scale (once: the files are kept in .local/sample/national) and
serves it. What is timed: `edu-pipeline rebuild` into an empty schema, every release already in the archive. The floor:
one psql that copies the finished rows of every table into an equal empty schema, and runs the same REFRESH statements.
Both write into the same cluster, made for this run, and take turns, three times each: a machine may be half as fast
again some minutes later, which a ratio of neighbours mostly leaves out. The result is the ratio in the middle. Peak
memory is that of one more rebuild, since looking at it every 50 ms takes a good part of a processor. Goals: at most 2
times the floor, and below 2 GiB resident for everything that the rebuild starts, the server included.

The layer sectorisation is in both: placing a million segments among three million addresses, and sharing communes out
among their zones, is work that copying finished rows has no counterpart for.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from edu_pipeline.database.binaries import find_binaries
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.database.migrate import migrate
from edu_pipeline.monitoring.status import TableStatus, table_status
from edu_pipeline.settings import PROJECT, settings
from edu_pipeline.sources.archive import Archive

BIN = Path(sys.executable).parent
GOAL, GOAL_BYTES = 2.0, 2 << 30
TURNS = 3
"""Odd, so that one ratio is in the middle."""


def run(*command: str | Path, **variables: str) -> tuple[float, str]:
    """Seconds that a command takes, and what it prints on standard error; its failure is ours."""
    begin = time.perf_counter()
    done = subprocess.run(
        [str(word) for word in command], env=os.environ | variables, check=False, stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-4000:]}")
    return time.perf_counter() - begin, done.stderr


def dump(database: Database, names: list[str], folder: Path) -> None:
    """Write the rows of every table as CSV."""
    with database.connect() as connection:
        for name in names:
            with (folder / f"{name}.csv").open("wb") as file, connection.cursor() as cursor:
                statement = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT csv)").format(sql.Identifier(name))
                with cursor.copy(statement) as copy:
                    for block in copy:
                        file.write(block)


def rebuild() -> float:
    """Seconds that a rebuild takes where the schema is empty."""
    run(BIN / "edu-pipeline", "start-over", "--yes")
    seconds, _ = run(BIN / "edu-pipeline", "rebuild")
    return seconds


def floor(cluster: Cluster, found: list[TableStatus], folder: Path) -> float:
    """Seconds that psql takes for the same rows and the same REFRESH statements, in an equal empty schema."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE floor")
    migrate(Database(cluster.url("floor"), settings().target_schema))
    views = [f"REFRESH MATERIALIZED VIEW {entry.table};" for entry in found if entry.layer == "views"]
    copies = [
        f"\\copy {entry.table} FROM '{folder / entry.table}.csv' (FORMAT csv)"
        for entry in found
        if entry.layer != "views"
    ]
    script = folder / "floor.sql"
    script.write_text("\n".join([f"SET search_path TO {settings().target_schema}, postgis;", *copies, *views, ""]))
    seconds, _ = run(
        find_binaries().folder / "psql", "-qX", "-v", "ON_ERROR_STOP=1", "-f", script, cluster.url("floor")
    )
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE floor")  # or the server would tend it during the next rebuild
    return seconds


def main() -> None:
    """Print rows, seconds, ratio and memory."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="edu-pipeline-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        sample = settings().local / "sample" / "national"
        os.environ |= {"EDU_HOME": str(folder)}
        publisher = [str(BIN / "edu-pipeline"), "sample"]
        run(*publisher, "serve", "--scale", "national", "--folder", sample, "--background")
        os.environ["EDU_UPSTREAM"] = subprocess.check_output([*publisher, "url"], text=True).strip()
        settings.cache_clear()
        cluster = Cluster(folder / ".local" / "postgres")
        cluster.start()
        try:
            run(BIN / "edu-pipeline", "migrate")
            run(BIN / "edu-pipeline", "rebuild")
            database = Database(cluster.url(), settings().target_schema)
            found = table_status(database, Archive(settings().archive_root))
            dump(database, [entry.table for entry in found if entry.layer != "views"], folder)
            turns = [(rebuild(), floor(cluster, found, folder)) for _ in range(TURNS)]
            run(BIN / "edu-pipeline", "start-over", "--yes")
            _, measured = run(BIN / "python", PROJECT / "bench" / "peak_memory.py", "edu-pipeline", "rebuild")
        finally:
            cluster.stop()
            run(*publisher, "stop")
    grid = Table("table", "rows", "refused")
    for entry in found:
        grid.add_row(entry.table, f"{entry.rows:,}", f"{entry.refused or 0:,}")
    console.print(grid)
    console.print(measured.strip().splitlines()[-1])
    grid = Table("rebuild, unobserved", "floor: psql \\copy and REFRESH", "times")
    for seconds, least in turns:
        grid.add_row(f"{seconds:.1f} s", f"{least:.1f} s", f"{seconds / least:.2f}")
    console.print(grid)
    console.print(f"in the middle: {median(seconds / least for seconds, least in turns):.2f} times the floor")
    console.print(f"goals: at most {GOAL} times the floor, below {GOAL_BYTES / 2**20:,.0f} MiB")


if __name__ == "__main__":
    main()
