"""What ONISEP's files have in common: lists in one text, dates, postal codes, several sites of one school.

Not here: the names of the courses (`specialites.py` for the specialties of première).
"""

from collections.abc import Sequence

import polars as pl

SEPARATOR = " / "
"""Between two courses in the one text that lists them."""

SITE = "Identifiant action de formation"
"""Column that tells apart the rows, one per course of studies and site."""


def five_digits(code: pl.Expr) -> pl.Expr:
    """The postal code with the leading zero that ONISEP leaves out: `1210` is `01210`."""
    return code.str.zfill(5)


def iso_date(day: pl.Expr) -> pl.Expr:
    """`31/01/2023` as `2023-01-31`, so that the greatest is the latest; anything else stays, to be refused."""
    return day.str.replace(r"^(\d\d)/(\d\d)/(\d{4})$", "${3}-${2}-${1}")


def filled(items: pl.Expr) -> pl.Expr:
    """A list of texts without outer blanks and empty ones; NULL where nothing is left."""
    kept = items.list.eval(pl.element().str.strip_chars().filter(pl.element().str.contains(r"\S")))
    return pl.when(kept.list.len() > 0).then(kept)


def one_row_per_uai(rows: pl.LazyFrame, lists: Sequence[str]) -> pl.LazyFrame:
    """Put the sites that share a UAI in one row; a row without UAI stays alone, for the contract to refuse.

    Args:
        rows: `uai`, `identifiant_action_de_formation`, `etablissement`, `date_modification`, the columns `lists`
            (lists of text) and others. Of the others the main site's are kept: the one with the shortest name
            (`Lycée Sainte-Marie`, not `Lycée Sainte-Marie (annexe)`).
        lists: columns of which the union is taken, sorted.
    """
    name, identifier = pl.col("etablissement"), pl.col("identifiant_action_de_formation")
    return (
        rows.sort(name.str.len_chars(), name, identifier)
        .group_by(pl.coalesce("uai", identifier).alias("site"))
        .agg(
            pl.exclude("uai", "date_modification", *lists).first(),
            pl.col("uai").first(),
            pl.col("date_modification").max(),
            *(pl.col(column).explode().drop_nulls().unique().sort() for column in lists),
        )
    )
