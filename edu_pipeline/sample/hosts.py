"""Who answers for which host: all publishers of the catalogue, over one sample directory.

Belongs here: which publisher a request is for, plain files, and the files that operators hand in. Does not belong here:
the interfaces of publishers (`portal.py`, `data_gouv.py`, `geo_api.py`, `layer.py`), sockets (`server.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from urllib.parse import unquote, urlsplit

from edu_pipeline.catalogue import File, catalogue
from edu_pipeline.sample import data_gouv, geo_api, layer
from edu_pipeline.sample.answers import Answer, Request, as_file, as_json, http_date, not_found, ranged
from edu_pipeline.sample.data_gouv import DataGouv
from edu_pipeline.sample.misbehaviour import misbehave
from edu_pipeline.sample.portal import BASE, Portal
from edu_pipeline.sample.portal_data import Dataset
from edu_pipeline.sample.shelf import Shelf

SUPPLIED = "supplied"
"""First segment of the paths of files that operators hand in, because no publisher offers them."""

UNTAGGED = {"api.opendata.onisep.fr"}
"""Servers that send a date but no ETag."""

BROWSERS_ONLY = {"www.insee.fr"}
"""Servers that answer 403 to a client that does not look like a browser."""


MELODI = "api.insee.fr"
"""The server with INSEE's long files and their catalogue."""


class Hosts:
    """The publishers of the catalogue.

    Args:
        quota: calls per day that each Opendatasoft portal allows; None: no limit.
    """

    def __init__(self, shelf: Shelf, quota: int | None = None) -> None:
        self._shelf = shelf
        self._datasets: dict[tuple[str, str], File] = {}
        self._plain: dict[tuple[str, str], File] = {}
        self._yearly: list[tuple[str, re.Pattern[str], File]] = []
        self._by_query: list[File] = []
        self._layers: dict[tuple[str, str], File] = {}
        on_data_gouv: list[File] = []
        for source in catalogue().values():
            for file in source.files.values():
                if file.datagouv:
                    on_data_gouv.append(file)
                else:
                    self._enter(file)
        self._data_gouv = DataGouv(shelf, on_data_gouv)
        datasets: dict[str, list[str]] = {}
        for host, name in self._datasets:
            datasets.setdefault(host, []).append(name)
        self.portals = {host: Portal(names, partial(self._dataset, host), quota) for host, names in datasets.items()}

    def answer(self, request: Request) -> Answer:
        """The answer of the host that the request is for; 404 for a host that is not in the catalogue."""
        source, is_file = self._requested(request)
        holding = self._shelf.holding(source) if source else None
        answer = self._undisturbed(request)
        if holding:
            answer = misbehave(answer, holding.misbehaviour, is_file)
        return ranged(answer, request)

    def _requested(self, request: Request) -> tuple[str | None, bool]:
        """The source that a request is about, and whether it is for a file and not for metadata."""
        host, path = request.host, request.path
        if host in self.portals and (match := re.match(rf"{BASE}/([^/]+)(/exports/.)?", path)):
            file = self._datasets.get((host, match[1]))
            return (file.source if file else None), bool(match[2])
        if host in (data_gouv.API, data_gouv.STATIC):
            return self._data_gouv.source_of(request), host == data_gouv.STATIC
        if host == SUPPLIED:
            source, _, name = path.strip("/").partition("/")
            return source, bool(name)
        layer_file = self._layers.get((host, path.removesuffix(layer.QUERY)))
        if layer_file:
            return layer_file.source, path.endswith(layer.QUERY)
        file = next((file for file in self._by_query if geo_api.is_for(request, file)), None)
        file = file or self._plain_file(request)[0]
        return (file.source if file else None), True

    def _undisturbed(self, request: Request) -> Answer:
        """The answer of a publisher that does not misbehave."""
        if request.host in BROWSERS_ONLY and "mozilla" not in request.headers.get("user-agent", "").lower():
            return Answer(403, {"Content-Type": "text/html; charset=utf-8"}, b"<html><body>403 Forbidden</body></html>")
        if request.host in self.portals:
            return self.portals[request.host].answer(request)
        answers: dict[str, Callable[[Request], Answer]] = {
            data_gouv.API: self._data_gouv.api,
            data_gouv.STATIC: self._data_gouv.static,
            SUPPLIED: self._supplied,
        }
        if request.host in answers:
            return answers[request.host](request)
        if request.host == MELODI and (match := re.fullmatch(r"/melodi/catalog/([^/]+)", request.path)):
            return self._melodi(match[1])
        if any(request.host == host for host, _ in self._layers):
            return self._layer(request)
        if any(request.host == urlsplit(file.url or "").hostname for file in self._by_query):
            return self._list(request)
        return self._file(request)

    def _melodi(self, dataset: str) -> Answer:
        """The products of a dataset of INSEE's Melodi: the files that the catalogue reads."""
        addresses = [f"https://{host}{path}" for host, path in self._plain if f"/melodi/file/{dataset}/" in path]
        if not addresses:
            return not_found(f"No dataset {dataset} of the sample is at https://{MELODI}/melodi/.")
        products = [{"id": url.rpartition("/")[2], "format": "CSV", "accessURL": url} for url in addresses]
        return as_json({"identifier": dataset, "product": products})

    def _enter(self, file: File) -> None:
        """Note which requests are for the file."""
        if file.opendatasoft:
            self._datasets[file.opendatasoft.portal, file.opendatasoft.dataset] = file
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
        path = holding.files.get(f"{name}.{file.format}") if file and holding else None
        if file is None or holding is None or path is None:
            return None
        return Dataset(name, catalogue()[file.source], holding, path, self._shelf.labels(file.source))

    def _file(self, request: Request) -> Answer:
        """A file that the publisher overwrites in place, or keeps in a folder per year."""
        file, year = self._plain_file(request)
        holding = self._shelf.holding(file.source) if file else None
        name = request.path.rpartition("/")[2]
        if file is None or holding is None or name not in holding.files:
            return not_found(f"No file of the sample is at https://{request.host}{request.path}.")
        if year is not None and year != holding.published_at.year:
            return not_found(f"The newest year is {holding.published_at.year}, and the sample has no other.")
        return as_file(holding.files[name], holding.published_at, request, tagged=request.host not in UNTAGGED)

    def _plain_file(self, request: Request) -> tuple[File | None, int | None]:
        """The file at a plain URL, and the year in it, if there is one."""
        for host, pattern, file in self._yearly:
            match = pattern.fullmatch(request.path)
            if host == request.host and match:
                return file, int(match[1])
        return self._plain.get((request.host, request.path)), None

    def _supplied(self, request: Request) -> Answer:
        """A file that an operator hands in, or the list of such files with the date of the newest; 404 if none."""
        source, _, name = request.path.strip("/").partition("/")
        if source not in catalogue():
            return not_found(f"The catalogue has no source {source!r}.")
        holding = self._shelf.holding(source)
        patterns = [file.name for file in catalogue()[source].files.values() if file.supplied]
        files = list(holding.files) if holding else []
        names = [known for known in files if any(re.fullmatch(pattern, known) for pattern in patterns)]
        if not name and holding and names:
            return as_json(names, headers={"Last-Modified": http_date(holding.published_at)})
        if holding is None or name not in names:
            return not_found(f"No file {name!r} is handed in for {source}.")
        return as_file(holding.files[name], holding.published_at, request)

    def _layer(self, request: Request) -> Answer:
        """A layer of an ArcGIS service: its description, or the features that match a query."""
        file = self._layers.get((request.host, request.path.removesuffix(layer.QUERY)))
        holding = self._shelf.holding(file.source) if file else None
        if file is None or holding is None:
            return not_found(f"No layer of the sample is at https://{request.host}{request.path}.")
        (path,) = holding.files.values()
        return layer.answered(path, catalogue()[file.source].title, holding.published_at, request)

    def _list(self, request: Request) -> Answer:
        """A list of geo.api.gouv.fr."""
        file = next((file for file in self._by_query if geo_api.is_for(request, file)), None)
        holding = self._shelf.holding(file.source) if file else None
        if file and holding:
            paths = [path for name, path in holding.files.items() if re.fullmatch(file.name, name)]
            if paths:
                return geo_api.answered(paths[-1], request)
        return not_found(f"No such list of the sample is at https://{request.host}{request.path}.")
