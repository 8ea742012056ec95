"""What a file says about a table: the one description from which the metadata of every format is derived.

Belongs here: fields with type, unit and bounds, key, references, provenance. Does not belong here: reading them from
the database (``snapshot.py``), the vocabulary of any one format (``datapackage.py``, ``croissant.py``, ``dcat.py``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa

from edu_pipeline.contracts import spec
from edu_pipeline.database.provenance import Provenance
from edu_pipeline.table import Table

TYPES: Mapping[str, pa.DataType] = {
    r"text|character varying(\(\d+\))?|jsonb": pa.string(),
    r"(text|character varying(\(\d+\))?)\[\]": pa.list_(pa.string()),
    r"integer": pa.int32(),
    r"bigint": pa.int64(),
    r"double precision": pa.float64(),
    r"boolean": pa.bool_(),
    r"date": pa.date32(),
    r"(\w+\.)?geometry\(\w+,4326\)": pa.binary(),
}
"""The exact type for each PostgreSQL type, as ``format_type`` prints it; those of ``numeric`` have its digits."""

DIGITS = 18
"""Digits of a decimal number that declares none: more than GDAL and fast readers take is refused."""


@dataclass(frozen=True)
class Field:
    """A column.

    Attributes:
        sql: its PostgreSQL type; of ``numeric`` always with precision and scale.
        unit: e.g. ``%`` or ``€``.
        required: whether it is never NULL.
        minimum, maximum, pattern: what the contract allows.
        references: tables; the value is meant to be a key of one of them.
        unknown: how many rows have a value that is in none of these, as the last load found.
    """

    name: str
    sql: str
    description: str
    unit: str | None = None
    required: bool = False
    minimum: object = None
    maximum: object = None
    pattern: str | None = None
    references: tuple[str, ...] = ()
    unknown: int = 0

    @property
    def arrow(self) -> pa.DataType:
        """Its type in Arrow and Parquet: codes are text, numbers exact, a geometry is WKB.

        Raises:
            LookupError: there is no rule for its PostgreSQL type.
        """
        if numeric := re.fullmatch(r"numeric\((\d+),(\d+)\)", self.sql):
            return pa.decimal128(*map(int, numeric.groups()))
        for pattern, kind in TYPES.items():
            if re.fullmatch(pattern, self.sql):
                return kind
        raise LookupError(f"column {self.name}: no rule for the type {self.sql}")

    @property
    def explanation(self) -> str:
        """The description with the unit, for formats that have no place of its own for it."""
        return self.description + (f" (unit: {self.unit})" if self.unit else "")

    @property
    def is_geometry(self) -> bool:
        """Whether it is a geometry."""
        return "geometry(" in self.sql

    @property
    def is_json(self) -> bool:
        """Whether it is text in JSON."""
        return self.sql == "jsonb"

    @property
    def geometry_type(self) -> str:
        """The type of a geometry, e.g. ``MultiPolygon``."""
        return self.sql.partition("(")[2].partition(",")[0]

    @property
    def length(self) -> int | None:
        """Most characters of a text, if they are limited."""
        limit = re.fullmatch(r"character varying\((\d+)\)", self.sql)
        return int(limit[1]) if limit else None


@dataclass(frozen=True)
class Described:
    """A table or view as of one snapshot.

    Attributes:
        key: the columns that identify a row.
        layer: the layer of the product that it belongs to.
        rows: how many rows the ledger says there are, for a progress bar.
        loaded_at: the end of the newest load or refresh; None if there was none.
    """

    name: str
    description: str
    fields: tuple[Field, ...]
    key: tuple[str, ...]
    layer: str
    provenance: Provenance
    rows: int = 0
    loaded_at: datetime | None = None

    @property
    def schema(self) -> pa.Schema:
        """Names and types of its columns, with their descriptions."""
        return pa.schema([pa.field(field.name, field.arrow, metadata=_metadata(field)) for field in self.fields])

    @property
    def explanation(self) -> str:
        """The description with the attribution, for formats that have no place of its own for it."""
        return f"{self.description}\n\n{self.provenance.attribution}".strip()

    @property
    def geometry(self) -> Field | None:
        """Its geometry, if it has one."""
        return next((field for field in self.fields if field.is_geometry), None)

    @property
    def has_position(self) -> bool:
        """Whether its rows have a latitude and a longitude."""
        return {"latitude", "longitude"} <= {field.name for field in self.fields}


@dataclass(frozen=True)
class Collection:
    """Everything that is exported together.

    Attributes:
        taken_at: the time of the snapshot, in UTC.
    """

    tables: tuple[Described, ...]
    taken_at: datetime

    @property
    def day(self) -> date:
        """The day of the newest release in it; without any release that of the snapshot."""
        days = [table.provenance.day for table in self.tables]
        return max((day for day in days if day), default=self.taken_at.date())

    @property
    def invented(self) -> bool:
        """Whether any of it is of the sample publisher."""
        return any(table.provenance.invented for table in self.tables)

    @property
    def licences(self) -> tuple[str, ...]:
        """All licences that apply to a table in it."""
        return tuple(sorted({licence for table in self.tables for licence in table.provenance.licences}))

    def foreign_keys(self, table: Described) -> Iterator[tuple[Field, Described]]:
        """The columns of ``table`` whose values are all keys of one table of the collection, each with that table."""
        by_name = {other.name: other for other in self.tables}
        for field in table.fields:
            if len(field.references) == 1 and not field.unknown:
                other = by_name.get(field.references[0])
                if other and len(other.key) == 1:
                    yield field, other


def contract_field(name: str, sql: str, table: Table, unknown: int) -> Field:
    """The field of a column of a declared table.

    Args:
        sql: its PostgreSQL type.
        unknown: rows with an unknown reference.
    """
    column = table.contract.columns()[name]
    details = spec(column)
    return Field(
        name=name,
        sql=sql,
        description=column.description or "",
        unit=details.unit,
        required=not column.nullable,
        minimum=getattr(column, "min", None),
        maximum=getattr(column, "max", None),
        pattern=getattr(column, "regex", None) if not details.sql.startswith("geometry") else None,
        references=details.references,
        unknown=unknown,
    )


def _metadata(field: Field) -> dict[str, str]:
    told = {"description": field.description, "unit": field.unit, "references": " or ".join(field.references)}
    return {name: text for name, text in told.items() if text}
