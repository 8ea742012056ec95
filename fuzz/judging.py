"""What becomes of a file: read, taken in, transformed and conformed without a database, and whether that is right.

Belongs here: making the rows of a table from one changed file, and judging them. Does not belong here: how files are
changed (`mutations.py`).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from edu_pipeline.catalogue import File
from edu_pipeline.errors import EduError
from edu_pipeline.loading.intake import take_in
from edu_pipeline.loading.rows import transformed
from edu_pipeline.parts import Parts
from edu_pipeline.sources.admission import try_out
from edu_pipeline.table import Table

LONGEST_TEXT = 4096
TEXT = (".csv", ".json", ".geojson")
PLACE = re.compile(r"\b(line|row|feature|item) [0-9]")
"""Where in a file of text something is wrong."""

WHOLE = re.compile(
    r"^(AnotherFile|ColumnMissing|NoRows|MemberMissing): |expected columns of which "
    r"|found (an HTML page|an empty one|no text|nothing|text|binary data|one that is cut off|a [\w ]+ file)"
)
"""What is wrong with the whole file."""

BAD = ("foreign exception", "silent difference", "silent loss", "poor text")


@dataclass(frozen=True)
class Rows:
    """The rows of a table, how many were refused as rows or as lines, and the cells that count as hidden."""

    frame: pl.DataFrame
    refused: int
    hidden: int


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: ``right``, ``refused``, or one of ``BAD``, and an example."""

    kind: str
    detail: str = ""


def rows_of(
    table: Table, find: Callable[[File], Path | None], of_table: Callable[[str], pl.DataFrame], scratch: Path
) -> Rows:
    """The rows of ``table``.

    Args:
        find: gives the path for an entry of the catalogue.
        of_table: gives the rows of another table.

    Raises:
        EduError: a file cannot be read, or lacks a column.
    """
    inputs: dict[str, pl.LazyFrame | Parts | None] = {}
    refused = hidden = 0
    files = []
    for parameter in table.parameters:
        if parameter in table.input_tables:
            inputs[parameter] = of_table(parameter).lazy()
            continue
        file = table.files[parameter]
        path = find(file)
        if path is None:
            inputs[parameter] = None
            continue
        where = f"{file.source}, file {path.name}"
        files.append(where)
        answer = try_out(path, file, Path(tempfile.mkdtemp(dir=scratch)), file.source)
        refused += answer.refused.height
        taken = take_in(table, parameter, answer.frame, file, path.name, where)
        hidden += sum(taken.hidden.values())
        inputs[parameter] = taken.frame
    conformed = transformed(table, inputs, Path(tempfile.mkdtemp(dir=scratch)), "; ".join(files))
    return Rows(conformed.frame.collect(), refused + conformed.refused.height, hidden)


def judged(make: Callable[[], Rows], table: Table, expected: Rows, keeps_values: bool, name: str) -> Verdict:
    """Make the rows of a mutant and judge them by those of the unchanged file.

    Args:
        name: that of the mutant's file.
    """
    try:
        rows = make()
    except EduError as error:
        return _judged_text(error, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # polars panics are no Exceptions
        return Verdict("foreign exception", f"{type(error).__name__}: {str(error)[:300]}")
    if not keeps_values:
        return Verdict("right")
    if example := _difference(table, expected.frame, rows.frame):
        return Verdict("silent difference", example)
    lost = expected.frame.height + expected.refused - rows.frame.height - rows.refused
    if lost > 0:
        return Verdict("silent loss", f"{lost} of {expected.frame.height} rows are neither there nor refused")
    return Verdict("refused" if rows.refused > expected.refused else "right")


def _judged_text(error: EduError, name: str) -> Verdict:
    text = str(error)
    has_place = bool(PLACE.search(text)) or not name.endswith(TEXT) or bool(WHOLE.search(text))
    has_form = f"file {name}" in error.where and error.remedy and "expected" in text
    if not has_form or not has_place or len(text.encode()) > LONGEST_TEXT:
        return Verdict("poor text", f"{len(text.encode()):,} bytes: {text[:400]}")
    return Verdict("refused", text[:300])


def _difference(table: Table, expected: pl.DataFrame, actual: pl.DataFrame) -> str:
    """The first cell that is neither as expected nor NULL, or the first new key; empty if there is none."""
    new = actual.join(expected, on=table.key, how="anti", nulls_equal=True)
    if new.height:
        return f"a row that is new: {str(new.row(0))[:200]}"
    both = actual.join(expected, on=table.key, suffix="_expected", nulls_equal=True)
    for name in set(actual.columns) - set(table.key):
        wrong = both.filter(pl.col(name).is_not_null() & pl.col(name).ne_missing(pl.col(f"{name}_expected")))
        if wrong.height:
            return f"{name}: {wrong.select(f'{name}_expected', name).row(0)} in {wrong.height} rows"
    return ""
