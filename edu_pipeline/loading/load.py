"""The way of the data, once for all tables: read -> transform -> contract -> compare -> publish + ledger.

Belongs here: the order of these steps, what makes a load unnecessary, and what is recorded of it. Does not belong here:
Dagster (``orchestration/table_assets.py``) and how any step works.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import psycopg
from psycopg import sql

from edu_pipeline import checks
from edu_pipeline.database import ledger, locks
from edu_pipeline.database.comments import comment_on_table
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.copying import copy_out
from edu_pipeline.database.ledger import Load
from edu_pipeline.errors import EXAMPLES
from edu_pipeline.loading import acceptance, attempts, writing
from edu_pipeline.loading.conform import Conformed
from edu_pipeline.loading.difference import Difference, difference
from edu_pipeline.loading.recording import Recording
from edu_pipeline.loading.rows import Inputs, make, take_as_they_are
from edu_pipeline.loading.versions import code_version, inputs_version
from edu_pipeline.scratch import scratch_folder
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
        unattended: nobody has asked for the load, so one that would fail as it did before is not tried, and checks of
            what has not changed are not repeated.
    """

    force: bool = False
    accept_shrink: frozenset[str] = frozenset()
    accept_red: frozenset[str] = frozenset()
    unattended: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a load did.

    Attributes:
        load: the ledger's row: that of this load, or of the one whose rows are still right.
        skipped: whether nothing had to be done, since neither releases nor code have changed.
        preview: the first rows; None if skipped.
        refused: key and reasons of the first rows that are in quarantine.
        checks: the results of the checks of the rows that need no other table.
        notes: what the readers did to the files, in sentences for the log.
    """

    load: Load
    skipped: bool
    preview: pl.DataFrame | None = None
    refused: Sequence[tuple[str, str]] = ()
    checks: Sequence[checks.CheckResult] = ()
    notes: Sequence[str] = ()


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

    Everything that readers see is written in one transaction; a failure changes nothing but the ledger, which
    keeps the failure and a sample of the refused rows.

    Raises:
        EduError: see ``errors``; the table is as it was, as it is after any other exception.
    """
    return _TableLoad(table, database, archive, options or Options(), supplied).run(run_id)


class _TableLoad:
    """A load of one table: what it works with, and its steps."""

    def __init__(
        self, table: Table, database: Database, archive: Archive, options: Options, supplied: Release | None
    ) -> None:
        self.table, self.database, self.archive = table, database, archive
        self.options, self.supplied = options, supplied
        self.newest = releases_of(table, archive)
        self.releases: Mapping[str, Release] = {supplied.source: supplied} if supplied else self.newest
        self.live = database.live or database.schema

    def run(self, run_id: str | None) -> Outcome:
        """Load, unless the rows are still right."""
        with self.database.connect() as connection:
            names = [self.table.name, *self.table.input_tables]
            loaded = ledger.newest(connection, self.database.schema, names=names)
            if not self.supplied:
                acceptance.check_inputs(self.table, self.releases, loaded)
            attempt = self._attempt(connection, run_id)
            previous = loaded.get(self.table.name)
            if previous and self._is_current(previous, attempt):
                return self._unchanged(connection, previous)
            if self.options.unattended and not self.database.live:
                self._check_failed_before(connection, previous, attempt)
            readers = self._readers(connection)
        with (
            Recording(self.database, attempt, self.releases) as recording,
            scratch_folder("edu-pipeline-load-") as scratch,
            writing.swept_after_failure(self.database, self.table),
            self.database.connect() as connection,
        ):
            locks.schema_in_use(connection, self.database.schema)
            locks.table_loading(connection, self.database.schema, self.table.name)
            writing.sweep(connection, self.table)
            conformed = self._rows(connection, scratch, recording)
            return self._publish(connection, scratch, conformed, readers, recording)

    def _attempt(self, connection: Connection, run_id: str | None) -> Load:
        """The ledger's row of this load, as far as it is known before the load."""
        held = [ledger.is_invented(connection, schema) for schema in (self.live, self.database.schema)]
        changes = ledger.last_change(connection, self.database.schema)
        return Load(
            target_schema=self.database.schema,
            table_name=self.table.name,
            state="failed",
            started_at=datetime.now(UTC),
            releases={source: release.id for source, release in self.releases.items()},
            inputs_version=inputs_version(self.table, self.newest, changes),
            code_version=code_version(self.table),
            invented=acceptance.check_origin(self.table, self.releases, held, self.live),
            run_id=run_id,
        )

    def _is_current(self, previous: Load, attempt: Load) -> bool:
        """Whether the rows of the previous load are still right, and nobody asked for another one."""
        is_asked_for = self.options.force or self.supplied is not None
        return previous.inputs_version == attempt.inputs_version and not is_asked_for

    def _check_failed_before(self, connection: Connection, previous: Load | None, attempt: Load) -> None:
        """Raise the failure of the last attempt, if this one would end with it, too; it is not recorded again."""
        name = self.table.name
        failed = ledger.newest(connection, self.database.schema, "failed", [name]).get(name)
        changes = ledger.last_change(connection, self.database.schema)
        if failed and attempts.would_fail_again(self.table, attempt.inputs_version, previous, failed, changes):
            raise attempts.recorded(failed)

    def _unchanged(self, connection: Connection, previous: Load) -> Outcome:
        """The outcome of a load that is not necessary; its rows may have been changed by hand, and are checked."""
        unattended = self.options.unattended
        results = checks.run(
            connection, self.database, self.archive, self.table.name, between=False, unattended=unattended
        )
        refused = ledger.quarantine(connection, previous, EXAMPLES)
        return Outcome(previous, skipped=True, refused=refused, checks=results)

    def _readers(self, connection: Connection) -> _Readers:
        name = self.table.name
        newest = ledger.newest(connection, self.live, names=[name]).get(name)
        rows = newest.rows or 0 if newest and self.database.live else None
        return _Readers(rows, newest.balance if newest else {}, checks.passing_checks(connection, self.live))

    @property
    def _may_shrink(self) -> bool:
        """Whether an operator has accepted that the table shrinks."""
        return self.table.name in self.options.accept_shrink

    def _rows(self, connection: Connection, scratch: Path, recording: Recording) -> Conformed:
        """The rows that may be published.

        Raises:
            EduError: a file cannot be read, or the rows are not accepted.
        """
        if self.supplied:
            made = take_as_they_are(self.table, self.supplied, self.archive, scratch)
        else:
            made = make(self.table, Inputs(self.table, connection, self.archive, self.releases, scratch))
        recording.made(made)
        if self.releases or not self.table.files:
            acceptance.check_rows(made.conformed, recording.where)
        acceptance.check_refused(self.table, made.conformed, recording.where)
        conformed, unknown = acceptance.check_references(self.table, connection, made.conformed, recording.where)
        made.balance.settle(conformed)
        recording.resolved(conformed, unknown, made.balance)
        acceptance.check_refused(self.table, conformed, recording.where)
        acceptance.check_balance(self.table, made.balance, recording.where)
        return conformed

    def _publish(
        self, connection: Connection, scratch: Path, conformed: Conformed, readers: _Readers, recording: Recording
    ) -> Outcome:
        """Write the difference, check it, record it, and let readers see it."""
        name = self.table.name
        published = copy_out(connection, name, self.table.contract, scratch)
        change = difference(conformed.frame, published, self.table.key)
        seen = change.published if readers.rows is None else readers.rows
        acceptance.check_volume(self.table, conformed.rows, seen, self._may_shrink, recording.where)
        balance = recording.load.balance
        acceptance.check_files(self.table, balance, readers.balance, self._may_shrink, recording.where)
        rows, is_unread = conformed.frame, bool(self.database.live)
        written = writing.write(connection, self.database, self.table, rows, change, unread=is_unread)
        load = recording.published(connection, written.strategy, conformed, self._seen(conformed, change, scratch))
        results = checks.before_publication(connection, self.database, self.archive, name, written.rows)
        if name not in self.options.accept_red:
            checks.stop_if_worse(readers.passing, results, recording.where)
        preview = conformed.frame.head(PREVIEW).collect()
        refused = ledger.quarantine(connection, load, EXAMPLES)
        comment_on_table(connection, self.database.schema, self.table)
        written.publish()
        connection.commit()
        if change.size:
            _analyze(connection, name)
        return Outcome(load, skipped=False, preview=preview, refused=refused, checks=results, notes=recording.notes)

    def _seen(self, conformed: Conformed, change: Difference, scratch: Path) -> Difference:
        """What readers will see change: in a rebuild the difference to the live rows, if their columns are the same."""
        if self.database.live is None:
            return change
        folder = Path(tempfile.mkdtemp(dir=scratch))
        with suppress(psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
            with Database(self.database.url, self.live).connect() as connection:
                published = copy_out(connection, self.table.name, self.table.contract, folder)
            return difference(conformed.frame, published, self.table.key)
        return change


@dataclass(frozen=True)
class _Readers:
    """What readers have of a table.

    Attributes:
        rows: how many rows, if they read another schema than the one that is loaded.
        balance: where the rows of the files went of which these rows were made.
        passing: the checks that these rows pass.
    """

    rows: int | None
    balance: Mapping[str, Mapping[str, int]]
    passing: set[tuple[str, str]]


def _analyze(connection: Connection, name: str) -> None:
    """Renew the statistics; the rows are published by now, and missing statistics do not undo that."""
    with suppress(psycopg.Error):
        connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(name)))
