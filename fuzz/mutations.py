"""Ways in which a file can be damaged, each a function of a random generator and a file.

Belongs here: mutations of cells, columns, lines and bytes, and the list of all mutations. Does not belong here:
containers (`containers.py`), JSON (`json_damage.py`), what must become of a mutant (`judging.py`).
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

from fuzz import containers, json_damage

Bytes = Callable[[bytes], bytes]


@dataclass(frozen=True)
class Document:
    """A file before it is written.

    Attributes:
        rows: header and rows of a table; empty for any other file.
        raw: the content of any other file.
        afterwards: changes of the bytes, in their order.
        suffix: the ending of a table's file name.
    """

    rows: list[list[str]] = field(default_factory=list)
    raw: bytes = b""
    delimiter: str = ";"
    encoding: str = "utf-8"
    line_end: str = "\n"
    quoted: bool = False
    afterwards: tuple[Bytes, ...] = ()
    suffix: str = ".csv"

    @property
    def is_json(self) -> bool:
        """Whether it is JSON with items that are objects."""
        if not self.raw.startswith((b"[", b"{")):
            return False
        items = json_damage.items_of(json.loads(self.raw))
        return isinstance(items, list) and bool(items) and all(isinstance(item, dict) for item in items)

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
        apply: makes the mutant.
        needs: what it can damage: any file, one with rows and columns, or JSON.
        keeps_values: whether every cell that is still read must have its value, be NULL, or be refused with its row.
    """

    apply: Callable[[random.Random, Document], Document]
    needs: Literal["any", "table", "json"] = "table"
    keeps_values: bool = True


def _bytes(
    change: Callable[[random.Random, bytes], bytes],
    keeps_values: bool = False,
    needs: Literal["any", "json"] = "any",
) -> Mutation:
    """A mutation of bytes, which may also turn values into others that look right."""
    return Mutation(
        lambda rng, document: replace(document, afterwards=(lambda content: change(rng, content),)), needs, keeps_values
    )


def _cells(change: Callable[[random.Random, str], str], keeps_values: bool = True) -> Mutation:
    """A mutation of some cells of one column."""

    def apply(rng: random.Random, document: Document) -> Document:
        header, *rows = document.rows
        column = rng.randrange(len(header))
        share = rng.choice((0.05, 0.5, 1))
        changed = [list(row) for row in rows]
        for row in changed:
            if rng.random() < share:
                row[column] = change(rng, row[column])
        return replace(document, rows=[header, *changed])

    return Mutation(apply, keeps_values=keeps_values)


def _columns(order: Callable[[random.Random, list[int]], list[int]]) -> Mutation:
    """A mutation of the order of columns: dropped ones are missing, repeated ones are there twice."""

    def apply(rng: random.Random, document: Document) -> Document:
        numbers = order(rng, list(range(len(document.rows[0]))))
        return replace(document, rows=[[row[number] for number in numbers] for row in document.rows])

    return Mutation(apply)


def _rows(change: Callable[[random.Random, list[list[str]]], list[list[str]]], keeps_values: bool = True) -> Mutation:
    return Mutation(
        lambda rng, document: replace(document, rows=[document.rows[0], *change(rng, document.rows[1:])]),
        keeps_values=keeps_values,
    )


def _renamed(rng: random.Random, document: Document) -> Document:
    header = list(document.rows[0])
    header[rng.randrange(len(header))] = rng.choice(("Autre", "", "column", "NOUVEAU_libellé"))
    return replace(document, rows=[header, *document.rows[1:]])


def _inserted(rng: random.Random, rows: list[list[str]], row: list[str]) -> list[list[str]]:
    at = rng.randrange(len(rows) + 1)
    return [*rows[:at], row, *rows[at:]]


def _extra_field(rng: random.Random, rows: list[list[str]]) -> list[list[str]]:
    at, extra = rng.randrange(len(rows)), rng.choice(("", "x"))
    return [[*row, extra] if number == at else row for number, row in enumerate(rows)]


def _short_row(rng: random.Random, rows: list[list[str]]) -> list[list[str]]:
    at = rng.randrange(len(rows))
    return [*rows[:at], rows[at][: rng.randrange(1, max(2, len(rows[at])))], *rows[at + 1 :]]


def _form(**choices: tuple[object, ...]) -> Mutation:
    def apply(rng: random.Random, document: Document) -> Document:
        chosen: dict[str, Any] = {name: rng.choice(values) for name, values in choices.items()}
        return replace(document, **chosen)

    return Mutation(apply)


def _spreadsheet(rng: random.Random, cell: str) -> str:
    """What a spreadsheet makes of a cell."""
    if re.fullmatch("[0-9]{12,}", cell):
        return f"{cell[0]},{cell[1:6]}E+{len(cell) - 1}"
    if re.fullmatch("0[0-9]+", cell):
        return cell.lstrip("0") or "0"
    if day := re.fullmatch("([0-9]{4})-([0-9]{2})-([0-9]{2})", cell):
        return f"{day[3]}/{day[2]}/{day[1]}"
    return cell


def _at(rng: random.Random, content: bytes, inserted: bytes) -> bytes:
    position = rng.randrange(len(content) + 1)
    return content[:position] + inserted + content[position:]


def _flipped(rng: random.Random, content: bytes) -> bytes:
    position = rng.randrange(len(content))
    return content[:position] + bytes([rng.randrange(256)]) + content[position + 1 :]


def _packed(form: str, damage: Callable[[random.Random, bytes], bytes] | None = None, empty: bool = False) -> Mutation:
    """A mutation that puts a table into a container, and damages that."""
    suffix, pack = containers.FORMS[form]

    def apply(rng: random.Random, document: Document) -> Document:
        rows = document.rows[: 1 if empty else None]
        changes: list[Bytes] = [lambda content: pack(rows, b"" if empty else content)]
        changes += [partial(damage, rng)] if damage else []
        return replace(document, suffix=suffix, afterwards=tuple(changes))

    return Mutation(apply, keeps_values=form in containers.WITH_CHECKSUM and not empty)


MUTATIONS: dict[str, Mutation] = {
    "unchanged": Mutation(lambda rng, document: document),
    "cut": _bytes(lambda rng, content: content[: rng.randrange(len(content))]),
    "html": _bytes(lambda rng, content: b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>"),
    "empty": _bytes(lambda rng, content: rng.choice((b"", b"\n", b"\xef\xbb\xbf", b"[]", b"{}"))),
    "nul byte": _bytes(lambda rng, content: _at(rng, content, b"\0")),
    "changed byte": _bytes(_flipped),
    "open quote": _bytes(lambda rng, content: _at(rng, content, b'"')),
    "mojibake": _bytes(lambda rng, content: content.decode("cp1252", errors="replace").encode()),
    "utf-16": _bytes(lambda rng, content: content.decode("utf-8", errors="replace").encode("utf-16")),
    "sep line": _bytes(lambda rng, content: b"sep=;\n" + content, keeps_values=True),
    "title": _bytes(lambda rng, content: "Liste des établissements\n\n".encode() + content, keeps_values=True),
    "order of columns": _columns(lambda rng, numbers: rng.sample(numbers, len(numbers))),
    "column dropped": _columns(lambda rng, numbers: rng.sample(numbers, len(numbers) - 1) or numbers),
    "column twice": _columns(lambda rng, numbers: [*numbers, rng.choice(numbers)]),
    "column renamed": Mutation(_renamed),
    "other delimiter": _form(delimiter=(",", ";", "\t", "|")),
    "other encoding": _form(encoding=("cp1252", "utf-8-sig")),
    "other line end": _form(line_end=("\r\n", "\r", ";\n")),
    "quoted": _form(quoted=(True,)),
    "blank line": _rows(lambda rng, rows: _inserted(rng, rows, [""] * rng.choice((0, len(rows[0]))))),
    "field too many": _rows(_extra_field),
    "short row": _rows(_short_row),
    "order of rows": _rows(lambda rng, rows: rng.sample(rows, len(rows)), keeps_values=False),
    "row twice": _rows(lambda rng, rows: [*rows, rng.choice(rows)], keeps_values=False),
    "header twice": _rows(lambda rng, rows: [*rows, *rows[:1]], keeps_values=False),
    "spreadsheet": _cells(_spreadsheet),
    "decimal comma": _cells(lambda rng, cell: re.sub(r"^(-?[0-9]+)\.([0-9]+)$", r"\1,\2", cell)),
    "error of a spreadsheet": _cells(lambda rng, cell: rng.choice(("#REF!", "#N/A", "#NOM?", "####"))),
    "emptied": _cells(lambda rng, cell: ""),
    "other number": _cells(lambda rng, cell: rng.choice(("-1", "1e400", "NaN", "9" * 40, "0x1F", "1,5")), False),
    "strange text": _cells(lambda rng, cell: rng.choice(("\x07", "é" * 5000, "'; --", "a\nb", "\u202e", "٣")), False),
}
MUTATIONS |= {f"{form}, whole": _packed(form) for form in containers.FORMS}
MUTATIONS |= {f"{form}, nothing in it": _packed(form, empty=True) for form in containers.FORMS}
MUTATIONS |= {
    f"{form}, {name}": _packed(form, damage) for form in containers.FORMS for name, damage in containers.DAMAGE.items()
}
MUTATIONS |= {f"JSON, {name}": _bytes(damage, needs="json") for name, damage in json_damage.DAMAGE.items()}
