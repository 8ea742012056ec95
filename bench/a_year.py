"""A year on one disk: 400 nights, 60 of them with a new release, and what pruning gives back. `make bench-year`.

Simulated: every night one run of `daily_refresh` and 24 of `freshness`, each a copy of a real one, event for event,
with its folder of logs; on 60 nights a new release of the directory of schools, in every fourth of them one of the
addresses too, of which one département has changed. The clock is a variable: the nights begin now, and pruning is told
when they end.
Not simulated: ticks, which the daemon purges itself (`retention:` in dagster.yaml).
Goal: what is left depends on what is kept, and not on how many nights there were.

The sample's files are small; the ratio of what is stored to what would be without sharing is what counts.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import psycopg
from daily import DAILY, prepare
from psycopg import sql
from rich import box
from rich.console import Console
from rich.table import Table
from workbench import run, workbench

from edu_pipeline.cli.runs import dagster_instance
from edu_pipeline.database import ledger
from edu_pipeline.database.connection import Connection, target
from edu_pipeline.orchestration.pruning import prune_all
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive, Incoming, ReceivedFile, Release

NIGHTS, CHANGED = 400, 60
DIRECTORY, ADDRESSES = "fr-en-annuaire-education", "ban"
ROWS = {
    "archive, kB": "archive",
    "schema edu_pipeline, kB": "ledger",
    "schema dagster, kB": "tables",
    "folders of dagster, kB": "folders",
    "folders of dagster": "count",
}
NEWEST_RUNS = """
    SELECT DISTINCT ON (pipeline_name) pipeline_name, run_id FROM dagster.runs WHERE status = 'SUCCESS'
    ORDER BY pipeline_name, id DESC
"""
OF_RUN = ("runs", "run_tags", "event_logs", "asset_check_executions")


@dataclass(frozen=True)
class Sizes:
    """Kilobytes of the archive, of the ledger, of Dagster's tables and of its folders, and how many folders."""

    archive: int
    ledger: int
    tables: int
    folders: int
    count: int


def measure(home: Path, url: str) -> Sizes:
    """What everything takes, after VACUUM FULL: the rows, without the gaps that are filled again."""
    schemas = {}
    with psycopg.connect(url, autocommit=True) as connection:
        for schema in ("edu_pipeline", "dagster"):
            rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [schema]).fetchall()
            for (name,) in rows:
                connection.execute(sql.SQL("VACUUM FULL {}").format(sql.Identifier(schema, str(name))))
            size = "SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class WHERE relnamespace = %s::regnamespace"
            (schemas[schema],) = connection.execute(size + " AND relkind = 'r'", [schema]).fetchone() or (0,)
    storage = home / ".local" / "dagster" / "storage"
    parts = (used(home / ".local" / "archive"), schemas["edu_pipeline"], schemas["dagster"], used(storage))
    archive, records, tables, folders = (int(part) // 1024 for part in parts)
    return Sizes(archive, records, tables, folders, len(list(storage.iterdir())))


def used(folder: Path) -> int:
    """Bytes on the disk, in whole blocks, of everything below ``folder``."""
    return sum(path.lstat().st_blocks * 512 for path in [folder, *folder.rglob("*")])


def copy_run(connection: psycopg.Connection[tuple[object, ...]], storage: Path, run_id: str, later: timedelta) -> None:
    """Copy a run of Dagster, with its events, results and folder, as if it had been made so much ``later``."""
    new = str(uuid.uuid4())
    for table in OF_RUN:
        columns = connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns "
            "WHERE table_schema = 'dagster' AND table_name = %s AND column_name <> 'id' ORDER BY ordinal_position",
            [table],
        ).fetchall()
        values = [_shifted(str(name), str(kind)) for name, kind in columns]
        connection.execute(
            sql.SQL(
                "INSERT INTO dagster.{table} ({names}) SELECT {values} FROM pg_temp.{table} WHERE run_id = %(old)s"
            ).format(
                table=sql.Identifier(table),
                names=sql.SQL(", ").join(sql.Identifier(str(name)) for name, _ in columns),
                values=sql.SQL(", ").join(values),
            ),
            {"old": run_id, "new": new, "later": later},
        )
    shutil.copytree(storage / run_id, storage / new)


def _shifted(name: str, kind: str) -> sql.Composed:
    column = sql.Identifier(name)
    if kind.startswith("timestamp"):
        return sql.SQL("{} + %(later)s").format(column)
    if name in ("start_time", "end_time"):
        return sql.SQL("{} + extract(epoch FROM %(later)s)").format(column)
    if name in ("run_id", "run_body", "event", "evaluation_event"):
        return sql.SQL("replace({}, %(old)s, %(new)s)").format(column)
    return sql.SQL("{}").format(column)


def new_release(archive: Archive, source: str, number: int, at: datetime) -> Release:
    """Store a release in which one file has changed, another one for each ``number``."""
    newest = archive.newest(source)
    assert newest is not None
    with archive.workspace(source) as folder:
        files: dict[Path, ReceivedFile] = {}
        for position, file in enumerate(newest.files):
            path = Path(shutil.copyfile(archive.local(newest, file), folder / str(position)))
            if position == number % len(newest.files):
                path.write_bytes(os.urandom(file.bytes))  # as large, and as hard to compress
            sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
            files[path] = replace(file, sha256=sha256)
        return archive.store(source, Incoming(files, newest.parts, retrieved_at=at))


def record_loads(connection: Connection, release: Release, at: datetime) -> None:
    """Copy the newest load of each table that reads the source, with its refused rows, as one of ``release``."""
    for load in ledger.newest(connection, "educational_data").values():
        if release.source in load.releases:
            refused = pl.DataFrame(
                connection.execute(
                    "SELECT key, reasons, row::text FROM edu_pipeline.refused_rows WHERE load_id = %s", [load.id]
                ).fetchall(),
                schema=ledger.REFUSED,
                orient="row",
            )
            new = replace(load, releases={**load.releases, release.source: release.id}, strategy="difference")
            number = ledger.record(connection, new, refused, {release.source: release})
            connection.execute("UPDATE edu_pipeline.loads SET finished_at = %s WHERE id = %s", [at, number])
    connection.commit()


def simulate(home: Path, begin: datetime) -> int:
    """Let 400 nights pass.

    Returns:
        The bytes that the new releases would take if each were stored whole.
    """
    storage, archive, whole = home / ".local" / "dagster" / "storage", Archive(settings().archive_root), 0
    with target(settings()).connect() as connection:
        for table in OF_RUN:
            copy = sql.SQL("CREATE TEMPORARY TABLE {table} AS SELECT * FROM dagster.{table}")
            connection.execute(copy.format(table=sql.Identifier(table)))
        jobs = {str(job): str(run_id) for job, run_id in connection.execute(NEWEST_RUNS).fetchall()}
        for night in range(1, NIGHTS + 1):
            later = timedelta(days=night)
            copy_run(connection, storage, jobs["daily_refresh"], later)
            for hour in range(24):
                copy_run(connection, storage, jobs["freshness"], later + timedelta(hours=hour))
            connection.commit()
            number, is_changed = divmod(night * CHANGED, NIGHTS)
            if is_changed < CHANGED:
                for source in [DIRECTORY, ADDRESSES] if number % 4 == 0 else [DIRECTORY]:
                    release = new_release(archive, source, number, begin + later)
                    whole += sum(file.bytes for file in release.files)
                    record_loads(connection, release, begin + later)
    return whole


def main() -> None:
    """Print a table of the sizes, before and after."""
    console, begin = Console(width=120), datetime.now(UTC)
    with workbench("sample") as bench:
        prepare(bench)
        run(*DAILY[:-1], "freshness")
        url = bench.cluster.url()
        fresh = measure(bench.folder, url)
        whole = simulate(bench.folder, begin)
        grown = measure(bench.folder, url)
        with dagster_instance(settings()) as instance:
            seconds = time.perf_counter()
            counts = prune_all(settings(), instance, begin + timedelta(days=NIGHTS)).counts()
            seconds = time.perf_counter() - seconds
        pruned = measure(bench.folder, url)
    table = Table("what", "at the beginning", f"after {NIGHTS} nights", "after pruning", box=box.MARKDOWN)
    for name, attribute in ROWS.items():
        table.add_row(name, *(f"{getattr(sizes, attribute):,}" for sizes in (fresh, grown, pruned)))
    console.print(table)
    console.print(f"pruning took {seconds:.0f} s and removed: {counts}")
    console.print(f"the new releases, if each were stored whole: {whole / 1024:,.0f} kB")


if __name__ == "__main__":
    main()
