"""Who answers for which host: all publishers of the catalogue, over one sample directory.

Belongs here: data.gouv.fr, the servers of plain files, geo.api.gouv.fr, what operators hand in, and which portal or
layer is asked. Does not belong here: Opendatasoft (`portal.py`), ArcGIS (`layer.py`), sockets (`server.py`).
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from edu_pipeline.catalogue import File, catalogue
from edu_pipeline.sample import layer
from edu_pipeline.sample.answers import Answer, Asked, as_file, as_json, http_date, not_found, tagged_by_content
from edu_pipeline.sample.portal import Dataset, Portal
from edu_pipeline.sample.shelf import Shelf

SUPPLIED = "supplied"
"""First segment of the paths of files that operators hand in: no publisher offers them."""

DATA_GOUV, STATIC = "www.data.gouv.fr", "static.data.gouv.fr"
TITLES = {
    "ssmsi-communale": "COM - Base statistique communale de la délinquance enregistrée par la police et la gendarmerie "
    "nationales",
    "dvf-indicateurs-communes": "Communes DVF {year}",
}
"""Titles of the resources on data.gouv.fr; ``{year}`` is the last one in the file's name."""

UNTAGGED = {"api.opendata.onisep.fr"}
"""Servers that send no ETag, only a date."""

BROWSERS_ONLY = {"www.insee.fr"}
"""Servers that answer 403 to an agent that does not look like a browser."""

OVERSEAS, COLLECTIVITIES = ("971", "972", "973", "974", "976"), ("975", "977", "978", "984", "986", "987", "988", "989")
ALWAYS_GIVEN = {"nom", "code", "_score"}
"""Properties of a commune that geo.api.gouv.fr gives whether or not `fields` names them."""

FILTERS = ("code", "nom", "codeDepartement", "codeRegion", "codeEpci", "siren")


@dataclass(frozen=True)
class Resource:
    """A file on data.gouv.fr."""

    dataset: str
    slug: str
    file: File
    path: Path
    last_modified: datetime

    @property
    def id(self) -> str:
        """Stays the same over all releases of a file of this name."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self.dataset}/{self.path.name}"))

    @property
    def title(self) -> str:
        """As the publisher words it; it matches the catalogue's pattern."""
        years = re.findall(r"20\d\d", self.path.name)
        return TITLES.get(self.file.source, self.path.name).format(year=years[-1] if years else "")

    @property
    def static_path(self) -> str:
        """Path on the static server: another one with each release."""
        return f"/resources/{self.slug}/{self.last_modified:%Y%m%d-%H%M%S}/{self.path.name}"


class Hosts:
    """The publishers of the catalogue.

    Args:
        quota: calls per day that each Opendatasoft portal allows; None: no limit.
    """

    def __init__(self, shelf: Shelf, quota: int | None = None) -> None:
        self._shelf = shelf
        self._lock = threading.Lock()
        self._sums: dict[Path, tuple[tuple[int, int], str]] = {}
        self._datasets: dict[tuple[str, str], File] = {}
        self._plain: dict[tuple[str, str], File] = {}
        self._yearly: list[tuple[str, re.Pattern[str], File]] = []
        self._by_query: list[File] = []
        self._datagouv: list[File] = []
        self._layers: dict[tuple[str, str], File] = {}
        for source in catalogue().values():
            for file in source.files.values():
                self._enter(file)
        names: dict[str, list[str]] = {}
        for portal, dataset in self._datasets:
            names.setdefault(portal, []).append(dataset)
        self.portals = {host: Portal(found, partial(self._dataset, host), quota) for host, found in names.items()}

    def answer(self, asked: Asked) -> Answer:
        """What the host of the request answers; 404 where it is none of the catalogue's."""
        if asked.host in BROWSERS_ONLY and "mozilla" not in asked.headers.get("user-agent", "").lower():
            return Answer(403, {"Content-Type": "text/html; charset=utf-8"}, b"<html><body>403 Forbidden</body></html>")
        if asked.host in self.portals:
            return self.portals[asked.host].answer(asked)
        answers: dict[str, Callable[[Asked], Answer]] = {
            DATA_GOUV: self._data_gouv,
            STATIC: self._static,
            SUPPLIED: self._supplied,
        }
        if asked.host in answers:
            return answers[asked.host](asked)
        if any(asked.host == host for host, _ in self._layers):
            return self._layer(asked)
        if any(asked.host == urlsplit(file.url or "").hostname for file in self._by_query):
            return self._geo_api(asked)
        return self._file(asked)

    def _enter(self, file: File) -> None:
        """Note by what requests the file is asked for."""
        if file.opendatasoft:
            self._datasets[file.opendatasoft.portal, file.opendatasoft.dataset] = file
        elif file.datagouv:
            self._datagouv.append(file)
        elif file.arcgis:
            parts = urlsplit(file.arcgis)
            self._layers[parts.hostname or "", unquote(parts.path)] = file
        elif file.url:
            parts = urlsplit(file.url)
            host = parts.hostname or ""
            if parts.query:
                self._by_query.append(file)
            elif "{year}" in parts.path:
                pattern = re.escape(parts.path).replace(re.escape("{year}"), r"(\d{4})")
                self._yearly.append((host, re.compile(pattern), file))
            else:
                self._plain[host, parts.path] = file

    def _dataset(self, portal: str, name: str) -> Dataset | None:
        file = self._datasets.get((portal, name))
        holding = self._shelf.holding(file.source) if file else None
        if file is None or holding is None or f"{name}.csv" not in holding.files:
            return None
        path = holding.files[f"{name}.csv"]
        return Dataset(name, catalogue()[file.source], holding, path, self._shelf.labels(file.source))

    # --- plain files

    def _file(self, asked: Asked) -> Answer:
        """A file that the publisher overwrites in place, or keeps in a folder of the year."""
        file = self._plain.get((asked.host, asked.path))
        year = None
        for host, pattern, yearly in self._yearly:
            match = pattern.fullmatch(asked.path)
            if host == asked.host and match:
                file, year = yearly, int(match[1])
        holding = self._shelf.holding(file.source) if file else None
        name = asked.path.rpartition("/")[2]
        if file is None or holding is None or name not in holding.files:
            return not_found(f"No file of the sample is at https://{asked.host}{asked.path}.")
        if year is not None and year != holding.published_at.year:
            return not_found(f"The newest year is {holding.published_at.year}, and the sample has no other.")
        return as_file(holding.files[name], holding.published_at, asked, tagged=asked.host not in UNTAGGED)

    def _supplied(self, asked: Asked) -> Answer:
        """What an operator hands in: a list of names, with the date of the newest, or a file; 404 if there is none."""
        source, _, name = asked.path.strip("/").partition("/")
        if source not in catalogue():
            return not_found(f"The catalogue has no source {source!r}.")
        holding = self._shelf.holding(source)
        patterns = [file.name for file in catalogue()[source].files.values() if file.supplied]
        names = [
            known
            for known in (holding.files if holding else {})
            if any(re.fullmatch(pattern, known) for pattern in patterns)
        ]
        if not name and holding and names:
            return as_json(names, headers={"Last-Modified": http_date(holding.published_at)})
        if holding is None or name not in names:
            return not_found(f"The sample has no file {name!r} that is handed in for {source}.")
        return as_file(holding.files[name], holding.published_at, asked)

    def _layer(self, asked: Asked) -> Answer:
        """A layer of an ArcGIS service: its description, or the features that a query asks for."""
        file = self._layers.get((asked.host, asked.path.removesuffix(layer.QUERY)))
        holding = self._shelf.holding(file.source) if file else None
        if file is None or holding is None:
            return not_found(f"No layer of the sample is at https://{asked.host}{asked.path}.")
        (path,) = holding.files.values()
        return layer.answered(path, catalogue()[file.source].title, holding.published_at, asked)

    # --- data.gouv.fr

    def _data_gouv(self, asked: Asked) -> Answer:
        path = asked.path.rstrip("/")
        if match := re.fullmatch(r"/api/1/datasets/([^/]+)", path):
            found = list(self._resources(match[1]))
            if found:
                return as_json(self._described(found))
        elif match := re.fullmatch(r"/api/2/datasets/resources/([^/]+)", path):
            for resource in self._resources():
                if resource.id == match[1]:
                    return as_json({"dataset_id": resource.dataset, "resource": self._resource(resource)})
        elif match := re.fullmatch(r"(?:/api/1|/fr)?/datasets/r/([^/]+)", path):
            for resource in self._resources():
                if resource.id == match[1]:
                    return Answer(302, {"Location": _static_url(resource)})
        return as_json({"message": "Not found"}, 404)

    def _static(self, asked: Asked) -> Answer:
        for resource in self._resources():
            if resource.static_path == asked.path:
                return as_file(resource.path, resource.last_modified, asked)
        return not_found(f"No file of the sample is at https://{asked.host}{asked.path}.")

    def _resources(self, dataset: str | None = None) -> Iterator[Resource]:
        """The resources of all datasets, or of the one with this id or slug.

        Of several files that fit, as those of several years, the one with the greatest name is the newest.
        """
        for file in self._datagouv:
            assert file.datagouv is not None
            slug = catalogue()[file.source].landing_page.rstrip("/").rpartition("/")[2]
            holding = self._shelf.holding(file.source)
            if holding is None or dataset not in (None, file.datagouv.dataset, slug):
                continue
            fitting = [path for name, path in holding.files.items() if re.fullmatch(file.name, name)]
            for age, path in enumerate(sorted(fitting, reverse=True)):
                yield Resource(file.datagouv.dataset, slug, file, path, holding.published_at - timedelta(days=age))

    def _described(self, resources: list[Resource]) -> dict[str, Any]:
        first = resources[0]
        source = catalogue()[first.file.source]
        return {
            "id": first.dataset,
            "slug": first.slug,
            "title": source.title,
            "description": f"{source.title} : données inventées.",
            "page": source.landing_page,
            "license": source.licence,
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
            "latest": f"https://{DATA_GOUV}/api/1/datasets/r/{resource.id}",
            "filesize": resource.path.stat().st_size,
            "checksum": {"type": "sha1", "value": self._sha1(resource.path)},
            "last_modified": moment,
            "internal": {"created_internal": moment, "last_modified_internal": moment},
            "extras": {},
        }

    def _sha1(self, path: Path) -> str:
        """The checksum of a file, made once per state of the file."""
        status = path.stat()
        version = (status.st_mtime_ns, status.st_size)
        with self._lock:
            known = self._sums.get(path)
            if known is None or known[0] != version:
                with path.open("rb") as stream:
                    known = version, hashlib.file_digest(stream, "sha1").hexdigest()
                self._sums[path] = known
        return known[1]

    # --- geo.api.gouv.fr

    def _geo_api(self, asked: Asked) -> Answer:
        """Communes, arrondissements or départements: content by query, without a date.

        The tag is that of Express, which the interface is written with: INFERRED from its source (datagouv/api-geo).
        """
        file = next((file for file in self._by_query if _same_list(file, asked)), None)
        holding = self._shelf.holding(file.source) if file else None
        paths = (
            [path for name, path in holding.files.items() if re.fullmatch(file.name, name)] if file and holding else []
        )
        if file is None or not paths:
            return not_found(f"The sample has no such list at https://{asked.host}{asked.path}.")
        if asked.query.get("format", "json") != "json":
            return as_json({"message": "The sample answers with format=json only."}, 400)
        entries: list[dict[str, Any]] = json.loads(paths[-1].read_bytes())
        # Départements are given without the collectivities unless `zone` names them, communes with.
        zones = asked.query.get("zone") or ("metro,drom" if asked.path == "/departements" else "metro,drom,com")
        wanted = {name: value for name, value in asked.query.items() if name in FILTERS}
        entries = [
            entry
            for entry in entries
            if _zone(entry) in zones.split(",") and all(entry.get(name) == value for name, value in wanted.items())
        ]
        if fields := asked.query.get("fields"):
            given = ALWAYS_GIVEN | set(fields.split(","))
            entries = [{name: value for name, value in entry.items() if name in given} for entry in entries]
        return tagged_by_content(as_json(entries), asked)


def _same_list(file: File, asked: Asked) -> bool:
    """Whether the request is for the list that ``file`` has, whatever fields, zones and filters it names."""
    parts = urlsplit(file.url or "")
    kind = dict(parse_qsl(parts.query)).get("type")
    return (parts.hostname, parts.path, kind) == (asked.host, asked.path, asked.query.get("type"))


def _zone(entry: dict[str, Any]) -> str:
    """The zone of a commune or département: metro, drom or com."""
    code = str(entry.get("codeDepartement") or entry.get("code"))
    return "com" if code.startswith(COLLECTIVITIES) else "drom" if code.startswith(OVERSEAS) else "metro"


def _static_url(resource: Resource) -> str:
    return f"https://{STATIC}{quote(resource.static_path)}"
