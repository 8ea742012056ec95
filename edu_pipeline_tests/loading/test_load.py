"""Loading a table into a real database: what is written, and when nothing is."""

from __future__ import annotations

import pytest

from edu_pipeline.errors import TableShrank
from edu_pipeline_tests.stand_in import StandIn, sale


def test_only_the_difference_is_written(stand_in: StandIn) -> None:
    codes = stand_in.put_communes(40)
    stand_in.load_communes()
    stand_in.put_sales([sale(code) for code in codes])
    stand_in.load("mutations_immo_latest")
    written = "SELECT code_commune, xmin::text FROM mutations_immo_latest"
    before = dict(stand_in.rows(written))
    stand_in.put_sales([*(sale(code) for code in codes[1:-1]), sale(codes[-1], houses=7), sale("75056")])
    done = stand_in.load("mutations_immo_latest").load
    assert (done.added, done.changed, done.removed, done.strategy) == (1, 1, 1, "delta")
    after = dict(stand_in.rows(written))
    assert {code for code in after if before.get(code) != after[code]} == {codes[-1], "75056"}


def test_unchanged_files_are_not_loaded_again(stand_in: StandIn) -> None:
    codes = stand_in.put_communes()
    stand_in.load_communes()
    stand_in.put_sales([sale(code) for code in codes])
    assert not stand_in.load("mutations_immo_latest").skipped
    loads = stand_in.rows("SELECT count(*) FROM edu_pipeline.loads")
    stand_in.put_sales([sale(code) for code in codes])
    assert stand_in.load("mutations_immo_latest").skipped
    assert stand_in.rows("SELECT count(*) FROM edu_pipeline.loads") == loads


def test_a_forced_load_repairs_a_table_that_was_edited(stand_in: StandIn) -> None:
    codes = stand_in.put_communes()
    stand_in.load_communes()
    stand_in.put_sales([sale(code) for code in codes])
    stand_in.load("mutations_immo_latest")
    with stand_in.database.connect() as connection:
        connection.execute("UPDATE mutations_immo_latest SET prix_moyen = 1 WHERE code_commune = '01001'")
        connection.execute("DELETE FROM mutations_immo_latest WHERE code_commune = '01002'")
    done = stand_in.load("mutations_immo_latest", force=True).load
    assert (done.added, done.changed, done.removed) == (1, 1, 0)


def test_the_comment_says_what_the_rows_are_from(stand_in: StandIn) -> None:
    """It is renewed with the rows, and kept when a load fails."""
    comment = "SELECT obj_description('mutations_immo_latest'::regclass), current_date::text"
    codes = stand_in.put_communes(40)
    stand_in.load_communes()
    stand_in.put_sales([sale(code) for code in codes])
    ((before, _),) = stand_in.rows(comment)
    assert "Attribution" not in before
    stand_in.load("mutations_immo_latest")
    ((after, today),) = stand_in.rows(comment)
    assert after.startswith(before) and f"release of {today}, ODbL 1.0" in after
    stand_in.put_sales([sale(codes[0])])
    with pytest.raises(TableShrank):
        stand_in.load("mutations_immo_latest")
    assert stand_in.rows(comment) == [(after, today)]
