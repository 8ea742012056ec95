"""A file before it is written, and what a mutation of it is.

Belongs here: the two types that all mutations share. Does not belong here: any mutation.
"""

from __future__ import annotations

import csv
import io
import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from fuzz import json_damage

Bytes = Callable[[bytes], bytes]
Needs = Literal["any", "table", "json", "shapes"]

Means = Literal["same", "said", "less", "fewer", "another", "other"]
"""What a mutation does to the rows.

``same``: nothing that a careful reader could not undo or refuse. Where lines become rows, every value is as before or
NULL; and whatever is not as before is said.
``said``: values may be others, too, if that is said.
``less``: cells are empty that were not.
``fewer``: rows are gone.
``another``: it is another file, which must be refused; if it has all columns, that rows are gone must be said.
``other``: nobody can tell; only exceptions and texts are judged.
"""


@dataclass(frozen=True)
class Document:
    """A file before it is written.

    Attributes:
        rows: header and rows of a table; empty for any other file.
        raw: the content of any other file.
        columns_read: positions of a table's columns that are read.
        afterwards: changes of the bytes, in their order.
        suffix: the ending of a table's file name.
        stranger: the content of a file of another source.
    """

    rows: list[list[str]] = field(default_factory=list)
    raw: bytes = b""
    columns_read: tuple[int, ...] = ()
    delimiter: str = ";"
    encoding: str = "utf-8"
    line_end: str = "\n"
    quoted: bool = False
    afterwards: tuple[Bytes, ...] = ()
    suffix: str = ".csv"
    stranger: bytes = b""

    @property
    def items(self) -> list[object]:
        """The items of JSON that has any."""
        items = json_damage.items_of(json.loads(self.raw)) if self.raw.startswith((b"[", b"{")) else []
        return items if isinstance(items, list) else []

    @property
    def count(self) -> int:
        """The number of rows or items."""
        return len(self.rows) - 1 if self.rows else len(self.items)

    @property
    def kinds(self) -> set[Needs]:
        """The kinds of damage that can be done to it."""
        if self.rows:
            return {"any", "table"}
        items = self.items
        is_json = bool(items) and all(isinstance(item, dict) for item in items)
        has_shapes = b'"Polygon"' in self.raw or b'"MultiPolygon"' in self.raw
        return {"any", *(("json",) if is_json else ()), *(("shapes",) if is_json and has_shapes else ())}

    def content(self) -> bytes:
        """The bytes of the file."""
        content = self._table() if self.rows else self.raw
        for change in self.afterwards:
            content = change(content)
        return content

    def _table(self) -> bytes:
        text = io.StringIO(newline="")
        quoting: Literal[0, 1] = csv.QUOTE_ALL if self.quoted else csv.QUOTE_MINIMAL
        csv.writer(text, delimiter=self.delimiter, lineterminator=self.line_end, quoting=quoting).writerows(self.rows)
        return text.getvalue().encode(self.encoding, errors="replace")


@dataclass(frozen=True)
class Mutation:
    """A way to damage a file.

    Attributes:
        apply: makes the mutant; None if the file has nothing that can be damaged in this way.
        needs: what it can damage.
        means: what it does to the rows.
        spares_columns: whether the file has all the columns that it had, under their names.
    """

    apply: Callable[[random.Random, Document], Document | None]
    needs: Needs = "table"
    means: Means = "same"
    spares_columns: bool = True
