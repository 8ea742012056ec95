"""A full rebuild at national size, compared with copying its finished rows. `make bench-national`.

Measured: `edu-pipeline rebuild --offline` into an empty schema, once with all tables and once without those of the
layer sectorisation, whose own sources a second archive lacks. Floor: psql, which copies the finished rows of the same
tables into an empty schema and runs the same REFRESH statements. It has no counterpart to the work of the layer
sectorisation: placing a million segments among three million addresses, and dividing communes among their zones.

Both write into the same cluster, and take turns, three times each: the speed of a machine may change by half within
minutes, which the ratio of two neighbouring runs mostly leaves out. The result is the median ratio. Processor time is
that of all processes, the server's included. Peak memory is that of one more rebuild, since reading it every 50 ms
takes a good part of a processor.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table
from workbench import BIN, Cost, arguments, cost_of, run, workbench

from edu_pipeline.database import ledger
from edu_pipeline.database.binaries import find_binaries
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import TABLES, VIEWS, Database, relations
from edu_pipeline.database.migrate import migrate
from edu_pipeline.settings import PROJECT, settings
from edu_pipeline.table import tables

GOAL, GOAL_WITHOUT_SECTORS, GOAL_BYTES = 1.1, 0.8, 1.2 * 2**30
"""Times the floor, without the layer ``SECTORS`` too, and bytes of memory, the server's included."""

SECTORS = "sectorisation"
TURNS = 3
"""Odd, so that one ratio is in the middle."""


def dump(database: Database, folder: Path) -> tuple[dict[str, str], list[str]]:
    """Write the rows of every table as CSV.

    Returns:
        The psql command that copies the rows of each table into an empty schema, and those that refresh the views.
    """
    with database.connect() as connection:
        names, views = (relations(connection, database.schema, kind) for kind in (TABLES, VIEWS))
        for name in names:
            statement = sql.SQL("COPY (SELECT * FROM {}) TO STDOUT (FORMAT csv)").format(sql.Identifier(name))
            with (folder / f"{name}.csv").open("wb") as file, connection.cursor().copy(statement) as copy:
                file.writelines(copy)
    copies = {name: f"\\copy {name} FROM '{folder / name}.csv' (FORMAT csv)" for name in names}
    return copies, [f"REFRESH MATERIALIZED VIEW {name};" for name in views]


def without_sectors(archive: Path, folder: Path) -> Path:
    """Make an archive without the sources that only the layer sectorisation reads, for which its tables then wait."""
    read_by_others = {source for table in tables().values() if table.layer != SECTORS for source in table.sources}
    only_theirs = {source for table in tables().values() for source in table.sources} - read_by_others
    folder.mkdir()
    for source in archive.iterdir():
        if source.name not in only_theirs:
            (folder / source.name).symlink_to(source)
    return folder


def rebuild(cluster: Cluster, archive: Path) -> Cost:
    """Rebuild into an empty schema."""
    run(BIN / "edu-pipeline", "start-over", "--yes")
    return cost_of(cluster, BIN / "edu-pipeline", "rebuild", "--offline", environment={"EDU_ARCHIVE": str(archive)})


def floor(cluster: Cluster, commands: Iterable[str], folder: Path) -> Cost:
    """Let psql copy the rows and refresh the views, in an empty schema of another database."""
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("CREATE DATABASE floor")
    migrate(Database(cluster.url("floor"), settings().target_schema))
    script = folder / "floor.sql"
    script.write_text("\n".join([f"SET search_path TO {settings().target_schema}, postgis;", *commands, ""]))
    psql = find_binaries().folder / "psql"
    cost = cost_of(cluster, psql, "-qX", "-v", "ON_ERROR_STOP=1", "-f", script, cluster.url("floor"))
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE floor WITH (FORCE)")  # or autovacuum would work on it during the next rebuild
    return cost


def show(console: Console, title: str, turns: Sequence[tuple[Cost, Cost]], goal: float) -> None:
    """Print the turns of the rebuild and the floor, and the ratios in the middle."""
    grid = Table(f"rebuild, {title}", "CPU", "floor: psql \\copy and REFRESH", "CPU", "times the floor")
    for ours, least in turns:
        times = (ours.seconds, ours.cpu, least.seconds, least.cpu)
        grid.add_row(*(f"{value:.1f} s" for value in times), f"{ours.seconds / least.seconds:.2f}")
    console.print(grid)
    ratio, cpu = (median(ours[field] / least[field] for ours, least in turns) for field in (0, 1))
    console.print(f"median: {ratio:.2f} times the floor (goal: {goal}), {cpu:.2f} times its processor time")


def main() -> None:
    """Print rows, seconds, processor time, ratios and memory."""
    with workbench(arguments(__doc__).parse_args().scale) as bench:
        run(BIN / "edu-pipeline", "migrate")
        run(BIN / "edu-pipeline", "rebuild")
        database = Database(bench.cluster.url(), settings().target_schema)
        with database.connect() as connection:
            loads = ledger.newest(connection, database.schema)
        copies, refreshes = dump(database, bench.folder)
        archive = settings().local / "archive"
        smaller = without_sectors(archive, bench.folder / "without-sectors")
        others = [command for name, command in copies.items() if tables()[name].layer != SECTORS]
        turns, turns_without = [], []
        for _ in range(TURNS):
            pair = rebuild(bench.cluster, archive), floor(bench.cluster, [*copies.values(), *refreshes], bench.folder)
            turns.append(pair)
            pair = rebuild(bench.cluster, smaller), floor(bench.cluster, [*others, *refreshes], bench.folder)
            turns_without.append(pair)
        run(BIN / "edu-pipeline", "start-over", "--yes")
        watch = PROJECT / "bench" / "peak_memory.py"
        _, memory = run(sys.executable, watch, "edu-pipeline", "rebuild", "--offline")
    console = Console()
    grid = Table("table", "rows", "refused")
    for name, load in loads.items():
        grid.add_row(name, f"{load.rows:,}", f"{load.refused:,}")
    console.print(grid)
    show(console, "all tables", turns, GOAL)
    show(console, "without sectors", turns_without, GOAL_WITHOUT_SECTORS)
    console.print(memory.strip().splitlines()[-1])
    console.print(f"goal: less than {GOAL_BYTES / 2**20:,.0f} MiB")


if __name__ == "__main__":
    main()
