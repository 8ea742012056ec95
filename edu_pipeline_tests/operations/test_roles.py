"""The three roles, tested with real logins: what each may do, and what it may not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from edu_pipeline.database import locks
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.database.locks import one_run
from edu_pipeline.database.migrate import migrate, start_over
from edu_pipeline.database.rights import copy_rights
from edu_pipeline.database.views import views
from edu_pipeline.errors import PrivilegeMissing, TableBusy, WaitTooLong
from edu_pipeline.operations import swap as operations_swap
from edu_pipeline.operations.roles import Roles, create_roles
from edu_pipeline.table import tables

TARGET = "educational_data"
DENIED = psycopg.errors.InsufficientPrivilege
UNCHANGED = ["nothing to do: roles and rights are as they should be"]

ALL = len(tables()) + len(views())
"""How many tables and views a migrated schema has."""

RELATIONS = """
    SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relkind IN ('r', 'p', 'v', 'm') AND NOT c.relispartition ORDER BY 2
"""

OWNERS = """
    WITH owned AS (
        SELECT nspname, nspowner AS owner FROM pg_namespace
        UNION SELECT relnamespace::regnamespace::name, relowner FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm', 'S')
        UNION SELECT pronamespace::regnamespace::name, proowner FROM pg_proc
    )
    SELECT nspname, array_agg(pg_get_userbyid(owner)::text) FROM owned
    WHERE nspname IN ('educational_data', 'analytics', 'edu_pipeline') GROUP BY 1
"""


@dataclass(frozen=True)
class Setting:
    """A migrated database with an application's users, the three roles, and logins in two of them."""

    admin: Database
    roles: Roles
    loader: Database
    reader: Database


@pytest.fixture
def roles(cluster: Cluster) -> Iterator[Roles]:
    """Names of this test's own; the roles and logins that were created are dropped after its databases."""
    tag = uuid.uuid4().hex[:8]
    yield Roles(f"owner_{tag}", f"loader_{tag}", f"reader_{tag}", f"analytics_{tag}")
    with psycopg.connect(cluster.url("postgres"), autocommit=True) as connection:
        for (name,) in connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE %s", [f"%{tag}"]).fetchall():
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture
def setting(roles: Roles, database: Database) -> Setting:
    add_users(database)
    create_roles(database, roles)
    loader = login(database, roles.loader)
    return Setting(database, roles, loader, login(database, roles.reader))


def login(database: Database, group: str) -> Database:
    """The same database with a new login, which is a member of ``group``."""
    name = f"login_of_{group}"
    own = new_login(database, name)
    execute(database, sql.SQL("GRANT {} TO {}").format(sql.Identifier(group), sql.Identifier(name)))
    return own


def new_login(database: Database, name: str) -> Database:
    execute(database, sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret'").format(sql.Identifier(name)))
    return Database(make_conninfo(database.url, user=name, password="secret"), database.schema)


def working_as(database: Database, role: str) -> Database:
    """The same login, which takes the rights of ``role`` on connecting."""
    return Database(make_conninfo(database.url, options=f"-c role={role}"), database.schema)


def add_users(database: Database) -> None:
    execute(database, "CREATE SCHEMA user_mgmt")
    execute(database, "CREATE TABLE user_mgmt.users (id uuid PRIMARY KEY, email text UNIQUE)")
    execute(database, "INSERT INTO user_mgmt.users VALUES ('00000000-0000-0000-0000-000000000001', 'a@example.org')")


def execute(database: Database, statement: LiteralString | sql.Composed) -> None:
    """Run a statement: a superuser as such, anybody else as the owner, if it is a member."""
    with database.connect() as connection:
        connection.execute(
            "SELECT set_config('role', 'none', false) FROM pg_roles WHERE rolname = session_user AND rolsuper"
        )
        connection.execute(statement)


def query(database: Database, statement: LiteralString, values: list[object] | None = None) -> list[tuple[object, ...]]:
    with database.connect() as connection:
        return connection.execute(statement, values).fetchall()


def refused(database: Database, statement: LiteralString | sql.Composed) -> None:
    with pytest.raises(DENIED):
        execute(database, statement)


def relations(database: Database, schema: str = TARGET) -> list[sql.Identifier]:
    return [sql.Identifier(str(schema), str(name)) for schema, name in query(database, RELATIONS, [schema])]


def refresh_all(database: Database) -> None:
    execute(database, "SELECT refresh_all_caches()")


def read_all(setting: Setting) -> int:
    """Select from every table and view as the reader; the number of them."""
    names = relations(setting.admin)
    with setting.reader.connect() as connection:
        for name in names:
            connection.execute(sql.SQL("SELECT * FROM {} LIMIT 1").format(name))
    return len(names)


def swap(owner: Database) -> None:
    """Swap the live schema with the next one, as at the end of a rebuild or in a rollback."""
    with owner.connect() as connection:
        copy_rights(connection, TARGET, f"{TARGET}__next")
        for old, new in ((TARGET, "aside"), (f"{TARGET}__next", TARGET), ("aside", f"{TARGET}__next")):
            connection.execute(sql.SQL("ALTER SCHEMA {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new)))


def test_running_twice_changes_nothing(roles: Roles, database: Database) -> None:
    add_users(database)
    execute(database, "CREATE SCHEMA dagster CREATE TABLE runs (id serial)")
    lines = create_roles(database, roles)
    assert lines[0] == f"created {roles.owner}, {roles.loader}, {roles.reader}, {roles.analytics}"
    assert f"{roles.reader}: SELECT on tables and views of {TARGET} ({ALL})" in lines
    assert f"{roles.analytics}: REFERENCES on user_mgmt.users (id)" in lines
    assert create_roles(database, roles) == UNCHANGED


def test_no_role_can_log_in_or_has_attributes(setting: Setting) -> None:
    names = [setting.roles.owner, setting.roles.loader, setting.roles.reader]
    able = (
        "SELECT rolcanlogin OR rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls "
        "FROM pg_roles WHERE rolname = ANY (%s)"
    )
    assert query(setting.admin, able, [names]) == [(False,)] * 3


def test_the_owner_owns_everything_of_ours(setting: Setting) -> None:
    owner, analytics = setting.roles.owner, setting.roles.analytics
    owners = {schema: set(roles) for schema, roles in query(setting.admin, OWNERS) if isinstance(roles, list)}
    assert owners == {"analytics": {analytics}, "edu_pipeline": {owner, analytics}, TARGET: {owner}}
    theirs = "SELECT proname FROM pg_proc JOIN pg_roles AS r ON r.oid = proowner WHERE rolname = %s"
    assert query(setting.admin, theirs, [analytics]) == [("link_analytics_to_users",)]
    others = "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname IN ('user_mgmt', 'public', 'postgis')"
    assert (setting.roles.owner,) not in query(setting.admin, others)


def test_the_owner_owns_next_and_previous_schema(roles: Roles, database: Database) -> None:
    execute(database, f"CREATE SCHEMA {TARGET}__next CREATE TABLE t (i int)")
    execute(database, f"CREATE SCHEMA {TARGET}__previous CREATE SEQUENCE s")
    create_roles(database, roles)
    owners = "SELECT pg_get_userbyid(relowner) FROM pg_class WHERE relname IN ('t', 's')"
    assert query(database, owners) == [(roles.owner,)] * 2


def test_the_reader_reads_everything(setting: Setting) -> None:
    refresh_all(setting.admin)
    assert read_all(setting) == ALL
    assert len(query(setting.reader, "SELECT * FROM check_data_freshness()")) == ALL
    assert query(setting.reader, "SELECT postgis.st_x(postgis.st_makepoint(1, 2))") == [(1.0,)]


def test_the_reader_writes_nothing(setting: Setting) -> None:
    refusals = (DENIED, psycopg.errors.WrongObjectType)  # nobody can write to a materialized view
    for schema in (TARGET, "edu_pipeline", "analytics", "user_mgmt"):
        for name in relations(setting.admin, schema):
            for statement in ("INSERT INTO {} DEFAULT VALUES", "DELETE FROM {}", "TRUNCATE {}", "DROP TABLE {}"):
                with pytest.raises(refusals), setting.reader.connect() as connection:
                    connection.execute(sql.SQL(statement).format(name))
    with setting.reader.connect() as connection:
        columns = connection.execute(
            "SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
            "WHERE c.relnamespace = %s::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 "
            "AND has_column_privilege(c.oid, a.attnum, 'INSERT, UPDATE, REFERENCES')",
            [TARGET],
        )
        assert columns.fetchone() == (0,)


@pytest.mark.parametrize("schema", [TARGET, "public", "analytics", "edu_pipeline", "user_mgmt"])
def test_the_reader_creates_nothing(setting: Setting, schema: str) -> None:
    refused(setting.reader, sql.SQL("CREATE TABLE {} (i int)").format(sql.Identifier(schema, "mine")))
    refused(setting.reader, "CREATE SCHEMA mine")


def test_the_reader_reads_nothing_else(setting: Setting) -> None:
    refused(setting.reader, "SELECT * FROM analytics.nl_query_log")
    refused(setting.reader, "SELECT * FROM user_mgmt.users")
    refused(setting.reader, "SELECT refresh_all_caches()")
    refused(setting.reader, "SELECT nextval('sectorisation_zones_id_seq')")


def test_the_reader_reads_what_is_created_later(setting: Setting) -> None:
    execute(setting.loader, "CREATE TABLE later (i int)")
    execute(setting.loader, "CREATE VIEW later_view AS SELECT * FROM later")
    refresh_all(setting.loader)
    assert read_all(setting) == ALL + 2


def test_the_reader_reads_after_swap_and_rollback(setting: Setting) -> None:
    upcoming = setting.loader.next
    migrate(upcoming)
    execute(upcoming, "CREATE TABLE new_here (i int)")
    for database in (setting.loader, upcoming):
        refresh_all(database)
    swap(setting.loader)
    assert read_all(setting) == ALL + 1
    execute(setting.loader, "CREATE TABLE later (i int)")
    assert read_all(setting) == ALL + 2
    refused(setting.reader, "DELETE FROM later")
    assert create_roles(setting.admin, setting.roles) == UNCHANGED
    swap(setting.loader)
    assert read_all(setting) == ALL
    execute(setting.loader, "CREATE TABLE later (i int)")
    assert read_all(setting) == ALL + 1


def test_the_loader_loads_refreshes_and_analyzes(setting: Setting) -> None:
    for department in ("01", "02"):
        refresh_all(setting.loader)
        with setting.loader.connect() as connection:
            connection.execute("CREATE TEMPORARY TABLE stale (i int) ON COMMIT DROP")
            connection.execute("DELETE FROM relevant_communes")
            connection.execute("INSERT INTO data_quality_metrics VALUES (%s, 1, 1)", [department])
            connection.execute(
                "INSERT INTO sectorisation_zones (code_departement, code_commune, zone_name, nature, rule) "
                "VALUES ('1', '1', '1', 'commune', '1')"
            )
            connection.execute("REFRESH MATERIALIZED VIEW CONCURRENTLY commune_context_cache")
            connection.execute("ANALYZE commune_context_cache")
            connection.execute("ALTER TABLE criminalite_2024 DETACH PARTITION criminalite_2024__rows")
            connection.execute("ALTER TABLE criminalite_2024 ATTACH PARTITION criminalite_2024__rows DEFAULT")


def test_the_loader_builds_the_next_schema(setting: Setting) -> None:
    assert migrate(setting.loader.next)
    assert migrate(setting.loader) == []
    owners = "SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = %s::regnamespace"
    assert query(setting.admin, owners, [f"{TARGET}__next"]) == [(setting.roles.owner,)]
    execute(setting.loader, f"DROP SCHEMA {TARGET}__next CASCADE")


def test_the_loader_leaves_users_and_public_alone(setting: Setting) -> None:
    refused(setting.loader, "SELECT * FROM user_mgmt.users")
    refused(setting.loader, "SELECT id FROM user_mgmt.users")
    refused(setting.loader, "INSERT INTO user_mgmt.users VALUES (gen_random_uuid())")
    refused(setting.loader, "UPDATE user_mgmt.users SET email = NULL")
    refused(setting.loader, "DELETE FROM user_mgmt.users")
    refused(setting.loader, "TRUNCATE user_mgmt.users")
    refused(setting.loader, "CREATE TABLE user_mgmt.mine (i int)")
    refused(setting.loader, "CREATE TABLE public.mine (i int)")
    refused(setting.loader, "CREATE TABLE analytics.mine (email text REFERENCES user_mgmt.users (email))")


def test_the_loader_cannot_drop_or_empty_analytics(setting: Setting) -> None:
    execute(setting.admin, "INSERT INTO analytics.nl_query_log (user_query) VALUES ('q')")
    for statement in (
        "DROP SCHEMA analytics CASCADE",
        "DROP TABLE analytics.nl_query_log",
        "TRUNCATE analytics.nl_query_log",
        "DELETE FROM analytics.nl_query_log",
        "ALTER TABLE analytics.nl_query_log DROP COLUMN user_query",
        "CREATE TABLE analytics.mine (i int)",
    ):
        refused(setting.loader, statement)
    with psycopg.connect(setting.admin.url) as connection:
        assert connection.execute("SELECT user_query FROM analytics.nl_query_log").fetchall() == [("q",)]


def test_analytics_stays_through_rebuilds_and_starting_over(setting: Setting) -> None:
    for _ in range(3):  # each drops the schema with which the one before began
        migrate(setting.loader.next)
        operations_swap.swap(setting.loader.next)
    start_over(setting.loader)
    assert migrate(setting.loader) == []
    owner = "SELECT pg_get_userbyid(nspowner) FROM pg_namespace WHERE nspname = 'analytics'"
    assert query(setting.admin, owner) == [(setting.roles.analytics,)]


def test_the_reader_cannot_keep_a_run_waiting(setting: Setting) -> None:
    with one_run(setting.loader, pytest.fail), setting.reader.connect() as reader:
        turn = sql.Identifier("edu_pipeline", f"one_run_{TARGET}")
        for mode in ("ACCESS SHARE", "ROW EXCLUSIVE", "EXCLUSIVE"):
            with pytest.raises(DENIED), reader.transaction():
                reader.execute(sql.SQL("LOCK TABLE {} IN {} MODE").format(turn, sql.SQL(mode)))
        with pytest.raises(DENIED):
            reader.execute("CREATE TABLE edu_pipeline.one_run_other ()")


def test_who_waits_too_long_learns_for_whom(setting: Setting) -> None:
    said: list[str] = []
    login_name = f"login_of_{setting.roles.loader}"
    with (
        one_run(setting.loader, pytest.fail),
        pytest.raises(WaitTooLong, match=rf"process \d+ of {login_name} \(edu_pipeline\), connected since 20"),
        one_run(setting.loader, said.append, timedelta(milliseconds=50)),
    ):
        pass
    assert len(said) == 1 and login_name in said[0]
    with one_run(setting.loader, pytest.fail):
        pass


def test_no_wait_for_a_reader_is_endless(setting: Setting, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = timedelta(milliseconds=50)
    monkeypatch.setattr(locks, "PATIENCE", moment)
    with setting.reader.connect() as reader, setting.loader.connect() as loader:
        for name in (f"rebuild:{TARGET}", f"schema:{TARGET}", f"load:{TARGET}.departements"):
            reader.execute("SELECT pg_advisory_lock(hashtextextended(%s, 0))", [f"edu_pipeline.{name}"])
        by = rf"found .*process {reader.info.backend_pid} of login_of_reader"
        with pytest.raises(WaitTooLong, match=by), locks.rebuild_claim(loader, TARGET):
            pass
        with pytest.raises(WaitTooLong, match=by):
            locks.schema_in_use(loader, TARGET)
        with pytest.raises(TableBusy, match=by):
            locks.table_loading(loader, TARGET, "departements", moment)
        reader.execute("SELECT pg_advisory_unlock_all()")
        locks.schema_in_use(loader, TARGET)
        locks.table_loading(loader, TARGET, "departements", moment)
        assert loader.execute("SHOW lock_timeout").fetchone() == ("0",)


def test_the_loader_links_the_logs_to_the_users(setting: Setting) -> None:
    execute(
        setting.admin, "INSERT INTO analytics.nl_query_log (user_id, user_query) SELECT id, 'q' FROM user_mgmt.users"
    )
    migrate(setting.loader)
    keys = (
        "SELECT convalidated FROM pg_constraint JOIN pg_class AS c ON c.oid = confrelid "
        "WHERE contype = 'f' AND c.relname = 'users'"
    )
    assert query(setting.admin, keys) == [(True,), (True,)]
    application = new_login(setting.admin, f"application_{setting.roles.owner}")
    name = sql.Identifier(f"application_{setting.roles.owner}")
    execute(setting.admin, sql.SQL("GRANT USAGE ON SCHEMA analytics, user_mgmt TO {}").format(name))
    execute(setting.admin, sql.SQL("GRANT INSERT ON analytics.user_feedback TO {}").format(name))
    execute(setting.admin, sql.SQL("GRANT USAGE ON ALL SEQUENCES IN SCHEMA analytics TO {}").format(name))
    execute(setting.admin, sql.SQL("GRANT SELECT, DELETE ON user_mgmt.users TO {}").format(name))
    assert create_roles(setting.admin, setting.roles) == UNCHANGED
    for statement in (
        "INSERT INTO analytics.user_feedback (user_id) VALUES (gen_random_uuid())",
        "DELETE FROM user_mgmt.users",
    ):
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            execute(application, statement)
    execute(setting.admin, "TRUNCATE analytics.nl_query_log")
    execute(application, "DELETE FROM user_mgmt.users")


def test_the_previous_owner_of_analytics_still_writes(roles: Roles, database: Database) -> None:
    application = new_login(database, f"application_{roles.owner}")
    name = sql.Identifier(f"application_{roles.owner}")
    execute(database, sql.SQL("ALTER SCHEMA analytics OWNER TO {}").format(name))
    for table in ("nl_query_log", "user_feedback"):
        execute(database, sql.SQL("ALTER TABLE analytics.{} OWNER TO {}").format(sql.Identifier(table), name))
    lines = create_roles(database, roles)
    assert f"application_{roles.owner}: keeps its rights on what it owned in analytics" in lines
    execute(application, "INSERT INTO analytics.nl_query_log (user_query) VALUES ('q')")
    assert query(application, "SELECT user_query FROM analytics.nl_query_log") == [("q",)]
    assert create_roles(database, roles) == UNCHANGED


def test_the_loader_uses_dagsters_schema(setting: Setting) -> None:
    execute(setting.admin, "CREATE SCHEMA dagster CREATE TABLE runs (id serial)")
    assert f"{setting.roles.loader}: USAGE, CREATE on dagster" in create_roles(setting.admin, setting.roles)
    with psycopg.connect(setting.loader.url) as connection:  # as Dagster itself does, which takes no role
        connection.execute("INSERT INTO dagster.runs DEFAULT VALUES")
        connection.execute("CREATE TABLE dagster.more (i int)")
    refused(setting.reader, "SELECT * FROM dagster.runs")


def test_roles_before_the_first_migration(roles: Roles, empty_database: Database) -> None:
    later = f"{TARGET}: there is no such schema yet; run this again after `edu-pipeline migrate`"
    assert create_roles(empty_database, roles)[-1] == later
    assert create_roles(empty_database, roles) == [*UNCHANGED, later]


def test_a_public_schema_open_to_all_is_only_reported(roles: Roles, empty_database: Database) -> None:
    execute(empty_database, "CREATE EXTENSION postgis SCHEMA public")
    execute(empty_database, "GRANT CREATE ON SCHEMA public TO PUBLIC")
    execute(empty_database, "REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    migrate(empty_database)
    rights = "SELECT nspowner, nspacl::text FROM pg_namespace WHERE nspname = 'public'"
    before = query(empty_database, rights)
    text = "\n".join(create_roles(empty_database, roles))
    assert "public: any role may create objects in it" in text
    assert f"public: PostGIS is in it, {roles.reader} may not use it" in text
    assert query(empty_database, rights) == before


def test_a_missing_right_names_the_statement_to_run(roles: Roles, database: Database) -> None:
    somebody = new_login(database, f"somebody_{roles.owner}")
    wanted = f'CREATE ROLE "{roles.owner}" NOLOGIN; CREATE ROLE "{roles.loader}" NOLOGIN; CREATE ROLE "{roles.reader}"'
    with pytest.raises(PrivilegeMissing, match=f"somebody_{roles.owner} lacks it: permission denied") as caught:
        create_roles(somebody, roles)
    assert wanted in caught.value.remedy
    dba = new_login(database, f"dba_{roles.owner}")
    execute(database, sql.SQL("ALTER ROLE {} CREATEROLE").format(sql.Identifier(f"dba_{roles.owner}")))
    with pytest.raises(PrivilegeMissing, match=f'ALTER SCHEMA .* OWNER TO "{roles.owner}"'):
        create_roles(dba, roles)
    assert query(database, "SELECT FROM pg_roles WHERE rolname = %s", [roles.reader]) == []


def test_a_table_in_use_is_not_waited_for(roles: Roles, database: Database) -> None:
    with psycopg.connect(conninfo=database.url) as other:
        other.execute("SELECT * FROM educational_data.relevant_communes")
        with pytest.raises(TableBusy, match="Nothing was changed"):
            create_roles(database, roles)
    assert query(database, "SELECT FROM pg_roles WHERE rolname = %s", [roles.owner]) == []


def test_a_session_that_has_taken_another_role(setting: Setting) -> None:
    execute(setting.admin, "CREATE TABLE by_hand (i int)")
    superuser = working_as(setting.admin, setting.roles.owner)
    lines = create_roles(superuser, setting.roles)
    assert f"{setting.roles.owner}: owns {TARGET}, objects taken over from edu: 1" in lines
