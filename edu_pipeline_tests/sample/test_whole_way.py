"""The whole way with the sample publisher: over HTTP, through the asset graph, into the views; and a change of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
import requests
from psycopg import sql

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.sample.passages import LAST_OF_TABLE
from edu_pipeline.sample.server import serving
from edu_pipeline.sample.shelf import make
from edu_pipeline_tests.programs import run, status
from edu_pipeline_tests.sample.sample_files import produced, sample_world

SALES = "dvf-indicateurs-communes"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The sample at its small scale, served; its URL."""
    shelf = make(tmp_path_factory.mktemp("sample"), "sample")
    with serving(shelf) as server:
        yield server.url


@pytest.fixture
def demo(served: str, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The settings of a demo with an empty database of its own; the database's URL."""
    name = sql.Identifier("demo")
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
    monkeypatch.setenv("EDU_HOME", str(tmp_path))
    monkeypatch.setenv("EDU_DATABASE_URL", cluster.url("demo"))
    monkeypatch.setenv("EDU_UPSTREAM", served)
    yield cluster.url("demo")
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def test_every_table_is_filled_and_a_new_release_reaches_the_view(demo: str, served: str) -> None:
    for command in ("migrate", "rebuild"):
        done = run("edu-pipeline", command)
        assert done.returncode == 0, done.stderr
    found = status()
    empty = {name for name, entry in found.items() if not entry["rows"]}
    assert empty == {"anecdotes_communes", "ips_score"}  # nobody hands in editorial files here
    assert all(entry["state"] == "loaded" for entry in found.values())
    assert all(entry["invented"] for entry in found.values())
    check_former_communes(demo)
    check_lycees_of_addresses(demo)

    assert run("edu-pipeline", "refresh").stderr.startswith("new releases: 0; tables and views to bring up to date: 0")

    prices = sql.SQL("SELECT code_commune, prix_m2_moyen FROM educational_data.{}")
    before = {name: query(demo, prices, name) for name in ("mutations_immo_latest", "college_context_cache")}
    said = requests.post(f"{served}/-/publish/{SALES}", timeout=60).json()
    assert said["release"] == 1
    done = run("edu-pipeline", "refresh")
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith("new releases: 1;")
    entry = status()["mutations_immo_latest"]
    assert f"mutations_immo_latest: {entry['rows']} rows, {entry['changed']} changed, 1 refused\n" in done.stderr
    assert f"college_context_cache: {status()['college_context_cache']['rows']} rows\n" in done.stderr
    assert 0 < entry["changed"] < 0.05 * entry["rows"]
    assert (entry["added"], entry["removed"]) == (0, 0)
    after = {name: query(demo, prices, name) for name in before}
    changed = {
        code for code, price in after["mutations_immo_latest"] if (code, price) not in before["mutations_immo_latest"]
    }
    assert changed
    for code, price in after["college_context_cache"]:
        if code in changed:
            assert (code, price) in after["mutations_immo_latest"]


def check_former_communes(url: str) -> None:
    """What only the list of events knows, of 2025 and 2026, is followed: nothing is refused or lost for it."""
    with psycopg.connect(url) as connection:
        refused = connection.execute("SELECT key, reasons FROM edu_pipeline.refused_rows").fetchall()
        assert not [row for row in refused if "commune" in " ".join(row[1]) and "found nothing" not in row[1][0]]
        late = sample_world().passages.filter(pl.col("date") > LAST_OF_TABLE, pl.col("cod_ini") != pl.col("cod_fin"))
        gone = late.filter(typemodif="f")["cod_ini"].to_list()
        born = late.filter(typemodif="d")["cod_fin"].to_list()
        dwellings = sql.SQL("SELECT code_commune, logements FROM educational_data.logement_2021")
        held = {str(code): count for code, count in connection.execute(dwellings).fetchall()}
    assert gone and not set(gone) & set(held)
    assert born and set(born) <= set(held)
    total = produced("logement_2021").frame["logements"].sum()
    assert abs(sum(count or 0 for count in held.values()) - total) <= len(born)


def check_lycees_of_addresses(url: str) -> None:
    """Every street that leads to lycées answers by its own label and first number, and nearly all streets are found."""
    with psycopg.connect(url, options="-csearch_path=educational_data,postgis") as connection:
        statement = (
            "SELECT s.uai_lycees, array(SELECT uai::varchar FROM lycees_de_secteur(s.code_commune, s.libelle_rue, "
            "coalesce(s.number_from, 1))) FROM sectorisation_segments AS s WHERE uai_lycees IS NOT NULL"
        )
        answers = connection.execute(statement).fetchall()
        rates = connection.execute("SELECT osm_matched, total_segments FROM data_quality_metrics").fetchall()
    assert len(answers) > 100
    assert all(expected == found for expected, found in answers)
    assert len(rates) > 5
    assert all(0.95 * total <= matched <= total for matched, total in rates)


def query(url: str, statement: sql.SQL, name: str) -> set[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return set(connection.execute(statement.format(sql.Identifier(name))).fetchall())


def test_the_status_of_a_database_of_invented_data_says_so(demo: str) -> None:
    run("edu-pipeline", "migrate")
    done = run("edu-pipeline", "refresh", "departements")
    assert done.returncode == 0, done.stderr
    assert "Invented data of the sample publisher" in run("edu-pipeline", "status").stdout
    assert all(entry["invented"] for entry in json.loads(run("edu-pipeline", "status", "--json").stdout))
