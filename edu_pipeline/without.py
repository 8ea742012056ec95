"""Importing a package without an optional one that it uses if it is there.

Belongs here: nothing else. Does not belong here: what is imported without what (``contracts.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def without(name: str) -> Iterator[None]:
    """Let imports of the package ``name`` fail in the block, unless it has been imported before.

    Python raises ModuleNotFoundError for a module that is None in ``sys.modules`` (its reference, 5.3.1), in every
    thread: a block is for the start of a program.
    """
    modules: dict[str, Any] = sys.modules
    if name in modules:
        yield
        return
    modules[name] = None
    try:
        yield
    finally:
        del modules[name]
