"""An Opendatasoft portal over the datasets of a sample directory: the part of Explore API v2.1 that reads data.

Belongs here: the routes, a dataset's metadata, the catalogue, the quota. Does not belong here: the parameters of a
request (`portal_query.py`), records and exports (`portal_data.py`), other publishers (`hosts.py`).

The body of the 404 for an unknown dataset is UNVERIFIED; those of 400 and 429 are as real portals wrote them.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from edu_pipeline.sample import portal_data, portal_query
from edu_pipeline.sample.answers import TYPES, Answer, Request, as_file, as_json
from edu_pipeline.sample.portal_data import Content, Dataset
from edu_pipeline.sample.portal_query import Query, formats_of

LICENCES = {"Licence Ouverte 2.0": "Licence Ouverte v2.0 (Etalab)", "ODbL 1.0": "Open Database License (ODbL)"}
"""Licences in the words of the portals."""

BASE = "/api/explore/v2.1/catalog/datasets"


@dataclass(frozen=True)
class Quota:
    """Calls per UTC day that a portal allows."""

    limit: int
    used: int
    resets_at: datetime

    @property
    def headers(self) -> dict[str, str]:
        """What every answer says about the quota."""
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "X-RateLimit-Reset": str(int(self.resets_at.timestamp())),
        }


class Portal:
    """A portal with some datasets.

    Args:
        names: all datasets of this portal in the catalogue.
        find: returns the dataset of a name, None if the sample has none.
        quota: calls per day; None: no limit.
    """

    def __init__(self, names: Iterable[str], find: Callable[[str], Dataset | None], quota: int | None = None) -> None:
        self._names, self._find, self._limit = list(names), find, quota
        self._counting, self._examining = threading.Lock(), threading.Lock()
        self._called: tuple[datetime, int] = (_today(), 0)
        self._contents: dict[Path, tuple[tuple[int, int], Content]] = {}

    def answer(self, request: Request) -> Answer:
        """Answer a request, or say that the day's quota is used up."""
        quota = self._count()
        if quota and quota.used > quota.limit:
            return exceeded(quota)
        try:
            answer = self._answer(request)
        except portal_query.BadRequest as error:
            answer = as_json({"error_code": error.code, "message": str(error)}, 400)
        return Answer(answer.status, {**answer.headers, **(quota.headers if quota else {})}, answer.body)

    def _count(self) -> Quota | None:
        if self._limit is None:
            return None
        with self._counting:
            today, calls = self._called
            self._called = (today, calls + 1) if today == _today() else (_today(), 1)
            return Quota(self._limit, self._called[1], self._called[0] + timedelta(days=1))

    def _answer(self, request: Request) -> Answer:
        if request.path.rstrip("/") == BASE:
            return self._catalogue(request.query)
        match = re.fullmatch(rf"{BASE}/([^/]+)(?:/(records|exports)(?:/([a-z]+))?)?/?", request.path)
        if not match:
            return as_json({"error_code": "NotFoundError", "message": f"Unknown path {request.path}."}, 404)
        name, part, kind = match.groups()
        dataset = self._find(name)
        if dataset is None:
            return as_json({"error_code": "DatasetNotFoundError", "message": f"Dataset {name} not found."}, 404)
        if part == "records" and kind is None:
            return self._records(dataset, request.query)
        if part == "exports" and kind is None:
            exports = f"https://{request.host}{BASE}/{name}/exports"
            links = [{"rel": entry, "href": f"{exports}/{entry}"} for entry in formats_of(dataset)]
            return as_json({"links": links}, gzipped=True)
        if part == "exports":
            return self._export(dataset, kind, request)
        return as_json(self._metadata(dataset), gzipped=True)

    def _catalogue(self, query: Query) -> Answer:
        portal_query.check_known(query, {"where", "select", "limit", "offset", "order_by"})
        datasets = [dataset for name in self._names if (dataset := self._find(name))]
        if where := query.get("where"):
            datasets = portal_query.matching(datasets, where)
        if order := query.get("order_by"):
            datasets = portal_query.ordered(datasets, order)
        offset, limit = portal_query.page(query)
        entries = [self._metadata(dataset) for dataset in datasets[offset : offset + limit]]
        if datasets:
            parts = portal_query.selected(query, list(self._metadata(datasets[0])))
            entries = [{part: entry[part] for part in parts} for entry in entries]
        return as_json({"total_count": len(datasets), "results": entries}, gzipped=True)

    def _metadata(self, dataset: Dataset) -> dict[str, Any]:
        content, moment = self._content(dataset), dataset.holding.published_at
        licence = dataset.source.licence
        # `modified` follows edits of the metadata, not the data: a client that compares it misses new releases.
        metas = {
            "title": dataset.source.title,
            "description": f"<p>{dataset.source.title} : données inventées.</p>",
            "publisher": dataset.source.publisher,
            "license": dataset.holding.misbehaviour.licence or LICENCES.get(licence, licence),
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

    def _records(self, dataset: Dataset, query: Query) -> Answer:
        portal_query.check_known(query, {"limit", "offset", "select"} | portal_query.WITHOUT_EFFECT)
        content = self._content(dataset)
        offset, limit = portal_query.page(query)
        fields = portal_query.selected(query, list(content.types))
        results = list(islice(portal_data.records(dataset.path, fields, content), offset, offset + limit))
        return as_json({"total_count": content.records, "results": results}, gzipped=True)

    def _export(self, dataset: Dataset, kind: str, request: Request) -> Answer:
        content = self._content(dataset)
        export = portal_query.export_of(kind, request.query, content, formats_of(dataset))
        headers = {
            "Content-Type": TYPES.get(f".{kind}", "application/x-ndjson"),
            "Content-Disposition": f'attachment; filename="{dataset.name}.{kind}"',
        }
        if kind == "parquet":
            return Answer(200, headers, portal_data.parquet(dataset, export, content))
        if kind in ("json", "jsonl"):
            return Answer(200, headers, portal_data.json_pieces(dataset, export, content, one_per_line=kind == "jsonl"))
        if export == portal_query.export_of("csv", {}, content):
            # The default export is the stored file. Exports have neither a date nor a tag, so that a condition in the
            # request has no effect.
            stored = as_file(dataset.path, dataset.holding.published_at, Request(request.host, request.path))
            return Answer(200, headers, stored.body)
        if kind == "geojson":
            return Answer(200, headers, portal_data.geojson(dataset, export))
        return Answer(200, headers, portal_data.csv_pieces(dataset, export))

    def _content(self, dataset: Dataset) -> Content:
        """What is in the dataset's file, counted once per version of the file."""
        status = dataset.path.stat()
        version = (status.st_mtime_ns, status.st_size)
        with self._examining:
            known = self._contents.get(dataset.path)
            if known is None or known[0] != version:
                known = version, portal_data.examined(dataset.path)
                self._contents[dataset.path] = known
        return known[1]


def exceeded(quota: Quota) -> Answer:
    """The answer 429 in the words of the portals."""
    body = {
        "errorcode": 10002,
        "reset_time": quota.resets_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "limit_time_unit": "day",
        "call_limit": quota.limit,
        "error": "Too many requests on the domain. Please contact the domain administrator.",
    }
    return as_json(body, 429, quota.headers)


def used_up(limit: int) -> Quota:
    """A quota of which nothing is left today."""
    return Quota(limit, limit, _today() + timedelta(days=1))


def _today() -> datetime:
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
