"""anecdotes_communes: a fact worth telling about a commune. Not here: figures about it (the socio_economic layer).
Editorial file: docs/editorial-files.md."""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table


class AnecdotesCommunes(c.Contract):
    """A fact about a commune, written by hand; communes without one have no row.

    The file that holds them is handed in by an operator (docs/editorial-files.md); without it the table is empty. Of
    the facts about communes that have merged since, the first is kept, that of the code still in force if it has one.
    """

    code_commune = c.code_commune(key=True, references=("info_communes",), upstream="code_commune")
    codes_anciens = c.codes_anciens()
    anecdote = c.text("The fact, in French.", required=True, upstream="anecdote")


@table(AnecdotesCommunes)
def anecdotes_communes(editorial_anecdotes: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Take the file as it is; without one there are no rows."""
    return AnecdotesCommunes.create_empty(lazy=True) if editorial_anecdotes is None else editorial_anecdotes
