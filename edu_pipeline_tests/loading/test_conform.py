"""Separating rows that meet a contract from those that do not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import dataframely as dy
import numpy as np
import polars as pl
import pytest

from edu_pipeline import contracts as c
from edu_pipeline.contracts import Contract
from edu_pipeline.database.connection import Database
from edu_pipeline.loading import conform as module
from edu_pipeline.loading.conform import refuse
from edu_pipeline.table import Table, tables
from edu_pipeline_tests.conformed import conform
from edu_pipeline_tests.loading.samples import Everything, a_table, everything


def text_rows(**columns: Sequence[str | None]) -> pl.LazyFrame:
    """Rows of ``Everything`` as a transform gives them: text, and NULL where nothing is said."""
    count = len(next(iter(columns.values())))
    keys = {"cle": [f"k{number}" for number in range(count)]}
    schema = dict.fromkeys(Everything.columns(), pl.String) | {"liste": pl.List(pl.String)}
    return pl.LazyFrame(
        {name: (keys | columns).get(name, [None] * count) for name in Everything.columns()}, schema=schema
    )


def values(column: str, *texts: str | None) -> list[object]:
    """What becomes of texts in a column, in their order; a refused one is missing."""
    return list(conform(text_rows(**{column: list(texts)}), a_table(Everything, "everything")).frame[column])


def reasons(column: str, text: str) -> list[str]:
    """Why a text is refused in a column."""
    result = conform(text_rows(**{column: [text]}), a_table(Everything, "everything"))
    assert result.frame.is_empty() and result.refused.height == 1
    return list(result.refused["reasons"][0])


@pytest.mark.parametrize(
    ("column", "text", "value"),
    [
        ("entier", "12", 12),
        ("entier", "-3.0", -3),
        ("entier", "2147483647", 2147483647),
        ("decimal", "2.675", Decimal("2.68")),
        ("decimal", "-2.675", Decimal("-2.68")),
        ("decimal", "999.99", Decimal("999.99")),
        ("reel", "1.5e2", 150.0),
        ("oui", "1", True),
        ("oui", "NON", False),
        ("oui", "O", True),
        ("jour", "2024-11-26", date(2024, 11, 26)),
        ("jour", "2024-11-26T10:30:00+01:00", date(2024, 11, 26)),
        ("jour", "26/11/2024", date(2024, 11, 26)),
    ],
)
def test_text_becomes_a_value(column: str, text: str, value: object) -> None:
    assert values(column, text, None) == [value, None]


@pytest.mark.parametrize(
    ("column", "text", "reason"),
    [
        ("entier", "3.5", "entier: expected a whole number, found '3.5'"),
        ("entier", "2147483648", "entier: expected a whole number, found '2147483648'"),
        ("entier", "ND", "entier: expected a whole number, found 'ND'"),
        ("decimal", "1000", "decimal: expected a number of at most 5 digits (numeric(5,2)), found '1000'"),
        ("reel", "x", "reel: expected a number, found 'x'"),
        ("oui", "peut-être", "oui: expected one of "),
        ("jour", "31/11/2024", "jour: expected a date (2024-11-26 or 26/11/2024), found '31/11/2024'"),
    ],
)
def test_text_that_is_no_value_is_refused(column: str, text: str, reason: str) -> None:
    (text_of_reason,) = reasons(column, text)
    assert text_of_reason.startswith(reason)


def test_every_reason_of_a_row_is_said() -> None:
    frame = text_rows(entier=["x", "1"], reel=["y", "2"])
    result = conform(frame, a_table(Everything, "everything"))
    assert result.refused["reasons"].to_list() == [
        ["entier: expected a whole number, found 'x'", "reel: expected a number, found 'y'"]
    ]
    assert result.refused["key"].to_list() == ["k0"]
    assert json.loads(result.refused["row"][0]) == {"cle": "k0", "entier": "x", "reel": "y"} | dict.fromkeys(
        ["texte", "decimal", "oui", "jour", "liste"]
    )


class Bounded(Contract):
    """A column for each kind of rule."""

    cle = c.text("Key.", key=True, length=3)
    code = c.text("Code.", pattern="^[0-9]{2}$")
    part = c.numeric("Share.", min=0, max=100)
    nom = c.text("Name.", required=True)

    @dy.rule()
    def part_with_code(cls) -> pl.Expr:
        """a code where there is a share."""
        return pl.col("part").is_null() | pl.col("code").is_not_null()


def bounded(*rows: tuple[str | None, ...]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=dict.fromkeys(["cle", "code", "part", "nom"], pl.String), orient="row")


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (("k", "1", None, "n"), "code: expected text that matches ^[0-9]{2}$, found 1"),
        (("k", "12", "-0.01", "n"), "part: expected at least 0, found -0.01"),
        (("k", "12", "100.01", "n"), "part: expected at most 100, found 100.01"),
        (("k", None, None, None), "nom: expected a value, found nothing"),
        ((None, None, None, "n"), "cle: expected a value, found nothing"),
        (("éééé", None, None, "n"), "cle: expected at most 3 characters, found éééé"),
        (("k", None, "1", "n"), "part, code: expected a code where there is a share, found 1.00, nothing"),
    ],
)
def test_a_broken_rule_is_said_in_words(row: tuple[str | None, ...], reason: str) -> None:
    result = conform(bounded(("a", "12", "0", "n"), ("ééé", "99", "100", "n"), row), a_table(Bounded, "bounded"))
    assert result.frame["cle"].to_list() == ["a", "ééé"]
    assert result.refused["reasons"].to_list() == [[reason]]


def test_of_rows_with_one_key_none_stays() -> None:
    frame = bounded(("a", None, "1", "n"), ("b", "12", None, "n"), ("b", "13", None, "n"), ("c", None, None, "n"))
    result = conform(frame, a_table(Bounded, "bounded"))
    assert result.frame["cle"].to_list() == ["c"]
    twice = "cle: expected a key that occurs once, found b"
    assert result.refused.select("key", "reasons").rows()[1:] == [("b", [twice]), ("b", [twice])]


def newest_by_code() -> Table:
    return Table(Bounded, a_table(Bounded, "bounded").transform, {}, "code", 0.01, 0.02, 0.8, False)


def test_the_newest_of_rows_with_one_key_stays() -> None:
    frame = bounded(
        ("a", "12", None, "old"), ("a", "14", None, "first"), ("a", "14", None, "second"), ("a", None, None, "undated")
    )
    result = conform(frame, newest_by_code())
    assert result.frame["nom"].to_list() == ["first"]
    kept = "cle: expected one row, found several; kept the one with the greatest code, this one has "
    refused = {json.loads(row)["nom"]: reason for row, (reason,) in result.refused.select("row", "reasons").rows()}
    assert refused == {"old": f"{kept}12", "second": f"{kept}14", "undated": f"{kept}none"}


def test_batches_are_one_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order stays, and a key that occurs in two batches is still one key."""
    monkeypatch.setattr(module, "BATCH", 3)
    rows = [(str(number), None, None, "n") for number in range(10)]
    result = conform(bounded(*rows, ("4", None, None, "again")), a_table(Bounded, "bounded"))
    assert result.frame["cle"].to_list() == [str(number) for number in range(10) if number != 4]
    assert result.refused.height == 2


def test_refused_rows_far_apart_are_two(tmp_path: Path) -> None:
    """Rows that are refused afterwards, and those that give way to a newer one with the same key, in many chunks."""
    count = FAR_APART[-1] + 100
    keys = [np.base_repr(number, 36) for number in range(count)]
    rows = [(key, "12", None, "n") for key in keys]
    old = [(keys[number], "11", None, "old") for number in FAR_APART]
    table = newest_by_code()
    result = module.conform(bounded(*rows, *old), table, tmp_path)
    assert (result.rows, result.refused.height) == (count, len(old))
    again = refuse(result, table, "cle", pl.Series([keys[number] for number in FAR_APART]), "a known key")
    assert (again.rows, again.refused.height) == (count - len(old), 2 * len(old))


def test_long_cells_are_cut_in_reasons() -> None:
    result = conform(bounded(("a", "é" * 5_000, None, "n")), a_table(Bounded, "bounded"))
    assert len(result.refused["reasons"].item()[0]) < 300


def test_no_rows_make_an_empty_frame() -> None:
    result = conform(bounded(), a_table(Bounded, "bounded"))
    assert result.frame.schema == {name: column.dtype for name, column in Bounded.columns().items()}
    assert (result.frame.height, result.refused.height) == (0, 0)


def test_rows_are_refused_afterwards(tmp_path: Path) -> None:
    table = a_table(Bounded, "bounded")
    frame = bounded(("a", "12", None, "n"), ("b", "13", None, "n"), ("c", None, None, "n"), ("d", "x", None, "n"))
    result = refuse(module.conform(frame, table, tmp_path), table, "code", pl.Series(["13", "13"]), "a known code")
    assert result.frame.collect()["cle"].to_list() == ["a", "c"] and result.rows == 2
    assert result.refused.select("key", "reasons").rows() == [
        ("d", ["code: expected text that matches ^[0-9]{2}$, found x"]),
        ("b", ["code: expected a known code, found 13"]),
    ]


def test_a_transform_may_refuse_a_row_itself() -> None:
    frame = everything([{"cle": "a"}, {"cle": "b", "entier": 3}]).with_columns(
        refused_because=pl.Series([None, "another one says otherwise"])
    )
    result = conform(frame.lazy(), a_table(Everything, "everything"))
    assert result.frame["cle"].to_list() == ["a"]
    assert result.frame.columns == list(Everything.columns())
    assert result.refused.select("key", "reasons").rows() == [("b", ["another one says otherwise"])]
    assert "refused_because" not in result.refused["row"].item()


FAR_APART = (10, 29_000)


def castable(table: Table) -> dict[pl.DataType, str]:
    """A column of each kind that a text may not be."""
    types = {column: declared.dtype for column, declared in table.contract.columns().items()}
    return {kind: column for column, kind in types.items() if not kind.is_nested() and kind != pl.String}


@pytest.mark.parametrize("name", [name for name, table in tables().items() if castable(table)])
def test_two_bad_cells_far_apart_are_two_rows(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In rows 11 and 29,001 of rows in many chunks, where polars' ``format`` panics; one column of each kind."""
    table = tables()[name]
    types = {column: declared.dtype for column, declared in table.contract.columns().items()}
    kinds = castable(table)
    hit = pl.int_range(pl.len()).is_in(list(FAR_APART))
    as_read = {column: kind if kind.is_nested() else pl.String for column, kind in types.items()}
    rows = pl.DataFrame(schema=as_read).clear(FAR_APART[-1] + 100)
    rows = rows.with_columns(pl.when(hit).then(pl.lit("ND")).alias(column) for column in kinds.values())
    chunks = pl.concat([rows.slice(begin, 1_000) for begin in range(0, rows.height, 1_000)], rechunk=False)
    assert chunks.n_chunks() > len(FAR_APART)
    monkeypatch.setattr(module, "_row_by_row", lambda _: _Anything)
    _, refused = module._separated(chunks.with_row_index(module.ROW), table)
    assert refused.height == len(FAR_APART)
    assert {len(reasons) for reasons in refused["reasons"]} == {len(kinds)}
    assert all("found 'ND'" in reason for reason in refused["reasons"].explode())


class _Anything:
    """A contract that every row meets."""

    @staticmethod
    def filter(rows: pl.DataFrame) -> tuple[pl.DataFrame, list[object]]:
        return rows, []


def test_rounding_is_that_of_postgresql(database: Database) -> None:
    values = ["2.675", "-2.675", "0.005", "1.005", "99.995", "12.344"]
    table = a_table(Everything, "everything")
    frame = everything([{"cle": value} for value in values]).with_columns(decimal=pl.col("cle"))
    rounded = conform(frame.lazy(), table).frame["decimal"].to_list()
    with database.connect() as connection:
        expected = [connection.execute("SELECT %s::numeric(5,2)", [value]).fetchone() for value in values]
    assert [(value,) for value in rounded] == expected
