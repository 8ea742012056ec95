"""The checks that any table can have: what turns them red, and what does not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from edu_pipeline.checks.expectations import Places, Years, expectations
from edu_pipeline.database.connection import Connection
from edu_pipeline.database.probe_memory import remember
from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline.sources.probe import Probed
from edu_pipeline_tests.checks.small_country import COUNTRY, Expect, RunCheck, put_colleges, record
from edu_pipeline_tests.database.rows import put


def test_missing_year_is_red_despite_the_right_total(connection: Connection, check: RunCheck) -> None:
    for session, number in {2022: 8_000, 2024: 9_000, 2025: 9_869}.items():
        put_colleges(connection, {"01": number}, session)
    assert check("metrics_colleges", "expected_rows").passed
    years = check("metrics_colleges", "years")
    assert (years.passed, years.severity) == (False, "error")
    assert years.metadata["missing"] == [2023]
    assert years.description == (
        "table metrics_colleges: expected rows of 2022 to 2025 in session, found 2022, 2024, 2025; missing: 2023. "
        "Check whether the publisher still has them, and the release's other files."
    )
    put_colleges(connection, {"01": 100}, 2023)
    thin = check("metrics_colleges", "years")
    assert (thin.passed, thin.metadata["missing"], thin.metadata["thin"]) == (False, [], {"2023": 100})
    put_colleges(connection, {"2A": 8_000}, 2023)
    assert check("metrics_colleges", "years").passed
    put_colleges(connection, {"01": 9_000}, 2026)
    assert check("metrics_colleges", "years").passed
    connection.execute("DELETE FROM metrics_colleges WHERE session = 2025")
    assert check("metrics_colleges", "years").metadata["missing"] == [2025]


def test_newest_school_year_needs_most_of_the_rows(connection: Connection, check: RunCheck) -> None:
    for number in range(10):
        put(connection, "ips_lycees", uai=f"001000{number}A", rentree_scolaire="2025-2026" if number else "2023-2024")
    assert check("ips_lycees", "years").passed
    connection.execute("UPDATE ips_lycees SET rentree_scolaire = '2024-2025' WHERE uai < '0010007A'")
    assert check("ips_lycees", "years").metadata["thin"] == {"2025": 3}
    connection.execute("UPDATE ips_lycees SET rentree_scolaire = '2024-2025'")
    assert check("ips_lycees", "years").metadata["missing"] == [2025]


def test_missing_departement_is_red_despite_the_right_total(connection: Connection, check: RunCheck) -> None:
    sets = expectations().sets
    connection.execute("DELETE FROM info_communes")
    for codes, number in (([code for code in sets["metropole"] if code != "23"], 363), (sets["drom"], 99)):
        connection.execute(
            "INSERT INTO info_communes (code_commune, nom_commune, code_departement, code_region, type_commune) "
            "SELECT code || lpad(n::text, 5 - length(code), '0'), '', code, '', 'commune' "
            "FROM unnest(%s::text[]) AS code, generate_series(1, %s) AS n",
            [list(codes), number],
        )
    assert check("info_communes", "expected_rows").passed
    result = check("info_communes", "departements")
    assert (result.passed, result.severity, result.metadata["missing"]) == (False, "error", ["23"])
    assert "expected rows of 101 départements, found 100 of them; missing: 23." in result.description


def test_departement_with_far_too_few_rows_is_red(connection: Connection, check: RunCheck, expect: Expect) -> None:
    expect("metrics_colleges", departements=Places(column="code_departement", sets=("all",), per="inhabitants"))
    put_colleges(connection, {"01": 100, "2A": 110, "75": 90, "974": 100})
    assert check("metrics_colleges", "departements").passed
    connection.execute("DELETE FROM metrics_colleges WHERE code_departement = '974' AND uai > '9741'")
    result = check("metrics_colleges", "departements")
    assert (result.passed, result.metadata["missing"], result.metadata["thin"]) == (False, [], {"974": 1})
    connection.execute("UPDATE info_communes SET population = 100 WHERE code_departement = '974'")
    assert check("metrics_colleges", "departements").passed, "so few live there"


def test_a_count_may_be_about_some_rows(connection: Connection, check: RunCheck, expect: Expect) -> None:
    """Others are as many as they are: here those of other départements than Paris."""
    expect("metrics_colleges", rows=10, tolerance=0.1, counted={"code_departement": "75"})
    put_colleges(connection, {"01": 100, "75": 10})
    assert check("metrics_colleges", "expected_rows").passed
    connection.execute("DELETE FROM metrics_colleges WHERE code_departement = '75' AND uai > '0750003'")
    result = check("metrics_colleges", "expected_rows")
    assert not result.passed
    assert "expected 9 to 11 rows with code_departement 75, found " in result.description


def test_years_that_do_not_follow_one_another_are_compared(
    connection: Connection, check: RunCheck, expect: Expect
) -> None:
    expect("metrics_colleges", years=Years(column="session", newest=2025, several=True))
    for session in (2012, 2017, 2022, 2025):
        put_colleges(connection, {"01": 4}, session)
    assert check("metrics_colleges", "years").passed
    connection.execute(
        "DELETE FROM metrics_colleges WHERE session = 2025 AND uai > (SELECT min(uai) FROM metrics_colleges)"
    )
    result = check("metrics_colleges", "years")
    assert (result.passed, result.metadata["missing"], list(result.metadata["thin"])) == (False, [], ["2025"])


def test_departement_must_be_in_the_newest_year(connection: Connection, check: RunCheck, expect: Expect) -> None:
    places = Places(column="code_departement", sets=("all",), without=("75",))
    expect("metrics_colleges", departements=places, years=Years(column="session", first=2024, newest=2025))
    put_colleges(connection, {"01": 2, "2A": 2, "974": 2}, 2024)
    put_colleges(connection, {"01": 2, "974": 2}, 2025)
    result = check("metrics_colleges", "departements")
    assert (result.passed, result.metadata["missing"]) == (False, ["2A"])


def test_departement_of_an_establishment_or_a_commune(connection: Connection, check: RunCheck, expect: Expect) -> None:
    expect("lycees_address_uai_mapping", departements=Places(column="uai", sets=("all",)))
    for uai in ("0010001A", "6200001B", "0750001C", "9740001D", "1300001E"):
        put(connection, "lycees_address_uai_mapping", uai=uai)
    assert check("lycees_address_uai_mapping", "departements").passed
    expect("mutations_immo_latest", departements=Places(column="code_commune", sets=("all",)))
    for code in ("01001", "2A004", "75056", "97411"):
        put(connection, "mutations_immo_latest", code_commune=code)
    assert check("mutations_immo_latest", "departements").passed


def test_missing_academie_is_red_in_any_spelling(connection: Connection, check: RunCheck, expect: Expect) -> None:
    expect("metrics_colleges", academies=Places(column="academie", sets=("academies",)))
    for number, name in enumerate(("Lyon", "Corse", "paris", "La Réunion")):
        put(connection, "metrics_colleges", uai=str(number), session=2025, academie=name)
    assert check("metrics_colleges", "academies").passed
    connection.execute("UPDATE metrics_colleges SET academie = 'Lyon' WHERE academie = 'Corse'")
    result = check("metrics_colleges", "academies")
    assert (result.passed, result.metadata["missing"]) == (False, ["27 CORSE"])


def test_small_invented_country_is_complete_with_fewer_rows(connection: Connection, check: RunCheck) -> None:
    put_colleges(connection, {"01": 5, "2A": 5, "75": 5})
    assert not check("metrics_colleges", "expected_rows").passed
    assert len(check("metrics_colleges", "departements").metadata["missing"]) == 98
    record(connection, "departements", invented=True)
    rows = check("metrics_colleges", "expected_rows")
    assert (rows.passed, rows.metadata["not_applicable"]) == (True, "invented data")
    result = check("metrics_colleges", "departements")
    assert (result.passed, result.metadata["missing"]) == (False, ["974"])
    put_colleges(connection, {"974": 5})
    assert check("metrics_colleges", "departements").passed
    result = check("metrics_colleges", "academies")
    assert (result.passed, len(result.metadata["missing"])) == (False, 4), "no collège names its académie"


def test_national_figures_apply_to_a_whole_invented_country(connection: Connection, check: RunCheck) -> None:
    record(connection, "departements", invented=True)
    for code in expectations().sets["metropole"]:
        if code not in {code for code, _, _ in COUNTRY}:
            put(connection, "departements", code_departement=code)
    put_colleges(connection, {"01": 5})
    assert not check("metrics_colleges", "expected_rows").passed


def test_means_outside_their_range_are_red(connection: Connection, check: RunCheck) -> None:
    put_colleges(connection, {"01": 3}, taux_reussite_g=90, note_a_l_ecrit_g=11)
    assert check("metrics_colleges", "means").passed
    connection.execute("UPDATE metrics_colleges SET note_a_l_ecrit_g = 90")
    result = check("metrics_colleges", "means")
    assert (result.passed, result.metadata["note_a_l_ecrit_g"]) == (False, 90)
    assert "note_a_l_ecrit_g 90.0 (7 to 15)" in result.description
    connection.execute("UPDATE metrics_colleges SET note_a_l_ecrit_g = NULL")
    assert "note_a_l_ecrit_g no value (7 to 15)" in check("metrics_colleges", "means").description


def test_orphans_are_counted_in_the_current_rows(connection: Connection, check: RunCheck) -> None:
    put_colleges(connection, {"01": 98}, code_commune="01001")
    put_colleges(connection, {"2A": 2}, code_commune="01999")
    record(connection, "metrics_colleges", unknown={"code_commune": 1})
    result = check("metrics_colleges", "orphans")
    assert result.passed
    assert result.metadata == {"orphans": {"code_commune": 2}, "share": 0.02, "at_load": {"code_commune": 1}}
    connection.execute("DELETE FROM info_communes WHERE code_commune = '01001'")
    result = check("metrics_colleges", "orphans")
    assert (result.passed, result.metadata["share"]) == (False, 1)
    assert "code_commune: 100, e.g. 01001, 01999." in result.description


def test_row_count_is_compared_with_the_previous_load(connection: Connection, check: RunCheck) -> None:
    def previous() -> tuple[bool, Any]:
        result = check("metrics_colleges", "previous_rows")
        return result.passed, result.metadata.get("previous_rows")

    put_colleges(connection, {"01": 85})
    record(connection, "metrics_colleges", rows=85)
    assert previous() == (True, None), "there is no previous load"
    record(connection, "metrics_colleges", "educational_data__previous", rows=90)
    assert previous() == (True, 90), "a rebuild has swapped the schemas"
    record(connection, "metrics_colleges", rows=100)
    record(connection, "metrics_colleges", rows=85)
    record(connection, "metrics_colleges", rows=85, strategy="nothing")
    assert previous() == (False, 100)


def test_age_is_that_of_the_loaded_release(connection: Connection, archive: Archive, check: RunCheck) -> None:
    source = "fr-en-indicateurs-valeur-ajoutee-colleges"
    put_colleges(connection, {"01": 1})

    def load(name: str, days: int) -> None:
        now = datetime.now(UTC)
        release = Release(source, name, archive.root, now, now - timedelta(days=days), "", (), {})
        record(connection, "metrics_colleges", releases={source: release})

    load("first", 431)
    result = check("metrics_colleges", "age")
    assert (result.passed, result.severity, result.metadata["age_days"]) == (False, "warn", 431)
    assert f"{source} 431 days (at most 430)" in result.description
    load("second", 30)
    result = check("metrics_colleges", "age")
    assert (result.passed, result.metadata["age_days"]) == (True, 30)


def test_a_later_edition_that_is_not_read_is_yellow(connection: Connection, archive: Archive, check: RunCheck) -> None:
    source, now = "insee-filosofi-2023", datetime.now(UTC)
    put(connection, "revenu_pauvrete", code_commune="01001", annee=2023)
    record(connection, "revenu_pauvrete", releases={source: Release(source, "a", archive.root, now, now, "", (), {})})
    result = check("revenu_pauvrete", "edition")
    assert result.passed and "the publisher does not show whether there is a later one" in result.description
    remember(connection, [Probed(source, "1", changed=False, probed_at=now, later="2024")])
    result = check("revenu_pauvrete", "edition")
    assert (result.passed, result.severity, result.metadata["later"]) == (False, "warn", {source: "2024"})
    assert "(later: 2024, not read yet)" in result.description
