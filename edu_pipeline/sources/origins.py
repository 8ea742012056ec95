"""Which URL a file of the catalogue has at its publisher.

Belongs here: Opendatasoft, data.gouv.fr, ArcGIS, the newest year of a URL, a plain URL, and where a mirror has files
that no publisher offers. Does not belong here: making the requests (``interfaces.py``), downloading the file
(``publishers.py``).
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from edu_pipeline.catalogue import DataGouv, File, Opendatasoft
from edu_pipeline.errors import DownloadFailed, SourceMissing
from edu_pipeline.sources import arcgis
from edu_pipeline.sources.interfaces import Interfaces
from edu_pipeline.sources.texts import CATALOGUE, file_names, listed, without_secrets

log = logging.getLogger(__name__)

DATA_GOUV = "https://www.data.gouv.fr/api/1/datasets/{dataset}/"
OPENDATASOFT = "https://{portal}/api/explore/v2.1/catalog/datasets/{dataset}"
SUPPLIED = "https://supplied/{source}/"
"""Where a mirror, which answers under ``/<host>/<path>``, has the files that no publisher offers."""

YEARS = 5
"""How many years ``{year}`` in a URL stands for, from the current one backwards."""


@dataclass(frozen=True)
class Origin:
    """Where a file can be downloaded.

    Attributes:
        name: its name in the release; None: the name that the publisher gives it.
        publisher: what the publisher's interface says of it.
        decides: whether an unchanged ``publisher`` means that the data has not changed.
    """

    url: str
    name: str | None = None
    publisher: Mapping[str, Any] = field(default_factory=dict)
    decides: bool = False


def origin_of(file: File, interfaces: Interfaces, today: date) -> Origin | None:
    """Where a file can be downloaded; None if no publisher offers it, nor the mirror.

    Args:
        today: from whose year backwards ``{year}`` in a URL is tried.

    Raises:
        SourceMissing: the publisher has no such file.
        DownloadFailed, DownloadRefused, PublisherUnavailable: see ``download``.
        FileInvalid: an interface's answer is not JSON.
    """
    if file.supplied:
        return _supplied_at_mirror(file, interfaces)
    if file.opendatasoft:
        return _opendatasoft(file.opendatasoft, file, interfaces)
    if file.datagouv:
        return _datagouv(file.datagouv, file, interfaces)
    if file.arcgis:
        return _arcgis(file.arcgis, file, interfaces)
    assert file.url is not None
    return _newest_year(file.url, file, interfaces, today) if "{year}" in file.url else Origin(file.url)


def _supplied_at_mirror(file: File, interfaces: Interfaces) -> Origin | None:
    if interfaces.policy.mirror is None:
        return None
    base = SUPPLIED.format(source=file.source)
    try:
        names = interfaces.json(base, file_names(file), list)
    except DownloadFailed as error:
        if error.status != 404:
            raise
        names = []
    matching = [str(name) for name in names if re.fullmatch(file.name, str(name))]
    return Origin(base + max(matching), max(matching)) if matching else None


def _opendatasoft(dataset: Opendatasoft, file: File, interfaces: Interfaces) -> Origin:
    """The export of a dataset, and what its portal says of the data.

    A portal that says nothing of it still has the export.
    """
    base = OPENDATASOFT.format(portal=dataset.portal, dataset=dataset.dataset)
    url = f"{base}/exports/{file.format}?use_labels=false"
    if file.format == "csv":
        url += "&delimiter=%3B"
    try:
        answer = interfaces.json(base, file_names(file))
    except DownloadFailed as error:
        log.warning("%s: no metadata, downloading without: %s", file_names(file), error)
        answer = {}
    metas = (answer.get("metas") or {}).get("default") or {}
    description = {
        "data_processed": metas.get("data_processed"),
        "records_count": metas.get("records_count"),
        "fields": [entry.get("name") for entry in answer.get("fields") or []],
    }
    decides = description["data_processed"] is not None
    return Origin(url, f"{dataset.dataset}.{file.format}", description, decides)


def _datagouv(dataset: DataGouv, file: File, interfaces: Interfaces) -> Origin:
    """The newest resource of a dataset whose title and format match."""
    url = DATA_GOUV.format(dataset=dataset.dataset)
    resources = interfaces.json(url, file_names(file)).get("resources") or []
    matching = matching_resources(dataset, resources)
    if not matching:
        titles = [f"{resource.get('title')!r} ({resource.get('format')})" for resource in resources]
        raise SourceMissing(
            file_names(file),
            f"expected a resource of {url} with format {dataset.format} and a title that matches {dataset.title!r}, "
            f"found {listed(titles)}.",
            f"Correct the title's pattern in {CATALOGUE}.",
        )
    newest = max(matching, key=lambda resource: resource.get("last_modified") or "")
    description = {name: newest.get(name) for name in ("id", "title", "last_modified", "checksum", "filesize")}
    return Origin(newest.get("latest") or newest.get("url") or "", None, description)


def matching_resources(dataset: DataGouv, resources: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The resources of a dataset whose title and format match."""
    return [
        resource
        for resource in resources
        if re.search(dataset.title, resource.get("title") or "")
        and (resource.get("format") or "").lower() == dataset.format.lower()
    ]


def _arcgis(layer: str, file: File, interfaces: Interfaces) -> Origin:
    """All features of a layer, and when the service says that it was last edited."""
    url = f"{layer}?f=json"
    layer_json = interfaces.json(url, file_names(file))
    arcgis.check_answer(layer_json, url, file_names(file))
    description = arcgis.layer_state(layer_json)
    decides = description["lastEditDate"] is not None
    return Origin(arcgis.query_of(layer, layer_json), f"{file.source}.{file.format}", description, decides)


def _newest_year(template: str, file: File, interfaces: Interfaces, today: date) -> Origin:
    """The newest year for which ``template`` answers.

    A publisher that is out of order is no reason to take an older year: that failure is raised.
    """
    answers = []
    for year in range(today.year, today.year - YEARS, -1):
        url = template.replace("{year}", str(year))
        status = interfaces.head(url, file_names(file)).status
        if status == 200:
            return Origin(url)
        answers.append(f"{year} (HTTP status {status})")
    raise SourceMissing(
        file_names(file),
        f"expected a file at {without_secrets(template)} for one of the last {YEARS} years, "
        f"found none: {', '.join(answers)}.",
        f"Open the source's landing page, and change the URL in {CATALOGUE}.",
    )
