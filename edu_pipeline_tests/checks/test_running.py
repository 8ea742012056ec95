"""Which checks a table has, and what an empty table reports."""

from __future__ import annotations

from edu_pipeline import checks
from edu_pipeline.checks.expectations import expectations
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.orchestration.check_results import LOAD_CHECKS
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.checks.small_country import RunCheck, record


def test_checks_are_declared_without_a_database() -> None:
    for table in expectations().tables:
        names = [spec.name for spec in checks.specs_of(table)]
        assert names, table
        assert len(set(names)) == len(names)
        assert set(names).isdisjoint({*LOAD_CHECKS, "supplied"}), "the load has these"
    assert {spec.name for spec in checks.specs_of("a_new_table")} == {"previous_rows"}, "it needs no figure"
    assert {spec.name: spec.severity for spec in checks.specs_of("metrics_colleges")} == {
        "expected_rows": "error",
        "previous_rows": "warn",
        "balance": "warn",
        "years": "error",
        "departements": "error",
        "academies": "error",
        "means": "error",
        "orphans": "error",
        "age": "warn",
        "edition": "warn",
    }


def test_checks_declare_when_they_run_and_what_they_cost() -> None:
    specs = [spec for table in expectations().tables for spec in checks.specs_of(table)]
    between = {
        "orphans",
        "age",
        "edition",
        "in_directory",
        "crime_rates",
        "colleges_counted",
        "open_schools",
        "successors",
    }
    assert {spec.name for spec in specs if spec.between} == between
    assert {spec.name for spec in specs if not spec.between}.isdisjoint(between)
    assert {spec.name for spec in specs if spec.costly} == {"overlaps"}
    modules = [spec.probe.__module__ for spec in specs if not spec.costly]
    assert not [spec for spec in specs if spec.costly and spec.probe.__module__ in modules], "it has its own module"


def test_empty_table_waits_or_is_red(
    connection: Connection, database: Database, archive: Archive, check: RunCheck
) -> None:
    for table, awaited in {
        "pcs_libelle": "a file of insee-pcs",
        "crime_indicateur_avg": "the table criminalite_2024",
        "data_quality_metrics": "the table sectorisation_segments",
        "lycee_context_cache": "its first refresh",
    }.items():
        for result in checks.run(connection, database, archive, table):
            assert (result.passed, result.severity, result.metadata) == (False, "warn", {"waits": awaited})
            assert result.description.endswith(f" {table}: expected rows, found none: it waits for {awaited}.")
    record(connection, "anecdotes_communes")
    assert check("anecdotes_communes", "expected_rows").severity == "warn", "there is no file"
    record(connection, "criminalite_2024")
    result = check("crime_indicateur_avg", "expected_rows")
    assert (result.passed, result.severity) == (False, "error")
