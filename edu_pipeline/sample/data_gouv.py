"""data.gouv.fr: datasets with their resources, and the server of the resources' files.

Belongs here: the answers of www.data.gouv.fr and static.data.gouv.fr. Does not belong here: other publishers
(`hosts.py`).
"""

from __future__ import annotations

import hashlib
import re
import threading
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edu_pipeline.catalogue import File, catalogue
from edu_pipeline.sample.answers import Answer, Request, as_file, as_json, not_found
from edu_pipeline.sample.shelf import Shelf

API, STATIC = "www.data.gouv.fr", "static.data.gouv.fr"
TITLES = {
    "ssmsi-communale": "COM - Base statistique communale de la délinquance enregistrée par la police et la gendarmerie "
    "nationales",
    "dvf-indicateurs-communes": "Communes DVF {year}",
}
"""Titles of resources; ``{year}`` is the last year in the file's name."""


LICENCES = {"Licence Ouverte 2.0": "lov2", "ODbL 1.0": "odc-odbl"}
"""The ids of licences."""


@dataclass(frozen=True)
class Resource:
    """A file on data.gouv.fr."""

    dataset: str
    slug: str
    file: File
    path: Path
    last_modified: datetime
    licence: str | None = None

    @property
    def id(self) -> str:
        """The id: the same for all releases of a file of this name."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.dataset}/{self.path.name}"))

    @property
    def title(self) -> str:
        """The title in the publisher's words, which the catalogue's pattern matches."""
        years = re.findall(r"20\d\d", self.path.name)
        return TITLES.get(self.file.source, self.path.name).format(year=years[-1] if years else "")

    @property
    def static_path(self) -> str:
        """Path on the static server, which changes with each release."""
        return f"/resources/{self.slug}/{self.last_modified:%Y%m%d-%H%M%S}/{self.path.name}"


class DataGouv:
    """The resources of some files of the catalogue.

    Args:
        files: those that the catalogue looks up on data.gouv.fr.
    """

    def __init__(self, shelf: Shelf, files: Sequence[File]) -> None:
        self._shelf, self._files = shelf, files
        self._lock = threading.Lock()
        self._checksums: dict[Path, tuple[tuple[int, int], str]] = {}

    def api(self, request: Request) -> Answer:
        """The answer of www.data.gouv.fr."""
        path = request.path.rstrip("/")
        if match := re.fullmatch(r"/api/1/datasets/([^/]+)", path):
            resources = list(self._resources(match[1]))
            if resources:
                return as_json(self._described(resources))
        elif match := re.fullmatch(r"/api/2/datasets/resources/([^/]+)", path):
            for resource in self._resources():
                if resource.id == match[1]:
                    return as_json({"dataset_id": resource.dataset, "resource": self._resource(resource)})
        elif match := re.fullmatch(r"(?:/api/1|/fr)?/datasets/r/([^/]+)", path):
            for resource in self._resources():
                if resource.id == match[1]:
                    return Answer(302, {"Location": _static_url(resource)})
        return as_json({"message": "Not found"}, 404)

    def static(self, request: Request) -> Answer:
        """A file from static.data.gouv.fr."""
        for resource in self._resources():
            if resource.static_path == request.path:
                return as_file(resource.path, resource.last_modified, request)
        return not_found(f"No file of the sample is at https://{request.host}{request.path}.")

    def source_of(self, request: Request) -> str | None:
        """The source whose dataset or file a request is for."""
        last = request.path.rstrip("/").rpartition("/")[2]
        for resource in self._resources():
            if last in (resource.id, resource.dataset, resource.slug) or resource.static_path == request.path:
                return resource.file.source
        return None

    def _resources(self, dataset: str | None = None) -> Iterator[Resource]:
        """The resources of all datasets, or of the one with this id or slug.

        If several files match, such as those of several years, the last by name is the newest.
        """
        for file in self._files:
            assert file.datagouv is not None
            slug = catalogue()[file.source].landing_page.rstrip("/").rpartition("/")[2]
            holding = self._shelf.holding(file.source)
            if holding is None or dataset not in (None, file.datagouv.dataset, slug):
                continue
            fitting = [path for name, path in holding.files.items() if re.fullmatch(file.name, name)]
            for age, path in enumerate(sorted(fitting, reverse=True)):
                moment = holding.published_at - timedelta(days=age)
                yield Resource(file.datagouv.dataset, slug, file, path, moment, holding.misbehaviour.licence)

    def _described(self, resources: list[Resource]) -> dict[str, Any]:
        first = resources[0]
        source = catalogue()[first.file.source]
        return {
            "id": first.dataset,
            "slug": first.slug,
            "title": source.title,
            "description": f"{source.title} : données inventées.",
            "page": source.landing_page,
            "license": first.licence or LICENCES.get(source.licence, source.licence),
            "organization": {"name": source.publisher},
            "last_modified": max(resource.last_modified for resource in resources).isoformat(),
            "resources": [self._resource(resource) for resource in resources],
        }

    def _resource(self, resource: Resource) -> dict[str, Any]:
        assert resource.file.datagouv is not None
        moment = resource.last_modified.isoformat()
        return {
            "id": resource.id,
            "title": resource.title,
            "type": "main",
            "filetype": "file",
            "format": resource.file.datagouv.format,
            "url": _static_url(resource),
            "latest": f"https://{API}/api/1/datasets/r/{resource.id}",
            "filesize": resource.path.stat().st_size,
            "checksum": {"type": "sha1", "value": self._sha1(resource.path)},
            "last_modified": moment,
            "internal": {"created_internal": moment, "last_modified_internal": moment},
            "extras": {},
        }

    def _sha1(self, path: Path) -> str:
        """The checksum of a file, computed once per version of the file."""
        status = path.stat()
        version = (status.st_mtime_ns, status.st_size)
        with self._lock:
            known = self._checksums.get(path)
            if known is None or known[0] != version:
                with path.open("rb") as stream:
                    known = version, hashlib.file_digest(stream, "sha1").hexdigest()
                self._checksums[path] = known
        return known[1]


def _static_url(resource: Resource) -> str:
    return f"https://{STATIC}{quote(resource.static_path)}"
