"""Whether code has changed: a hash of what modules do, and of all that they import.

Belongs here: reading this package's own modules as syntax trees. Does not belong here: which modules matter for what
(``loading/versions.py``, ``checks/running.py``).

Comments, docstrings and formatting do not count. Python's syntax tree has more fields in some releases: after an
upgrade of Python every hash is another one.

Reading a hundred modules as syntax trees takes a fifth of the time in which a process of Dagster starts. What was found
in them is kept next to Python's own compiled files, under the hash of their text.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import os
import sys
from collections.abc import Collection
from contextlib import suppress
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any, NamedTuple

PACKAGE = __name__.partition(".")[0]

ROOT = Path(__file__).parent
"""The folder of the package."""

_ONE_AT_A_TIME = RLock()
"""Python before 3.11.5 raises SystemError if two threads make syntax trees at once (CPython's issue 106905)."""

KEPT = Path(importlib.util.cache_from_source(__file__)).with_suffix(".json")
"""What was found in modules, by the hash of their text."""


def digest(modules: Collection[str], without: Collection[str] = ()) -> str:
    """Hash of modules and of those of this package that they import, directly or by way of others.

    Args:
        modules: full names.
        without: modules that do not count, nor what only they import.
    """
    reached: set[str] = set()
    waiting = list(modules)
    with _ONE_AT_A_TIME:
        while waiting:
            module = waiting.pop()
            if module not in reached and module not in without:
                reached.add(module)
                waiting += _imported_by(module)
        text = "".join(f"{module} {_read(module).digest}\n" for module in sorted(reached))
        _keep()
    return hashlib.sha256(text.encode()).hexdigest()


def module_digest(module: str) -> str:
    """Hash of a single module, whatever it imports."""
    with _ONE_AT_A_TIME:
        return _read(module).digest


@cache
def _imported_by(module: str) -> list[str]:
    return [name for name in _read(module).imports if _path(name).is_file()]


class _Module(NamedTuple):
    """What a module does, as a hash of its syntax tree, and every name of this package that it imports."""

    digest: str
    imports: list[str]


@cache
def _read(module: str) -> _Module:
    text = _path(module).read_bytes()
    key = hashlib.sha256(_own_text() + text).hexdigest()
    if key not in _found():
        tree = ast.parse(text)
        imports = sorted(_imported(tree))
        tree_digest = hashlib.sha256(ast.dump(_WithoutDocstrings().visit(tree)).encode()).hexdigest()
        _found()[key] = [tree_digest, imports]
        _new_keys.add(key)
    return _Module(*_found()[key])


_new_keys: set[str] = set()


@cache
def _own_text() -> bytes:
    return Path(__file__).read_bytes()


@cache
def _found() -> dict[str, Any]:
    """What earlier processes have found; nothing if it cannot be read."""
    with suppress(OSError, ValueError):
        return dict(json.loads(KEPT.read_bytes()))
    return {}


def _keep() -> None:
    """Write what is new for later processes, unless Python may not write its own files either."""
    if _new_keys and not sys.dont_write_bytecode:
        _new_keys.clear()
        with suppress(OSError):
            KEPT.parent.mkdir(exist_ok=True)
            written = KEPT.with_suffix(f".{os.getpid()}")
            written.write_text(json.dumps(_found()), encoding="utf-8")
            written.replace(KEPT)


def _imported(tree: ast.Module) -> set[str]:
    """Every name that is imported from this package: modules, and what may be one."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if name.partition(".")[0] == PACKAGE}


def _path(module: str) -> Path:
    """The file of a module; there is none of a package, and of a name in a module."""
    return ROOT.joinpath(*module.split(".")[1:]).with_suffix(".py")


class _WithoutDocstrings(ast.NodeTransformer):
    """Removes text that stands alone as a statement: the docstrings of modules, classes, functions and constants."""

    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        """Keep what is no text."""
        return None if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) else node
