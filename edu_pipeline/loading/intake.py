"""From a publisher's columns to the contract's: the frame that a transform receives.

Belongs here: selecting columns, hidden values, the contract's normalisers, the corrections of known upstream errors.
Does not belong here: which columns these are (``columns.py``), casting to types and refusing rows (``conform.py``).

The frame has the contract's own columns (under the contract's names, as text), the columns that the table ``needs``
(under their slugs), ``vintage`` where the catalogue takes one from the file's name (NULL if the name has none), and
where the contract has it the flag ``codes_anciens``, unset (``passage.py`` sets it).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import polars as pl

from edu_pipeline.catalogue import File
from edu_pipeline.contracts import CODES_ANCIENS, Spec, specs
from edu_pipeline.loading.columns import find_columns
from edu_pipeline.loading.corrections import Applied, correct, corrections_for
from edu_pipeline.normalise import SCIENTIFIC
from edu_pipeline.table import Table


@dataclass(frozen=True)
class Intake:
    """What a transform receives for one parameter.

    Attributes:
        frame: a column per contract column that comes from this file, then the needed ones; all text.
        hidden: number of cells per column in which the publisher hides the value, or a spreadsheet has lost its digits.
        corrections: the corrections of known upstream errors, and the number of rows that each changed.
        missing: upstream name of a column that the file lacks, to names in the file that are close.
        file_name: the file's name as received.
    """

    frame: pl.LazyFrame
    hidden: dict[str, int]
    corrections: tuple[Applied, ...]
    missing: Mapping[str, list[str]]
    file_name: str


def take_in(table: Table, parameter: str, raw: pl.LazyFrame, file: File, file_name: str, where: str) -> Intake:
    """Select, rename and normalise the columns that ``table`` takes from ``raw``.

    Args:
        parameter: the transform's parameter that the frame is for.
        raw: the reader's rows, columns named by slug.
        file_name: the file's name as received, from which its vintage is taken.
        where: source and release, for the failure texts.

    Raises:
        ColumnMissing: the file lacks a column that the table cannot do without.
    """
    schema = raw.collect_schema()
    columns = find_columns(table, parameter, list(schema), where)
    named = {name: column for name, column in columns.upstream.items() if column} | {
        name: name for name in columns.needed
    }
    text = [name for name, column in named.items() if schema[column] == pl.String]
    chosen = raw.select(pl.col(column).alias(name) for name, column in named.items())
    hidden: dict[str, int] = {}
    if unusable := _unusable(text, file, table):
        counts = chosen.select(**{name: cells.sum() for name, cells in unusable.items()})
        row = counts.collect(engine="streaming").row(0, named=True)
        hidden = {name: count for name, count in row.items() if count}
        chosen = chosen.with_columns(pl.when(~unusable[name]).then(name).alias(name) for name in hidden)
    contract = specs(table.contract)
    absent = {name: table.contract.columns()[name].dtype for name in columns.upstream if name not in named}
    chosen = chosen.with_columns(
        [_normalised(name, contract[name], file, table) for name in text if name in contract]
    ).with_columns(pl.lit(None, kind if kind.is_nested() else pl.String).alias(name) for name, kind in absent.items())
    if CODES_ANCIENS in contract and "code_commune" in columns.upstream:
        chosen = chosen.with_columns(pl.lit(None, pl.List(pl.String)).alias(CODES_ANCIENS))
    if file.vintage:
        match = re.search(file.vintage, file_name)
        chosen = chosen.with_columns(vintage=pl.lit(match.group(1) if match else None, pl.String))
    corrected, applied = correct(chosen, corrections_for(table.name, parameter))
    return Intake(corrected, hidden, applied, columns.missing, file_name)


def _unusable(text: Collection[str], file: File, table: Table) -> dict[str, pl.Expr]:
    """The columns with cells that count as NULL, and which cells these are.

    They are the values that the publisher hides, and in texts that may be NULL the numbers whose digits a spreadsheet
    has lost; where there must be a value, the contract refuses such a number.
    """
    cells = {name: pl.col(name).is_in(list(file.hidden)).fill_null(False) for name in text} if file.hidden else {}
    for name, column in table.contract.columns().items():
        if name in text and column.dtype == pl.String and column.nullable:
            lossy = pl.col(name).str.contains(SCIENTIFIC).fill_null(False)
            cells[name] = cells[name] | lossy if name in cells else lossy
    return cells


def _normalised(name: str, spec: Spec, file: File, table: Table) -> pl.Expr:
    value = pl.col(name)
    if file.decimal == "," and table.contract.columns()[name].dtype.is_numeric():
        value = value.str.replace(",", ".", literal=True)
    return spec.normalise(value).alias(name) if spec.normalise else value
