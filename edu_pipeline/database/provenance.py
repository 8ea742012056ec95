"""Provenance: which releases the rows of a table or view are made from, all the way, and what licence follows.

Belongs here: from the ledger to the releases behind a table, and from these to its edition, licence and attribution.
Does not belong here: the licence of one source (``catalogue.toml``), statements about the ledger (``ledger.py``), what
a load has to read (``loading/lineage.py``: a table that is only looked up gives no rows).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from edu_pipeline.catalogue import Source, catalogue
from edu_pipeline.database import ledger
from edu_pipeline.database.connection import Connection
from edu_pipeline.database.ledger import Load, RecordedRelease
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
    """

    release: RecordedRelease
    source: Source | None

    @property
    def day(self) -> date:
        """The publisher's own date, else that of the download."""
        return (self.release.published_at or self.release.retrieved_at).date()

    @property
    def edition(self) -> str | None:
        """The vintage that the catalogue takes from the names of the files; None where it takes none."""
        if self.source is None:
            return None
        patterns = [file.vintage for file in self.source.files.values() if file.vintage]
        names = [str(file["name"]) for file in self.release.files]
        found = (re.search(pattern, name) for pattern in patterns for name in names)
        return max((match.group(1) for match in found if match), default=None)

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
        text = f"Sources: {sources}. Compiled by edu_pipeline; licence of the result: {', '.join(self.licences)}."
        return f"{INVENTED} {text}" if self.invented else text


def provenance(connection: Connection, schema: str, made_from: Iterable[str]) -> Provenance:
    """What rows made from the tables ``made_from``, of the target schema, are made from; a table is made from itself.

    A table that was never loaded, or was loaded from a file of an operator, has the licences of all its sources in the
    catalogue.
    """
    loads = ledger.newest(connection, schema)
    used: dict[tuple[str, str], None] = {}
    licences: dict[str, None] = {}
    for table in _behind(made_from):
        load = loads.get(table.name)
        used |= dict.fromkeys(load.releases.items() if load else ())
        licences |= dict.fromkeys(catalogue()[source].licence for source in _sources(table, load))
    recorded = ledger.recorded_releases(connection, used)
    origins = [Origin(release, catalogue().get(release.source)) for release in recorded]
    return Provenance(tuple(origins), governing(licences))


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
