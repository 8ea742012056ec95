"""The comparison of two schemas: one made by the migrations, one by hand with some of the tables."""

from __future__ import annotations

import io
import json
import re
from typing import LiteralString

import psycopg
import pytest
from rich.console import Console

from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.migrate import migrate
from edu_pipeline.errors import DatabaseUnreachable, QueriesInvalid, SchemaMissing
from edu_pipeline.operations import compare as module
from edu_pipeline.operations.compare import (
    Comparison,
    Count,
    QueryTimes,
    TableCounts,
    as_json,
    compare,
    parse_queries,
    render,
    standard_queries,
)

NEW = "educational_data"
OLD: list[LiteralString] = [
    "CREATE SCHEMA ancien",
    "CREATE TABLE ancien.anecdotes_communes (code_commune text, anecdote text)",
    "INSERT INTO ancien.anecdotes_communes SELECT i::text, 'x' FROM generate_series(1, 1000) i",
    "INSERT INTO educational_data.anecdotes_communes SELECT i::text, 'x' FROM generate_series(1, 1200) i",
    "CREATE TABLE ancien.departements (LIKE educational_data.departements)",
    "CREATE TABLE ancien.seulement_ici (x int)",
    "CREATE VIEW ancien.vue AS SELECT 1",
]


@pytest.fixture
def two(database: Database) -> Database:
    """``educational_data`` beside ``ancien``."""
    execute(database, *OLD)
    return database


def execute(database: Database, *statements: LiteralString) -> None:
    with psycopg.connect(database.url) as connection:
        for statement in statements:
            connection.execute(statement)


def counts(comparison: Comparison) -> dict[str, TableCounts]:
    return {table.table: table for table in comparison.tables}


def only(comparison: Comparison) -> QueryTimes:
    (query,) = comparison.queries
    return query


def test_rows_side_by_side(two: Database) -> None:
    found = counts(compare(two.url, "ancien", NEW, {}))
    assert len(found) == 39 + 2
    assert found["anecdotes_communes"] == TableCounts("anecdotes_communes", Count(1000), Count(1200), 200)
    assert found["departements"] == TableCounts("departements", Count(0), Count(0), 0)
    assert found["ips_lycees"] == TableCounts("ips_lycees", Count(None, "missing"), Count(0), None)
    assert found["seulement_ici"] == TableCounts("seulement_ici", Count(0), Count(None, "missing"), None)
    assert found["vue"].a == Count(1)


def test_times_rows_and_ratio(two: Database) -> None:
    query = only(compare(two.url, "ancien", NEW, {"all": "SELECT * FROM anecdotes_communes"}, repeat=3))
    for timing, rows in ((query.a, 1000), (query.b, 1200)):
        assert timing.rows == rows
        assert timing.error is None
        assert timing.fastest_ms and timing.median_ms and timing.slowest_ms
        assert 0 < timing.fastest_ms <= timing.median_ms <= timing.slowest_ms
    assert query.a.median_ms and query.b.median_ms
    assert query.ratio == query.b.median_ms / query.a.median_ms


def test_the_slower_side_is_named(two: Database) -> None:
    execute(two, "CREATE FUNCTION educational_data.wait() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(0.05)'",
            "CREATE FUNCTION ancien.wait() RETURNS void LANGUAGE sql AS 'SELECT pg_sleep(0.005)'")  # fmt: skip
    query = only(compare(two.url, "ancien", NEW, {"wait": "SELECT wait()"}, repeat=3))
    assert query.ratio and query.ratio > 1.5


def test_in_turn_after_one_warm_up_each(two: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    real = module._run

    def run(connection: Connection, text: str) -> tuple[float, int]:
        schema = connection.execute("SELECT current_schema()").fetchone()
        ran.append("a" if schema == ("ancien",) else "b")
        return real(connection, text)

    monkeypatch.setattr(module, "_run", run)
    compare(two.url, "ancien", NEW, {"one": "SELECT 1"}, repeat=3)
    assert "".join(ran) == "ab" + "ab" * 3


def test_a_table_that_is_missing_or_too_slow_or_refused(two: Database) -> None:
    queries = {
        "missing": "SELECT * FROM ips_lycees",
        "slow": "SELECT pg_sleep(5)",
        "broken": "SELEC 1",
        "fine": "SELECT 'a%b'",
        "write": "INSERT INTO departements SELECT * FROM departements",
        "write after all": "COMMIT; DELETE FROM anecdotes_communes",
    }
    found = {query.query: query for query in compare(two.url, "ancien", NEW, queries, 1, timeout=0.2).queries}
    assert found["missing"].a.error == 'relation "ips_lycees" does not exist'
    assert found["missing"].a.median_ms is None
    assert found["missing"].b.rows == 0
    assert found["missing"].ratio is None
    assert found["slow"].a.error == found["slow"].b.error == "canceling statement due to statement timeout"
    assert "syntax error" in str(found["broken"].a.error)
    assert "\n" not in str(found["broken"].a.error)
    assert found["fine"].ratio
    assert found["write"].a.error == "cannot execute INSERT in a read-only transaction"
    assert found["write after all"].a.error == "cannot execute DELETE in a read-only transaction"
    assert counts(compare(two.url, "ancien", NEW, {}))["anecdotes_communes"].difference == 200


def test_postgis_is_found_from_both(two: Database) -> None:
    query = only(compare(two.url, "ancien", NEW, {"point": "SELECT ST_MakePoint(1, 2)"}, repeat=1))
    assert query.ratio


def test_a_table_of_public_does_not_stand_in_for_a_missing_one(empty_database: Database) -> None:
    execute(
        empty_database,
        "CREATE EXTENSION postgis SCHEMA public",
        "CREATE TABLE public.anciens_lycees (x int)",
        "CREATE TABLE public.departements (code_departement text)",
        "INSERT INTO public.departements VALUES ('78')",
    )
    migrate(empty_database)
    execute(empty_database, "CREATE VIEW educational_data.wrapped AS SELECT 1 FROM public.departements")
    queries = {
        "only old": "SELECT * FROM anciens_lycees",
        "both": "SELECT code_departement FROM departements",
        "postgis": "SELECT ST_Transform(ST_SetSRID(ST_MakePoint(2, 48), 4326), 2154) FROM spatial_ref_sys LIMIT 1",
        "wrapped": "SELECT FROM wrapped",
    }
    comparison = compare(empty_database.url, "public", NEW, queries, repeat=1)
    found = {query.query: query for query in comparison.queries}
    assert found["only old"].a.rows == 0
    assert found["only old"].b.error == "missing; found in another schema: public.anciens_lycees"
    assert (found["both"].a.rows, found["both"].b.rows) == (1, 0)
    assert found["postgis"].ratio
    assert found["wrapped"].b.rows == 1
    assert "spatial_ref_sys" not in counts(comparison)


def test_the_standard_queries_run_on_what_the_migrations_make(database: Database) -> None:
    migrate(Database(database.url, "autre_schema"))
    comparison = compare(database.url, NEW, "autre_schema", repeat=1)
    assert [query.query for query in comparison.queries] == list(standard_queries())
    assert len(comparison.queries) >= 15
    assert [query.a.error or query.b.error for query in comparison.queries if not query.ratio] == []
    assert {table.difference for table in comparison.tables} == {0}


def test_the_standard_queries_name_no_schema() -> None:
    assert not re.search(r"\b(public|educational_data|postgis)\.", " ".join(standard_queries().values()))


def test_as_a_table_and_as_json(two: Database) -> None:
    queries = {"all [1]": "SELECT * FROM anecdotes_communes", "missing": "SELECT * FROM ips_lycees"}
    comparison = compare(two.url, "ancien", NEW, queries, repeat=2)
    console = Console(width=200, file=io.StringIO(), record=True)
    console.print(render(comparison))
    lines = [re.sub(r" {2,}", " | ", line.strip()) for line in console.export_text().splitlines()]
    assert "table | rows in ancien | rows in educational_data | difference" in lines
    assert "anecdotes_communes | 1,000 | 1,200 | +200" in lines
    assert "ips_lycees | missing | 0" in lines
    assert any(
        re.fullmatch(r"all \[1\] \| 1,000 \| 1,200( \| [\d.]+ \([\d.]+ to [\d.]+\)){2} \| [\d.]+", x) for x in lines
    )
    assert any('relation "ips_lycees" does not exist' in line for line in lines)
    read = json.loads(as_json(comparison))
    assert (read["schema_a"], read["schema_b"], read["repeat"]) == ("ancien", NEW, 2)
    assert read["queries"][0]["ratio"] == comparison.queries[0].ratio
    assert read["queries"][1]["a"]["error"] == 'relation "ips_lycees" does not exist'


def test_a_schema_that_is_not_there(two: Database) -> None:
    for a, b in (("absent", NEW), (NEW, "absent")):
        with pytest.raises(SchemaMissing, match=r"schema absent: .*ancien.*educational_data") as caught:
            compare(two.url, a, b, {})
        assert "pg_catalog" not in str(caught.value)


def test_a_server_that_goes_away_in_between(two: Database) -> None:
    with pytest.raises(DatabaseUnreachable, match="terminating connection"):
        compare(two.url, "ancien", NEW, {"end": "SELECT pg_terminate_backend(pg_backend_pid())"})


def test_a_file_of_queries() -> None:
    text = "-- Of what.\n\n-- name: one\nSELECT 1;\n\n-- name: two words\n-- why\nSELECT\n  2\n;\n"
    assert parse_queries(text, "x.sql") == {"one": "SELECT 1", "two words": "-- why\nSELECT\n  2\n"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", "no such line"),
        ("SELECT 1;", "no such line"),
        ("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;", "'a'"),
        ("-- name: a\n-- nothing\n-- name: b\nSELECT 2;", "'a'"),
    ],
)
def test_a_file_that_holds_no_queries(text: str, found: str) -> None:
    with pytest.raises(QueriesInvalid, match=rf"x\.sql: expected before each query.*{found}.*Mend the file"):
        parse_queries(text, "x.sql")
