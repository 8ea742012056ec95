"""What the tests of checks share: a database of a small country, and expectations of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from edu_pipeline import checks
from edu_pipeline.checks import CheckResult, figures, subject
from edu_pipeline.checks.expectations import Expectation, Expectations
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.checks.small_country import COUNTRY, Expect, RunCheck
from edu_pipeline_tests.database.rows import put


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A session that commits every statement, in a database of the small country."""
    with database.connect() as connection:
        connection.autocommit = True
        for code, academie, name in COUNTRY:
            put(connection, "departements", code_departement=code, code_academie=academie, nom_academie=name)
            put(connection, "info_communes", code_commune=f"{code}001"[:5], code_departement=code, population=10_000)
        yield connection


@pytest.fixture
def check(database: Database, archive: Archive) -> RunCheck:
    """Runs one check of a table."""

    def run(table: str, name: str) -> CheckResult:
        with database.connect() as connection:
            [result] = checks.run(connection, database, archive, table, [name])
        assert (result.table, result.name) == (table, name)
        return result

    return run


@pytest.fixture
def expect(monkeypatch: pytest.MonkeyPatch) -> Expect:
    """Sets what is expected of one table, in place of the product's own file."""

    def set_expectation(table: str, **fields: Any) -> None:
        sets = {"all": tuple(code for code, _, _ in COUNTRY), "academies": tuple(code for _, code, _ in COUNTRY)}
        file = Expectations(sets=sets, tables={table: Expectation(**fields)})
        for module in (figures, subject):
            monkeypatch.setattr(module, "expectations", lambda: file)

    return set_expectation
