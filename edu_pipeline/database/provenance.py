"""Provenance: which releases the rows of a table or view are made from, all the way, and what licence follows.

Belongs here: from the ledger to the releases behind a table, and from these to its edition, licence and attribution.
Does not belong here: the licence of one source (``catalogue.toml``), statements about the ledger (``ledger.py``), what
a load has to read (``loading/lineage.py``: a table that is only looked up gives no rows).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from edu_pipeline.catalogue import Source, catalogue
from edu_pipeline.database import ledger, probe_memory
from edu_pipeline.database.connection import Connection
from edu_pipeline.database.ledger import Load, RecordedRelease
from edu_pipeline.database.probe_memory import Answer
from edu_pipeline.sources.editions import edition_of, sight_of
from edu_pipeline.sources.licences import LICENCE_OUVERTE, ODBL
from edu_pipeline.table import Table, tables

OPERATORS_FILE = "file-"
"""Beginning of the source of a file that an operator has loaded into a table (``loading/operator_file.py``)."""

INVENTED = "Invented data of the sample publisher: no school, person or figure here is real."


@dataclass(frozen=True)
class Origin:
    """A release that rows are made from.

    Attributes:
        source: its entry in the catalogue; None for a file that an operator has loaded.
        parts: the parts of the source that rows are made from.
        later: a later edition that the publisher shows and that is not read; None if it shows none.
    """

    release: RecordedRelease
    source: Source | None
    parts: frozenset[str] = frozenset()
    later: str | None = None

    @property
    def day(self) -> date:
        """The publisher's own date, else that of the download."""
        return (self.release.published_at or self.release.retrieved_at).date()

    @property
    def edition(self) -> str | None:
        """The newest vintage that the catalogue takes from the names of the files; None where it takes none."""
        if self.source is None:
            return None
        files = [file for part, file in self.source.files.items() if part in self.parts]
        names = [str(file["name"]) for file in self.release.files]
        return max(filter(None, (edition_of(file, name) for file in files for name in names)), default=None)

    @property
    def edition_in_words(self) -> str:
        """The edition, else the day; that there is a later one; or that nobody can be asked."""
        read = self.edition or f"of {self.day}"
        if self.later:
            return f"{read} (later: {self.later}, not read yet)"
        source = self.source
        sights = {sight_of(source, source.files[part]) for part in self.parts} if source else {"unknown"}
        return f"{read} (the publisher does not show whether there is a later one)" if "unknown" in sights else read

    @property
    def title(self) -> str:
        """Publisher and dataset."""
        if self.source is None:
            return f"file of an operator, {', '.join(str(file['name']) for file in self.release.files)}"
        return f"{self.source.publisher}, {self.source.title}"

    @property
    def citation(self) -> str:
        """Publisher, dataset, edition, day and licence."""
        edition = f", edition {self.edition}" if self.edition else ""
        licence = f", {self.source.licence}" if self.source else ""
        return f"{self.title}{edition}, release of {self.day}{licence}"


@dataclass(frozen=True)
class Provenance:
    """What the rows of a table or view are made from.

    Attributes:
        origins: the releases, in the order of the ids of their sources.
        licences: what applies to the rows, see ``governing``.
    """

    origins: tuple[Origin, ...]
    licences: tuple[str, ...]

    @property
    def day(self) -> date | None:
        """The day of the newest release; None without one."""
        return max((origin.day for origin in self.origins), default=None)

    @property
    def invented(self) -> bool:
        """Whether any of it is of the sample publisher."""
        return any(file["invented"] for origin in self.origins for file in origin.release.files)

    @property
    def attribution(self) -> str:
        """What somebody who shows the rows has to say, ready to paste; empty without a release."""
        if not self.origins:
            return ""
        sources = "; ".join(origin.citation for origin in self.origins)
        later = [f"{origin.title}, {origin.later}" for origin in self.origins if origin.later]
        not_read = f" Later editions that are not read yet: {'; '.join(later)}." if later else ""
        licence = f"licence of the result: {', '.join(self.licences)}"
        text = f"Sources: {sources}.{not_read} Compiled by edu_pipeline; {licence}."
        return f"{INVENTED} {text}" if self.invented else text


def editions_of(connection: Connection, loads: Mapping[str, Load]) -> dict[str, dict[str, str]]:
    """Table to its own sources, each with the edition of the rows, in words.

    Args:
        loads: by table.
    """
    pairs = {pair for load in loads.values() for pair in load.releases.items()}
    recorded = {(entry.source, entry.release): entry for entry in ledger.recorded_releases(connection, pairs)}
    answers = probe_memory.answers(connection)
    return {
        name: {
            origin.release.source: origin.edition_in_words
            for pair in load.releases.items()
            if pair in recorded
            for origin in [_origin(recorded[pair], parts_read(tables()[name], pair[0]), answers)]
        }
        for name, load in loads.items()
        if name in tables()
    }


def provenance(connection: Connection, schema: str, made_from: Iterable[str]) -> Provenance:
    """What rows made from the tables ``made_from``, of the target schema, are made from; a table is made from itself.

    A table that was never loaded, or was loaded from a file of an operator, has the licences of all its sources in the
    catalogue.
    """
    loads = ledger.newest(connection, schema)
    used: dict[tuple[str, str], set[str]] = {}
    licences: dict[str, None] = {}
    for table in _behind(made_from):
        load = loads.get(table.name)
        for source, release in load.releases.items() if load else ():
            used.setdefault((source, release), set()).update(parts_read(table, source))
        licences |= dict.fromkeys(catalogue()[source].licence for source in _sources(table, load))
    recorded = ledger.recorded_releases(connection, used)
    answers = probe_memory.answers(connection)
    origins = [_origin(release, used[release.source, release.release], answers) for release in recorded]
    return Provenance(tuple(origins), governing(licences))


def _origin(release: RecordedRelease, parts: Iterable[str], answers: Mapping[str, Answer]) -> Origin:
    later = answers[release.source].later if release.source in answers else None
    return Origin(release, catalogue().get(release.source), frozenset(parts), later)


def parts_read(table: Table, source: str) -> set[str]:
    """The parts of a source that a table reads itself."""
    parts = {file.part for file in table.files.values() if file.source == source}
    return parts | {part for entry in table.in_parts.values() if entry.id == source for part in entry.files}


def governing(licences: Iterable[str]) -> tuple[str, ...]:
    """The licences of something made from parts under ``licences``, sorted.

    The ODbL wants what is made from it under the ODbL too, and the Licence Ouverte allows that. Any other stays.
    """
    names = sorted(set(licences))
    if any(name.startswith(ODBL) for name in names):
        return tuple(name for name in names if not name.startswith(LICENCE_OUVERTE))
    return tuple(names)


def _behind(names: Iterable[str]) -> Iterator[Table]:
    """The tables ``names``, and all that they are made from, each once; not those in which codes are looked up."""
    pending, seen = list(names), set()
    while pending:
        table = tables()[pending.pop()]
        if table.name not in seen:
            seen.add(table.name)
            pending += table.input_tables
            yield table


def _sources(table: Table, load: Load | None) -> list[str]:
    """The catalogue's sources whose content is in the rows of ``table``."""
    releases: Mapping[str, str] = load.releases if load else {}
    if load is None or any(source.startswith(OPERATORS_FILE) for source in releases):
        return table.sources
    return [source for source in releases if source in catalogue()]
