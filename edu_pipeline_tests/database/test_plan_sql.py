"""The plan's own SQL, as it is written, on a database that a full rebuild has filled from the sample publisher."""

from __future__ import annotations

import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.views import views
from edu_pipeline.sample.shelf import make
from edu_pipeline_tests.programs import run

SEARCH_PATH = "SET search_path TO educational_data, user_mgmt, public;"
RESULTS = "SELECT * FROM aggregated_data_lycees_2024 WHERE code_departement = '78' AND annee = 2024 LIMIT 10;"
INDEX = (
    "SELECT l.uai, l.etablissement, i.IPS FROM aggregated_data_lycees_2024 l JOIN ips_lycees i ON l.uai = i.uai "
    "WHERE l.annee = 2024 LIMIT 10;"
)
LYCEES = (
    "SELECT uai, etablissement, IPS, specialites_array, local_services, crime_level "
    "FROM educational_data.lycee_context_cache\n"
    "WHERE code_departement = '78' AND IPS >= 100 AND specialites_array @> ARRAY['Mathématiques']::text[] "
    "ORDER BY IPS DESC LIMIT 20;"
)
REFRESH = "SELECT educational_data.refresh_all_caches();"
FRESHNESS = "SELECT * FROM educational_data.check_data_freshness();"

Row = dict[str, Any]
Session = psycopg.Connection[Row]


@pytest.fixture(scope="module")
def rebuilt(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a database that `edu-pipeline rebuild` has filled."""
    name = sql.Identifier(f"plan_sql_{os.getpid()}")
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        url = cluster.url(f"plan_sql_{os.getpid()}")
        upstream = make(tmp_path_factory.mktemp("upstream"), "sample").folder
        home = tmp_path_factory.mktemp("home")
        done = run("edu-pipeline", "rebuild", EDU_HOME=str(home), EDU_DATABASE_URL=url, EDU_UPSTREAM=str(upstream))
        assert done.returncode == 0, done.stderr
        yield url
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def session(rebuilt: str) -> Iterator[Session]:
    """A session that has said the plan's first statement; what it changes is not kept."""
    with psycopg.connect(rebuilt, row_factory=dict_row) as connection:
        connection.execute(SEARCH_PATH)
        yield connection
        connection.rollback()


def ask(session: Session, statement: str, *values: object) -> list[Row]:
    return session.execute(statement.encode(), values or None).fetchall()


def plan_of(session: Session, statement: str) -> str:
    return "\n".join(str(row["QUERY PLAN"]) for row in ask(session, f"EXPLAIN {statement}"))


def test_results_of_a_departement(session: Session) -> None:
    found = ask(session, RESULTS)
    expected = ask(session, RESULTS.replace("*", "count(*)").replace(" LIMIT 10", ""))[0]["count"]
    assert 0 < len(found) == min(10, expected)
    assert {(row["code_departement"], row["annee"]) for row in found} == {("78", 2024)}
    rates = [row["taux_reussite_toutes_series"] for row in found]
    assert all(rate is None or 0 <= rate <= 100 for rate in rates) and any(rates)
    assert all(row["etablissement"] and row["code_commune"].startswith("78") for row in found)


def test_results_with_the_social_position_index(session: Session) -> None:
    found = ask(session, INDEX)
    assert len({row["uai"] for row in found}) == len(found) == 10
    known = {row["uai"]: row["ips"] for row in ask(session, "SELECT uai, ips FROM ips_lycees")}
    assert all(row["ips"] == known[row["uai"]] and row["etablissement"] for row in found)
    assert all(45 <= row["ips"] <= 185 for row in found if row["ips"] is not None) and any(row["ips"] for row in found)


def test_lycees_of_a_departement_with_a_specialty(session: Session) -> None:
    """The rows are those that Python finds in the tables that the view is made of."""
    found = ask(session, LYCEES)
    indices = {row["uai"]: row["ips"] for row in ask(session, "SELECT uai, ips FROM ips_lycees WHERE ips >= 100")}
    taught = ask(session, "SELECT uai, specialites_array FROM specialites_lycees")
    with_mathematics = {row["uai"] for row in taught if "Mathématiques" in row["specialites_array"]}
    in_session = ask(
        session, "SELECT uai FROM aggregated_data_lycees_2024 WHERE code_departement = '78' AND annee = 2024"
    )
    expected = {row["uai"] for row in in_session} & with_mathematics & indices.keys()
    assert 0 < len(expected) <= 20
    assert {row["uai"]: row["ips"] for row in found} == {uai: indices[uai] for uai in expected}
    assert [row["ips"] for row in found] == sorted((row["ips"] for row in found), reverse=True)
    assert all(isinstance(row["ips"], Decimal) and row["etablissement"] for row in found)
    assert {row["crime_level"] for row in found} <= {"faible", "moyen", "élevé", None}
    assert all(row["local_services"]["pharmacie"] >= 0 for row in found)


def test_the_specialty_has_its_index(session: Session) -> None:
    """A few dozen lycées are read faster than an index, so reading them all is ruled out here.

    Of the view's indexes PostgreSQL takes what it thinks cheapest; the second plan is that without the others.
    """
    session.execute("SET LOCAL enable_seqscan = off")
    assert "lycee_context_cache_" in plan_of(session, LYCEES)
    session.execute("DROP INDEX lycee_context_cache_code_departement_idx, lycee_context_cache_ips_idx")
    plan = plan_of(session, LYCEES)
    assert "Bitmap Index Scan on lycee_context_cache_specialites_array_idx" in plan
    assert "Index Cond: (specialites_array @> '{Mathématiques}'::text[])" in plan


def test_refresh_all_caches_lets_readers_read(session: Session, rebuilt: str) -> None:
    """A reader in a transaction keeps the view's lock, behind which a refresh that is not concurrent would wait."""
    session.execute("UPDATE ips_lycees SET ips = 150.5 WHERE uai = (SELECT min(uai) FROM lycee_context_cache)")
    with psycopg.connect(rebuilt) as reader:
        for name in views():
            count = sql.SQL("SELECT count(*) FROM educational_data.{}").format(sql.Identifier(name))
            reader.execute(count)
        session.execute("SET LOCAL lock_timeout = '1s'")
        assert len(ask(session, REFRESH)) == 3
    newest = ask(session, "SELECT ips FROM lycee_context_cache ORDER BY uai LIMIT 1")
    assert newest == [{"ips": Decimal("150.50")}]


def test_refresh_all_caches_fills_a_view_that_is_not(session: Session) -> None:
    """Such a view cannot be refreshed concurrently."""
    rows = ask(session, "SELECT count(*) FROM lycee_context_cache")
    session.execute("REFRESH MATERIALIZED VIEW lycee_context_cache WITH NO DATA")
    assert len(ask(session, REFRESH)) == 3
    assert ask(session, "SELECT count(*) FROM lycee_context_cache") == rows


def test_check_data_freshness_is_what_the_ledger_says(session: Session) -> None:
    found = {row["table_name"]: row for row in ask(session, FRESHNESS)}
    loads = ask(
        session,
        "SELECT DISTINCT ON (table_name) table_name, rows, finished_at, releases, refused FROM edu_pipeline.loads "
        "WHERE target_schema = 'educational_data' AND state = 'published' ORDER BY table_name, id DESC",
    )
    assert len(found) == 36 + 3
    for load in loads:
        row = found.pop(load["table_name"])
        (counted,) = session.execute(
            sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(load["table_name"]))
        ).fetchall()
        assert row["row_count"] == load["rows"] == counted["count"]
        assert (row["last_updated"], row["releases"], row["refused_rows"]) == (
            load["finished_at"], load["releases"], load["refused"]
        )  # fmt: skip
        assert 0 <= row["age_days"] < 1 and row["failure"] is None
    assert not found, "every table and view was loaded"


def test_statistics_are_no_freshness(session: Session) -> None:
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
