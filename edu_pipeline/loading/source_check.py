"""Checking sources before anything is fetched: what a load of each would meet, from one or two small requests.

Belongs here: comparing what a publisher shows with the contracts, the archive and the catalogue. Does not belong here:
asking (``sources/beginnings.py``), how the answers look (``cli/source_check.py``). Nothing is archived or loaded.
"""

from __future__ import annotations

import difflib
import json
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import Literal

from edu_pipeline.catalogue import File, Source
from edu_pipeline.contracts import specs
from edu_pipeline.errors import ColumnMissing, EduError, NoRows, PublisherUnavailable, failure_text
from edu_pipeline.loading.columns import is_called, is_required
from edu_pipeline.loading.unfolding import columns_of_long
from edu_pipeline.long_form import is_figure
from edu_pipeline.normalise import slug
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.beginnings import Beginning, columns_in_archive, from_directory, from_publisher
from edu_pipeline.sources.directory import is_directory
from edu_pipeline.sources.licences import same_licence
from edu_pipeline.sources.policy import Policy
from edu_pipeline.sources.probe import PROBING
from edu_pipeline.sources.release import Release
from edu_pipeline.sources.texts import file_names, listed
from edu_pipeline.table import Table, tables

log = logging.getLogger(__name__)

State = Literal["ok", "differs", "waits", "stops"]
"""``differs``: it loads, but somebody should look; ``waits``: there is no file yet, and its tables wait for it."""

SECONDS = 60.0
"""How long the check of a source may take."""

CLOSE, CLOSE_AND_NEW = 0.85, 0.6
"""How alike two names must be for one to be taken for the other, renamed: the second where the archive shows that the
candidate is new."""

SHRUNK = 0.8
"""A file with less than this share of the archived file's bytes is reported."""


@dataclass(frozen=True)
class Sought:
    """A column that a table looks for in a file.

    Attributes:
        expected: the publisher's name, or a pattern of slugs (``^...``).
        field: the contract's column, or ``needs[...]``.
        columns: the columns of the file that have the name, or an alias of it.
        is_required: whether a load stops if there is none.
        is_optional: whether the contract says that files may lack it.
    """

    table: Table
    expected: str
    field: str
    columns: tuple[str, ...]
    is_required: bool
    is_optional: bool = False


@dataclass(frozen=True)
class Renamed:
    """A column that seems to have been renamed.

    Attributes:
        column: the new name.
        line: what to paste into the contract.
        path: the file of the contract.
    """

    table: str
    field: str
    expected: str
    column: str
    line: str
    path: str


@dataclass(frozen=True)
class SourceCheck:
    """What a check says of a source.

    Attributes:
        stops: failure texts: why a load would stop.
        notes: what differs, and stops nothing.
        forms: what was found, per file: number of columns, or why they were not checked.
        edition: the publisher's newest: its date, and the file's name.
        archived: the newest release in the archive.
        licence: as the publisher states it; None if it does not.
        new: columns that the archived release does not have and no contract reads.
        missing: columns that contracts read and the file does not have.
        seconds: how long it took.
    """

    source: str
    state: State
    stops: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    forms: list[str] = field(default_factory=list)
    edition: str = ""
    archived: str = ""
    licence: str | None = None
    new: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    renamed: list[Renamed] = field(default_factory=list)
    seconds: float = 0.0


def check_sources(
    sources: Iterable[Source],
    archive: Archive,
    upstream: str | None,
    *,
    policy: Policy = PROBING,
    seconds: float = SECONDS,
    today: date | None = None,
) -> list[SourceCheck]:
    """Check sources, all at the same time; a failure concerns its own source only.

    Args:
        upstream: what stands in for the publishers, as for ``fetch``.
        policy: how requests are made.
        seconds: after this time, a source that has not answered counts as unavailable.
        today: from whose year backwards ``{year}`` in a URL is tried.
    """
    today = today or datetime.now(UTC).date()
    tables()  # imported once, before the threads

    def check(source: Source) -> SourceCheck:
        newest = archive.newest(source.id)
        if is_directory(upstream):
            beginnings = from_directory(source, Path(upstream))
        else:
            beginnings = from_publisher(source, newest, replace(policy, mirror=upstream), today)
        return _judged(source, beginnings, archive, newest)

    sources = list(sources)
    checks = _in_time({source.id: partial(check, source) for source in sources}, seconds)
    return [checks[source.id] for source in sources]


def _in_time(checks: Mapping[str, Callable[[], SourceCheck]], seconds: float) -> dict[str, SourceCheck]:
    """The checks' results, by source.

    The threads are daemons: one that a publisher keeps waiting ends with the process, and delays nobody.
    """
    results: dict[str, SourceCheck] = {}

    def run(source: str, check: Callable[[], SourceCheck]) -> None:
        started = time.monotonic()
        try:
            result = check()
        except Exception as error:
            if not isinstance(error, EduError):
                log.exception("%s: a defect in its check", source)
            result = SourceCheck(source, "stops", [failure_text(error)])
        results[source] = replace(result, seconds=time.monotonic() - started)

    threads = {
        source: threading.Thread(target=run, args=(source, check), name=f"check {source}", daemon=True)
        for source, check in checks.items()
    }
    deadline = time.monotonic() + seconds
    for thread in threads.values():
        thread.start()
    for thread in threads.values():
        thread.join(max(0.0, deadline - time.monotonic()))
    late = {source: _too_late(source, seconds) for source in checks}
    return late | results


def _too_late(source: str, seconds: float) -> SourceCheck:
    error = PublisherUnavailable(
        source, f"expected an answer within {seconds:g} s, found none.", "Check it again later: nothing was changed."
    )
    return SourceCheck(source, "stops", [str(error)], seconds=seconds)


def _judged(source: Source, beginnings: list[Beginning], archive: Archive, newest: Release | None) -> SourceCheck:
    """What the beginnings of a source's files mean for a load."""
    archived = _archived(newest)
    if not beginnings:
        return _without_file(source, archived)
    check = SourceCheck(source.id, "ok", archived=archived)
    for beginning in beginnings:
        _judge_file(check, source, beginning, archive, newest)
    dates = [beginning.published_at for beginning in beginnings if beginning.published_at]
    names = ", ".join(dict.fromkeys(beginning.name for beginning in beginnings if beginning.name))
    edition = " ".join(filter(None, [f"{max(dates):%Y-%m-%d}" if dates else "", names]))
    licence = next((beginning.licence for beginning in beginnings if beginning.licence), None)
    if not same_licence(licence, source.licence):
        text = f"expected the licence {source.licence}, found {licence}. Read it, and change the catalogue."
        check.notes.append(text)
    state: State = "stops" if check.stops else "differs" if check.notes else "ok"
    return replace(check, state=state, edition=edition, licence=licence)


def _archived(newest: Release | None) -> str:
    if newest is None:
        return ""
    moment = newest.published_at or newest.retrieved_at
    return f"{moment:%Y-%m-%d} {', '.join(file.name for file in newest.files[:3])}"


def _without_file(source: Source, archived: str) -> SourceCheck:
    """The check of a source of which neither its publisher nor its mirror has a file."""
    if archived:
        return SourceCheck(source.id, "ok", forms=["not asked: the archive has what was handed in"], archived=archived)
    if source.optional:
        return SourceCheck(source.id, "ok", forms=["optional, and nobody has it"])
    text = (
        "expected a file, found none there, nor in the archive; the tables wait for it. "
        f"Put it into <directory>/{source.id}/, and run with EDU_UPSTREAM=<directory>."
    )
    return SourceCheck(source.id, "waits", notes=[text], forms=["no file"])


def _judge_file(
    check: SourceCheck, source: Source, beginning: Beginning, archive: Archive, newest: Release | None
) -> None:
    """Add to ``check`` what is wrong with one file."""
    file, form = beginning.file, beginning.form
    if form is None:
        check.stops.append(str(beginning.error))
        return
    where = f"{file_names(file)}, {beginning.name}"
    _judge_size(check, beginning, newest)
    if form.is_cut:
        check.notes.append(f"{where}: the last line has fewer fields than the header; the file may be cut off.")
    if form.columns is None:
        check.forms.append(f"form not checked: {form.unchecked}")
        return
    check.forms.append(f"{file.format}, {len(form.columns)} columns")
    if form.has_rows is False:
        text = "expected rows below the header, found none."
        check.stops.append(str(NoRows(where, text, "Open the source's landing page.")))
    known = columns_in_archive(archive, newest, file) if newest else None
    _judge_columns(check, source, file, form.columns, known, where)


def _judge_size(check: SourceCheck, beginning: Beginning, newest: Release | None) -> None:
    size, file = beginning.size, beginning.file
    if size is None:
        return
    if beginning.announced and beginning.announced != size:
        check.notes.append(f"expected {beginning.announced:,} bytes, as the publisher announces, found {size:,}.")
    received = newest.file(file.part) if newest else None
    if received and received.name == beginning.name and size < SHRUNK * received.bytes:
        check.notes.append(f"expected about {received.bytes:,} bytes, as in the archive, found {size:,}: is it whole?")
    if size > file.max_bytes:
        check.stops.append(
            f"DownloadRefused: {file_names(file)}: expected at most {file.max_bytes:,} bytes, found {size:,}. "
            "If the file has really grown that much, raise max_bytes of the source in edu_pipeline/catalogue.toml."
        )


def _judge_columns(
    check: SourceCheck, source: Source, file: File, columns: tuple[str, ...], known: Collection[str] | None, where: str
) -> None:
    """Add to ``check`` which columns are new, missing or renamed.

    Args:
        known: the columns of the archived release; None if there is none, or if they cannot be told.
    """
    sought = [entry for table in tables().values() for entry in columns_sought(table, source, file, columns)]
    claimed = {column for entry in sought for column in entry.columns}
    free = [column for column in columns if column not in claimed]
    if known is not None:
        new = [column for column in free if column not in known]
        check.new.extend(new)
        free = new
    absent = dict.fromkeys(entry.expected for entry in sought if not entry.columns)
    renamed = closest_names(absent, free, CLOSE if known is None else CLOSE_AND_NEW)
    for entry in sought:
        if entry.columns:
            continue
        candidate = renamed.get(entry.expected)
        if entry.is_optional and candidate is None and not _was_there(entry, known or ()):
            continue
        check.missing.append(entry.expected)
        if candidate and entry.field in specs(entry.table.contract):
            check.renamed.append(_alias(entry, candidate))
        if entry.is_required:
            owner = entry.table.contract.__name__ if entry.field in specs(entry.table.contract) else entry.table.name
            closest = [candidate] if candidate else []
            check.stops.append(str(ColumnMissing(where, entry.expected, closest, owner, entry.field)))
        else:
            check.notes.append(f"{where}: {entry.table.name}.{entry.field} will be NULL: no column {entry.expected!r}.")
    if check.new:
        check.notes.append(f"{where}: new columns, which no table reads: {listed(check.new)}.")


def columns_sought(table: Table, source: Source, file: File, columns: Collection[str]) -> list[Sought]:
    """The columns that ``table`` looks for in a file that has ``columns``; none if it does not read the file.

    Of a long file these are the dimensions of its figures: which figures it has, its beginning does not tell.
    """
    parameter = source.slug if source.slug in table.in_parts else file.parameter
    if parameter not in table.parameters:
        return []
    sought = []
    for name, spec in specs(table.contract).items():
        expected = spec.upstream_in(parameter)
        if expected is not None and not is_figure(expected):
            names = (expected, *spec.aliases)
            matching = tuple(column for column in columns if any(is_called(column, wanted) for wanted in names))
            sought.append(Sought(table, expected, name, matching, is_required(table, name), spec.optional))
    for need in [*table.needs.get(parameter, ()), *(columns_of_long(table, parameter) if file.long else ())]:
        matching = tuple(column for column in columns if is_called(column, need))
        sought.append(Sought(table, need, f"needs[{parameter!r}]", matching, True))
    return sought


def closest_names(missing: Collection[str], candidates: Collection[str], cutoff: float) -> dict[str, str]:
    """What each missing column was probably renamed to; a candidate is given to the one that it is closest to."""
    likeness = sorted(
        (
            (difflib.SequenceMatcher(None, slug(name), candidate).ratio(), name, candidate)
            for name in missing
            if not name.startswith("^")
            for candidate in candidates
        ),
        reverse=True,
    )
    chosen: dict[str, str] = {}
    for ratio, name, candidate in likeness:
        if ratio >= cutoff and name not in chosen and candidate not in chosen.values():
            chosen[name] = candidate
    return chosen


def _was_there(entry: Sought, known: Collection[str]) -> bool:
    spec = specs(entry.table.contract)[entry.field]
    return any(is_called(column, name) for name in (entry.expected, *spec.aliases) for column in known)


def _alias(entry: Sought, column: str) -> Renamed:
    """The line that makes the contract read the renamed column."""
    aliases = [*specs(entry.table.contract)[entry.field].aliases, column]
    path = f"edu_pipeline/assets/{entry.table.layer}/{entry.table.path.name}"
    line = f"aliases={json.dumps(aliases, ensure_ascii=False)},"
    return Renamed(entry.table.name, entry.field, entry.expected, column, line, path)
