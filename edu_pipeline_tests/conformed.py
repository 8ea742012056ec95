"""Conforming small frames in memory, as ``loading/conform.py`` does on disk."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from edu_pipeline.contracts import CODES_ANCIENS
from edu_pipeline.loading import conform as product
from edu_pipeline.table import Table


@dataclass(frozen=True)
class Conformed:
    """The good rows and the refused rows, as in ``loading.conform.Conformed``."""

    frame: pl.DataFrame
    refused: pl.DataFrame


def conform(produced: pl.LazyFrame, table: Table) -> Conformed:
    """Conform ``produced`` to the contract of ``table``; without an intake, ``codes_anciens`` is NULL."""
    if CODES_ANCIENS in table.contract.columns() and CODES_ANCIENS not in produced.collect_schema():
        produced = produced.with_columns(pl.lit(None, pl.List(pl.String)).alias(CODES_ANCIENS))
    with tempfile.TemporaryDirectory() as scratch:
        result = product.conform(produced, table, Path(scratch))
        frame = result.frame.collect()
        assert frame.height == result.rows
        return Conformed(frame, result.refused)
