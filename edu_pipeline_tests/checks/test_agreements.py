"""The checks of particular tables: what turns them red, and what does not."""

from __future__ import annotations

from pathlib import Path
from typing import LiteralString

import pytest
from psycopg import sql

from edu_pipeline.database.connection import Connection
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.checks.small_country import RunCheck, record
from edu_pipeline_tests.database.rows import put
from edu_pipeline_tests.sources.incoming_files import incoming


def test_establishments_of_the_index_are_in_the_directory(connection: Connection, check: RunCheck) -> None:
    for number in range(100):
        uai = f"001{number:04}A"
        put(connection, "ips_colleges", uai=uai, rentree_scolaire="2025-2026" if number else "2023-2024")
        if number > 2:
            put(connection, "annuaire_education", uai=uai)
    result = check("ips_colleges", "in_directory")
    assert (result.passed, result.metadata["absent"]) == (False, 2), "2 of 99; the closed one does not count"
    put(connection, "annuaire_education", uai="0010001A")
    assert check("ips_colleges", "in_directory").passed


def test_equal_shares_of_a_split_are_reported(connection: Connection, check: RunCheck) -> None:
    def split(former: str, *parts: tuple[str, float], estimated: bool) -> None:
        for code, part in parts:
            row = {"code_ancien": former, "code_commune": code, "part": part, "part_estimee": estimated}
            put(connection, "passage_communes", nature="scission", date_effet="2024-01-01", **row)

    split("60054", ("60054", 0.38), ("60694", 0.62), estimated=True)
    split("14712", ("14666", 0.35), ("14712", 0.65), estimated=False)
    result = check("passage_communes", "shares")
    assert (result.passed, result.metadata["splits_estimated"]) == (True, 1)
    assert result.metadata["estimated"] == ["60054 2024-01-01: 60054 0.38, 60694 0.62"]
    split("01010", ("01010", 0.5), ("01011", 0.5), estimated=False)
    result = check("passage_communes", "shares")
    assert (result.passed, result.metadata["equal"]) == (False, ["01010 2024-01-01: 01010 0.50, 01011 0.50"])


CONTOURS: LiteralString = (
    "INSERT INTO commune_boundaries (code_commune, nom_commune, surface_km2, geometry) "
    "SELECT code_commune, nom_commune, 1, 'SRID=4326;MULTIPOLYGON EMPTY' FROM info_communes"
)
NEIGHBOURS: LiteralString = (
    "INSERT INTO communes_limitrophes (insee, insee_voisins, nb_voisins) "
    "SELECT code_commune, ARRAY[]::varchar[], 0 FROM info_communes"
)


@pytest.mark.parametrize(
    ("table", "fill", "key"),
    [("commune_boundaries", CONTOURS, "code_commune"), ("communes_limitrophes", NEIGHBOURS, "insee")],
)
def test_a_commune_without_contour_is_named(
    connection: Connection, check: RunCheck, table: str, fill: LiteralString, key: str
) -> None:
    """Mergers change the number of communes, and so that of contours; nothing is expected but agreement."""
    connection.execute("DELETE FROM info_communes")
    for code, name in (("01001", "Un"), ("01002", "Deux"), ("75056", "Paris"), ("75101", "Paris 1er")):
        put(connection, "info_communes", code_commune=code, nom_commune=name, code_departement=code[:2])
    connection.execute(fill)
    assert check(table, "every_commune").passed
    connection.execute("UPDATE info_communes SET code_commune = '01003' WHERE code_commune = '01002'")
    result = check(table, "every_commune")
    assert (result.passed, result.severity) == (False, "error")
    assert (result.metadata["examples"], result.metadata["examples_not_in_force"]) == (["01003 (Deux)"], ["01002"])
    assert "each of the 4 communes and arrondissements in force, found 1 without one, e.g. 01003" in result.description
    connection.execute("DELETE FROM info_communes WHERE code_commune = '01003'")
    connection.execute(sql.SQL("DELETE FROM {} WHERE {} = '01002'").format(*map(sql.Identifier, (table, key))))
    assert check(table, "every_commune").passed, "after a merger"


def test_a_commune_without_successor_is_reported(
    connection: Connection, check: RunCheck, archive: Archive, tmp_path: Path
) -> None:
    """Of an earlier list: one in force, one explained, one lost, and a commune déléguée that does not count."""
    lists = {
        "main.2024.csv": ["COM,01001,Un", "COM,01901,Deux", "COM,01902,Trois", "COMD,01903,Quatre"],
        "main.2025.csv": ["COM,01001,Un", "COMD,01901,Deux"],
    }
    for number, (name, lines) in enumerate(lists.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        text = "\r\n".join(["TYPECOM,COM,LIBELLE", *lines])
        archive.store("insee-cog", incoming(folder, {name: text.encode()}))
    move = {"code_ancien": "01901", "code_commune": "01001"}
    put(connection, "passage_communes", nature="fusion", part=1, **move)
    result = check("passage_communes", "successors")
    assert (result.passed, result.metadata["examples"]) == (False, ["01902 (Trois)"])
    assert "each of the 3 communes" in result.description
    put(connection, "passage_communes", nature="fusion", part=1, **(move | {"code_ancien": "01902"}))
    assert check("passage_communes", "successors").passed


def test_mean_index_is_compared_by_kind_of_lycee(connection: Connection, check: RunCheck) -> None:
    for uai, kind, ips in (("1", "LEGT", 119), ("2", "LEGT", 122), ("3", "LP", 90), ("4", "LPO", 104), ("5", None, 50)):
        row = {"uai": uai, "rentree_scolaire": "2025-2026", "type_de_lycee": kind, "ips": ips}
        put(connection, "ips_lycees", ips_national_legt=119, ips_national_lpo=103, ips_national_lp=89, **row)
    assert check("ips_lycees", "benchmark").passed
    connection.execute("UPDATE ips_lycees SET ips = 110 WHERE type_de_lycee = 'LP'")
    result = check("ips_lycees", "benchmark")
    assert (result.passed, result.metadata["points_apart"]) == (False, 21)
    connection.execute("UPDATE ips_lycees SET ips = NULL WHERE type_de_lycee = 'LP'")
    assert "; no index of LP." in check("ips_lycees", "benchmark").description
    put(connection, "ips_colleges", uai="1", rentree_scolaire="2025-2026", ips=104, ips_national=106)
    assert check("ips_colleges", "benchmark").passed
    connection.execute("UPDATE ips_colleges SET ips_national = NULL")
    assert not check("ips_colleges", "benchmark").passed, "nothing to compare with"


def put_crime(connection: Connection, code: str, number: int | None, people: int, indicator: str = "Vols") -> None:
    """Insert a commune's crimes of 2025; it has half as many dwellings as inhabitants."""
    row = {"code_commune": code, "annee": 2025, "indicateur": indicator, "nombre": number}
    put(connection, "criminalite_2024", insee_pop=people, insee_log=people // 2, **row)


def put_mean_rate(connection: Connection, departement: str, indicator: str, rate: float | None) -> None:
    """Insert a département's mean rate of 2025."""
    row = {"code_departement": departement, "indicateur": indicator, "annee": 2025, "taux_moyen_pour_mille": rate}
    put(connection, "crime_indicateur_avg", **row)


def test_crime_rates_match_those_of_the_communes(connection: Connection, check: RunCheck) -> None:
    put(connection, "info_communes", code_commune="75056", code_departement="75")
    for code in ("75101", "75102"):
        put(connection, "info_communes", code_commune=code, code_departement="75", code_commune_parent="75056")
        put_crime(connection, code, 40, 2_000)
    put_crime(connection, "75056", 60, 4_000)
    put_crime(connection, "01001", 20, 1_000)
    put_crime(connection, "01001", 20, 1_000, "Cambriolages de logement")
    put_crime(connection, "2A001", None, 1_000)
    put_mean_rate(connection, "75", "Vols", 15)
    put_mean_rate(connection, "01", "Vols", 20)
    put_mean_rate(connection, "01", "Cambriolages de logement", 40)
    put_mean_rate(connection, "2A", "Vols", None)
    put_mean_rate(connection, "FR", "Vols", 99)
    result = check("crime_indicateur_avg", "crime_rates")
    assert (result.passed, result.metadata["compared"]) == (True, 3), result.description
    connection.execute("UPDATE criminalite_2024 SET nombre = 25 WHERE code_commune = '01001' AND indicateur = 'Vols'")
    result = check("crime_indicateur_avg", "crime_rates")
    assert (result.passed, result.metadata["examples"]) == (False, ["01 Vols: 20.000 instead of 25.000"])
    connection.execute("DELETE FROM crime_indicateur_avg WHERE code_departement = '75'")
    assert "75 Vols: none instead of 15.000" in check("crime_indicateur_avg", "crime_rates").description


def test_equipment_file_has_as_many_colleges_as_the_directory(connection: Connection, check: RunCheck) -> None:
    put(connection, "info_communes", code_commune="75056", code_departement="75")
    put(connection, "info_communes", code_commune="75101", code_departement="75", code_commune_parent="75056")
    for code, number in {"01001": 4, "75056": 6, "75101": 6}.items():
        put(connection, "commerce_sante_2024", code_commune=code, college=number)
    for number in range(20):
        code = "01" if number < 4 else "75" if number < 9 else "988"
        put(connection, "annuaire_education", uai=f"{number:08}", type_etablissement="Collège", code_departement=code)
    result = check("commerce_sante_2024", "colleges_counted")
    assert (result.passed, result.metadata["colleges"], result.metadata["in_directory"]) == (False, 10, 9)
    put(connection, "annuaire_education", uai="1", type_etablissement="Collège", code_departement="75")
    assert check("commerce_sante_2024", "colleges_counted").passed


COMPLETE: dict[str, tuple[str, dict[str, object], dict[str, object]]] = {
    "commune_context_cache": ("relevant_communes", {"code_commune": "01001"}, {"code_commune": "2A001"}),
    "lycee_context_cache": ("aggregated_data_lycees_2024", {"uai": "1", "annee": 2025}, {"uai": "2", "annee": 2025}),
    "college_context_cache": ("metrics_colleges", {"uai": "1", "session": 2025}, {"uai": "2", "session": 2025}),
}


@pytest.mark.parametrize("view", COMPLETE)
def test_view_has_a_row_for_everything(connection: Connection, check: RunCheck, view: str) -> None:
    table, one, other = COMPLETE[view]
    refresh: LiteralString = "REFRESH MATERIALIZED VIEW {}"
    record(connection, view)
    put(connection, table, **one)
    connection.execute(sql.SQL(refresh).format(sql.Identifier(view)))
    assert check(view, "complete").passed
    put(connection, table, **other)
    result = check(view, "complete")
    assert (result.passed, result.severity, result.metadata["absent"]) == (False, "error", 1)
    assert f"view {view}: expected a row for every" in result.description


def test_invalid_geometries_are_red(connection: Connection, check: RunCheck) -> None:
    insert: LiteralString = (
        "INSERT INTO commune_boundaries (code_commune, nom_commune, surface_km2, geometry) VALUES (%s, '', 1, %s)"
    )
    connection.execute(insert, ["01001", "SRID=4326;MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))"])
    assert check("commune_boundaries", "geometries").passed
    connection.execute(insert, ["01002", "SRID=4326;MULTIPOLYGON(((0 0, 1 1, 1 0, 0 1, 0 0)))"])
    result = check("commune_boundaries", "geometries")
    assert (result.passed, result.metadata["invalid"]) == (False, 1)
    assert result.metadata["examples"] == ["01002 (Self-intersection[0.5 0.5])"]
