"""Versions: what makes rows reloads the tables that it makes, and nothing else does."""

from __future__ import annotations

import ast
import gc
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest

from edu_pipeline import code_digest
from edu_pipeline.loading import corrections
from edu_pipeline.loading.versions import code_version
from edu_pipeline.settings import PROJECT
from edu_pipeline.table import Table, tables

Edit = Callable[[str, str, str], None]
"""Replaces a text by another in a module, given by its path in the package."""

Versions = dict[str, str]


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edit]:
    """A copy of the package whose modules are hashed in place of the real ones, and a way to edit it."""
    copy = tmp_path / "edu_pipeline"
    shutil.copytree(PROJECT / "edu_pipeline", copy, ignore=shutil.ignore_patterns("__pycache__"))

    def forget() -> None:
        for remembered in (code_digest._read, code_digest._imported_by):
            remembered.cache_clear()

    def replaced(path: str, old: str, new: str) -> None:
        text = (copy / path).read_text()
        assert old in text
        (copy / path).write_text(text.replace(old, new, 1))
        forget()

    monkeypatch.setattr(code_digest, "ROOT", copy)
    monkeypatch.setattr(code_digest, "KEPT", tmp_path / "__pycache__" / "code_digest.json")
    forget()
    yield replaced
    forget()


def versions() -> Versions:
    return {name: code_version(table) for name, table in tables().items()}


def changed(before: Versions) -> set[str]:
    return {name for name, version in versions().items() if version != before[name]}


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("loading/conform.py", 'mode="half_away_from_zero"', 'mode="half_to_even"'),
        ("loading/intake.py", "pl.when(~unusable[name])", "pl.when(unusable[name])"),
        ("loading/passage.py", "total.round()", "total.ceil()"),
        ("sources/readers.py", "infer_schema=False", "infer_schema=True"),
        ("normalise.py", "to_uppercase()", "to_lowercase()"),
        ("contracts.py", "LAST_YEAR = 1990", "LAST_YEAR = 1980"),
        ("database/copying.py", 'text == "t"', 'text == "f"'),
    ],
)
def test_a_fix_in_shared_code_reloads_every_table(edit: Edit, path: str, old: str, new: str) -> None:
    before = versions()
    edit(path, old, new)
    assert changed(before) == set(tables())


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("contracts.py", "from __future__", "# A comment.\nfrom __future__"),
        ("contracts.py", '"""', '"""Another docstring, and: '),
        ("loading/conform.py", "BATCH = 50_000", "BATCH = (\n    50_000\n)"),
        ("assets/educational/ips_lycees.py", '"""', '"""Another docstring, and: '),
        ("errors.py", "EXAMPLES = 20", "EXAMPLES = 10"),
        ("monitoring/health.py", "MOMENTS = 60", "MOMENTS = 50"),
        ("loading/load.py", "PREVIEW = 5", "PREVIEW = 6"),
        ("cli/main.py", "no_args_is_help=True", "no_args_is_help=False"),
    ],
)
def test_what_makes_no_row_reloads_nothing(edit: Edit, path: str, old: str, new: str) -> None:
    before = versions()
    edit(path, old, new)
    assert changed(before) == set()


def test_a_table_of_its_own(edit: Edit) -> None:
    before = versions()
    edit(
        "assets/educational/ips_lycees.py", "def ips_lycees(", "def unused() -> int:\n    return 1\n\n\ndef ips_lycees("
    )
    assert changed(before) == {"ips_lycees"}


def test_a_vocabulary_reloads_the_tables_that_use_it(edit: Edit) -> None:
    before = versions()
    edit("vocabulary/onisep.py", "import", "import math\nimport")
    assert {"etablissements_onisep"} <= changed(before) < set(tables())


def test_a_correction_reloads_its_table(monkeypatch: pytest.MonkeyPatch) -> None:
    before = versions()
    monkeypatch.setattr(corrections, "corrections", lambda: ())
    assert changed(before) == {"mutations_immo_latest"}


def with_file(table: Table, **fields: object) -> str:
    """The version of a table, all of whose files the catalogue says something else of."""
    files = {name: file.model_copy(update=fields) for name, file in table.files.items()}
    other = Table(**{name: getattr(table, name) for name in Table.__dataclass_fields__})
    vars(other)["files"] = files
    return code_version(other)


def test_how_a_file_is_read_counts_and_not_where_it_is_from() -> None:
    table = tables()["criminalite_2024"]
    assert with_file(table) == code_version(table)
    assert with_file(table, url="https://example.org/a.csv", max_bytes=5) == code_version(table)
    assert with_file(table, decimal=".", hidden=("secret",)) != code_version(table)


def test_only_modules_of_this_package_are_read() -> None:
    imported = code_digest._imported_by("edu_pipeline.loading.rows")
    assert all(name.startswith("edu_pipeline.") for name in imported)
    assert "edu_pipeline.loading.conform" in imported and "edu_pipeline.sources" not in imported


def test_later_processes_need_not_read_modules_again(edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(code_digest, "_found", cache(code_digest._found.__wrapped__))
    edit("errors.py", "EXAMPLES = 20", "EXAMPLES = 19")
    before = code_digest.digest(["edu_pipeline.errors", "edu_pipeline.flow"])
    assert list(code_digest.KEPT.parent.iterdir()) == [code_digest.KEPT]
    monkeypatch.setattr(code_digest, "_found", cache(code_digest._found.__wrapped__))
    monkeypatch.setattr(ast, "parse", None)
    code_digest._read.cache_clear()
    assert code_digest.digest(["edu_pipeline.errors", "edu_pipeline.flow"]) == before
    edit("errors.py", "EXAMPLES = 19", "EXAMPLES = 18")
    with pytest.raises(TypeError):
        code_digest.digest(["edu_pipeline.errors", "edu_pipeline.flow"])


class Garbage:
    """Waits for the collector, which lets another thread run when it takes it away."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        time.sleep(0)


def test_threads_may_read_modules_at_the_same_time(edit: Edit, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python before 3.11.5 (CPython's issue 106905) raises SystemError if the collector interrupts a thread that makes
    a syntax tree, and another one makes one meanwhile, at another depth of its stack."""
    parse = ast.parse

    def interrupted(text: bytes) -> ast.Module:
        gc.disable()
        for _ in range(gc.get_threshold()[0] + 100):
            Garbage()
        gc.enable()
        return parse(text)

    def digest_at(depth: int) -> str:
        return digest_at(depth - 1) if depth else code_digest.digest(["edu_pipeline.errors", "edu_pipeline.flow"])

    edit("errors.py", "EXAMPLES = 20", "EXAMPLES = 19")  # no module is remembered after that
    with monkeypatch.context() as patch, ThreadPoolExecutor(4) as threads:
        patch.setattr(code_digest, "_found", cache(dict))
        patch.setattr(ast, "parse", interrupted)
        digests = set(threads.map(digest_at, range(4)))
    assert len(digests) == 1
