"""Literal and real files as input of transforms, taken in by the product's readers and intake."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from edu_pipeline.catalogue import File, files_by_parameter
from edu_pipeline.loading.intake import take_in
from edu_pipeline.parts import Parts
from edu_pipeline.sources.readers import read
from edu_pipeline.table import tables
from edu_pipeline_tests.conformed import Conformed, transformed
from edu_pipeline_tests.real_files import upstream

Row = dict[str, str]


def taken_in(table: str, parameter: str, path: Path, scratch: Path, **changes: str) -> pl.LazyFrame:
    """What the transform of ``table`` receives for ``path``; ``changes`` override the catalogue's entry."""
    file = files_by_parameter()[parameter].model_copy(update=changes)
    return take_in(
        tables()[table], parameter, read(path, file, scratch, "a test").frame, file, path.name, "a test"
    ).frame


def from_text(table: str, parameter: str, lines: Sequence[str], folder: Path) -> pl.LazyFrame:
    """The same for a CSV file of these lines."""
    path = folder / "literal.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return taken_in(table, parameter, path, folder)


def conformed(table: str, **inputs: pl.LazyFrame | Parts | None) -> Conformed:
    """The rows of ``table`` made from ``inputs``."""
    return transformed(tables()[table], inputs)


def by_uai(result: Conformed) -> dict[str, dict[str, Any]]:
    """The good rows, by the establishment's code."""
    return {row["uai"]: row for row in result.frame.iter_rows(named=True)}


def real_rows(parameter: str) -> list[Row]:
    """The rows of the publisher's real CSV file, read by Python's csv module."""
    file: File = files_by_parameter()[parameter]
    path = upstream() / file.source / f"{file.source}.csv"
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream, delimiter=";"))


def total(rows: list[Row], column: str) -> float:
    """Sum of the numbers in a column; anything else is left out."""
    return sum(float(row[column]) for row in rows if row[column].lstrip("+-").replace(".", "", 1).isdigit())
