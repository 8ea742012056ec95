"""Which columns of a file are those of a contract: by name, alias or pattern; and what is missing.

Belongs here: matching names, and whether a table can do without a column. Does not belong here: the columns' values
(``intake.py``).

Only what a table cannot do without stops its load: keys, columns that must not be NULL, the one that says which row is
the newest, what its transform ``needs``, and what a table that is made from it needs. Any other column is NULL where a
file lacks it, which is recorded. Values that were published earlier go too: a row never mixes two releases.
"""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from edu_pipeline.contracts import Spec, specs
from edu_pipeline.errors import AnotherFile, ColumnMissing, FileInvalid, shown
from edu_pipeline.normalise import slug
from edu_pipeline.sources.headers import is_copy
from edu_pipeline.table import Table, tables

CLOSE = 0.6
"""How alike two names must be for one to be suggested in place of the other, between 0 and 1."""


@dataclass(frozen=True)
class Columns:
    """The columns of a file that a table reads, all by the slug that the reader gives them.

    Attributes:
        upstream: contract column to the file's column; None if the file has none.
        needed: the columns that the transform needs and that are no column of the contract.
        missing: upstream name of a contract column that is not there, to the names in the file that are close.
    """

    upstream: Mapping[str, str | None]
    needed: tuple[str, ...]
    missing: Mapping[str, list[str]]


def find_columns(table: Table, parameter: str, columns: Collection[str], where: str, begins: str = "") -> Columns:
    """The columns that ``table`` reads for ``parameter`` from a file with these ``columns``.

    Args:
        begins: the file's first line, for the failure text.

    Raises:
        ColumnMissing: the file lacks a column that the table cannot do without; the text gives the closest.
        AnotherFile: it lacks most of the columns, or lacks some and has all those of another source.
    """
    contract = {name: spec for name, spec in specs(table.contract).items() if spec.upstream_in(parameter)}
    upstream = {name: _named(spec.upstream_in(parameter), spec, columns) for name, spec in contract.items()}
    needs = {need: [column for column in columns if is_called(column, need)] for need in table.needs.get(parameter, ())}
    claimed = {*upstream.values(), *(column for matching in needs.values() for column in matching)}
    free = [column for column in columns if column not in claimed]
    is_there = {name: upstream[name] is not None for name, spec in contract.items() if not spec.optional}
    is_there |= {need: bool(matching) for need, matching in needs.items()}
    found = sum(is_there.values())
    if 2 * found < len(is_there):
        raise another_file(table, is_there, begins or ", ".join(columns), where)
    if found < len(is_there) and (owner := _owner(table, parameter, columns, found)):
        raise AnotherFile(
            where,
            f"expected all {len(is_there)} columns that {table.name} reads, found {found}, and all that are read from "
            f"{owner}: this is the file of {owner}.",
            "Hand it in under that name, or correct the source's entry in edu_pipeline/catalogue.toml. The previous "
            "rows stay.",
        )
    for need, matching in needs.items():
        absent = _absent_part(need, matching) if matching else need
        if absent:
            others = [column for column in columns if column not in matching] if matching else free
            close = close_names(absent, [*others, *_strange_parts(need, matching)])
            raise ColumnMissing(where, absent, close, table.name, f"needs[{parameter!r}]")
    missing: dict[str, list[str]] = {}
    for name, column in upstream.items():
        expected = str(contract[name].upstream_in(parameter))
        if column is None and is_required(table, name):
            raise ColumnMissing(where, expected, close_names(expected, free), table.contract.__name__, name)
        if column is None and not contract[name].optional:
            missing[expected] = close_names(expected, free)
    needed = dict.fromkeys(column for matching in needs.values() for column in matching)
    return Columns(upstream, tuple(needed), missing)


def another_file(table: Table, is_there: Mapping[str, bool], begins: str, where: str) -> AnotherFile:
    """The error of a file that lacks most of what a table reads.

    Args:
        is_there: what it reads, and whether the file has it.
        begins: the file's first line.
    """
    return AnotherFile(
        where,
        f"expected the {len(is_there)} columns that {table.name} reads, found {sum(is_there.values())}: this is not "
        f"the file. It begins with {shown(begins)!r}.",
        "Check whether an error page, or another file, edition or geography, is in its place, or another delimiter or "
        "form in use. If so, correct the source's entry in edu_pipeline/catalogue.toml. The previous rows stay.",
    )


def _owner(table: Table, parameter: str, columns: Collection[str], found: int) -> str | None:
    """Another source whose file this is: it has all that is read of that source, and that is more than ``found``.

    Args:
        found: how many of the columns that ``table`` reads it has.
    """
    here = table.files[parameter].source if parameter in table.files else parameter
    own = {column for column in columns if not is_copy(column)}
    for other in tables().values():
        for name, file in other.files.items():
            if file.source == here:
                continue
            read = _names_read(other.name, name)
            if len(read) > found and all(own.intersection(names) or _matches(names, own) for names in read):
                return file.source
    return None


@lru_cache
def _names_read(name: str, parameter: str) -> list[tuple[str, ...]]:
    """The slugs, or patterns of slugs, of every column that a table reads of a file and that the file always has."""
    table = tables()[name]
    read = [spec for spec in specs(table.contract).values() if spec.upstream_in(parameter) and not spec.optional]
    names = [(str(spec.upstream_in(parameter)), *spec.aliases) for spec in read]
    names += [(need,) for need in table.needs.get(parameter, ())]
    return [tuple(one if one.startswith("^") else slug(one) for one in each) for each in names]


def _matches(names: Collection[str], columns: Collection[str]) -> bool:
    patterns = [name for name in names if name.startswith("^")]
    return any(re.fullmatch(pattern, column) for pattern in patterns for column in columns)


def _parts(need: str, columns: Collection[str]) -> dict[str, dict[str, str]]:
    """For a pattern with the groups ``of`` and ``part``: for each ``of`` its columns by ``part``."""
    parts: dict[str, dict[str, str]] = {}
    if need.startswith("^") and {"of", "part"} <= re.compile(need).groupindex.keys():
        for column in columns:
            match = re.fullmatch(need, column)
            assert match is not None
            parts.setdefault(match["of"], {})[match["part"]] = column
    return parts


def _usual(parts: Mapping[str, Mapping[str, str]]) -> frozenset[str]:
    """The parts that most have."""
    return max(Counter(frozenset(names) for names in parts.values()).items(), key=lambda item: item[1])[0]


def _absent_part(need: str, columns: Collection[str]) -> str | None:
    """The column that a pair, or a larger group, lacks while most have all of theirs; None if all are complete."""
    parts = _parts(need, columns)
    lacking = ((of, sorted(_usual(parts) - names.keys())) for of, names in parts.items())
    return next((f"{of}_{absent[0]}" for of, absent in lacking if absent), None)


def _strange_parts(need: str, columns: Collection[str]) -> list[str]:
    """The columns of groups that most groups do not have: renamed ones."""
    parts = _parts(need, columns)
    return [column for names in parts.values() for part, column in names.items() if part not in _usual(parts)]


def check_kind(column: str, kind: pl.DataType, has_parts: bool, where: str) -> None:
    """That a column has lists or structures if ``has_parts``, and else has none.

    Args:
        where: source and release, for the failure text.

    Raises:
        FileInvalid: it is of the other kind.
    """
    if kind.is_nested() != has_parts:
        raise FileInvalid(
            where,
            f"expected {'a structure or a list' if has_parts else 'a text or a number'} in every row of {column!r}, "
            f"found {kind}.",
            "Look at the file; if the publisher has changed its form, change the table's contract and transform.",
        )


def missing_columns(missing: Mapping[str, Collection[str]]) -> str:
    """Which columns are missing, or empty, in a sentence.

    Args:
        missing: source and upstream column to the names in the file that are close.
    """
    names = [f"{column} (closest: {', '.join(close)})" if close else column for column, close in missing.items()]
    return (
        f"expected every column that the table reads, found none of these, which are NULL now: {'; '.join(names)}. "
        "If the publisher renamed one, add the new name to the aliases of the contract's column."
    )


def is_required(table: Table, name: str) -> bool:
    """Whether the table cannot be loaded from a file without this column of its contract."""
    column, spec = table.contract.columns()[name], specs(table.contract)[name]
    is_needed = not column.nullable or name == table.newest_by or name in _needed_by_others(table.name)
    return is_needed and not spec.optional


@lru_cache
def _needed_by_others(name: str) -> frozenset[str]:
    """The columns of a table that tables made from it cannot do without."""
    needed: set[str] = set()
    for other in tables().values():
        if name in other.input_tables:
            columns = other.contract.columns()
            required = [
                spec.upstream_in(name) for column, spec in specs(other.contract).items() if not columns[column].nullable
            ]
            needed |= {*other.needs.get(name, ()), *(column for column in required if column)}
    return frozenset(needed)


def close_names(expected: str, candidates: Collection[str]) -> list[str]:
    """Up to three names that ``expected`` may have been renamed to, the closest first."""
    return difflib.get_close_matches(slug(expected), list(candidates), n=3, cutoff=CLOSE)


def _named(expected: str | None, spec: Spec, columns: Collection[str]) -> str | None:
    """The file's column that has the first of a contract column's names that occurs."""
    names = [name for name in (expected, *spec.aliases) if name]
    return next((column for name in names for column in columns if is_called(column, name)), None)


def is_called(column: str, name: str) -> bool:
    """Whether the slug ``column`` is the publisher's column ``name``, which may be a pattern of slugs (``^...``).

    A copy of another column is none.
    """
    if is_copy(column):
        return False
    return bool(re.fullmatch(name, column)) if name.startswith("^") else column == slug(name)
