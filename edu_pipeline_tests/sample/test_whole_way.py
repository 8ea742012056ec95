"""The whole way from the sample publisher over HTTP and the asset graph to the views, and a new release of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import polars as pl
import psycopg
import pytest
import requests
from psycopg import sql

from edu_pipeline.database.connection import Database
from edu_pipeline_tests.programs import run_here, status
from edu_pipeline_tests.sample.demo import Demo
from edu_pipeline_tests.sample.sample_files import produced, sample_world

SALES = "dvf-indicateurs-communes"


@pytest.fixture
def empty(demo: Demo, empty_database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The settings of the demo, but for an empty database and archive."""
    monkeypatch.setenv("EDU_HOME", str(tmp_path))
    monkeypatch.setenv("EDU_DATABASE_URL", empty_database.url)
    monkeypatch.setenv("EDU_UPSTREAM", demo.publisher)


def test_all_tables_fill_and_a_release_reaches_the_view(
    demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in demo.settings.items():
        monkeypatch.setenv(name, value)
    tables = status()
    empty = {name for name, entry in tables.items() if not entry["rows"]}
    assert empty == {"anecdotes_communes", "ips_score"}  # nobody hands in editorial files here
    assert all(entry["state"] == "loaded" for entry in tables.values())
    assert all(entry["invented"] for entry in tables.values())
    check_former_communes(demo.url)
    check_lycees_of_addresses(demo.url)
    check_paris(demo.url)
    check_list_of_sectors(tmp_path)

    assert run_here("refresh").stderr.startswith("new releases: 0; tables and views to bring up to date: 0")

    prices = sql.SQL("SELECT code_commune, prix_m2_moyen FROM educational_data.{}")
    before = {name: query(demo.url, prices, name) for name in ("mutations_immo_latest", "college_context_cache")}
    release = requests.post(f"{demo.publisher}/-/publish/{SALES}", timeout=300).json()
    assert release["release"] >= 1
    outcome = run_here("refresh")
    assert outcome.returncode == 0, outcome.stderr
    assert outcome.stderr.startswith("new releases: 1;")
    entry = status()["mutations_immo_latest"]
    assert f"mutations_immo_latest: {entry['rows']} rows, {entry['changed']} changed, 1 refused\n" in outcome.stderr
    assert f"college_context_cache: {status()['college_context_cache']['rows']} rows\n" in outcome.stderr
    assert 0 < entry["changed"] < 0.05 * entry["rows"]
    assert (entry["added"], entry["removed"]) == (0, 0)
    after = {name: query(demo.url, prices, name) for name in before}
    changed = {
        code for code, price in after["mutations_immo_latest"] if (code, price) not in before["mutations_immo_latest"]
    }
    assert changed
    for code, price in after["college_context_cache"]:
        if code in changed:
            assert (code, price) in after["mutations_immo_latest"]


def check_former_communes(url: str) -> None:
    """The events of 2025 and 2026 are followed: no row is refused or lost."""
    with psycopg.connect(url) as connection:
        refused = connection.execute("SELECT key, reasons FROM edu_pipeline.refused_rows").fetchall()
        assert not [row for row in refused if "commune" in " ".join(row[1]) and "found nothing" not in row[1][0]]
        late = sample_world().passages.filter(pl.col("date") > "2024-01-01", pl.col("cod_ini") != pl.col("cod_fin"))
        gone = late.filter(typemodif="f")["cod_ini"].to_list()
        born = late.filter(typemodif="d")["cod_fin"].to_list()
        dwellings = sql.SQL("SELECT code_commune, logements FROM educational_data.logement_2021")
        counts = {str(code): count for code, count in connection.execute(dwellings).fetchall()}
    assert gone and not set(gone) & set(counts)
    assert born and set(born) <= set(counts)
    total = produced("logement_2021").frame["logements"].sum()
    assert abs(sum(count or 0 for count in counts.values()) - total) <= len(born)


def check_lycees_of_addresses(url: str) -> None:
    """Every street with lycées leads to them by its label and first number, and nearly all streets are matched."""
    with psycopg.connect(url, options="-csearch_path=educational_data,postgis") as connection:
        statement = (
            "SELECT s.uai_lycees, array(SELECT uai::varchar FROM lycees_de_secteur(s.code_commune, s.libelle_rue, "
            "coalesce(s.number_from, 1))) FROM sectorisation_segments AS s WHERE uai_lycees IS NOT NULL"
        )
        answers = connection.execute(statement).fetchall()
        rates = connection.execute("SELECT osm_matched, total_segments FROM data_quality_metrics").fetchall()
    assert len(answers) > 100
    assert all(expected == lycees for expected, lycees in answers)
    assert len(rates) > 5
    assert all(0.95 * total <= matched <= total for matched, total in rates)


def check_paris(url: str) -> None:
    """Nobody hands in a file, and addresses in all arrondissements lead to lycées, by street and by position."""
    with psycopg.connect(url, options="-csearch_path=educational_data,postgis") as connection:
        asked = connection.execute(
            "SELECT s.code_commune, s.uai_lycees[1], (array(SELECT uai::text FROM lycees_de_secteur(s.code_commune,"
            " s.nom_voie, coalesce(s.number_from, s.number_to, 1))))[1], (SELECT count(*) FROM lycees_de_secteur("
            "ST_X(ST_StartPoint(geometry)), ST_Y(ST_StartPoint(geometry)))) FROM sectorisation_segments AS s"
            " WHERE rule = 'paris-secteurs-colleges > paris-affectation-lycees'"
        ).fetchall()
        sectors = connection.execute("SELECT rule, count(*) FROM secteurs_colleges GROUP BY rule").fetchall()
    assert dict(sectors) == {"paris-secteurs-colleges": 3, "haute-garonne-secteurs-colleges": 9}
    assert len(asked) > 300 and len({code for code, *_ in asked}) == 20
    assert all(lycee == first and count for _, lycee, first, count in asked)


def check_list_of_sectors(folder: Path) -> None:
    """The sample's PDF becomes a file of segments; every line is counted."""
    assert run_here("sample", "pdf", "-o", str(folder / "list.pdf")).returncode == 0
    outcome = run_here("sectors", "read-pdf", str(folder / "list.pdf"), "-o", str(folder / "segments.csv"))
    assert outcome.returncode == 0, outcome.stderr
    first, *_ = outcome.stdout.splitlines()
    pages, lines, read, unread, headers = (int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", first))
    assert pages > 3 and lines == read + headers > 1000 and unread == 0 and headers == 2 * pages
    segments = pl.read_csv(folder / "segments.csv", separator=";", infer_schema=False)
    assert set(segments["code_commune"].str.head(2)) == {"78"}
    assert segments["uai_lycees"].str.contains("^078[0-9]{4}[A-Z],078[0-9]{4}[A-Z]$").all()
    assert (folder / "segments-unread.csv").read_text() == "page;lines;reason;text\n"


def query(url: str, statement: sql.SQL, name: str) -> set[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return set(connection.execute(statement.format(sql.Identifier(name))).fetchall())


@pytest.mark.usefixtures("empty")
def test_status_says_that_the_data_are_invented() -> None:
    run_here("migrate")
    outcome = run_here("refresh", "departements")
    assert outcome.returncode == 0, outcome.stderr
    assert "Invented data of the sample publisher" in run_here("status").stdout
    assert all(entry["invented"] for entry in json.loads(run_here("status", "--json").stdout))


@pytest.mark.usefixtures("empty")
def test_status_of_a_table_says_where_its_rows_went() -> None:
    run_here("migrate")
    outcome = run_here("refresh", "pcs_libelle")
    assert outcome.returncode == 0, outcome.stderr
    (entry,) = json.loads(run_here("status", "pcs_libelle", "--json").stdout)
    shown = run_here("status", "pcs_libelle").stdout
    assert "pcs_libelle: where the rows of its files went" in shown
    (fates,) = entry["balance"].values()
    assert fates["rows"] == sum(number for fate, number in fates.items() if fate != "rows") > fates["published"]
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    for fate, number in fates.items():
        assert [line for line in lines if line.endswith(f"{number:,} {fate}")], f"{fate} in {shown}"
    assert "where the rows" not in run_here("status").stdout
