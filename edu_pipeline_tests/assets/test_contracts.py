"""The contracts of all tables: that they are written so that people find their way.

Belongs here: what holds for every contract. Does not belong here: the agreement of contracts and database
(``database/test_contracts_in_database.py``).
"""

from __future__ import annotations

import inspect
import re

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


def test_shares_name_columns_of_their_table() -> None:
    shares = {
        (table.name, name): columns
        for table in tables().values()
        for name, columns in computed_from(table.contract).items()
        if table.name != "commerce_sante_2024"  # these columns name INSEE's types of equipment instead
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
