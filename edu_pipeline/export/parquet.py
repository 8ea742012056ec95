"""Parquet files: one per table, sorted by key, with everything that is known of the table in the file's metadata.

Belongs here: writing a stream of rows to Parquet, and GeoParquet 1.1 where there is a geometry. Does not belong here:
what the metadata says (``datapackage.py``).

A geometry is WKB, which every reader can open; Parquet's own GEOMETRY type is not known to all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely

from edu_pipeline.export.description import Described, Field

ROWS, BYTES = 250_000, 64 << 20
"""A row group ends with the batch that reaches one of these."""

COMPRESSION_LEVEL = 3
"""Of zstd."""

COVERING = "bbox"
"""Column with the bounds of each geometry, by which readers skip what is elsewhere."""

EDGES = ("xmin", "ymin", "xmax", "ymax")

BOX = pa.struct([pa.field(edge, pa.float64(), nullable=False) for edge in EDGES])


def write(path: Path, table: Described, batches: Iterator[pa.RecordBatch], told: Mapping[str, str]) -> int:
    """Write the rows of ``table``.

    Args:
        told: what the file's own metadata says, by name.

    Returns:
        The number of rows.
    """
    geography = _Geography(table) if table.geometry else None
    schema = geography.schema if geography else table.schema
    rows = 0
    with pq.ParquetWriter(
        path,
        schema.with_metadata(told),
        compression="zstd",
        compression_level=COMPRESSION_LEVEL,
        write_page_index=True,
        use_dictionary=[_path(field) for field in table.fields if not _is_distinct(field, table)],
        sorting_columns=pq.SortingColumn.from_ordering(schema, [(name, "ascending") for name in table.key]),
    ) as writer:
        for group in _row_groups(map(geography.with_bounds, batches) if geography else batches):
            writer.write_table(group, row_group_size=max(group.num_rows, 1))
            rows += group.num_rows
        if geography:
            writer.add_key_value_metadata({"geo": json.dumps(geography.metadata())})
    return rows


def _is_distinct(field: Field, table: Described) -> bool:
    """Whether hardly any two rows have the same value, so that a dictionary of the values would only take room."""
    return field.is_geometry or [field.name] == list(table.key)


def _path(field: Field) -> str:
    """The name of the column in the file: the elements of a list are one of their own."""
    return f"{field.name}.list.element" if pa.types.is_list(field.arrow) else field.name


def _row_groups(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    pending: list[pa.RecordBatch] = []
    for batch in batches:
        pending.append(batch)
        if sum(one.num_rows for one in pending) >= ROWS or sum(one.nbytes for one in pending) >= BYTES:
            yield pa.Table.from_batches(pending)
            pending = []
    if pending:
        yield pa.Table.from_batches(pending)


class _Geography:
    """What GeoParquet adds: a column with the bounds of each geometry, and metadata that sum the geometries up."""

    def __init__(self, table: Described) -> None:
        assert table.geometry is not None
        self.column = table.geometry.name
        self.schema = table.schema.append(pa.field(COVERING, BOX))
        self.bounds: tuple[float, ...] = ()
        self.types: set[str] = set()

    def with_bounds(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with the bounds of its geometries."""
        shapes = shapely.from_wkb(batch.column(self.column).to_numpy(zero_copy_only=False))
        bounds, missing = shapely.bounds(shapes), shapely.is_missing(shapes) | shapely.is_empty(shapes)
        present = shapes[~missing]
        _, first = np.unique(shapely.get_type_id(present), return_index=True)
        self.types |= {shape.geom_type for shape in present[first]}
        if not missing.all():
            known = np.vstack([bounds[~missing], np.reshape(self.bounds, (-1, 4))])
            self.bounds = (*known[:, :2].min(axis=0).tolist(), *known[:, 2:].max(axis=0).tolist())
        edges = [pa.array(np.where(missing, 0.0, bounds[:, place])) for place in range(4)]
        boxes = pa.StructArray.from_arrays(edges, fields=list(BOX), mask=pa.array(missing))
        return pa.RecordBatch.from_arrays([*batch.columns, boxes], schema=self.schema)

    def metadata(self) -> dict[str, object]:
        """The file's metadata ``geo``, GeoParquet 1.1. The order of coordinates is longitude, latitude."""
        column = {
            "encoding": "WKB",
            "geometry_types": sorted(self.types),
            "crs": pyproj.CRS("OGC:CRS84").to_json_dict(),
            "edges": "planar",
            "covering": {"bbox": {edge: [COVERING, edge] for edge in EDGES}},
        }
        bounds = {"bbox": list(self.bounds)} if self.bounds else {}
        return {"version": "1.1.0", "primary_column": self.column, "columns": {self.column: column | bounds}}
