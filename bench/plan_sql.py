"""The plan's query for lycées at national size. `.venv/bin/python bench/plan_sql.py`.

Measured: the query as the plan writes it, from a connected client that reads its rows.
Floor: the same columns of the same rows, by their key.
Goal: 19 of 20 answers take less than 20 ms.

For comparison, the query is also timed with only the GIN index on the specialties, which PostgreSQL must be made to
use, since most lycées teach mathematics; and without an index.
"""

from __future__ import annotations

import statistics
import sys
import time

import psycopg
from rich.console import Console
from rich.table import Table
from workbench import BIN, arguments, run, workbench

from edu_pipeline_tests.database.plan_queries import LYCEES

PATH = "-c search_path=educational_data,user_mgmt,public"
REPETITIONS = 300
GOAL = 0.020

COLUMNS = LYCEES.partition("FROM")[0]
BY_KEY = COLUMNS + "FROM educational_data.lycee_context_cache WHERE uai = ANY (%s)"


def seconds(connection: psycopg.Connection, statement: str, *values: object) -> list[float]:
    """How long each of many answers takes, sorted."""
    durations = []
    for _ in range(REPETITIONS):
        begin = time.perf_counter()
        connection.execute(statement.encode(), values or None).fetchall()
        durations.append(time.perf_counter() - begin)
    return sorted(durations)


def measure(url: str, console: Console) -> dict[str, list[float]]:
    """Time the query in every way, and print its plans."""
    explain = b"EXPLAIN " + LYCEES.encode()
    with psycopg.connect(url, autocommit=True, options=PATH) as connection:
        rows = connection.execute(LYCEES.encode()).fetchall()
        plan = connection.execute(explain).fetchall()
        times = {
            "the plan's query": seconds(connection, LYCEES),
            "floor: the same rows by key": seconds(connection, BY_KEY, [row[0] for row in rows]),
        }
        connection.execute("DROP INDEX lycee_context_cache_code_departement_idx, lycee_context_cache_ips_idx")
        connection.execute("SET enable_seqscan = off")
        times["only the GIN index"] = seconds(connection, LYCEES)
        plan_by_gin = connection.execute(explain).fetchall()
        connection.execute("RESET enable_seqscan; DROP INDEX lycee_context_cache_specialites_array_idx")
        times["without an index"] = seconds(connection, LYCEES)
        ((lycees,),) = connection.execute("SELECT count(*) FROM educational_data.lycee_context_cache").fetchall()
    for line in ("The plan, and the plan with only the GIN index:", *(line for (line,) in [*plan, *plan_by_gin])):
        console.print(line, markup=False, soft_wrap=True)
    console.print(f"{len(rows)} of {lycees:,} lycées")
    return times


def main() -> None:
    """Print the plans, the times, and the ratios to the floor."""
    console = Console()
    with workbench(arguments(__doc__).parse_args().scale) as bench:
        run(BIN / "edu-pipeline", "migrate")
        run(BIN / "edu-pipeline", "rebuild")
        times = measure(bench.cluster.url(), console)
    grid = Table("", "median, ms", "95 %, ms", "times the floor")
    floor = statistics.median(times["floor: the same rows by key"])
    for name, durations in times.items():
        median, slow = statistics.median(durations), durations[REPETITIONS * 19 // 20]
        grid.add_row(name, f"{median * 1e3:.2f}", f"{slow * 1e3:.2f}", f"{median / floor:.1f}")
    console.print(grid)
    if times["the plan's query"][REPETITIONS * 19 // 20] >= GOAL:
        sys.exit(f"goal missed: less than {GOAL * 1e3:.0f} ms")


if __name__ == "__main__":
    main()
