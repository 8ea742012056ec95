"""The beginnings of a source's files, from its publisher, a mirror, a directory or the archive; nothing is kept.

Belongs here: the requests of a check (one for the metadata, one for the first kilobytes, one for the last where the
server sends parts). Does not belong here: what the bytes say (``form.py``), comparing (``loading/source_check.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from edu_pipeline.catalogue import File, Source
from edu_pipeline.errors import DownloadFailed, EduError, NotInStandIn, SourceMissing
from edu_pipeline.scratch import scratch_folder
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.dates import publication_date
from edu_pipeline.sources.directory import files_by_name
from edu_pipeline.sources.download import Excerpt, excerpt
from edu_pipeline.sources.file_states import published_together
from edu_pipeline.sources.form import Form, Part, form_of
from edu_pipeline.sources.interfaces import Interfaces
from edu_pipeline.sources.origins import DATA_GOUV, OPENDATASOFT, Origin, origin_of
from edu_pipeline.sources.policy import Policy
from edu_pipeline.sources.publishers import means_absent, safe_name
from edu_pipeline.sources.release import Release
from edu_pipeline.sources.soundness import GZIP
from edu_pipeline.sources.texts import file_names

FIRST, LAST = 64 << 10, 64 << 10
"""How many bytes of the beginning and of the end of a file are requested."""

ROWS = 20
"""How many rows are requested of a portal, which sends no part of a file."""


@dataclass(frozen=True)
class Beginning:
    """What is shown of a file.

    Attributes:
        name: the file's name.
        form: what its first kilobytes say; None if they say that it is another kind of file: ``error`` says which.
        error: why there is no form.
        size: in bytes; None if it is not given, or is that of an excerpt.
        announced: the size that the publisher's interface gives.
        published_at: the publisher's date of it.
        licence: as the publisher's interface gives it.
    """

    file: File
    name: str = ""
    form: Form | None = None
    error: EduError | None = None
    size: int | None = None
    announced: int | None = None
    published_at: datetime | None = None
    licence: str | None = None


def from_publisher(source: Source, newest: Release | None, policy: Policy, today: date) -> list[Beginning]:
    """The beginnings of the files of a source at its publisher, or at a mirror.

    An optional file that does not exist is left out, and so is a file that only operators have. Of files that differ in
    the name of the part alone (BAN: one per département), one stands for all.

    Args:
        newest: the archive's newest release.
        today: from whose year backwards ``{year}`` in a URL is tried.
    """
    with scratch_folder("edu-pipeline-check-") as folder:
        publisher = _Publisher(Interfaces(folder, policy), today)
        beginnings = []
        for files in published_together(source, newest):
            stand_for_each_other = len({file.url for file in files}) > 1
            for file in files:
                beginning = publisher.beginning(file)
                if beginning:
                    beginnings.append(beginning)
                if beginning and stand_for_each_other:
                    break
        return beginnings


def from_directory(source: Source, upstream: Path) -> list[Beginning]:
    """The beginnings of the files that a directory has for a source; none if it has no file of it."""
    try:
        names = files_by_name(source, upstream / source.id)
    except NotInStandIn:
        return []
    beginnings = []
    for name, files in names.items():
        path = upstream / source.id / name
        written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        facts = {"size": path.stat().st_size, "published_at": written_at}
        beginnings += [_examined(file, _of_file(path, name), **facts) for file in files]
    return beginnings


def columns_in_archive(archive: Archive, release: Release, file: File) -> tuple[str, ...] | None:
    """The columns of a part of a release; None if there is no such part, or if its beginning does not say."""
    received = release.file(file.part)
    if received is None:
        return None
    path = archive.local(release, received, verify=False)
    form = _examined(file, _of_file(path, received.name)).form
    return form.columns if form else None


@dataclass(frozen=True)
class _Publisher:
    """The publisher of one source."""

    interfaces: Interfaces
    today: date
    excerpts: dict[tuple[str, bool], Excerpt] = field(default_factory=dict)

    def beginning(self, file: File) -> Beginning | None:
        """The beginning of a file; None if it is optional and does not exist, or if only operators have it."""
        try:
            origin = origin_of(file, self.interfaces, self.today)
            if origin is None:
                return None
            part, head = self._part(file, origin)
        except (SourceMissing, DownloadFailed) as error:
            if file.optional and means_absent(error):
                return None
            return Beginning(file, error=error)
        except EduError as error:
            return Beginning(file, error=error)
        return _examined(
            file,
            part,
            size=head.size if not (file.opendatasoft or file.arcgis) else None,
            announced=origin.publisher.get("filesize"),
            published_at=publication_date(origin.publisher, head.last_modified),
            licence=self._licence(file),
        )

    def _part(self, file: File, origin: Origin) -> tuple[Part, Excerpt]:
        url = origin.url
        if file.opendatasoft:
            url += f"&limit={ROWS}"
        elif file.arcgis:
            url += f"&resultOffset=0&resultRecordCount={ROWS}"
        head = self._excerpt(url, file)
        tail = head.content[-LAST:] if head.is_whole else None
        if head.is_ranged and not head.is_whole and not head.content.startswith(GZIP):
            tail = self._excerpt(url, file, from_end=True).content
        return Part(head.content, origin.name or safe_name(head.file_name, file), head.is_whole, tail), head

    def _excerpt(self, url: str, file: File, from_end: bool = False) -> Excerpt:
        if (url, from_end) not in self.excerpts:
            count, policy = LAST if from_end else FIRST, self.interfaces.policy
            self.excerpts[url, from_end] = excerpt(url, count, from_end=from_end, policy=policy, where=file_names(file))
        return self.excerpts[url, from_end]

    def _licence(self, file: File) -> str | None:
        """What the publisher's interface, which has answered already, says of the licence."""
        try:
            if file.opendatasoft:
                dataset = file.opendatasoft
                url = OPENDATASOFT.format(portal=dataset.portal, dataset=dataset.dataset)
                metas: Mapping[str, Any] = self.interfaces.json(url, file_names(file)).get("metas") or {}
                licence = (metas.get("default") or {}).get("license")
                return str(licence) if licence else None
            if file.datagouv:
                url = DATA_GOUV.format(dataset=file.datagouv.dataset)
                licence = self.interfaces.json(url, file_names(file)).get("license")
                return str(licence) if licence else None
        except EduError:
            pass  # the portal has the export without metadata
        return None


def _of_file(path: Path, name: str) -> Part:
    """The beginning and the end of a local file."""
    with path.open("rb") as stream:
        head = stream.read(FIRST)
        size = path.stat().st_size
        stream.seek(max(0, size - LAST))
        return Part(head, name, size <= len(head), stream.read(LAST))


def _examined(file: File, part: Part, **facts: Any) -> Beginning:
    """A beginning with the form that its bytes have."""
    with scratch_folder("edu-pipeline-form-") as scratch:
        try:
            form = form_of(part, file, scratch, file_names(file))
        except EduError as error:
            return Beginning(file, part.name, error=error, **facts)
    return Beginning(file, part.name, form, **facts)
