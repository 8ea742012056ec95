"""Separating rows that meet a contract from those that do not."""

from __future__ import annotations

import polars as pl

from edu_pipeline.database.connection import Database
from edu_pipeline_tests.conformed import conform
from edu_pipeline_tests.loading.samples import Everything, a_table, everything


def test_a_transform_may_refuse_a_row_itself() -> None:
    frame = everything([{"cle": "a"}, {"cle": "b", "entier": 3}]).with_columns(
        refused_because=pl.Series([None, "another one says otherwise"])
    )
    result = conform(frame.lazy(), a_table(Everything, "everything"))
    assert result.frame["cle"].to_list() == ["a"]
    assert result.frame.columns == list(Everything.columns())
    assert result.refused.select("key", "reasons").rows() == [("b", ["another one says otherwise"])]
    assert "refused_because" not in result.refused["row"].item()


def test_rounding_is_that_of_postgresql(database: Database) -> None:
    values = ["2.675", "-2.675", "0.005", "1.005", "99.995", "12.344"]
    table = a_table(Everything, "everything")
    frame = everything([{"cle": value} for value in values]).with_columns(decimal=pl.col("cle"))
    ours = conform(frame.lazy(), table).frame["decimal"].to_list()
    with database.connect() as connection:
        theirs = [connection.execute("SELECT %s::numeric(5,2)", [value]).fetchone() for value in values]
    assert [(value,) for value in ours] == theirs
