"""How long a reader waits while the rows of a large table are replaced. `make bench-exchange`.

Measured: the slowest answer of a reader that counts a commune's rows every 50 ms while five million crime rows are
written and the partition that has the old ones is exchanged, under each level of the server's write-ahead log.
Floor: the slowest answer of the same reader while the same rows are written and nothing is exchanged.
Goal: below 50 ms.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

import numpy
import polars as pl
from rich.console import Console
from rich.table import Table as Grid

from edu_pipeline.database import cluster as private
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.database.migrate import migrate
from edu_pipeline.loading import writing
from edu_pipeline.loading.difference import Difference
from edu_pipeline.table import tables

LEVELS = {"minimal": {"wal_level": "minimal"}, "replica": {"wal_level": "replica", "max_wal_senders": "1"}}
TABLE = tables()["criminalite_2024"]
ANSWER = "SELECT count(*) FROM criminalite_2024 WHERE code_commune = '01001'"
PAUSE = 0.05


class Reader(threading.Thread):
    """Asks every 50 ms until it is told to stop.

    Attributes:
        slowest: milliseconds that the slowest answer took since it was last set to 0.
    """

    def __init__(self, database: Database) -> None:
        super().__init__(daemon=True)
        self.database, self.stop, self.slowest = database, threading.Event(), 0.0

    def run(self) -> None:
        """Ask until ``stop`` is set."""
        with self.database.connect() as connection:
            connection.autocommit = True
            while not self.stop.wait(PAUSE):
                begin = time.perf_counter()
                connection.execute(ANSWER)
                self.slowest = max(self.slowest, 1000 * (time.perf_counter() - begin))


def crimes(rows: int) -> pl.DataFrame:
    """Rows of the table: ten years and fifteen indicators of as many communes as are needed."""
    number = numpy.arange(rows)
    values = {
        "code_commune": pl.Series(1001 + number // 150).cast(pl.String).str.zfill(5),
        "annee": pl.Series(2015 + number % 150 // 15, dtype=pl.Int32),
        "indicateur": pl.Series(number % 15).replace_strict({k: f"Indicateur {k}" for k in range(15)}),
        "unite_de_compte": pl.repeat("Victime", rows, eager=True),
        "nombre": pl.Series(number % 500, dtype=pl.Int32),
        "est_diffuse": pl.repeat("diff", rows, eager=True),
    }
    columns = TABLE.contract.columns()
    return pl.select(
        [
            pl.lit(values[name]).alias(name) if name in values else pl.lit(None, column.dtype).alias(name)
            for name, column in columns.items()
        ]
    )


def replace(database: Database, rows: pl.DataFrame, published: int, *, exchanged: bool) -> float:
    """Write the rows and exchange the partition, or only write them.

    Returns:
        Seconds.
    """
    begin = time.perf_counter()
    change = Difference(rows.lazy(), rows.lazy().clear(), rows.height, 0, 0, published)
    with database.connect() as connection:
        writing.sweep(connection, TABLE)
        written = writing.write(connection, database, TABLE, rows.lazy(), change, unread=False)
        if exchanged:
            written.publish()
    return time.perf_counter() - begin


def main() -> None:
    """Print the slowest answers."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=5_000_000)
    rows = crimes(parser.parse_args().rows)
    grid = Grid("wal_level", "load", "slowest answer", "floor: without exchange")
    for level, changed in LEVELS.items():
        with (
            tempfile.TemporaryDirectory(prefix="edu-pipeline-bench-") as name,
            mock.patch.dict(private.SETTINGS, changed),
        ):
            Path(name).chmod(0o755)
            cluster = Cluster(Path(name) / "postgres")
            cluster.start()
            try:
                database = Database(cluster.url(), "educational_data")
                migrate(database)
                replace(database, rows, 0, exchanged=True)
                reader = Reader(database)
                reader.start()
                replace(database, rows, rows.height, exchanged=False)
                floor, reader.slowest = reader.slowest, 0.0
                for _ in range(3):
                    seconds = replace(database, rows, rows.height, exchanged=True)
                time.sleep(1)
                grid.add_row(level, f"{seconds:.1f} s", f"{reader.slowest:.0f} ms", f"{floor:.0f} ms")
                reader.stop.set()
                reader.join()
            finally:
                cluster.stop()
    Console().print(grid)


if __name__ == "__main__":
    main()
