"""The contracts of all tables: that they are written so that people find their way.

Belongs here: what holds for every contract. Does not belong here: the agreement of contracts and database
(``database/test_contracts_in_database.py``).
"""

from __future__ import annotations

import inspect
import re

import dataframely as dy
import polars as pl
import pytest

from edu_pipeline.contracts import Contract, computed_from, specs
from edu_pipeline.table import Table, tables

for_every_table = pytest.mark.parametrize("table", tables().values(), ids=lambda table: table.name)


@for_every_table
def test_every_column_is_found_by_a_search_for_its_name(table: Table) -> None:
    """It is a class attribute of the contract or of a base class such as ``Located``."""
    classes = [base for base in table.contract.__mro__ if issubclass(base, Contract)]
    text = "\n".join(inspect.getsource(base) for base in classes)
    columns = table.contract.columns()
    assert set(re.findall(r"^    (\w+) = ", text, re.MULTILINE)) == set(columns)


@for_every_table
def test_every_column_is_described(table: Table) -> None:
    assert table.description
    descriptions = {name: column.description or "" for name, column in table.contract.columns().items()}
    assert [name for name, text in descriptions.items() if not text.strip().endswith((".", "..."))] == []


@for_every_table
def test_every_number_and_date_has_bounds(table: Table) -> None:
    """So that a wrong decimal mark, a wrong unit or a year of two digits is noticed."""
    columns = table.contract.columns()
    bounded = {name: column for name, column in columns.items() if column.dtype.is_numeric() or column.dtype == pl.Date}
    bounds = {name: (getattr(column, "min", None), getattr(column, "max", None)) for name, column in bounded.items()}
    assert [name for name, (least, most) in bounds.items() if least is None or most is None or least >= most] == []


def test_amounts_of_money_are_no_thousandths() -> None:
    """Whatever is read with a mark of thousands as the decimal mark is below the lower bound."""
    money = {
        f"{table.name}.{name}": column
        for table in tables().values()
        for name, column in table.contract.columns().items()
        if (specs(table.contract)[name].unit or "").startswith("€") and isinstance(column, dy.Decimal)
    }
    assert len(money) >= 8
    usual_highest = {"mutations_immo_latest.prix_moyen": 1_990_000, "mutations_immo_latest.prix_m2_moyen": 20_000}
    for name, column in money.items():
        assert column.min is not None and usual_highest.get(name, 200_000) / 1_000 < column.min, name


def test_shares_name_columns_of_their_table() -> None:
    shares = {
        (table.name, name): columns
        for table in tables().values()
        for name, columns in computed_from(table.contract).items()
    }
    assert shares
    for (table_name, name), columns in shares.items():
        assert set(columns) <= set(specs(tables()[table_name].contract)), f"{table_name}.{name}"


def test_rates_and_means_name_counts_of_their_table() -> None:
    named: dict[tuple[str, str], set[str]] = {}
    for table in tables().values():
        for name, spec in specs(table.contract).items():
            if spec.rate_of is not None:
                rate = spec.rate_of
                named[table.name, name] = {rate.count, rate.base, *rate.other_bases.values()}
                assert {column for column, _ in rate.other_bases} <= {*table.key}
            if spec.mean_over is not None:
                named[table.name, name] = {spec.mean_over}
    assert len({table for table, _ in named}) >= 3
    assert [place for place, counts in named.items() if not counts <= {*tables()[place[0]].counts}] == []
