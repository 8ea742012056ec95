"""The page for SQL: one DuckDB file for DuckDB in the browser, and examples.

Belongs here: which tables and columns are in the file, and what the page shows. Does not belong here: writing a DuckDB
file (``export/duckdb_file.py``), running queries (``static/ask.mjs``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from edu_pipeline.export.description import Described
from edu_pipeline.export.duckdb_file import DuckDBFile
from edu_pipeline.site.context import ASSETS, DATA, Site
from edu_pipeline.site.javascript import LIBRARY
from edu_pipeline.site.texts import script_texts

FILE = "edu_pipeline.duckdb"

STORAGE_VERSION = "v1.4.0"
"""That of DuckDB in the browser; a newer DuckDB writes files that it cannot read unless told."""

BLOCK = 16_384
"""Bytes of a block, the smallest size: most tables are small, and a column fills a block at least."""

MOST_ROWS = 1_000_000
"""A table with more rows is left out: a reader would wait for it without having asked for it."""

PROGRAMS = ("duckdb-eh.wasm", "duckdb-browser-eh.worker.js", "duckdb.mjs")
"""What the page loads besides the file."""


@dataclass(frozen=True)
class Example:
    """A query that the page offers.

    Attributes:
        titles: what it answers, by language.
    """

    titles: Mapping[str, str]
    sql: str


def examples() -> list[Example]:
    """The queries of ``ask_examples.toml``."""
    text = resources.files("edu_pipeline.site").joinpath("ask_examples.toml").read_text(encoding="utf-8")
    return [
        Example({"fr": entry["fr"], "en": entry["en"]}, entry["sql"].strip())
        for entry in tomllib.loads(text)["example"]
    ]


def page(site: Site) -> None:
    """Write the page and its file.

    Raises:
        SettingInvalid: DuckDB is not installed.
    """
    data = site.folder / DATA
    kept = [table for table in site.collection.tables if table.rows <= MOST_ROWS]
    with DuckDBFile(data / FILE, STORAGE_VERSION, BLOCK, has_keys=False) as file:
        for table in kept:
            shown = for_browser(table)
            file.add(shown, _batches(data / f"{table.name}.parquet", shown))
    program = sum((site.folder / ASSETS / LIBRARY / name).stat().st_size for name in PROGRAMS)
    site.page(
        "ask.html",
        "ask.html",
        "ask",
        examples=examples(),
        kept=[for_browser(table) for table in kept],
        left_out=[(table, site.files[table.name]) for table in site.collection.tables if table not in kept],
        most_rows=MOST_ROWS,
        program=program,
        file=FILE,
        file_size=(data / FILE).stat().st_size,
        script_texts=script_texts,
    )


def for_browser(table: Described) -> Described:
    """The table with what DuckDB in the browser can show without extensions: no geometries, and JSON as text."""
    fields = [replace(field, sql="text") if field.is_json else field for field in table.fields if not field.is_geometry]
    return replace(table, fields=tuple(fields))


def _batches(path: Path, table: Described) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet file with the columns of ``table``."""
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=table.schema.names):
            yield batch.select(table.schema.names).cast(table.schema)
