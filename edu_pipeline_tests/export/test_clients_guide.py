"""docs/clients.md: every block is run, and shows the rows that are there."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from edu_pipeline.database.connection import Database
from edu_pipeline_tests.guides import DOCS, Workbench, blocks, install_node_postgres, with_programs

GUIDE = DOCS / "clients.md"


@pytest.fixture(scope="module")
def workbench(filled: Database, tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    """A shell with the programs and the server of the examples."""
    server = {name: str(value) for name, value in conninfo_to_dict(filled.url).items()}
    folder = tmp_path_factory.mktemp("clients")
    place = {"PGHOST": server["host"], "PGPORT": server["port"], "PGDATABASE": server["dbname"]}
    password = Path(server["passfile"]).read_text(encoding="utf-8").strip().rpartition(":")[2]
    who = {"PGUSER": server["user"], "PGPASSWORD": password}
    settings = {"EDU_DATABASE_URL": filled.url, "EDU_HOME": str(folder)}
    return Workbench(folder, with_programs() | settings, {}, place | who)


def output(workbench: Workbench, language: str, heading: str) -> str:
    """What the blocks of a language below a heading print."""
    chosen = [block.text for block in blocks(GUIDE) if (block.language, block.heading) == (language, heading)]
    assert chosen
    ended = [workbench.run(language, text) for text in chosen]
    assert all(one.returncode == 0 for one in ended), "\n".join(one.stderr for one in ended)
    return "\n".join(one.stdout for one in ended)


def has_packages(*names: str) -> bool:
    """Whether R and these of its packages are installed."""
    asked = " && ".join(f"requireNamespace('{name}', quietly = TRUE)" for name in names)
    command = ["Rscript", "--vanilla", "-e", f"quit(status = !({asked}))"]
    return shutil.which("Rscript") is not None and subprocess.run(command, capture_output=True).returncode == 0


def test_psql(workbench: Workbench) -> None:
    shown = output(workbench, "sql", "psql")
    assert "Commune 01001 | {01000,AD500}" in shown
    assert "Attribution: Sources: DINUM / INSEE" in shown
    assert "01001 | 01001   | 01001" in shown


def test_node_postgres(workbench: Workbench) -> None:
    install_node_postgres(workbench)
    assert output(workbench, "js", "node-postgres").startswith("Commune 01001 [ '01000', 'AD500' ]")


def test_pandas(workbench: Workbench) -> None:
    assert "2A004  Commune 2A004" in output(workbench, "python", "pandas")


def test_r_reads_the_database(workbench: Workbench) -> None:
    if not has_packages("DBI", "RPostgreSQL"):
        pytest.skip("R, DBI or RPostgreSQL is not installed")
    (block,) = (block for block in blocks(GUIDE) if "RPostgreSQL" in block.text)
    ended = workbench.run("r", block.text)
    assert "2A004 Commune 2A004" in ended.stdout, ended.stderr


@pytest.fixture(scope="module")
def files(workbench: Workbench) -> Path:
    """The folder with the files that the guide exports."""
    output(workbench, "sh", "From files")
    return workbench.folder / "open"


@pytest.mark.usefixtures("files")
def test_duckdb_polars_and_geopandas(workbench: Workbench) -> None:
    shown = output(workbench, "python", "DuckDB, polars and geopandas")
    assert "Commune 2A004" in shown and "École 0010001A" in shown
    assert "01001       85.10" in shown and "2A004       85.10" not in shown


@pytest.mark.usefixtures("files")
def test_gdal(workbench: Workbench) -> None:
    if not shutil.which("ogrinfo"):
        pytest.skip("GDAL's programs are not installed")
    assert "Feature Count: 3" in output(workbench, "sh", "GDAL")


@pytest.mark.usefixtures("files")
def test_r_reads_the_files(workbench: Workbench) -> None:
    if not has_packages("sf"):
        pytest.skip("R or sf is not installed")
    (block,) = (block for block in blocks(GUIDE) if "st_read" in block.text)
    ended = workbench.run("r", block.text)
    assert "2A004 Commune 2A004 POINT (5.1 46.1)" in ended.stdout, ended.stderr
