"""What is in the database and in the archive, for people and for monitoring.

Belongs here: gathering it as plain records. Does not belong here: showing it (``cli.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from psycopg import sql

from edu_pipeline.catalogue import catalogue
from edu_pipeline.database import ledger
from edu_pipeline.database.connection import Database
from edu_pipeline.database.views import views
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.inputs import awaited, releases_of
from edu_pipeline.table import LAYERS, tables


@dataclass(frozen=True)
class TableStatus:
    """A table or view: what it holds now, and what its last load did.

    Attributes:
        state: ``loaded``, ``failed`` (the last attempt; the rows are those of the load before), ``never loaded``,
            ``waits for a file of <source>`` (no release in the archive has it), ``waits for the table <table>`` (it was
            never loaded), or ``waits for its asset`` (the table is there, no code fills it yet).
        rows: counted now.
        releases: source to release of the rows; empty for what is made from other tables.
        invented: whether the schema holds data of the sample publisher.
        loaded_at: end of the last load that published.
        added, changed, removed, refused: rows, at that load; None where there was none.
        error: failure text of the last attempt.
    """

    layer: str | None
    table: str
    state: str
    rows: int
    releases: dict[str, str]
    invented: bool
    loaded_at: datetime | None
    added: int | None
    changed: int | None
    removed: int | None
    refused: int | None
    hidden: dict[str, int]
    unknown: dict[str, int]
    error: str | None


@dataclass(frozen=True)
class SourceStatus:
    """A source: who publishes it, and the newest release that the archive has."""

    source: str
    title: str
    publisher: str
    licence: str
    landing_page: str
    cadence: str
    tables: list[str]
    release: str | None
    retrieved_at: datetime | None
    published_at: datetime | None
    age_days: int | None
    bytes: int | None


def table_status(database: Database, archive: Archive) -> list[TableStatus]:
    """Every table and view of the target schema, by layer, those without an asset last.

    Raises:
        DatabaseUnreachable: the server does not answer.
    """
    layer_of = {name: table.layer for name, table in tables().items()} | dict.fromkeys(views(), "views")
    with database.connect() as connection:
        names = [
            str(name)
            for (name,) in connection.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(quote_ident(%s)) "
                "AND relkind IN ('r', 'p', 'm') AND NOT relispartition AND relname !~ '__' ORDER BY relname",
                [database.schema],
            )
        ]
        counts = _counts(database, names)
        published = ledger.newest(connection, database.schema) if names else {}
        failed = ledger.newest(connection, database.schema, "failed") if names else {}
        invented = bool(names and ledger.is_invented(connection, database.schema))
    names.sort(key=lambda name: (LAYERS.index(layer_of[name]) if name in layer_of else len(LAYERS), name))
    return [
        replace(
            _of(name, layer_of.get(name), counts[name], published.get(name), failed.get(name)),
            invented=invented,
            **_waiting(name, archive, published),
        )
        for name in names
    ]


def _waiting(name: str, archive: Archive, published: Mapping[str, ledger.Load]) -> dict[str, Any]:
    """The state of a table that was never loaded, if that is for want of a file or of another table."""
    if name in published or name not in tables():
        return {}
    table = tables()[name]
    missing = awaited(table, releases_of(table, archive), published)
    return {"state": f"waits for {missing}"} if missing else {}


def _of(
    name: str, layer: str | None, rows: int, published: ledger.Load | None, failed: ledger.Load | None
) -> TableStatus:
    error = None
    state = "loaded" if published else "never loaded" if layer else "waits for its asset"
    if failed and (published is None or (failed.id or 0) > (published.id or 0)):
        state, error = "failed", failed.error
    return TableStatus(
        layer=layer,
        table=name,
        state=state,
        rows=rows,
        releases=dict(published.releases) if published else {},
        invented=False,
        loaded_at=published.finished_at if published else None,
        added=published.added if published else None,
        changed=published.changed if published else None,
        removed=published.removed if published else None,
        refused=published.refused if published else None,
        hidden=dict(published.hidden) if published else {},
        unknown=dict(published.unknown) if published else {},
        error=error,
    )


def _counts(database: Database, names: list[str]) -> dict[str, int]:
    with database.connect() as connection:
        counted = {}
        for name in names:
            row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
            assert row is not None and isinstance(row[0], int)
            counted[name] = row[0]
        return counted


def source_status(archive: Archive) -> list[SourceStatus]:
    """Every source of the catalogue with the newest release of the archive.

    Raises:
        ArchiveUnusable: the archive cannot be read.
    """
    found = []
    for source in catalogue().values():
        release = archive.newest(source.id)
        as_of = (release.published_at or release.retrieved_at) if release else None
        found.append(
            SourceStatus(
                source=source.id,
                title=source.title,
                publisher=source.publisher,
                licence=source.licence,
                landing_page=source.landing_page,
                cadence=source.cadence,
                tables=[table.name for table in tables().values() if source.id in table.sources],
                release=release.id if release else None,
                retrieved_at=release.retrieved_at if release else None,
                published_at=release.published_at if release else None,
                age_days=(datetime.now(UTC) - as_of).days if as_of else None,
                bytes=sum(file.bytes for file in release.files) if release else None,
            )
        )
    return found
