"""The daily refresh at national size: with nothing new, and with a source whose rows have changed a little.

Measured: `dagster job execute -j daily_refresh`, in its own process, as the scheduler starts it; first with nothing
new, then with a source of which one row in a hundred has changed. Meanwhile a reader queries the table and a view every
5 ms. `make bench-daily`.
Floor: the same process without any work (`dagster --version`).
Goals: 20 s with nothing new, and no row written; 60 s with the change, and only the changed rows written; no query of
the reader takes more than 50 ms.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import psycopg
import requests
from psycopg import sql
from rich.console import Console
from workbench import BIN, Workbench, arguments, run, workbench

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.settings import PROJECT, settings

SOURCE, TABLE, VIEW = "dvf-indicateurs-communes", "mutations_immo_latest", "commune_context_cache"
JOB = ("job", "execute", "-m", "edu_pipeline.definitions", "-j", "daily_refresh")
DAILY: list[str | Path] = [BIN / "dagster", *JOB, "--tags", '{"dagster/schedule_name": "bench"}']
"""With the tag of a run that nobody has asked for: such a run repeats no check of what has not changed."""

WRITTEN = (
    "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'educational_data' "
    "AND n_tup_ins + n_tup_upd + n_tup_del > 0"
)


class Reader(threading.Thread):
    """Counts the rows of a table and of a view every 5 ms, until it is told to stop.

    Attributes:
        slowest: milliseconds that the slowest answer took.
        answers: how many there were.
        failures: answers without rows, and errors.
    """

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.stop, self.slowest, self.answers = url, threading.Event(), 0.0, 0
        self.failures: list[str] = []

    def run(self) -> None:
        """Query until ``stop`` is set."""
        statements = [sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)) for name in (TABLE, VIEW)]
        with psycopg.connect(self.url, autocommit=True, options="-csearch_path=educational_data,postgis") as connection:
            while not self.stop.wait(0.005):
                for statement in statements:
                    begin = time.perf_counter()
                    try:
                        (rows,) = connection.execute(statement).fetchone() or (0,)
                    except psycopg.Error as error:
                        self.failures.append(str(error))
                        return
                    self.slowest = max(self.slowest, 1000 * (time.perf_counter() - begin))
                    self.answers += 1
                    if not rows:
                        self.failures.append(f"no rows: {statement.as_string(connection)}")


def rows_written(cluster: Cluster) -> dict[str, int]:
    """Rows written to each table of the target schema so far."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        time.sleep(1)  # other sessions report what they have written within a second
        return {str(name): int(rows) for name, rows in connection.execute(WRITTEN).fetchall()}


def refresh(cluster: Cluster) -> tuple[float, dict[str, int]]:
    """Seconds that a daily refresh takes, and the rows that it writes to each table."""
    before = rows_written(cluster)
    seconds, _ = run(*DAILY)
    after = rows_written(cluster)
    return seconds, {table: rows - before.get(table, 0) for table, rows in after.items() if rows != before.get(table)}


def wait_for_autovacuum(cluster: Cluster, seconds: int = 120) -> None:
    """Wait until the server has cleaned up after a rebuild, as it has when the scheduler starts a run."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        for _ in range(seconds):
            time.sleep(1)
            if not connection.execute(
                "SELECT FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
            ).fetchall():
                return


def prepare(bench: Workbench) -> None:
    """Fill the database, and run the job once so that everything is loaded."""
    dagster_home = settings().local / "dagster"
    dagster_home.mkdir(parents=True, exist_ok=True)
    (dagster_home / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    os.environ["DAGSTER_HOME"] = str(dagster_home)
    run(BIN / "edu-pipeline", "migrate")
    run(BIN / "edu-pipeline", "rebuild")
    run(*DAILY)
    wait_for_autovacuum(bench.cluster)
    run(*DAILY)  # the checks of the first one are repeated once, since rows had just been written


def main() -> None:
    """Print seconds, rows written, and the reader's slowest answer."""
    console = Console()
    with workbench(arguments(__doc__).parse_args().scale) as bench:
        prepare(bench)
        floor, _ = run(BIN / "dagster", "--version")
        console.print(f"floor (dagster --version): {floor:.1f} s")
        seconds, written = refresh(bench.cluster)
        console.print(f"nothing new: {seconds:.1f} s, {seconds / floor:.1f} times the floor; rows written: {written}")
        requests.post(f"{bench.upstream}/-/publish/{SOURCE}", timeout=600).raise_for_status()
        reader = Reader(bench.cluster.url())
        reader.start()
        seconds, written = refresh(bench.cluster)
        reader.stop.set()
        reader.join()
    console.print(f"{SOURCE} changed: {seconds:.1f} s, {seconds / floor:.1f} times the floor; rows written: {written}")
    console.print(f"reader: {reader.answers:,} answers, the slowest in {reader.slowest:.0f} ms; {reader.failures[:3]}")


if __name__ == "__main__":
    main()
