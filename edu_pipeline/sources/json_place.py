"""Where in a JSON or GeoJSON file something is wrong, for a failure text.

Belongs here: finding the place once reading has failed, since the libraries say little of it. Does not belong here:
reading (``readers.py``).
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import shapely
import shapely.geometry

LARGEST = 64 << 20
"""The size in bytes from which on nobody looks for the place: it takes many times as much memory."""

CHARACTER = re.compile(r"at character ([1-9][0-9]*)")
"""How polars says where it is in the file."""


def place_in_json(path: Path, failure: str) -> str:
    """The line, or the item or feature, at which reading the file fails.

    Args:
        failure: what the library said.
    """
    if path.stat().st_size > LARGEST:
        return "line unknown, since the file is large"
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
        document = json.loads(text, parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        return _line(content[: error.start])
    except json.JSONDecodeError as error:
        return f"line {error.lineno}, column {error.colno}"
    except (RecursionError, ValueError) as error:
        constant = content.find(str(error).encode())
        match = CHARACTER.search(failure)
        return _line(content[: int(match[1]) if match else max(constant, 0)])
    return _odd_one(document) or "line 1"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _line(before: bytes) -> str:
    """The line and column of what follows ``before``."""
    lines = before.decode("utf-8", errors="replace").split("\n")
    return f"line {len(lines)}, column {len(lines[-1]) + 1}"


def _odd_one(document: Any) -> str:
    """The first item that is of another kind than the others, or whose geometry cannot be built; empty if none is."""
    features = document.get("features") if isinstance(document, dict) else None
    word, items = ("feature", features) if isinstance(features, list) else ("item", document)
    if not isinstance(items, list):
        return ""
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            return f"{word} {number}"
        if features is not None and not _can_be_built(item.get("geometry")):
            return f"feature {number}, geometry"
    return _odd_value([item.get("properties") or {} if features is not None else item for item in items], word)


def _odd_value(items: Sequence[Any], word: str) -> str:
    """The first value that is of another kind than most of its name, or a list of values of several kinds."""
    kinds: dict[str, Counter[type]] = {}
    for item in items:
        for name, value in item.items() if isinstance(item, dict) else ():
            kinds.setdefault(name, Counter())[type(value)] += value is not None
    for number, item in enumerate(items, 1):
        for name, value in item.items() if isinstance(item, dict) else ():
            of_list = {type(each) for each in value if each is not None} if isinstance(value, list) else set()
            is_odd = value is not None and type(value) is not kinds[name].most_common(1)[0][0]
            if is_odd or len(of_list) > 1:
                return f"{word} {number}, {name}"
    return ""


def _can_be_built(geometry: Any) -> bool:
    try:
        return geometry is None or shapely.geometry.shape(geometry) is not None
    except (shapely.errors.ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError):
        return False
