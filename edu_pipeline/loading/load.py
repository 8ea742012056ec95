"""The way of the data, once for all tables: read -> transform -> contract -> compare -> publish + ledger.

Belongs here: the order of these steps, what makes a load unnecessary, and what is recorded of it. Does not belong here:
Dagster (``orchestration/table_assets.py``) and how any step works.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

import polars as pl
import psycopg
from psycopg import sql

from edu_pipeline import checks
from edu_pipeline.database import ledger, locks
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.copying import copy_out
from edu_pipeline.database.ledger import REFUSED, Load
from edu_pipeline.errors import EXAMPLES, EduError
from edu_pipeline.loading import acceptance, writing
from edu_pipeline.loading.conform import Conformed
from edu_pipeline.loading.difference import Difference, difference
from edu_pipeline.loading.rows import Inputs, Made, make, take_as_they_are
from edu_pipeline.loading.versions import code_version, inputs_version
from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline.sources.inputs import releases_of
from edu_pipeline.table import Table

PREVIEW = 5
"""Rows of a table that its materialization shows."""


@dataclass(frozen=True)
class Options:
    """What an operator can ask of a load.

    Attributes:
        force: load although nothing has changed.
        accept_shrink: tables that may lose more rows than they tolerate, this once.
        accept_red: tables and views whose checks may turn red, this once.
    """

    force: bool = False
    accept_shrink: frozenset[str] = frozenset()
    accept_red: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Outcome:
    """What a load did.

    Attributes:
        load: the ledger's row: that of this load, or of the one whose rows are still right.
        skipped: whether nothing had to be done, since neither releases nor code have changed.
        preview: the first rows; None if skipped.
        refused: key and reasons of the first rows that are in quarantine.
        checks: the results of the checks of the rows that need no other table.
    """

    load: Load
    skipped: bool
    preview: pl.DataFrame | None = None
    refused: Sequence[tuple[str, str]] = ()
    checks: Sequence[checks.CheckResult] = ()


def load(
    table: Table,
    database: Database,
    archive: Archive,
    options: Options | None = None,
    run_id: str | None = None,
    supplied: Release | None = None,
) -> Outcome:
    """Bring ``table`` to the newest releases of the archive and the published rows of the tables it reads.

    With ``supplied``, a file in the table's own form (``operator_file.py``), its rows are taken as they are. They stand
    for what the transform would make now: only a newer release, or newer code, replaces them.

    Everything that is written is written in one transaction; a failure changes nothing but the ledger, which
    keeps the failure and a sample of the refused rows.

    Raises:
        EduError: see ``errors``; the table is as it was, as it is after any other exception.
    """
    options = options or Options()
    newest = releases_of(table, archive)
    releases = {supplied.source: supplied} if supplied else newest
    with database.connect() as connection:
        loaded = ledger.newest(connection, database.schema)
        if not supplied:
            acceptance.check_inputs(table, releases, loaded)
        version = inputs_version(table, newest, ledger.last_change(connection, database.schema))
        invented = _origin(connection, database, table, releases)
        readers = _what_readers_have(connection, database, table)
        previous = loaded.get(table.name)
        if previous and previous.inputs_version == version and not options.force and not supplied:
            return _unchanged(connection, database, archive, previous)
    attempt = Load(
        target_schema=database.schema,
        table_name=table.name,
        state="failed",
        started_at=datetime.now(UTC),
        releases={source: release.id for source, release in releases.items()},
        inputs_version=version,
        code_version=code_version(table),
        invented=invented,
        run_id=run_id,
    )
    with (
        _Recording(database, attempt, releases) as recording,
        tempfile.TemporaryDirectory(prefix="edu_pipeline-") as folder,
        database.connect() as connection,
    ):
        locks.schema_in_use(connection, database.schema)
        locks.table_loading(connection, database.schema, table.name)
        writing.sweep(connection, table)
        if supplied:
            made = take_as_they_are(table, supplied, archive, Path(folder))
        else:
            made = make(table, Inputs(table, connection, archive, releases, Path(folder)))
        conformed = _accepted(table, connection, made, recording)
        published = copy_out(connection, table.name, table.contract, Path(folder))
        change = difference(conformed.frame, published, table.key)
        acceptance.check_volume(
            table,
            conformed.rows,
            change.published if readers.rows is None else readers.rows,
            table.name in options.accept_shrink,
            recording.where,
        )
        written = writing.write(connection, table, conformed.frame, change, unread=bool(database.live))
        done = recording.publish(connection, written.strategy, conformed, change)
        results = checks.before_publication(connection, database, archive, table.name, written.rows)
        if table.name not in options.accept_red:
            checks.stop_if_worse(readers.passing, results, recording.where)
        outcome = Outcome(
            done,
            skipped=False,
            preview=conformed.frame.head(PREVIEW).collect(),
            refused=ledger.quarantine(connection, done, EXAMPLES),
            checks=results,
        )
        written.publish()
        connection.commit()
        if change.size:
            _analyze(connection, table)
        return outcome


@dataclass(frozen=True)
class _Readers:
    """What readers have of a table: how many rows, if another schema than the one that is loaded; passing checks."""

    rows: int | None
    passing: set[tuple[str, str]]


def _what_readers_have(connection: Connection, database: Database, table: Table) -> _Readers:
    live = database.live or database.schema
    newest = ledger.newest(connection, live).get(table.name) if database.live else None
    return _Readers(newest.rows or 0 if newest else None, checks.passing_checks(connection, live))


def _origin(connection: Connection, database: Database, table: Table, releases: Mapping[str, Release]) -> bool | None:
    """Whether the releases are invented; not mixed with others in the schema, nor in the one that it will replace."""
    live = database.live or database.schema
    held = [ledger.is_invented(connection, schema) for schema in (live, database.schema)]
    return acceptance.check_origin(table, releases, held, live)


def _unchanged(connection: Connection, database: Database, archive: Archive, previous: Load) -> Outcome:
    """The outcome of a load that is not necessary; the checks are made all the same."""
    results = checks.run(connection, database, archive, previous.table_name, between=False)
    refused = ledger.quarantine(connection, previous, EXAMPLES)
    return Outcome(previous, skipped=True, refused=refused, checks=results)


def _accepted(table: Table, connection: Connection, made: Made, recording: _Recording) -> Conformed:
    """The rows that may be published.

    Raises:
        EduError: see ``acceptance``.
    """
    recording.made(made)
    if recording.releases or not table.files:
        acceptance.check_rows(made.conformed, recording.where)
    acceptance.check_refused(table, made.conformed, recording.where)
    conformed, unknown = acceptance.check_references(table, connection, made.conformed, recording.where)
    recording.resolved(conformed, unknown)
    acceptance.check_refused(table, conformed, recording.where)
    return conformed


def _analyze(connection: Connection, table: Table) -> None:
    """Renew the statistics; the rows are published by now, and missing statistics do not undo that."""
    with suppress(psycopg.Error):
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table.name)))


class _Recording:
    """What the ledger will say of a load, collected on its way; if it fails, that is recorded, whatever the error.

    Attributes:
        releases: source to the release that is read.
        where: table and releases, for failure texts.
    """

    def __init__(self, database: Database, attempt: Load, releases: Mapping[str, Release]) -> None:
        self.database, self.load, self.releases = database, attempt, releases
        self.where = f"table {attempt.table_name}, {acceptance.described(releases)}"
        self.refused = pl.DataFrame(schema=REFUSED)

    def __enter__(self) -> _Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            return
        text = str(error) if isinstance(error, EduError) else f"{type(error).__name__}: {error}"
        failed = replace(self.load, state="failed", refused=self.refused.height, error=text)
        with suppress(EduError, psycopg.Error), self.database.connect() as connection:
            ledger.record(connection, failed, self.refused, self.releases)

    def made(self, made: Made) -> None:
        """Note what was read, and what the contract refuses."""
        self.refused = made.conformed.refused
        self.load = replace(self.load, hidden=made.hidden, corrections=made.corrected)

    def resolved(self, conformed: Conformed, unknown: Mapping[str, int]) -> None:
        """Note which references are unknown, and what is refused for that."""
        self.refused = conformed.refused
        self.load = replace(self.load, unknown=unknown)

    def publish(self, connection: Connection, strategy: str, conformed: Conformed, change: Difference) -> Load:
        """Record the load as published, in the transaction of its rows."""
        done = replace(
            self.load,
            state="published",
            strategy=strategy,
            rows=conformed.rows,
            added=change.added,
            changed=change.changed,
            removed=change.removed,
            refused=self.refused.height,
        )
        return replace(done, id=ledger.record(connection, done, self.refused, self.releases))
