"""The pipeline touches only what is its own: ``public`` and ``user_mgmt``, which belong to the application, are dumped
after every command that writes, and are the same, byte for byte.

A dump does not show whether something was removed and put back, so the files of the tables are compared too.
"""

from __future__ import annotations

import difflib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from edu_pipeline.database.binaries import find_binaries
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.database.migrate import migrate
from edu_pipeline.errors import EduError
from edu_pipeline.sample.shelf import make
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.programs import run_here
from edu_pipeline_tests.sample.sample_files import copied_sample
from edu_pipeline_tests.servers import own_server
from edu_pipeline_tests.stand_in import SALES, StandIn

APPLICATION = """
CREATE ROLE eduinfo LOGIN PASSWORD 'secret';
CREATE ROLE importer LOGIN;
ALTER ROLE importer SET work_mem = '8MB';
GRANT USAGE, CREATE ON SCHEMA public TO importer;
COMMENT ON SCHEMA public IS 'Of the application and its importers';
CREATE EXTENSION pg_trgm SCHEMA public;
CREATE EXTENSION pgcrypto SCHEMA public;

SET ROLE importer;
CREATE TYPE public.secteur AS ENUM ('public', 'privé');
CREATE DOMAIN public.code_commune AS text CHECK (VALUE ~ '^[0-9AB]{5}$');
CREATE TABLE public.info_communes (code_commune public.code_commune PRIMARY KEY, nom_commune text NOT NULL);
CREATE TABLE public.ips_lycees (
    uai text PRIMARY KEY, ips numeric, secteur public.secteur,
    code_commune public.code_commune REFERENCES public.info_communes
);
CREATE TABLE public.relevant_communes (id serial PRIMARY KEY, code text UNIQUE);
CREATE TABLE public.criminalite_2024 (annee int, code text) PARTITION BY RANGE (annee);
CREATE TABLE public.criminalite_2024_rows PARTITION OF public.criminalite_2024 FOR VALUES FROM (2024) TO (2025);
CREATE SEQUENCE public.imports START 7 OWNED BY public.ips_lycees.uai;
INSERT INTO public.info_communes SELECT lpad(n::text, 5, '0'), 'Commune ' || n FROM generate_series(1, 500) AS n;
INSERT INTO public.ips_lycees VALUES ('0010001A', 101.5, 'public', '00001'), ('0010002B', NULL, 'privé', NULL);
INSERT INTO public.relevant_communes (code) VALUES ('00001'), ('00002');
INSERT INTO public.criminalite_2024 VALUES (2024, '00001');
SELECT nextval('public.imports');
CREATE INDEX nom_trgm ON public.info_communes USING gin (nom_commune public.gin_trgm_ops);
CREATE MATERIALIZED VIEW public.commune_context_cache AS SELECT * FROM public.info_communes;
CREATE UNIQUE INDEX ON public.commune_context_cache (code_commune);
CREATE VIEW public.lycees AS SELECT uai, ips FROM public.ips_lycees WHERE secteur = 'public';
CREATE FUNCTION public.refresh_all_caches() RETURNS void LANGUAGE sql
    AS 'REFRESH MATERIALIZED VIEW public.commune_context_cache';
CREATE FUNCTION public.digest_of(text) RETURNS bytea LANGUAGE sql AS $$SELECT public.digest($1, 'sha256')$$;
COMMENT ON TABLE public.ips_lycees IS 'Filled by hand';
COMMENT ON COLUMN public.ips_lycees.ips IS 'As imported';
COMMENT ON FUNCTION public.refresh_all_caches() IS 'The old one';
GRANT SELECT ON ALL TABLES IN SCHEMA public TO eduinfo;
GRANT UPDATE (ips) ON public.ips_lycees TO eduinfo;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO eduinfo;
RESET ROLE;

CREATE SCHEMA user_mgmt AUTHORIZATION eduinfo;
SET ROLE eduinfo;
CREATE TABLE user_mgmt.users (
    id uuid PRIMARY KEY DEFAULT public.gen_random_uuid(), email text UNIQUE, created_at timestamptz DEFAULT now()
);
CREATE TABLE user_mgmt.sessions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES user_mgmt.users ON DELETE CASCADE
);
CREATE FUNCTION user_mgmt.lower_email() RETURNS trigger LANGUAGE plpgsql
    AS 'BEGIN NEW.email := lower(NEW.email); RETURN NEW; END';
CREATE TRIGGER lower_email BEFORE INSERT OR UPDATE ON user_mgmt.users
    FOR EACH ROW EXECUTE FUNCTION user_mgmt.lower_email();
INSERT INTO user_mgmt.users (id, email) VALUES ('00000000-0000-0000-0000-000000000001', 'A@example.org');
INSERT INTO user_mgmt.sessions (user_id) SELECT id FROM user_mgmt.users;
ALTER TABLE user_mgmt.sessions ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON user_mgmt.sessions USING (user_id::text = current_setting('app.user', true));
COMMENT ON TABLE user_mgmt.users IS 'People';
GRANT USAGE ON SCHEMA user_mgmt TO importer;
GRANT SELECT (id) ON user_mgmt.users TO importer;
RESET ROLE;
"""
"""Tables, views and functions of ``public`` have the same names as ours, so that a bare name gone astray would hit."""

WITH_POSTGIS = """
CREATE EXTENSION postgis SCHEMA public;
CREATE TABLE public.commune_boundaries (code_commune text PRIMARY KEY, geometry public.geometry(MultiPolygon, 4326));
CREATE INDEX ON public.commune_boundaries USING gist (geometry);
INSERT INTO public.commune_boundaries VALUES
    ('00001', public.ST_Multi(public.ST_GeomFromText('POLYGON((4 46, 5 46, 5 47, 4 46))', 4326)));
INSERT INTO public.spatial_ref_sys (srid, auth_name, auth_srid) VALUES (990001, 'own', 1);
ALTER DATABASE postgres SET search_path = "$user", public, user_mgmt;
ALTER DATABASE postgres SET statement_timeout = '10min';
"""

COMMANDS = (
    "migrate",
    "rebuild",
    "publish",
    "refresh",
    "roles",
    "switchover apply",
    "rebuild",
    "rollback",
    "compare --repeat 1",
    "switchover rollback",
    "drop-previous --yes",
    "start-over --yes",
)
"""In their order; ``publish`` stands for a new release of a publisher. The second rebuild runs as the role that owns
the tables, with the target schema first on the database's search_path."""

WITHOUT_POSTGIS = ("migrate", "rebuild", "roles", "switchover apply", "switchover rollback", "start-over --yes")
"""Those that differ where the pipeline installs PostGIS itself, and those that create or drop schemas."""

REFERENCES = (
    "GRANT USAGE ON SCHEMA user_mgmt TO edu_analytics;\n",
    "GRANT REFERENCES(id) ON TABLE user_mgmt.users TO edu_analytics;\n",
)
"""What `edu-pipeline roles` has to add to the dump, for the foreign keys of ``analytics``; no other line changes."""

FILES = """
    SELECT c.oid, c.relname, c.relfilenode FROM pg_class AS c
    WHERE c.relnamespace IN ('public'::regnamespace, to_regnamespace('user_mgmt')) ORDER BY c.oid
"""

QUESTION = "INSERT INTO analytics.nl_query_log (user_id, user_query) SELECT id, 'Où ?' FROM user_mgmt.users"


@pytest.fixture
def server() -> Iterator[Cluster]:
    """A server of this test's own, with the application in its database."""
    with own_server() as cluster:
        execute(cluster, APPLICATION)
        yield cluster


def execute(server: Cluster, statements: str) -> None:
    with psycopg.connect(server.url("postgres")) as connection:
        connection.execute(statements.encode())


def dumped(program: str, *options: str) -> str:
    """The output of pg_dump or pg_dumpall, without the two lines with a random key for psql."""
    command = [str(find_binaries().folder / program), *options]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    return re.sub(r"(?m)^\\(un)?restrict .*\n", "", result.stdout)


def snapshot(server: Cluster, extensions: list[str]) -> dict[str, str]:
    """Everything about the two schemas and these extensions, under the names that a failure shows."""
    selection = ["--schema=public", "--schema=user_mgmt", *(f"--extension={name}" for name in extensions)]
    with psycopg.connect(server.url("postgres")) as connection:
        files = connection.execute(FILES.encode()).fetchall()
        versions = connection.execute(
            "SELECT extname, extversion, extnamespace::regnamespace::text, extowner::regrole::text FROM pg_extension "
            "WHERE extname = ANY (%s) ORDER BY 1",
            [extensions],
        ).fetchall()
    return {
        "dump": dumped("pg_dump", *selection, server.url("postgres")),
        "files": "\n".join(map(str, files)),
        "extensions": str(versions),
    }


def changes(before: dict[str, str], now: dict[str, str]) -> str:
    """The lines that differ."""
    diffs = [difflib.unified_diff(before[part].splitlines(), now[part].splitlines(), lineterm="") for part in before]
    return "\n".join(line for diff in diffs for line in diff if line[0] in "+-")


def settings(server: Cluster) -> list[str]:
    """Roles with their settings, and the database's own settings and rights, as statements; not its content."""
    roles = dumped("pg_dumpall", "--globals-only", "-d", server.url("postgres"))
    database = dumped("pg_dump", "--create", "--schema-only", "--schema=user_mgmt", server.url("postgres"))
    return [line for line in (roles + database).splitlines() if line and not line.startswith("--")]


@pytest.fixture(scope="module")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample's files, in a directory that stands in for the publishers."""
    return copied_sample(tmp_path_factory.mktemp("upstream")).folder


@pytest.mark.parametrize("postgis", [True, False], ids=["PostGIS in public", "no PostGIS"])
def test_nothing_of_the_application_is_touched(
    server: Cluster, upstream: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgis: bool
) -> None:
    extensions = ["pg_trgm", "pgcrypto", "plpgsql"]
    if postgis:
        execute(server, WITH_POSTGIS)
        extensions.append("postgis")
    monkeypatch.setenv("EDU_HOME", str(tmp_path))
    monkeypatch.setenv("EDU_DATABASE_URL", server.url("postgres"))
    monkeypatch.setenv("EDU_UPSTREAM", str(upstream))
    before, settings_before = snapshot(server, extensions), settings(server)
    has_references = False
    for command in COMMANDS if postgis else WITHOUT_POSTGIS:
        if command == "publish":
            make(upstream, "sample").publish(SALES)
            continue
        result = run_here(*command.split())
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
        now = snapshot(server, extensions)
        has_references = has_references or command == "roles"
        for line in REFERENCES if has_references else ():
            assert line in now["dump"]
            now["dump"] = now["dump"].replace(line, "")
        assert now == before, f"{command}: {changes(before, now)}"
        if command == "migrate":
            execute(server, QUESTION)
        if command == "refresh":
            assert result.stderr.startswith("new releases: 1;")
    check_analytics(server, "public" if postgis else "postgis")
    settings_now = settings(server)
    assert [line for line in settings_before if line not in settings_now] == []
    added = [line for line in settings_now if line not in settings_before]
    assert added and all(re.search(r"\bedu_(owner|loader|reader|analytics)\b", line) for line in added), added


def check_analytics(server: Cluster, postgis_schema: str) -> None:
    """Check that the application's log is complete and linked to its users, and that PostGIS is where it should be."""
    with psycopg.connect(server.url("postgres")) as connection:
        questions = connection.execute("SELECT user_query FROM analytics.nl_query_log").fetchall()
        links = connection.execute(
            "SELECT count(*) FROM pg_constraint WHERE confrelid = 'user_mgmt.users'::regclass AND convalidated "
            "AND connamespace = 'analytics'::regnamespace"
        ).fetchone()
        home = connection.execute(
            "SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'postgis'"
        ).fetchone()
    assert (questions, links, home) == ([("Où ?",)], (2,), (postgis_schema,))


def test_a_load_without_a_migration_does_not_reach_public(
    empty_database: Database, archive: Archive, tmp_path: Path
) -> None:
    """If PostGIS is in ``public``, that schema is on the search_path, and it has tables of the same names."""
    with psycopg.connect(empty_database.url) as connection:
        connection.execute("CREATE EXTENSION postgis SCHEMA public")
    migrate(empty_database)
    with psycopg.connect(empty_database.url) as connection:
        connection.execute("CREATE TABLE public.departements (LIKE educational_data.departements INCLUDING ALL)")
    stand_in = StandIn(tmp_path / "upstream", archive, Database(empty_database.url, "never_migrated"))
    stand_in.put_communes()
    with pytest.raises((EduError, psycopg.errors.UndefinedTable)):
        stand_in.load("departements")
    assert stand_in.rows("SELECT * FROM public.departements") == []


CHANGES = {
    "a row": "INSERT INTO public.relevant_communes (code) VALUES ('00003')",
    "a user": "UPDATE user_mgmt.users SET email = 'b@example.org'",
    "the next number of a sequence": "SELECT nextval('public.imports')",
    "a table": "CREATE TABLE public.new (id int)",
    "a table's rows put back": "TRUNCATE public.criminalite_2024; INSERT INTO public.criminalite_2024 "
    "VALUES (2024, '00001')",
    "a view's rows": "REFRESH MATERIALIZED VIEW public.commune_context_cache",
    "an index": "DROP INDEX public.nom_trgm",
    "a column": "ALTER TABLE user_mgmt.users ADD COLUMN phone text",
    "a constraint": "ALTER TABLE public.ips_lycees ADD CHECK (ips > 0)",
    "a trigger": "ALTER TABLE user_mgmt.users DISABLE TRIGGER lower_email",
    "a policy": "DROP POLICY own ON user_mgmt.sessions",
    "a type": "ALTER TYPE public.secteur ADD VALUE 'autre'",
    "a function": "CREATE OR REPLACE FUNCTION public.refresh_all_caches() RETURNS void LANGUAGE sql AS 'SELECT'",
    "another function": "CREATE FUNCTION public.check_data_freshness() RETURNS void LANGUAGE sql AS 'SELECT'",
    "a comment": "COMMENT ON COLUMN public.ips_lycees.ips IS 'As published'",
    "a grant": "GRANT SELECT ON user_mgmt.users TO importer",
    "a right on a schema": "GRANT CREATE ON SCHEMA public TO eduinfo",
    "a default privilege": "ALTER DEFAULT PRIVILEGES IN SCHEMA user_mgmt GRANT SELECT ON TABLES TO importer",
    "an owner": "ALTER TABLE public.relevant_communes OWNER TO edu",
    "an extension's schema": "CREATE SCHEMA own; ALTER EXTENSION pgcrypto SET SCHEMA own",
}


def test_a_change_would_be_noticed(server: Cluster) -> None:
    extensions = ["pg_trgm", "pgcrypto"]
    now = snapshot(server, extensions)
    assert snapshot(server, extensions) == now
    for change, statement in CHANGES.items():
        execute(server, statement)
        before, now = now, snapshot(server, extensions)
        assert now != before, change


def test_a_change_of_settings_would_be_noticed(server: Cluster) -> None:
    now = settings(server)
    assert settings(server) == now
    for statement in (
        "ALTER DATABASE postgres SET search_path = educational_data, public",
        "ALTER ROLE eduinfo IN DATABASE postgres SET search_path = public",
        "ALTER ROLE importer RESET work_mem",
        "ALTER ROLE eduinfo PASSWORD 'other'",
        "GRANT importer TO eduinfo",
        "GRANT CREATE ON DATABASE postgres TO eduinfo",
        "REVOKE CONNECT ON DATABASE postgres FROM PUBLIC",
    ):
        execute(server, statement)
        before, now = now, settings(server)
        assert now != before, statement
