"""How the publishers of school data spell names, codes, numbers and dates.

Belongs here: what more than one file spells alike. Does not belong here: what the values are (`education.py`,
`schools.py`), numbers that have to be made up (`numbering.py`).
"""

from __future__ import annotations

import polars as pl


def capitals(text: pl.Expr) -> pl.Expr:
    """The ministry's capitals: no accents, ligatures in two letters."""
    return (
        text.str.to_uppercase()
        .str.replace_many({"Œ": "OE", "Æ": "AE"})
        .str.normalize("NFKD")
        .str.replace_all(r"\p{M}", "")
    )


def bare_capitals(text: pl.Expr) -> pl.Expr:
    """Capitals without punctuation: `LYCEE L HOPITAL`."""
    return capitals(text).str.replace_all("[^A-Z0-9()]+", " ").str.strip_chars()


def three_characters(code_departement: pl.Expr) -> pl.Expr:
    """The département's code as most of the ministry's files pad it: `035`, `02A`, `971`."""
    return code_departement.str.zfill(3)


def without_zero(number: pl.Expr) -> pl.Expr:
    """A number that the portal holds as text, without a trailing zero: `27`, `29.5`."""
    return number.cast(pl.String).str.replace(r"\.0$", "")


def french_date(day: pl.Expr) -> pl.Expr:
    """A date as ONISEP writes it: `06/06/2020`."""
    return day.dt.strftime("%d/%m/%Y")
