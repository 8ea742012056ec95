"""docs/REBUILD_GUIDE.md: every block is run, in order, on a server of its own, with the sample's files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest

from edu_pipeline.settings import PROJECT
from edu_pipeline_tests.guides import DOCS, Workbench, blocks, with_programs
from edu_pipeline_tests.sample.sample_files import copied_sample
from edu_pipeline_tests.servers import own_server

GUIDE = DOCS / "REBUILD_GUIDE.md"

LARGEST = ("ban", "fr-en-carte-scolaire-*", "fr-en-occitanie-*", "insee-bpe", "insee-rp*", "onisep-*", "ssmsi-*")


@pytest.fixture
def workbench(tmp_path: Path) -> Iterator[Workbench]:
    """A checkout's folder, a database with only the application's role, and the sample's files as publishers."""
    (tmp_path / "dagster.yaml").symlink_to(PROJECT / "dagster.yaml")
    with own_server() as cluster:
        url = cluster.url("postgres")
        with psycopg.connect(url) as connection:
            connection.execute("CREATE ROLE eduinfo LOGIN")
        settings = {
            "EDU_HOME": str(tmp_path),
            "EDU_DATABASE_URL": url,
            "EDU_UPSTREAM": str(some_sources(tmp_path / "upstream")),
        }
        yield Workbench(tmp_path, with_programs() | settings, {"2026-05-01": f"{datetime.now(UTC):%Y-%m-%d}"}, {})


def some_sources(folder: Path) -> Path:
    """The sample without its largest sources, whose tables wait: the guide is about rebuilds, and has five of them."""
    copied_sample(folder)
    for source in LARGEST:
        for sub in folder.glob(source):
            shutil.rmtree(sub)
    return folder


SWAPS = ("edu-pipeline rebuild", "dagster job execute", "edu-pipeline rollback")
"""The first words of the commands after which another schema is live."""

VIEW = "CREATE SCHEMA reporting CREATE VIEW lycees AS SELECT uai, ips FROM educational_data.ips_lycees"


def query(workbench: Workbench, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(workbench.environment["EDU_DATABASE_URL"]) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []


def test_every_command_of_the_guide(workbench: Workbench) -> None:
    """Where the guide is about them, a reader's transaction is open and a view of another schema exists."""
    live: list[tuple[object, ...]] = []
    for block in blocks(GUIDE):
        if "--accept-shrink" in block.text:
            query(workbench, VIEW)
        with psycopg.connect(workbench.environment["EDU_DATABASE_URL"]) as reader:
            if "backend_xmin" in block.text:
                reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                reader.execute("SELECT count(*) FROM educational_data.ips_lycees")
            result = workbench.run(block.language, block.text)
            assert result.returncode == 0, f"{block.text}\n{result.stdout}{result.stderr}"
            assert "backend_xmin" not in block.text or str(reader.info.backend_pid) in result.stdout
        before, live = live, query(workbench, "SELECT 'educational_data.ips_lycees'::regclass::oid")
        assert (live != before) == block.text.startswith((*SWAPS, "edu-pipeline migrate")), block.text
        if "pg_total_relation_size" in block.text:
            assert "educational_data" in result.stdout
        if "edu_pipeline.rebuilds" in block.text:
            assert result.stdout.count("| swapped") == 2
        if block.text.startswith("edu-pipeline rebuild --as-of"):
            assert result.stdout.splitlines()[-1] == (workbench.folder / "after.txt").read_text().splitlines()[-1]
        if "pg_rewrite" in block.text:
            assert "reporting.lycees | educational_data__previous.ips_lycees" in result.stdout
    definition = "SELECT pg_get_viewdef('reporting.lycees'::regclass)"
    assert "educational_data.ips_lycees" in str(query(workbench, definition))
    newest_load = (
        "SELECT releases ? 'file-ips_lycees', changed FROM edu_pipeline.loads "
        "WHERE target_schema = 'educational_data' AND table_name = 'ips_lycees' ORDER BY id DESC LIMIT 1"
    )
    assert query(workbench, newest_load) == [(True, 0)]
    outcomes = query(workbench, "SELECT outcome FROM edu_pipeline.rebuilds")
    assert outcomes == [("swapped",)] * sum(block.text.startswith(SWAPS[:2]) for block in blocks(GUIDE))


def test_every_block_is_for_a_shell_or_for_psql() -> None:
    assert {block.language for block in blocks(GUIDE)} == {"sh", "sql"}
