"""The one form of failure texts: "expected ..., found ....", then what to do.

Belongs here: reading them off the source of the package. Does not belong here: what any one of them says.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edu_pipeline import errors
from edu_pipeline.settings import PROJECT

PACKAGE = PROJECT / "edu_pipeline"

FAILURES = {
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, errors.EduError) and kind is not errors.ColumnMissing
}
"""The classes that take a problem as their second argument."""

OTHER_FORMS = re.compile(r"; found\b|\bnot found; |\bis neither\.|; none (?:is|was)\b|; it is still\b")
"""Forms that were in use before."""

THE_FORM = re.compile(r"(?s)\bexpected .*, found\b|^(?:expected )?(?:\{\}|[:. ])+$")
"""The one form; a text that is put together from values alone has it from them."""

VALUE = "{}"
"""What stands for a value in an f-string."""


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every string that is no docstring; an f-string is one text."""
    parts = {id(value) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for value in ast.walk(node)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr) and id(node) not in parts - {id(node)}:
            yield node.lineno, literal(node)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.lineno, node.value


def literal(node: ast.expr) -> str:
    """The text of a string, ``{}`` in place of each value."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else VALUE for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else VALUE


def without_docstrings(tree: ast.Module) -> ast.Module:
    """The tree without texts that stand alone as a statement."""
    for node in ast.walk(tree):
        for body in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            if isinstance(body, list):
                body[:] = [line for line in body if not (isinstance(line, ast.Expr) and is_text(line.value))]
    return tree


def is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def failures(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and problem of every failure whose problem is a text in place."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FAILURES:
            problem = node.args[1] if len(node.args) > 1 else None
            if isinstance(problem, ast.JoinedStr | ast.Constant):
                yield node.lineno, literal(problem)


@pytest.mark.parametrize("module", modules(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_failure_texts_have_one_form(module: Path) -> None:
    tree = without_docstrings(ast.parse(module.read_text(encoding="utf-8")))
    other_forms = [f"{line}: {text}" for line, text in texts(tree) if OTHER_FORMS.search(text)]
    without_form = [f"{line}: {problem}" for line, problem in failures(tree) if not THE_FORM.search(problem)]
    assert sorted({*other_forms, *without_form}) == []


@pytest.mark.parametrize(
    "text", ["expected a, b; found c.", "expected a cluster; none is running.", "column 'a' not found; closest: 'b'."]
)
def test_other_forms_are_noticed(text: str) -> None:
    assert OTHER_FORMS.search(text) and not THE_FORM.search(text)


@pytest.mark.parametrize("text", ["expected a (b; c), found d.", "expected a, found b; c is not there either."])
def test_the_one_form_passes(text: str) -> None:
    assert THE_FORM.search(text) and not OTHER_FORMS.search(text)


@pytest.mark.parametrize("where", ["a-source", "é" * 9_000])
@pytest.mark.parametrize("problem", ["é" * 9_000, "\N{GRINNING FACE}" * 9_000, "a"])
def test_no_failure_text_has_more_than_4000_bytes(where: str, problem: str) -> None:
    text = str(errors.TooManyRefused(where, f"expected a, found {problem}", "Do this."))
    assert len(text.encode()) <= errors.LONGEST_TEXT
    assert text.startswith("TooManyRefused: ") and text.endswith(" Do this.") and "expected a, found " in text
