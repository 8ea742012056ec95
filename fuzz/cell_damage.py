"""Damage to the cells of a column: what spreadsheets, exports and people make of values.

Belongs here: changes of single cells, and choosing the column. Does not belong here: columns, rows and whole files
(`mutations.py`).
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace

from edu_pipeline.loading.cells import MANY
from fuzz.document import Document, Means, Mutation

Change = Callable[[random.Random, str], str]

MARKS = ("#REF!", "#N/A", "#NOM?", "####", "ND", "INCONNU")
"""Texts that no publisher's table has: in a column of free text they may be published as they are."""

ANY, NUMBER, LARGE = r"(?s).+", r"-?[0-9]+([.,][0-9]+)?", r"(?!(19|20)[0-9]{2}$)[0-9]{4,9}([.,][0-9]+)?"
CODE, PADDED, YEAR = r"[0-9][0-9AB][0-9]{3,12}[A-Z]?", r"0[0-9AB][0-9]*[A-Z]?", r"(19|20)[0-9]{2}"
ISO, FRENCH, WORD = r"[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}/[0-9]{2}/[0-9]{4}", r"(?i).*[a-zé]{3}.*"
FLAG = r"(?i)0|1|O|N|oui|non|true|false"

SHARE = 0.8
"""The share of a column's values that must be of a form."""


def columns_of(document: Document, form: str) -> list[int]:
    """The columns whose values are of the form, a regular expression; those that are read, if there are any."""
    found = []
    for column in range(len(document.rows[0])):
        values = [row[column] for row in document.rows[1:] if row[column]]
        if values and sum(bool(re.fullmatch(form, value)) for value in values) >= SHARE * len(values):
            found.append(column)
    return [column for column in found if column in document.columns_read] or found


def cells(
    change: Change, form: str = "(?s).*", means: Means = "same", shares: tuple[float, ...] = (0.02, 0.05, 0.5, 1)
) -> Mutation:
    """A mutation of some cells of one column.

    Args:
        form: that of the cells.
        shares: the shares of the cells that may be changed.
    """

    def apply(rng: random.Random, document: Document) -> Document | None:
        header, *rows = document.rows
        columns = columns_of(document, form)
        if not columns:
            return None
        column, share = rng.choice(columns), rng.choice(shares)
        changed = [list(row) for row in rows]
        for row in changed:
            if rng.random() < share and re.fullmatch(form, row[column]):
                row[column] = change(rng, row[column])
        return replace(document, rows=[header, *changed]) if changed != rows else None

    return Mutation(apply, means=means)


def _emptied(rng: random.Random, document: Document) -> Document | None:
    """A column without any value, in a file with so many rows that this is no coincidence."""
    return cells(lambda rng, cell: "", ANY, shares=(1,)).apply(rng, document) if document.count >= MANY else None


def _spreadsheet(rng: random.Random, cell: str) -> str:
    """What a spreadsheet makes of a cell."""
    if re.fullmatch("[0-9]{12,}", cell):
        return f"{cell[0]},{cell[1:6]}E+{len(cell) - 1}"
    if re.fullmatch("0[0-9]+", cell):
        return cell.lstrip("0") or "0"
    if day := re.fullmatch("([0-9]{4})-([0-9]{2})-([0-9]{2})", cell):
        return f"{day[3]}/{day[2]}/{day[1]}"
    return cell


def _two_digit_year(rng: random.Random, cell: str) -> str:
    year, month, day = re.split("[-/]", cell) if re.fullmatch(ISO, cell) else re.split("/", cell)[::-1]
    return f"{day}/{month}/{year[2:]}"


def _grouped(*marks: str) -> Change:
    """A number with marks between its thousands."""

    def change(rng: random.Random, cell: str) -> str:
        whole, *rest = re.split("[.,]", cell)
        chosen = rng.choice(marks)
        return "".join(
            [f"{int(whole):,}".replace(",", chosen), *(f"{'.' if chosen == ',' else ','}{one}" for one in rest)]
        )

    return change


def _garbled(rng: random.Random, cell: str) -> str:
    return cell.encode().decode("cp1252", errors="replace")


def _wide_digits(rng: random.Random, cell: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) if char in "0123456789" else char for char in cell)


def _rounded_thousand(rng: random.Random, cell: str) -> str:
    return f"{int(cell) // 1000}.{int(cell) % 1000:03d}" if cell.isdigit() else cell


DAMAGE: dict[str, Mutation] = {
    "spreadsheet": cells(_spreadsheet, f"{PADDED}|[0-9]{{12,}}|{ISO}"),
    "decimal comma": cells(lambda rng, cell: re.sub(r"^(-?[0-9]+)\.([0-9]+)$", r"\1,\2", cell), NUMBER),
    "error of a spreadsheet": cells(lambda rng, cell: rng.choice(("#REF!", "#N/A", "#NOM?", "####")), ANY),
    "emptied": cells(lambda rng, cell: "", ANY, "less", (0.02, 0.5)),
    "column emptied": Mutation(_emptied),
    "no data": cells(lambda rng, cell: "ND", NUMBER),
    "unknown word": cells(lambda rng, cell: "INCONNU", WORD),
    "unknown flag": cells(lambda rng, cell: "INCONNU", FLAG),
    "true for 1": cells(lambda rng, cell: {"1": "TRUE", "O": "Vrai", "oui": "VRAI"}.get(cell, cell), FLAG, "said"),
    "footnote": cells(lambda rng, cell: f"{cell} (p)", CODE),
    "blank in a code": cells(lambda rng, cell: f"{cell[:2]} {cell[2:]}", CODE),
    "mark in a code": cells(lambda rng, cell: f"{cell[:2]}.{cell[2:]}", CODE),
    "code as a decimal": cells(lambda rng, cell: f"{cell}.0", CODE),
    "letter O": cells(lambda rng, cell: cell.replace("0", "O"), CODE),
    "wide digits": cells(_wide_digits, NUMBER),
    "two-digit year": cells(_two_digit_year, f"{ISO}|{FRENCH}"),
    "day of a year": cells(lambda rng, cell: f"01/01/{cell}", YEAR),
    "year of the future": cells(lambda rng, cell: "2099", YEAR, shares=(0.02, 0.5)),
    "thousands": cells(_grouped(" ", "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}", ".", ","), LARGE),
    "mark read as decimal": cells(_rounded_thousand, LARGE, shares=(0.02, 1)),
    "percent": cells(lambda rng, cell: f"{cell} %", NUMBER),
    "less than": cells(lambda rng, cell: rng.choice(("<5", "moins de 5", "000≤4")), NUMBER),
    "negative": cells(lambda rng, cell: f"-{cell}", "[1-9][0-9]*", "other"),
    "garbled cells": cells(_garbled, r"(?s).*[^\x00-\x7f].*|.*[a-z]{3}.*"),
    "zero-width blank": cells(lambda rng, cell: rng.choice((f"\u200b{cell}", f"{cell}\ufeff", f"{cell}\u200e")), ANY),
    "blanks": cells(lambda rng, cell: rng.choice((f" {cell} ", f"\N{NO-BREAK SPACE}{cell}", f"{cell}  ")), ANY),
    "nul in cells": cells(lambda rng, cell: f"{cell}\0", ANY),
    "other number": cells(
        lambda rng, cell: rng.choice(("-1", "1e400", "NaN", "9" * 40, "0x1F", "1,5")), ANY, "other", (0.05, 0.5, 1)
    ),
    "strange text": cells(
        lambda rng, cell: rng.choice(("\x07", "é" * 5000, "'; --", "a\nb", "\u202e", "٣")), ANY, "other", (0.05, 1)
    ),
}
"""Ways to damage the cells of a column."""
