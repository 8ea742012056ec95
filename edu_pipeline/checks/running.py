"""Making the checks of a table, remembering what they found, and stopping what would make published rows worse.

Belongs here: which checks are made when, and ``edu_pipeline.check_results``. Does not belong here: what any one check
looks at (``figures.py``, ``agreements.py``, ``overlaps.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Any, cast

from psycopg import sql
from psycopg.types.json import Jsonb

from edu_pipeline.checks import agreements, figures
from edu_pipeline.checks.subject import Check, CheckResult, CheckSpec, Probe, Subject
from edu_pipeline.code_digest import module_digest
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.views import views
from edu_pipeline.errors import EXAMPLES, CheckRed
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import tables

COSTLY = {"overlaps"}
"""Checks that depend on the rows alone, and take so much longer than reading these that they are not made again of the
same ones. Rows that somebody has changed by hand are others. Each has a module of its own: when that changes, it is
made again."""


def specs_of(table: str) -> list[CheckSpec]:
    """The checks of a table or view; without a section in ``expectations.toml`` those that need no figure."""
    return [check.spec for check in _checks(table)]


def run(
    connection: Connection,
    database: Database,
    archive: Archive,
    table: str,
    names: Collection[str] | None = None,
    *,
    between: bool | None = None,
) -> list[CheckResult]:
    """Check a table or view of the target schema, and remember what was found.

    Args:
        connection: commits from here on after every statement: a transaction over all checks would keep a load waiting.
        names: of the checks to run; None: all of them.
        between: only those between tables, or only the others; None: both.

    Raises:
        KeyError: ``expectations.toml`` has no section of that name.
    """
    chosen = [
        check
        for check in _checks(table)
        if (names is None or check.spec.name in names) and between in (None, check.spec.between)
    ]
    connection.commit()
    connection.autocommit = True
    subject = Subject(table, connection, database, archive, sql.Identifier(table))
    found = [_result(check, subject) for check in chosen]
    _remember(connection, database.schema, found)
    return found


def before_publication(
    connection: Connection, database: Database, archive: Archive, table: str, relation: sql.Identifier
) -> list[CheckResult]:
    """Check what is to be the rows of a table, by the checks that look at it alone, in the transaction of its load.

    Args:
        relation: where the rows are: the table itself, or one beside it.
    """
    subject = Subject(table, connection, database, archive, relation)
    found = [_result(check, subject) for check in _checks(table) if not check.spec.between]
    _remember(connection, database.schema, found)
    return found


def before_swap(database: Database, archive: Archive, accept_red: Collection[str]) -> list[CheckResult]:
    """Check a schema that was built beside the live one, by what its loads have not checked yet.

    Raises:
        CheckRed: an error that the live schema does not have, of a table or view that is not in ``accept_red``.
    """
    assert database.live is not None
    with database.connect() as connection:
        found = [one for name in tables() for one in run(connection, database, archive, name, between=True)]
        green = {(table, name) for table, name in passing_checks(connection, database.live) if table not in accept_red}
        red = failing_checks(connection, database.schema)
    worse = [CheckResult(table, name, False, "error", text, {}) for (table, name), text in red.items()]
    stop_if_worse(green, worse, f"schema {database.schema}")
    return found


def stop_if_worse(green: Collection[tuple[str, str]], found: Iterable[CheckResult], where: str) -> None:
    """That no check finds an error which passed before.

    Raises:
        CheckRed: one does; the text says all of them.
    """
    worse = [one for one in found if not one.passed and one.severity == "error" and (one.table, one.name) in green]
    if worse:
        tables_of = sorted({one.table for one in worse})
        raise CheckRed(
            where,
            "expected no check to turn red that the published rows pass, found "
            + " | ".join(f"{one.name}: {one.description}" for one in worse[:EXAMPLES]),
            f"The published rows stay. If the new ones are right, accept them once: `--accept-red {tables_of[0]}`.",
            [one.name for one in worse],
        )


def failing_checks(connection: Connection, schema: str) -> dict[tuple[str, str], str]:
    """What the newest results of a schema call an error: table and check, to the description."""
    return {
        (str(table), str(name)): str(description)
        for table, name, description in connection.execute(
            "SELECT table_name, check_name, description FROM edu_pipeline.check_results "
            "WHERE target_schema = %s AND NOT passed AND severity = 'error' ORDER BY 1, 2",
            [schema],
        )
    }


def passing_checks(connection: Connection, schema: str) -> set[tuple[str, str]]:
    """The checks, by table and name, that the rows of a schema passed when they were last made."""
    rows = connection.execute(
        "SELECT table_name, check_name FROM edu_pipeline.check_results WHERE target_schema = %s AND passed", [schema]
    )
    return {(str(table), str(name)) for table, name in rows}


def _remember(connection: Connection, schema: str, found: Iterable[CheckResult]) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO edu_pipeline.check_results "
            "(target_schema, table_name, check_name, passed, severity, description, metadata, of_rows) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (target_schema, table_name, check_name) DO UPDATE SET passed = excluded.passed, "
            "severity = excluded.severity, description = excluded.description, checked_at = excluded.checked_at, "
            "metadata = excluded.metadata, of_rows = excluded.of_rows",
            [
                (schema, one.table, one.name, one.passed, one.severity, one.description, Jsonb(one.metadata),
                 one.of_rows)
                for one in found
            ],
        )  # fmt: skip


def _result(check: Check, subject: Subject) -> CheckResult:
    spec = check.spec
    where = f"{'view' if subject.name in views() else 'table'} {subject.name}"
    if subject.awaited:
        text = f"{where}: expected rows, found none: it waits for {subject.awaited}."
        return CheckResult(spec.table, spec.name, False, "warn", text, {"waits": subject.awaited})
    of_rows = _digest(check.probe, subject) if spec.name in COSTLY else None
    if of_rows and (known := _known(spec, subject, of_rows)):
        return known
    found = check.probe(subject)
    text = f"{where}: {found.text}"
    return CheckResult(spec.table, spec.name, found.passed, spec.severity, text, found.metadata, of_rows)


def _digest(probe: Probe, subject: Subject) -> str:
    """A hash of the rows, and of the code that looks at them."""
    return hashlib.sha256(f"{subject.digest} {module_digest(probe.__module__)}".encode()).hexdigest()[:16]


def _known(spec: CheckSpec, subject: Subject, of_rows: str) -> CheckResult | None:
    """What the check has found of the same rows, here or in the live schema."""
    row = subject.connection.execute(
        "SELECT passed, description, metadata FROM edu_pipeline.check_results "
        "WHERE target_schema = ANY (%s) AND table_name = %s AND check_name = %s AND of_rows = %s LIMIT 1",
        [[subject.database.schema, subject.database.live], spec.table, spec.name, of_rows],
    ).fetchone()
    if row is None:
        return None
    passed, description, metadata = cast(tuple[bool, str, dict[str, Any]], row)
    return CheckResult(spec.table, spec.name, passed, spec.severity, description, metadata, of_rows)


def _checks(table: str) -> list[Check]:
    """All checks of a table, in the order in which they are shown."""
    return figures.checks_of(table) + agreements.checks_of(table)
