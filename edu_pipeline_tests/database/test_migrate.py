"""Migrations: applied once, in order, whole or not at all, in any schema, and the same with psql."""

from __future__ import annotations

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from edu_pipeline.database import migrate as module
from edu_pipeline.database.binaries import find_binaries
from edu_pipeline.database.connection import Database
from edu_pipeline.database.migrate import Migration, migrate, migrations
from edu_pipeline.errors import MigrationFailed, MigrationInvalid

SQL = Path(module.__file__).parents[1] / "sql" / "migrations"

COLUMNS = """
    SELECT c.relname, c.relkind::text, a.attname,
        regexp_replace(format_type(a.atttypid, a.atttypmod), '^(public|postgis)[.]', ''), a.attnotnull
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'm', 'i', 'I') AND a.attnum > 0
    ORDER BY 1, a.attnum
"""

VIEWS = """
    SELECT c.relname, pg_get_viewdef(c.oid), obj_description(c.oid),
        ARRAY(SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = c.oid ORDER BY 1),
        ARRAY(SELECT col_description(c.oid, attnum) FROM pg_attribute WHERE attrelid = c.oid ORDER BY attnum)
    FROM pg_class AS c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'm'
    ORDER BY 1
"""


def query(database: Database, statement: LiteralString) -> list[tuple[object, ...]]:
    with database.connect() as connection:
        return connection.execute(statement).fetchall()


def test_every_file_is_applied_once_and_in_order(empty_database: Database) -> None:
    reported: list[str] = []
    names = migrate(empty_database, reported.append)
    assert names == reported == [file.name for file in migrations()]
    numbers = [int(name[:3]) for name in names if name[0].isdigit()]
    assert numbers[:11] == list(range(100, 111)), "as the plan numbers them"
    assert numbers == sorted(set(numbers))
    assert migrate(empty_database) == []


def test_a_second_schema_is_the_same_as_the_first(database: Database) -> None:
    other = Database(database.url, "autre_schema")
    migrate(other)
    assert query(other, COLUMNS) == query(database, COLUMNS)


def test_sectors_of_paris_stay_when_others_have_no_year(
    empty_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = [file for file in migrations() if not file.name.startswith("136_")]
    monkeypatch.setattr(module, "migrations", lambda: earlier)
    migrate(empty_database)
    insert = sql.SQL(
        "INSERT INTO secteurs_colleges (id, code_departement, noms_colleges, uai_colleges, rentree_scolaire, rule,"
        " geometry) VALUES (%s, '75', '{X}', '{0750001U}', %s, 'a map', 'SRID=4326;MULTIPOLYGON(((0 0,1 0,1 1,0 0)))')"
    )
    with empty_database.connect() as connection:
        connection.execute(insert, [1, "2026-2027"])
    monkeypatch.undo()
    assert migrate(empty_database) == ["136_sectors_without_a_year.sql"]
    with empty_database.connect() as connection:
        connection.execute(insert, [2, None])
    rows = query(empty_database, "SELECT id, rentree_scolaire FROM secteurs_colleges ORDER BY id")
    assert rows == [(1, "2026-2027"), (2, None)]


def test_psql_makes_the_same_schema(database: Database, empty_database: Database) -> None:
    environment = os.environ | {"PGOPTIONS": "-c search_path=educational_data"}
    psql = find_binaries().folder / "psql"
    for file in sorted(SQL.glob("*.sql")):
        command = [str(psql), "-qX", "-v", "ON_ERROR_STOP=1", "-f", str(file), empty_database.url]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    assert query(empty_database, COLUMNS) == query(database, COLUMNS)
    assert query(empty_database, VIEWS) == query(database, VIEWS)


def test_postgis_stays_out_of_public(database: Database) -> None:
    home = "SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'postgis'"
    assert query(database, home) == [("postgis",)]
    in_public = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    assert query(database, in_public) == [(0,)]


def test_an_installed_postgis_is_used_where_it_is(empty_database: Database, database: Database) -> None:
    with psycopg.connect(empty_database.url) as connection:
        connection.execute("CREATE EXTENSION postgis SCHEMA public")
    migrate(empty_database)
    assert query(empty_database, "SELECT to_regnamespace('postgis')") == [(None,)]
    assert query(empty_database, COLUMNS) == query(database, COLUMNS)


def test_an_edited_applied_file_is_named(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [replace(file, text=file.text + "-- edited\n") if "105" in file.name else file for file in migrations()]
    monkeypatch.setattr(module, "migrations", lambda: files)
    with pytest.raises(MigrationInvalid, match=r"migration 105_educational\.sql: expected the text that was applied"):
        migrate(database)


def test_an_edit_after_use_in_another_schema_is_named(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [replace(file, text=file.text + "-- edited\n") if "100" in file.name else file for file in migrations()]
    monkeypatch.setattr(module, "migrations", lambda: files)
    with pytest.raises(MigrationInvalid, match=r"migration 100_bookkeeping\.sql: expected the text that was applied"):
        migrate(Database(database.url, "autre_schema"))


def test_a_missing_applied_file_is_named(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [file for file in migrations() if not file.name.startswith("105")]
    monkeypatch.setattr(module, "migrations", lambda: files)
    with pytest.raises(MigrationInvalid, match=r"105_educational\.sql: expected the file that was applied"):
        migrate(database)


def test_a_file_that_fails_leaves_nothing(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Migration("111_broken.sql", "CREATE TABLE half (a int); SELECT 1 / 0;", repeatable=False)
    monkeypatch.setattr(module, "migrations", lambda: [*migrations(), broken])
    with pytest.raises(MigrationFailed, match=r"migration 111_broken\.sql, schema educational_data.*division by zero"):
        migrate(database)
    assert query(database, "SELECT to_regclass('half')") == [(None,)]
    monkeypatch.undo()
    assert migrate(database) == []


def test_a_missing_view_is_created_again(database: Database) -> None:
    with database.connect() as connection:
        connection.execute("DROP MATERIALIZED VIEW lycee_context_cache")
    assert migrate(database) == ["lycee_context_cache.sql"]


def test_a_changed_view_is_created_again(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [replace(file, text=file.text + "-- edited\n") if file.repeatable else file for file in migrations()]
    monkeypatch.setattr(module, "migrations", lambda: files)
    assert migrate(database) == [file.name for file in files if file.repeatable]


def test_two_migrations_at_the_same_time(empty_database: Database) -> None:
    with ThreadPoolExecutor(2) as pool:
        applied = list(pool.map(lambda _: migrate(empty_database), range(2)))
    assert sorted(map(len, applied)) == [0, len(migrations())]


def test_descriptions_reach_the_database(database: Database) -> None:
    described = (
        "SELECT col_description(attrelid, attnum) FROM pg_attribute "
        "WHERE attrelid = 'ips_lycees'::regclass AND attname = 'ips'"
    )
    assert "upstream: ips_etab" in str(query(database, described))
