"""The publishers' real files as test input, in the directory ``EDU_UPSTREAM``.

They are never copied into the repository; without them, the tests that need them are skipped.
"""

from __future__ import annotations

import csv
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.catalogue import File
from edu_pipeline.loading.intake import take_in
from edu_pipeline.parts import Parts
from edu_pipeline.sources.readers import read
from edu_pipeline.table import Table, tables
from edu_pipeline_tests.conformed import Conformed, transformed


def upstream() -> Path:
    """The directory of the real files; the test is skipped if there is none."""
    folder = os.environ.get("EDU_UPSTREAM", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("EDU_UPSTREAM names no directory of the publishers' real files")
    return Path(folder)


def csv_rows(path: str, delimiter: str) -> Iterator[dict[str, str]]:
    """The rows of a real file, read without any of the product's code."""
    with (upstream() / path).open(encoding="utf-8-sig", newline="") as stream:
        yield from csv.DictReader(stream, delimiter=delimiter)


def real_file(file: File) -> Path | None:
    """The real file for an entry of the catalogue, that with the greatest name if there are several; None if none."""
    folder = upstream() / file.source
    paths = sorted(path for path in folder.glob("*") if re.fullmatch(file.name, path.name))
    return paths[-1] if paths else None


@cache
def produced(name: str) -> Conformed:
    """The rows of table ``name`` made from the real files; the test is skipped if one is missing."""
    try:
        return made_from(name, real_file, produced)
    except LookupError as error:
        pytest.skip(f"EDU_UPSTREAM has no file of {error}")


def made_from(name: str, find: Callable[[File], Path | None], of_table: Callable[[str], Conformed]) -> Conformed:
    """The rows of table ``name``: read, taken in, transformed and conformed, without a database.

    Args:
        find: gives the path for an entry of the catalogue, or None.
        of_table: gives the rows of another table.

    Raises:
        LookupError: there is no path for an entry that the table requires.
    """
    table = tables()[name]
    inputs: dict[str, pl.LazyFrame | Parts | None] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for parameter, optional in table.parameters.items():
            if parameter in table.input_tables:
                inputs[parameter] = of_table(parameter).frame.lazy()
                continue
            if parameter in table.in_parts:
                inputs[parameter] = _parts(table, parameter, find, Path(scratch))
                continue
            file = table.files[parameter]
            path = find(file)
            if path is not None:
                inputs[parameter] = _taken_in(table, parameter, file, path, Path(scratch))
            elif optional:
                inputs[parameter] = None
            else:
                raise LookupError(f"{file.source} ({file.part})")
        return transformed(table, inputs)


def _taken_in(table: Table, parameter: str, file: File, path: Path, scratch: Path) -> pl.LazyFrame:
    raw = read(path, file, scratch, file.source).frame
    return take_in(table, parameter, raw, file, path.name, file.source).frame


def _parts(table: Table, parameter: str, find: Callable[[File], Path | None], scratch: Path) -> Parts:
    """The parts of a source for which there is a path."""
    files = table.in_parts[parameter].files
    paths = {part: path for part, file in files.items() if (path := find(file)) is not None}
    if not paths:
        raise LookupError(table.in_parts[parameter].id)
    return Parts(
        list(paths), lambda part: _taken_in(table, parameter, files[part], paths[part], scratch).collect().lazy()
    )
