"""What the UI shows: plain tables, tags, counts of a load, results of checks."""

from __future__ import annotations

import logging
import math
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import dagster as dg
import polars as pl
import pytest

from edu_pipeline.checks import CheckResult
from edu_pipeline.database.connection import Database
from edu_pipeline.database.ledger import Load
from edu_pipeline.errors import LONGEST_VALUE
from edu_pipeline.loading.load import Outcome
from edu_pipeline.orchestration import metadata
from edu_pipeline.orchestration.agreement import names_by_table
from edu_pipeline.orchestration.check_results import (
    LOAD_CHECKS,
    check_evaluation,
    check_result,
    loaded_checks,
    table_check_specs,
    waiting_checks,
)
from edu_pipeline.orchestration.metadata import INVENTED, column_schema, load_metadata, plot_metadata, tag_value
from edu_pipeline.orchestration.probes import probe_errors, probes_metadata
from edu_pipeline.orchestration.untrusted import escaped, transposed
from edu_pipeline.orchestration.untrusted import table as table_of
from edu_pipeline.sources.probe import Probed
from edu_pipeline.table import tables

LOAD = Load(
    target_schema="educational_data",
    table_name="ips_lycees",
    state="published",
    started_at=datetime(2026, 11, 1, tzinfo=UTC),
    releases={"fr-en-ips-lycees-ap2023": "2026-10-01"},
    inputs_version="",
    code_version="",
    strategy="delta",
    rows=3,
    added=2,
    changed=0,
    removed=None,
    refused=1,
)


def records(value: object) -> list[dict[str, object]]:
    """The lines of a table of the UI."""
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def test_a_cell_is_a_plain_value_or_a_short_text() -> None:
    values = [None, True, 3, 2**60, 1.5, math.nan, date(2026, 11, 1), Decimal("2.50"), ["a", "b"], "two\nlines"]
    shown = [record["value"] for record in records(table_of(["value"], [[value] for value in values]))]
    assert shown == ["", True, 3, str(2**60), 1.5, "nan", "2026-11-01", "2.50", "['a', 'b']", "two\\nlines"]
    (long,) = records(table_of(["value"], [["x" * 1000]]))
    assert len(str(long["value"])) == LONGEST_VALUE


def test_a_table_without_rows_has_its_columns() -> None:
    empty = table_of(["key", "reasons"], [])
    assert [column.name for column in empty.schema.columns] == ["key", "reasons"]
    assert records(empty) == []


def test_a_wide_table_is_turned_on_its_side() -> None:
    turned = records(transposed(["uai", "nom"], [("0750001A", "Lycée"), ("0750002B", "x" * 50)], 10))
    assert turned == [
        {"column": "uai", "row 1": "0750001A", "row 2": "0750002B"},
        {"column": "nom", "row 1": "Lycée", "row 2": "xxxxxxx..."},
    ]


def test_a_description_has_no_markup() -> None:
    text = escaped("![x](https://example.org/a.png) <img src=x> `code` code_postal")
    assert text == "!\\[x\\](https://example.org/a.png) \\<img src=x> \\`code\\` code_postal"
    assert escaped("_a_ *b* &lt; a&b\n# c\n- d - e") == "\\_a\\_ \\*b\\* \\&lt; a&b\n\\# c\n\\- d - e"


def test_a_tag_has_only_characters_that_dagster_allows() -> None:
    assert tag_value("Ministère de l'Éducation") == "Minist_re_de_l__ducation"
    assert tag_value("(DVF)") == "DVF"
    assert len(tag_value("x" * 100)) == 63


def test_a_load_shows_its_counts_release_and_first_rows() -> None:
    shown = load_metadata(Outcome(LOAD, skipped=False, preview=pl.DataFrame({"uai": ["0750001A"]})))
    assert (shown["dagster/row_count"], shown["rows_added"], shown["rows_changed"]) == (3, 2, 0)
    assert "rows_removed" not in shown and "data" not in shown
    assert (shown["rows_refused"], shown["strategy"], shown["skipped"]) == (1, "delta", False)
    assert shown["releases"] == {"fr-en-ips-lycees-ap2023": "2026-10-01"}
    assert records(shown["preview"]) == [{"column": "uai", "row 1": "0750001A"}]


def test_a_skipped_load_shows_only_what_is_still_true() -> None:
    shown = load_metadata(Outcome(replace(LOAD, invented=True), skipped=True))
    assert shown == {"skipped": True, "dagster/row_count": 3, "data": INVENTED}


def test_without_a_plot_nothing_else_is_lost(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def broken(name: str, database: Database) -> bytes:
        raise ValueError("no font")

    monkeypatch.setattr(metadata, "plot", broken)
    nowhere = Database("postgresql://nowhere", "educational_data")
    assert plot_metadata("ips_lycees", nowhere, logging.getLogger("test")) == {}
    assert "no plot of ips_lycees: ValueError: no font" in caplog.text
    monkeypatch.setattr(metadata, "plot", lambda name, database: None)
    assert plot_metadata("ips_lycees", nowhere, logging.getLogger("test")) == {}
    monkeypatch.setattr(metadata, "plot", lambda name, database: b"png")
    assert set(plot_metadata("ips_lycees", nowhere, logging.getLogger("test"))) == {"plot"}


@pytest.mark.parametrize("name", tables())
def test_every_column_is_described(name: str) -> None:
    table = tables()[name]
    columns = {column.name: column for column in column_schema(table).columns}
    assert list(columns) == list(table.contract.columns())
    assert all(column.description for column in columns.values())
    unique = [column for column in columns.values() if column.constraints.unique]
    assert [column.name for column in unique] == (table.key if len(table.key) == 1 else [])


@pytest.mark.parametrize("name", tables())
def test_every_declared_check_is_reported(name: str) -> None:
    table = tables()[name]
    declared = [spec.name for spec in table_check_specs(table)]
    waiting = list(waiting_checks(table, "a file"))
    assert [result.check_name for result in waiting] == declared
    assert {result.description for result in waiting} == {"It waits for a file."}
    assert {result.severity for result in waiting} == {dg.AssetCheckSeverity.WARN}
    own = {result.check_name for result in loaded_checks(table, Outcome(LOAD, skipped=False))}
    assert set(LOAD_CHECKS) <= own <= set(declared)


def test_a_load_says_why_it_refused_rows() -> None:
    outcome = Outcome(LOAD, skipped=False, refused=[("0750001A", "uai: expected one row, found several")])
    contract = next(iter(loaded_checks(tables()["ips_lycees"], outcome)))
    assert contract.check_name == "contract" and contract.metadata["refused"].value == 1
    quarantine = records(contract.metadata["quarantine"])
    assert quarantine == [{"key": "0750001A", "reasons": "uai: expected one row, found several"}]


def test_a_supplied_table_without_a_file_says_so() -> None:
    table = tables()["anecdotes_communes"]
    for releases, passed in ({}, False), ({"editorial": "2026-10-01"}, True):
        results = loaded_checks(table, Outcome(replace(LOAD, releases=releases), skipped=False))
        (supplied,) = [result for result in results if result.check_name == "supplied"]
        assert supplied.passed is passed and supplied.severity == dg.AssetCheckSeverity.WARN
        assert ("docs/editorial-files.md" in str(supplied.description)) is not passed


def test_a_check_is_the_same_inside_a_step_and_outside() -> None:
    result = CheckResult("ips_lycees", "years", False, "warn", "a year is missing", {"missing": [2021]})
    inside, outside = check_result(result), check_evaluation(result)
    for event in (inside, outside):
        assert event.asset_key == dg.AssetKey("ips_lycees")
        assert (event.check_name, event.passed, event.description) == ("years", False, "a year is missing")
        assert event.severity == dg.AssetCheckSeverity.WARN
        assert event.metadata["missing"].value == [2021]


def test_selected_checks_are_grouped_by_table() -> None:
    keys = [dg.AssetCheckKey(dg.AssetKey(table), name) for table, name in [("a", "x"), ("b", "x"), ("a", "y")]]
    assert names_by_table(keys) == {"a": ["x", "y"], "b": ["x"]}


def test_probes_show_what_is_new_and_what_failed() -> None:
    moment = datetime(2026, 11, 1, tzinfo=UTC)
    answers = {
        "new": Probed("new", "2", True, moment, published_at=moment),
        "old": Probed("old", "1", False, moment),
        "broken": Probed("broken", "1", False, moment, error="no answer"),
    }
    shown = probes_metadata(answers)
    assert (shown["asked"], shown["new"], shown["failed"]) == (True, 1, 1)
    assert records(shown["sources"])[0] == {"source": "new", "new": "new", "published at": str(moment), "error": ""}
    assert probe_errors(answers) == ["broken: no answer"]
    assert probes_metadata(None) == {"asked": False}
