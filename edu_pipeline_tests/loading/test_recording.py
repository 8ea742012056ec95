"""That whatever ends a load is in the ledger, even if the load's connection cannot be used any more."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import psycopg
import pytest

from edu_pipeline.database import ledger
from edu_pipeline.loading import load as module
from edu_pipeline.loading.conform import Conformed
from edu_pipeline.loading.rows import Inputs, Made
from edu_pipeline.table import Table
from edu_pipeline_tests.stand_in import StandIn, sale

TABLE = "mutations_immo_latest"

Ending = Callable[[Inputs], object]


def panic(_: Inputs) -> None:
    """A panic of polars, which is no Exception."""
    raise pl.exceptions.PanicException("assertion failed: i < self.len()")


def memory(_: Inputs) -> None:
    """No memory left."""
    raise MemoryError


def interrupted(_: Inputs) -> None:
    """Ctrl-C."""
    raise KeyboardInterrupt


def aborted(inputs: Inputs) -> None:
    """A statement that fails, and then something else."""
    with pytest.raises(psycopg.errors.DivisionByZero):
        inputs.connection.execute("SELECT 1 / 0")
    raise MemoryError


def broken(inputs: Inputs) -> None:
    """A connection that the server has closed."""
    with pytest.raises(psycopg.OperationalError):
        inputs.connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    raise MemoryError


def unprintable(_: Inputs) -> None:
    """A text that PostgreSQL does not take."""
    raise ValueError("a\0b")


@pytest.mark.parametrize(
    ("ending", "text"),
    [
        (panic, "PanicException: assertion failed: i < self.len()"),
        (memory, "MemoryError: "),
        (interrupted, "KeyboardInterrupt: "),
        (aborted, "MemoryError: "),
        (broken, "MemoryError: "),
        (unprintable, "ValueError: a\N{REPLACEMENT CHARACTER}b"),
    ],
)
def test_whatever_ends_a_load(ending: Ending, text: str, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in.put_communes(1)
    stand_in.load_communes()
    stand_in.put_sales([sale("01001")])

    def make(table: Table, inputs: Inputs) -> Made:
        ending(inputs)
        raise AssertionError(f"expected the end of the load of {table.name}")

    monkeypatch.setattr(module, "make", make)
    with pytest.raises(BaseException) as caught:
        stand_in.load(TABLE)
    assert type(caught.value).__name__ == text.partition(":")[0]
    failed = stand_in.failed(TABLE)
    assert failed is not None and (failed.state, failed.error) == ("failed", text)


def test_rows_that_cannot_be_recorded_do_not_hide_the_failure(
    stand_in: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in.put_communes(1)
    stand_in.load_communes()
    stand_in.put_sales([sale("01001")])
    unreadable = pl.DataFrame([("k", None, ["r"], "no JSON")], schema=ledger.REFUSED, orient="row")

    def make(table: Table, inputs: Inputs) -> Made:
        return Made(Conformed(table.contract.create_empty(lazy=True), 0, unreadable))

    monkeypatch.setattr(module, "make", make)
    with pytest.raises(Exception, match="TooManyRefused"):
        stand_in.load(TABLE)
    failed = stand_in.failed(TABLE)
    assert failed is not None and failed.refused == 1 and (failed.error or "").startswith("TooManyRefused: ")
