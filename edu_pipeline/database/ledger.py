"""The ledger: what was loaded from which release, what changed, what was refused.

Belongs here: writing and reading ``edu_pipeline.loads``, ``releases`` and ``refused_rows``. Does not belong
here: deciding anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import polars as pl
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from edu_pipeline.database.connection import Connection
from edu_pipeline.database.copying import copy_in
from edu_pipeline.sources.archive import Release

REFUSED = pl.Schema({"key": pl.String(), "reasons": pl.List(pl.String()), "row": pl.String()})
"""Columns of the quarantine: the key as text, every reason, the row as JSON."""

FAILED_SAMPLE = 1_000
"""Refused rows that are kept of a failed load; of a published one all are kept."""


@dataclass(frozen=True)
class Load:
    """One row of the ledger; for a view ``added`` to ``removed`` are None."""

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
    error: str | None = None
    id: int | None = None
    finished_at: datetime | None = None


COLUMNS = [name for name in Load.__dataclass_fields__ if name not in ("id", "finished_at")]


def record(connection: Connection, load: Load, refused: pl.DataFrame, releases: Mapping[str, Release]) -> int:
    """Write the load, the releases that it used, and its refused rows; the caller commits.

    Returns:
        The load's id.
    """
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
    values = [Jsonb(dict(value)) if isinstance(value, Mapping) else value for value in _values(load)]
    statement = sql.SQL("INSERT INTO edu_pipeline.loads ({}) VALUES ({}) RETURNING id").format(
        sql.SQL(", ").join(map(sql.Identifier, COLUMNS)), sql.SQL(", ").join([sql.Placeholder()] * len(COLUMNS))
    )
    found = connection.execute(statement, values).fetchone()
    assert found is not None and isinstance(found[0], int)
    kept = refused.head(FAILED_SAMPLE) if load.state == "failed" else refused
    if kept.height:
        rows = kept.select(pl.lit(found[0]).alias("load_id"), "key", "reasons", "row")
        copy_in(connection, sql.SQL("edu_pipeline.refused_rows"), rows.lazy())
    return found[0]


def _values(load: Load) -> list[object]:
    return [getattr(load, name) for name in COLUMNS]


def newest(connection: Connection, schema: str, state: str = "published") -> dict[str, Load]:
    """The newest load in ``state`` of every table and view of the target schema, by name."""
    statement = sql.SQL(
        "SELECT DISTINCT ON (table_name) {} FROM edu_pipeline.loads WHERE target_schema = %s AND state = %s "
        "ORDER BY table_name, id DESC"
    ).format(sql.SQL(", ").join(map(sql.Identifier, [*COLUMNS, "id", "finished_at"])))
    with connection.cursor(row_factory=class_row(Load)) as cursor:
        return {load.table_name: load for load in cursor.execute(statement, [schema, state])}


def quarantine(connection: Connection, load: Load, limit: int) -> list[tuple[str, str]]:
    """Key and reasons, as one text, of rows that a recorded load refused, the first ``limit`` by key."""
    rows = connection.execute(
        "SELECT key, array_to_string(reasons, '; ') AS reasons FROM edu_pipeline.refused_rows WHERE load_id = %s "
        "ORDER BY key, reasons LIMIT %s",
        [load.id, limit],
    )
    return [(str(key), str(reasons)) for key, reasons in rows]


def is_invented(connection: Connection, schema: str) -> bool | None:
    """Whether the target schema holds data of the sample publisher; None as long as nothing from a file is loaded."""
    found = connection.execute(
        "SELECT bool_or(invented) FROM edu_pipeline.loads WHERE target_schema = %s AND state = 'published'", [schema]
    ).fetchone()
    return bool(found[0]) if found and found[0] is not None else None


def last_change(connection: Connection, schema: str) -> dict[str, int]:
    """For every table of the target schema the id of the newest load that changed a row: its version."""
    rows = connection.execute(
        "SELECT table_name, max(id) FROM edu_pipeline.loads WHERE target_schema = %s AND state = 'published' "
        "AND strategy <> 'nothing' GROUP BY table_name",
        [schema],
    )
    return {str(name): int(version) for name, version in rows}  # type: ignore[call-overload]


def last_changed_at(connection: Connection, schema: str) -> dict[str, datetime]:
    """For every table of the target schema the end of the newest load that changed a row."""
    rows = connection.execute(
        "SELECT table_name, max(finished_at) FROM edu_pipeline.loads WHERE target_schema = %s AND state = 'published' "
        "AND strategy <> 'nothing' GROUP BY table_name",
        [schema],
    )
    return {str(name): changed_at for name, changed_at in rows}  # type: ignore[misc]


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


def release_dates(connection: Connection, releases: Mapping[str, str]) -> dict[str, datetime]:
    """When recorded releases were published, or downloaded where the publisher gives no date; by source.

    Args:
        releases: source to release.
    """
    rows = connection.execute(
        "SELECT source, coalesce(published_at, retrieved_at) FROM edu_pipeline.releases "
        "JOIN jsonb_each_text(%s) AS used ON used.key = source AND used.value = release",
        [Jsonb(dict(releases))],
    )
    return {str(source): moment for source, moment in rows}  # type: ignore[misc]


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
