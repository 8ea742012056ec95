"""Pruning: what the archive and the ledger hold and nobody needs any more, by the rules of `Keep`.

Belongs here: which releases, failed loads and refused rows go. Does not belong here: removing files
(``sources/pruning.py``), statements about the ledger (``database/ledger.py``), Dagster's own storage
(``orchestration/retention.py``).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from edu_pipeline.database import ledger, locks
from edu_pipeline.database.connection import Database, check_migrated
from edu_pipeline.errors import SettingInvalid
from edu_pipeline.settings import Settings
from edu_pipeline.sources import pruning
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.pruning import Unneeded


@dataclass(frozen=True)
class Keep:
    """What stays. The newest release of a source and the newest load of a table always do.

    Attributes:
        loads: of each table, the releases of its last so many published loads.
        days: the releases that are the newest at any moment of the last so many days.
        as_of: the releases that are the newest at the end of one of these days.
        refused_days: failed loads and refused rows of the last so many days.
        run_days: Dagster's runs, events and results of checks of the last so many days.
    """

    loads: int = 5
    days: int = 90
    as_of: tuple[date, ...] = ()
    refused_days: int = 90
    run_days: int = 30

    @classmethod
    def of(cls, settings: Settings) -> Keep:
        """What the settings say.

        Raises:
            SettingInvalid: one of the promised days is not a day.
        """
        try:
            as_of = tuple(date.fromisoformat(day.strip()) for day in settings.keep_as_of.split(",") if day.strip())
        except ValueError as error:
            raise SettingInvalid(
                "EDU_KEEP_AS_OF",
                f"expected days such as 2026-05-01, separated by commas, found {settings.keep_as_of!r} ({error}).",
                "Write them in that form.",
            ) from None
        return cls(settings.keep_loads, settings.keep_days, as_of, settings.keep_refused_days, settings.keep_run_days)


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be.

    Attributes:
        sources: what of each source of the archive; sources of which nothing goes are left out.
        failed_loads, refused_rows: how many rows of the ledger.
    """

    sources: tuple[Unneeded, ...]
    failed_loads: int
    refused_rows: int

    @property
    def releases(self) -> int:
        """How many releases."""
        return sum(len(source.releases) for source in self.sources)

    @property
    def bytes(self) -> int:
        """The size of what goes from the archive."""
        return sum(source.bytes for source in self.sources)


def prune(
    database: Database,
    archive: Archive,
    keep: Keep,
    now: datetime,
    *,
    dry_run: bool = False,
    patience: timedelta = locks.PATIENCE,
) -> Pruned:
    """Remove releases, failed loads and refused rows that are not kept, while no run and no fetch uses the archive.

    Args:
        now: the present, with a zone.
        dry_run: only say what would be removed.
        patience: how long to wait for runs and fetches.

    Raises:
        WaitTooLong: some did not end in time; nothing was removed.
        SchemaMissing: the database was never migrated; then nobody knows which releases are needed.
        ArchiveUnusable: the archive cannot be read or written.
        DatabaseUnreachable: the server does not answer.
    """
    with locks.archive_pruned(database, patience), database.connect() as connection:
        check_migrated(connection, database.schema)
        failed_loads, refused_rows = ledger.prune(connection, now - timedelta(days=keep.refused_days))
        sources = _unneeded(archive, ledger.needed_releases(connection, keep.loads), keep, now)
        if dry_run:
            connection.rollback()
        else:
            connection.commit()
            for source in sources:
                pruning.remove(archive, source)
    return Pruned(tuple(sources), failed_loads, refused_rows)


def _unneeded(archive: Archive, of_loads: dict[str, set[str]], keep: Keep, now: datetime) -> list[Unneeded]:
    since = now - timedelta(days=keep.days)
    found = []
    for source in archive.sources():
        needed = pruning.promised(archive.releases(source), since, keep.as_of) | of_loads.get(source, set())
        found.append(pruning.unneeded(archive, source, needed, now))
    return [source for source in found if source.releases or source.contents]
