"""How values of the data are written on a page.

Belongs here: one value of any type as a short text. Does not belong here: the texts of the interface (``texts.py``).
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from markupsafe import Markup

from edu_pipeline.errors import cut
from edu_pipeline.site.texts import number

LONGEST = 120
"""Most characters of a value in a table of rows."""

PLAIN = 10_000
"""Whole numbers below this are written without separators: years, above all."""


def marked(text: str) -> Markup:
    """A text in which what is between backticks is code, as HTML."""
    parts = [
        Markup("<code>{}</code>").format(part) if number % 2 else part for number, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


def breakable(name: str) -> Markup:
    """A long name that may be broken after an underscore, as HTML."""
    return Markup("_<wbr>").join(name.split("_"))


def cell(value: object) -> str:
    """A value of a row as it is in the data; nothing for NULL."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return f"WKB, {len(value):,} bytes"
    if isinstance(value, list):
        return cut(", ".join(map(str, value)), LONGEST)
    return cut(str(value), LONGEST)


def figure(language: str, value: object) -> str:
    """A number or date in a figure: at most four digits that count, or a whole number."""
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, int | float | Decimal):
        return str(value)
    known = float(value)
    if known.is_integer() and abs(known) < PLAIN:
        return str(int(known))
    if abs(known) >= PLAIN / 10:
        return number(language, known)
    written = f"{known:.4g}"
    return written.replace(".", ",") if language == "fr" else written
