"""The contracts describe the tables and the migrations create them: both must agree.

Belongs here: comparing the catalogue of a freshly migrated database with the declared tables. Does not belong here:
rows.
"""

from __future__ import annotations

from edu_pipeline.contracts import specs
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.migrate import described_columns
from edu_pipeline.database.views import views
from edu_pipeline.table import Table, tables

PLAN = {
    "reference": "pcs_libelle ips_score departements passage_communes",
    "geographic": "info_communes commune_boundaries communes_limitrophes anecdotes_communes relevant_communes",
    "socio_economic": "commerce_sante_2024 criminalite_2024 crime_indicateur_avg mutations_immo_latest "
    "niveau_education_2021 population_evolution_age merged_revenu_commune_bassin_2021 activite_economique_2022 "
    "logement_2021",
    "educational": "annuaire_education aggregated_data_lycees_2024 metrics_colleges ips_lycees ips_colleges "
    "geodata_lycees lycees_geolocalisation colleges_geolocalisation lycees_address_uai_mapping",
    "specialty": "etablissements_onisep onisep_details_formations_lycees specialites_lycees "
    "enseignements_optionnels_seconde sections_internationales effectifs_specialites_premiere",
    "sectorisation": "sectorisation_segments sectorisation_zones data_quality_metrics",
}
"""The tables that the plan asks for, by layer."""

PLANNED_VIEWS = {"college_context_cache", "commune_context_cache", "lycee_context_cache"}


def columns(connection: Connection, table: str) -> dict[str, tuple[str, bool]]:
    """Column to its type and whether it is required, in the table's order."""
    rows = connection.execute(
        "SELECT attname, regexp_replace(format_type(atttypid, atttypmod), '^\\w+\\.', ''), attnotnull "
        "FROM pg_attribute "
        "WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [table],
    )
    return {str(name): (str(kind), bool(required)) for name, kind, required in rows}


def primary_key(connection: Connection, table: str) -> list[str]:
    """The columns of the primary key, in order."""
    rows = connection.execute(
        "SELECT a.attname FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY AS k (attnum, place) "
        "JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum "
        "WHERE i.indrelid = to_regclass(%s) AND i.indisprimary ORDER BY k.place",
        [table],
    )
    return [str(name) for (name,) in rows]


def relations(connection: Connection, kinds: str) -> list[str]:
    """All tables or views of the schema, work tables included, which a fresh schema has none of."""
    rows = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace "
        "AND relkind = ANY (%s) AND NOT relispartition ORDER BY relname",
        [list(kinds)],
    )
    return [str(name) for (name,) in rows]


def declared(table: Table) -> dict[str, tuple[str, bool]]:
    """The expected ``columns``."""
    kinds = {name: spec.sql for name, spec in specs(table.contract).items()}
    return {name: (kinds[name], not column.nullable) for name, column in table.contract.columns().items()}


def test_the_database_has_the_declared_tables_and_views(database: Database) -> None:
    with database.connect() as connection:
        assert relations(connection, "rp") == sorted(tables())
        assert relations(connection, "m") == sorted(views())
        assert relations(connection, "vf") == []
        for table in tables():
            assert primary_key(connection, table), f"{table} has no primary key"
        logs = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'analytics' ORDER BY 1")
        assert logs.fetchall() == [("nl_query_log",), ("user_feedback",)]


def test_every_table_and_view_of_the_plan_is_declared() -> None:
    planned = {name: layer for layer, names in PLAN.items() for name in names.split()}
    assert planned.items() <= {name: table.layer for name, table in tables().items()}.items()
    assert views().keys() >= PLANNED_VIEWS


def test_tables_match_their_contracts(database: Database) -> None:
    """Lists all differences at once: column missing on either side, type, nullability, key."""
    with database.connect() as connection:
        differences = []
        for table in tables().values():
            contract, actual = declared(table), columns(connection, table.name)
            differences += [
                f"{table.name}.{name}: contract {contract.get(name)}, database {actual.get(name)}"
                for name in sorted(contract.keys() | actual.keys())
                if contract.get(name) != actual.get(name)
            ]
            if primary_key(connection, table.name) != table.key:
                differences.append(f"{table.name}: key {table.key}, database {primary_key(connection, table.name)}")
    assert differences == []


def test_descriptions_reach_the_database(database: Database) -> None:
    with database.connect() as connection:
        for table in tables().values():
            comment = connection.execute("SELECT obj_description(to_regclass(%s))", [table.name])
            assert comment.fetchone() == (table.description,)
            rows = connection.execute(
                "SELECT attname, col_description(attrelid, attnum) FROM pg_attribute "
                "WHERE attrelid = to_regclass(%s) AND attnum > 0",
                [table.name],
            )
            assert {str(name): text for name, text in rows} == described_columns(table)
