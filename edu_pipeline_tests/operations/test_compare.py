"""The comparison of two schemas: one created by the migrations, one by hand with some of the tables."""

from __future__ import annotations

import io
import json
import re
import time
from typing import LiteralString

import psycopg
import pytest
from rich.console import Console

from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.migrate import migrate
from edu_pipeline.database.views import views
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
from edu_pipeline.table import tables

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
    """``educational_data`` and ``ancien``."""
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
    rows = counts(compare(two.url, "ancien", NEW, {}))
    assert rows.keys() == {*tables(), *views(), "seulement_ici", "vue"}
    assert rows["anecdotes_communes"] == TableCounts("anecdotes_communes", Count(1000), Count(1200), 200)
    assert rows["departements"] == TableCounts("departements", Count(0), Count(0), 0)
    assert rows["ips_lycees"] == TableCounts("ips_lycees", Count(None, "missing"), Count(0), None)
    assert rows["seulement_ici"] == TableCounts("seulement_ici", Count(0), Count(None, "missing"), None)
    assert rows["vue"].a == Count(1)


def test_times_rows_and_ratio(two: Database) -> None:
    query = only(compare(two.url, "ancien", NEW, {"all": "SELECT * FROM anecdotes_communes"}, repeat=3))
    for timing, rows in ((query.a, 1000), (query.b, 1200)):
        assert timing.rows == rows
        assert timing.error is None
        assert timing.fastest_ms and timing.median_ms and timing.slowest_ms
        assert 0 < timing.fastest_ms <= timing.median_ms <= timing.slowest_ms
    assert query.a.median_ms and query.b.median_ms
    assert query.ratio == query.b.median_ms / query.a.median_ms


def test_the_ratio_shows_the_slower_side(two: Database) -> None:
    """The slower side sleeps for several times as long as a query takes on this machine now."""
    execute(
        two,
        "CREATE FUNCTION ancien.pause() RETURNS float8 LANGUAGE sql AS 'SELECT 0::float8'",
        "CREATE TABLE educational_data.pauses (seconds float8)",
        "CREATE FUNCTION educational_data.pause() RETURNS float8 LANGUAGE sql "
        "AS 'SELECT seconds FROM educational_data.pauses'",
    )
    queries = {"pause": "SELECT pg_sleep(pause())"}
    slowest = only(compare(two.url, "ancien", NEW, queries, repeat=3)).a.slowest_ms
    assert slowest
    with psycopg.connect(two.url) as connection:
        connection.execute("INSERT INTO educational_data.pauses VALUES (%s)", [max(0.05, 5 * slowest / 1000)])
    query = only(compare(two.url, "ancien", NEW, queries, repeat=3))
    assert query.ratio and query.ratio > 1.5


def test_in_turn_after_one_warm_up_each(two: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    sides: list[str] = []
    real = module._run

    def run(connection: Connection, text: str) -> tuple[float, int]:
        schema = connection.execute("SELECT current_schema()").fetchone()
        sides.append("a" if schema == ("ancien",) else "b")
        return real(connection, text)

    monkeypatch.setattr(module, "_run", run)
    compare(two.url, "ancien", NEW, {"one": "SELECT 1"}, repeat=3)
    assert "".join(sides) == "ab" + "ab" * 3


def test_queries_that_fail_say_why(two: Database) -> None:
    queries = {
        "missing": "SELECT * FROM ips_lycees",
        "broken": "SELEC 1",
        "fine": "SELECT 'a%b'",
        "write": "INSERT INTO departements SELECT * FROM departements",
        "write after commit": "COMMIT; DELETE FROM anecdotes_communes",
    }
    times = {query.query: query for query in compare(two.url, "ancien", NEW, queries, 1).queries}
    assert times["missing"].a.error == 'relation "ips_lycees" does not exist'
    assert times["missing"].a.median_ms is None
    assert times["missing"].b.rows == 0
    assert times["missing"].ratio is None
    assert "syntax error" in str(times["broken"].a.error)
    assert "\n" not in str(times["broken"].a.error)
    assert times["fine"].ratio
    assert times["write"].a.error == "cannot execute INSERT in a read-only transaction"
    assert times["write after commit"].a.error == "cannot execute DELETE in a read-only transaction"
    assert counts(compare(two.url, "ancien", NEW, {}))["anecdotes_communes"].difference == 200


def test_a_query_that_takes_too_long_is_cancelled(two: Database) -> None:
    """The limit is longer than everything else takes together on this machine now."""
    began = time.monotonic()
    compare(two.url, "ancien", NEW, {"fine": "SELECT 1"}, 1)
    timeout = max(0.2, time.monotonic() - began)
    times = compare(two.url, "ancien", NEW, {"slow": "SELECT pg_sleep(3600)", "fine": "SELECT 1"}, 1, timeout).queries
    assert times[0].a.error == times[0].b.error == "canceling statement due to statement timeout"
    assert times[1].ratio


def test_postgis_is_found_from_both(two: Database) -> None:
    query = only(compare(two.url, "ancien", NEW, {"point": "SELECT ST_MakePoint(1, 2)"}, repeat=1))
    assert query.ratio


def test_a_table_of_public_does_not_replace_a_missing_one(empty_database: Database) -> None:
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
    times = {query.query: query for query in comparison.queries}
    assert times["only old"].a.rows == 0
    assert times["only old"].b.error == "missing here, only in another schema: public.anciens_lycees"
    assert (times["both"].a.rows, times["both"].b.rows) == (1, 0)
    assert times["postgis"].ratio
    assert times["wrapped"].b.rows == 1
    assert "spatial_ref_sys" not in counts(comparison)


def test_the_standard_queries_run_on_a_migrated_schema(database: Database) -> None:
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
    times = re.compile(r"all \[1\] \| 1,000 \| 1,200( \| [\d.]+ \([\d.]+ to [\d.]+\)){2} \| [\d.]+")
    assert any(times.fullmatch(line) for line in lines)
    assert any('relation "ips_lycees" does not exist' in line for line in lines)
    report = json.loads(as_json(comparison))
    assert (report["schema_a"], report["schema_b"], report["repeat"]) == ("ancien", NEW, 2)
    assert report["queries"][0]["ratio"] == comparison.queries[0].ratio
    assert report["queries"][1]["a"]["error"] == 'relation "ips_lycees" does not exist'


def test_a_schema_that_does_not_exist(two: Database) -> None:
    for a, b in (("absent", NEW), (NEW, "absent")):
        with pytest.raises(SchemaMissing, match=r"schema absent: .*ancien.*educational_data") as caught:
            compare(two.url, a, b, {})
        assert "pg_catalog" not in str(caught.value)


def test_a_server_that_goes_away(two: Database) -> None:
    with pytest.raises(DatabaseUnreachable, match="terminating connection"):
        compare(two.url, "ancien", NEW, {"end": "SELECT pg_terminate_backend(pg_backend_pid())"})


def test_a_file_of_queries() -> None:
    text = "-- A comment.\n\n-- name: one\nSELECT 1;\n\n-- name: two words\n-- why\nSELECT\n  2\n;\n"
    assert parse_queries(text, "x.sql") == {"one": "SELECT 1", "two words": "-- why\nSELECT\n  2\n"}


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("", "no such line"),
        ("SELECT 1;", "no such line"),
        ("-- name: a\nSELECT 1;\n-- name: a\nSELECT 2;", "'a'"),
        ("-- name: a\n-- nothing\n-- name: b\nSELECT 2;", "'a'"),
    ],
)
def test_a_file_without_valid_queries(text: str, mistake: str) -> None:
    with pytest.raises(QueriesInvalid, match=rf"x\.sql: expected before each query.*{mistake}.*Fix the file"):
        parse_queries(text, "x.sql")
