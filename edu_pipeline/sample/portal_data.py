"""The data of a portal's dataset: the types of its fields, its records, and its exports in each format.

Belongs here: reading the stored file, CSV or GeoJSON, and writing what a client gets. Does not belong here: the
metadata and the routes (`portal.py`), reading the parameters of a request (`portal_query.py`).
"""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import polars as pl

from edu_pipeline.catalogue import Source
from edu_pipeline.sample.shelf import Holding

Compression = Literal["snappy", "zstd"]
csv.field_size_limit(1 << 24)  # a commune's contour in one cell exceeds the default
BOM = b"\xef\xbb\xbf"
CHUNK_ROWS = 2_000
"""Rows written at a time where an export is not the stored file."""

FIRST_ROWS = 1_000
"""Rows from which a column's type is guessed, before all rows confirm it."""

Type = Literal["text", "int", "double", "date", "datetime", "geo_point_2d", "geo_shape"]
FORMS: dict[Type, str] = {
    "int": r"^-?(0|[1-9]\d{0,17})$",
    "double": r"^-?(0|[1-9]\d*)(\.\d+)?$",
    "date": r"^\d{4}-\d\d-\d\d$",
    "datetime": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$",
    "geo_point_2d": r"^-?\d+(\.\d+)?, ?-?\d+(\.\d+)?$",
    "geo_shape": r'^\{"(type|coordinates)":',
}
"""What the values of a type look like, the narrowest type first."""

GEOJSON, GEO_SHAPE = ".geojson", "geo_shape"
"""Ending of a file with features, and the field that their geometries are."""

CODES = re.compile(
    r"(^|_)(code|uai|siren|siret|rne|insee|postal|telephone|fax|identifiant|numero|annee|session|rentree)(_|$)"
)
"""Names of columns that are text although they contain only digits."""


@dataclass(frozen=True)
class Dataset:
    """A dataset: its entry in the catalogue, the publisher's current files, the labels of its columns."""

    name: str
    source: Source
    holding: Holding
    path: Path
    labels: Mapping[str, str]

    @property
    def has_features(self) -> bool:
        """Whether it is stored as GeoJSON, and not as CSV."""
        return self.path.suffix == GEOJSON

    def label(self, field: str) -> str:
        """The French label of a machine name; if it is not known, the name with spaces."""
        return self.labels.get(field) or field.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Content:
    """The content of a dataset: number of records, type of each field."""

    records: int
    types: Mapping[str, Type]


@dataclass(frozen=True)
class Export:
    """The parameters of an export; without a limit it has all records."""

    fields: list[str]
    limit: int | None
    use_labels: bool
    with_bom: bool
    delimiter: str
    quote_all: bool
    compression: Compression


def _scanned(path: Path) -> pl.LazyFrame:
    return pl.scan_csv(path, separator=";", infer_schema=False)


def examined(path: Path) -> Content:
    """Count a dataset's records and find its fields' types: the narrowest type that fits every value.

    A stored CSV file does not say the types, so they are guessed; codes are always text.
    """
    if path.suffix == GEOJSON:
        features = _features(path)
        properties = features[0]["properties"] if features else {}
        kinds = {name: _kind([feature["properties"][name] for feature in features]) for name in properties}
        return Content(len(features), {GEO_SHAPE: "geo_shape", **kinds})
    data = _scanned(path)
    first = data.head(FIRST_ROWS).collect()
    candidates = [
        (name, kind)
        for name in first.columns
        if not CODES.search(name)
        for kind, form in FORMS.items()
        if first[name].str.contains(form).all()
    ]
    tests = [pl.col(name).str.contains(FORMS[kind]).all().alias(f"{name}\n{kind}") for name, kind in candidates]
    filled = [pl.col(name).count().alias(f"{name}\nfilled") for name in {name for name, _ in candidates}]
    (answers,) = data.select(pl.len().alias("records"), *tests, *filled).collect(engine="streaming").to_dicts()
    types: dict[str, Type] = dict.fromkeys(first.columns, "text")
    for name, kind in reversed(candidates):
        if answers[f"{name}\n{kind}"] and answers[f"{name}\nfilled"]:
            types[name] = kind
    return Content(answers["records"], types)


def _features(path: Path) -> list[dict[str, Any]]:
    features: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["features"]
    return features


def _kind(values: list[Any]) -> Type:
    """The type of a field by the values that JSON has; several texts are a text for the portal."""
    kinds: set[type] = {type(value) for value in values if value is not None}
    types: dict[type, Type] = {dict: "geo_point_2d", int: "int", float: "double"}
    return types.get(kinds.pop(), "text") if len(kinds) == 1 else "text"


def _rows(path: Path, fields: list[str]) -> Iterator[list[str]]:
    """The values of the fields, record by record, as text."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=";")
        header = next(reader)
        positions = [header.index(name) for name in fields]
        for row in reader:
            yield [row[position] for position in positions]


def csv_pieces(dataset: Dataset, export: Export) -> Iterator[bytes]:
    """The export as CSV, in pieces."""
    text = io.StringIO()
    quoting: Literal[0, 1] = csv.QUOTE_ALL if export.quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=export.delimiter, quoting=quoting, lineterminator="\r\n")
    writer.writerow([dataset.label(name) if export.use_labels else name for name in export.fields])
    yield (BOM if export.with_bom else b"") + _drained(text)
    rows = islice(_rows(dataset.path, export.fields), export.limit)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        writer.writerows(chunk)
        yield _drained(text)


def json_pieces(dataset: Dataset, export: Export, content: Content, one_per_line: bool) -> Iterator[bytes]:
    """The export as a JSON list of objects, or as one object per line, in pieces."""
    objects: Iterator[dict[str, Any]] = islice(records(dataset.path, export.fields, content), export.limit)
    if export.use_labels:
        objects = ({dataset.label(name): value for name, value in entry.items()} for entry in objects)
    before = "" if one_per_line else "["
    while chunk := list(islice(objects, CHUNK_ROWS)):
        texts = [json.dumps(entry, ensure_ascii=False) for entry in chunk]
        yield ("".join(text + "\n" for text in texts) if one_per_line else before + ",\n".join(texts)).encode()
        before = ",\n"
    if not one_per_line:
        yield b"[]" if before == "[" else b"]"


def records(path: Path, fields: list[str], content: Content) -> Iterator[dict[str, Any]]:
    """The records as JSON shows them: numbers as numbers, empty values as null, a point as an object."""
    if path.suffix == GEOJSON:
        for feature in _features(path):
            values = {GEO_SHAPE: feature["geometry"], **feature["properties"]}
            yield {name: values[name] for name in fields}
        return
    readers = [READERS.get(content.types[name], str) for name in fields]
    for row in _rows(path, fields):
        yield {name: read(value) if value else None for name, read, value in zip(fields, readers, row, strict=True)}


def geojson(dataset: Dataset, export: Export) -> bytes:
    """The export of a dataset with features: a geometry each, and the other fields as properties."""
    labels = {name: dataset.label(name) if export.use_labels else name for name in export.fields if name != GEO_SHAPE}
    features = [
        feature | {"properties": {label: feature["properties"][name] for name, label in labels.items()}}
        for feature in islice(_features(dataset.path), export.limit)
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False).encode()


def _point(value: str) -> dict[str, float]:
    latitude, longitude = value.split(",")
    return {"lon": float(longitude), "lat": float(latitude)}


READERS: dict[Type, Callable[[str], Any]] = {
    "int": int,
    "double": float,
    "geo_point_2d": _point,
    "geo_shape": json.loads,
}


def parquet(dataset: Dataset, export: Export, content: Content) -> io.BufferedReader:
    """The export as an open Parquet file, whose name is already deleted."""
    data = _scanned(dataset.path).select(_typed(name, content.types[name]) for name in export.fields)
    if export.limit is not None:
        data = data.head(export.limit)
    if export.use_labels:
        data = data.rename({name: dataset.label(name) for name in export.fields})
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        data.sink_parquet(file.name, compression=export.compression)
        return Path(file.name).open("rb")


def _typed(name: str, kind: Type) -> pl.Expr:
    column = pl.col(name)
    if kind == "int":
        return column.cast(pl.Int64)
    if kind == "double":
        return column.cast(pl.Float64)
    if kind == "date":
        return column.str.to_date("%Y-%m-%d")
    if kind == "datetime":
        return column.str.to_datetime("%Y-%m-%dT%H:%M:%S%:z", time_zone="UTC")
    return column


def _drained(text: io.StringIO) -> bytes:
    """What has been written to ``text`` since the last call; empties it."""
    written = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return written
