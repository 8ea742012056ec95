"""The newest result of every check: the table ``edu_pipeline.check_results``.

Belongs here: reading and writing that table. Does not belong here: making checks, and deciding what follows from a
result (``running.py``, ``monitoring/health.py``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, cast

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from edu_pipeline.checks.subject import CheckResult, CheckSpec
from edu_pipeline.database.connection import Connection, Database


def results(connection: Connection, schema: str) -> list[CheckResult]:
    """The newest result of every check of a schema's tables and views, by table and name."""
    with connection.cursor(row_factory=class_row(CheckResult)) as cursor:
        return cursor.execute(
            "SELECT table_name AS table, check_name AS name, passed, severity, description, metadata, of_rows "
            "FROM edu_pipeline.check_results WHERE target_schema = %s ORDER BY table_name, check_name",
            [schema],
        ).fetchall()


def failing_checks(connection: Connection, schema: str) -> dict[tuple[str, str], str]:
    """The descriptions of the checks that last found an error in a schema, by table and name."""
    return {
        (result.table, result.name): result.description for result in results(connection, schema) if result.is_error
    }


def passing_checks(connection: Connection, schema: str) -> set[tuple[str, str]]:
    """The checks that a schema's rows last passed, as table and name."""
    return {(result.table, result.name) for result in results(connection, schema) if result.passed}


def remember(connection: Connection, schema: str, made: Iterable[CheckResult]) -> None:
    """Store results, in place of older ones of the same checks."""
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO edu_pipeline.check_results "
            "(target_schema, table_name, check_name, passed, severity, description, metadata, of_rows) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (target_schema, table_name, check_name) DO UPDATE SET passed = excluded.passed, "
            "severity = excluded.severity, description = excluded.description, checked_at = excluded.checked_at, "
            "metadata = excluded.metadata, of_rows = excluded.of_rows",
            [
                (
                    schema,
                    result.table,
                    result.name,
                    result.passed,
                    result.severity,
                    result.description,
                    Jsonb(result.metadata),
                    result.of_rows,
                )
                for result in made
            ],
        )


def recall(connection: Connection, database: Database, check: CheckSpec, of_rows: str) -> CheckResult | None:
    """What a check found when it looked at the same, in this schema or the live one; None if that is not known."""
    row = connection.execute(
        "SELECT passed, description, metadata FROM edu_pipeline.check_results "
        "WHERE target_schema = ANY (%s) AND table_name = %s AND check_name = %s AND of_rows = %s LIMIT 1",
        [[database.schema, database.live], check.table, check.name, of_rows],
    ).fetchone()
    if row is None:
        return None
    passed, description, metadata = cast(tuple[bool, str, dict[str, Any]], row)
    return CheckResult(check.table, check.name, passed, check.severity, description, metadata, of_rows)
