"""Corrections of known errors in the publishers' files: ``corrections.toml``, typed, checked and applied.

Belongs here: what a correction may say, and applying a file's corrections to its rows. Does not belong here: the
corrections themselves (they are in the TOML file), and a publisher's own way of writing things (``normalise.py``),
which is not an error.

They are applied by the intake, before former commune codes are brought to those in force and before the transform: the
rows are the publisher's, one by one; the columns have the contract's names and are text. A correction changes only
what it expects to find. One that no longer finds it is reported, so that it gets removed. Where a file lacks what a
correction reads, nobody can tell whether the values are wrong: they become NULL.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

import polars as pl
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from edu_pipeline.contracts import specs
from edu_pipeline.errors import CorrectionInvalid
from edu_pipeline.table import Table, tables


class Correction(BaseModel):
    """A known error, and the right value. The head of ``corrections.toml`` says what each field means."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    table: str
    file: str
    column: str
    reason: str
    reported: str
    where: str | None = None
    key: dict[str, str] = {}
    wrong: str | None = None
    witnesses: str | None = None
    expect: str | None = None
    right: str | None = None
    swap_with: str | None = None

    @model_validator(mode="after")
    def _whole(self) -> Correction:
        if not (self.where or self.key):
            raise ValueError("say in which rows: where, key or both")
        if (self.witnesses is None) != (self.expect is None):
            raise ValueError("witnesses and expect go together")
        if self.wrong is None and self.witnesses is None:
            raise ValueError("say what it expects to find: wrong, or witnesses and expect")
        if (self.right is None) == (self.swap_with is None):
            raise ValueError("exactly one of right and swap_with is needed")
        if self.right is not None and self.right == self.wrong:
            raise ValueError("wrong and right are the same")
        return self

    @property
    def name(self) -> str:
        """Its name in the ledger: the column, the rows, and what is wrong with them."""
        rows = [f"{name} = {value!r}" for name, value in self.key.items()] + ([self.where] if self.where else [])
        return f"{self.file}.{self.column} where {' AND '.join(rows)}: {self.reason}"

    @property
    def columns(self) -> set[str]:
        """Every column that it reads or writes.

        Raises:
            polars.exceptions.PolarsError: a condition is not SQL.
        """
        conditions = [text for text in (self.where, self.witnesses, self.expect) if text is not None]
        read = {name for text in conditions for name in pl.sql_expr(text).meta.root_names()}
        return read | {*self.key, self.column} | ({self.swap_with} if self.swap_with else set())

    @property
    def rows(self) -> pl.Expr:
        """Whether a row is one of those that it is about, and has the error that it expects."""
        conditions = [pl.col(name) == value for name, value in self.key.items()]
        if self.where is not None:
            conditions.append(pl.sql_expr(self.where))
        if self.wrong is not None:
            conditions.append(pl.col(self.column).eq_missing(_text(self.wrong)))
        return pl.all_horizontal(conditions).fill_null(False)

    @property
    def evident(self) -> pl.Expr:
        """Whether the file as a whole shows the error: there are witnesses, and all of them are as expected."""
        if self.witnesses is None or self.expect is None:
            return pl.lit(True)
        as_expected = pl.sql_expr(self.expect).filter(self.rows & pl.sql_expr(self.witnesses))
        return as_expected.any() & as_expected.all()

    def doubtful(self, absent: Collection[str]) -> pl.Expr:
        """Whether a row may be one of those that it is about, as far as the columns that are not ``absent`` tell."""
        conditions = [pl.col(name) == value for name, value in self.key.items() if name not in absent]
        if self.where is not None and not {*pl.sql_expr(self.where).meta.root_names()} & {*absent}:
            conditions.append(pl.sql_expr(self.where))
        return pl.all_horizontal(True, *conditions).fill_null(False)

    @property
    def right_values(self) -> dict[str, pl.Expr]:
        """Column to its value in the corrected rows."""
        if self.swap_with is not None:
            return {self.column: pl.col(self.swap_with), self.swap_with: pl.col(self.column)}
        assert self.right is not None
        return {self.column: _text(self.right)}


@dataclass(frozen=True)
class Applied:
    """What a correction did to a file.

    Attributes:
        rows: number of rows that had the error and were corrected; 0: it did nothing.
    """

    correction: Correction
    rows: int

    @property
    def text(self) -> str:
        """What was done, or what to do, in a sentence or two."""
        entry = self.correction
        what = (
            f"{entry.column} and {entry.swap_with} swapped"
            if entry.swap_with
            else f"{entry.column} set to {entry.right!r}"
        )
        if self.rows:
            return f"{what} in {self.rows:,} rows. {entry.reason}"
        return (
            f"{entry.file} no longer has the error that corrections.toml expects in {entry.column} ({entry.reason}): "
            f"nothing was changed. Check whether the publisher has fixed it; if so, remove the correction."
        )


def _text(value: str) -> pl.Expr:
    """The literal as a frame has it: NULL where the text is empty."""
    return pl.lit(value or None, pl.String)


def withhold(
    frame: pl.LazyFrame, corrections: Sequence[Correction], absent: Collection[str]
) -> tuple[pl.LazyFrame, dict[str, list[str]]]:
    """Make NULL what cannot be corrected, since the file has no value in a column that the correction reads.

    Args:
        absent: the columns without values.

    Returns:
        The rows; and each column with such values, to the absent columns that its corrections read.
    """
    withheld: dict[str, list[str]] = {}
    for correction in corrections:
        lacking = sorted(correction.columns & {*absent})
        names = [name for name in correction.right_values if name not in absent]
        if lacking and names:
            doubtful = correction.doubtful(lacking)
            frame = frame.with_columns(pl.when(~doubtful).then(name).alias(name) for name in names)
            withheld |= dict.fromkeys(names, lacking)
    return frame, withheld


def correct(frame: pl.LazyFrame, corrections: Sequence[Correction]) -> tuple[pl.LazyFrame, tuple[Applied, ...]]:
    """Apply the corrections of a file to its rows, in their order.

    Each costs one streaming pass over its columns, to count the rows; the frame stays lazy. Without corrections nothing
    is read.

    Args:
        frame: the file's columns, as text, with the contract's names.
    """
    applied = []
    for correction in corrections:
        rows = _count(frame, correction)
        if rows:
            wrong = correction.rows
            frame = frame.with_columns(
                pl.when(wrong).then(right).otherwise(pl.col(name)).alias(name)
                for name, right in correction.right_values.items()
            )
        applied.append(Applied(correction, rows))
    return frame, tuple(applied)


def _count(frame: pl.LazyFrame, correction: Correction) -> int:
    """The number of rows that it corrects; 0 if the file lacks one of its columns."""
    if not correction.columns <= set(frame.collect_schema()):
        return 0
    counted = frame.select(pl.when(correction.evident).then(correction.rows.sum()).otherwise(0))
    return int(counted.collect(engine="streaming").item())


def corrections_for(table: str, file: str | None = None) -> tuple[Correction, ...]:
    """The corrections of a table, in the order of corrections.toml.

    Args:
        file: only those of this parameter of the transform; None: all.

    Raises:
        CorrectionInvalid: an entry of corrections.toml cannot be applied to anything.
    """
    return tuple(entry for entry in corrections() if entry.table == table and file in (None, entry.file))


def as_recorded(table: str, recorded: Mapping[str, int]) -> tuple[Applied, ...]:
    """What the corrections of a table did at a load, from the numbers that the ledger keeps.

    Args:
        recorded: name of a correction to ``Applied.rows``.
    """
    return tuple(Applied(entry, recorded[entry.name]) for entry in corrections_for(table) if entry.name in recorded)


@lru_cache(maxsize=1)
def corrections() -> tuple[Correction, ...]:
    """Every correction, in the order of the file.

    Raises:
        CorrectionInvalid: an entry cannot be applied to anything.
    """
    return read_corrections(
        resources.files("edu_pipeline.loading").joinpath("corrections.toml").read_text(encoding="utf-8")
    )


def read_corrections(text: str) -> tuple[Correction, ...]:
    """The corrections in ``text``, which is TOML, each checked against the tables.

    Raises:
        CorrectionInvalid: an entry is not well formed, or names a table, file or column that does not exist.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _invalid("corrections.toml", f"expected TOML, found: {error}.") from error
    if unknown := sorted(document.keys() - {"correction"}):
        raise _invalid("corrections.toml", f"expected [[correction]] entries only, found {', '.join(unknown)}.")
    return tuple(_checked(number, entry) for number, entry in enumerate(document.get("correction", []), start=1))


def _checked(number: int, entry: dict[str, Any]) -> Correction:
    where = f"corrections.toml, correction {number} ({entry.get('table', 'no table')})"
    try:
        correction = Correction.model_validate(entry)
        columns = correction.columns
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc'])) or 'entry'}: {item['msg']}" for item in error.errors())
        raise _invalid(where, f"expected a complete entry, found {problems}.") from error
    except pl.exceptions.PolarsError as error:
        raise _invalid(where, f"expected conditions in SQL, found: {error}.") from error
    table = tables().get(correction.table)
    if table is None:
        raise _invalid(where, f"expected the name of a table, found {correction.table!r}.")
    if correction.file not in table.files:
        files = ", ".join(table.files) or "none"
        raise _invalid(where, f"expected a file that the table reads ({files}), found {correction.file!r}.")
    if unknown := sorted(name for name in columns if not _has(table, correction.file, name)):
        raise _invalid(
            where,
            f"expected columns that the table takes from {correction.file} "
            f"({', '.join(_taken(table, correction.file))}), found {', '.join(unknown)}.",
        )
    return correction


def _taken(table: Table, file: str) -> list[str]:
    """The columns that a table takes from a file; one that begins with ``^`` is a pattern."""
    own = [name for name, spec in specs(table.contract).items() if spec.upstream_in(file)]
    return [*own, *table.needs.get(file, ()), *(["vintage"] if table.files[file].vintage else [])]


def _has(table: Table, file: str, column: str) -> bool:
    return any(
        re.fullmatch(name, column) is not None if name.startswith("^") else name == column
        for name in _taken(table, file)
    )


def _invalid(where: str, problem: str) -> CorrectionInvalid:
    return CorrectionInvalid(
        where, problem, "Fix the entry; the head of edu_pipeline/loading/corrections.toml explains the fields."
    )
