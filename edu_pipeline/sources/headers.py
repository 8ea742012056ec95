"""The names of a file's columns: from the publisher's header to slugs.

Belongs here: slugs, columns with the same name, headers in a wrong encoding. Does not belong here: where a header is in
a file (``csv_lines.py``, ``readers.py``), which columns a table reads (``loading/columns.py``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

import polars as pl

from edu_pipeline.errors import FileInvalid, shown
from edu_pipeline.normalise import GARBLED, slug
from edu_pipeline.sources.texts import CATALOGUE

COPY = "#"
"""Stands before the position of a column whose slug an earlier column has; no slug has it."""


def slugs(header: Sequence[str], where: str) -> list[str]:
    """The slugs of the names; if an earlier column has the same one, with the position (from 1 on): ``prix#7``.

    Raises:
        FileInvalid: a name was read in a wrong encoding.
    """
    garbled = pl.Series(header, dtype=pl.String).str.contains(GARBLED)
    if (first := garbled.arg_max()) is not None and garbled[first]:
        raise FileInvalid(
            where,
            f"expected names of columns, found {shown(header[first])!r} in position {first + 1}: a name that was read "
            "in a wrong encoding, and written so.",
            "Fetch the file again; if the publisher has changed its encoding, change the source's entry in "
            f"{CATALOGUE}. The previous release stays in use.",
        )
    taken: set[str] = set()
    unique = []
    for position, name in enumerate(header, 1):
        base = slug(_visible(name)) or "column"
        unique.append(f"{base}{COPY}{position}" if base in taken else base)
        taken.add(base)
    return unique


def copies_of(column: str, columns: Iterable[str]) -> list[str]:
    """The columns that have the same slug as ``column``, which is the first of them."""
    return [name for name in columns if re.fullmatch(f"{re.escape(column)}{COPY}[0-9]+", name)]


def is_copy(column: str) -> bool:
    """Whether an earlier column has the same slug."""
    return COPY in column


def _visible(name: str) -> str:
    """A name without byte order marks, zero-width blanks and the like."""
    return "".join(char for char in name if unicodedata.category(char) != "Cf")
