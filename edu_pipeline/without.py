"""Importing a package without an optional one that it uses if it is there.

Belongs here: nothing else. Does not belong here: what is imported without what (``contracts.py``).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without(name: str) -> Iterator[None]:
    """Let imports of the package ``name`` fail, unless it has been imported already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment] # so that an import of it fails, as Python documents it
    try:
        yield
    finally:
        del sys.modules[name]
