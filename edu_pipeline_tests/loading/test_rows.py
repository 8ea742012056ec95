"""Making rows: what becomes of a file with columns of another kind, or under another name."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.errors import FileInvalid
from edu_pipeline.loading.intake import take_in
from edu_pipeline.loading.rows import transformed
from edu_pipeline.table import tables

WHERE = "table passage_communes; insee-table-passage, file passage.json"


def test_lists_in_place_of_texts_are_a_failure_of_the_file(tmp_path: Path) -> None:
    table = tables()["passage_communes"]
    row = {"code_ancien": "01901", "code_commune": "01001", "date_effet": "2019-01-01", "nature": [["f"]], "part": "1"}
    frames = {name: pl.LazyFrame([row]) if name == "insee_table_passage" else None for name in table.parameters}
    with pytest.raises(FileInvalid) as caught:
        transformed(table, frames, tmp_path, WHERE)
    assert caught.value.where == WHERE
    assert "expected columns of which passage_communes can be made, found others (" in caught.value.problem


@pytest.mark.parametrize(
    ("name", "vintage"), [("v_commune_2026.csv", "2026"), ("v_commune_2026.xlsx", "2026"), ("insee-cog.csv", None)]
)
def test_the_vintage_is_that_of_the_name_if_it_has_one(name: str, vintage: str | None) -> None:
    table = tables()["passage_communes"]
    raw = pl.LazyFrame({"typecom": ["COM"], "com": ["01001"], "comparent": [None]})
    taken = take_in(table, "insee_cog", raw, table.files["insee_cog"], name, "a test").frame.collect()
    assert taken["vintage"].to_list() == [vintage]
    assert taken.schema["vintage"] == pl.String
