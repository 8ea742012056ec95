"""The ledger has one module: no other one has a statement about its table."""

from __future__ import annotations

import ast
from pathlib import Path

import edu_pipeline
from edu_pipeline.database import ledger

PACKAGE = Path(edu_pipeline.__file__).parent


def statements(file: Path) -> list[str]:
    """The texts of a module, except its docstrings."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]


def test_only_the_ledger_touches_its_table() -> None:
    modules = {file for file in PACKAGE.rglob("*.py") for text in statements(file) if "edu_pipeline.loads" in text}
    assert modules == {Path(ledger.__file__)}
