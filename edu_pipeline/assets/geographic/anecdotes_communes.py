"""anecdotes_communes: a fact worth telling about a commune, from an editorial file (docs/editorial-files.md).

Does not belong here: figures about communes (the socio_economic layer).
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table


class AnecdotesCommunes(c.Contract):
    """A fact about a commune, written by an editor; communes without one have no row.

    An operator supplies the file (docs/editorial-files.md); without it the table is empty. If several communes with a
    fact have merged, one fact is kept: that of the code still in force, otherwise the first.
    """

    code_commune = c.code_commune(key=True, references=("info_communes",), upstream="code_commune")
    codes_anciens = c.codes_anciens()
    anecdote = c.text("The fact, in French.", required=True, upstream="anecdote")


@table(AnecdotesCommunes)
def anecdotes_communes(editorial_anecdotes: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Take the rows of the file, if there is one."""
    return AnecdotesCommunes.create_empty(lazy=True) if editorial_anecdotes is None else editorial_anecdotes
