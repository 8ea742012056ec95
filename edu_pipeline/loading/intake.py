"""From a publisher's columns to the contract's: the frame that a transform receives.

Belongs here: selecting columns, hidden values, the contract's normalisers, the corrections of known upstream errors.
Does not belong here: which columns these are (``columns.py``), what their cells tell (``cells.py``), casting to types
and refusing rows (``conform.py``).

A long file is unfolded first (``unfolding.py``).

The frame has the contract's own columns (under the contract's names, as text), the columns that the table ``needs``
(under their slugs), ``vintage`` where the catalogue takes one from the file's name (NULL if the name has none), and
where the contract has it the flag ``codes_anciens``, unset (``passage.py`` sets it).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import polars as pl

from edu_pipeline.accounts import SOURCE_ROW
from edu_pipeline.catalogue import File
from edu_pipeline.contracts import CODES_ANCIENS, REFUSED_BECAUSE, Spec, specs
from edu_pipeline.errors import ColumnEmpty
from edu_pipeline.loading import cells
from edu_pipeline.loading.columns import Columns, check_kind, find_columns, is_required
from edu_pipeline.loading.corrections import Applied, correct, corrections_for, withhold
from edu_pipeline.loading.shapes import invalid_shapes
from edu_pipeline.loading.unfolding import unfolded
from edu_pipeline.normalise import SCIENTIFIC, amount
from edu_pipeline.sources.headers import is_copy
from edu_pipeline.table import Table

INVISIBLE, REPAIRED = "cells with characters that nobody sees", "geometries repaired"
"""What is repaired, and counted with the lines and fields that are left out."""

THOUSAND, BY_CHANCE = 1_000, 3

EMPTY = "{} (empty)"
"""How a column without values is listed among the missing ones."""

WITHHELD = "{}, where its known error cannot be corrected without {}"
"""How a column is listed among the missing ones if some of its values are NULL for that reason."""


@dataclass(frozen=True)
class Intake:
    """What a transform receives for one parameter.

    Attributes:
        frame: a column per contract column that comes from this file, then the needed ones; all text.
        hidden: number of cells per column in which the publisher hides the value, or a spreadsheet has lost its digits.
        corrections: the corrections of known upstream errors, and the number of rows that each changed.
        missing: upstream name of a column that the file lacks, to names in the file that are close; of one that is
            there but empty, as ``EMPTY`` says.
        file_name: the file's name as received.
        skipped: number of cells that were repaired, by what was repaired.
        notes: what was found or repaired, in sentences for the log.
    """

    frame: pl.LazyFrame
    hidden: dict[str, int]
    corrections: tuple[Applied, ...]
    missing: Mapping[str, list[str]]
    file_name: str
    skipped: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def take_in(
    table: Table, parameter: str, raw: pl.LazyFrame, file: File, file_name: str, where: str, begins: str = ""
) -> Intake:
    """Select, rename and normalise the columns that ``table`` takes from ``raw``.

    Args:
        parameter: the transform's parameter that the frame is for.
        raw: the reader's rows, columns named by slug; with ``SOURCE_ROW`` if they are accounted for.
        file_name: the file's name as received, from which its vintage is taken.
        where: source and release, for the failure texts.
        begins: the file's first line, for the failure texts.

    Raises:
        AnotherFile, ColumnMissing, ColumnEmpty: the file lacks a column that the table cannot do without, or has no
            value in it.
        FileInvalid: a column is there twice, with different values, or has lists where there should be texts.
    """
    gaps: list[str] = []
    if file.long:
        raw, gaps = unfolded(raw, table, parameter, file.long, where, begins)
    schema = raw.collect_schema()
    carried = [name for name in schema if name in (SOURCE_ROW, REFUSED_BECAUSE)]
    own = [name for name in schema if not is_copy(name) and name not in carried]
    columns = find_columns(table, parameter, own, where, begins)
    named = {name: column for name, column in columns.upstream.items() if column} | {
        name: name for name in columns.needed
    }
    _check_kinds(table, named, schema, where)
    text = [name for name, column in named.items() if schema[column] == pl.String]
    chosen = raw.select(*carried, *(pl.col(column).alias(name) for name, column in named.items()))
    unusable = _unusable(text, file, table)
    found = cells.Cells()
    if parameter not in table.in_parts:
        filled, amounts = _expected_to_have_values(table, columns), _amounts(table, text)
        found = cells.look_at(raw, named, unusable, filled, amounts, where)
    missing = dict(columns.missing) | _empty(table, parameter, found.empty, where)
    chosen = chosen.with_columns(pl.when(~unusable[name]).then(name).alias(name) for name in found.hidden)
    chosen = chosen.with_columns(cells.visible(name) for name in found.invisible)
    chosen = chosen.with_columns(amount(pl.col(name)).alias(name) for name in found.doubtful)
    contract = specs(table.contract)
    absent = {name: _kind(table, name, file) for name in columns.upstream if name not in named}
    chosen = chosen.with_columns(
        [_normalised(name, contract[name], file, table) for name in text if name in contract]
    ).with_columns(pl.lit(None, kind).alias(name) for name, kind in absent.items())
    if CODES_ANCIENS in contract and "code_commune" in columns.upstream:
        chosen = chosen.with_columns(pl.lit(None, pl.List(pl.String)).alias(CODES_ANCIENS))
    if file.vintage:
        match = re.search(file.vintage, file_name)
        chosen = chosen.with_columns(vintage=pl.lit(match.group(1) if match else None, pl.String))
    corrected, applied, withheld = _corrected(chosen, table, parameter, {*absent, *found.empty})
    missing |= withheld
    repaired = [invalid_shapes(chosen, table.key[0], name) for name in table.contours if name in named]
    skipped = {INVISIBLE: sum(found.invisible.values()), REPAIRED: sum(invalid.count for invalid in repaired)}
    return Intake(
        corrected,
        dict(found.hidden),
        applied,
        missing,
        file_name,
        {rule: count for rule, count in skipped.items() if count},
        (*found.notes, *gaps, *(invalid.note for invalid in repaired if invalid.count)),
    )


def _corrected(
    chosen: pl.LazyFrame, table: Table, parameter: str, valueless: Collection[str]
) -> tuple[pl.LazyFrame, tuple[Applied, ...], dict[str, list[str]]]:
    """The rows, corrected; what each correction did; and as missing columns, those that could not be corrected.

    Args:
        valueless: the columns that are not there, or empty.
    """
    contract, known = specs(table.contract), corrections_for(table.name, parameter)
    frame, withheld = withhold(chosen, known, valueless)
    corrected, applied = correct(frame, [one for one in known if not one.columns & {*valueless}])
    names = {name: contract[name].upstream_in(parameter) if name in contract else name for name in withheld}
    return corrected, applied, {WITHHELD.format(names[name], " and ".join(withheld[name])): [] for name in names}


def _expected_to_have_values(table: Table, columns: Columns) -> list[str]:
    """The columns that are there and of which a file should not have NULL alone."""
    contract = specs(table.contract)
    own = [
        name
        for name, column in columns.upstream.items()
        if column and not (contract[name].optional or contract[name].may_be_empty)
    ]
    return [*own, *(name for name in columns.needed if name not in table.may_be_empty)]


def _amounts(table: Table, text: Collection[str]) -> dict[str, int]:
    """The numeric columns of the contract with values of a thousand or more.

    A whole number has no decimals, so one mark is doubtful; of others some may have three decimals by chance.
    """
    columns = {name: column for name, column in table.contract.columns().items() if name in text}
    numeric = {name: getattr(column, "max", None) for name, column in columns.items() if column.dtype.is_numeric()}
    return {
        name: 1 if columns[name].dtype.is_integer() else BY_CHANCE
        for name, most in numeric.items()
        if most is None or most >= THOUSAND
    }


def _empty(table: Table, parameter: str, names: Collection[str], where: str) -> dict[str, list[str]]:
    """The empty columns, as missing ones are listed; rows without a key or a value that must be there are refused.

    A list that must be there is no reason for that: a transform makes an empty one of nothing.

    Raises:
        ColumnEmpty: the table cannot do without one of them.
    """
    contract, columns = specs(table.contract), table.contract.columns()
    for name in names:
        is_own = name in contract
        is_refused = is_own and not columns[name].nullable and not columns[name].dtype.is_nested()
        if not is_own or (is_required(table, name) and not is_refused):
            column = contract[name].upstream_in(parameter) if is_own else name
            place = f"the aliases of {table.contract.__name__}.{name}" if is_own else f"needs of {table.name}"
            raise ColumnEmpty(
                where,
                f"expected values in column {column!r}, found none in any row.",
                f"Look at the file: {table.name} cannot do without them. If the publisher gives them in another "
                f"column, add its name to {place}. The previous rows stay.",
            )
    return {EMPTY.format(contract[name].upstream_in(parameter)): [] for name in names if columns[name].nullable}


def _kind(table: Table, name: str, file: File) -> pl.DataType:
    """The kind of a column as the file has it: only JSON has lists, which elsewhere are texts to be split."""
    kind = table.contract.columns()[name].dtype
    return kind if kind.is_nested() and file.format in ("json", "geojson") else pl.String()


def _check_kinds(table: Table, named: Mapping[str, str], schema: Mapping[str, pl.DataType], where: str) -> None:
    """That columns have lists or structures where they should, and only there; JSON may have them anywhere.

    Raises:
        FileInvalid: one is of the other kind.
    """
    scalar = [name for name, column in table.contract.columns().items() if not column.dtype.is_nested()]
    for name in {*scalar, *table.structures} & named.keys():
        check_kind(named[name], schema[named[name]], name in table.structures, where)


def _unusable(text: Collection[str], file: File, table: Table) -> dict[str, pl.Expr]:
    """The columns with cells that count as NULL, and which cells these are.

    They are the values that the publisher hides, and in texts that may be NULL the numbers whose digits a spreadsheet
    has lost; where there must be a value, the contract refuses such a number.
    """
    is_hidden = {name: pl.col(name).is_in(list(file.hidden)).fill_null(False) for name in text} if file.hidden else {}
    for name, column in table.contract.columns().items():
        if name in text and column.dtype == pl.String and column.nullable:
            lossy = pl.col(name).str.contains(SCIENTIFIC).fill_null(False)
            is_hidden[name] = is_hidden[name] | lossy if name in is_hidden else lossy
    return is_hidden


def _normalised(name: str, spec: Spec, file: File, table: Table) -> pl.Expr:
    value = pl.col(name)
    if file.decimal == "," and table.contract.columns()[name].dtype.is_numeric():
        value = value.str.replace(",", ".", literal=True)
    return spec.normalise(value).alias(name) if spec.normalise else value
