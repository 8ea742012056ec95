"""What a refresh does: which tables are out of date, and which failures are tried again.

Belongs here: the plan, and fetching for it. Does not belong here: loading (``test_load.py``).
"""

from __future__ import annotations

import os
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import pytest

from edu_pipeline.database.ledger import Load
from edu_pipeline.errors import CheckRed, EduError, FileInvalid, TooManyRefused, UnknownReference
from edu_pipeline.loading import attempts
from edu_pipeline.loading.load import Options, load
from edu_pipeline.loading.plan import stale
from edu_pipeline.loading.releases import NewReleases, fetch_new
from edu_pipeline.settings import Settings
from edu_pipeline.table import tables
from edu_pipeline_tests.stand_in import SALES, SALES_HEADER, StandIn, sale

TABLE = "mutations_immo_latest"


def fail(stand_in: StandIn, row: str, error: type[EduError]) -> None:
    """Publish sales of which ``row`` stops the load."""
    stand_in.put_sales([sale(f"01{number:03d}", houses=6) for number in range(2, 31)] + [row])
    with pytest.raises(error):
        stand_in.load(TABLE)


def is_stale(stand_in: StandIn, *names: str) -> bool:
    return TABLE in stale(stand_in.database, stand_in.archive, names or None)


def fetched(stand_in: StandIn, *, by_name: bool = False, again: bool = False) -> NewReleases:
    settings = Settings(upstream=str(stand_in.folder))
    return fetch_new([SALES], settings, stand_in.database, stand_in.archive, by_name=by_name, again=again)


def test_what_failed_for_its_content_waits_for_a_change(loaded: StandIn) -> None:
    assert not is_stale(loaded)
    fail(loaded, sale("01001", price="beaucoup"), TooManyRefused)
    assert not is_stale(loaded)
    assert is_stale(loaded, TABLE), "it was asked for by name"
    loaded.put_sales([sale(f"01{number:03d}", houses=7) for number in range(1, 31)])
    fetched(loaded)
    assert is_stale(loaded)
    loaded.load(TABLE)
    assert not is_stale(loaded)


def test_an_unattended_load_that_would_fail_again_is_not_tried(loaded: StandIn) -> None:
    fail(loaded, sale("01001", price="beaucoup"), TooManyRefused)
    first, table = loaded.failed(TABLE), tables()[TABLE]
    assert first is not None and first.error is not None
    with pytest.raises(TooManyRefused, match="Nothing has changed since this load failed") as again:
        load(table, loaded.database, loaded.archive, Options(unattended=True))
    assert str(again.value).startswith(first.error.partition("; then")[0][:200])
    assert loaded.failed(TABLE) == first, "it was not tried"
    with pytest.raises(TooManyRefused, match="See edu_pipeline"):
        load(table, loaded.database, loaded.archive, Options())
    assert loaded.failed(TABLE) != first


def test_a_recorded_failure_has_its_class_and_checks() -> None:
    problem = "expected the new rows to pass, found rows: expected 5, found 4 | years: expected 2024, found 2023."
    error = CheckRed("table x, a 2026-01-01 0123", problem, "Accept them.", ["rows", "years"])
    now = datetime.now(UTC)
    failed = Load("s", "x", "failed", now, {}, "v", "c", error=str(error), id=1, finished_at=now)
    again = attempts.recorded(failed)
    assert isinstance(again, CheckRed)
    assert (again.where, again.checks) == (error.where, ["rows", "years"])
    assert str(again).startswith(str(error))


def test_changed_code_tries_again(loaded: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    fail(loaded, sale("01001", price="beaucoup"), TooManyRefused)
    monkeypatch.setattr("edu_pipeline.loading.versions.code_version", lambda table: f"other {table.name}")
    assert is_stale(loaded)


def test_changed_places_try_again(loaded: StandIn) -> None:
    fail(loaded, sale("01998"), UnknownReference)
    assert not is_stale(loaded)
    loaded.put_communes(31)
    loaded.load("info_communes")
    assert is_stale(loaded)


def test_changed_expectations_try_again(loaded: StandIn, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    fail(loaded, sale("01001", price="beaucoup"), TooManyRefused)
    monkeypatch.setattr(resources, "files", lambda package: tmp_path)
    edited = tmp_path / "expectations.toml"
    edited.touch()
    later = datetime.now().timestamp() + 60  # file systems and the database server keep time differently
    os.utime(edited, (later, later))
    assert is_stale(loaded)
    os.utime(edited, (0, 0))
    assert not is_stale(loaded)


def test_a_failure_that_may_pass_is_tried_again(loaded: StandIn) -> None:
    fail(loaded, sale("01001", price="beaucoup"), TooManyRefused)
    with loaded.database.connect() as connection:
        connection.execute("UPDATE edu_pipeline.loads SET error = 'DiskFull: x: y. z.' WHERE state = 'failed'")
    assert is_stale(loaded)


def test_a_refused_file_fails_once_and_again_when_asked_for(loaded: StandIn) -> None:
    loaded.put(SALES, "communesdvf2024.csv", "<!doctype html>")
    assert fetched(loaded).failures[SALES].startswith(FileInvalid.__name__)
    for _ in range(2):
        assert fetched(loaded).failures == {}
    assert fetched(loaded, by_name=True).failures[SALES].startswith("StillRefused: ")
    assert fetched(loaded, by_name=True, again=True).failures[SALES].startswith(FileInvalid.__name__)


def test_only_files_with_other_names_fail_what_is_asked_for(loaded: StandIn) -> None:
    (loaded.folder / SALES / "communesdvf2024.csv").rename(loaded.folder / SALES / "export (1).csv")
    nightly = fetched(loaded)
    assert nightly.failures == {} and nightly.unfed == {SALES}
    assert "found export (1).csv." in nightly.notes[0]
    asked_for = fetched(loaded, by_name=True)
    assert asked_for.failures[SALES].startswith("NotInStandIn: ") and "'communesdvf" in asked_for.failures[SALES]


def test_an_empty_folder_is_no_failure(loaded: StandIn) -> None:
    (loaded.folder / SALES / "communesdvf2024.csv").unlink()
    assert fetched(loaded, by_name=True).failures == {}


def test_the_choice_between_two_files_is_a_note(loaded: StandIn) -> None:
    loaded.put(SALES, "communesdvf2025.csv", "\n".join([SALES_HEADER, sale("01001")]))
    assert fetched(loaded).notes == (f"{SALES}: communesdvf2025.csv is used, not communesdvf2024.csv.",)
