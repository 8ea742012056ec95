"""Whether code has changed: a hash of what modules do, and of all that they import.

Belongs here: reading this package's own modules as syntax trees. Does not belong here: which modules matter for what
(``loading/versions.py``, ``checks/running.py``).

Comments, docstrings and formatting do not count. Python's syntax tree has more fields in some releases: after an
upgrade of Python every hash is another one.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
from collections.abc import Collection
from functools import cache
from pathlib import Path

PACKAGE = __name__.partition(".")[0]


def digest(modules: Collection[str], without: Collection[str] = ()) -> str:
    """Hash of modules and of those of this package that they import, directly or by way of others.

    Args:
        modules: full names.
        without: modules that do not count, nor what only they import.
    """
    reached: set[str] = set()
    waiting = list(modules)
    while waiting:
        module = waiting.pop()
        if module not in reached and module not in without:
            reached.add(module)
            waiting += _read(module).imports
    text = "".join(f"{module} {_read(module).digest}\n" for module in sorted(reached))
    return hashlib.sha256(text.encode()).hexdigest()


def module_digest(module: str) -> str:
    """Hash of a single module, whatever it imports."""
    return _read(module).digest


class _Module:
    """What a module does, as a hash of its syntax tree, and the modules of this package that it imports."""

    def __init__(self, path: Path) -> None:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        self.imports = [name for name in _imported(tree) if _path(name)]
        self.digest = hashlib.sha256(ast.dump(_WithoutDocstrings().visit(tree)).encode()).hexdigest()


@cache
def _read(module: str) -> _Module:
    path = _path(module)
    assert path is not None, f"{module} is no module of {PACKAGE}"
    return _Module(path)


def _imported(tree: ast.Module) -> set[str]:
    """Every name that is imported from this package: modules, and what may be one."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.partition(".")[0] == PACKAGE}


@cache
def _path(module: str) -> Path | None:
    """The file of a module; None of a name in a module, and of a package."""
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    if spec is None or spec.origin is None or spec.submodule_search_locations is not None:
        return None
    return Path(spec.origin)


class _WithoutDocstrings(ast.NodeTransformer):
    """Removes text that stands alone as a statement: the docstrings of modules, classes, functions and constants."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Keep what is no text."""
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node
