"""docs/SWITCH_OVER.md: every block is run, as the operator or as the application."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from edu_pipeline.database.connection import Database
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.guides import DOCS, Workbench, blocks, install_node_postgres, with_programs
from edu_pipeline_tests.operations.switching import Role, answer, grant, recorded, setting

GUIDE = DOCS / "SWITCH_OVER.md"


@pytest.fixture
def workbench(ready: Database, role: Role, archive: Archive, tmp_path: Path) -> Workbench:
    """A shell that finds ``edu-pipeline`` and ``psql``, in which the guide's names stand for those of the test."""
    server = {name: str(value) for name, value in conninfo_to_dict(ready.url).items()}
    place = {"PGHOST": server["host"], "PGPORT": server["port"], "PGDATABASE": server["dbname"]}
    settings = {"EDU_DATABASE_URL": ready.url, "EDU_ARCHIVE": str(archive.root), "DAGSTER_HOME": str(tmp_path)}
    return Workbench(
        tmp_path,
        with_programs() | settings,
        {"evalLycee": server["dbname"], "eduinfo": role.name},
        place | {"PGUSER": role.name, "PGPASSWORD": role.password},
    )


def blocks_in(language: str) -> list[str]:
    return [block.text for block in blocks(GUIDE) if block.language == language]


def test_every_block_of_the_guide_is_run() -> None:
    assert {block.language for block in blocks(GUIDE)} == {"sh", "sql", "js", "python", "java"}


def test_every_command_of_the_guide(workbench: Workbench, ready: Database, role: Role) -> None:
    """All blocks of sh and sql, in order, while the application has a session open."""
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
    runs = 0
    for language, block in [(entry.language, entry.text) for entry in blocks(GUIDE)]:
        if language not in ("sh", "sql"):
            continue
        result = workbench.run(language, block)
        assert result.returncode == 0, f"{block}\n{result.stdout}{result.stderr}"
        runs += 1
        if "old.relname" in block:
            assert "ancienne_colonne" in result.stdout
        if "pg_terminate_backend" in block:
            assert str(application.info.backend_pid) in result.stdout
        if "switchover verify" in block:
            assert "ok  table ips_lycees: in educational_data" in result.stdout
        for command, home in expected.items():
            if command in block:
                assert answer(role.url) == home, block
    with application, pytest.raises(psycopg.errors.AdminShutdown):
        application.execute("SELECT 1")
    assert runs == len(blocks_in("sh")) + len(blocks_in("sql")) > 10
    assert answer(role.url) == "public"
    assert setting(ready) == []
    assert recorded(ready) == [(None, "educational_data, user_mgmt, public, postgis", False)]


def test_the_python_of_the_guide(workbench: Workbench, ready: Database, role: Role) -> None:
    grant(ready, role)
    for block in blocks_in("python"):
        result = workbench.run("python", block)
        assert result.stdout.split() == ["educational_data"], result.stderr


@pytest.fixture
def node_postgres(workbench: Workbench) -> None:
    """The package pg, installed next to the examples."""
    install_node_postgres(workbench)


@pytest.mark.usefixtures("node_postgres")
def test_the_javascript_of_the_guide(workbench: Workbench, ready: Database, role: Role) -> None:
    grant(ready, role)
    printed = []
    for block in blocks_in("js"):
        result = workbench.run("js", block)
        assert result.returncode == 0, result.stderr
        printed += result.stdout.split()
    assert printed == ["educational_data"] * 3


def test_the_java_of_the_guide(workbench: Workbench, ready: Database, role: Role) -> None:
    drivers = sorted(Path.home().glob(".m2/repository/org/postgresql/postgresql/*/postgresql-*.jar"))
    if not shutil.which("java") or not drivers:
        pytest.skip("java is not installed, or the PostgreSQL driver is not in Maven's repository")
    grant(ready, role)
    workbench.environment["CLASSPATH"] = str(drivers[-1])
    driver_s_own = 'properties.setProperty("currentSchema", "educational_data,user_mgmt,public,postgis");'
    for block in blocks_in("java"):
        for variant in (block, re.sub(r'properties\.setProperty\("options".*', driver_s_own, block)):
            result = workbench.run("java", variant)
            assert result.stdout.split() == ["educational_data"], result.stderr
