"""Conforming small frames in memory, as ``loading/conform.py`` does on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl

from edu_pipeline.accounts import PUBLISHED, SOURCE_ROW, Account, note
from edu_pipeline.contracts import CODES_ANCIENS
from edu_pipeline.flow import once
from edu_pipeline.loading import conform as product
from edu_pipeline.parts import Parts
from edu_pipeline.table import Table


@dataclass(frozen=True)
class Conformed:
    """The good rows and the refused rows, as in ``loading.conform.Conformed``, and what became of the files' rows."""

    frame: pl.DataFrame
    refused: pl.DataFrame
    fates: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    look_ups: Mapping[str, tuple[int, int]] = field(default_factory=dict)


def transformed(table: Table, inputs: Mapping[str, pl.LazyFrame | Parts | None]) -> Conformed:
    """The rows that the transform of ``table`` makes of ``inputs``, conformed; every row of a file is accounted for."""
    accounts, tracked = {}, dict(inputs)
    for name, rows in inputs.items():
        if isinstance(rows, pl.LazyFrame) and name not in table.input_tables:
            accounts[name] = Account(name, rows.select(pl.len()).collect().item())
            numbered = accounts[name].tracked(rows)
            tracked[name] = once(numbered, table.needed_counts) if table.needed_counts else numbered
    result = conform(table.transform(**tracked), table)
    assert {name: account.unaccounted()[:3] for name, account in accounts.items() if account.unaccounted()} == {}
    look_ups = {name: answers for account in accounts.values() for name, answers in account.look_ups.items()}
    return replace(result, fates={name: account.fates for name, account in accounts.items()}, look_ups=look_ups)


def conform(produced: pl.LazyFrame, table: Table) -> Conformed:
    """Conform ``produced`` to the contract of ``table``; without an intake, ``codes_anciens`` is NULL."""
    if CODES_ANCIENS in table.contract.columns() and CODES_ANCIENS not in produced.collect_schema():
        produced = produced.with_columns(pl.lit(None, pl.List(pl.String)).alias(CODES_ANCIENS))
    with tempfile.TemporaryDirectory() as scratch:
        result = product.conform(produced, table, Path(scratch))
        frame = result.tracked.collect()
        assert frame.height == result.rows
        if SOURCE_ROW in frame.columns:
            note(frame[SOURCE_ROW], PUBLISHED)
        return Conformed(frame.drop(SOURCE_ROW, strict=False), result.refused)
