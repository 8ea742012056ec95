"""How fast rows reach PostgreSQL. `make bench`.

Measured: `copy_in`, which encodes a frame as CSV while it copies.
Floor: `psql \\copy` of the same rows from a finished CSV file.
Goal: at most 1.2 times the floor, by the medians of five copies each.

Both write into the same table of a cluster made for the run, and take turns.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy
import polars as pl
import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from edu_pipeline.database.binaries import find_binaries
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.copying import copy_in

ROUNDS = 5
GOAL = 1.2

SQL_TYPES = {pl.String: "text", pl.Int32: "integer", pl.Float64: "double precision", pl.List: "text[]"}


def shapes() -> dict[str, pl.DataFrame]:
    """A frame for each shape of our tables: wide and numeric, long and narrow, text with arrays."""
    random = numpy.random.default_rng(1)
    code = pl.Series("code_commune", [f"{number:05d}" for number in range(35_000)])
    wide = pl.DataFrame(random.uniform(0, 1e5, (35_000, 120)), [f"c{number}" for number in range(120)])
    long = pl.DataFrame(
        {
            "code_commune": pl.Series(random.integers(1_001, 95_999, 1_000_000)).cast(pl.String).str.zfill(5),
            "annee": pl.Series(random.integers(2016, 2026, 1_000_000), dtype=pl.Int32),
            "indicateur": pl.Series(["Vols dans les véhicules", "Cambriolages de logement"] * 500_000),
            "nombre": pl.Series(random.integers(0, 500, 1_000_000), dtype=pl.Int32),
            "taux_pour_mille": random.uniform(0, 50, 1_000_000),
            "est_diffuse": pl.Series(["diff", "ndiff"] * 500_000),
        }
    )
    words = pl.Series([f"Lycée n° {number}, « Jean Moulin »" for number in range(70_000)])
    text = pl.DataFrame(
        {"nom": words, "adresse": words.reverse(), "specialites": [["Mathématiques", 'a "b"']] * 70_000}
    )
    return {
        "35,000 x 121 numbers": wide.insert_column(0, code),
        "1,000,000 x 6 mixed": long,
        "70,000 x 3 text and arrays": text,
    }


def timed(work: Callable[[], object]) -> float:
    """How many seconds ``work`` takes."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def compare(url: str, psql: Path, frame: pl.DataFrame, folder: Path) -> tuple[float, float]:
    """Median seconds of psql and of ``copy_in``, which copy ``frame`` into a truncated table in turns."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(SQL_TYPES[kind.base_type()]))
        for column, kind in frame.schema.items()
    )
    file = folder / "rows.csv"
    floor, ours = [], []
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS rows")
        connection.execute(sql.SQL("CREATE TABLE rows ({})").format(columns))
        copy_in(connection, sql.Identifier("rows"), frame.lazy())
        with file.open("wb") as out, connection.cursor().copy("COPY rows TO STDOUT (FORMAT csv)") as copy:
            out.writelines(copy)
        command = [str(psql), "-qX", url, "-c", f"\\copy rows FROM '{file}' (FORMAT csv)"]
        for _ in range(ROUNDS):
            connection.execute("TRUNCATE rows")
            floor.append(timed(lambda: subprocess.run(command, check=True)))
            connection.execute("TRUNCATE rows")
            ours.append(timed(lambda: copy_in(connection, sql.Identifier("rows"), frame.lazy())))
    return statistics.median(floor), statistics.median(ours)


def main() -> None:
    """Print seconds and ratio for each shape."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    grid = Table("rows", "psql \\copy (s)", "copy_in (s)", "ratio", f"at most {GOAL}")
    with tempfile.TemporaryDirectory(prefix="edu-pipeline-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        cluster = Cluster(folder / "cluster")
        cluster.start()
        try:
            for shape, frame in shapes().items():
                floor, ours = compare(cluster.url(), find_binaries().folder / "psql", frame, folder)
                verdict = "yes" if ours <= GOAL * floor else "NO"
                grid.add_row(shape, f"{floor:.3f}", f"{ours:.3f}", f"{ours / floor:.2f}", verdict)
        finally:
            cluster.stop()
    Console().print(grid)


if __name__ == "__main__":
    main()
