"""The wheel works by itself: built, installed away from the checkout, and run in an empty folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from upath import UPath

from edu_pipeline.database.connection import Database
from edu_pipeline.settings import PROJECT
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.stand_in import StandIn
from edu_pipeline_tests.upgrade.make_data import FIRST_PRICE, publish

BUILT_FROM = ("edu_pipeline", "pyproject.toml", "README.md", "LICENSE")
PIP = [sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check"]
OFFLINE = ["--quiet", "--no-deps", "--no-index"]


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment with the wheel; all other packages are those of the tests."""
    folder = tmp_path_factory.mktemp("wheel")
    source, environment = folder / "source", folder / "environment"
    for name in BUILT_FROM:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copyfile
        (source / name).parent.mkdir(exist_ok=True)
        copy(PROJECT / name, source / name)
    subprocess.run([*PIP, "wheel", *OFFLINE, "--no-build-isolation", "-w", str(folder), str(source)], check=True)
    (wheel,) = folder.glob("*.whl")
    venv.create(environment, symlinks=True)
    python = str(environment / "bin" / "python")
    subprocess.run([*PIP, "--python", python, "install", *OFFLINE, str(wheel)], check=True, env=without_settings())
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "of_the_tests.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return environment / "bin"


def without_settings(**settings: str) -> dict[str, str]:
    """The environment of a person who has only installed the wheel, with ``settings``."""
    ours = ("EDU_", "DAGSTER_", "PYTHON")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)} | settings


def test_the_definitions_load_outside_a_checkout(programs: Path, tmp_path: Path) -> None:
    python = str(programs / "python")
    place = [python, "-c", "import edu_pipeline; print(edu_pipeline.__file__)"]
    found = subprocess.run(place, cwd=tmp_path, env=without_settings(), capture_output=True, text=True, check=True)
    assert Path(found.stdout).is_relative_to(programs.parent)
    load = [python, "-m", "dagster", "definitions", "validate", "-m", "edu_pipeline.definitions"]
    subprocess.run(load, cwd=tmp_path, env=without_settings(), check=True, capture_output=True)
    assert list(tmp_path.iterdir()) == []


def test_the_wheel_has_every_file_of_the_package(programs: Path) -> None:
    (installed,) = programs.parent.glob("lib/python*/site-packages/edu_pipeline")
    assert files_of(installed) == files_of(PROJECT / "edu_pipeline")


def files_of(package: Path) -> set[str]:
    """Every file of a package, by its path in it."""
    files = (path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {str(path.relative_to(package)) for path in files}


def test_a_rebuild_in_an_empty_folder(programs: Path, tmp_path: Path, empty_database: Database) -> None:
    stand_in = StandIn(tmp_path / "upstream", Archive(UPath(tmp_path)), empty_database)
    publish(stand_in, FIRST_PRICE)
    folder = tmp_path / "empty"
    folder.mkdir()
    settings = without_settings(EDU_DATABASE_URL=empty_database.url, EDU_UPSTREAM=str(stand_in.folder))

    def run(*words: str) -> str:
        command = [str(programs / "edu-pipeline"), *words]
        ended = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    run("migrate")
    run("rebuild")
    status = {table["table"]: table["rows"] for table in json.loads(run("status", "--json"))}
    assert (status["mutations_immo_latest"], status["info_communes"]) == (12, 14)
    assert sorted(path.name for path in folder.iterdir()) == [".local"]
    assert sorted(path.name for path in (folder / ".local").iterdir()) == ["archive", "dagster"]
