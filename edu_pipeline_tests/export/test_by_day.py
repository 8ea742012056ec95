"""Exports side by side: which folder, what has changed since the one before, and the asset that makes them."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import dagster as dg
import polars as pl
import pytest
from upath import UPath

from edu_pipeline.database.connection import Database
from edu_pipeline.export.by_day import export_of_the_day
from edu_pipeline.export.changes import changes
from edu_pipeline.orchestration.exports import exports
from edu_pipeline.resources import PostgresResource
from edu_pipeline.settings import settings
from edu_pipeline_tests.checks.small_country import record
from edu_pipeline_tests.database.rows import put
from edu_pipeline_tests.export import country


def file(folder: Path, name: str, rows: list[dict[str, object]]) -> Path:
    path = folder / f"{name}.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return path


def test_rows_are_compared_by_key(tmp_path: Path) -> None:
    old = file(tmp_path, "old", [{"k": "a", "l": ["x"]}, {"k": "b", "l": None}, {"k": "c", "l": []}])
    new = file(tmp_path, "new", [{"k": "a", "l": ["x"]}, {"k": "c", "l": None}, {"k": "d", "l": []}])
    found = changes("t", new, old, ["k"])
    assert (found.added, found.changed, found.removed, found.columns) == (1, 1, 1, ())
    assert found.keys.rows() == [("t", "added", ["d"]), ("t", "changed", ["c"]), ("t", "removed", ["b"])]


def test_new_columns_are_named_and_not_compared(tmp_path: Path) -> None:
    old = file(tmp_path, "old", [{"k": 1, "n": "1", "gone": 1}])
    new = file(tmp_path, "new", [{"k": 1, "n": 1, "more": 1}])
    found = changes("t", new, old, ["k"])
    assert (found.added, found.changed, found.removed) == (0, 0, 0)
    assert found.columns == ("n", "more", "gone")


def test_a_key_of_another_type_makes_all_rows_new(tmp_path: Path) -> None:
    old, new = file(tmp_path, "old", [{"k": "1"}]), file(tmp_path, "new", [{"k": 1}, {"k": 2}])
    found = changes("t", new, old, ["k"])
    assert (found.added, found.changed, found.removed, found.columns) == (2, 0, 1, ("k",))


def release_of(database: Database, day: date) -> None:
    """Say that the départements are from a release of a day."""
    with database.connect() as connection:
        released = country.release("geo-api-departements", "departements.json", day=day)
        record(connection, "departements", releases={"geo-api-departements": released})


@pytest.fixture(params=["folder", "bucket"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> UPath:
    """Where the exports go: a folder, or a bucket on a server that stands in for S3."""
    return UPath(tmp_path) if request.param == "folder" else UPath(request.getfixturevalue("bucket")) / "exports"


def test_a_folder_per_release_day_with_a_note(database: Database, root: UPath) -> None:
    country.fill(database)
    release_of(database, date(2026, 11, 21))
    first = export_of_the_day(database, root)
    assert (first.folder.name, first.skipped, first.note["since"]) == ("2026-11-21", False, None)
    assert export_of_the_day(database, root).skipped
    with database.connect() as connection:
        connection.execute("DELETE FROM departements WHERE code_departement = '01'")
        connection.execute("UPDATE departements SET nom_academie = 'Corse'")
        put(connection, "departements", code_departement="03")
    release_of(database, date(2026, 11, 28))
    second = export_of_the_day(database, root)
    assert (second.folder.name, second.note["since"]) == ("2026-11-28", "2026-11-21")
    assert second.note["tables"]["departements"] == {"added": 1, "changed": 1, "removed": 1}
    assert second.note["tables"]["commune_boundaries"] == {"added": 0, "changed": 0, "removed": 0}
    assert json.loads((root / "2026-11-28" / "changes.json").read_text()) == second.note
    assert pl.read_parquet((root / "2026-11-28" / "changes.parquet").read_bytes()).rows() == [
        ("departements", "added", ["03"]),
        ("departements", "changed", ["2A"]),
        ("departements", "removed", ["01"]),
    ]
    assert pl.read_parquet((root / "2026-11-21" / "departements.parquet").read_bytes()).height == 2
    assert sorted(path.name for path in root.iterdir()) == ["2026-11-21", "2026-11-28"]


def test_the_same_day_is_replaced_after_a_load(database: Database, tmp_path: Path) -> None:
    release_of(database, date(2026, 11, 21))
    root = UPath(tmp_path)
    export_of_the_day(database, root)
    with database.connect() as connection:
        put(connection, "departements", code_departement="03")
    release_of(database, date(2026, 11, 21))
    assert not export_of_the_day(database, root).skipped
    assert pl.read_parquet(tmp_path / "2026-11-21" / "departements.parquet").height == 1


def test_the_asset_exports(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    country.fill(database)
    monkeypatch.setenv("EDU_DATABASE_URL", database.url)
    monkeypatch.setenv("EDU_EXPORTS", str(tmp_path / "open"))
    settings.cache_clear()
    with dg.DagsterInstance.ephemeral() as instance:
        done = dg.materialize([exports], instance=instance, resources={"postgres": PostgresResource()})
        (event,) = done.asset_materializations_for_node("exports")
    assert event.metadata["folder"].value == str(tmp_path / "open" / "2026-11-20")
    assert (tmp_path / "open" / "2026-11-20" / "datapackage.json").exists()
