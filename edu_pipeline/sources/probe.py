"""Asking the publishers whether there is a new release, with the smallest possible request and without downloading it.

Belongs here: what each kind of publisher shows of its files, the comparison with what is known. Does
not belong here: remembering it (``database/probe_memory.py``), where the files are (``fetch.py``), HTTP
(``download.py``), what follows from a new release (the sensor).

| publisher | request | what it shows |
|---|---|---|
| Opendatasoft | the catalogue, once per portal | ``data_processed``, number of records, fields; never ``modified`` |
| data.gouv.fr | the dataset | date, checksum and size of the resource with the right title |
| ArcGIS | the layer's ``?f=json`` | ``editingInfo.lastEditDate``, fields |
| other interfaces (geo.api.gouv.fr) | the list, if its ETag is another | SHA-256 of the content |
| plain files (insee.fr, ONISEP, contours) | HEAD | ETag, Last-Modified, size |
| a directory in their place | none | name, size and time of the file |

What a publisher shows may change without the data: so a change is a reason to fetch, and the SHA-256 of what is fetched
decides whether there is a release. Where a publisher shows nothing to go by, its file is to be fetched once a day.
"""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from edu_pipeline.catalogue import File, Source
from edu_pipeline.errors import DownloadFailed, EduError, NotInStandIn, SourceMissing
from edu_pipeline.sources.archive import Archive, ReceivedFile, Release
from edu_pipeline.sources.download import Head, NotModified, Policy, download, shown
from edu_pipeline.sources.fetch import OPENDATASOFT, SUPPLIED, Origin, Publishers, answer_of, in_directory, moment_of

log = logging.getLogger(__name__)

AT_ONCE = 16
"""Sources that are asked for at a time: nearly all the time is spent waiting."""

LONGEST_WAIT = 5.0
"""Seconds between two tries at most: who is not answered now is asked at the next probe."""

LARGEST_PAGE = 100
"""Datasets in one answer of an Opendatasoft portal at most."""

PROBING = Policy(tries=2, read_seconds=10, sleep=lambda seconds: time.sleep(min(seconds, LONGEST_WAIT)))
"""Less patient than for downloads: a probe has to end before the sensor's time is up (60 s), and is made again."""


@dataclass(frozen=True)
class Probed:
    """What a probe says of a source.

    Attributes:
        version: a text that changes if and only if the publisher shows something new: JSON, per part of the source;
            after an error the one that was known.
        changed: whether it is to be fetched.
        probed_at: in UTC.
        error: the failure text, if the publisher could not be asked; then ``changed`` is False.
        published_at: the publisher's own date of its newest file, where it says one.
    """

    source: str
    version: str
    changed: bool
    probed_at: datetime
    error: str | None = None
    published_at: datetime | None = None


@dataclass(frozen=True)
class _Shown:
    """What is shown of one file, and how to tell from that whether it is a file that we hold."""

    said: Mapping[str, Any]
    is_held: Callable[[ReceivedFile], bool]


Parts = dict[str, _Shown | None]
"""What is shown of the parts of a source that were asked for; None: there is no such file."""


def probe(
    sources: Iterable[Source],
    archive: Archive,
    upstream: str | None,
    known: Mapping[str, str],
    *,
    policy: Policy = PROBING,
    today: date | None = None,
) -> dict[str, Probed]:
    """Ask whether there are new releases; a source that cannot be asked for has its error, and no other has.

    Args:
        archive: whose newest releases are compared with where nothing is known; a source without any has changed.
        upstream: what stands in for the publishers, as for ``fetch``.
        known: the versions that the archive is up to date with, by source.
        policy: how requests are made.
        today: from whose year downward ``{year}`` in a URL is tried.
    """
    sources, today = list(sources), today or datetime.now(UTC).date()
    if upstream is None or upstream.startswith(("http://", "https://")):
        with tempfile.TemporaryDirectory(prefix="edu-pipeline-probe-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
            asking = _Asking(archive, Path(folder), replace(policy, mirror=upstream), today)
            asking.portals = {  # begun before the sources that wait for them
                portal: pool.submit(asking.portal, portal, names) for portal, names in _datasets(sources).items()
            }
            done = list(pool.map(lambda source: _probed(source, archive, known, asking.parts), sources))
    else:
        directory = Path(upstream)
        done = [_probed(source, archive, known, partial(_in_directory, directory)) for source in sources]
    return {probed.source: probed for probed in done}


def _probed(
    source: Source, archive: Archive, known: Mapping[str, str], ask: Callable[[Source, Release | None], Parts]
) -> Probed:
    now = datetime.now(UTC)
    try:
        newest = archive.newest(source.id)
        parts = ask(source, newest)
        version = _version(parts)
        changed = _changed(source, archive, newest, parts, version, known)
        return Probed(source.id, version, changed, now, None, _published_at(parts))
    except Exception as error:
        if not isinstance(error, EduError):
            log.exception("%s: a defect in its probe", source.id)
        text = str(error) if isinstance(error, EduError) else f"{type(error).__name__}: {error}"
        return Probed(source.id, known.get(source.id, ""), False, now, text)


def _changed(
    source: Source, archive: Archive, newest: Release | None, parts: Parts, version: str, known: Mapping[str, str]
) -> bool:
    if not any(parts.values()):
        return False
    if newest is None:
        return True
    if source.id in known:
        return version != known[source.id]
    held = {file.name: file for file in archive.as_last_seen(newest)}
    return not all(_is_held(seen, held.get(newest.parts.get(part, ""))) for part, seen in parts.items())


def _is_held(seen: _Shown | None, file: ReceivedFile | None) -> bool:
    if seen is None or file is None:
        return seen is None and file is None
    return seen.is_held(file)


def _version(parts: Parts) -> str:
    said = {part: seen.said if seen else None for part, seen in parts.items()}
    return json.dumps(said, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _published_at(parts: Parts) -> datetime | None:
    said = [seen.said for seen in parts.values() if seen]
    moments = [moment_of(entry.get("data_processed") or entry.get("last_modified")) for entry in said]
    return max((moment for moment in moments if moment), default=None)


def _datasets(sources: list[Source]) -> dict[str, list[str]]:
    """The Opendatasoft datasets of all sources, by portal."""
    found: dict[str, list[str]] = {}
    for file in (file for source in sources for file in source.files.values()):
        if file.opendatasoft:
            found.setdefault(file.opendatasoft.portal, []).append(file.opendatasoft.dataset)
    return found


def _published_together(source: Source, newest: Release | None) -> list[list[File]]:
    """The files of a source, those in one list of which one speaks for the others; the ones that we have come first.

    That is so of parts in one file, and of files whose addresses differ by the name of the part only (BAN: a file per
    département, all written by one export).
    """
    held = newest.parts if newest else {}
    found: dict[str, list[File]] = {}
    for file in sorted(source.files.values(), key=lambda file: file.part not in held):
        found.setdefault(file.url.replace(file.part, "") if file.url else file.part, []).append(file)
    return list(found.values())


class _Asking:
    """Asks the publishers, or a mirror of them.

    Attributes:
        portals: what each Opendatasoft portal says of its datasets, by their URL.
    """

    def __init__(self, archive: Archive, folder: Path, policy: Policy, today: date) -> None:
        self._archive, self._folder, self._policy, self._today = archive, folder, policy, today
        self._mirror = shown(policy.mirror) if policy.mirror else None
        self.portals: Mapping[str, Future[dict[str, Any]]] = {}

    def portal(self, portal: str, datasets: list[str]) -> dict[str, Any]:
        """The metadata of the datasets of an Opendatasoft portal, by their URL.

        Raises:
            EduError: see ``answer_of``.
        """
        names = ",".join(f'"{name}"' for name in sorted(set(datasets)))
        url = (
            f"{OPENDATASOFT.format(portal=portal, dataset='').rstrip('/')}?where={quote(f'dataset_id in ({names})')}"
            f"&select=dataset_id,metas,fields&limit={LARGEST_PAGE}"
        )
        answer = answer_of(url, self._own_folder(portal), self._policy, portal)
        return {
            OPENDATASOFT.format(portal=portal, dataset=entry.get("dataset_id")): entry
            for entry in answer.get("results") or []
        }

    def parts(self, source: Source, newest: Release | None) -> Parts:
        """What is shown of a source.

        Raises:
            EduError: it cannot be asked for, or a part that is not optional is not there.
        """
        answers: dict[str, Any] = {}
        for portal in _datasets([source]):
            answers |= self.portals[portal].result()
        folder = self._own_folder(source.id)
        publishers = Publishers(source, self._archive, newest, folder, self._policy, self._today, answers)
        parts: Parts = {}
        for together in _published_together(source, newest):
            for file in together:
                seen = self._part(file, publishers, newest, folder, answers)
                if seen:
                    break
            parts[file.part] = seen
        return parts

    def _part(
        self, file: File, publishers: Publishers, newest: Release | None, folder: Path, answers: Mapping[str, Any]
    ) -> _Shown | None:
        try:
            if file.supplied:
                return self._supplied(file, publishers) or _kept(file, newest)
            if file.opendatasoft:
                return self._dataset(file, publishers, answers)
            origin = publishers.origin(file)
            assert origin is not None
            if file.datagouv:
                said = {name: origin.publisher.get(name) for name in ("last_modified", "checksum", "filesize")}
                return self._said(self._or_day(said))
            if file.arcgis:
                return self._said(self._dated(origin))
            if urlsplit(origin.url).query:
                return self._content(origin.url, file, publishers, folder)
            return self._file(origin.url, file, publishers)
        except (SourceMissing, DownloadFailed) as error:
            if not file.optional or (isinstance(error, DownloadFailed) and error.status not in (404, 410)):
                raise
            return None

    def _dataset(self, file: File, publishers: Publishers, answers: Mapping[str, Any]) -> _Shown:
        assert file.opendatasoft is not None
        url = OPENDATASOFT.format(portal=file.opendatasoft.portal, dataset=file.opendatasoft.dataset)
        if url not in answers:
            raise SourceMissing(
                file.source,
                f"expected the dataset {file.opendatasoft.dataset} in the catalogue of {file.opendatasoft.portal}; "
                "found none.",
                "Open the source's landing page, and change the dataset in edu_pipeline/sources/catalogue.toml.",
            )
        origin = publishers.origin(file)
        assert origin is not None
        return self._said(self._dated(origin))

    def _supplied(self, file: File, publishers: Publishers) -> _Shown | None:
        """What a mirror has of a file that no publisher offers: the date of the list, else that of the file."""
        if self._mirror is None:
            return None
        listing = publishers.head(SUPPLIED.format(source=file.source), file)
        if listing.status in (404, 410):
            return None
        if listing.last_modified:
            return self._said({"last_modified": listing.last_modified})
        origin = publishers.origin(file)
        return self._file(origin.url, file, publishers) if origin else None

    def _content(self, url: str, file: File, publishers: Publishers, folder: Path) -> _Shown:
        """What an interface answers; nothing is sent if it has an ETag and that is still the same."""
        got = download(
            url,
            folder / "content",
            max_bytes=file.max_bytes,
            previous=publishers.seen(url),
            policy=self._policy,
            where=file.source,
        )
        return _content(got.previous.sha256 if isinstance(got, NotModified) else got.sha256)

    def _file(self, url: str, file: File, publishers: Publishers) -> _Shown:
        told = publishers.head(url, file)
        if told.status != 200:
            raise _not_there(url, file, told)
        said = {"etag": told.etag, "last_modified": told.last_modified, "bytes": told.bytes}
        return self._said({"url": shown(url), **self._or_day(said)})

    def _dated(self, origin: Origin) -> dict[str, Any]:
        """What an interface says; and the day, if it does not say when the data changed."""
        return _short(origin.publisher) | ({} if origin.decides else {"day": str(self._today)})

    def _or_day(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """What is said; the day, if that is nothing."""
        return {name: value for name, value in said.items() if value is not None} or {"day": str(self._today)}

    def _said(self, said: Mapping[str, Any]) -> _Shown:
        """What is to be found again in the archive; a mirror's dates say nothing of the publisher's."""

        def is_held(file: ReceivedFile) -> bool:
            sent = {"url": file.url, "etag": file.etag, "last_modified": file.last_modified, "bytes": file.bytes}
            recorded = sent | _short(file.publisher)
            return file.mirror == self._mirror and all(recorded.get(name) == value for name, value in said.items())

        return _Shown(said, is_held)

    def _own_folder(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir()
        return folder


def _in_directory(upstream: Path, source: Source, _: Release | None) -> Parts:
    """What a directory in place of the publishers has of a source; nothing, if it is not for this one."""
    try:
        chosen = in_directory(source, upstream / source.id)
    except NotInStandIn:
        return {}
    parts: Parts = dict.fromkeys(source.files)
    for name, files in chosen.items():
        path = upstream / source.id / name
        status = path.stat()
        said = {"name": name, "bytes": status.st_size, "modified_ns": status.st_mtime_ns}
        parts |= dict.fromkeys((file.part for file in files), _Shown(said, partial(_is_copy, path)))
    return parts


def _kept(file: File, newest: Release | None) -> _Shown | None:
    """The file of the archive, which nobody can be asked for."""
    held = newest.file(file.part) if newest else None
    return _content(held.sha256) if held else None


def _content(sha256: str) -> _Shown:
    return _Shown({"sha256": sha256}, lambda file: file.sha256 == sha256)


def _short(publisher: Mapping[str, Any]) -> dict[str, Any]:
    """What a publisher's interface says, the list of fields as its SHA-256."""
    said = dict(publisher)
    if "fields" in said:
        said["fields"] = hashlib.sha256(json.dumps(said["fields"]).encode()).hexdigest()[:12]
    return said


def _is_copy(path: Path, file: ReceivedFile) -> bool:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _not_there(url: str, file: File, told: Head) -> DownloadFailed:
    error = DownloadFailed(
        file.source,
        f"expected the file at {shown(url)}; found HTTP status {told.status}.",
        "Open the source's landing page, and change the URL in edu_pipeline/sources/catalogue.toml if it has moved.",
    )
    error.status = told.status
    return error
