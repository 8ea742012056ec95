"""docs/adding-a-table.md, followed to the letter in a copy of the project: its blocks, its files, its commands.

Belongs here: that the guide's files suffice, and that they are all. Does not belong here: what the guide's example
tests itself.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from edu_pipeline.settings import PROJECT
from edu_pipeline_tests.guides import DOCS, Block, blocks, with_programs
from edu_pipeline_tests.stand_in import StandIn

GUIDE = DOCS / "adding-a-table.md"
COPIED = ("edu_pipeline", "edu_pipeline_tests", "docs", "pyproject.toml", "README.md", "dagster.yaml", "workspace.yaml")
COMMANDS = ("Run the tests", "Load it")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the project."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in COPIED:
        if (PROJECT / name).is_dir():
            shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy(PROJECT / name, copy / name)
    return copy


def digests(checkout: Path) -> dict[str, str]:
    """The digest of every file of the project by its path; caches and supplied files are left out."""
    paths = [path for name in COPIED for path in (checkout / name, *(checkout / name).rglob("*"))]
    return {
        str(path.relative_to(checkout)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
    }


def next_migration(checkout: Path) -> str:
    """The number of the next migration."""
    numbers = [int(path.name.split("_")[0]) for path in (checkout / "edu_pipeline/sql/migrations").glob("*.sql")]
    return str(max(numbers) + 1)


def file_of(block: Block) -> str | None:
    """The path in the heading above a block."""
    path = re.search("`(.+)`", block.heading)
    return path.group(1) if path else None


def listed_files() -> dict[str, str]:
    """The files in the guide's table, and whether each is new or gets an entry."""
    rows = re.findall(r"^\| `(\S+)` \| (new|entry) \|", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(rows)


def written(checkout: Path) -> set[str]:
    """Write the guide's blocks into the files in their headings; the paths of these files."""
    number, listed, paths = next_migration(checkout), listed_files(), set()
    for block in blocks(GUIDE):
        file = file_of(block)
        if file is None:
            continue
        path = checkout / file.replace("<number>", number)
        assert path.exists() == (listed[file] == "entry"), f"{file} is not what the guide's table says"
        with path.open("a", encoding="utf-8") as stream:
            stream.write(block.text)
        paths.add(str(path.relative_to(checkout)))
    return paths


def run(block: Block, checkout: Path, **more: str) -> str:
    """Run commands of the guide in the copy of the project; what they print."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("EDU_")}
    environment |= with_programs_of(checkout) | more
    completed = subprocess.run(
        ["sh", "-euc", block.text.replace(".venv/bin/", "")],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, f"{block.text}\n{completed.stdout}\n{completed.stderr}"
    return completed.stdout


def with_programs_of(checkout: Path) -> dict[str, str]:
    """Variables with which the environment's programs run the copy instead of this checkout."""
    return {"PATH": with_programs()["PATH"], "PYTHONPATH": str(checkout), "PYTHONDONTWRITEBYTECODE": "1"}


def test_the_guide_lists_the_files_that_it_writes() -> None:
    files = [file for block in blocks(GUIDE) if (file := file_of(block))]
    assert files == list(listed_files())
    commands = [block.heading for block in blocks(GUIDE) if block.language == "sh"]
    assert [heading.split(". ")[1] for heading in commands] == list(COMMANDS)


def test_a_table_added_by_the_guide_is_loaded(checkout: Path, stand_in: StandIn, tmp_path: Path) -> None:
    stand_in.put_communes()
    stand_in.load_communes()
    before = digests(checkout)

    paths = written(checkout)
    run_tests, load_it = (block for block in blocks(GUIDE) if block.language == "sh")
    run(run_tests, checkout)
    printed = run(
        load_it,
        checkout,
        EDU_HOME=str(tmp_path / "home"),
        EDU_DATABASE_URL=stand_in.database.url,
        EDU_ARCHIVE=str(stand_in.archive.root),
    )

    assert "Collège Thomas Riboud" in printed
    rows = stand_in.rows(
        "SELECT uai, rentree_scolaire, reseau FROM educational_data.education_prioritaire ORDER BY uai"
    )
    assert rows == [("0010006B", 2025, "REP+"), ("0010021T", 2025, "REP")]
    comment = stand_in.rows("SELECT obj_description('educational_data.education_prioritaire'::regclass)")
    assert comment[0][0].startswith("A public école or collège in a priority education network")
    after = digests(checkout)
    assert {path for path in before.keys() | after.keys() if before.get(path) != after.get(path)} == paths
