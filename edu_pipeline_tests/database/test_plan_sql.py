"""The statements of the plan, on a database that a rebuild has filled from the sample publisher."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from edu_pipeline.database.views import views
from edu_pipeline.table import tables
from edu_pipeline_tests.database.plan_queries import FRESHNESS, INDEX, LYCEES, REFRESH, RESULTS, SEARCH_PATH
from edu_pipeline_tests.sample.demo import Demo

Row = dict[str, Any]
Session = psycopg.Connection[Row]


@pytest.fixture
def session(demo: Demo) -> Iterator[Session]:
    """A session after the plan's first statement; its changes are rolled back."""
    with psycopg.connect(demo.url, row_factory=dict_row) as connection:
        connection.execute(SEARCH_PATH)
        yield connection
        connection.rollback()


def ask(session: Session, statement: str, *values: object) -> list[Row]:
    """The rows of a query."""
    return session.execute(statement.encode(), values or None).fetchall()


def plan_of(session: Session, statement: str) -> str:
    """What EXPLAIN prints."""
    return "\n".join(str(row["QUERY PLAN"]) for row in ask(session, f"EXPLAIN {statement}"))


def test_results_of_a_departement(session: Session) -> None:
    rows = ask(session, RESULTS)
    expected = ask(session, RESULTS.replace("*", "count(*)").replace(" LIMIT 10", ""))[0]["count"]
    assert 0 < len(rows) == min(10, expected)
    assert {(row["code_departement"], row["annee"]) for row in rows} == {("78", 2024)}
    rates = [row["taux_reussite_toutes_series"] for row in rows]
    assert all(rate is None or 0 <= rate <= 100 for rate in rates) and any(rates)
    assert all(row["etablissement"] and row["code_commune"].startswith("78") for row in rows)


def test_results_with_the_social_position_index(session: Session) -> None:
    rows = ask(session, INDEX)
    assert len({row["uai"] for row in rows}) == len(rows) == 10
    known = {row["uai"]: row["ips"] for row in ask(session, "SELECT uai, ips FROM ips_lycees")}
    assert all(row["ips"] == known[row["uai"]] and row["etablissement"] for row in rows)
    assert all(45 <= row["ips"] <= 185 for row in rows if row["ips"] is not None) and any(row["ips"] for row in rows)


def test_lycees_of_a_departement_with_a_specialty(session: Session) -> None:
    """The rows are those that Python selects from the tables that the view reads."""
    rows = ask(session, LYCEES)
    indices = {row["uai"]: row["ips"] for row in ask(session, "SELECT uai, ips FROM ips_lycees WHERE ips >= 100")}
    taught = ask(session, "SELECT uai, specialites_array FROM specialites_lycees")
    with_mathematics = {row["uai"] for row in taught if "Mathématiques" in row["specialites_array"]}
    in_session = ask(
        session, "SELECT uai FROM aggregated_data_lycees_2024 WHERE code_departement = '78' AND annee = 2024"
    )
    expected = {row["uai"] for row in in_session} & with_mathematics & indices.keys()
    assert 0 < len(expected) <= 20
    assert {row["uai"]: row["ips"] for row in rows} == {uai: indices[uai] for uai in expected}
    assert [row["ips"] for row in rows] == sorted((row["ips"] for row in rows), reverse=True)
    assert all(isinstance(row["ips"], Decimal) and row["etablissement"] for row in rows)
    assert {row["crime_level"] for row in rows} <= {"faible", "moyen", "élevé", None}
    assert all(row["local_services"]["pharmacie"] >= 0 for row in rows)


def test_the_query_by_specialty_can_use_its_index(session: Session) -> None:
    """Reading a few dozen lycées is faster than using an index, so sequential scans are ruled out here.

    PostgreSQL uses the index that it thinks cheapest; the second plan is the one without the others.
    """
    session.execute("SET LOCAL enable_seqscan = off")
    assert "lycee_context_cache_" in plan_of(session, LYCEES)
    session.execute("DROP INDEX lycee_context_cache_code_departement_idx, lycee_context_cache_ips_idx")
    plan = plan_of(session, LYCEES)
    assert "Bitmap Index Scan on lycee_context_cache_specialites_array_idx" in plan
    assert "Index Cond: (specialites_array @> '{Mathématiques}'::text[])" in plan


def test_refresh_all_caches_lets_readers_read(session: Session, demo: Demo) -> None:
    """A reader in a transaction holds a lock on the view, which a refresh that is not concurrent would wait for."""
    session.execute("UPDATE ips_lycees SET ips = 150.5 WHERE uai = (SELECT min(uai) FROM lycee_context_cache)")
    with psycopg.connect(demo.url) as reader:
        for name in views():
            count = sql.SQL("SELECT count(*) FROM educational_data.{}").format(sql.Identifier(name))
            reader.execute(count)
        session.execute("SET LOCAL lock_timeout = '1s'")
        assert len(ask(session, REFRESH)) == 3
    newest = ask(session, "SELECT ips FROM lycee_context_cache ORDER BY uai LIMIT 1")
    assert newest == [{"ips": Decimal("150.50")}]


def test_refresh_all_caches_fills_an_empty_view(session: Session) -> None:
    """An empty view cannot be refreshed concurrently."""
    rows = ask(session, "SELECT count(*) FROM lycee_context_cache")
    session.execute("REFRESH MATERIALIZED VIEW lycee_context_cache WITH NO DATA")
    assert len(ask(session, REFRESH)) == 3
    assert ask(session, "SELECT count(*) FROM lycee_context_cache") == rows


def test_check_data_freshness_is_what_the_ledger_says(session: Session) -> None:
    answers = {row["table_name"]: row for row in ask(session, FRESHNESS)}
    loads = ask(
        session,
        "SELECT DISTINCT ON (table_name) table_name, rows, finished_at, releases, refused FROM edu_pipeline.loads "
        "WHERE target_schema = 'educational_data' AND state = 'published' ORDER BY table_name, id DESC",
    )
    assert answers.keys() == {*tables(), *views()}
    for load in loads:
        row = answers.pop(load["table_name"])
        (counted,) = session.execute(
            sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(load["table_name"]))
        ).fetchall()
        assert row["row_count"] == load["rows"] == counted["count"]
        assert (row["last_updated"], row["releases"]) == (load["finished_at"], load["releases"])
        assert row["refused_rows"] == load["refused"]
        assert 0 <= row["age_days"] < 1 and row["failure"] is None
    assert not answers, "every table and view was loaded"


def test_freshness_does_not_depend_on_statistics(session: Session) -> None:
    before = ask(session, FRESHNESS)
    session.execute("ANALYZE")
    session.execute("DELETE FROM sections_internationales")
    assert ask(session, FRESHNESS) == before
    session.execute(
        "INSERT INTO edu_pipeline.loads (target_schema, table_name, state, started_at, finished_at, releases, "
        "inputs_version, code_version, strategy, rows) VALUES ('educational_data', 'sections_internationales', "
        "'published', now(), now(), '{}', '', '', 'delta', 0)"
    )
    (after,) = [row for row in ask(session, FRESHNESS) if row["table_name"] == "sections_internationales"]
    assert after["row_count"] == 0
