"""The daily refresh at national size: with nothing new, and with a source of which one row in a hundred has changed.

The sample publisher serves its country; a database is filled from it. What is timed is `dagster job execute -j
daily_refresh`, a process of its own, as the scheduler starts it. Beside each time stands that of the same process with
nothing to run (`dagster --version`), its floor. While the change is loaded a reader asks the table and a view every
5 ms. Goals: 20 s with nothing new, and no row written; 60 s with the change, which alone is written; no answer later
than 50 ms.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psycopg
import requests
from national import BIN, run
from rich.console import Console

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.settings import settings

SOURCE, TABLE, VIEW = "dvf-indicateurs-communes", "mutations_immo_latest", "commune_context_cache"
DAILY: list[str | Path] = [BIN / "dagster", "job", "execute", "-m", "edu_pipeline.definitions", "-j", "daily_refresh"]

WRITTEN = (
    "SELECT relname, n_tup_ins + n_tup_upd + n_tup_del FROM pg_stat_user_tables WHERE schemaname = 'educational_data' "
    "AND n_tup_ins + n_tup_upd + n_tup_del > 0"
)


class Reader(threading.Thread):
    """Asks a table and a view every 5 ms, until told to stop.

    Attributes:
        longest: milliseconds of the slowest answer.
        answers: how many there were.
        wrong: answers without rows, and errors.
    """

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.stop, self.longest, self.answers = url, threading.Event(), 0.0, 0
        self.wrong: list[str] = []

    def run(self) -> None:
        with psycopg.connect(self.url, autocommit=True, options="-csearch_path=educational_data,postgis") as connection:
            while not self.stop.wait(0.005):
                for statement in (
                    "SELECT count(*) FROM mutations_immo_latest",
                    "SELECT count(*) FROM commune_context_cache",
                ):
                    begin = time.perf_counter()
                    try:
                        (rows,) = connection.execute(statement).fetchone() or (0,)
                    except psycopg.Error as error:
                        self.wrong.append(str(error))
                        return
                    self.longest = max(self.longest, 1000 * (time.perf_counter() - begin))
                    self.answers += 1
                    if not rows:
                        self.wrong.append(f"no rows: {statement}")


def written(cluster: Cluster) -> dict[str, int]:
    """Rows written per table of the target schema so far."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        time.sleep(1)  # other sessions report what they have written within a second
        return {str(name): int(rows) for name, rows in connection.execute(WRITTEN).fetchall()}


def wait_for_autovacuum(cluster: Cluster, seconds: int = 120) -> None:
    """Until the server has done what a rebuild leaves it to do, which is over when the scheduler starts a run."""
    with psycopg.connect(cluster.url(), autocommit=True) as connection:
        for _ in range(seconds):
            time.sleep(1)
            if not connection.execute(
                "SELECT FROM pg_stat_activity WHERE backend_type = 'autovacuum worker'"
            ).fetchall():
                return


def main() -> None:
    """Print the seconds, what was written, and the reader's longest wait."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--scale", choices=["sample", "national"], default="national")
    scale = parser.parse_args().scale
    console = Console()
    with tempfile.TemporaryDirectory(prefix="edu-pipeline-bench-") as name:
        home = Path(name)
        home.chmod(0o755)
        sample = settings().local / "sample" / scale
        dagster_home = home / ".local" / "dagster"
        os.environ |= {"EDU_HOME": str(home), "DAGSTER_HOME": str(dagster_home)}
        publisher = [str(BIN / "edu-pipeline"), "sample"]
        run(*publisher, "serve", "--scale", scale, "--folder", sample, "--background")
        upstream = subprocess.check_output([*publisher, "url"], text=True).strip()
        os.environ["EDU_UPSTREAM"] = upstream
        settings.cache_clear()
        dagster_home.mkdir(parents=True, exist_ok=True)
        (dagster_home / "dagster.yaml").symlink_to(Path(__file__).parent.parent / "dagster.yaml")
        cluster = Cluster(home / ".local" / "postgres")
        cluster.start()
        try:
            floor, _ = run(BIN / "dagster", "--version")
            for command in ("migrate", "rebuild"):
                seconds, _ = run(BIN / "edu-pipeline", command)
            console.print(f"rebuild: {seconds:.1f} s")
            run(*DAILY)
            wait_for_autovacuum(cluster)
            before = written(cluster)
            seconds, _ = run(*DAILY)
            wrote = {table: rows - before.get(table, 0) for table, rows in written(cluster).items()}
            wrote = {table: rows for table, rows in wrote.items() if rows}
            console.print(
                f"nothing new: {seconds:.1f} s, {seconds / floor:.1f} times the floor; rows written: {wrote or 'none'}"
            )
            before = written(cluster)
            requests.post(f"{upstream}/-/publish/{SOURCE}", timeout=600).raise_for_status()
            reader = Reader(cluster.url())
            reader.start()
            seconds, _ = run(*DAILY)
            reader.stop.set()
            reader.join()
            after = written(cluster)
        finally:
            cluster.stop()
            run(*publisher, "stop")
    wrote = {table: rows - before.get(table, 0) for table, rows in after.items() if rows != before.get(table, 0)}
    console.print(f"{SOURCE} changed: {seconds:.1f} s, {seconds / floor:.1f} times the floor; rows written: {wrote}")
    console.print(
        f"reader: {reader.answers:,} answers, the slowest after {reader.longest:.0f} ms; wrong: {reader.wrong[:3]}"
    )
    console.print(f"floor (dagster --version): {floor:.1f} s")


if __name__ == "__main__":
    main()
