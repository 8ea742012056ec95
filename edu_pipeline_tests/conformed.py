"""Making and conforming small frames in memory, as ``loading/rows.py`` does from files and on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from edu_pipeline.contracts import CODES_ANCIENS
from edu_pipeline.loading import conform as product
from edu_pipeline.loading.balance import Balance
from edu_pipeline.parts import Parts
from edu_pipeline.table import Table


@dataclass(frozen=True)
class Conformed:
    """The good rows and the refused rows, as in ``loading.conform.Conformed``, and what became of the files' rows."""

    frame: pl.DataFrame
    refused: pl.DataFrame
    balance: Balance


def transformed(table: Table, inputs: Mapping[str, pl.LazyFrame | Parts | None]) -> Conformed:
    """The rows that the transform of ``table`` makes of ``inputs``, conformed; every row of a file is accounted for.

    A frame without rows stands for a file that a test is not about.
    """
    balance, tracked = Balance(), dict(inputs)
    for name, rows in inputs.items():
        if isinstance(rows, pl.LazyFrame) and name in table.files and rows.limit(1).collect().height:
            tracked[name] = balance.opened(table.files[name], name, rows, 0, "a test")
    result = conform(table.transform(**tracked), table, balance)
    assert balance.unaccounted() == {}
    return result


def conform(produced: pl.LazyFrame, table: Table, balance: Balance | None = None) -> Conformed:
    """Conform ``produced`` to the contract of ``table``; without an intake, ``codes_anciens`` is NULL."""
    balance = balance or Balance()
    if CODES_ANCIENS in table.contract.columns() and CODES_ANCIENS not in produced.collect_schema():
        produced = produced.with_columns(pl.lit(None, pl.List(pl.String)).alias(CODES_ANCIENS))
    with tempfile.TemporaryDirectory() as scratch:
        result = product.conform(produced, table, Path(scratch))
        frame = result.frame.collect()
        assert frame.height == result.rows
        balance.settle(result)
        return Conformed(frame, result.refused, balance)
