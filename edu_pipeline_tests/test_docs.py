"""The documentation against the code: what it lists is complete, and what it points to exists."""

from __future__ import annotations

import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

import edu_pipeline
from edu_pipeline.errors import EduError
from edu_pipeline.settings import PROJECT, Settings
from edu_pipeline_tests.guides import DOCS

PACKAGE = "edu_pipeline."
PAGES = sorted([*PROJECT.glob("*.md"), *DOCS.glob("*.md")])
REFERENCE = re.compile(r"`((?:[\w.-]+/)*[\w.-]*\w\.(?:py|toml|sql|md|yaml|cff))`|(docs/[\w-]+(?:\.\w+)?)")
"""A file of the checkout, by its name in backticks, or a page of docs."""


def anchor(heading: str) -> str:
    """The anchor that a forge gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    return {anchor(heading) for heading in re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))}


def subclasses(kind: type) -> set[type]:
    return {kind}.union(*map(subclasses, kind.__subclasses__()))


def section(page: Path, heading: str) -> str:
    """The text of a page from a heading to the next one of the same level."""
    text = page.read_text(encoding="utf-8")
    match = re.search(rf"(?ms)^## {heading}\n(.*?)(?=^## |\Z)", text)
    assert match, f"{page.name} has no section {heading}"
    return match[1]


def test_every_failure_is_in_the_operators_guide() -> None:
    for module in pkgutil.walk_packages(edu_pipeline.__path__, PACKAGE):
        importlib.import_module(module.name)
    failures = {kind.__name__ for kind in subclasses(EduError) - {EduError} if kind.__module__.startswith(PACKAGE)}
    rows = re.findall(r"(?m)^\| `(\w+)` \| (.+?) \| (.+?) \|$", section(DOCS / "operating.md", "Failures"))
    assert sorted(name for name, _, _ in rows) == sorted(failures)


def test_the_cli_reference_is_up_to_date(tmp_path: Path) -> None:
    page = tmp_path / "cli.md"
    subprocess.run([sys.executable, PROJECT / "scripts" / "cli_reference.py", page], check=True)
    assert page.read_text(encoding="utf-8") == (DOCS / "cli.md").read_text(encoding="utf-8"), "run `make docs`"


def test_every_setting_is_in_the_readme() -> None:
    rows = re.findall(r"(?m)^\| `(EDU_\w+)` \|", section(PROJECT / "README.md", "Settings"))
    names = {"target_schema": "EDU_SCHEMA"}
    assert sorted(rows) == sorted(names.get(name, f"EDU_{name.upper()}") for name in Settings.model_fields)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"\w+:", link):
            continue
        path, _, name = link.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{page.name}: {link}"
        assert not name or name in anchors(file), f"{page.name}: {link}"


@cache
def files() -> list[str]:
    """Every file of the checkout that a text can refer to, by its path."""
    folders = ("edu_pipeline", "edu_pipeline_tests", "deploy", "docs", "bench", "fuzz", "scripts")
    below = (path for folder in folders for path in (PROJECT / folder).rglob("*.*"))
    return [f"/{path.relative_to(PROJECT)}" for path in [*PROJECT.glob("*.*"), *below]]


def dead_references(path: Path) -> list[str]:
    """The files that a text refers to and that do not exist, by a name or the end of a path."""
    references = {name or page for name, page in REFERENCE.findall(path.read_text(encoding="utf-8"))}
    return sorted(name for name in references if not any(file.endswith(f"/{name}") for file in files()))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_name_files_that_exist(page: Path) -> None:
    """A file that a page's example creates is marked `new` in its table of files."""
    created = re.findall(r"(?m)^\| `([^`]+)` \| new \|", page.read_text(encoding="utf-8"))
    assert set(dead_references(page)) <= set(created)


def test_code_names_files_that_exist() -> None:
    """Migrations may name what was there when they were written: their text never changes."""
    package = PROJECT / "edu_pipeline"
    texts = [path for pattern in ("*.py", "*.toml", "*.sql") for path in package.rglob(pattern)]
    dead = {str(path.relative_to(package)): dead_references(path) for path in texts if path.parent.name != "migrations"}
    assert {path: names for path, names in dead.items() if names} == {}


@pytest.mark.parametrize("version", ["CITATION.cff", "CHANGELOG.md"])
def test_versions_agree(version: str) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    newest = re.search(r"(?m)^(?:version: |## )(\d+\.\d+\.\d+)$", (PROJECT / version).read_text(encoding="utf-8"))
    assert newest and newest[1] == project["version"]
