"""What a command imports: nobody waits for Dagster to be told a URL or the state of the tables."""

from __future__ import annotations

import subprocess
import sys

import pytest

from edu_pipeline.database.connection import Database
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.guides import with_programs

SCRIPT = """
import sys
from edu_pipeline.cli.main import app
try:
    app(sys.argv[2:])
finally:
    print("imported:", *sorted(set(sys.argv[1].split(",")) & set(sys.modules)), file=sys.stderr)
"""


def imported(command: list[str], modules: str, **environment: str) -> list[str]:
    """Those of ``modules`` that a command has imported when it ends well."""
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT, modules, *command],
        env=with_programs() | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stderr.splitlines()[-1].removeprefix("imported:").split()


@pytest.mark.parametrize(
    "command", ["--help", "db url", "refresh --help", "export --help", "sample --help", "switchover --help"]
)
def test_nobody_waits_for_polars_or_dagster(command: str) -> None:
    modules = "dagster,polars,geopandas,matplotlib"
    assert imported(command.split(), modules, EDU_DATABASE_URL="postgresql://edu@127.0.0.1:1/evalLycee") == []


@pytest.mark.parametrize("command", ["status", "status --json", "health", "sources", "checksum", "migrate"])
def test_reports_do_not_wait_for_dagster(command: str, database: Database, archive: Archive) -> None:
    settings = {"EDU_DATABASE_URL": database.url, "EDU_ARCHIVE": str(archive.root)}
    assert imported(command.split(), "dagster,sqlalchemy", **settings) == []


def test_numpy_starts_no_threads_of_its_own() -> None:
    program = "import edu_pipeline, numpy, psutil; print(psutil.Process().num_threads())"
    assert subprocess.check_output([sys.executable, "-c", program], text=True).strip() == "1"
