"""One GeoPackage with all tables: those with places are layers with a style for QGIS, the others attribute tables.

Belongs here: layers, descriptions of columns, styles. Does not belong here: the rows (``snapshot.py``).

GDAL gets the rows as Arrow, with their types; as a data frame, lists, decimals, dates and booleans with gaps would
become Python's text. A GeoPackage has no lists and no decimals: they are JSON and floating-point numbers there.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pyarrow as pa
from pyogrio.raw import write_arrow

from edu_pipeline.export.description import Described
from edu_pipeline.export.styles import layer_style

VERSION = "1.3"
"""Of the standard; older programs warn of a newer one."""

DESCRIPTIONS = """
    CREATE TABLE IF NOT EXISTS gpkg_data_columns (
        table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT, mime_type TEXT,
        constraint_name TEXT, CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
        CONSTRAINT gdc_tn UNIQUE (table_name, name)
    );
    CREATE TABLE IF NOT EXISTS gpkg_data_column_constraints (
        constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC,
        min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
        CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value)
    );
    CREATE TABLE IF NOT EXISTS gpkg_extensions (
        table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL, scope TEXT NOT NULL,
        CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name)
    );
    INSERT OR IGNORE INTO gpkg_extensions VALUES
        ('gpkg_data_columns', NULL, 'gpkg_schema', 'http://www.geopackage.org/spec/#extension_schema', 'read-write'),
        ('gpkg_data_column_constraints', NULL, 'gpkg_schema', 'http://www.geopackage.org/spec/#extension_schema',
         'read-write');
"""
"""The standard's extension for descriptions of columns."""

STYLES = """
    CREATE TABLE IF NOT EXISTS layer_styles (
        id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT, f_table_schema TEXT, f_table_name TEXT,
        f_geometry_column TEXT, styleName TEXT, styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN, description TEXT,
        owner TEXT, ui TEXT, update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
    );
    INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier) VALUES
        ('layer_styles', 'attributes', 'layer_styles');
"""
"""Where QGIS looks for the style of a layer."""


class GeoPackageFile:
    """A GeoPackage that tables are added to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, table: Described, batches: Iterator[pa.RecordBatch]) -> int:
        """Add ``table`` as a layer or, without a geometry, as an attribute table, in the order of the rows.

        Returns:
            The number of rows.
        """
        rows = 0
        self._append(table, pa.RecordBatch.from_pylist([], schema=table.schema), append=False)
        for batch in batches:
            self._append(table, batch, append=True)
            rows += batch.num_rows
        with closing(sqlite3.connect(self.path)) as database, database:
            _describe(database, table)
            if table.geometry:
                _style(database, table)
        return rows

    def _append(self, layer: Described, batch: pa.RecordBatch, *, append: bool) -> None:
        geometry = layer.geometry
        options = {"GEOMETRY_NAME": geometry.name} if geometry else {}
        write_arrow(
            pa.Table.from_batches([batch]),
            self.path,
            layer=layer.name,
            driver="GPKG",
            geometry_name=geometry.name if geometry else None,
            geometry_type=geometry.geometry_type if geometry else None,
            crs="EPSG:4326" if geometry else None,
            append=append,
            dataset_options={} if append else {"VERSION": VERSION},
            layer_options={} if append else options,
        )


def _describe(database: sqlite3.Connection, layer: Described) -> None:
    """Say what the layer and its columns are."""
    database.executescript(DESCRIPTIONS)
    database.execute("UPDATE gpkg_contents SET description = ? WHERE table_name = ?", [layer.explanation, layer.name])
    database.executemany(
        "INSERT INTO gpkg_data_columns (table_name, column_name, description, mime_type) VALUES (?, ?, ?, ?) "
        "ON CONFLICT (table_name, column_name) DO UPDATE SET description = excluded.description",
        [
            (layer.name, field.name, field.explanation, "application/json" if field.is_json else None)
            for field in layer.fields
        ],
    )


def _style(database: sqlite3.Connection, layer: Described) -> None:
    """Give the layer a style that QGIS uses when it opens it."""
    assert layer.geometry is not None
    database.executescript(STYLES)
    database.execute(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName, "
        "styleQML, useAsDefault, description, owner) VALUES ('', '', ?, ?, ?, ?, 1, '', '')",
        [layer.name, layer.geometry.name, layer.name, layer_style(layer)],
    )
