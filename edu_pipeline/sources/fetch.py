"""From the catalogue to the archive: fetching the files of a source, wherever they come from.

Belongs here: which URL a file has (Opendatasoft, data.gouv.fr, ArcGIS, the newest year, a plain one), what stands in
for the publishers, whether anything has changed. Does not belong here: HTTP (``download.py``), how a release
is stored (``archive.py``), whether a file is sound (``soundness.py``).
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from edu_pipeline.catalogue import DataGouv, File, Opendatasoft, Source
from edu_pipeline.errors import (
    EXAMPLES,
    ArchiveUnusable,
    DownloadFailed,
    EduError,
    FileInvalid,
    NotInStandIn,
    SourceMissing,
)
from edu_pipeline.sources import arcgis
from edu_pipeline.sources.archive import RELEASE_JSON, Archive, Incoming, ReceivedFile, Release
from edu_pipeline.sources.download import LIVE, Downloaded, Head, NotModified, Policy, download, head, shown
from edu_pipeline.sources.soundness import check_sound

log = logging.getLogger(__name__)

DATA_GOUV = "https://www.data.gouv.fr/api/1/datasets/{dataset}/"
OPENDATASOFT = "https://{portal}/api/explore/v2.1/catalog/datasets/{dataset}"
INVENTED_MARKER = "sample.json"
"""A directory that stands in for the publishers and has this file is the sample publisher's."""

SUPPLIED = "https://supplied/{source}/"
"""Where a mirror, which answers under ``/<host>/<path>``, has the files that no publisher offers."""

YEARS = 5
"""How many years ``{year}`` in a URL is tried for, the current one first."""

MAX_ANSWER = 64 << 20
"""Bytes of an interface's answer at most."""


@dataclass(frozen=True)
class Fetched:
    """What ``fetch`` gives: the source's release, and whether it is a new one."""

    release: Release
    new: bool


@dataclass(frozen=True)
class Origin:
    """Where a file is to be had.

    Attributes:
        name: its name in the release; None: whatever the publisher calls it.
        publisher: what the publisher's interface says of it.
        decides: whether ``publisher`` tells that the data has not changed.
    """

    url: str
    name: str | None = None
    publisher: Mapping[str, Any] = field(default_factory=dict)
    decides: bool = False


@dataclass(frozen=True)
class _Got:
    """A file of the release under way: ``path`` is None if it is one of the previous release's, unchanged."""

    file: ReceivedFile
    parts: tuple[str, ...]
    path: Path | None


def fetch(
    source: Source,
    archive: Archive,
    upstream: str | None,
    *,
    policy: Policy = LIVE,
    today: date | None = None,
) -> Fetched:
    """Bring the archive up to date with what the publishers of ``source``, or their stand-in, have now.

    Args:
        upstream: what stands in for the publishers: a directory ``<source id>/<file>``, or the URL of a mirror
            (then it is the policy's); None: the publishers themselves.
        policy: how downloads are made.
        today: from whose year downward ``{year}`` in a URL is tried.

    Raises:
        SourceMissing: there is no file for a part that is not optional.
        DownloadFailed, DownloadRefused, PublisherUnavailable: see ``download``.
        FileInvalid: a file is not what the catalogue says; it does not become a release.
        ReleaseDamaged: an unchanged file that is part of the new release is damaged in the archive.
        ArchiveUnusable: the archive, or the folder of the downloads, cannot be read or written.
    """
    archive.sweep(source.id)
    previous = archive.newest(source.id)
    with archive.workspace(source.id) as folder:
        try:
            if upstream is None or upstream.startswith(("http://", "https://")):
                policy = replace(policy, mirror=upstream)
                publishers = Publishers(source, archive, previous, folder, policy, today)
                got = publishers.collect()
            else:
                got = _from_directory(source, Path(upstream), folder)
            return _release(source, archive, previous, got, folder)
        except OSError as error:
            raise ArchiveUnusable(
                source.id,
                f"expected to read the files and to write them to {folder}; found {type(error).__name__}: {error}.",
                "Mend that (space, permissions), or set EDU_ARCHIVE to another folder or bucket.",
            ) from error


def fetch_if_any(source: Source, archive: Archive, upstream: str | None) -> Fetched | None:
    """As ``fetch``; the newest release of the archive, or None, if there is no file and that is no failure: because
    the tables do without the source, or because a directory stands in for other publishers than this.

    Raises:
        EduError: see ``fetch``.
    """
    try:
        return fetch(source, archive, upstream)
    except SourceMissing as error:
        if not source.optional and not isinstance(error, NotInStandIn):
            raise
        log.info("%s", error)
        return newest_fetched(source, archive)


def newest_fetched(source: Source, archive: Archive) -> Fetched | None:
    """The newest release of the archive, without asking anybody; None if there is none."""
    newest = archive.newest(source.id)
    return Fetched(newest, new=False) if newest else None


def _release(source: Source, archive: Archive, previous: Release | None, got: list[_Got], folder: Path) -> Fetched:
    """The release of what was got; the previous one, if nothing in it is new."""
    unchanged = [entry for entry in got if entry.path is None]
    parts = {part: entry.file.name for entry in unchanged for part in entry.parts}
    if previous and len(unchanged) == len(got) and parts == previous.parts:
        return Fetched(previous, new=False)
    files: dict[Path, ReceivedFile] = {}
    for number, entry in enumerate(unchanged):
        assert previous is not None
        carried = folder / f"carried-{number}"
        shutil.copyfile(archive.local(previous, entry.file), carried)
        files[carried] = entry.file
    taken = {RELEASE_JSON, *(entry.file.name for entry in unchanged)}
    for entry in got:
        if entry.path is not None:
            name = entry.file.name if entry.file.name not in taken else f"{entry.parts[0]}-{entry.file.name}"
            taken.add(name)
            files[entry.path] = replace(entry.file, name=name)
            parts |= dict.fromkeys(entry.parts, name)
    received = list(files.values())
    published = [moment for file in received if (moment := _published_at(file))]
    release = archive.store(source.id, Incoming(files, parts, max(published, default=None)))
    is_new = previous is None or release.id != previous.id
    if not is_new and set(received) - set(archive.as_last_seen(release)):
        archive.remember(release, received)
    return Fetched(release, is_new)


def _from_directory(source: Source, upstream: Path, folder: Path) -> list[_Got]:
    """Copies of the files that the directory ``upstream`` has for ``source``."""
    base = upstream / source.id
    got = []
    invented = (upstream / INVENTED_MARKER).exists()
    for number, (name, files) in enumerate(in_directory(source, base).items()):
        copy = folder / f"received-{number}"
        shutil.copyfile(base / name, copy)
        for file in files:
            check_sound(copy, file, f"{_where(file)}, {base / name}", name)
        with copy.open("rb") as stream:
            sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
        address = (base / name).absolute().as_uri()
        received = ReceivedFile(name, address, address, copy.stat().st_size, sha256, invented=invented)
        got.append(_Got(received, tuple(file.part for file in files), copy))
    return got


def in_directory(source: Source, folder: Path) -> dict[str, list[File]]:
    """The names of the files that ``folder`` has for ``source``, each with the parts of the source that it is.

    Raises:
        NotInStandIn: it has none.
    """
    names = sorted(path.name for path in folder.glob("*") if path.is_file() and not path.name.startswith("."))
    chosen: dict[str, list[File]] = {}
    for file in source.files.values():
        matching = [name for name in names if re.fullmatch(file.name, name)]
        if matching:
            chosen.setdefault(matching[-1], []).append(file)
        elif not file.optional:
            log.info("%s: %s has no file that matches %r", _where(file), folder, file.name)
    if not chosen:
        patterns = " or ".join(repr(file.name) for file in source.files.values())
        raise NotInStandIn(
            source.id,
            f"expected a file whose name matches {patterns} in {folder}; found {_listed(names)}.",
            "Put the file there under such a name, or unset EDU_UPSTREAM to use the real publisher.",
        )
    return chosen


class Publishers:
    """The files of one source from its publishers, or from a mirror of them; each URL is asked once.

    Args:
        previous: the archive's newest release of the source.
        folder: for what is downloaded.
        today: from whose year downward ``{year}`` in a URL is tried; None: today.
        answers: what interfaces have answered already, by URL.
    """

    def __init__(
        self,
        source: Source,
        archive: Archive,
        previous: Release | None,
        folder: Path,
        policy: Policy,
        today: date | None = None,
        answers: Mapping[str, Any] | None = None,
    ) -> None:
        self._source, self._folder, self._policy = source, folder, policy
        self._today = today or datetime.now(UTC).date()
        self._previous = previous
        self._mirror = shown(policy.mirror) if policy.mirror else None
        # A mirror's dates say nothing of the publisher's, nor the other way round.
        seen = archive.as_last_seen(previous) if previous else ()
        self._seen = {file.url: file for file in seen if file.mirror == self._mirror}
        self._answers = dict(answers or {})
        self._heads: dict[str, Head] = {}

    def collect(self) -> list[_Got]:
        """Every part's file, each URL once; parts that are optional and not to be had are left out.

        If nothing is left, that is a failure.
        """
        left_out: list[EduError] = []
        kept: dict[ReceivedFile, list[str]] = {}
        shared: dict[str, tuple[Origin, list[File]]] = {}
        for file in self._source.files.values():
            try:
                origin = self.origin(file)
                if origin is None:
                    kept.setdefault(self._supplied_before(file), []).append(file.part)
                else:
                    shared.setdefault(origin.url, (origin, []))[1].append(file)
            except (SourceMissing, DownloadFailed) as error:
                left_out.append(_optional([file], error))
        got = [_Got(file, tuple(parts), None) for file, parts in kept.items()]
        for number, (origin, files) in enumerate(shared.values()):
            try:
                got.append(self._download(origin, files, self._folder / f"received-{number}"))
            except DownloadFailed as error:
                left_out.append(_optional(files, error))
        if not got:
            raise left_out[0]
        return got

    def seen(self, url: str) -> ReceivedFile | None:
        """What we have from ``url`` already."""
        return self._seen.get(shown(url))

    def _download(self, origin: Origin, files: list[File], into: Path) -> _Got:
        parts = tuple(file.part for file in files)
        previous = self.seen(origin.url)
        if previous and origin.decides and previous.publisher == origin.publisher:
            return _Got(previous, parts, None)
        where, max_bytes = _where(*files), max(file.max_bytes for file in files)
        answer: Downloaded | NotModified
        if files[0].arcgis:
            answer = arcgis.download_layer(origin.url, into, max_bytes=max_bytes, policy=self._policy, where=where)
        else:
            answer = download(
                origin.url, into, max_bytes=max_bytes, previous=previous, policy=self._policy, where=where
            )
        if isinstance(answer, NotModified):
            return _Got(answer.previous, parts, None)
        name = origin.name or _safe_name(answer.file_name, files[0])
        for file in {file.format: file for file in files}.values():
            check_sound(answer.path, file, f"{_where(file)}, {answer.final_url}", name)
        received = ReceivedFile(
            name=name,
            url=answer.url,
            final_url=answer.final_url,
            bytes=answer.bytes,
            sha256=answer.sha256,
            etag=answer.etag,
            last_modified=answer.last_modified,
            publisher=origin.publisher,
            mirror=self._mirror,
            invented=answer.invented,
        )
        return _Got(received, parts, answer.path)

    def _supplied_at_mirror(self, file: File) -> Origin | None:
        """What a mirror has of a file that no publisher offers, under ``/supplied/<source>/``; None if it has none."""
        if self._mirror is None:
            return None
        base = SUPPLIED.format(source=file.source)
        try:
            names = [str(name) for name in self._json(base, file, list) if re.fullmatch(file.name, str(name))]
        except DownloadFailed as error:
            if error.status != 404:
                raise
            names = []
        return Origin(base + max(names), max(names)) if names else None

    def _supplied_before(self, file: File) -> ReceivedFile:
        """The file that an operator handed in for an earlier release: no publisher has a newer one."""
        kept = self._previous.file(file.part) if self._previous else None
        if kept is None:
            raise SourceMissing(
                _where(file),
                "expected a file that no publisher offers for download; none was handed in yet.",
                f"Put it into a folder <directory>/{file.source}/, under a name that matches {file.name!r}, and run "
                "with EDU_UPSTREAM=<directory>.",
            )
        return kept

    def origin(self, file: File) -> Origin | None:
        """Where a file is to be had; None if no publisher offers it.

        Raises:
            SourceMissing: the publisher has no such file.
            DownloadFailed, DownloadRefused, PublisherUnavailable: see ``download``.
            FileInvalid: an interface's answer is not JSON.
        """
        if file.supplied:
            return self._supplied_at_mirror(file)
        if file.opendatasoft:
            return self._opendatasoft(file.opendatasoft, file)
        if file.datagouv:
            return self._datagouv(file.datagouv, file)
        if file.arcgis:
            return self._arcgis(file.arcgis, file)
        assert file.url is not None
        return self._newest_year(file.url, file) if "{year}" in file.url else Origin(file.url)

    def head(self, url: str, file: File) -> Head:
        """What the server says of the file at ``url``.

        Raises:
            DownloadRefused, PublisherUnavailable: see ``download.head``.
        """
        if url not in self._heads:
            self._heads[url] = head(url, policy=self._policy, where=_where(file))
        return self._heads[url]

    def _opendatasoft(self, dataset: Opendatasoft, file: File) -> Origin:
        """The export of a dataset, and what its portal says of the data.

        A portal without that information still has the export.
        """
        base = OPENDATASOFT.format(portal=dataset.portal, dataset=dataset.dataset)
        url = f"{base}/exports/{file.format}?use_labels=false"
        if file.format == "csv":
            url += "&delimiter=%3B"
        try:
            answer = self._json(base, file)
        except DownloadFailed as error:
            log.warning("%s: no metadata, downloading without: %s", _where(file), error)
            answer = {}
        metas = (answer.get("metas") or {}).get("default") or {}
        said = {
            "data_processed": metas.get("data_processed"),
            "records_count": metas.get("records_count"),
            "fields": [entry.get("name") for entry in answer.get("fields") or []],
        }
        return Origin(url, f"{dataset.dataset}.{file.format}", said, decides=said["data_processed"] is not None)

    def _datagouv(self, dataset: DataGouv, file: File) -> Origin:
        """The newest resource of a dataset whose title and format match."""
        url = DATA_GOUV.format(dataset=dataset.dataset)
        resources = self._json(url, file).get("resources") or []
        matching = [
            resource
            for resource in resources
            if re.search(dataset.title, resource.get("title") or "")
            and (resource.get("format") or "").lower() == dataset.format.lower()
        ]
        if not matching:
            titles = [f"{resource.get('title')!r} ({resource.get('format')})" for resource in resources]
            raise SourceMissing(
                _where(file),
                f"expected a resource of {url} with format {dataset.format} and a title that matches "
                f"{dataset.title!r}; found {_listed(titles)}.",
                "Correct the title's pattern in edu_pipeline/sources/catalogue.toml.",
            )
        newest = max(matching, key=lambda resource: resource.get("last_modified") or "")
        said = {name: newest.get(name) for name in ("id", "title", "last_modified", "checksum", "filesize")}
        return Origin(newest.get("latest") or newest.get("url") or "", None, said)

    def _arcgis(self, layer: str, file: File) -> Origin:
        """All features of a layer, and when the service says that it was last edited."""
        description = f"{layer}?f=json"
        said = self._json(description, file)
        arcgis.check_answer(said, description, _where(file))
        told = arcgis.told_of(said)
        decides = told["lastEditDate"] is not None
        return Origin(arcgis.query_of(layer, said), f"{file.source}.{file.format}", told, decides)

    def _newest_year(self, template: str, file: File) -> Origin:
        """The first year, from the current one downward, for which ``template`` answers.

        A publisher that is out of order is no reason to take an older year: that is raised.
        """
        tried = []
        for year in range(self._today.year, self._today.year - YEARS, -1):
            url = template.replace("{year}", str(year))
            status = self.head(url, file).status
            if status == 200:
                return Origin(url)
            tried.append(f"{year} (HTTP status {status})")
        raise SourceMissing(
            _where(file),
            f"expected a file at {shown(template)} for one of the last {YEARS} years; found none: {', '.join(tried)}.",
            "Open the source's landing page, and change the URL in edu_pipeline/sources/catalogue.toml.",
        )

    def _json(self, url: str, file: File, kind: type[dict[str, Any]] | type[list[Any]] = dict) -> Any:
        if url not in self._answers:
            self._answers[url] = answer_of(url, self._folder, self._policy, _where(file), kind)
        return self._answers[url]


def answer_of(
    url: str, folder: Path, policy: Policy, where: str, kind: type[dict[str, Any]] | type[list[Any]] = dict
) -> Any:
    """What an interface answers with, an object or a list in JSON.

    Args:
        folder: for the file that it is until it is read.

    Raises:
        DownloadFailed, DownloadRefused, PublisherUnavailable: see ``download``.
        FileInvalid: it is something else.
    """
    path = folder / "answer.json"
    download(url, path, max_bytes=MAX_ANSWER, policy=policy, where=where)
    raw = path.read_bytes()
    path.unlink()
    try:
        answer = json.loads(raw)
    except ValueError:
        answer = None
    if not isinstance(answer, kind):
        raise FileInvalid(
            where,
            f"expected a JSON {'object' if kind is dict else 'list'} from {shown(url)}; "
            f"found {len(raw):,} bytes that begin with {raw[:60]!r}.",
            "Fetch it again later; if it lasts, look at the publisher's page on its interface.",
        )
    return answer


def _optional(files: list[File], error: EduError) -> EduError:
    """``error``, if it says that there is no such file and ``files`` are optional; else it is raised."""
    is_absent = not isinstance(error, DownloadFailed) or error.status in (404, 410)
    if not is_absent or not all(file.optional for file in files):
        raise error
    log.info("%s: left out, being optional: %s", _where(*files), error)
    return error


def _where(*files: File) -> str:
    """What failure texts call the files: source, and part if there are several."""
    parts = ", ".join(file.part for file in files if file.part != "main")
    return f"{files[0].source} ({parts})" if parts else files[0].source


def _listed(found: list[str]) -> str:
    more = f" and {len(found) - EXAMPLES} more" if len(found) > EXAMPLES else ""
    return ", ".join(found[:EXAMPLES]) + more or "nothing"


def _safe_name(sent: str, file: File) -> str:
    """The name that a publisher sent, fit to be a file's name, with a suffix."""
    name = re.split(r"[/\\]", unquote(sent))[-1]
    name = re.sub(r"[^\w.() +-]", "_", name).strip(" .")[-150:].lstrip(" .") or file.part
    return name if "." in name else f"{name}.{'zip' if file.member else file.format}"


def _published_at(file: ReceivedFile) -> datetime | None:
    """The publisher's own date of the data: of its interface, else of the file on its server."""
    return moment_of(file.publisher.get("data_processed") or file.publisher.get("last_modified") or file.last_modified)


def moment_of(said: str | None) -> datetime | None:
    """A publisher's date, as an interface writes it or as an HTTP header does; None if it is none."""
    if not said:
        return None
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            moment = read(said)
        except (TypeError, ValueError):
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
