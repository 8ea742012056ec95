"""Ways in which a file can be damaged, each a function of a random generator and a file.

Belongs here: mutations of columns, rows, lines and bytes, and the list of all mutations. Does not belong here: cells
(`cell_damage.py`), containers (`containers.py`), JSON (`json_damage.py`), what must become of a mutant (`judging.py`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from fuzz import cell_damage, containers, json_damage
from fuzz.document import Bytes, Document, Means, Mutation, Needs

ByteChange = Callable[[random.Random, bytes], bytes]

ERROR_PAGES = (
    b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>",
    b'<div class="error">Service indisponible; veuillez reessayer</div>\n',
    b"Internal Server Error",
    b'{"error_code": "InvalidRESTParameterError", "message": "quota"}',
)

RENAMED = ("Autre", "", "column", "NOUVEAU_libellé", "{}_2026", "x{}", "{} (F)")
"""New names of a column; the old one stands for the braces."""


def _bytes(change: ByteChange, means: Means = "other", needs: Needs = "any") -> Mutation:
    """A mutation of bytes, which may also turn values into others that look right, and names of columns."""
    return Mutation(
        lambda rng, document: replace(document, afterwards=(lambda content: change(rng, content),)),
        needs,
        means,
        spares_columns=means != "other",
    )


def _columns(order: Callable[[random.Random, list[int]], list[int]], spares_columns: bool = True) -> Mutation:
    """A mutation of the order of columns: dropped ones are missing, repeated ones are there twice."""

    def apply(rng: random.Random, document: Document) -> Document:
        numbers = order(rng, list(range(len(document.rows[0]))))
        return replace(document, rows=[[row[number] for number in numbers] for row in document.rows])

    return Mutation(apply, spares_columns=spares_columns)


def _rows(
    change: Callable[[random.Random, list[list[str]]], list[list[str]]], means: Means = "same", header: bool = False
) -> Mutation:
    """A mutation of the rows, or if ``header``, of the header and the rows."""
    return Mutation(
        lambda rng, document: replace(
            document,
            rows=change(rng, document.rows) if header else [document.rows[0], *change(rng, document.rows[1:])],
        ),
        means=means,
    )


def _of_one_read(rng: random.Random, document: Document) -> int:
    """A column, more often one that is read."""
    read = document.columns_read
    return rng.choice(read) if read and rng.random() < 0.8 else rng.randrange(len(document.rows[0]))


def _renamed(rng: random.Random, document: Document) -> Document:
    header = list(document.rows[0])
    column = _of_one_read(rng, document)
    header[column] = rng.choice(RENAMED).format(header[column])
    return replace(document, rows=[header, *document.rows[1:]])


def _dropped(rng: random.Random, document: Document) -> Document | None:
    column = _of_one_read(rng, document)
    rows = [[*row[:column], *row[column + 1 :]] for row in document.rows]
    return replace(document, rows=rows) if rows[0] else None


def _with_copy(rng: random.Random, document: Document) -> Document:
    """A column twice; the first has the same values, none, or those of the next row."""
    column = _of_one_read(rng, document)
    header, *rows = document.rows
    values = [row[column] for row in rows]
    other = rng.choice((values, [""] * len(values), values[1:] + values[:1]))
    inserted = [[*row[:column], value, *row[column:]] for row, value in zip(rows, other, strict=True)]
    return replace(document, rows=[[*header[:column], header[column], *header[column:]], *inserted])


def _line_end_in_header(rng: random.Random, document: Document) -> Document:
    header = list(document.rows[0])
    column = rng.choice((0, rng.randrange(len(header))))
    header[column] = re.sub("[ _]", "\n", header[column], count=1)
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


def _total(rng: random.Random, rows: list[list[str]]) -> list[list[str]]:
    """A last row with sums and no key."""
    word = rng.choice(("Total", "Ensemble", "France entière"))
    sums = ["9999" if re.fullmatch("[0-9]+", cell) else "" for cell in rows[0]]
    place = sums.index("") if "" in sums else 0
    return [*rows, [*sums[:place], word, *sums[place + 1 :]]]


def _form(means: Means = "same", **choices: tuple[object, ...]) -> Mutation:
    def apply(rng: random.Random, document: Document) -> Document:
        chosen: dict[str, Any] = {name: rng.choice(values) for name, values in choices.items()}
        return replace(document, **chosen)

    return Mutation(apply, means=means)


def _at(rng: random.Random, content: bytes, inserted: bytes) -> bytes:
    position = rng.randrange(len(content) + 1)
    return content[:position] + inserted + content[position:]


def _flipped(rng: random.Random, content: bytes) -> bytes:
    position = rng.randrange(len(content))
    return content[:position] + bytes([rng.randrange(256)]) + content[position + 1 :]


def _garbled(rng: random.Random, content: bytes) -> bytes:
    return content.decode("cp1252", errors="replace").encode()


def _packed(form: str, damage: ByteChange | None = None, empty: bool = False) -> Mutation:
    """A mutation that puts a table into a container, and damages that."""
    suffix, pack = containers.FORMS[form]

    def apply(rng: random.Random, document: Document) -> Document:
        rows = document.rows[: 1 if empty else None]
        changes: list[Bytes] = [lambda content: pack(rows, b"" if empty else content)]
        changes += [partial(damage, rng)] if damage else []
        return replace(document, suffix=suffix, afterwards=tuple(changes))

    means: Means = "another" if empty else "same" if form in containers.WITH_CHECKSUM or not damage else "other"
    return Mutation(apply, means=means, spares_columns=not empty and means == "same")


MUTATIONS: dict[str, Mutation] = {
    "unchanged": Mutation(lambda rng, document: document, "any"),
    "cut": _bytes(lambda rng, content: content[: rng.randrange(len(content))]),
    "error page": _bytes(lambda rng, content: rng.choice(ERROR_PAGES), "another"),
    "error page behind": _bytes(lambda rng, content: content + ERROR_PAGES[rng.randrange(2)], "same"),
    "another source's file": Mutation(
        lambda rng, document: replace(document, afterwards=(lambda content: document.stranger,)), "any", "another"
    ),
    "empty": _bytes(lambda rng, content: rng.choice((b"", b"\n", b"\xef\xbb\xbf", b"[]", b"{}")), "another"),
    "header alone": replace(_rows(lambda rng, rows: [], "another"), spares_columns=False),
    "nul byte": _bytes(lambda rng, content: _at(rng, content, b"\0")),
    "changed byte": _bytes(_flipped),
    "open quote": _bytes(lambda rng, content: _at(rng, content, b'"')),
    "mojibake": _bytes(_garbled, "same"),
    "utf-16": _bytes(lambda rng, content: content.decode("utf-8", errors="replace").encode("utf-16")),
    "sep line": _bytes(lambda rng, content: b"sep=;\n" + content, "same", "table"),
    "title": _bytes(lambda rng, content: "Liste des établissements\n\n".encode() + content, "same", "table"),
    "footer": _bytes(lambda rng, content: content + "Source : INSEE, géographie 2024\n".encode(), "same", "table"),
    "order of columns": _columns(lambda rng, numbers: rng.sample(numbers, len(numbers))),
    "column dropped": Mutation(_dropped, spares_columns=False),
    "column twice": Mutation(_with_copy),
    "column renamed": Mutation(_renamed, spares_columns=False),
    "line end in the header": Mutation(_line_end_in_header, spares_columns=False),
    "other delimiter": _form(delimiter=(",", ";", "\t", "|")),
    "strange delimiter": _form(means="another", delimiter=("^", "~")),
    "other encoding": _form(encoding=("cp1252", "utf-8-sig")),
    "other line end": _form(line_end=("\r\n", "\r", ";\n")),
    "quoted": _form(quoted=(True,)),
    "blank line": _rows(lambda rng, rows: _inserted(rng, rows, [""] * rng.choice((0, len(rows[0]))))),
    "field too many": _rows(_extra_field),
    "short row": _rows(_short_row),
    "order of rows": _rows(lambda rng, rows: rng.sample(rows, len(rows)), "other"),
    "row twice": _rows(lambda rng, rows: _inserted(rng, rows, rng.choice(rows))),
    "rows twice": _rows(lambda rng, rows: [*rows, *rows]),
    "header twice": _rows(lambda rng, rows: [rows[0], *_inserted(rng, rows[1:], rows[0])], header=True),
    "total": _rows(_total),
    "cut at a line end": _rows(lambda rng, rows: rows[: rng.randrange(1, len(rows) + 1)], "fewer"),
}
MUTATIONS |= cell_damage.DAMAGE
MUTATIONS |= {f"{form}, whole": _packed(form) for form in containers.FORMS}
MUTATIONS |= {f"{form}, nothing in it": _packed(form, empty=True) for form in containers.FORMS}
MUTATIONS |= {
    f"{form}, {name}": _packed(form, damage) for form in containers.FORMS for name, damage in containers.DAMAGE.items()
}
MUTATIONS |= {f"JSON, {name}": _bytes(damage, needs="json") for name, damage in json_damage.DAMAGE.items()}
MUTATIONS |= {f"JSON, {name}": _bytes(damage, "same", "json") for name, damage in json_damage.HARMLESS.items()}
MUTATIONS["ring that crosses itself"] = _bytes(json_damage.crossed, "said", "shapes")
