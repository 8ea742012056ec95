"""Which checks a table has, and what an empty table reports."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from edu_pipeline import checks
from edu_pipeline.checks import running
from edu_pipeline.checks.expectations import expectations
from edu_pipeline.checks.subject import PLACES, Subject
from edu_pipeline.database import sessions
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.migrate import migrate
from edu_pipeline.database.views import views
from edu_pipeline.errors import DatabaseUnreachable
from edu_pipeline.orchestration.check_results import LOAD_CHECKS
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import tables
from edu_pipeline_tests.checks.small_country import RunCheck, record
from edu_pipeline_tests.operations import switching
from edu_pipeline_tests.servers import own_server
from edu_pipeline_tests.waiting import awaited


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
    assert {spec.name for spec in specs if spec.outside} == {"age", "edition", "successors"}
    modules = [spec.probe.__module__ for spec in specs if not spec.costly]
    assert not [spec for spec in specs if spec.costly and spec.probe.__module__ in modules], "it has its own module"


def test_empty_table_waits_or_is_red(
    connection: Connection, database: Database, archive: Archive, check: RunCheck
) -> None:
    for table, missing in {
        "pcs_libelle": "a file of insee-pcs",
        "crime_indicateur_avg": "the table criminalite_2024",
        "data_quality_metrics": "the table sectorisation_segments",
        "lycee_context_cache": "its first refresh",
    }.items():
        for result in checks.run(connection, database, archive, table):
            assert (result.passed, result.severity, result.metadata) == (False, "warn", {"waits": missing})
            assert result.description.endswith(f" {table}: expected rows, found none: it waits for {missing}.")
    record(connection, "anecdotes_communes")
    assert check("anecdotes_communes", "expected_rows").severity == "warn", "there is no file"
    record(connection, "criminalite_2024")
    result = check("crime_indicateur_avg", "expected_rows")
    assert (result.passed, result.severity) == (False, "error")


def write(database: Database, statement: LiteralString) -> None:
    """Execute a statement in a session that reports at once what it has written."""
    with psycopg.connect(database.url, options="-csearch_path=educational_data") as session:
        session.execute("SELECT pg_stat_force_next_flush()")
        session.execute(statement)


class Night:
    """Runs the checks of a table as a schedule does, and says which of them were made."""

    def __init__(self, database: Database, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
        self.database, self.archive = database, archive
        self.made: list[str] = []
        probed = running._probed

        def noted(check: checks.CheckSpec, subject: Subject, where: str) -> checks.CheckResult:
            self.made.append(check.name)
            return probed(check, subject, where)

        monkeypatch.setattr(running, "_probed", noted)

    def checks_of(self, table: str, *, unattended: bool = True) -> list[str]:
        """The checks that were made, and not remembered."""
        self.made.clear()
        with self.database.connect() as connection:
            results = checks.run(connection, self.database, self.archive, table, unattended=unattended)
        assert {result.name for result in results} == {spec.name for spec in checks.specs_of(table)}
        return self.made[:]


@pytest.fixture
def night(database: Database, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> Night:
    switching.fill(database)
    return Night(database, archive, monkeypatch)


def test_a_scheduled_run_repeats_no_check_of_the_same_rows(night: Night) -> None:
    everything = night.checks_of("ips_lycees")
    assert {"years", "orphans", "age"} < {*everything}
    assert night.checks_of("ips_lycees") == ["age", "edition"]
    assert night.checks_of("ips_lycees", unattended=False) == everything, "somebody has asked for it"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ips_lycees SET ips = 101",
        "DELETE FROM departements",
        "TRUNCATE ips_lycees",
        "ALTER TABLE ips_lycees ADD COLUMN other int",
        "INSERT INTO edu_pipeline.loads (target_schema, table_name, state, started_at, releases, inputs_version, "
        "code_version) VALUES ('educational_data', 'ips_lycees', 'failed', now(), '{}', '', '')",
    ],
)
def test_whatever_was_written_is_checked_again(night: Night, statement: LiteralString) -> None:
    everything = night.checks_of("ips_lycees")
    write(night.database, statement)
    if statement.startswith("TRUNCATE"):
        assert night.checks_of("ips_lycees") == [], "there are no rows to look at"
    else:
        assert night.checks_of("ips_lycees") == everything


def test_a_change_elsewhere_repeats_the_checks_between_tables(night: Night) -> None:
    night.checks_of("ips_lycees")
    write(night.database, "UPDATE annuaire_education SET nom_etablissement = 'x'")
    between = [spec.name for spec in checks.specs_of("ips_lycees") if spec.between]
    assert night.checks_of("ips_lycees") == between


def test_other_code_or_a_server_that_does_not_count(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    everything = night.checks_of("ips_lycees")
    monkeypatch.setattr(running, "_code", lambda: "other")
    assert night.checks_of("ips_lycees") == everything
    with psycopg.connect(night.database.url, autocommit=True) as session:
        name = sql.Identifier(session.info.dbname)
        session.execute(sql.SQL("ALTER DATABASE {} SET track_counts = off").format(name))
    sessions.close_idle()
    assert night.checks_of("ips_lycees") == everything


def test_a_change_of_a_partition_is_seen(night: Night) -> None:
    everything = night.checks_of("criminalite_2024")
    assert len(night.checks_of("criminalite_2024")) < len(everything)
    write(night.database, "UPDATE criminalite_2024 SET nombre = 7")
    assert night.checks_of("criminalite_2024") == everything


def test_counters_that_begin_again_say_nothing(night: Night) -> None:
    everything = night.checks_of("ips_lycees")
    for _ in range(2):
        write(night.database, "UPDATE ips_lycees SET ips = 101")
        with psycopg.connect(night.database.url, autocommit=True) as session:
            session.execute("SELECT pg_stat_reset()")
        assert night.checks_of("ips_lycees") == everything


def test_counters_after_a_crash_say_nothing(archive: Archive) -> None:
    with own_server() as cluster:
        database = Database(cluster.url("postgres"), "educational_data")
        migrate(database)

        def state() -> str | None:
            try:
                with database.connect() as connection:
                    return Subject("ips_lycees", connection, database, archive, sql.Identifier("ips_lycees")).state
            except (DatabaseUnreachable, psycopg.Error):
                return None

        before = state()
        assert before == state() is not None, "the tables are empty, and all counters 0"
        with psycopg.connect(database.url) as session:
            os.kill(session.info.backend_pid, signal.SIGKILL)
            with suppress(psycopg.Error):
                session.execute("SELECT 1")
            session.close()
        assert awaited(state, "the server to be back") != before


LOCKED = """
    SELECT DISTINCT coalesce(parent.relname, c.relname)::text FROM pg_locks AS l
    JOIN pg_class AS c ON c.oid = l.relation AND c.relkind IN ('r', 'p', 'm')
    LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid LEFT JOIN pg_class AS parent ON parent.oid = i.inhparent
    WHERE l.pid = pg_backend_pid() AND c.relnamespace = 'educational_data'::regnamespace
"""
"""The tables and views that a transaction has read."""


def test_checks_of_one_table_read_only_what_is_watched(database: Database, archive: Archive) -> None:
    switching.fill(database)
    for name in [*tables(), *views()]:
        made_from = views()[name].inputs if name in views() else tables()[name].tables
        with database.connect() as connection:
            subject = Subject(name, connection, database, archive, sql.Identifier(name))
            for check in checks.specs_of(name):
                if not check.between:
                    check.probe(subject)
            read = {str(table) for (table,) in connection.execute(LOCKED).fetchall()}
            connection.rollback()
        assert name in read
        assert read <= {name, *made_from, *PLACES}, name
