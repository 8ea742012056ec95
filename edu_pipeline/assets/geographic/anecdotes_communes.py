"""anecdotes_communes: a fact worth telling about a commune. Not here: figures about it (the socio_economic layer).
Editorial file: docs/editorial-files.md."""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table


class AnecdotesCommunes(c.Contract):
    """A fact about a commune, written by hand; communes without one have no row.

    The file that holds them is handed in by an operator (docs/editorial-files.md); without it the table is empty. A
    code that is no longer in force stays as written and is counted as unknown: the commune's page does not show it.
    """

    code_commune = c.code_commune(key=True, references=("info_communes",), upstream="code_commune")
    anecdote = c.text("The fact, in French.", required=True, upstream="anecdote")


@table(AnecdotesCommunes)
def anecdotes_communes(editorial_anecdotes: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Take the file as it is; without one there are no rows."""
    return AnecdotesCommunes.create_empty(lazy=True) if editorial_anecdotes is None else editorial_anecdotes
