"""An export as a whole: one snapshot, nothing half, and the command."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import polars as pl
import psycopg
import pyarrow as pa
import pytest
from psycopg import sql
from typer.testing import CliRunner
from upath import UPath

from edu_pipeline.cli.main import app
from edu_pipeline.database.connection import Database
from edu_pipeline.errors import ExportFailed, SettingInvalid
from edu_pipeline.export import snapshot as snapshots
from edu_pipeline.export.export import export
from edu_pipeline.export.form import Format
from edu_pipeline.export.snapshot import Rows, names_of, snapshot
from edu_pipeline.settings import settings
from edu_pipeline_tests.checks.small_country import record
from edu_pipeline_tests.database.rows import put
from edu_pipeline_tests.export import country


def execute(database: Database, statement: sql.SQL, patience: str = "0") -> None:
    """Execute a statement that waits for locks no longer than ``patience``."""
    with database.connect() as connection:
        connection.execute("SELECT set_config('lock_timeout', %s, true)", [patience])
        connection.execute(statement)


def keys(rows: Rows) -> list[str]:
    (key,) = rows.table.key
    return [value for batch in rows.batches() for value in batch.column(key).to_pylist()]


def test_all_tables_are_of_one_moment(database: Database) -> None:
    country.fill(database)
    with snapshot(database) as source:
        described = source.describe(["departements", "pcs_libelle"])
        execute(database, sql.SQL("DELETE FROM departements"))
        with database.connect() as connection:
            put(connection, "pcs_libelle", code_pcs="9")
        found = [keys(source.rows(table)) for table in described.tables]
    assert found == [["01", "2A"], ["010", "011", "01A", "01Z", "01a"]]


def test_all_sessions_see_the_same_moment(database: Database) -> None:
    country.fill(database)
    with snapshot(database) as source:
        (table,) = source.describe(["departements"]).tables
        execute(database, sql.SQL("DELETE FROM departements"))
        with source.in_sessions(2) as sessions:
            assert len({own.connection.info.backend_pid for own in sessions}) == 2
            assert [keys(own.rows(table)) for own in sessions] == [["01", "2A"]] * 2


def test_two_tables_are_written_at_the_same_time(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each waits until the other one has begun."""
    both, batches = Barrier(2, timeout=60), Rows.batches

    def together(rows: Rows) -> Iterator[pa.RecordBatch]:
        both.wait()
        yield from batches(rows)

    monkeypatch.setattr(Rows, "batches", together)
    done = export(filled, UPath(tmp_path), Format.PARQUET, ["departements", "pcs_libelle"])
    assert list(done.files) == ["departements", "pcs_libelle"]


def test_an_exchange_and_a_swap_wait_for_the_snapshot(database: Database) -> None:
    """Their rows are frozen, so that an older snapshot would see them."""
    exchange = sql.SQL("ALTER TABLE criminalite_2024 DETACH PARTITION criminalite_2024__rows")
    lock = sql.SQL("SELECT pg_advisory_xact_lock(hashtextextended('edu_pipeline.schema:educational_data', 0))")
    with snapshot(database):
        for statement in (exchange, lock):
            with pytest.raises(psycopg.errors.LockNotAvailable):
                execute(database, statement, "50ms")
        execute(database, sql.SQL("DELETE FROM criminalite_2024"), "50ms")
    execute(database, exchange)


def test_pieces_end_between_rows(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text with line breaks is not cut, however small the pieces are."""
    monkeypatch.setattr(snapshots, "PIECE", 1)
    with snapshot(filled) as source:
        (table,) = source.describe(["pcs_libelle"]).tables
        batches = list(source.rows(table).batches())
    assert len(batches) == 5
    assert {batch.column("libelle").to_pylist()[0] for batch in batches} == {country.TEXT}


def test_rows_are_sorted_by_bytes_whatever_the_database_does(filled: Database) -> None:
    with snapshot(filled) as source:
        (table,) = source.describe(["pcs_libelle"]).tables
        rows = source.rows(table)
        asked = replace(rows, is_ordered_by_bytes=False)
        assert 'COLLATE "C"' in asked._statement().as_string()
        assert keys(asked) == keys(rows) == ["010", "011", "01A", "01Z", "01a"]


@pytest.mark.parametrize("form", list(Format))
def test_a_failure_leaves_what_was_there(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: Format
) -> None:
    """A Parquet writer that is left by an exception still writes a valid, shorter file: nobody may see it."""
    export(filled, UPath(tmp_path), form, ["criminalite_2024", "info_communes"])
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

    def interrupted(rows: Rows) -> Iterator[Any]:
        yield from []
        raise psycopg.OperationalError("the server is gone")

    for method in ("batches", "csv"):
        monkeypatch.setattr(Rows, method, interrupted)
    with pytest.raises(psycopg.OperationalError, match="the server is gone"):
        export(filled, UPath(tmp_path), form, ["criminalite_2024", "info_communes"])
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_rows_that_do_not_arrive_are_noticed(filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    short = Rows._parsed
    monkeypatch.setattr(Rows, "_parsed", lambda rows, piece: short(rows, piece).slice(1))
    with snapshot(filled) as source:
        (table,) = source.describe(["departements"]).tables
        with pytest.raises(RuntimeError, match="departements: expected 2 rows, found 1 in the stream"):
            pa.Table.from_batches(source.rows(table).batches())


def test_a_folder_that_cannot_be_written(filled: Database, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ExportFailed, match="expected a folder or bucket with room for the files, found"):
        export(filled, UPath(tmp_path / "file" / "folder"), chosen=["departements"])


def test_a_bucket_takes_the_files(filled: Database) -> None:
    bucket = UPath("memory://bucket/open")
    done = export(filled, bucket, chosen=["departements"])
    assert done.files["departements"].bytes == len((bucket / "departements.parquet").read_bytes())
    assert {path.name for path in bucket.iterdir()} == {
        "attribution.txt",
        "croissant.json",
        "datapackage.json",
        "dcat.jsonld",
        "departements.parquet",
    }


def test_names_of_tables_are_checked() -> None:
    assert names_of(["info_communes", "departements"]) == ["departements", "info_communes"]
    with pytest.raises(SettingInvalid, match="departement: expected the name of a table or view, found none"):
        names_of(["departement"])


def test_the_command_says_what_it_wrote(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    country.fill(database)
    monkeypatch.setenv("EDU_DATABASE_URL", database.url)
    settings.cache_clear()
    result = CliRunner().invoke(app, ["export", "departements", "pcs_libelle", "--to", str(tmp_path / "open")])
    assert result.exit_code == 0, result.output
    assert "2 tables and views in 2 files of parquet, " in result.output
    assert "Invented" not in result.output
    assert pl.read_parquet(tmp_path / "open" / "departements.parquet").height == 2


def test_invented_data_is_called_invented(database: Database, tmp_path: Path) -> None:
    release = country.release("geo-api-communes", "communes.json")
    file = replace(release.files[0], invented=True)
    with database.connect() as connection:
        record(
            connection, "info_communes", releases={"geo-api-communes": replace(release, files=(file,))}, invented=True
        )
    export(database, UPath(tmp_path), chosen=["info_communes"])
    for name in ("datapackage.json", "croissant.json", "dcat.jsonld", "attribution.txt", "info_communes.parquet"):
        assert b"Invented data of the sample publisher" in (tmp_path / name).read_bytes(), name
