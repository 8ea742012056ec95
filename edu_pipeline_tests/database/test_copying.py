"""COPY between polars and PostgreSQL: what goes in comes out."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg import sql

from edu_pipeline.database.connection import Database
from edu_pipeline.database.copying import copy_in, copy_out
from edu_pipeline.loading.difference import difference
from edu_pipeline_tests.loading.samples import Everything, create, everything, row


@given(rows=st.lists(row, min_size=1, max_size=8, unique_by=lambda row: str(row["cle"])))
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_goes_in_comes_out_and_differs_in_nothing(
    database: Database, tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    frame = everything(rows)
    with database.connect() as connection:
        create(connection, Everything, "everything")
        assert copy_in(connection, sql.Identifier("everything"), frame.lazy()) == frame.height
        back = copy_out(connection, "everything", Everything, tmp_path_factory.mktemp("scratch"))
        assert back.collect().sort("cle").equals(frame.sort("cle"))
        change = difference(frame.lazy(), back, ["cle"])
        assert (change.size, change.published) == (0, frame.height)
        connection.rollback()


def test_named_columns_and_latest_rows_only(database: Database, tmp_path: Path) -> None:
    days = {"a": date(2024, 1, 1), "b": date(2025, 1, 1), "c": None, "d": date(2025, 1, 1)}
    rows = everything([{"cle": key, "jour": day} for key, day in days.items()])
    with database.connect() as connection:
        create(connection, Everything, "everything")
        copy_in(connection, sql.Identifier("everything"), rows.lazy())
        back = copy_out(connection, "everything", Everything, tmp_path, ["cle", "jour"], "jour").collect()
        assert sorted(back.rows()) == [("b", date(2025, 1, 1)), ("d", date(2025, 1, 1))]
        connection.rollback()
