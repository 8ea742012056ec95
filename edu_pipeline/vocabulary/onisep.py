"""What ONISEP's files have in common: lists in a single text, several sites of one school.

Does not belong here: the names of the courses (`specialites.py` for the specialties of première).
"""

from collections.abc import Sequence

import polars as pl

from edu_pipeline.accounts import SOURCE_ROW
from edu_pipeline.flow import add_up

SEPARATOR = " / "
"""Separates the courses in the text that lists them."""

SITE = "Identifiant action de formation"
"""Column that identifies the rows, which are one per course and site."""


def filled(items: pl.Expr) -> pl.Expr:
    """A list of texts with blanks stripped and empty texts removed; NULL if nothing is left."""
    texts = items.list.eval(pl.element().str.strip_chars().filter(pl.element().str.contains(r"\S")))
    return pl.when(texts.list.len() > 0).then(texts)


def one_row_per_uai(rows: pl.LazyFrame, lists: Sequence[str]) -> pl.LazyFrame:
    """Merge the sites that share a UAI into one row; the contract refuses rows without UAI, which stay separate.

    Args:
        rows: the columns `uai`, `identifiant_action_de_formation`, `etablissement`, `date_modification`, `lists` and
            others. The others are taken from the main site: the one with the shortest name (`Lycée Sainte-Marie`, not
            `Lycée Sainte-Marie (annexe)`).
        lists: columns with lists of text, of which the sorted union is taken.
    """
    name = pl.col("etablissement")
    main_site_first = rows.sort(name.str.len_chars(), name, pl.col("identifiant_action_de_formation"))
    columns = [
        pl.exclude("uai", "date_modification", SOURCE_ROW, *lists).first(),
        pl.col("date_modification").max(),
        *(pl.col(column).explode().drop_nulls().unique().sort() for column in lists),
    ]
    return add_up(main_site_first, ["uai"], columns)
