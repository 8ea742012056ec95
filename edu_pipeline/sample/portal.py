"""An Opendatasoft portal over the datasets of a sample directory: Explore API v2.1, as far as one reads data with it.

Belongs here: a dataset's metadata, the catalogue, `exports/csv|parquet|json|jsonl`, `records`, the quota, each with the
portal's error bodies. Does not belong here: other publishers (`hosts.py`). A parameter that the portals know and this
does not (`where` on data, `group_by`, `refine`, ...) is refused with 400, never passed over.

The body of the 404 for an unknown dataset is UNVERIFIED; those of 400 and 429 are as real portals wrote them.
"""

from __future__ import annotations

import csv
import io
import json
import re
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import polars as pl

from edu_pipeline.catalogue import Source
from edu_pipeline.sample.answers import TYPES, Answer, Asked, as_file, as_json
from edu_pipeline.sample.shelf import Holding

BASE = "/api/explore/v2.1/catalog/datasets"
DELIMITERS = {";", ",", "\t", "|"}
Compression = Literal["snappy", "zstd"]
COMPRESSIONS: dict[str, Compression] = {"snappy": "snappy", "zstd": "zstd"}
FORMATS = ("csv", "json", "jsonl", "parquet")
PASSED_OVER = {"lang", "timezone", "epsg", "list_separator"}
"""Parameters that make no difference here."""

MOST_RECORDS, FARTHEST_RECORD = 100, 10_000
csv.field_size_limit(1 << 24)  # a commune's outline in one cell is beyond the default
BOM = b"\xef\xbb\xbf"
CHUNK_ROWS = 2_000
"""Rows written at a time where an export is not the stored file."""

FIRST_ROWS = 1_000
"""Rows that a column's type is guessed from, before all rows confirm it."""

Type = Literal["text", "int", "double", "date", "datetime", "geo_point_2d", "geo_shape"]
FORMS: dict[Type, str] = {
    "int": r"^-?(0|[1-9]\d{0,17})$",
    "double": r"^-?(0|[1-9]\d*)(\.\d+)?$",
    "date": r"^\d{4}-\d\d-\d\d$",
    "datetime": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$",
    "geo_point_2d": r"^-?\d+(\.\d+)?, ?-?\d+(\.\d+)?$",
    "geo_shape": r'^\{"(type|coordinates)":',
}
"""How the values of a type look, the narrowest type first."""

CODES = re.compile(
    r"(^|_)(code|uai|siren|siret|rne|insee|postal|telephone|fax|identifiant|numero|annee|session|rentree)(_|$)"
)
"""Names of columns that are text although digits are all there is in them."""


@dataclass(frozen=True)
class Quota:
    """Calls per UTC day that a portal allows."""

    limit: int
    used: int
    resets_at: datetime

    @property
    def headers(self) -> dict[str, str]:
        """What every answer says of it."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "X-RateLimit-Reset": str(int(self.resets_at.timestamp())),
        }


@dataclass(frozen=True)
class Dataset:
    """A dataset: its entry in the catalogue, what the publisher has of it, the labels of its columns."""

    name: str
    source: Source
    holding: Holding
    path: Path
    labels: Mapping[str, str]

    def label(self, field: str) -> str:
        """The French label of a machine name; where it is not known, the name with blanks."""
        return self.labels.get(field) or field.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Content:
    """What is in a dataset: number of records, and each field's type."""

    records: int
    types: Mapping[str, Type]


@dataclass(frozen=True)
class Export:
    """The parameters of an export, read."""

    fields: list[str]
    limit: int | None
    use_labels: bool
    with_bom: bool
    delimiter: str
    quote_all: bool


class _Malformed(Exception):
    """A request that the portal answers with 400."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Portal:
    """A portal with the datasets that ``find`` gives by name.

    Args:
        names: all datasets of this portal in the catalogue.
        quota: calls per day; None: no limit.
    """

    def __init__(self, names: Iterable[str], find: Callable[[str], Dataset | None], quota: int | None = None) -> None:
        self._names, self._find, self._limit = list(names), find, quota
        self._counting, self._examining = threading.Lock(), threading.Lock()
        self._called: tuple[datetime, int] = (_today(), 0)
        self._contents: dict[Path, tuple[tuple[int, int], Content]] = {}

    def answer(self, asked: Asked) -> Answer:
        """Answer a request, or say that the quota of the day is used up."""
        quota = self._count()
        if quota and quota.used > quota.limit:
            return exceeded(quota)
        try:
            answer = self._answer(asked)
        except _Malformed as error:
            answer = as_json({"error_code": error.code, "message": str(error)}, 400)
        return Answer(answer.status, {**answer.headers, **(quota.headers if quota else {})}, answer.body)

    def _count(self) -> Quota | None:
        if self._limit is None:
            return None
        with self._counting:
            today, calls = self._called
            self._called = (today, calls + 1) if today == _today() else (_today(), 1)
            return Quota(self._limit, self._called[1], self._called[0] + timedelta(days=1))

    def _answer(self, asked: Asked) -> Answer:
        if asked.path.rstrip("/") == BASE:
            return self._catalogue(asked.query)
        match = re.fullmatch(rf"{BASE}/([^/]+)(?:/(records|exports)(?:/([a-z]+))?)?/?", asked.path)
        if not match:
            return as_json({"error_code": "NotFoundError", "message": f"Unknown path {asked.path}."}, 404)
        name, part, kind = match.groups()
        dataset = self._find(name)
        if dataset is None:
            return as_json({"error_code": "DatasetNotFoundError", "message": f"Dataset {name} not found."}, 404)
        if part == "records" and kind is None:
            return self._records(dataset, asked.query)
        if part == "exports":
            if kind is None:
                links = [
                    {"rel": entry, "href": f"https://{asked.host}{BASE}/{name}/exports/{entry}"} for entry in FORMATS
                ]
                return as_json({"links": links}, compressed=True)
            return self._export(dataset, kind, asked)
        return as_json(self._metadata(dataset), compressed=True)

    def _catalogue(self, query: Mapping[str, str]) -> Answer:
        _only(query, {"where", "select", "limit", "offset", "order_by"})
        datasets = [dataset for name in self._names if (dataset := self._find(name))]
        if where := query.get("where"):
            wanted = _wanted(where)
            datasets = [dataset for dataset in datasets if dataset.name in wanted]
        if order := query.get("order_by"):
            match = re.fullmatch(
                r"(dataset_id|modified|data_processed)(?:\s+(asc|desc))?", order.strip(), re.IGNORECASE
            )
            if not match:
                raise _malformed(f"Unknown field: {order.split()[0] if order.split() else order}", "order_by")
            by_name = match[1].lower() == "dataset_id"
            datasets.sort(
                key=lambda dataset: dataset.name if by_name else dataset.holding.published_at.isoformat(),
                reverse=(match[2] or "").lower() == "desc",
            )
        offset, limit = _window(query)
        found = [self._metadata(dataset) for dataset in datasets[offset : offset + limit]]
        if select := query.get("select"):
            parts = [part.strip() for part in select.split(",")]
            known = self._metadata(datasets[0]).keys() if datasets else parts
            if unknown := [part for part in parts if part not in known]:
                raise _malformed(f"Unknown field: {unknown[0]}", "select")
            found = [{part: entry[part] for part in parts} for entry in found]
        return as_json({"total_count": len(datasets), "results": found}, compressed=True)

    def _metadata(self, dataset: Dataset) -> dict[str, Any]:
        content, moment = self._content(dataset), dataset.holding.published_at
        # `modified` moves with edits of the metadata and not with the data: whoever compares it sees nothing new.
        metas = {
            "title": dataset.source.title,
            "description": f"<p>{dataset.source.title} : données inventées.</p>",
            "publisher": dataset.source.publisher,
            "license": dataset.source.licence,
            "language": "fr",
            "modified": moment.replace(day=1, hour=0, minute=0, second=0).isoformat(),
            "data_processed": moment.isoformat(),
            "metadata_processed": (moment + timedelta(seconds=2)).isoformat(),
            "records_count": content.records,
        }
        return {
            "dataset_id": dataset.name,
            "visibility": "domain",
            "has_records": True,
            "data_visible": True,
            "features": ["analyze"],
            "attachments": [],
            "metas": {"default": metas},
            "fields": [
                {"name": name, "label": dataset.label(name), "type": kind, "description": None, "annotations": {}}
                for name, kind in content.types.items()
            ],
        }

    def _records(self, dataset: Dataset, query: Mapping[str, str]) -> Answer:
        _only(query, {"limit", "offset", "select"} | PASSED_OVER)
        content = self._content(dataset)
        offset, limit = _window(query)
        fields = _fields(query.get("select"), content)
        results = list(islice(_objects(dataset.path, fields, content), offset, offset + limit))
        return as_json({"total_count": content.records, "results": results}, compressed=True)

    def _export(self, dataset: Dataset, kind: str, asked: Asked) -> Answer:
        query = asked.query
        if kind not in FORMATS:
            raise _invalid("format", kind, f"one of {', '.join(FORMATS)} (in this sample)")
        own = {"csv": {"delimiter", "with_bom", "quote_all"}, "parquet": {"parquet_compression"}}.get(kind, set())
        _only(query, {"limit", "select", "use_labels"} | own | PASSED_OVER)
        content = self._content(dataset)
        export = Export(
            fields=_fields(query.get("select"), content),
            limit=_limit(query),
            use_labels=_flag(query, "use_labels", False),
            with_bom=_flag(query, "with_bom", True),
            delimiter=query.get("delimiter", ";"),
            quote_all=_flag(query, "quote_all", False),
        )
        if export.delimiter not in DELIMITERS:
            raise _invalid("delimiter", export.delimiter, "one of ; , | and a tabulator")
        headers = {
            "Content-Type": TYPES.get(f".{kind}", "application/x-ndjson"),
            "Content-Disposition": f'attachment; filename="{dataset.name}.{kind}"',
        }
        if kind == "parquet":
            compression = query.get("parquet_compression", "snappy")
            if compression not in COMPRESSIONS:
                raise _invalid("parquet_compression", compression, "snappy or zstd")
            return Answer(200, headers, _parquet(dataset, export, content, COMPRESSIONS[compression]))
        if kind == "csv":
            as_stored = Export(list(content.types), None, False, True, ";", False)
            if export == as_stored:
                # The portals' exports have neither a date nor a tag, so that no condition is answered either.
                body = as_file(dataset.path, dataset.holding.published_at, Asked(asked.host, asked.path)).body
                return Answer(200, headers, body)
            return Answer(200, headers, _csv(dataset, export))
        return Answer(200, headers, _json(dataset, export, content, lines=kind == "jsonl"))

    def _content(self, dataset: Dataset) -> Content:
        """What is in the dataset's file, counted once per state of the file."""
        status = dataset.path.stat()
        version = (status.st_mtime_ns, status.st_size)
        with self._examining:
            known = self._contents.get(dataset.path)
            if known is None or known[0] != version:
                known = version, _examined(dataset.path)
                self._contents[dataset.path] = known
        return known[1]


def exceeded(quota: Quota) -> Answer:
    """429 as the portals say it."""
    body = {
        "errorcode": 10002,
        "reset_time": quota.resets_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "limit_time_unit": "day",
        "call_limit": quota.limit,
        "error": "Too many requests on the domain. Please contact the domain administrator.",
    }
    return as_json(body, 429, quota.headers)


def used_up(limit: int) -> Quota:
    """A quota with nothing left of it today."""
    return Quota(limit, limit, _today() + timedelta(days=1))


def _today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def _malformed(problem: str, clause: str) -> _Malformed:
    return _Malformed(
        "ODSQLError", f"ODSQL query is malformed: {problem}. Clause(s) containing the error(s): {clause}."
    )


def _invalid(parameter: str, found: str, expected: str) -> _Malformed:
    return _Malformed(
        "InvalidRESTParameterError",
        f"Invalid value for {parameter} API parameter: {found} was found but {expected} is expected.",
    )


def _only(query: Mapping[str, str], known: set[str]) -> None:
    """Refuse what would make a difference on a portal and makes none here."""
    if unknown := sorted(set(query) - known):
        raise _Malformed("InvalidRESTParameterError", f"Parameter {unknown[0]} is not known to this sample portal.")


def _wanted(where: str) -> set[str]:
    """The datasets of ``dataset_id in ("a", "b")`` or ``dataset_id = "a"``."""
    match = re.fullmatch(r"""\s*dataset_id\s*(?:in\s*\((.*)\)|=\s*("[^"]*"|'[^']*'))\s*""", where, re.IGNORECASE)
    if not match:
        raise _malformed(f"Syntax error in {where!r}", "where")
    quoted = re.findall(r"""["']([^"']*)["']""", match[1] or match[2])
    return set(quoted)


def _window(query: Mapping[str, str]) -> tuple[int, int]:
    """Offset and limit of a page."""
    limit, offset = _number(query, "limit", 10), _number(query, "offset", 0)
    if not -1 <= limit <= MOST_RECORDS:
        raise _invalid("limit", str(limit), f"-1 <= limit <= {MOST_RECORDS}")
    limit = MOST_RECORDS if limit == -1 else limit
    if offset < 0 or offset + limit > FARTHEST_RECORD:
        raise _invalid("offset + limit", str(offset + limit), f"0 <= offset + limit <= {FARTHEST_RECORD}")
    return offset, limit


def _limit(query: Mapping[str, str]) -> int | None:
    """How many records an export has at most; None: all."""
    limit = _number(query, "limit", -1)
    if limit < -1:
        raise _invalid("limit", str(limit), "-1 <= limit")
    return None if limit == -1 else limit


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    try:
        return int(query.get(name) or default)
    except ValueError:
        raise _invalid(name, query[name], "an integer") from None


def _flag(query: Mapping[str, str], name: str, default: bool) -> bool:
    value = query.get(name, "").lower() or str(default).lower()
    if value not in ("true", "false"):
        raise _invalid(name, value, "true or false")
    return value == "true"


def _fields(select: str | None, content: Content) -> list[str]:
    """The fields to give out: those selected by name, else all."""
    if not select or select.strip() == "*":
        return list(content.types)
    names = [name.strip() for name in select.split(",")]
    if unknown := [name for name in names if name not in content.types]:
        raise _malformed(f"Unknown field: {unknown[0]}", "select")
    return names


def _scanned(path: Path) -> pl.LazyFrame:
    return pl.scan_csv(path, separator=";", infer_schema=False)


def _examined(path: Path) -> Content:
    """Count a dataset's records and guess its fields' types: the narrowest that fits every value.

    Types are guessed, since the stored export does not say them; names of codes are text whatever is in them.
    """
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
    (found,) = data.select(pl.len().alias("records"), *tests, *filled).collect(engine="streaming").to_dicts()
    types: dict[str, Type] = dict.fromkeys(first.columns, "text")
    for name, kind in reversed(candidates):
        if found[f"{name}\n{kind}"] and found[f"{name}\nfilled"]:
            types[name] = kind
    return Content(found["records"], types)


def _rows(path: Path, fields: list[str]) -> Iterator[list[str]]:
    """The values of the fields, record by record, as text."""
    with path.open(encoding="utf-8-sig", newline="") as stream:
        reader = csv.reader(stream, delimiter=";")
        header = next(reader)
        places = [header.index(name) for name in fields]
        for row in reader:
            yield [row[place] for place in places]


def _csv(dataset: Dataset, export: Export) -> Iterator[bytes]:
    text = io.StringIO()
    quoting: Literal[0, 1] = csv.QUOTE_ALL if export.quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=export.delimiter, quoting=quoting, lineterminator="\r\n")
    writer.writerow([dataset.label(name) if export.use_labels else name for name in export.fields])
    yield (BOM if export.with_bom else b"") + _taken(text)
    rows = islice(_rows(dataset.path, export.fields), export.limit)
    while chunk := list(islice(rows, CHUNK_ROWS)):
        writer.writerows(chunk)
        yield _taken(text)


def _json(dataset: Dataset, export: Export, content: Content, lines: bool) -> Iterator[bytes]:
    """A list of objects, or one object a line."""
    objects: Iterator[dict[str, Any]] = islice(_objects(dataset.path, export.fields, content), export.limit)
    if export.use_labels:
        objects = ({dataset.label(name): value for name, value in entry.items()} for entry in objects)
    before = "" if lines else "["
    while chunk := list(islice(objects, CHUNK_ROWS)):
        texts = [json.dumps(entry, ensure_ascii=False) for entry in chunk]
        yield ("".join(text + "\n" for text in texts) if lines else before + ",\n".join(texts)).encode()
        before = ",\n"
    if not lines:
        yield b"[]" if before == "[" else b"]"


def _objects(path: Path, fields: list[str], content: Content) -> Iterator[dict[str, Any]]:
    """The records as JSON has them: numbers as numbers, nothing as null, a point as an object."""
    readers = [READERS.get(content.types[name], str) for name in fields]
    for row in _rows(path, fields):
        yield {name: read(value) if value else None for name, read, value in zip(fields, readers, row, strict=True)}


def _point(value: str) -> dict[str, float]:
    latitude, longitude = value.split(",")
    return {"lon": float(longitude), "lat": float(latitude)}


READERS: dict[Type, Callable[[str], Any]] = {
    "int": int,
    "double": float,
    "geo_point_2d": _point,
    "geo_shape": json.loads,
}


def _parquet(dataset: Dataset, export: Export, content: Content, compression: Compression) -> io.BufferedReader:
    """The export as a Parquet file, which has no name any more when it is given out."""
    data = _scanned(dataset.path).select(_typed(name, content.types[name]) for name in export.fields)
    if export.limit is not None:
        data = data.head(export.limit)
    if export.use_labels:
        data = data.rename({name: dataset.label(name) for name in export.fields})
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        data.sink_parquet(file.name, compression=compression)
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


def _taken(text: io.StringIO) -> bytes:
    """What was written to ``text`` since the last time."""
    written = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return written
