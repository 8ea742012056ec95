"""Every file of the sample publisher, opened in a spreadsheet and saved: no cell changes unnoticed.

Belongs here: loading such files whole. Does not belong here: normalisers one by one (`test_codes.py`).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.parts import Parts
from edu_pipeline.table import Table, tables
from edu_pipeline_tests.assets.inputs import conformed, taken_in
from edu_pipeline_tests.assets.spreadsheet import ENCODING, saved
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.sample.sample_files import file_of, name_of, produced

READ_FILES = [
    pytest.param(table, parameter, id=f"{table.name}-{parameter}")
    for table in tables().values()
    for parameter, file in table.files.items()
    if not table.in_parts and name_of(file)
]


def made(table: Table, changed: str, path: Path, scratch: Path) -> Conformed:
    """The rows of ``table``, whose parameter ``changed`` is read from ``path``, everything else from the sample."""
    inputs: dict[str, pl.LazyFrame | Parts | None] = {}
    for parameter in table.parameters:
        if parameter in table.input_tables:
            inputs[parameter] = produced(parameter).frame.lazy()
        elif parameter == changed:
            inputs[parameter] = taken_in(table.name, parameter, path, scratch, encoding=ENCODING, delimiter=";")
        else:
            unchanged = file_of(table.files[parameter])
            inputs[parameter] = taken_in(table.name, parameter, unchanged, scratch) if unchanged else None
    return conformed(table.name, **inputs)


def differences(table: Table, expected: pl.DataFrame, actual: pl.DataFrame) -> dict[str, list[object]]:
    """The cells that are neither as expected nor NULL: by column, an example of what was expected and found."""
    both = actual.join(expected, on=table.key, how="left", suffix="_expected", nulls_equal=True, maintain_order="left")
    examples = {}
    for name in set(actual.columns) - set(table.key):
        wrong = both.filter(pl.col(name).is_not_null() & pl.col(name).ne_missing(pl.col(f"{name}_expected")))
        if wrong.height:
            examples[name] = [*wrong.select(f"{name}_expected", name).row(0), wrong.height]
    return examples


@pytest.mark.parametrize(("table", "parameter"), READ_FILES)
@pytest.mark.parametrize("decimal_comma", [False, True], ids=["point", "comma"])
def test_no_cell_changes_unnoticed(table: Table, parameter: str, decimal_comma: bool, tmp_path: Path) -> None:
    original = file_of(table.files[parameter])
    assert original is not None
    path = saved(original, table.files[parameter], tmp_path, decimal_comma=decimal_comma)
    if path is None:
        pytest.skip("not a plain table")
    expected, actual = produced(table.name), made(table, parameter, path, tmp_path)
    assert differences(table, expected.frame, actual.frame) == {}
    assert actual.frame.join(expected.frame, on=table.key, how="anti", nulls_equal=True).is_empty()
    assert actual.frame.height + actual.refused.height >= expected.frame.height
    if not decimal_comma:
        assert actual.frame.height >= 0.98 * expected.frame.height
