"""The way of the data, once for all tables: read -> transform -> contract -> compare -> publish + ledger.

Belongs here: the order of these steps, what makes a load unnecessary, and what stops it before it writes.
Does not belong here: Dagster (``assets/factory.py``) and how any step works.
"""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import psycopg
from psycopg import sql

from edu_pipeline import checks
from edu_pipeline.catalogue import File, Source
from edu_pipeline.contracts import specs
from edu_pipeline.database import ledger
from edu_pipeline.database.connection import Connection, Database, share
from edu_pipeline.database.copying import copy_out
from edu_pipeline.database.ledger import Load
from edu_pipeline.errors import (
    EXAMPLES,
    EduError,
    InputMissing,
    NoRows,
    OriginMixed,
    TableBusy,
    TableShrank,
    TooManyRefused,
    UnknownReference,
)
from edu_pipeline.loading import operator_file, writing
from edu_pipeline.loading.conform import REFUSED, Conformed, conform, refuse
from edu_pipeline.loading.difference import difference
from edu_pipeline.loading.intake import Intake, take_in
from edu_pipeline.loading.passage import Passage, bring_to_current, year_of
from edu_pipeline.parts import Parts
from edu_pipeline.sources import copies
from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline.sources.inputs import inputs_version, missing_files, missing_tables, releases_of
from edu_pipeline.table import Table, tables

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
        load: the ledger's row: that of this load, or the one it found to be still true.
        skipped: whether nothing had to be done, since neither releases nor code have changed.
        preview: the first rows; None if skipped.
        refused: key and reasons of the first rows that are in quarantine.
        checks: what the checks of the rows found that need no other table.
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

    With ``supplied``, a file in the table's own form (``backup.py``), its rows are taken as they are. They stand for
    what the transform would make now: only a newer release, or newer code, replaces them.

    Everything that is written is written in one transaction; a failure changes nothing but the ledger, which
    keeps the failure and a sample of the refused rows.

    Raises:
        EduError: see ``errors``; the table is as it was, as it is after any other exception.
    """
    options = options or Options()
    current = releases_of(table, archive)
    releases = {supplied.source: supplied} if supplied else current
    with database.connect() as connection:
        loaded = ledger.newest(connection, database.schema)
        if supplied is None:
            _check_inputs(table, releases, loaded)
        version = inputs_version(table, current, ledger.last_change(connection, database.schema))
        previous = loaded.get(table.name)
        live = database.live or database.schema
        held = [ledger.is_invented(connection, schema) for schema in (live, database.schema)]
        invented = _origin(table, releases, next((origin for origin in held if origin is not None), None), live)
        readers_have = ledger.newest(connection, live).get(table.name)
        green = checks.green_now(connection, live)
        if previous and previous.inputs_version == version and not options.force and supplied is None:
            checked = checks.run(connection, database, archive, table.name, between=False)
            quarantine = ledger.quarantine(connection, previous, EXAMPLES)
            return Outcome(previous, skipped=True, refused=quarantine, checks=checked)
    attempt = Load(
        target_schema=database.schema,
        table_name=table.name,
        state="failed",
        started_at=datetime.now(UTC),
        releases={source: release.id for source, release in releases.items()},
        inputs_version=version,
        code_version=table.code_version,
        invented=invented,
        run_id=run_id,
    )
    refused = pl.DataFrame(schema=REFUSED)
    try:
        with tempfile.TemporaryDirectory(prefix="edu_pipeline-") as scratch, database.connect() as connection:
            share(connection, database.schema)
            _lock(connection, database.schema, table)
            writing.sweep(connection, table)
            hidden: dict[str, int] = {}
            corrected: dict[str, int] = {}
            if supplied:
                produced = operator_file.rows(supplied, table, archive, Path(scratch))
            else:
                frames, hidden, corrected = _inputs(table, connection, archive, releases, Path(scratch))
                produced = table.transform(**frames)
            conformed = conform(produced, table, Path(scratch))
            refused = conformed.refused
            where = f"table {table.name}, {_described(releases)}"
            if releases or not table.files:
                _check_rows(conformed, where)
            _check_refused(table, conformed, where)
            conformed, unknown = _check_references(table, connection, conformed, where)
            refused = conformed.refused
            _check_refused(table, conformed, where)
            published = copy_out(connection, table.name, table.contract, Path(scratch))
            found = difference(conformed.frame, published, table.key)
            before = found.published
            if database.live and readers_have:
                before = readers_have.rows or 0
            _check_volume(table, conformed.rows, before, options, where)
            written = writing.write(connection, table, conformed.frame, found, unread=bool(database.live))
            done = replace(
                attempt,
                state="published",
                strategy=written.strategy,
                rows=conformed.rows,
                added=found.added,
                changed=found.changed,
                removed=found.removed,
                refused=refused.height,
                hidden=hidden,
                corrections=corrected,
                unknown=unknown,
            )
            done = replace(done, id=ledger.record(connection, done, refused, releases))
            checked = checks.before_publication(connection, database, archive, table.name, written.rows)
            if table.name not in options.accept_red:
                checks.stop_if_worse(green, checked, where)
            preview = conformed.frame.head(PREVIEW).collect()
            quarantine = ledger.quarantine(connection, done, EXAMPLES)
            written.publish()
            connection.commit()
            if found.size:
                with suppress(psycopg.Error):  # the rows are published: missing statistics do not undo that
                    connection.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(table.name)))
        return Outcome(done, skipped=False, preview=preview, refused=quarantine, checks=checked)
    except Exception as error:
        failed = replace(attempt, refused=refused.height, error=str(error))
        with suppress(EduError, psycopg.Error), database.connect() as connection:
            ledger.record(connection, failed, refused, releases)
        raise


def _check_inputs(table: Table, releases: Mapping[str, Release], loaded: Collection[str]) -> None:
    missing, tables_missing = missing_files(table, releases), missing_tables(table, loaded)
    awaited = sorted({file.source for file in missing}) + tables_missing
    if missing:
        in_parts = {source.id for source in table.in_parts.values()}
        names = ", ".join(
            f"a part of {file.source}" if file.source in in_parts else f"{file.source} ({file.part})"
            for file in missing
        )
        raise InputMissing(
            f"table {table.name}",
            f"expected a release with {names} in the archive, found none.",
            f"Fetch it: materialize raw/{missing[0].parameter.split('__')[0]}, or `edu-pipeline refresh {table.name}`; "
            f"under EDU_UPSTREAM its name must match {missing[0].name!r}.",
            awaited,
        )
    if tables_missing:
        raise InputMissing(
            f"table {table.name}",
            f"expected that {', '.join(tables_missing)} was loaded, found that it never was.",
            f"Load it first: `edu-pipeline refresh {tables_missing[0]}`.",
            awaited,
        )


def _origin(table: Table, releases: Mapping[str, Release], held: bool | None, schema: str) -> bool | None:
    """Whether the releases are of the sample publisher, which all data of a schema must be or none."""
    origins = {release.invented for release in releases.values()}
    if len(origins | ({held} if held is not None else set())) > 1 and origins:
        names = {True: "invented data of the sample publisher", False: "data of real publishers", None: "nothing yet"}
        raise OriginMixed(
            f"table {table.name}",
            f"expected what the schema {schema} holds, {names[held]}; found {_described(releases)}, which is "
            f"{' and '.join(names[origin] for origin in sorted(origins))}.",
            "Use another EDU_SCHEMA or EDU_DATABASE_URL, or empty this one first: `edu-pipeline start-over`.",
        )
    return any(origins) if origins else None


def _lock(connection: Connection, schema: str, table: Table) -> None:
    """One load of a table at a time, until the end of the transaction; a second one waits ten minutes."""
    key = f"edu_pipeline.load:{schema}.{table.name}"
    try:
        connection.execute("SET LOCAL lock_timeout = '10min'")
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])
        connection.execute("SET LOCAL lock_timeout = 0")
    except psycopg.errors.LockNotAvailable as error:
        raise TableBusy(
            f"table {table.name}",
            "expected the load before this one to end within 10 minutes, found it still under way.",
            "Look at the runs in the UI, or at pg_stat_activity; then load again.",
        ) from error


def _inputs(
    table: Table, connection: Connection, archive: Archive, releases: Mapping[str, Release], scratch: Path
) -> tuple[dict[str, pl.LazyFrame | Parts | None], dict[str, int], dict[str, int]]:
    """The transform's arguments, how many cells per column the publishers hide, how many rows a correction found."""
    frames: dict[str, pl.LazyFrame | Parts | None] = {}
    hidden: dict[str, int] = {}
    corrected: dict[str, int] = {}
    passage = _passage(connection, scratch) if table.follows_passage else None
    for parameter in table.parameters:
        if parameter in table.made_of:
            contract, only = tables()[parameter].contract, table.read_of(parameter)
            frames[parameter] = copy_out(connection, parameter, contract, scratch, only, table.latest.get(parameter))
            continue
        if parameter in table.in_parts:
            frames[parameter] = _parts(table, parameter, archive, releases, scratch)
            continue
        file = table.files[parameter]
        release = releases.get(file.source)
        received = release.file(file.part) if release else None
        if release is None or received is None:
            frames[parameter] = None
            continue
        taken = _taken_in(table, parameter, file, archive, release, scratch)
        frames[parameter] = taken.frame
        if passage:
            year = year_of(file, received.name)
            frames[parameter] = bring_to_current(taken.frame, table, parameter, passage, year)
        corrected |= {one.correction.name: one.found for one in taken.corrections}
        for column, count in taken.hidden.items():
            hidden[column] = hidden.get(column, 0) + count
    return frames, hidden, corrected


def _taken_in(table: Table, parameter: str, file: File, archive: Archive, release: Release, scratch: Path) -> Intake:
    """What the transform receives of ``file``, which ``release`` has."""
    received = release.file(file.part)
    assert received is not None
    where = f"{file.source} {release.label}"
    raw = copies.read(archive, release, received, file, scratch, where)
    return take_in(table, parameter, raw, file, received.name, where)


def _parts(
    table: Table, parameter: str, archive: Archive, releases: Mapping[str, Release], scratch: Path
) -> Parts | None:
    """All parts of a source that the release has.

    Codes of former communes stay as they are, and neither hidden cells nor corrections are counted, since a part is
    read only when the transform asks for it.
    """
    source: Source = table.in_parts[parameter]
    release = releases.get(source.id)
    if release is None:
        return None

    def rows(part: str) -> pl.DataFrame:
        with tempfile.TemporaryDirectory(dir=scratch) as unpacked:
            taken = _taken_in(table, parameter, source.files[part], archive, release, Path(unpacked))
            return taken.frame.collect(engine="streaming")

    return Parts([part for part in source.files if release.file(part)], rows)


def _passage(connection: Connection, scratch: Path) -> Passage:
    """The changes of commune codes and the communes in force, as published."""
    changes = copy_out(connection, "passage_communes", tables()["passage_communes"].contract, scratch).collect()
    return Passage(changes, _keys(connection, "info_communes"))


def _described(releases: Mapping[str, Release]) -> str:
    return ", ".join(f"{source} {release.label}" for source, release in releases.items()) or "from other tables"


def _check_rows(conformed: Conformed, where: str) -> None:
    if conformed.rows + conformed.refused.height == 0:
        raise NoRows(
            where, "expected rows, found none (a header alone).", "Look at the publisher's page; the old rows stay."
        )


def _check_refused(table: Table, conformed: Conformed, where: str) -> None:
    good, refused = conformed.rows, conformed.refused.height
    if refused > table.max_refused * (good + refused):
        examples = conformed.refused.head(EXAMPLES).select("key", pl.col("reasons").list.join("; ")).rows()
        raise TooManyRefused(
            where,
            f"expected at most {table.max_refused:.1%} of the rows to be refused, found {refused:,} of "
            f"{good + refused:,}: " + " | ".join(f"{key}: {reasons}" for key, reasons in examples),
            f"See edu_pipeline.refused_rows; then mend the file, the contract of {table.name}, or its max_refused.",
        )


def _check_references(
    table: Table, connection: Connection, conformed: Conformed, where: str
) -> tuple[Conformed, dict[str, int]]:
    """Refuse the rows whose own key points to nothing; count per column the others that do."""
    unknown: dict[str, int] = {}
    for column, spec in specs(table.contract).items():
        if not spec.references:
            continue
        known = {key for name in spec.references for key in _keys(connection, name)}
        values = conformed.frame.select(pl.col(column).alias("value")).filter(~pl.col("value").is_in(list(known)))
        orphans = values.collect(engine="streaming")["value"]
        if table.name in spec.references and len(orphans):
            own = conformed.frame.select(table.key[0]).collect()[table.key[0]]
            orphans = orphans.filter(~orphans.is_in(own.implode()))
        if len(orphans) > table.max_unknown * conformed.rows:
            raise UnknownReference(
                where,
                f"expected {column} to be a key of {' or '.join(spec.references)} ({len(known):,} keys) in all but "
                f"{table.max_unknown:.1%} of the rows, found {len(orphans):,} of {conformed.rows:,} that are not, e.g. "
                f"{', '.join(map(repr, orphans.unique(maintain_order=True).head(EXAMPLES)))}.",
                f"Load {spec.references[0]} first if it is behind; else mend the file or max_unknown of {table.name}.",
            )
        if len(orphans) and column in table.key:
            conformed = refuse(conformed, table, column, orphans, f"a key of {' or '.join(spec.references)}")
        elif len(orphans):
            unknown[column] = len(orphans)
    return conformed, unknown


def _keys(connection: Connection, name: str) -> list[str]:
    """The published values of the first key column of a table."""
    key = sql.Identifier(tables()[name].key[0])
    rows = connection.execute(sql.SQL("SELECT {} FROM {}").format(key, sql.Identifier(name)))
    return [str(value) for (value,) in rows]


def _check_volume(table: Table, rows: int, published: int, options: Options, where: str) -> None:
    if rows < table.min_kept * published and table.name not in options.accept_shrink:
        raise TableShrank(
            where,
            f"expected at least {table.min_kept:.0%} of the {published:,} published rows, found {rows:,}.",
            f"If that is right, accept it once: `edu-pipeline refresh {table.name} --accept-shrink {table.name}`.",
        )
