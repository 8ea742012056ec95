"""The file of expectations: it covers every table and view, and what follows from its figures."""

from __future__ import annotations

import pydantic
import pytest

from edu_pipeline.checks.expectations import Expectation, Places, Years, expectations, parse
from edu_pipeline.database.connection import TABLES, VIEWS, Database, relations
from edu_pipeline.sample.territory import DEPARTEMENTS

SETS = '[sets]\nhere = ["01", "2A"]\n'


def test_sections_cover_all_tables_and_name_their_columns(database: Database) -> None:
    with database.connect() as connection:
        assert set(expectations().tables) == set(relations(connection, database.schema, TABLES + VIEWS))
        columns: dict[str, set[str]] = {}
        for table, column in connection.execute(
            "SELECT relname, attname FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid "
            "WHERE relnamespace = to_regnamespace(%s) AND attnum > 0",
            [database.schema],
        ):
            columns.setdefault(str(table), set()).add(str(column))
    for table, expected in expectations().tables.items():
        parts = [part for part in (expected.years, expected.departements, expected.academies) if part]
        assert {*(part.column for part in parts), *expected.means, *expected.counted} <= columns[table], table


def test_sets_are_those_of_the_country() -> None:
    sets = expectations().sets
    assert set(sets["metropole"]) == {code for code in DEPARTEMENTS if len(code) == 2}
    assert {*sets["metropole"], *sets["drom"]} == {code for code in DEPARTEMENTS if code <= "976" and code != "975"}
    assert set(sets["academies"]) == {DEPARTEMENTS[code].code_academie for code in (*sets["metropole"], *sets["drom"])}
    assert [len(sets[name]) for name in ("metropole", "drom", "academies")] == [96, 5, 30]


def test_table_with_all_years_grows_with_each_new_one() -> None:
    all_years = Expectation(rows=4_000, tolerance=0.1, years=Years(column="annee", first=2022, newest=2025))
    for year in (None, 2023, 2025):
        assert all_years.expected_rows(year) == (3_600, 4_400)
    assert all_years.expected_rows(2026) == (4_500, 5_500)
    newest = Expectation(rows=4_000, tolerance=0.1, years=Years(column="annee", newest=2025))
    assert newest.expected_rows(2027) == (3_600, 4_400)
    assert all_years.years is not None
    assert all_years.years.expected(2026) == [2022, 2023, 2024, 2025, 2026]
    assert all_years.years.expected(2023) == [2022, 2023, 2024, 2025]
    assert newest.years is not None
    assert (newest.years.expected(2024), newest.years.expected(2026)) == ([2025], [2026])


def test_codes_are_those_of_sets_without_exceptions() -> None:
    file = parse(f'{SETS}[t]\ndepartements = {{ column = "uai", sets = ["here"], without = ["2A"] }}')
    places = file.tables["t"].departements
    assert places == Places(column="uai", sets=("here",), without=("2A",))
    assert file.codes(places) == ["01"]


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ("rows = 5", "rows and tolerance go together"),
        ("rows = 5\ntolerance = 1.5", "less than or equal to 1"),
        ("means = { ips = [120, 90] }", "the lower bound comes first: ips"),
        ('academies = { column = "a", sets = ["there"] }', "t: expected the name of a set, found there"),
        ("row = 5", "Extra inputs are not permitted"),
    ],
)
def test_malformed_section_is_refused(section: str, complaint: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=complaint):
        parse(f"{SETS}[t]\n{section}")
