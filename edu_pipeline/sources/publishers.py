"""The files of one source from its publishers, or from a mirror of them.

Belongs here: downloading each URL once, only if it has changed, and what is left out. Does not belong here: which URL a
file has (``origins.py``), what becomes of the files (``fetch.py``).
"""

from __future__ import annotations

import logging
import re
from datetime import date
from pathlib import Path
from urllib.parse import unquote

from edu_pipeline.catalogue import File, Source
from edu_pipeline.errors import DownloadFailed, EduError, SourceMissing
from edu_pipeline.sources import arcgis
from edu_pipeline.sources.admission import Admission, still_refused
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.download import GONE, Downloaded, NotModified, download
from edu_pipeline.sources.interfaces import Interfaces
from edu_pipeline.sources.origins import Origin, origin_of
from edu_pipeline.sources.policy import Policy
from edu_pipeline.sources.release import ArrivedFile, ReceivedFile, Release
from edu_pipeline.sources.texts import file_names, without_secrets

log = logging.getLogger(__name__)


def seen_by_url(archive: Archive, release: Release | None, mirror: str | None) -> dict[str, ReceivedFile]:
    """The files that we have, by the URL that they were last seen at, in the form without secrets.

    Args:
        mirror: the mirror that is asked, without secrets; its dates mean nothing to the publisher, nor the publisher's
            to it, so only files that came the same way count.
    """
    files = archive.as_last_seen(release) if release else ()
    return {file.url: file for file in files if file.mirror == mirror}


def means_absent(error: EduError) -> bool:
    """Whether a failure says that there is no such file; an optional one is then left out."""
    return isinstance(error, SourceMissing) or (isinstance(error, DownloadFailed) and error.status in GONE)


class Publishers:
    """The publishers of one source, or a mirror of them.

    Args:
        previous: the archive's newest release of the source.
        folder: for what is downloaded.
        today: from whose year backwards ``{year}`` in a URL is tried.
        admission: decides which files are refused.
    """

    def __init__(
        self,
        source: Source,
        archive: Archive,
        previous: Release | None,
        folder: Path,
        policy: Policy,
        today: date,
        admission: Admission,
    ) -> None:
        self._admission = admission
        self._source, self._previous, self._folder, self._policy, self._today = source, previous, folder, policy, today
        self._seen = seen_by_url(archive, previous, policy.mirror_name)
        self._interfaces = Interfaces(folder, policy)

    def collect(self) -> list[ArrivedFile]:
        """Every part's file; optional parts that the publisher does not have are left out.

        Raises:
            SourceMissing, DownloadFailed: there is no file for a part that is not optional, or for any part.
            DownloadRefused, PublisherUnavailable: see ``download``.
            FileInvalid, MemberMissing: a file is not what the catalogue says.
        """
        left_out: list[EduError] = []
        handed_in: dict[ReceivedFile, list[str]] = {}
        downloads: dict[str, tuple[Origin, list[File]]] = {}
        for file in self._source.files.values():
            try:
                origin = origin_of(file, self._interfaces, self._today)
                if origin is None:
                    handed_in.setdefault(self._handed_in(file), []).append(file.part)
                else:
                    downloads.setdefault(origin.url, (origin, []))[1].append(file)
            except (SourceMissing, DownloadFailed) as error:
                left_out.append(_left_out([file], error))
        arrived = [ArrivedFile(file, tuple(parts), None) for file, parts in handed_in.items()]
        for number, (origin, files) in enumerate(downloads.values()):
            try:
                arrived.append(self._download(origin, files, self._folder / f"received-{number}"))
            except DownloadFailed as error:
                left_out.append(_left_out(files, error))
        if not arrived:
            raise left_out[0]
        return arrived

    def _download(self, origin: Origin, files: list[File], into: Path) -> ArrivedFile:
        parts = tuple(file.part for file in files)
        previous = self._seen.get(without_secrets(origin.url))
        if previous and origin.decides and previous.publisher == origin.publisher:
            return ArrivedFile(previous, parts, None)
        refusal = self._admission.refused_at(without_secrets(origin.url), self._policy.mirror_name)
        if refusal and origin.decides and refusal.file.publisher == origin.publisher:
            raise still_refused(refusal)
        previous = refusal.file if refusal else previous
        where, max_bytes = file_names(*files), max(file.max_bytes for file in files)
        answer: Downloaded | NotModified
        if files[0].arcgis:
            answer = arcgis.download_layer(origin.url, into, max_bytes=max_bytes, policy=self._policy, where=where)
        else:
            answer = download(
                origin.url, into, max_bytes=max_bytes, previous=previous, policy=self._policy, where=where
            )
        if isinstance(answer, NotModified):
            if refusal:
                raise still_refused(refusal)
            return ArrivedFile(answer.previous, parts, None)
        name = origin.name or safe_name(answer.file_name, files[0])
        received = ReceivedFile(
            name=name,
            url=answer.url,
            final_url=answer.final_url,
            bytes=answer.bytes,
            sha256=answer.sha256,
            etag=answer.etag,
            last_modified=answer.last_modified,
            publisher=origin.publisher,
            mirror=self._policy.mirror_name,
            invented=answer.invented,
        )
        self._admission.check(answer.path, files, received, answer.final_url)
        return ArrivedFile(received, parts, answer.path)

    def _handed_in(self, file: File) -> ReceivedFile:
        """The file that an operator handed in for an earlier release: no publisher has a newer one."""
        received = self._previous.file(file.part) if self._previous else None
        if received is None:
            raise SourceMissing(
                file_names(file),
                "expected a file from an operator, since no publisher offers it for download, found none in the "
                "archive.",
                f"Put it into a folder <directory>/{file.source}/, under a name that matches {file.name!r}, and run "
                "with EDU_UPSTREAM=<directory>.",
            )
        return received


def _left_out(files: list[File], error: EduError) -> EduError:
    """``error``, if it says that there is no such file and ``files`` are optional; else it is raised."""
    if not means_absent(error) or not all(file.optional for file in files):
        raise error
    log.info("%s: optional and left out: %s", file_names(*files), error)
    return error


def safe_name(sent: str, file: File) -> str:
    """The name that a publisher sent, safe as a file's name, with a suffix."""
    name = re.split(r"[/\\]", unquote(sent))[-1]
    name = re.sub(r"[^\w.() +-]", "_", name).strip(" .")[-150:].lstrip(" .") or file.part
    return name if "." in name else f"{name}.{'zip' if file.member else file.format}"
