"""The whole pipeline, from the publishers' real files to the views: by Dagster's job, and by the command line."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any, LiteralString

import fastexcel
import psycopg
import pytest
from psycopg import sql

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.views import views
from edu_pipeline.table import tables
from edu_pipeline_tests.programs import run, run_here, status
from edu_pipeline_tests.real_files import csv_rows, upstream

IVAC = "fr-en-indicateurs-valeur-ajoutee-colleges/fr-en-indicateurs-valeur-ajoutee-colleges.csv"
IVAL = "fr-en-indicateurs-de-resultat-des-lycees-gt_v2/fr-en-indicateurs-de-resultat-des-lycees-gt_v2.csv"
COG = "insee-cog/v_commune_2025.csv"
EVENTS = "insee-cog/v_mvt_commune_2026.csv"
WORKBOOK = "fr-en-indicateurs-de-resultat-des-lycees-gt_v2/ival-2024-154664.xlsx"
SALES = "dvf-indicateurs-communes/communesdvf2024.csv"
WITHOUT_FILE = {
    "activite_economique_2022",
    "data_quality_metrics",
    "etablissements_onisep",
    "logement_2021",
    "niveau_education_2021",
    "onisep_details_formations_lycees",
    "population_evolution_age",
    "recensement_activite",
    "recensement_diplomes",
    "recensement_emploi",
    "recensement_logement",
    "recensement_population",
    "recensement_scolarisation",
    "revenu_pauvrete",
    "sections_internationales",
    "sectorisation_segments",
    "sectorisation_zones",
}
"""Tables for which the real files include none in the publisher's form, or no addresses."""

EDITORIAL = {"anecdotes_communes", "ips_score", "secteurs_colleges"}
"""Tables that are empty without a file, which operators hand in, or which is not among the real files."""

INCOMES = "insee-filosofi-2021/cc_filosofi_2021_COM.csv"


@pytest.fixture(scope="module")
def filled(cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A database that `edu-pipeline migrate` and `rebuild` have filled from the real files."""
    home = tmp_path_factory.mktemp("filled")
    name = f"filled_{os.getpid()}"
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDU_HOME", str(home))
        patch.setenv("EDU_DATABASE_URL", cluster.url(name))
        patch.setenv("EDU_UPSTREAM", str(upstream()))
        for command in (["migrate"], ["rebuild"]):
            process = run_here(*command)
            assert process.returncode == 0, process.stderr
        yield {"url": cluster.url(name), "home": str(home)}
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def environment(filled: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The settings of the filled database, for this test."""
    monkeypatch.setenv("EDU_HOME", filled["home"])
    monkeypatch.setenv("EDU_DATABASE_URL", filled["url"])
    monkeypatch.setenv("EDU_UPSTREAM", str(upstream()))
    return filled


def query(filled: dict[str, Any], statement: LiteralString | sql.Composed) -> list[tuple[Any, ...]]:
    with psycopg.connect(filled["url"], options="-csearch_path=educational_data,postgis") as connection:
        return connection.execute(statement).fetchall()


def records(path: str, delimiter: str) -> list[dict[str, str]]:
    return list(csv_rows(path, delimiter))


def commune_in_force(code: str) -> str | None:
    """The commune in force that ``code`` is, or has merged into by INSEE's lists of communes and of events; None if
    neither says so."""
    in_force, parents = communes()
    followed = {code}
    while code not in in_force:
        if code not in parents or parents[code] in followed:
            return None
        code = parents[code]
        followed.add(code)
    return code


@cache
def communes() -> tuple[set[str], dict[str, str]]:
    """The communes in force, and of others the one that each has merged into."""
    cog = records(COG, ",")
    in_force = {row["COM"] for row in cog if row["TYPECOM"] in ("COM", "ARM")}
    events = records(EVENTS, ",") if (upstream() / EVENTS).exists() else []
    mergers = [row for row in events if row["TYPECOM_AV"] == row["TYPECOM_AP"] == "COM"]
    parents = {row["COM_AV"]: row["COM_AP"] for row in mergers if row["COM_AV"] not in in_force}
    parents |= {row["COM"]: row["COMPARENT"] for row in cog if row["TYPECOM"] in ("COMD", "COMA")}
    return in_force, parents


def test_every_figure_of_status_is_true(environment: dict[str, Any]) -> None:
    entries = status()
    assert set(entries) == {*tables(), *views()}
    for name, entry in entries.items():
        ((rows,),) = query(environment, sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name)))
        assert entry["rows"] == rows, name
        if name in WITHOUT_FILE:
            assert entry["state"].startswith("waits for ") and rows == 0, name
        elif name in EDITORIAL:
            assert (entry["state"], rows) == ("loaded", 0), name
        else:
            assert entry["state"] == "loaded" and rows > 0, name
        if entry["layer"] != "views" and name not in WITHOUT_FILE:
            assert (entry["added"], entry["changed"], entry["removed"]) == (rows, 0, 0), name


def test_row_counts_are_those_of_the_files(environment: dict[str, Any]) -> None:
    entries = status()
    ivac = records(IVAC, ";")
    assert len(ivac) == entries["metrics_colleges"]["rows"] == 20_053
    sales = records(SALES, ",")
    without_code = [row for row in sales if row["INSEE_COM"] in ("", "NA")]
    assert (len(sales), len(without_code)) == (29_832, 1)
    targets = {row["INSEE_COM"]: commune_in_force(row["INSEE_COM"]) for row in sales if row not in without_code}
    unknown = [code for code, target in targets.items() if target is None]
    merged_rows = len(targets) - len(unknown) - len(set(targets.values()) - {None})
    assert entries["mutations_immo_latest"]["refused"] == 1 + len(unknown)
    merged = query(
        environment,
        "SELECT coalesce(sum(cardinality(codes_anciens) - 1), 0) FROM mutations_immo_latest "
        "WHERE codes_anciens IS NOT NULL",
    )
    assert merged == [(merged_rows,)] and merged_rows > 30
    assert entries["mutations_immo_latest"]["rows"] == 29_831 - len(unknown) - merged_rows
    sold = sum(int(row["nb_mutations"]) for row in sales if row["INSEE_COM"] not in ("NA", *unknown))
    assert query(environment, "SELECT sum(nb_mutations) FROM mutations_immo_latest") == [(sold,)]
    sheet = fastexcel.read_excel(upstream() / WORKBOOK).load_sheet("LGT", header_row=None)
    assert sheet.total_height - 2 == 2_331
    in_2024 = "SELECT count(*) FROM aggregated_data_lycees_2024 WHERE annee = 2024"
    assert query(environment, in_2024) == [(2_331,)]
    other_sessions = {(row["uai"], row["annee"]) for row in records(IVAL, ";") if row["annee"] != "2024"}
    assert entries["aggregated_data_lycees_2024"]["rows"] == 2_331 + len(other_sessions)


def test_sales_of_no_commune_or_an_unknown_one_are_refused(environment: dict[str, Any]) -> None:
    refused = query(
        environment,
        "SELECT reasons, row ->> 'nb_mutations' FROM edu_pipeline.refused_rows JOIN edu_pipeline.loads ON id = load_id "
        "WHERE table_name = 'mutations_immo_latest' ORDER BY key",
    )
    sales = {row["INSEE_COM"]: row["nb_mutations"] for row in records(SALES, ",")}
    unknown = [
        ([f"code_commune: expected a key of info_communes, found {code}"], number)
        for code, number in sorted(sales.items())
        if code != "NA" and commune_in_force(code) is None
    ]
    assert refused == [(["code_commune: expected a value, found nothing"], sales["NA"]), *unknown]


def test_what_filosofi_hides_is_null(environment: dict[str, Any]) -> None:
    incomes = records(INCOMES, ";")
    table = "SELECT code_commune FROM merged_revenu_commune_bassin_2021 WHERE codes_anciens IS NULL"
    as_published = {code for (code,) in query(environment, table)}
    merged_into = Counter(commune_in_force(row["CODGEO"]) for row in incomes)
    in_one_row = {row["CODGEO"] for row in incomes if merged_into[row["CODGEO"]] == 1}
    assert as_published == {code for code in in_one_row if commune_in_force(code) == code}
    for column, upstream_name in {"mediane_niveau_vie": "MED21", "taux_pauvrete": "TP6021"}.items():
        hidden = [row["CODGEO"] for row in incomes if row[upstream_name] in ("s", "nd")]
        without = sql.SQL(
            "SELECT count(*) FROM merged_revenu_commune_bassin_2021 WHERE {} IS NULL AND codes_anciens IS NULL"
        )
        nulls = query(environment, without.format(sql.Identifier(column)))
        assert nulls == [(len(as_published.intersection(hidden)),)]
        assert status()["merged_revenu_commune_bassin_2021"]["hidden"][column] == len(hidden) > 0
    zeros = "SELECT count(*) FROM merged_revenu_commune_bassin_2021 WHERE mediane_niveau_vie = 0 OR taux_pauvrete = 0"
    assert query(environment, zeros) == [(0,)]


def test_the_lycee_view_has_every_lycee_of_the_latest_session(environment: dict[str, Any]) -> None:
    missing = (
        "SELECT count(*) FROM aggregated_data_lycees_2024 WHERE annee = (SELECT max(annee) FROM "
        "aggregated_data_lycees_2024) AND uai NOT IN (SELECT uai FROM lycee_context_cache)"
    )
    assert query(environment, missing) == [(0,)]
    assert query(environment, "SELECT count(*) > 2000 FROM lycee_context_cache") == [(True,)]
    with_income = "SELECT count(*) > 2000 FROM lycee_context_cache WHERE nom_commune IS NOT NULL"
    assert query(environment, with_income) == [(True,)]


def test_a_second_refresh_writes_nothing(environment: dict[str, Any]) -> None:
    # Dagster's tables are included: no run is launched.
    before = query(environment, "SELECT max(id), count(*) FROM edu_pipeline.loads")
    written = (
        "SELECT relname, n_tup_ins, n_tup_upd, n_tup_del FROM pg_stat_user_tables "
        "WHERE relname <> 'probes' ORDER BY relid"  # `probes` records when the publishers were asked
    )
    query(environment, "SELECT pg_stat_force_next_flush()")
    counters = query(environment, written)
    process = run_here("refresh")
    assert process.returncode == 0, process.stderr
    assert "new releases: 0; tables and views to bring up to date: 0" in process.stderr
    assert query(environment, written) == counters
    assert query(environment, "SELECT max(id), count(*) FROM edu_pipeline.loads") == before


def test_a_rebuild_of_the_same_files_by_dagster_changes_no_row(environment: dict[str, Any]) -> None:
    rebuild = run("dagster", "job", "execute", "-m", "edu_pipeline.definitions", "-j", "full_rebuild")
    assert rebuild.returncode == 0, rebuild.stderr[-3000:]
    refresh = run_here("refresh", "ips_lycees", "--force")
    assert refresh.returncode == 0, refresh.stderr
    entry = status()["ips_lycees"]
    assert (entry["added"], entry["changed"], entry["removed"]) == (0, 0, 0)


def test_the_run_is_on_postgresql_storage(environment: dict[str, Any]) -> None:
    runs = query(environment, "SELECT status FROM dagster.runs ORDER BY id")
    assert runs and runs[0] == ("SUCCESS",)


def test_sources_say_what_was_used(environment: dict[str, Any]) -> None:
    process = run_here("sources", "--json")
    entries = {entry["source"]: entry for entry in json.loads(process.stdout)}
    assert entries["fr-en-indicateurs-valeur-ajoutee-colleges"]["tables"] == ["metrics_colleges"]
    assert entries["fr-en-indicateurs-valeur-ajoutee-colleges"]["bytes"] == (upstream() / IVAC).stat().st_size
    assert entries["insee-rp"]["release"] is None


def test_an_unknown_table_is_named(environment: dict[str, Any]) -> None:
    process = run("edu-pipeline", "refresh", "ips_lycee")
    assert process.returncode == 1
    assert "SettingInvalid: argument TABLE: expected the name of a table" in process.stderr
    assert "Traceback" not in process.stderr


def test_an_unreachable_database_is_one_text(environment: dict[str, Any]) -> None:
    process = run("edu-pipeline", "status", EDU_DATABASE_URL="postgresql://edu:secret@127.0.0.1:1/evalLycee")
    assert process.returncode == 1
    assert "DatabaseUnreachable: database evalLycee on 127.0.0.1:1" in process.stderr
    assert "secret" not in process.stderr and "Traceback" not in process.stderr
