"""The check ``balance``: whether the rows of the files went where they went in the previous load."""

from __future__ import annotations

from itertools import count

from edu_pipeline.database.connection import Connection
from edu_pipeline_tests.checks.small_country import RunCheck, put_colleges, record

TABLE, FILE = "metrics_colleges", "a_file"


SESSIONS = count(2000)


def load(connection: Connection, look_ups: dict[str, list[int]] | None = None, **fates: int) -> None:
    put_colleges(connection, {"01": 1}, session=next(SESSIONS))
    balance = {FILE: {"rows": sum(fates.values())} | {name.replace("_", " "): number for name, number in fates.items()}}
    record(connection, TABLE, balance=balance, look_ups=look_ups or {})


def test_the_first_load_has_nothing_to_compare_with(connection: Connection, check: RunCheck) -> None:
    load(connection, published=500, other_level=500)
    assert check(TABLE, "balance").passed


def test_a_share_that_jumps_is_named(connection: Connection, check: RunCheck) -> None:
    load(connection, published=500, other_level=500)
    load(connection, published=495, other_level=505)
    assert check(TABLE, "balance").passed, "as much as one percent is no jump"
    load(connection, published=400, other_level=600)
    result = check(TABLE, "balance")
    assert not result.passed and result.severity == "warn"
    assert "found 60.0% of the rows of a_file other level (50.5% before)." in result.description


def test_a_rule_that_is_gone_is_named(connection: Connection, check: RunCheck) -> None:
    load(connection, published=500, other_level=500)
    load(connection, published=1_000)
    assert "0.0% of the rows of a_file other level (50.0% before)" in check(TABLE, "balance").description


def test_a_few_rows_more_are_no_jump(connection: Connection, check: RunCheck) -> None:
    load(connection, published=20, other_level=1)
    load(connection, published=20, other_level=9)
    assert check(TABLE, "balance").passed


def test_an_unknown_word_is_named_even_in_the_first_load(connection: Connection, check: RunCheck) -> None:
    load(connection, published=500, unknown_word_in_geo=1)
    result = check(TABLE, "balance")
    assert "found 1 rows of a_file with an unknown word in geo." in result.description
    assert not result.passed


def test_a_look_up_that_finds_less_is_named(connection: Connection, check: RunCheck) -> None:
    load(connection, {"the basin": [100, 100]}, published=100)
    load(connection, {"the basin": [100, 60]}, published=100)
    assert "found the basin for 60.0% of 100 rows (100.0% before)." in check(TABLE, "balance").description


def test_a_rebuilt_table_is_compared_with_the_live_one(connection: Connection, check: RunCheck) -> None:
    record(
        connection,
        TABLE,
        "educational_data__previous",
        balance={FILE: {"rows": 100, "published": 50, "other level": 50}},
    )
    load(connection, published=100)
    assert not check(TABLE, "balance").passed
