"""The rows of a table from files in hand, as a load makes them, and what a load would say of these files.

Belongs here: the way from files to rows, without archive and database. Does not belong here: which files
(`subjects.py`), and whether the rows are right (`judging.py`).
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from edu_pipeline.accounts import ADDED, PUBLISHED, ROWS, USED
from edu_pipeline.catalogue import File
from edu_pipeline.loading import acceptance
from edu_pipeline.loading.balance import Balance
from edu_pipeline.loading.intake import Intake, take_in
from edu_pipeline.loading.passage import Passage, bring_to_current, year_of
from edu_pipeline.loading.rows import transformed
from edu_pipeline.parts import Parts
from edu_pipeline.sources.admission import try_out
from edu_pipeline.sources.readers import Read
from edu_pipeline.table import Table

Figures = Mapping[str, Mapping[str, int]]

HAVE_A_PART = (ROWS, PUBLISHED, ADDED, USED)
"""Figures of a file that say nothing of rows that are left out."""


@dataclass(frozen=True)
class ReadFile:
    """A file for one parameter of a transform, its rows in memory.

    Attributes:
        name: the file's name.
        read: what the reader makes of it.
    """

    file: File
    name: str
    read: Read

    @property
    def where(self) -> str:
        """The file, for failure texts."""
        return f"{self.file.source}, file {self.name}"

    def signs(self, intake: Intake) -> Counter[str]:
        """What is said of the file, and of how many lines or cells."""
        signs = Counter({"lines refused": self.read.refused.height})
        signs.update({f"hidden in {column}": count for column, count in intake.hidden.items()})
        for counts in (self.read.skipped, intake.skipped):
            signs.update(counts)
        for texts in (self.read.notes, intake.notes, [f"missing: {name}" for name in intake.missing]):
            signs.update(texts)
        signs.update(one.text for one in intake.corrections if not one.rows)
        return signs


@dataclass(frozen=True)
class Rows:
    """The rows of a table.

    Attributes:
        signs: what a load says of rows, lines and cells that are not as the files have them, and of how many.
        files: what became of the files' rows, as ``Balance.files``.
        refused: number of refused rows and lines.
    """

    frame: pl.DataFrame
    signs: Mapping[str, int]
    files: Figures
    refused: int


def read_file(file: File, path: Path, scratch: Path) -> ReadFile:
    """The file at ``path``, its rows in two pieces as those of a large file.

    Raises:
        EduError: it cannot be read.
    """
    result = try_out(path, file, Path(tempfile.mkdtemp(dir=scratch)), file.source)
    rows = result.frame.collect()
    pieces = [rows.head(rows.height // 2), rows.tail(rows.height - rows.height // 2)]
    return ReadFile(file, path.name, replace(result, frame=pl.concat(pieces, rechunk=False).lazy()))


def made(
    table: Table,
    files: Mapping[str, ReadFile | None],
    other: Mapping[str, pl.DataFrame],
    passage: Passage | None,
    scratch: Path,
) -> Rows:
    """The rows of ``table``.

    Args:
        files: by parameter, each file; None if there is none.
        other: by parameter, the rows of other tables.
        passage: the changes of commune codes.

    Raises:
        EduError: a file lacks a column, the rows cannot be made, or not all rows of the files are accounted for.
    """
    inputs: dict[str, pl.LazyFrame | Parts | None] = {name: rows.lazy() for name, rows in other.items()}
    balance, signs = Balance(), Counter[str]()
    for parameter, each in files.items():
        inputs[parameter] = None if each is None else _taken_in(table, parameter, each, balance, signs, passage)
    where = "; ".join([f"table {table.name}", *(each.where for each in files.values() if each)])
    conformed = transformed(table, inputs, Path(tempfile.mkdtemp(dir=scratch)), where)
    acceptance.check_rows(conformed, where)
    balance.settle(conformed)
    acceptance.check_balance(table, balance, where)
    refused = conformed.refused.height + signs["lines refused"]
    signs["rows refused"] = conformed.refused.height
    signs.update({f"nothing found: {what}": asked - found for what, (asked, found) in balance.look_ups.items()})
    for file, fates in balance.files.items():
        signs.update({f"{file}: {fate}": count for fate, count in fates.items() if fate not in HAVE_A_PART})
    return Rows(conformed.frame.collect(), signs, balance.files, refused)


def _taken_in(
    table: Table, parameter: str, each: ReadFile, balance: Balance, signs: Counter[str], passage: Passage | None
) -> pl.LazyFrame:
    """The rows of a file as the transform receives them, in memory."""
    rows = balance.opened(each.file, each.name, each.read.frame, each.read.refused.height, each.where)
    intake = take_in(table, parameter, rows, each.file, each.name, each.where, each.read.begins)
    signs.update(each.signs(intake))
    frame = intake.frame.collect().lazy()
    if passage is None or parameter in table.all_releases:
        return frame
    return bring_to_current(frame, table, parameter, passage, year_of(each.file, each.name))
