"""What publishers show of their files without sending them.

Belongs here: the request for each kind of publisher, and how to recognise from its answer a file that we have. Does not
belong here: what counts as a change (``probe.py``), where the files are (``origins.py``), HTTP (``download.py``).

| publisher | request | what it shows |
|---|---|---|
| Opendatasoft | the catalogue, once per portal | ``data_processed``, number of records, fields; never ``modified`` |
| data.gouv.fr | the dataset | date, checksum and size of the resource with the right title |
| ArcGIS | the layer's ``?f=json`` | ``editingInfo.lastEditDate``, fields |
| other interfaces (geo.api.gouv.fr) | the list, unless its ETag is unchanged | SHA-256 of the content |
| plain files (insee.fr, ONISEP, contours) | HEAD | ETag, Last-Modified, size |
| a directory in their place | none | name, size and time of the file |
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor, Future
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from edu_pipeline.catalogue import File, Opendatasoft, Source
from edu_pipeline.errors import DownloadFailed, NotInStandIn, SourceMissing
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.directory import files_by_name
from edu_pipeline.sources.download import GONE, NotModified, download, no_file_status
from edu_pipeline.sources.editions import later_edition
from edu_pipeline.sources.interfaces import Interfaces
from edu_pipeline.sources.origins import OPENDATASOFT, SUPPLIED, Origin, origin_of
from edu_pipeline.sources.policy import Policy
from edu_pipeline.sources.publishers import means_absent, seen_by_url
from edu_pipeline.sources.release import ReceivedFile, Release
from edu_pipeline.sources.texts import CATALOGUE, file_names, without_secrets

LARGEST_PAGE = 100
"""How many datasets one answer of an Opendatasoft portal has at most."""


@dataclass(frozen=True)
class FileState:
    """What is shown of one file.

    Attributes:
        description: what the publisher says of it.
        is_held: whether a file that we have is the one described.
        later: a later edition that the publisher shows and that is not read; None if it shows none.
    """

    description: Mapping[str, Any]
    is_held: Callable[[ReceivedFile], bool]
    later: str | None = None


SourceState = dict[str, FileState | None]
"""What is shown of the parts of a source that were asked for; None: there is no such file."""


class PublisherStates:
    """What publishers, or a mirror of them, show of their files.

    Args:
        folder: for answers, until they are read.
        policy: how requests are made.
        today: from whose year backwards ``{year}`` in a URL is tried.
    """

    def __init__(self, archive: Archive, folder: Path, policy: Policy, today: date) -> None:
        self._archive, self._folder, self._policy, self._today = archive, folder, policy, today
        self._portals: dict[str, Future[dict[str, Any]]] = {}

    def ask_portals(self, sources: Iterable[Source], pool: Executor) -> None:
        """Start asking the Opendatasoft portals for the metadata of all datasets of the sources."""
        for portal, names in _datasets_by_portal(sources).items():
            self._portals[portal] = pool.submit(self._ask_portal, portal, names)

    def of(self, source: Source, newest: Release | None) -> SourceState:
        """What is shown of a source.

        Args:
            newest: the archive's newest release of it.

        Raises:
            EduError: the publisher cannot be asked, or does not have a part that is not optional.
        """
        datasets: dict[str, Any] = {}
        for portal in _datasets_by_portal([source]):
            datasets |= self._portals[portal].result()
        folder = self._own_folder(source.id)
        asking = _AskingForSource(
            newest=newest,
            seen=seen_by_url(self._archive, newest, self._policy.mirror_name),
            datasets=datasets,
            interfaces=Interfaces(folder, self._policy, datasets),
            folder=folder,
            policy=self._policy,
            today=self._today,
        )
        state: SourceState = {}
        for files in published_together(source, newest):
            for file in files:
                file_state = asking.state_of(file)
                if file_state:
                    break
            state[file.part] = file_state
        return _with_later(state, later_edition(source, asking.interfaces))

    def _ask_portal(self, portal: str, datasets: list[str]) -> dict[str, Any]:
        """The metadata of datasets of an Opendatasoft portal, by their URL."""
        names = ",".join(f'"{name}"' for name in sorted(set(datasets)))
        base = OPENDATASOFT.format(portal=portal, dataset="").rstrip("/")
        condition = quote(f"dataset_id in ({names})")
        url = f"{base}?where={condition}&select=dataset_id,metas,fields&limit={LARGEST_PAGE}"
        answer = Interfaces(self._own_folder(portal), self._policy).json(url, portal)
        return {
            OPENDATASOFT.format(portal=portal, dataset=entry.get("dataset_id")): entry
            for entry in answer.get("results") or []
        }

    def _own_folder(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder


@dataclass(frozen=True)
class _AskingForSource:
    """Asks for the files of one source.

    Attributes:
        newest: the archive's newest release of it.
        seen: the files that we have, by URL.
        datasets: the metadata of its Opendatasoft datasets, by URL.
        folder: for answers, until they are read.
    """

    newest: Release | None
    seen: Mapping[str, ReceivedFile]
    datasets: Mapping[str, Any]
    interfaces: Interfaces
    folder: Path
    policy: Policy
    today: date

    def state_of(self, file: File) -> FileState | None:
        """What is shown of a file; None if it is optional and does not exist."""
        try:
            if file.supplied:
                return self._supplied(file) or _archived(file, self.newest)
            if file.opendatasoft:
                self._check_dataset(file.opendatasoft, file)
            origin = origin_of(file, self.interfaces, self.today)
            assert origin is not None
            if file.opendatasoft or file.arcgis:
                return self._described(self._dated(origin))
            if file.datagouv:
                facts = {name: origin.publisher.get(name) for name in ("last_modified", "checksum", "filesize")}
                return self._described(self._or_today(facts))
            if urlsplit(origin.url).query:
                return self._content(origin.url, file)
            return self._plain_file(origin.url, file)
        except (SourceMissing, DownloadFailed) as error:
            if file.optional and means_absent(error):
                return None
            raise

    def _check_dataset(self, dataset: Opendatasoft, file: File) -> None:
        if OPENDATASOFT.format(portal=dataset.portal, dataset=dataset.dataset) not in self.datasets:
            raise SourceMissing(
                file.source,
                f"expected the dataset {dataset.dataset} in the catalogue of {dataset.portal}, found none.",
                f"Open the source's landing page, and change the dataset in {CATALOGUE}.",
            )

    def _supplied(self, file: File) -> FileState | None:
        """What a mirror has of a file that no publisher offers: the date of the list, else the date of the file."""
        if self.policy.mirror is None:
            return None
        listing = self.interfaces.head(SUPPLIED.format(source=file.source), file_names(file))
        if listing.status in GONE:
            return None
        if listing.last_modified:
            return self._described({"last_modified": listing.last_modified})
        origin = origin_of(file, self.interfaces, self.today)
        return self._plain_file(origin.url, file) if origin else None

    def _content(self, url: str, file: File) -> FileState:
        """What an interface answers; it sends nothing if it has an ETag that is unchanged."""
        answer = download(
            url,
            self.folder / "content",
            max_bytes=file.max_bytes,
            previous=self.seen.get(without_secrets(url)),
            policy=self.policy,
            where=file.source,
        )
        return _with_content(answer.previous.sha256 if isinstance(answer, NotModified) else answer.sha256)

    def _plain_file(self, url: str, file: File) -> FileState:
        head = self.interfaces.head(url, file_names(file))
        if head.status != 200:
            raise no_file_status(url, head.status, file_names(file))
        facts = {"etag": head.etag, "last_modified": head.last_modified, "bytes": head.bytes}
        return self._described({"url": without_secrets(url), **self._or_today(facts)})

    def _dated(self, origin: Origin) -> dict[str, Any]:
        """What an interface says; and today, if it does not say when the data changed."""
        return _short(origin.publisher) | ({} if origin.decides else {"day": str(self.today)})

    def _or_today(self, facts: Mapping[str, Any]) -> dict[str, Any]:
        """The facts that are known; today, if there are none."""
        return {name: value for name, value in facts.items() if value is not None} or {"day": str(self.today)}

    def _described(self, description: Mapping[str, Any]) -> FileState:
        """A state that the archive records; a mirror's dates mean nothing to the publisher, nor the other way round."""

        def is_held(file: ReceivedFile) -> bool:
            headers = {"url": file.url, "etag": file.etag, "last_modified": file.last_modified, "bytes": file.bytes}
            recorded = headers | _short(file.publisher)
            is_unchanged = all(recorded.get(name) == value for name, value in description.items())
            return file.mirror == self.policy.mirror_name and is_unchanged

        return FileState(description, is_held)


def state_in_directory(upstream: Path, source: Source, _: Release | None) -> SourceState:
    """What a directory in place of the publishers has of a source; nothing if it has no file of it."""
    try:
        chosen = files_by_name(source, upstream / source.id)
    except NotInStandIn:
        return {}
    state: SourceState = dict.fromkeys(source.files)
    for name, files in chosen.items():
        path = upstream / source.id / name
        status = path.stat()
        description = {"name": name, "bytes": status.st_size, "modified_ns": status.st_mtime_ns}
        state |= dict.fromkeys((file.part for file in files), FileState(description, partial(_is_copy, path)))
    return state


def _datasets_by_portal(sources: Iterable[Source]) -> dict[str, list[str]]:
    """The Opendatasoft datasets of the sources."""
    datasets: dict[str, list[str]] = {}
    for file in (file for source in sources for file in source.files.values()):
        if file.opendatasoft:
            datasets.setdefault(file.opendatasoft.portal, []).append(file.opendatasoft.dataset)
    return datasets


def published_together(source: Source, newest: Release | None) -> list[list[File]]:
    """The files of a source, grouped so that one file speaks for its group; in a group those that we have come first.

    A group is the parts in one file, or files whose URLs differ only by the name of the part (BAN: a file per
    département, all written by one export).
    """
    archived = newest.parts if newest else {}
    groups: dict[str, list[File]] = {}
    for file in sorted(source.files.values(), key=lambda file: file.part not in archived):
        groups.setdefault(file.url.replace(file.part, "") if file.url else file.part, []).append(file)
    return list(groups.values())


def _with_later(state: SourceState, later: str | None) -> SourceState:
    """The state in which the first file that is there says that there is a later edition."""
    for part, file_state in state.items():
        if file_state and later:
            return state | {part: replace(file_state, later=later)}
    return state


def _archived(file: File, newest: Release | None) -> FileState | None:
    """The archive's file, which nobody can be asked for."""
    received = newest.file(file.part) if newest else None
    return _with_content(received.sha256) if received else None


def _with_content(sha256: str) -> FileState:
    return FileState({"sha256": sha256}, lambda file: file.sha256 == sha256)


def _short(publisher: Mapping[str, Any]) -> dict[str, Any]:
    """What a publisher's interface says, with the SHA-256 of the list of fields in its place."""
    description = dict(publisher)
    if "fields" in description:
        description["fields"] = hashlib.sha256(json.dumps(description["fields"]).encode()).hexdigest()[:12]
    return description


def _is_copy(path: Path, file: ReceivedFile) -> bool:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256
