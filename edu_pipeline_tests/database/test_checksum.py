"""Checksums: equal for the same rows in any order, different for any other rows."""

from __future__ import annotations

from typing import LiteralString

import pytest

from edu_pipeline.database import sessions
from edu_pipeline.database.checksum import Checksum, checksum_of_all, checksums
from edu_pipeline.database.connection import Database
from edu_pipeline.database.migrate import migrate
from edu_pipeline.database.views import views
from edu_pipeline.errors import SchemaMissing
from edu_pipeline.table import tables

EMPTY = Checksum(0, "0" * 16)


def execute(database: Database, *statements: LiteralString) -> None:
    """Execute the statements in one transaction."""
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement)


def checksum_after(database: Database, insert: LiteralString) -> Checksum:
    """The checksum of a new table with all kinds of columns, after ``insert``."""
    execute(
        database,
        "DROP TABLE IF EXISTS kinds",
        "CREATE TABLE kinds (t text, u text, f float8, n numeric(9,2), d date, z timestamptz, b bytea, l text[], "
        "j jsonb, g postgis.geometry)",
        insert,
    )
    return checksums(database)["kinds"]


def test_every_table_and_view_but_no_partition_is_listed(database: Database) -> None:
    answer = checksums(database)
    assert list(answer) == sorted([*tables(), *views()])
    assert {"criminalite_2024", "lycee_context_cache"} <= answer.keys()
    assert set(answer.values()) == {EMPTY}


def test_the_order_of_rows_and_columns_does_not_matter(empty_database: Database) -> None:
    migrate(empty_database)
    upward: LiteralString = "INSERT INTO kinds (t, f) SELECT i::text, i / 7.0 FROM generate_series(1, 500) i"
    downward: LiteralString = "INSERT INTO kinds (t, f) SELECT i::text, i / 7.0 FROM generate_series(500, 1, -1) i"
    first, second = checksum_after(empty_database, upward), checksum_after(empty_database, downward)
    assert first == second
    assert first.rows == 500
    execute(empty_database, "ALTER TABLE kinds DROP t", "ALTER TABLE kinds ADD t text")
    execute(empty_database, "UPDATE kinds SET t = round(f * 7)::text")
    assert checksums(empty_database)["kinds"] == first


def test_different_rows_have_different_checksums(database: Database) -> None:
    inserts: list[LiteralString] = [
        "SELECT",
        "INSERT INTO kinds (t) VALUES (NULL)",
        "INSERT INTO kinds (t) VALUES (NULL), (NULL)",
        "INSERT INTO kinds (t) VALUES (NULL), (NULL), (NULL)",
        "INSERT INTO kinds (t) VALUES ('')",
        "INSERT INTO kinds (u) VALUES ('')",
        "INSERT INTO kinds (t, u) VALUES ('a,b', 'c')",
        "INSERT INTO kinds (t, u) VALUES ('a', 'b,c')",
        "INSERT INTO kinds (t) VALUES ('a'), ('b')",
        "INSERT INTO kinds (t, u) VALUES ('a', 'b')",
        "INSERT INTO kinds (f) VALUES (0.1)",
        "INSERT INTO kinds (f) VALUES (0.1 + 1e-17)",
        "INSERT INTO kinds (f) VALUES (0.30000000000000004)",
        "INSERT INTO kinds (f) VALUES (0.3)",
        "INSERT INTO kinds (l) VALUES (ARRAY['a,b'])",
        "INSERT INTO kinds (l) VALUES (ARRAY['a', 'b'])",
        "INSERT INTO kinds (g) VALUES ('SRID=4326;POINT(2.1 48.8)')",
        "INSERT INTO kinds (g) VALUES ('SRID=4326;POINT(2.1 48.800000000000004)')",
        "INSERT INTO kinds (g) VALUES ('SRID=2154;POINT(2.1 48.8)')",
    ]
    digests = [checksum_after(database, insert) for insert in inserts]
    same = [(inserts[i], inserts[j]) for i in range(len(digests)) for j in range(i) if digests[i] == digests[j]]
    assert same == [(inserts[11], inserts[10])]  # 0.1 + 1e-17 is the float 0.1


def test_values_exchanged_between_rows_are_noticed(database: Database) -> None:
    straight = checksum_after(database, "INSERT INTO kinds (t, u) VALUES ('a', '1'), ('b', '2')")
    crossed = checksum_after(database, "INSERT INTO kinds (t, u) VALUES ('a', '2'), ('b', '1')")
    assert straight.rows == crossed.rows
    assert straight.digest != crossed.digest


def test_settings_of_the_database_do_not_matter(database: Database) -> None:
    insert: LiteralString = (
        "INSERT INTO kinds VALUES ('a', '', 0.30000000000000004, 1.5, '2024-02-01', '2024-02-01 12:00+01', '\\x00ff', "
        "ARRAY['x'], '{\"a\": 1.50}', 'SRID=4326;POINT(2.1 48.8)')"
    )
    before = checksum_after(database, insert)
    execute(
        database,
        "DO $$ DECLARE pair text; BEGIN FOREACH pair IN ARRAY ARRAY['DateStyle = ''German''', "
        "'TimeZone = ''Pacific/Apia''', 'extra_float_digits = -3', 'bytea_output = ''escape'''] LOOP "
        "EXECUTE format('ALTER DATABASE %I SET %s', current_database(), pair); END LOOP; END $$",
    )
    sessions.close_idle()  # the settings are those of new sessions
    with database.connect() as connection:
        assert connection.execute("SELECT d::text, f::text FROM kinds").fetchone() == ("01.02.2024", "0.3")
    assert checksums(database)["kinds"] == before


def test_a_number_from_a_sequence_does_not_count(database: Database) -> None:
    insert: LiteralString = (
        "INSERT INTO sectorisation_zones (code_departement, code_commune, zone_name, nature, rule) "
        "VALUES ('78', '78646', 'A', 'commune', 'x')"
    )
    execute(database, insert)
    before = checksums(database)["sectorisation_zones"]
    execute(database, "DELETE FROM sectorisation_zones", insert)
    assert checksums(database)["sectorisation_zones"] == before
    execute(database, "UPDATE sectorisation_zones SET zone_name = 'B'")
    assert checksums(database)["sectorisation_zones"] != before


def test_rows_of_a_partitioned_table_are_counted_once(database: Database) -> None:
    execute(
        database,
        "INSERT INTO criminalite_2024 (code_commune, annee, indicateur, unite_de_compte, est_diffuse) "
        "SELECT i::text, 2024, 'x', 'y', 'z' FROM generate_series(1, 10) i",
    )
    assert checksums(database)["criminalite_2024"].rows == 10


def test_two_schemas_with_the_same_rows_have_one_digest(database: Database) -> None:
    other = Database(database.url, "autre_schema")
    migrate(other)
    insert: LiteralString = "INSERT INTO anecdotes_communes VALUES ('78646', 'É')"
    execute(database, insert)
    assert checksum_of_all(checksums(other)) != checksum_of_all(checksums(database))
    execute(other, insert)
    assert checksums(other) == checksums(database)
    assert checksum_of_all(checksums(other)) == checksum_of_all(checksums(database))
    assert len(checksum_of_all({})) == 64


def test_a_table_with_only_a_sequence_column(database: Database) -> None:
    execute(database, "CREATE TABLE bare (id serial)", "INSERT INTO bare SELECT FROM generate_series(1, 3)")
    assert checksums(database)["bare"].rows == 3


def test_a_quoted_schema(database: Database) -> None:
    odd = Database(database.url, 'Schéma "1"')
    execute(odd, 'CREATE SCHEMA "Schéma ""1"""', 'CREATE TABLE "T x" ("Id" serial, "A b" text)')
    assert checksums(odd) == {"T x": EMPTY}


def test_a_missing_schema(database: Database) -> None:
    with pytest.raises(SchemaMissing, match=r"expected a schema.*found only .*educational_data.*postgis.*public"):
        checksums(Database(database.url, "absent"))
