"""The materialized views and the SQL functions, on PostgreSQL, with rows put in by hand.

Belongs here: ``sql/views``, and what migrations 109 and 110 create. Does not belong here: the rows of tables
(``assets/``), and whether tables match their contracts (``test_contracts_in_database.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.views import views
from edu_pipeline.loading.load import Options
from edu_pipeline.loading.view_refresh import refresh
from edu_pipeline.table import tables
from edu_pipeline_tests.database.rows import put


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    with database.connect() as connection:
        yield connection


def commune(connection: Connection, code: str, name: str = "", parent: str | None = None, **rest: object) -> None:
    """A commune in force, or an arrondissement of ``parent``, that is worth a context page."""
    kind = "arrondissement municipal" if parent else "commune"
    named = {"nom_commune": name or f"Commune {code}", "code_departement": code[:2], "type_commune": kind}
    put(connection, "info_communes", code_commune=code, code_commune_parent=parent, **named, **rest)
    put(connection, "relevant_communes", code_commune=code, raisons=["lycée"])


def crime(connection: Connection, code: str, indicator: str, rate: float | None, year: int = 2024) -> None:
    """A commune's rate of an indicator; None: not published."""
    row = {"annee": year, "indicateur": indicator, "taux_pour_mille": rate}
    put(connection, "criminalite_2024", code_commune=code, est_diffuse="ndiff" if rate is None else "diff", **row)


def average(connection: Connection, departement: str, indicator: str, rate: float | None, year: int = 2024) -> None:
    """A département's average rate of an indicator."""
    row = {"annee": year, "indicateur": indicator, "taux_moyen_pour_mille": rate}
    put(connection, "crime_indicateur_avg", code_departement=departement, **row)


def rows_of(connection: Connection, view: str) -> dict[str, dict[str, Any]]:
    """The rows of a view, after a refresh, by key."""
    connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.Identifier(view)))
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(view))).fetchall()
    return {str(row["code_commune" if view == "commune_context_cache" else "uai"]): row for row in rows}


def context(row: dict[str, object]) -> dict[str, object]:
    """The columns of a school's row that are about its commune."""
    return dict(list(row.items())[list(row).index("results") + 1 :])


def test_empty_tables_give_empty_views(connection: Connection) -> None:
    for view in views():
        assert rows_of(connection, view) == {}


def test_an_arrondissement_has_its_own_row_or_else_its_citys(connection: Connection) -> None:
    commune(connection, "75056", "Paris")
    commune(connection, "75107", "Paris 7e Arrondissement", parent="75056")
    commune(connection, "92051", "Neuilly-sur-Seine")
    put(connection, "mutations_immo_latest", code_commune="75056", prix_m2_moyen=9_800)
    put(connection, "communes_limitrophes", insee="75056", insee_voisins=["92051", "99999"], nb_voisins=2)
    put(connection, "communes_limitrophes", insee="92051", insee_voisins=["75056"], nb_voisins=1)
    incomes = "merged_revenu_commune_bassin_2021"
    put(connection, incomes, code_commune="75056", mediane_niveau_vie=30_000, taux_pauvrete=15)
    put(connection, incomes, code_commune="75107", mediane_niveau_vie=45_000)
    put(connection, "commerce_sante_2024", code_commune="75107", commune="Paris 7e", pharmacie=40)
    put(connection, "aggregated_data_lycees_2024", uai="0750001A", annee=2024, code_commune="75107")
    put(connection, "metrics_colleges", uai="0750002B", session=2024, code_commune="75107")

    paris = rows_of(connection, "commune_context_cache")
    assert paris.keys() == {"75056", "75107", "92051"}
    seventh = paris["75107"]
    assert seventh["immobilier"]["prix_m2_moyen"] == 9_800
    assert seventh["revenu"]["mediane_niveau_vie"] == 45_000
    assert seventh["revenu"]["taux_pauvrete"] is None, "hidden: not the city's"
    assert seventh["local_services"]["pharmacie"] == 40
    assert {"code_commune", "commune"}.isdisjoint(seventh["local_services"])
    neuilly, unknown = {"code_commune": "92051", "nom_commune": "Neuilly-sur-Seine"}, {"code_commune": "99999"}
    assert seventh["neighbours"] == paris["75056"]["neighbours"] == [neuilly, unknown | {"nom_commune": None}]
    assert paris["92051"]["immobilier"] is paris["92051"]["local_services"] is None
    assert paris["75056"]["local_services"] is None, "an arrondissement's is not the city's"

    for view, uai in (("lycee_context_cache", "0750001A"), ("college_context_cache", "0750002B")):
        row = rows_of(connection, view)[uai]
        assert (row["code_commune"], row["nom_commune"]) == ("75107", "Paris 7e Arrondissement")
        assert (row["prix_m2_moyen"], row["mediane_niveau_vie"], row["taux_pauvrete"]) == (9_800, 45_000, None)


def test_a_school_without_any_context_is_in_its_view(connection: Connection) -> None:
    in_andorra = {"code_commune": "99130", "ville": "ANDORRE LA VIEILLE"}
    results = {"etablissement": "Lycée Comte de Foix", "presents_toutes_series": 93}
    put(connection, "aggregated_data_lycees_2024", uai="1300023U", annee=2024, **in_andorra, **results)
    put(connection, "aggregated_data_lycees_2024", uai="0010001A", annee=2023)
    put(connection, "metrics_colleges", uai="0010003C", session=2024, nom_etablissement="Collège", taux_reussite_g=88)
    put(connection, "metrics_colleges", uai="0010003C", session=2023, nom_etablissement="Collège")

    lycees = rows_of(connection, "lycee_context_cache")
    assert lycees.keys() == {"1300023U"}, "the latest session only"
    lycee = lycees["1300023U"]
    assert (lycee["code_commune"], lycee["nom_commune"]) == ("99130", "ANDORRE LA VIEILLE")
    assert lycee["results"]["presents_toutes_series"] == 93
    assert {"uai", "etablissement", "secteur"}.isdisjoint(lycee["results"])
    assert lycee["has_section_internationale"] is False
    assert lycee["specialites_array"] is lycee["options"] is lycee["ips"] is None
    assert set(context(lycee).values()) == {None}

    colleges = rows_of(connection, "college_context_cache")
    assert [(uai, row["session"]) for uai, row in colleges.items()] == [("0010003C", 2024)]
    assert colleges["0010003C"]["code_commune"] is None
    assert set(context(colleges["0010003C"]).values()) == {None}


def test_the_commune_of_a_school(connection: Connection) -> None:
    """The result's code if it is in force, else the directory's or the index's."""
    for code in ("93066", "78646"):
        commune(connection, code)
    for uai, published, directory, index in (
        ("0000001A", "78646", "93066", None),
        ("0000002A", "93059", "93066", "78646"),
        ("0000003A", None, None, "78646"),
        ("0000004A", "93059", None, None),
    ):
        put(connection, "aggregated_data_lycees_2024", uai=uai, annee=2024, code_commune=published)
        put(connection, "annuaire_education", uai=uai, code_commune=directory, latitude=48.5, longitude=2.5)
        put(connection, "ips_lycees", uai=uai, code_commune=index)
        put(connection, "metrics_colleges", uai=uai, session=2024, code_commune=published)
        put(connection, "ips_colleges", uai=uai, code_commune=index)
    expected = ["78646", "93066", "78646", "93059"]
    for view in ("lycee_context_cache", "college_context_cache"):
        rows = [row for _, row in sorted(rows_of(connection, view).items())]
        assert [row["code_commune"] for row in rows] == expected
        assert [row["nom_commune"] for row in rows] == [f"Commune {code}" for code in expected[:3]] + [None]
        assert [row["code_departement"] for row in rows] == ["78", "93", "78", None]
        assert (rows[0]["latitude"], rows[0]["longitude"]) == (48.5, 2.5)


LEVELS: list[tuple[dict[str, float | None], str | None, str | None]] = [
    ({"Vols": 0}, "faible", "0.00"),
    ({"Vols": 7.94}, "faible", "0.79"),
    ({"Vols": 7.95}, "moyen", "0.80"),  # the level follows from the ratio as it is shown
    ({"Vols": 8}, "moyen", "0.80"),
    ({"Vols": 12}, "moyen", "1.20"),
    ({"Vols": 12.04}, "moyen", "1.20"),
    ({"Vols": 12.1}, "élevé", "1.21"),
    ({"Vols": 5, "Cambriolages": 30}, "élevé", "1.75"),  # 0.5 and 3: each indicator counts the same
    ({"Vols": 10, "Escroqueries": 3}, "élevé", "1.25"),  # the département has no average: 3 to the country's 2
    ({"Vols": 10, "Fraudes": 9}, "moyen", "1.00"),  # nothing to compare with
    ({"Vols": None, "Cambriolages": 10}, "moyen", "1.00"),
    ({"Vols": None}, None, None),
    ({}, None, None),
]
"""The published rates of a commune (None: hidden), and the level and ratio that follow from them."""


def test_crime_level(connection: Connection) -> None:
    for indicator, mean in {"Vols": 10, "Cambriolages": 10, "Escroqueries": None}.items():
        average(connection, "33", indicator, mean)
    for indicator, mean in {"Vols": 5, "Cambriolages": 5, "Escroqueries": 2}.items():
        average(connection, "FR", indicator, mean)
    expected = {}
    for number, (rates, level, ratio) in enumerate(LEVELS):
        code = f"330{number:02}"
        expected[code] = (level, ratio and Decimal(ratio))
        commune(connection, code)
        put(connection, "aggregated_data_lycees_2024", uai=code, annee=2024, code_commune=code)
        put(connection, "metrics_colleges", uai=code, session=2024, code_commune=code)
        crime(connection, code, "Vols", 1000, year=2023)  # not the year of the averages
        for indicator, rate in rates.items():
            crime(connection, code, indicator, rate)
    for view in views():
        rows = rows_of(connection, view)
        assert {code: (row["crime_level"], row["crime_ratio"]) for code, row in rows.items()} == expected
    communes = rows_of(connection, "commune_context_cache")
    for code, (rates, _, _) in zip(expected, LEVELS, strict=True):
        published = {indicator for indicator, rate in rates.items() if rate is not None}
        assert set(communes[code]["crime_indicateurs"] or {}) == published
        assert communes[code]["crime_annee"] == (2024 if published else None)


def test_crime_of_an_arrondissement_and_overseas(connection: Connection) -> None:
    commune(connection, "13055", "Marseille")
    commune(connection, "13201", "Marseille 1er", parent="13055")
    commune(connection, "13202", "Marseille 2e", parent="13055")
    commune(connection, "97411", "Saint-Denis")
    for departement, mean in {"13": 10, "974": 20, "97": 1, "FR": 10}.items():
        average(connection, departement, "Vols", mean)
    for code, rate in {"13055": 10, "13201": 30, "13202": None, "97411": 20}.items():
        crime(connection, code, "Vols", rate)
    rows = rows_of(connection, "commune_context_cache")
    levels = {code: row["crime_level"] for code, row in rows.items()}
    assert levels == {"13055": "moyen", "13201": "élevé", "13202": "moyen", "97411": "moyen"}
    assert rows["97411"]["crime_ratio_france"] == 2


def test_the_query_of_the_plan(connection: Connection) -> None:
    for uai, departement, ips, specialties in (
        ("0780001A", "78", 120, ["Mathématiques", "Physique-chimie"]),
        ("0780002B", "78", 130, ["Mathématiques"]),
        ("0780003C", "78", 140, ["Danse"]),
        ("0780004D", "78", 99, ["Mathématiques"]),
        ("0920001A", "92", 150, ["Mathématiques"]),
    ):
        put(connection, "aggregated_data_lycees_2024", uai=uai, annee=2024, code_departement=departement)
        put(connection, "ips_lycees", uai=uai, ips=ips)
        put(connection, "specialites_lycees", uai=uai, specialites_array=specialties)
    put(connection, "sections_internationales", uai="0780001A", section="ITALIENNE", niveau="2nde")
    put(connection, "sections_internationales", uai="0780001A", section="ITALIENNE", niveau="1ère")
    put(connection, "enseignements_optionnels_seconde", uai="0780001A", options=["Latin"], lv1=["anglais"])
    rows = rows_of(connection, "lycee_context_cache")
    answer = connection.execute(
        "SELECT uai, etablissement, IPS, specialites_array, local_services, crime_level "
        "FROM educational_data.lycee_context_cache WHERE code_departement = '78' AND IPS >= 100 "
        "AND specialites_array @> ARRAY['Mathématiques']::text[] ORDER BY IPS DESC LIMIT 20;"
    )
    assert [row[0] for row in answer] == ["0780002B", "0780001A"]
    assert rows["0780001A"]["has_section_internationale"] is True
    assert rows["0780001A"]["sections_internationales"] == ["ITALIENNE"]
    assert (rows["0780001A"]["options"], rows["0780001A"]["lv2"]) == (["Latin"], [])
    assert rows["0780002B"]["has_section_internationale"] is False


def test_all_columns_are_described(connection: Connection) -> None:
    missing = connection.execute(
        "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 "
        "WHERE c.relkind = 'm' AND (col_description(c.oid, a.attnum) IS NULL OR obj_description(c.oid) IS NULL)"
    )
    assert missing.fetchall() == []
    assert all(100 < len(view.description) < 800 for view in views().values())


def test_a_views_inputs_include_those_of_the_shared_part(connection: Connection) -> None:
    """The tables that a view reads according to PostgreSQL are those that its text names."""
    read = connection.execute(
        "SELECT DISTINCT v.relname, t.relname FROM pg_class AS v JOIN pg_rewrite AS r ON r.ev_class = v.oid "
        "JOIN pg_depend AS d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid "
        "JOIN pg_class AS t ON d.refclassid = 'pg_class'::regclass AND t.oid = d.refobjid AND t.oid <> v.oid "
        "WHERE v.relkind = 'm' AND t.relkind IN ('r', 'p')"
    )
    assert set(read) == {(name, table) for name, view in views().items() for table in view.inputs}


def test_refresh_all_caches_from_anywhere(database: Database, connection: Connection) -> None:
    commune(connection, "01001")
    connection.commit()
    with psycopg.connect(database.url) as stranger:
        assert stranger.execute("SHOW search_path").fetchone() == ('"$user", public',)
        rows = stranger.execute("SELECT * FROM educational_data.refresh_all_caches()").fetchall()
        counts = {"commune_context_cache": 1, "lycee_context_cache": 0, "college_context_cache": 0}
        assert [row[:2] for row in rows] == sorted(counts.items())
        assert all(row[2] >= 0 for row in rows)
        assert len(stranger.execute("SELECT educational_data.refresh_all_caches();").fetchall()) == 3
    loads = connection.execute("SELECT DISTINCT target_schema, strategy FROM edu_pipeline.loads").fetchall()
    assert loads == [("educational_data", "refresh")]


def test_refresh_all_caches_of_a_view_that_is_not_filled(connection: Connection) -> None:
    commune(connection, "01001")
    connection.execute("REFRESH MATERIALIZED VIEW commune_context_cache WITH NO DATA")
    rows = connection.execute("SELECT * FROM refresh_all_caches()").fetchall()
    assert ("commune_context_cache", 1) in [row[:2] for row in rows]


def test_functions_stay_with_their_schema_after_a_swap(connection: Connection) -> None:
    """A rebuild renames schemas: a function must not work on the schema that has taken over the name of its own."""
    commune(connection, "01001")
    connection.execute("ALTER SCHEMA educational_data RENAME TO previous")
    connection.execute("CREATE SCHEMA educational_data")
    rows = connection.execute("SELECT view_name, rows FROM previous.refresh_all_caches()").fetchall()
    assert ("commune_context_cache", 1) in rows
    fresh = connection.execute("SELECT table_name, row_count FROM previous.check_data_freshness()").fetchall()
    assert ("commune_context_cache", 1) in fresh


def test_check_data_freshness_answers_from_the_ledger(connection: Connection) -> None:
    connection.execute(
        "INSERT INTO edu_pipeline.releases (source, release, retrieved_at, published_at, sha256, files) VALUES "
        "('geo', 'r1', '2026-11-02', NULL, '', '[]'), ('insee', 'r2', '2026-11-02', '2026-01-05', '', '[]')"
    )
    record = (
        "INSERT INTO edu_pipeline.loads (target_schema, table_name, state, strategy, rows, started_at, finished_at, "
        "releases, inputs_version, code_version, refused, error) VALUES (%s, %s, %s, %s, %s, now(), now() - %s * "
        "interval '1 day', %s, '', '', %s, %s)"
    )
    releases = Jsonb({"geo": "r1", "insee": "r2"})
    for load in (
        ("educational_data", "info_communes", "published", "delta", 10, 30, releases, 1, None),
        ("educational_data", "info_communes", "published", "nothing", 11, 3.5, releases, 2, None),
        ("educational_data", "info_communes", "failed", None, None, 2, releases, 0, "ColumnMissing: ..."),
        ("educational_data", "departements", "failed", None, None, 2, releases, 0, "NoRows: ..."),
        ("educational_data", "departements", "published", "delta", 109, 1, Jsonb({}), 0, None),
        ("another_schema", "ips_lycees", "published", "delta", 5, 1, releases, 0, None),
    ):
        connection.execute(record, load)
    connection.execute("CREATE TABLE criminalite_2024__rows_7 (code_commune text)")  # an exchanged partition
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute("SET LOCAL search_path = public")
        answer = cursor.execute("SELECT * FROM educational_data.check_data_freshness();").fetchall()
    rows = {row["table_name"]: row for row in answer}
    assert sorted(row["table_name"] for row in answer) == sorted([*tables(), *views()])
    assert list(answer[0])[:3] == ["table_name", "row_count", "last_updated"]
    communes = rows["info_communes"]
    assert (communes["row_count"], communes["refused_rows"], communes["age_days"]) == (11, 2, Decimal("3.5"))
    assert communes["last_changed"] < communes["last_updated"]
    assert communes["releases"] == {"geo": "r1", "insee": "r2"}
    assert f"{communes['released_at']:%Y-%m-%d}" == "2026-01-05"
    assert communes["failure"] == "ColumnMissing: ..."
    assert (rows["departements"]["row_count"], rows["departements"]["failure"]) == (109, None)
    assert rows["departements"]["released_at"] is None
    never = {**rows["ips_lycees"], "table_name": None}
    assert set(never.values()) == {None}, "another schema's load"
    assert rows["lycee_context_cache"]["row_count"] is None


def test_a_refresh_of_the_pipeline_is_in_the_answer(database: Database) -> None:
    refresh(views()["lycee_context_cache"], database, Options())
    with database.connect() as connection:
        answer = connection.execute(
            "SELECT row_count FROM check_data_freshness() WHERE table_name = 'lycee_context_cache'"
        )
        assert answer.fetchall() == [(0,)]


LOGS = ("nl_query_log", "user_feedback")


def link(connection: Connection) -> list[object]:
    """The obstacles to the foreign keys."""
    return [obstacle for (obstacle,) in connection.execute("SELECT edu_pipeline.link_analytics_to_users()")]


def linked(connection: Connection) -> dict[str, bool]:
    """The logs that have the foreign key, and whether it was checked for the old rows too."""
    rows = connection.execute(
        "SELECT c.relname, k.convalidated FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid "
        "WHERE k.contype = 'f' AND k.conrelid = ANY (ARRAY['analytics.nl_query_log', 'analytics.user_feedback']::"
        "regclass[])"
    )
    return {str(name): bool(valid) for name, valid in rows}


def test_logs_are_linked_once_there_is_a_table_of_users(connection: Connection) -> None:
    assert "no such table" in str(link(connection))
    connection.execute("CREATE SCHEMA user_mgmt")
    connection.execute("CREATE TABLE user_mgmt.users (id text PRIMARY KEY)")
    assert "type uuid" in str(link(connection))
    connection.execute("DROP TABLE user_mgmt.users")
    connection.execute("CREATE TABLE user_mgmt.users (id uuid)")
    assert "unique" in str(link(connection))
    assert linked(connection) == {}
    connection.execute("ALTER TABLE user_mgmt.users ADD UNIQUE (id)")
    assert link(connection) == link(connection) == []
    assert linked(connection) == dict.fromkeys(LOGS, True)


def test_rows_of_unknown_users_are_kept(connection: Connection) -> None:
    connection.execute("CREATE SCHEMA user_mgmt")
    connection.execute("CREATE TABLE user_mgmt.users (id uuid PRIMARY KEY)")
    connection.execute("INSERT INTO analytics.nl_query_log (user_id, user_query) VALUES (gen_random_uuid(), 'q')")
    assert "for new rows only" in str(link(connection))
    assert linked(connection) == {"nl_query_log": False, "user_feedback": True}
    assert connection.execute("SELECT count(*) FROM analytics.nl_query_log").fetchone() == (1,)
    with pytest.raises(psycopg.errors.ForeignKeyViolation), connection.transaction():
        connection.execute("INSERT INTO analytics.nl_query_log (user_id, user_query) VALUES (gen_random_uuid(), 'q')")
    connection.execute("INSERT INTO user_mgmt.users SELECT user_id FROM analytics.nl_query_log")
    assert link(connection) == []
    assert linked(connection) == dict.fromkeys(LOGS, True)


def test_a_role_without_rights_on_the_users_can_migrate(connection: Connection) -> None:
    connection.execute("CREATE SCHEMA user_mgmt")
    connection.execute("CREATE TABLE user_mgmt.users (id uuid PRIMARY KEY)")
    role = sql.Identifier(f"test_role_{connection.info.dbname}")
    connection.execute(sql.SQL("CREATE ROLE {}").format(role))
    connection.execute(sql.SQL("GRANT USAGE, CREATE ON SCHEMA analytics TO {}").format(role))
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA edu_pipeline TO {}").format(role))
    for log in LOGS:
        table = sql.Identifier("analytics", log)
        connection.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(table, role))
    connection.execute(
        sql.SQL("ALTER FUNCTION edu_pipeline.link_analytics_to_users() OWNER TO {}").format(role)
    )  # it runs with the rights of its owner
    connection.execute(sql.SQL("SET LOCAL ROLE {}").format(role))
    assert str(link(connection)).count("permission denied") == 2
    connection.rollback()
