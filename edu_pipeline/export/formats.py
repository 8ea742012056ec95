"""The formats of an export: which files each of them has, and who writes them.

Belongs here: from a format's name to its writer. Does not belong here: how a file is written (``parquet.py``,
``csv_file.py``, ``duckdb_file.py``, ``geopackage.py``).
"""

# ruff: noqa: PLC0415 - pyogrio brings geopandas and pandas, which take half a second, and most exports are Parquet

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from edu_pipeline.export import csv_file, parquet
from edu_pipeline.export.description import Described
from edu_pipeline.export.form import Format
from edu_pipeline.export.positions import on_the_map, with_points
from edu_pipeline.export.snapshot import Rows

NAME = "edu_pipeline"
"""Name of a file that has all tables."""


class Writer(Protocol):
    """Writes tables one after the other into the files of a format."""

    def add(self, table: Described, rows: Rows, told: Mapping[str, str]) -> Path:
        """Write ``table``, as ``in_format`` returns it.

        Args:
            told: what is known of the table, by name, for a format that has a place for it.

        Returns:
            The file, which is whole when the writer has ended.
        """
        ...


def in_format(form: Format, table: Described) -> Described | None:
    """The table with the columns that it has in a format; None if the format leaves it out."""
    if form == Format.GEOPARQUET:
        return on_the_map(table)
    return (on_the_map(table) or table) if form == Format.GPKG else table


@contextmanager
def writer(form: Format, folder: Path) -> Iterator[Writer]:
    """The writer of a format, whose files are in ``folder``.

    Raises:
        SettingInvalid: a package that the format needs is not installed.
    """
    if form == Format.DUCKDB:
        from edu_pipeline.export.duckdb_file import DuckDBFile

        path = folder / f"{NAME}.duckdb"
        with DuckDBFile(path) as file:
            yield _OneFile(path, file.add)
    elif form == Format.GPKG:
        from edu_pipeline.export.geopackage import GeoPackageFile

        path = folder / f"{NAME}.gpkg"
        yield _OneFile(path, GeoPackageFile(path).add)
    else:
        yield _CsvFiles(folder) if form == Format.CSV else _ParquetFiles(folder)


@dataclass(frozen=True)
class _OneFile:
    path: Path
    add_rows: Callable[[Described, Iterator[pa.RecordBatch]], int]

    def add(self, table: Described, rows: Rows, told: Mapping[str, str]) -> Path:
        self.add_rows(table, with_points(rows.batches(), table))
        return self.path


@dataclass(frozen=True)
class _ParquetFiles:
    folder: Path

    def add(self, table: Described, rows: Rows, told: Mapping[str, str]) -> Path:
        path = self.folder / f"{table.name}.parquet"
        parquet.write(path, table, with_points(rows.batches(), table), told)
        return path


@dataclass(frozen=True)
class _CsvFiles:
    folder: Path

    def add(self, table: Described, rows: Rows, told: Mapping[str, str]) -> Path:
        path = self.folder / f"{table.name}.csv"
        csv_file.write(path, table, rows.csv())
        return path
