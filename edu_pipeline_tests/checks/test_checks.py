"""The checks beyond the load's own, on small tables in a real database: what turns them red, and what does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import numpy as np
import polars as pl
import pytest
import shapely
from psycopg import sql

from edu_pipeline import checks
from edu_pipeline.checks import CheckResult, figures, subject
from edu_pipeline.checks.expectations import Expectation, Expectations, Places, Years, expectations
from edu_pipeline.checks.overlaps import SPECK, overlapping
from edu_pipeline.database import ledger
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.ledger import REFUSED, Load
from edu_pipeline.orchestration.assets import CHECKS
from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline_tests.database.rows import put

COUNTRY = [("01", "10", "LYON"), ("2A", "27", "CORSE"), ("75", "01", "PARIS"), ("974", "28", "LA REUNION")]
"""The départements of a small country, and their académies."""


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A session that commits by itself, in a database of the small country."""
    with database.connect() as connection:
        connection.autocommit = True
        for code, academie, name in COUNTRY:
            put(connection, "departements", code_departement=code, code_academie=academie, nom_academie=name)
            put(connection, "info_communes", code_commune=f"{code}001"[:5], code_departement=code, population=10_000)
        yield connection


@pytest.fixture
def expect(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Expect this of one table, in place of the product's own file."""

    def of(table: str, **expected: Any) -> None:
        sets = {"all": tuple(code for code, _, _ in COUNTRY), "academies": tuple(code for _, code, _ in COUNTRY)}
        file = Expectations(sets=sets, tables={table: Expectation(**expected)})
        for module in (figures, subject):
            monkeypatch.setattr(module, "expectations", lambda: file)

    return of


def record(connection: Connection, table: str, schema: str = "educational_data", **values: Any) -> None:
    """A load of the ledger."""
    fields: dict[str, Any] = {
        "state": "published", "started_at": datetime.now(UTC), "releases": {}, "inputs_version": "", "code_version": "",
        "strategy": "delta",
    }  # fmt: skip
    load = Load(target_schema=schema, table_name=table, **(fields | values))
    ledger.record(connection, load, pl.DataFrame(schema=REFUSED), {})


def schools(connection: Connection, numbers: Mapping[str, int], session: int = 2025, **rest: object) -> None:
    """Results of so many collèges by département."""
    for code, number in numbers.items():
        names = ["uai", "session", "code_departement", *rest]
        statement = sql.SQL(
            "INSERT INTO metrics_colleges ({}) SELECT %s || n, {} FROM generate_series(1, %s) AS n"
        ).format(
            sql.SQL(", ").join(map(sql.Identifier, names)), sql.SQL(", ").join([sql.Placeholder()] * (len(names) - 1))
        )
        connection.execute(statement, [code, session, code, *rest.values(), number])


def check(database: Database, archive: Archive, table: str, name: str) -> CheckResult:
    with database.connect() as connection:
        [found] = checks.run(connection, database, archive, table, [name])
    assert (found.table, found.name) == (table, name)
    return found


def test_the_checks_are_known_without_a_database() -> None:
    for table in expectations().tables:
        names = [spec.name for spec in checks.specs_of(table)]
        assert names, table
        assert len(set(names)) == len(names)
        assert set(names).isdisjoint({*CHECKS, "supplied"}), "the load has these"
    assert {spec.name for spec in checks.specs_of("a_37th_table")} == {"previous_rows"}, "no figure is needed for it"
    of = {spec.name: spec.severity for spec in checks.specs_of("metrics_colleges")}
    assert of == {
        "expected_rows": "error", "previous_rows": "warn", "years": "error", "departements": "error",
        "academies": "error", "means": "error", "orphans": "error", "age": "warn",
    }  # fmt: skip


def test_a_missing_year_is_red_though_the_total_is_right(
    connection: Connection, database: Database, archive: Archive
) -> None:
    for session, number in {2022: 8_000, 2024: 9_000, 2025: 9_869}.items():
        schools(connection, {"01": number}, session)
    assert check(database, archive, "metrics_colleges", "expected_rows").passed
    years = check(database, archive, "metrics_colleges", "years")
    assert (years.passed, years.severity) == (False, "error")
    assert years.metadata["missing"] == [2023]
    assert years.description == (
        "table metrics_colleges: expected rows of 2022 to 2025 in session, found 2022, 2024, 2025; missing: 2023. "
        "Look whether the publisher still has them, and at the release's other files."
    )
    schools(connection, {"01": 100}, 2023)
    thin = check(database, archive, "metrics_colleges", "years")
    assert (thin.passed, thin.metadata["missing"], thin.metadata["thin"]) == (False, [], {"2023": 100})
    schools(connection, {"2A": 8_000}, 2023)
    assert check(database, archive, "metrics_colleges", "years").passed
    schools(connection, {"01": 9_000}, 2026)
    assert check(database, archive, "metrics_colleges", "years").passed
    connection.execute("DELETE FROM metrics_colleges WHERE session = 2025")
    assert check(database, archive, "metrics_colleges", "years").metadata["missing"] == [2025]


def test_the_newest_school_year_is_to_be_that_of_most_rows(
    connection: Connection, database: Database, archive: Archive
) -> None:
    for number in range(10):
        put(connection, "ips_lycees", uai=f"001000{number}A", rentree_scolaire="2025-2026" if number else "2023-2024")
    assert check(database, archive, "ips_lycees", "years").passed
    connection.execute("UPDATE ips_lycees SET rentree_scolaire = '2024-2025' WHERE uai < '0010007A'")
    assert check(database, archive, "ips_lycees", "years").metadata["thin"] == {"2025": 3}
    connection.execute("UPDATE ips_lycees SET rentree_scolaire = '2024-2025'")
    assert check(database, archive, "ips_lycees", "years").metadata["missing"] == [2025]


def test_a_missing_departement_is_red_though_the_total_is_right(
    connection: Connection, database: Database, archive: Archive
) -> None:
    sets = expectations().sets
    connection.execute("DELETE FROM info_communes")
    for codes, number in (([code for code in sets["metropole"] if code != "23"], 363), (sets["drom"], 99)):
        connection.execute(
            "INSERT INTO info_communes (code_commune, nom_commune, code_departement, code_region, type_commune) "
            "SELECT code || lpad(n::text, 5 - length(code), '0'), '', code, '', 'commune' "
            "FROM unnest(%s::text[]) AS code, generate_series(1, %s) AS n",
            [list(codes), number],
        )
    assert check(database, archive, "info_communes", "expected_rows").passed
    found = check(database, archive, "info_communes", "departements")
    assert (found.passed, found.severity, found.metadata["missing"]) == (False, "error", ["23"])
    assert "expected rows of 101 départements, found 100 of them; missing: 23." in found.description


def test_a_departement_with_far_too_few_rows_is_red(
    connection: Connection, database: Database, archive: Archive, expect: Any
) -> None:
    expect("metrics_colleges", departements=Places(column="code_departement", sets=("all",), per="inhabitants"))
    schools(connection, {"01": 100, "2A": 110, "75": 90, "974": 100})
    assert check(database, archive, "metrics_colleges", "departements").passed
    connection.execute("DELETE FROM metrics_colleges WHERE code_departement = '974' AND uai > '9741'")
    found = check(database, archive, "metrics_colleges", "departements")
    assert (found.passed, found.metadata["missing"], found.metadata["thin"]) == (False, [], {"974": 1})
    connection.execute("UPDATE info_communes SET population = 100 WHERE code_departement = '974'")
    assert check(database, archive, "metrics_colleges", "departements").passed, "so few live there"


def test_a_departement_is_to_be_in_the_newest_year(
    connection: Connection, database: Database, archive: Archive, expect: Any
) -> None:
    expect("metrics_colleges", departements=Places(column="code_departement", sets=("all",), without=("75",)),
           years=Years(column="session", first=2024, newest=2025))  # fmt: skip
    schools(connection, {"01": 2, "2A": 2, "974": 2}, 2024)
    schools(connection, {"01": 2, "974": 2}, 2025)
    found = check(database, archive, "metrics_colleges", "departements")
    assert (found.passed, found.metadata["missing"]) == (False, ["2A"])


def test_where_an_establishment_or_a_commune_is(
    connection: Connection, database: Database, archive: Archive, expect: Any
) -> None:
    expect("lycees_address_uai_mapping", departements=Places(column="uai", sets=("all",)))
    for uai in ("0010001A", "6200001B", "0750001C", "9740001D", "1300001E"):
        put(connection, "lycees_address_uai_mapping", uai=uai)
    assert check(database, archive, "lycees_address_uai_mapping", "departements").passed
    expect("mutations_immo_latest", departements=Places(column="code_commune", sets=("all",)))
    for code in ("01001", "2A004", "75056", "97411"):
        put(connection, "mutations_immo_latest", code_commune=code)
    assert check(database, archive, "mutations_immo_latest", "departements").passed


def test_a_missing_academie_is_red_however_the_others_are_spelt(
    connection: Connection, database: Database, archive: Archive, expect: Any
) -> None:
    expect("metrics_colleges", academies=Places(column="academie", sets=("academies",)))
    for number, name in enumerate(("Lyon", "Corse", "paris", "La Réunion")):
        put(connection, "metrics_colleges", uai=str(number), session=2025, academie=name)
    assert check(database, archive, "metrics_colleges", "academies").passed
    connection.execute("UPDATE metrics_colleges SET academie = 'Lyon' WHERE academie = 'Corse'")
    found = check(database, archive, "metrics_colleges", "academies")
    assert (found.passed, found.metadata["missing"]) == (False, ["27 CORSE"])


def test_small_invented_data_are_to_be_complete_but_not_as_many(
    connection: Connection, database: Database, archive: Archive
) -> None:
    schools(connection, {"01": 5, "2A": 5, "75": 5})
    assert not check(database, archive, "metrics_colleges", "expected_rows").passed
    assert len(check(database, archive, "metrics_colleges", "departements").metadata["missing"]) == 98
    record(connection, "departements", invented=True)
    rows = check(database, archive, "metrics_colleges", "expected_rows")
    assert (rows.passed, rows.metadata["not_applicable"]) == (True, "invented data")
    found = check(database, archive, "metrics_colleges", "departements")
    assert (found.passed, found.metadata["missing"]) == (False, ["974"])
    schools(connection, {"974": 5})
    assert check(database, archive, "metrics_colleges", "departements").passed
    found = check(database, archive, "metrics_colleges", "academies")
    assert (found.passed, len(found.metadata["missing"])) == (False, 4), "no collège names its académie"


def test_national_figures_are_meant_for_a_whole_invented_country(
    connection: Connection, database: Database, archive: Archive
) -> None:
    record(connection, "departements", invented=True)
    for code in expectations().sets["metropole"]:
        if code not in {code for code, _, _ in COUNTRY}:
            put(connection, "departements", code_departement=code)
    schools(connection, {"01": 5})
    assert not check(database, archive, "metrics_colleges", "expected_rows").passed


def test_means(connection: Connection, database: Database, archive: Archive) -> None:
    schools(connection, {"01": 3}, taux_reussite_g=90, note_a_l_ecrit_g=11)
    assert check(database, archive, "metrics_colleges", "means").passed
    connection.execute("UPDATE metrics_colleges SET note_a_l_ecrit_g = 90")
    found = check(database, archive, "metrics_colleges", "means")
    assert (found.passed, found.metadata["note_a_l_ecrit_g"]) == (False, 90)
    assert "note_a_l_ecrit_g 7 to 15: 90.0" in found.description
    connection.execute("UPDATE metrics_colleges SET note_a_l_ecrit_g = NULL")
    assert "note_a_l_ecrit_g 7 to 15: no value" in check(database, archive, "metrics_colleges", "means").description


def test_orphans_are_those_of_now(connection: Connection, database: Database, archive: Archive) -> None:
    schools(connection, {"01": 98}, code_commune="01001")
    schools(connection, {"2A": 2}, code_commune="01999")
    record(connection, "metrics_colleges", unknown={"code_commune": 1})
    found = check(database, archive, "metrics_colleges", "orphans")
    assert found.passed
    assert found.metadata == {"orphans": {"code_commune": 2}, "share": 0.02, "at_load": {"code_commune": 1}}
    connection.execute("DELETE FROM info_communes WHERE code_commune = '01001'")
    found = check(database, archive, "metrics_colleges", "orphans")
    assert (found.passed, found.metadata["share"]) == (False, 1)
    assert "code_commune: 100, e.g. 01001, 01999." in found.description


def test_the_rows_of_the_load_before(connection: Connection, database: Database, archive: Archive) -> None:
    def previous() -> tuple[bool, Any]:
        found = check(database, archive, "metrics_colleges", "previous_rows")
        return found.passed, found.metadata.get("previous_rows")

    schools(connection, {"01": 85})
    record(connection, "metrics_colleges", rows=85)
    assert previous() == (True, None), "there is no load before"
    record(connection, "metrics_colleges", "educational_data__previous", rows=90)
    assert previous() == (True, 90), "a rebuild has swapped the schemas"
    record(connection, "metrics_colleges", rows=100)
    record(connection, "metrics_colleges", rows=85)
    record(connection, "metrics_colleges", rows=85, strategy="nothing")
    assert previous() == (False, 100)


def test_the_age_is_that_of_the_release_loaded(connection: Connection, database: Database, archive: Archive) -> None:
    source = "fr-en-indicateurs-valeur-ajoutee-colleges"
    schools(connection, {"01": 1})

    def loaded(name: str, days: int) -> None:
        release = Release(source, name, archive.root, datetime.now(UTC), datetime.now(UTC) - timedelta(days=days),
                          "", (), {})  # fmt: skip
        load = Load("educational_data", "metrics_colleges", "published", datetime.now(UTC), {source: name}, "", "")
        ledger.record(connection, load, pl.DataFrame(schema=REFUSED), {source: release})

    loaded("first", 431)
    found = check(database, archive, "metrics_colleges", "age")
    assert (found.passed, found.severity, found.metadata["age_days"]) == (False, "warn", 431)
    assert f"{source} 431 days (430 at most)" in found.description
    loaded("second", 30)
    found = check(database, archive, "metrics_colleges", "age")
    assert (found.passed, found.metadata["age_days"]) == (True, 30)


def test_an_empty_table_waits_or_is_red(connection: Connection, database: Database, archive: Archive) -> None:
    for table, awaited in {
        "pcs_libelle": "a file of insee-pcs",
        "crime_indicateur_avg": "the table criminalite_2024",
        "data_quality_metrics": "the table sectorisation_segments",
        "lycee_context_cache": "its first refresh",
    }.items():
        for found in checks.run(connection, database, archive, table):
            assert (found.passed, found.severity, found.metadata) == (False, "warn", {"waits": awaited})
            assert found.description.endswith(f" {table}: expected rows, found none: it waits for {awaited}.")
    record(connection, "anecdotes_communes")
    assert check(database, archive, "anecdotes_communes", "expected_rows").severity == "warn", "there is no file"
    record(connection, "criminalite_2024")
    found = check(database, archive, "crime_indicateur_avg", "expected_rows")
    assert (found.passed, found.severity) == (False, "error")


def test_the_establishments_of_the_index_are_in_the_directory(
    connection: Connection, database: Database, archive: Archive
) -> None:
    for number in range(100):
        uai = f"001{number:04}A"
        put(connection, "ips_colleges", uai=uai, rentree_scolaire="2025-2026" if number else "2023-2024")
        if number > 2:
            put(connection, "annuaire_education", uai=uai)
    found = check(database, archive, "ips_colleges", "in_directory")
    assert (found.passed, found.metadata["absent"]) == (False, 2), "2 of 99; the closed one does not count"
    put(connection, "annuaire_education", uai="0010001A")
    assert check(database, archive, "ips_colleges", "in_directory").passed


def test_the_mean_index_is_about_the_benchmark_of_its_own_kind(
    connection: Connection, database: Database, archive: Archive
) -> None:
    for uai, kind, ips in (("1", "LEGT", 119), ("2", "LEGT", 122), ("3", "LP", 90), ("4", "LPO", 104), ("5", None, 50)):
        put(connection, "ips_lycees", uai=uai, rentree_scolaire="2025-2026", type_de_lycee=kind, ips=ips,
            ips_national_legt=119, ips_national_lpo=103, ips_national_lp=89)  # fmt: skip
    assert check(database, archive, "ips_lycees", "benchmark").passed
    connection.execute("UPDATE ips_lycees SET ips = 110 WHERE type_de_lycee = 'LP'")
    found = check(database, archive, "ips_lycees", "benchmark")
    assert (found.passed, found.metadata["points_apart"]) == (False, 21)
    connection.execute("UPDATE ips_lycees SET ips = NULL WHERE type_de_lycee = 'LP'")
    assert "; no index of LP." in check(database, archive, "ips_lycees", "benchmark").description
    put(connection, "ips_colleges", uai="1", rentree_scolaire="2025-2026", ips=104, ips_national=106)
    assert check(database, archive, "ips_colleges", "benchmark").passed
    connection.execute("UPDATE ips_colleges SET ips_national = NULL")
    assert not check(database, archive, "ips_colleges", "benchmark").passed, "nothing to compare with"


def crime(connection: Connection, code: str, number: int | None, people: int, indicator: str = "Vols") -> None:
    put(connection, "criminalite_2024", code_commune=code, annee=2025, indicateur=indicator, nombre=number,
        insee_pop=people, insee_log=people // 2)  # fmt: skip


def test_crime_rates_of_departements_are_those_of_their_communes(
    connection: Connection, database: Database, archive: Archive
) -> None:
    put(connection, "info_communes", code_commune="75056", code_departement="75")
    for code in ("75101", "75102"):
        put(connection, "info_communes", code_commune=code, code_departement="75", code_commune_parent="75056")
        crime(connection, code, 40, 2_000)
    crime(connection, "75056", 60, 4_000)
    crime(connection, "01001", 20, 1_000)
    crime(connection, "01001", 20, 1_000, "Cambriolages de logement")
    crime(connection, "2A001", None, 1_000)
    for code, indicator, rate in (
        ("75", "Vols", 15), ("01", "Vols", 20), ("01", "Cambriolages de logement", 40), ("2A", "Vols", None),
        ("FR", "Vols", 99),
    ):  # fmt: skip
        put(connection, "crime_indicateur_avg", code_departement=code, indicateur=indicator, annee=2025,
            taux_moyen_pour_mille=rate)  # fmt: skip
    found = check(database, archive, "crime_indicateur_avg", "crime_rates")
    assert (found.passed, found.metadata["compared"]) == (True, 3), found.description
    connection.execute("UPDATE criminalite_2024 SET nombre = 25 WHERE code_commune = '01001' AND indicateur = 'Vols'")
    found = check(database, archive, "crime_indicateur_avg", "crime_rates")
    assert (found.passed, found.metadata["examples"]) == (False, ["01 Vols: 20.000 to 25.000"])
    connection.execute("DELETE FROM crime_indicateur_avg WHERE code_departement = '75'")
    assert "75 Vols: none to 15.000" in check(database, archive, "crime_indicateur_avg", "crime_rates").description


def test_colleges_are_as_many_in_the_equipment_file_as_in_the_directory(
    connection: Connection, database: Database, archive: Archive
) -> None:
    put(connection, "info_communes", code_commune="75056", code_departement="75")
    put(connection, "info_communes", code_commune="75101", code_departement="75", code_commune_parent="75056")
    for code, number in {"01001": 4, "75056": 6, "75101": 6}.items():
        put(connection, "commerce_sante_2024", code_commune=code, college=number)
    for number in range(20):
        code = "01" if number < 4 else "75" if number < 9 else "988"
        put(connection, "annuaire_education", uai=f"{number:08}", type_etablissement="Collège", code_departement=code)
    found = check(database, archive, "commerce_sante_2024", "colleges_counted")
    assert (found.passed, found.metadata["colleges"], found.metadata["in_directory"]) == (False, 10, 9)
    put(connection, "annuaire_education", uai="1", type_etablissement="Collège", code_departement="75")
    assert check(database, archive, "commerce_sante_2024", "colleges_counted").passed


COMPLETE: dict[str, tuple[str, dict[str, object], dict[str, object]]] = {
    "commune_context_cache": ("relevant_communes", {"code_commune": "01001"}, {"code_commune": "2A001"}),
    "lycee_context_cache": ("aggregated_data_lycees_2024", {"uai": "1", "annee": 2025}, {"uai": "2", "annee": 2025}),
    "college_context_cache": ("metrics_colleges", {"uai": "1", "session": 2025}, {"uai": "2", "session": 2025}),
}


@pytest.mark.parametrize("view", COMPLETE)
def test_a_view_has_a_row_for_everything(
    connection: Connection, database: Database, archive: Archive, view: str
) -> None:
    table, one, other = COMPLETE[view]
    refresh: LiteralString = "REFRESH MATERIALIZED VIEW {}"
    record(connection, view)
    put(connection, table, **one)
    connection.execute(sql.SQL(refresh).format(sql.Identifier(view)))
    assert check(database, archive, view, "complete").passed
    put(connection, table, **other)
    found = check(database, archive, view, "complete")
    assert (found.passed, found.severity, found.metadata["absent"]) == (False, "error", 1)
    assert f"view {view}: expected a row for every" in found.description


def test_geometries_are_valid(connection: Connection, database: Database, archive: Archive) -> None:
    insert: LiteralString = (
        "INSERT INTO commune_boundaries (code_commune, nom_commune, surface_km2, geometry) VALUES (%s, '', 1, %s)"
    )
    connection.execute(insert, ["01001", "SRID=4326;MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0)))"])
    assert check(database, archive, "commune_boundaries", "geometries").passed
    connection.execute(insert, ["01002", "SRID=4326;MULTIPOLYGON(((0 0, 1 1, 1 0, 0 1, 0 0)))"])
    found = check(database, archive, "commune_boundaries", "geometries")
    assert (found.passed, found.metadata["invalid"]) == (False, 1)
    assert found.metadata["examples"] == ["01002 (Self-intersection[0.5 0.5])"]


def beside_the_unit_square(*bumps: float) -> shapely.Polygon:
    """The square to the right of it, which reaches into it by small squares as wide as ``bumps``."""
    border = [
        (x, 0.1 * n + y)
        for n, width in enumerate(bumps, start=1)
        for x, y in ((1, 0), (1 - width, 0), (1 - width, width), (1, width))
    ]
    return shapely.Polygon([(2, 1), (2, 0), (1, 0), *border, (1, 1)])


def test_zones_overlap_by_an_area_and_not_by_a_border() -> None:
    square, speck = shapely.box(0, 0, 1, 1), SPECK**0.5
    inside = shapely.box(0.2, 0.2, 0.4, 0.4)

    def overlap(*zones: Any) -> list[tuple[int, int]]:
        return sorted((min(pair), max(pair)) for pair in overlapping(np.array(zones, dtype=object)))

    assert overlap() == overlap(square) == []
    assert overlap(square, shapely.box(1, 0, 2, 1), shapely.box(1, 1, 2, 2), shapely.Polygon()) == []
    assert overlap(square, inside, shapely.box(5, 5, 6, 6), square) == [(0, 1), (0, 3), (1, 3)]
    assert overlap(inside, shapely.difference(square, inside)) == []
    bow_tie = shapely.Polygon([(0, 0), (1, 1), (1, 0), (0, 1)])
    assert overlap(square, bow_tie, inside) == [(0, 2)], "an invalid zone is another check's"
    for bumps, pairs in (([0.9], []), ([1.1], [(0, 1)]), ([0.8, 0.8], [(0, 1)]), ([0.6, 0.6], [])):
        other = beside_the_unit_square(*(width * speck for width in bumps))
        assert shapely.intersection(square, other).geom_type == "GeometryCollection", "the border is no part of it"
        assert overlap(other, square) == pairs
