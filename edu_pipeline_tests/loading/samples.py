"""Contracts, tables and rows that belong to no publisher, for tests of loading."""

from __future__ import annotations

from datetime import date

import polars as pl
import psycopg
from hypothesis import strategies as st
from psycopg import sql

from edu_pipeline import contracts as c
from edu_pipeline.contracts import Contract
from edu_pipeline.table import Table


class Everything(Contract):
    """One column of every kind."""

    cle = c.text("Key.", key=True)
    texte = c.text("Text.")
    entier = c.integer("Integer.")
    decimal = c.numeric("Decimal.")
    reel = c.real("Real.")
    oui = c.boolean("Flag.")
    jour = c.date("Day.", since=1800)
    liste = c.texts("Texts.")


def everything(rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={name: column.dtype for name, column in Everything.columns().items()})


class Crimes(Contract):
    """A large table."""

    cle = c.text("Key.", key=True)
    annee = c.integer("Year.", key=True)
    nombre = c.integer("Count.")


def crimes(count: int, nombre: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"cle": [str(number) for number in range(count)], "annee": [2024] * count, "nombre": [nombre] * count},
        schema_overrides={"annee": pl.Int32, "nombre": pl.Int32},
    )


def a_table(contract: type[Contract], name: str, large: bool = False) -> Table:
    def transform(x: pl.LazyFrame) -> pl.LazyFrame:
        return x

    transform.__name__ = name
    return Table(contract, transform, {}, None, 0.01, 0.02, 0.8, large)


def create(connection: psycopg.Connection[tuple[object, ...]], contract: type[Contract], name: str) -> None:
    columns = [sql.SQL("{} {}").format(sql.Identifier(n), sql.SQL(s.sql)) for n, s in c.specs(contract).items()]
    connection.execute(
        sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY (cle))").format(sql.Identifier(name), sql.SQL(", ").join(columns))
    )


texts = st.text(st.characters(exclude_characters="\0\x1f", exclude_categories=["Cs"]), min_size=1)
row = st.fixed_dictionaries(
    {
        "cle": texts,
        "texte": st.none() | texts,
        "entier": st.none() | st.integers(-(2**31), 2**31 - 1),
        "decimal": st.none() | st.decimals(-999, 999, places=2),
        "reel": st.none() | st.floats(allow_nan=False, allow_infinity=False),
        "oui": st.none() | st.booleans(),
        "jour": st.none() | st.dates(date(1800, 1, 1), date(2100, 12, 31)),
        "liste": st.none() | st.lists(texts, max_size=3),
    }
)
