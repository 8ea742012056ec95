"""The switch-over: what it sets, restores and refuses, and docs/SWITCH_OVER.md, whose every block is run."""

from __future__ import annotations

import re
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from typer.testing import CliRunner

from edu_pipeline.cli.switchover import RECONNECT
from edu_pipeline.cli.switchover import app as commands
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.migrate import migrate
from edu_pipeline.database.views import views
from edu_pipeline.errors import SwitchoverRefused
from edu_pipeline.operations import switchover
from edu_pipeline.operations.switchover import Finding, apply, rollback, verify
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import tables
from edu_pipeline_tests.guides import DOCS, Workbench, blocks, with_programs

GUIDE = DOCS / "SWITCH_OVER.md"
FOUND = "SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = 'ips_lycees'::regclass"
"""The schema in which a session finds one of the tables."""

VALUES = {
    "date": "2024-01-01", "timestamp with time zone": "2024-01-01", "text[]": "{1}", "character varying[]": "{1}",
    "geometry": "SRID=4326;MULTIPOLYGON EMPTY",
}  # fmt: skip
"""A value per type; of all others: 1."""


def fill(database: Database) -> None:
    """Give every table a row, which the ledger knows of, and every view the rows that follow."""
    with database.connect() as connection:
        names = [str(name) for (name,) in connection.execute(switchover.RELATIONS, [database.schema])]
        for name in [name for name in names if name not in views()]:
            required = connection.execute(
                "SELECT attname, regexp_replace(format_type(atttypid, atttypmod), '^\\w+\\.|\\(.*\\)', '', 'g') "
                "FROM pg_attribute "
                "WHERE attrelid = %s::regclass AND attnum > 0 AND attnotnull ORDER BY attnum",
                [name],
            ).fetchall()
            columns = sql.SQL(", ").join(sql.Identifier(str(column)) for column, _ in required)
            values = sql.SQL(", ").join(sql.Literal(VALUES.get(str(kind), "1")) for _, kind in required)
            connection.execute(sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(sql.Identifier(name), columns, values))
        for name in views():
            connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.Identifier(name)))
        record(connection, database, names, "published")


def record(connection: Connection, database: Database, names: list[str], state: str) -> None:
    """Write loads into the ledger."""
    connection.execute(
        "INSERT INTO edu_pipeline.loads (target_schema, table_name, state, started_at, releases, inputs_version, "
        "code_version, strategy) SELECT %s, name, %s, now(), '{}', '', '', 'all' FROM unnest(%s::text[]) AS name",
        [database.schema, state, names],
    )


@pytest.fixture
def ready(database: Database) -> Database:
    """A database whose tables are all filled, and in which the application has tables of its own in ``public``."""
    fill(database)
    with database.connect() as connection:
        connection.execute("CREATE TABLE public.ips_lycees (uai text, ips text, ancienne_colonne text)")
        connection.execute("CREATE SCHEMA user_mgmt CREATE TABLE users (id uuid PRIMARY KEY)")
    return database


@dataclass(frozen=True)
class Role:
    """A role that may log in, and its URL for the database."""

    name: str
    password: str
    url: str


@pytest.fixture
def role(ready: Database) -> Iterator[Role]:
    """The application's role; it may do nothing yet."""
    name = f"eduinfo_{uuid.uuid4().hex[:8]}"
    with ready.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret'").format(sql.Identifier(name)))
    yield Role(name, "secret", make_conninfo(ready.url, user=name, password="secret"))
    with ready.connect() as connection:
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def grant(database: Database, role: Role) -> None:
    """Let the role read all tables of the target schema."""
    statement = "GRANT USAGE ON SCHEMA {0} TO {1}; GRANT SELECT ON ALL TABLES IN SCHEMA {0} TO {1}"
    names = [sql.Identifier(database.schema), sql.Identifier(role.name)]
    with database.connect() as connection:
        connection.execute(sql.SQL(statement).format(*names))


def set_to(database: Database, value: str | None) -> None:
    """Make ``value`` the database's search_path, to the letter, as a person could have done."""
    with psycopg.connect(database.url) as connection:
        switchover._set(connection, value)


def setting(database: Database) -> list[tuple[object, ...]]:
    """All settings of the database, as the catalogue has them."""
    with psycopg.connect(database.url) as connection:
        return connection.execute(
            "SELECT setconfig FROM pg_db_role_setting WHERE setrole = 0 AND setdatabase = "
            "(SELECT oid FROM pg_database WHERE datname = current_database())"
        ).fetchall()


def answer(url: str, statement: str = FOUND) -> str:
    """The one value that a new session with this URL gets."""
    with psycopg.connect(url) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row
    return str(row[0])


def recorded(database: Database) -> list[tuple[object, ...]]:
    with database.connect() as connection:
        return connection.execute(
            "SELECT former_value, new_value, rolled_back_at IS NULL FROM edu_pipeline.switchovers ORDER BY id"
        ).fetchall()


def bad(findings: list[Finding]) -> list[str]:
    return [finding.what for finding in findings if not finding.ok]


@pytest.mark.parametrize(
    ("former", "new"),
    [
        (None, "educational_data, user_mgmt, public, postgis"),
        ('"$user", public', 'educational_data, "$user", public, postgis'),
        ("app, public", "educational_data, app, public, postgis"),
        ("app,   PUBLIC,user_mgmt", "educational_data, app, public, user_mgmt, postgis"),
        ("public, educational_data, postgis, app", "educational_data, public, postgis, app"),
        ('"Été, ""a"" = b", public', 'educational_data, "Été, ""a"" = b", public, postgis'),
        ('"a, b"', 'educational_data, "a, b", postgis'),
        ('""', "educational_data, postgis"),
        ("", "educational_data, postgis"),
    ],
)
def test_there_and_back(ready: Database, archive: Archive, former: str | None, new: str) -> None:
    set_to(ready, former)
    with ready.connect() as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} SET work_mem TO '5MB'").format(name_of(connection)))
    before = setting(ready)
    done = apply(ready, archive)
    assert (done.former_value, done.new_value, done.changed) == (former, new, True)
    assert answer(ready.url, "SHOW search_path") == new
    assert answer(ready.url) == "educational_data"
    undone = rollback(ready)
    assert undone.rolled_back_at
    assert sorted(str(entry) for entry in setting(ready)) == sorted(str(entry) for entry in before)
    assert recorded(ready) == [(former, new, False)]


def name_of(connection: Connection) -> sql.Identifier:
    return sql.Identifier(connection.info.dbname)


def test_nothing_is_left_of_a_setting_that_was_not_there(ready: Database, archive: Archive) -> None:
    apply(ready, archive)
    rollback(ready)
    assert setting(ready) == []


def test_postgis_in_public_keeps_its_place(empty_database: Database, archive: Archive) -> None:
    with psycopg.connect(empty_database.url) as connection:
        connection.execute("CREATE EXTENSION postgis SCHEMA public")
    migrate(empty_database)
    fill(empty_database)
    set_to(empty_database, "public, app")
    assert apply(empty_database, archive).new_value == "educational_data, public, app"


def test_the_application_s_own_schemas(ready: Database, archive: Archive) -> None:
    with ready.connect() as connection:
        connection.execute('CREATE SCHEMA "Mon Appli"')
    done = apply(ready, archive, application_schemas=["Mon Appli", "gone", "public"])
    assert done.new_value == 'educational_data, "Mon Appli", public, postgis'


def test_twice_changes_nothing(ready: Database, archive: Archive) -> None:
    first = apply(ready, archive)
    before = recorded(ready)
    again = apply(ready, archive, red_checks=["a check that is red by now"])
    assert not again.changed
    assert (again.id, again.applied_at) == (first.id, first.applied_at)
    assert recorded(ready) == before
    rollback(ready)
    assert apply(ready, archive).changed
    assert [in_force for *_, in_force in recorded(ready)] == [False, True]


def test_two_at_once(ready: Database, archive: Archive) -> None:
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda _: apply(ready, archive).changed, range(2)))
    assert sorted(done) == [False, True]


def test_set_by_hand_has_no_former_value(ready: Database, archive: Archive) -> None:
    set_to(ready, "educational_data, user_mgmt, public, postgis")
    with pytest.raises(SwitchoverRefused, match="knows no former value"):
        apply(ready, archive)
    assert recorded(ready) == []


def test_refuses_while_the_tables_are_not_ready(ready: Database, archive: Archive) -> None:
    with ready.connect() as connection:
        connection.execute("TRUNCATE logement_2021; TRUNCATE aggregated_data_lycees_2024")
        connection.execute("REFRESH MATERIALIZED VIEW lycee_context_cache")
        record(connection, ready, ["ips_colleges"], "failed")
    with pytest.raises(SwitchoverRefused) as refused:
        apply(ready, archive, red_checks=["ips_lycees: age"])
    text = str(refused.value)
    for part in (
        "aggregated_data_lycees_2024: empty (loaded)", "logement_2021: empty (loaded)", "ips_colleges: its newest load "
        "failed", "lycee_context_cache: empty (loaded)", "check ips_lycees: age", "edu-pipeline refresh",
    ):  # fmt: skip
        assert part in text
    assert text.count("empty (") == 3
    assert (setting(ready), recorded(ready)) == ([], [])


def test_refuses_on_a_red_check_alone(ready: Database, archive: Archive) -> None:
    with pytest.raises(SwitchoverRefused, match="found check ips_lycees: age"):
        apply(ready, archive, red_checks=["ips_lycees: age"])
    assert setting(ready) == []


def test_a_table_that_was_never_loaded(ready: Database, archive: Archive) -> None:
    """One that waits, or may be empty, is a warning; one that only has not been loaded is refused."""
    with ready.connect() as connection:
        connection.execute("CREATE TABLE without_an_asset (a int)")
        connection.execute("TRUNCATE anecdotes_communes, logement_2021, ips_score")
        connection.execute(
            "DELETE FROM edu_pipeline.loads WHERE table_name = ANY (%s)", [["logement_2021", "anecdotes_communes"]]
        )
    warnings = apply(ready, archive).warnings
    assert [warning.partition(" ")[0] for warning in warnings] == [
        "ips_score", "anecdotes_communes", "logement_2021", "without_an_asset"
    ]  # fmt: skip
    assert "waits for a file of insee-" in warnings[2]
    assert warnings[3] == "without_an_asset is empty (waits for its asset)"
    rollback(ready)
    with ready.connect() as connection:
        connection.execute("TRUNCATE relevant_communes")
        connection.execute("DELETE FROM edu_pipeline.loads WHERE table_name = 'relevant_communes'")
    with pytest.raises(SwitchoverRefused, match=r"relevant_communes: empty \(never loaded\)"):
        apply(ready, archive)


def test_nothing_there_at_all(ready: Database, archive: Archive) -> None:
    with pytest.raises(SwitchoverRefused, match="found no table at all"):
        apply(Database(ready.url, "autre_schema"), archive)


def test_invented_rows_are_said_to_be(ready: Database, archive: Archive) -> None:
    with ready.connect() as connection:
        connection.execute("UPDATE edu_pipeline.loads SET invented = true")
    assert apply(ready, archive).warnings == ("the rows are invented data of the sample publisher",)


def test_someone_changed_it_in_between(ready: Database, archive: Archive) -> None:
    set_to(ready, "app, public")
    apply(ready, archive)
    set_to(ready, "somebody_else")
    said = r"found 'somebody_else'.*'app, public'.*rollback --force"
    with pytest.raises(SwitchoverRefused, match=said):
        rollback(ready)
    with pytest.raises(SwitchoverRefused, match=said):
        apply(ready, archive)
    assert answer(ready.url, "SHOW search_path") == "somebody_else"
    rollback(ready, force=True)
    assert answer(ready.url, "SHOW search_path") == "app, public"


def test_undone_by_hand(ready: Database, archive: Archive) -> None:
    apply(ready, archive)
    set_to(ready, None)
    assert apply(ready, archive).changed
    set_to(ready, None)
    assert rollback(ready).rolled_back_at
    assert setting(ready) == []
    assert [in_force for *_, in_force in recorded(ready)] == [False, False]


def test_nothing_applied(ready: Database) -> None:
    with pytest.raises(SwitchoverRefused, match="found none in edu_pipeline"):
        rollback(ready)


def test_not_migrated(empty_database: Database, archive: Archive) -> None:
    with pytest.raises(SwitchoverRefused, match="edu-pipeline migrate"):
        rollback(empty_database)
    with pytest.raises(SwitchoverRefused, match="edu-pipeline migrate"):
        apply(empty_database, archive)
    assert bad(verify(empty_database)) == ["search_path", "schema educational_data"]


def test_only_the_owner(ready: Database, archive: Archive, role: Role) -> None:
    with pytest.raises(SwitchoverRefused, match="Name the owner of the database"):
        rollback(Database(role.url, ready.schema))
    with pytest.raises(SwitchoverRefused, match="permission denied for schema edu_pipeline"):
        verify(Database(role.url, ready.schema))
    grant(ready, role)
    grant(Database(ready.url, "edu_pipeline"), role)
    with ready.connect() as connection:
        connection.execute(
            sql.SQL("GRANT INSERT, UPDATE ON edu_pipeline.switchovers TO {}").format(sql.Identifier(role.name))
        )
    with pytest.raises(SwitchoverRefused, match=r"must be owner of database .* Name the owner of the database"):
        apply(Database(role.url, ready.schema), archive)
    assert (setting(ready), recorded(ready)) == ([], [])


def test_verify(ready: Database, archive: Archive, role: Role) -> None:
    before = bad(verify(ready))
    assert before[0] == "search_path"
    assert "table ips_lycees" in before
    with psycopg.connect(role.url, application_name="eduinfo web") as old:
        old.execute("SELECT 1")
        apply(ready, archive)
        assert old.execute("SHOW search_path").fetchone() == ('"$user", public',)
        findings = {finding.what: finding for finding in verify(ready, [role.name])}
        assert bad(list(findings.values())) == [f"tables for {role.name}", f"session {old.info.backend_pid}"]
        assert "eduinfo web" in findings[f"session {old.info.backend_pid}"].detail
        assert "ips_lycees" in findings[f"tables for {role.name}"].detail
        assert findings["search_path"].detail == ("educational_data, user_mgmt, public, postgis (set for the database)")
        assert findings["table ips_lycees"].detail == "in educational_data"
        assert bad(verify(ready, ["nobody_of_this_name"])) == ["tables for nobody_of_this_name"]
    grant(ready, role)
    assert bad(verify(ready, [role.name])) == []
    assert {f"table {name}" for name in [*tables(), *views()]} <= findings.keys()


def test_verify_sees_what_a_role_sets_for_itself(ready: Database, archive: Archive, role: Role) -> None:
    grant(ready, role)
    apply(ready, archive)
    what = f"role {role.name}"
    for scope, value, expected in (
        ("", "public", [what]),
        (" IN DATABASE {}", "educational_data, public", []),
        (" IN DATABASE {}", "user_mgmt, educational_data", [what]),
    ):
        with ready.connect() as connection:
            alter = sql.SQL("ALTER ROLE {}").format(sql.Identifier(role.name))
            place = sql.SQL(scope).format(*[name_of(connection)] * bool(scope))
            connection.execute(alter + place + sql.SQL(" SET search_path TO ") + sql.SQL(value))
        found = {finding.what: finding for finding in verify(ready)}
        assert found[what].ok == (expected == [])
        assert value in found[what].detail
        assert bad(verify(ready, [role.name])) == expected


def test_verify_sees_what_hides_a_table(ready: Database, archive: Archive) -> None:
    set_to(ready, "public, educational_data, postgis")
    assert bad(verify(ready)) == ["search_path", "table ips_lycees"]


def test_what_the_commands_print(ready: Database, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDU_DATABASE_URL", ready.url)
    monkeypatch.setenv("EDU_ARCHIVE", str(archive.root))
    with ready.connect() as connection:
        connection.execute("TRUNCATE ips_score")
        name = connection.info.dbname
    new = "educational_data, public, postgis"
    for arguments, code, lines in (
        (["verify"], 1, ['not search_path: "$user", public (PostgreSQL\'s default)']),
        (["apply", "--keep", "public"], 0, ["ips_score is empty (loaded)", f"search_path of {name}: not set -> {new}"]),
        (["verify"], 0, [f"ok  search_path: {new} (set for the database)", "ok  table ips_score: in educational_data"]),
        (["apply"], 0, ["nothing changed", f"search_path of {name}: not set -> {new}"]),
        (["rollback"], 0, [f"restored the search_path of {name}: {new} -> not set", RECONNECT]),
        (["verify", "--role", "no one"], 1, ["not tables for no one: no such role"]),
    ):
        result = CliRunner().invoke(commands, arguments, catch_exceptions=False)
        assert result.exit_code == code
        for line in lines:
            assert line in result.output


def test_prepared_statements(ready: Database, archive: Archive) -> None:
    """What the guide says of them: they keep the session's path, and follow a swap of the schemas by name."""
    apply(ready, archive)
    with psycopg.connect(ready.url, autocommit=True) as reader, ready.connect() as writer:
        for _ in range(8):
            named = reader.execute("SELECT count(*) FROM ips_lycees", prepare=True).fetchone()
            every = reader.execute("SELECT * FROM ips_lycees", prepare=True).fetchall()
        assert (named, len(every)) == ((1,), 1)
        rollback(ready)
        assert reader.execute("SELECT count(*) FROM ips_lycees", prepare=True).fetchone() == (1,)
        writer.execute(
            "ALTER SCHEMA educational_data RENAME TO previous; CREATE SCHEMA educational_data;"
            "CREATE TABLE educational_data.ips_lycees (uai text)"
        )
        writer.commit()
        assert reader.execute("SELECT count(*) FROM ips_lycees", prepare=True).fetchone() == (0,)
        with pytest.raises(psycopg.errors.FeatureNotSupported, match="cached plan must not change result type"):
            reader.execute("SELECT * FROM ips_lycees", prepare=True)


@pytest.fixture
def workbench(ready: Database, role: Role, archive: Archive, tmp_path: Path) -> Workbench:
    """A shell in which ``edu-pipeline`` and ``psql`` are found, and the guide's names stand for those of the test."""
    given = conninfo_to_dict(ready.url)
    place = {"PGHOST": str(given["host"]), "PGPORT": str(given["port"]), "PGDATABASE": str(given["dbname"])}
    settings = {"EDU_DATABASE_URL": ready.url, "EDU_ARCHIVE": str(archive.root), "DAGSTER_HOME": str(tmp_path)}
    return Workbench(
        tmp_path,
        with_programs() | settings,
        {"evalLycee": str(given["dbname"]), "eduinfo": role.name},
        place | {"PGUSER": role.name, "PGPASSWORD": role.password},
    )


def of(language: str) -> list[str]:
    return [block.text for block in blocks(GUIDE) if block.language == language]


def test_every_block_of_the_guide_is_run() -> None:
    assert {block.language for block in blocks(GUIDE)} == {"sh", "sql", "js", "python", "java"}


def test_the_guide_s_commands(workbench: Workbench, ready: Database, role: Role) -> None:
    """All of sh and sql, in order, with the application's session open all the time."""
    expected = {
        "edu-pipeline switchover apply": "educational_data",
        "edu-pipeline switchover rollback": "public",
        "SET search_path TO educational_data": "educational_data",
        'ALTER DATABASE "evalLycee" RESET search_path': "public",
    }
    with ready.connect() as connection:
        connection.execute(sql.SQL("GRANT SELECT ON public.ips_lycees TO {}").format(sql.Identifier(role.name)))
    application = psycopg.connect(role.url, autocommit=True)
    application.execute("SELECT 1")
    ran = 0
    for language, block in [(each.language, each.text) for each in blocks(GUIDE)]:
        if language not in ("sh", "sql"):
            continue
        done = workbench.run(language, block)
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        ran += 1
        if "old.relname" in block:
            assert "ancienne_colonne" in done.stdout
        if "pg_terminate_backend" in block:
            assert str(application.info.backend_pid) in done.stdout
        if "switchover verify" in block:
            assert "ok  table ips_lycees: in educational_data" in done.stdout
        for command, home in expected.items():
            if command in block:
                assert answer(role.url) == home, block
    with application, pytest.raises(psycopg.errors.AdminShutdown):
        application.execute("SELECT 1")
    assert ran == len(of("sh")) + len(of("sql")) > 10
    assert answer(role.url) == "public"
    assert setting(ready) == []
    assert recorded(ready) == [(None, "educational_data, user_mgmt, public, postgis", False)]


def test_the_guide_s_python(workbench: Workbench, ready: Database, role: Role) -> None:
    grant(ready, role)
    for block in of("python"):
        done = workbench.run("python", block)
        assert done.stdout.split() == ["educational_data"], done.stderr


@pytest.fixture
def node_postgres(workbench: Workbench) -> None:
    """The package pg beside the examples."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", ".", "--cache", ".npm", "pg"]
    done = subprocess.run(command, cwd=workbench.folder, env=workbench.environment, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"npm cannot install pg here: {done.stderr.strip()[-200:]}")


@pytest.mark.usefixtures("node_postgres")
def test_the_guide_s_javascript(workbench: Workbench, ready: Database, role: Role) -> None:
    grant(ready, role)
    printed = []
    for block in of("js"):
        done = workbench.run("js", block)
        assert done.returncode == 0, done.stderr
        printed += done.stdout.split()
    assert printed == ["educational_data"] * 3


def test_the_guide_s_java(workbench: Workbench, ready: Database, role: Role) -> None:
    drivers = sorted(Path.home().glob(".m2/repository/org/postgresql/postgresql/*/postgresql-*.jar"))
    if not shutil.which("java") or not drivers:
        pytest.skip("java is not installed, or the PostgreSQL driver is not in Maven's repository")
    grant(ready, role)
    workbench.environment["CLASSPATH"] = str(drivers[-1])
    other = 'properties.setProperty("currentSchema", "educational_data,user_mgmt,public,postgis");'
    for block in of("java"):
        for variant in (block, re.sub(r'properties\.setProperty\("options".*', other, block)):
            done = workbench.run("java", variant)
            assert done.stdout.split() == ["educational_data"], done.stderr
