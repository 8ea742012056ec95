"""The ledger: what was loaded from which release, what changed, what was refused.

Belongs here: every statement about ``edu_pipeline.loads``, ``releases`` and ``refused_rows``. Does not
belong here: deciding what follows from what the ledger says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, LiteralString, cast

import polars as pl
from psycopg import sql
from psycopg.rows import class_row, tuple_row
from psycopg.types.json import Jsonb

from edu_pipeline.database.connection import Connection
from edu_pipeline.database.copying import copy_in
from edu_pipeline.sources.archive import Release

REFUSED = pl.Schema({"key": pl.String(), "place": pl.String(), "reasons": pl.List(pl.String()), "row": pl.String()})
"""Columns of the quarantine: the key as text, file and row or line, every reason, the row as JSON."""

FAILED_SAMPLE = 1_000
"""How many refused rows of a failed load are recorded; those of a published load are all recorded."""


@dataclass(frozen=True)
class Load:
    """A row of the ledger: the load of a table, or the refresh of a view.

    Attributes:
        releases: source to release.
        inputs_version: hash of everything that the rows depend on.
        invented: whether the releases are the sample publisher's; None without releases.
        strategy: how the rows were written; ``nothing`` if none differed.
        rows: how many there are after the load.
        added, changed, removed: how many rows; None for a view.
        refused: how many rows are in quarantine.
        hidden: column to the number of its values that the publisher hides.
        unknown: column to the number of rows whose reference is unknown.
        corrections: correction to the number of rows that it changed.
        missing: source and upstream column that its file lacks, to the names in the file that are close.
        skipped: source and rule to the number of lines or fields that were left out, or of cells and shapes repaired.
        balance: file to how many rows it has (``rows``), and how many of these had which fate.
        look_ups: what was looked up for rows to how many rows these are, and for how many of them it was found.
        error: the failure text; None if the load was published.
        id, finished_at: given by the database; None for a load that is not recorded yet.
    """

    target_schema: str
    table_name: str
    state: Literal["published", "failed"]
    started_at: datetime
    releases: Mapping[str, str]
    inputs_version: str
    code_version: str
    invented: bool | None = None
    run_id: str | None = None
    strategy: str | None = None
    rows: int | None = None
    added: int | None = None
    changed: int | None = None
    removed: int | None = None
    refused: int = 0
    hidden: Mapping[str, int] = field(default_factory=dict)
    unknown: Mapping[str, int] = field(default_factory=dict)
    corrections: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, list[str]] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    balance: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    look_ups: Mapping[str, list[int]] = field(default_factory=dict)
    error: str | None = None
    id: int | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class RecordedRelease:
    """What the ledger keeps of a release that a load has used; see ``sources.release.Release``.

    Attributes:
        files: the files as received, each with the attributes of ``sources.release.ReceivedFile``.
    """

    source: str
    release: str
    retrieved_at: datetime
    published_at: datetime | None
    sha256: str
    files: Sequence[Mapping[str, Any]]


WRITTEN = [name for name in Load.__dataclass_fields__ if name not in ("id", "finished_at")]
"""The columns of ``loads`` that a new row is given."""


def record(connection: Connection, load: Load, refused: pl.DataFrame, releases: Mapping[str, Release]) -> int:
    """Write a load, the releases that it used, and its refused rows; the caller commits.

    Returns:
        The load's id.
    """
    _record_releases(connection, releases)
    statement = sql.SQL("INSERT INTO edu_pipeline.loads ({}) VALUES ({}) RETURNING id").format(
        sql.SQL(", ").join(map(sql.Identifier, WRITTEN)), sql.SQL(", ").join([sql.Placeholder()] * len(WRITTEN))
    )
    values = [getattr(load, name) for name in WRITTEN]
    row = connection.execute(
        statement, [Jsonb(dict(value)) if isinstance(value, Mapping) else value for value in values]
    ).fetchone()
    assert row is not None and isinstance(row[0], int)
    recorded = refused.head(FAILED_SAMPLE) if load.state == "failed" else refused
    if recorded.height:
        rows = recorded.select(pl.lit(row[0]).alias("load_id"), *REFUSED)
        copy_in(connection, sql.SQL("edu_pipeline.refused_rows"), rows.lazy())
    return row[0]


def _record_releases(connection: Connection, releases: Mapping[str, Release]) -> None:
    for release in releases.values():
        connection.execute(
            "INSERT INTO edu_pipeline.releases (source, release, retrieved_at, published_at, sha256, files) "
            "VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
            [
                release.source,
                release.id,
                release.retrieved_at,
                release.published_at,
                release.sha256,
                Jsonb([vars(file) for file in release.files]),
            ],
        )


def forget(connection: Connection, schema: str) -> None:
    """Delete the loads of a target schema and their refused rows, if there is a ledger yet; the caller commits."""
    if connection.execute("SELECT to_regclass('edu_pipeline.loads')").fetchone() != (None,):
        connection.execute("DELETE FROM edu_pipeline.loads WHERE target_schema = %s", [schema])


def newest(
    connection: Connection, schema: str, state: str = "published", names: Sequence[str] | None = None
) -> dict[str, Load]:
    """The newest load in ``state`` of every table and view of the target schema, or of those with these names."""
    statement = sql.SQL(
        "SELECT DISTINCT ON (table_name) {} FROM edu_pipeline.loads WHERE target_schema = %(schema)s "
        "AND state = %(state)s AND (%(names)s::text[] IS NULL OR table_name = ANY (%(names)s)) "
        "ORDER BY table_name, id DESC"
    ).format(sql.SQL(", ").join(map(sql.Identifier, Load.__dataclass_fields__)))
    values = {"schema": schema, "state": state, "names": None if names is None else list(names)}
    with connection.cursor(row_factory=class_row(Load)) as cursor:
        return {load.table_name: load for load in cursor.execute(statement, values)}


def attempts(connection: Connection, names: Sequence[str] | None) -> tuple[int, int | None]:
    """How many loads of some tables are recorded, failed ones too, in all schemas, and the newest; None: of all."""
    row = connection.execute(
        "SELECT count(*), max(id) FROM edu_pipeline.loads "
        "WHERE table_name = ANY (%(names)s) OR %(names)s::text[] IS NULL",
        {"names": names},
    ).fetchone()
    assert row is not None
    count, newest_id = row
    return cast(int, count), cast("int | None", newest_id)


def published_before(connection: Connection, load: Load, other_schema: str) -> Load | None:
    """The published load of the same table before ``load``: into its schema, else the newest into ``other_schema``."""
    statement = sql.SQL(
        "SELECT {} FROM edu_pipeline.loads WHERE table_name = %(table)s AND state = 'published' AND id < %(id)s "
        "AND target_schema IN (%(schema)s, %(other)s) ORDER BY target_schema = %(schema)s DESC, id DESC LIMIT 1"
    ).format(sql.SQL(", ").join(map(sql.Identifier, Load.__dataclass_fields__)))
    names = {"table": load.table_name, "id": load.id, "schema": load.target_schema, "other": other_schema}
    with connection.cursor(row_factory=class_row(Load)) as cursor:
        return cursor.execute(statement, names).fetchone()


def last_change(connection: Connection, schema: str) -> dict[str, int]:
    """For every table of the target schema the id of the newest load that changed a row: its version."""
    return _pairs(
        connection,
        "SELECT table_name, max(id) FROM edu_pipeline.loads WHERE target_schema = %s AND state = 'published' "
        "AND strategy <> 'nothing' GROUP BY table_name",
        schema,
    )


def last_changed_at(connection: Connection, schema: str) -> dict[str, datetime]:
    """For every table of the target schema the end of the newest load that changed a row."""
    return _pairs(
        connection,
        "SELECT table_name, max(finished_at) FROM edu_pipeline.loads WHERE target_schema = %s AND state = 'published' "
        "AND strategy <> 'nothing' GROUP BY table_name",
        schema,
    )


def previous_rows(connection: Connection, schema: str, other_schema: str, table: str) -> int | None:
    """How many rows a table had before the newest load that changed any; None if there was no load before that.

    Args:
        schema: the schema of the newest load.
        other_schema: where to look next: the schema that a rebuild will replace, or has replaced.
    """
    row = connection.execute(
        "SELECT rows FROM edu_pipeline.loads WHERE target_schema IN (%(schema)s, %(other)s) AND table_name = %(table)s "
        "AND state = 'published' AND strategy <> 'nothing' "
        "ORDER BY target_schema = %(schema)s DESC, id DESC OFFSET 1 LIMIT 1",
        {"schema": schema, "other": other_schema, "table": table},
    ).fetchone()
    return int(str(row[0])) if row and row[0] is not None else None


def recorded_releases(connection: Connection, used: Iterable[tuple[str, str]]) -> list[RecordedRelease]:
    """What is recorded of releases, in the order of their sources.

    Args:
        used: source and release of each.
    """
    pairs = [list(pair) for pair in used]
    with connection.cursor(row_factory=class_row(RecordedRelease)) as cursor:
        return cursor.execute(
            "SELECT source, release, retrieved_at, published_at, sha256, files FROM edu_pipeline.releases "
            "JOIN jsonb_array_elements(%s) AS used ON used ->> 0 = source AND used ->> 1 = release "
            "ORDER BY source, release",
            [Jsonb(pairs)],
        ).fetchall()


def release_dates(connection: Connection, releases: Mapping[str, str]) -> dict[str, datetime]:
    """When recorded releases were published, or downloaded where the publisher gives no date; by source.

    Args:
        releases: source to release.
    """
    return _pairs(
        connection,
        "SELECT source, coalesce(published_at, retrieved_at) FROM edu_pipeline.releases "
        "JOIN jsonb_each_text(%s) AS used ON used.key = source AND used.value = release",
        Jsonb(dict(releases)),
    )


def loaded_tables(connection: Connection) -> set[str]:
    """The names of all tables and views that the ledger has a load of, in whatever schema."""
    rows = connection.execute("SELECT DISTINCT table_name FROM edu_pipeline.loads")
    return {str(name) for (name,) in rows}


def rename_schema(connection: Connection, old: str, new: str) -> None:
    """Record the loads into schema ``old`` as loads into ``new``; the caller commits."""
    connection.execute("UPDATE edu_pipeline.loads SET target_schema = %s WHERE target_schema = %s", [new, old])


def retire_schema(connection: Connection, schema: str) -> None:
    """Keep the loads into a dropped schema under a name of their own, without their quarantine; the caller commits.

    So a later schema of the same name does not inherit them.
    """
    connection.execute(
        "DELETE FROM edu_pipeline.refused_rows USING edu_pipeline.loads WHERE id = load_id AND target_schema = %s",
        [schema],
    )
    rename_schema(connection, schema, f"{schema}__dropped")


def is_invented(connection: Connection, schema: str) -> bool | None:
    """Whether the target schema holds data of the sample publisher; None as long as nothing was loaded from a file."""
    row = connection.execute(
        "SELECT bool_or(invented) FROM edu_pipeline.loads WHERE target_schema = %s AND state = 'published'", [schema]
    ).fetchone()
    return bool(row[0]) if row and row[0] is not None else None


def quarantine(connection: Connection, load: Load, limit: int) -> list[tuple[str, str]]:
    """Key and reasons with the place, as one text, of the first ``limit`` rows by key that a recorded load refused."""
    rows = connection.execute(
        "SELECT key, concat_ws(': ', place, array_to_string(reasons, '; ')) FROM edu_pipeline.refused_rows "
        "WHERE load_id = %s ORDER BY key, reasons LIMIT %s",
        [load.id, limit],
    )
    return [(str(key), str(reasons)) for key, reasons in rows]


def needed_releases(connection: Connection, loads: int) -> dict[str, set[str]]:
    """The releases that the last ``loads`` published loads of each table of each schema used, by source."""
    rows = connection.execute(
        "SELECT DISTINCT used.key, used.value FROM (SELECT releases, row_number() OVER (PARTITION BY target_schema, "
        "table_name ORDER BY id DESC) AS age FROM edu_pipeline.loads WHERE state = 'published') AS l, "
        "jsonb_each_text(releases) AS used WHERE age <= %s",
        [loads],
    )
    needed: dict[str, set[str]] = {}
    for source, release in rows:
        needed.setdefault(str(source), set()).add(str(release))
    return needed


def prune(connection: Connection, before: datetime) -> tuple[int, int]:
    """Delete failed loads that ended ``before``, and refused rows of published ones; the caller commits.

    The newest load of each table and state stays, with its refused rows: they say what is published and why the last
    attempt failed.

    Returns:
        How many failed loads were deleted, and how many refused rows, theirs included.
    """
    connection.execute(
        "CREATE TEMPORARY TABLE old_loads ON COMMIT DROP AS SELECT id, state FROM edu_pipeline.loads AS l "
        "WHERE finished_at < %s AND EXISTS (SELECT FROM edu_pipeline.loads AS newer WHERE newer.id > l.id "
        "AND (newer.target_schema, newer.table_name, newer.state) = (l.target_schema, l.table_name, l.state))",
        [before],
    )
    rows = connection.execute("DELETE FROM edu_pipeline.refused_rows USING old_loads WHERE load_id = id").rowcount
    loads = connection.execute(
        "DELETE FROM edu_pipeline.loads USING old_loads AS old WHERE loads.id = old.id AND old.state = 'failed'"
    ).rowcount
    return loads, rows


def _pairs(connection: Connection, statement: LiteralString, value: object) -> dict[str, Any]:
    """The rows of a query with one parameter and two columns: name to value."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        return dict(cursor.execute(statement, [value]).fetchall())
