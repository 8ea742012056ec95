"""Files as a French spreadsheet saves them, for tests.

Belongs here: what a spreadsheet does to a cell, and saving a file so. Does not belong here: what must become of such a
file (`test_saved_by_a_spreadsheet.py`).
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from edu_pipeline.catalogue import File
from edu_pipeline.sources.readers import read

ENCODING = "cp1252"


def saved(path: Path, file: File, folder: Path, *, decimal_comma: bool) -> Path | None:
    """A copy of ``path``, opened in a spreadsheet and saved as CSV; None if it is not a plain table.

    Args:
        decimal_comma: whether numbers get a decimal comma; without one, rows with decimals stay readable.
    """
    rows = read(path, file, folder, "a test").frame.collect()
    if any(kind.is_nested() for kind in rows.dtypes) or "geometry" in rows.columns:
        return None
    cells = rows.with_columns(opened(pl.col(name), decimal_comma).alias(name) for name in rows.columns)
    text = cells.write_csv(separator=";", line_terminator=";\r\n")
    target = folder / f"{path.name.split('.')[0]}.csv"
    target.write_bytes(text.encode(ENCODING, errors="replace"))
    return target


def opened(cell: pl.Expr, decimal_comma: bool) -> pl.Expr:
    """What is left of a cell: long numbers in scientific notation, no leading zeros, dates with the day first."""
    number = cell.str.replace(r"\.", ",") if decimal_comma else cell
    return (
        pl.when(cell.str.contains("^[0-9]{12,}$"))
        .then(pl.format("{},{}E+{}", cell.str.head(1), cell.str.slice(1, 5), cell.str.len_chars() - 1))
        .when(cell.str.contains("^0[0-9]+$"))
        .then(cell.str.replace("^0+([0-9])", "${1}"))
        .when(cell.str.contains(r"^-?[0-9]+\.[0-9]+$"))
        .then(number)
        .otherwise(cell.str.replace(r"^([0-9]{4})-([0-9]{2})-([0-9]{2})$", "${3}/${2}/${1}"))
    )
