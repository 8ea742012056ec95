"""What the database and the archive hold, gathered once for everything that shows or judges it.

Belongs here: gathering plain records. Does not belong here: judging them (``health.py``), showing them
(``cli/main.py``, ``orchestration/data_freshness.py``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from psycopg import sql

from edu_pipeline import checks
from edu_pipeline.catalogue import catalogue
from edu_pipeline.checks import CheckResult
from edu_pipeline.database import ledger, probe_memory
from edu_pipeline.database.connection import TABLES, VIEWS, Connection, Database, exists, relations
from edu_pipeline.database.ledger import Load
from edu_pipeline.database.migrate import check_current
from edu_pipeline.database.probe_memory import Answer
from edu_pipeline.database.provenance import editions_of
from edu_pipeline.database.views import views
from edu_pipeline.errors import shown
from edu_pipeline.sources.archive import Archive, Refusal
from edu_pipeline.sources.inputs import awaited, releases_of
from edu_pipeline.table import LAYERS, tables


@dataclass(frozen=True)
class TableStatus:
    """A table or view: what it holds now, and what its last load did.

    Attributes:
        layer: None for a table that no code fills yet.
        state: ``loaded``, ``failed`` (the last attempt; the rows are those of the previous load), ``never loaded``,
            ``waits for a file of <source>`` (no release in the archive has it), ``waits for the table <table>`` (which
            was never loaded), or ``waits for its asset`` (no code fills the table yet).
        rows: as counted now.
        releases: source to release of the rows; empty for a table that is made from other tables.
        editions: source to the edition of the rows, and what is known of a later one.
        invented: whether the schema holds the sample publisher's data.
        loaded_at: end of the last load that published.
        added, changed, removed, refused: rows in that load; None if there was no load.
        hidden: hidden values in that load, by column.
        unknown: unknown references in that load, by column.
        missing: columns that its files lack, each with the names that are close.
        skipped: lines and fields of its files that were left out, cells and shapes repaired, by source and rule.
        balance: file to the number of its rows, and how many of these had which fate.
        look_ups: what was looked up for rows, to how many these are and for how many it was found.
        error: failure text of the last attempt, if it failed.
    """

    layer: str | None
    table: str
    state: str
    rows: int
    releases: dict[str, str]
    editions: dict[str, str]
    invented: bool
    loaded_at: datetime | None
    added: int | None
    changed: int | None
    removed: int | None
    refused: int | None
    hidden: dict[str, int]
    unknown: dict[str, int]
    missing: dict[str, list[str]]
    skipped: dict[str, int]
    balance: dict[str, dict[str, int]]
    look_ups: dict[str, list[int]]
    error: str | None


@dataclass(frozen=True)
class SourceStatus:
    """A source: who publishes it, and its newest release in the archive.

    Attributes:
        tables: the tables that read it.
        release: None if the archive has none; the fields about it are None then.
        age_days: since its publication, or since its download where the publisher gives no date.
        refused_since: since when a file of the publisher is refused, so that the release is not the newest; None: none.
        refused_because: why the newest such file is refused, in a line.
    """

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
    refused_since: datetime | None
    refused_because: str | None

    @property
    def refusal(self) -> str | None:
        """That a file is refused, since when and why, in a line; None if none is."""
        if self.refused_since is None:
            return None
        return f"its file is refused since {self.refused_since:%Y-%m-%d %H:%M} UTC: {self.refused_because}"


@dataclass(frozen=True)
class Snapshot:
    """Everything that is known about tables and sources at one moment.

    Attributes:
        tables: all tables and views of the target schema.
        sources: all sources of the catalogue.
        answers: what publishers last said, by source.
        checks: the newest result of every check.
        changed_at: end of the last load that changed a row, by table.
    """

    tables: list[TableStatus]
    sources: list[SourceStatus]
    answers: Mapping[str, Answer]
    checks: list[CheckResult]
    changed_at: Mapping[str, datetime]


def gather(database: Database, archive: Archive) -> Snapshot:
    """Read everything, counting the rows of each table once.

    Raises:
        DatabaseUnreachable: the server does not answer.
        SchemaMissing: there is no target schema.
        MigrationInvalid: the database is older or newer than this program.
        ArchiveUnusable: the archive cannot be read.
    """
    with database.connect() as connection:
        check_current(connection, database.schema)
        answers = probe_memory.answers(connection)
        results = checks.results(connection, database.schema)
        changed_at = ledger.last_changed_at(connection, database.schema)
        contents = _contents(connection, database.schema)
    return Snapshot(_statuses(contents, archive), source_status(archive), answers, results, changed_at)


def table_status(database: Database, archive: Archive) -> list[TableStatus]:
    """Every table and view of the target schema, by layer, those without an asset last; empty without such a schema.

    Raises:
        DatabaseUnreachable: the server does not answer.
        ArchiveUnusable: the archive cannot be read.
    """
    with database.connect() as connection:
        if not exists(connection, database.schema):
            return []
        contents = _contents(connection, database.schema)
    return _statuses(contents, archive)


@dataclass(frozen=True)
class _Contents:
    """What the database says of the target schema: rows by table, and the newest loads."""

    rows: Mapping[str, int]
    published: Mapping[str, Load]
    failed: Mapping[str, Load]
    editions: Mapping[str, Mapping[str, str]]
    invented: bool


def _contents(connection: Connection, schema: str) -> _Contents:
    names = relations(connection, schema, TABLES + VIEWS)
    if not names:
        return _Contents({}, {}, {}, {}, False)
    published = ledger.newest(connection, schema)
    failed = ledger.newest(connection, schema, "failed")
    editions = editions_of(connection, published)
    invented = bool(ledger.is_invented(connection, schema))
    # Counted last: until the transaction ends, it keeps a swap from renaming what was counted.
    rows = {name: _count(connection, name) for name in names}
    return _Contents(rows, published, failed, editions, invented)


def _count(connection: Connection, name: str) -> int:
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(name))).fetchone()
    assert row is not None and isinstance(row[0], int)
    return row[0]


def _statuses(contents: _Contents, archive: Archive) -> list[TableStatus]:
    layers = {name: table.layer for name, table in tables().items()} | dict.fromkeys(views(), "views")
    names = sorted(contents.rows, key=lambda name: LAYERS.index(layers[name]) if name in layers else len(LAYERS))
    return [_status(name, layers.get(name), contents, archive) for name in names]


def _status(name: str, layer: str | None, contents: _Contents, archive: Archive) -> TableStatus:
    load, failure = contents.published.get(name), contents.failed.get(name)
    if load and failure and (failure.id or 0) < (load.id or 0):
        failure = None
    state = "failed" if failure else "loaded" if load else "never loaded" if layer else "waits for its asset"
    if load is None and name in tables():
        missing = awaited(tables()[name], releases_of(tables()[name], archive), contents.published)
        state = f"waits for {missing}" if missing else state
    return TableStatus(
        layer=layer,
        table=name,
        state=state,
        rows=contents.rows[name],
        releases=dict(load.releases) if load else {},
        editions=dict(contents.editions.get(name, {})),
        invented=contents.invented,
        loaded_at=load.finished_at if load else None,
        added=load.added if load else None,
        changed=load.changed if load else None,
        removed=load.removed if load else None,
        refused=load.refused if load else None,
        hidden=dict(load.hidden) if load else {},
        unknown=dict(load.unknown) if load else {},
        missing=dict(load.missing) if load else {},
        skipped=dict(load.skipped) if load else {},
        balance={file: dict(fates) for file, fates in load.balance.items()} if load else {},
        look_ups=dict(load.look_ups) if load else {},
        error=failure.error if failure else None,
    )


def source_status(archive: Archive) -> list[SourceStatus]:
    """Every source of the catalogue with its newest release in the archive.

    Raises:
        ArchiveUnusable: the archive cannot be read.
    """
    statuses = []
    for source in catalogue().values():
        release, refusals = archive.newest(source.id), archive.refusals(source.id)
        as_of = (release.published_at or release.retrieved_at) if release else None
        statuses.append(
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
                refused_since=datetime.fromisoformat(refusals[0].refused_at) if refusals else None,
                refused_because=_in_a_line(refusals[-1]) if refusals else None,
            )
        )
    return statuses


def _in_a_line(refusal: Refusal) -> str:
    """The first line of why a file is refused."""
    return f"file {shown(refusal.file.name)}: {shown(refusal.problem)}"
