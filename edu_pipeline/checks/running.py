"""Running the checks of a table, and stopping what would make published rows worse.

Belongs here: which checks run when, and which are not repeated. Does not belong here: what a check looks at
(``figures.py``, ``agreements.py``, ``overlaps.py``), the results' table (``memory.py``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import replace
from functools import cache

from psycopg import sql

from edu_pipeline.checks import agreements, figures
from edu_pipeline.checks.memory import passing_checks, recall, remember, results
from edu_pipeline.checks.subject import CheckResult, CheckSpec, Subject
from edu_pipeline.code_digest import digest, module_digest
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.views import views
from edu_pipeline.errors import EXAMPLES, CheckRed
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import tables


def specs_of(table: str) -> list[CheckSpec]:
    """The checks of a table or view, in the order in which they are listed.

    A table without a section in ``expectations.toml`` has those that need no figure.
    """
    return figures.checks_of(table) + agreements.checks_of(table)


def run(
    connection: Connection,
    database: Database,
    archive: Archive,
    table: str,
    names: Collection[str] | None = None,
    *,
    between: bool | None = None,
    unattended: bool = False,
) -> list[CheckResult]:
    """Check a table or view of the target schema, and remember the results.

    Args:
        connection: from here on it commits after every statement; a transaction over all checks would block a load.
        names: the checks to run; None: all of them.
        between: True: only those that compare tables or look at the clock; False: only the others; None: both.
        unattended: nobody has asked for the checks, so that those which can only find what they last found are not
            repeated.
    """
    connection.commit()
    connection.autocommit = True
    chosen = [
        check
        for check in specs_of(table)
        if (names is None or check.name in names) and between in (None, check.between)
    ]
    subject = Subject(table, connection, database, archive, sql.Identifier(table))
    return _run(chosen, subject, is_published=True, unattended=unattended)


def before_publication(
    connection: Connection, database: Database, archive: Archive, table: str, relation: sql.Identifier
) -> list[CheckResult]:
    """Check the new rows of a table by themselves, in the transaction of their load, and remember the results.

    Args:
        relation: where the rows are: in the table itself, or in one that will replace it.
    """
    chosen = [check for check in specs_of(table) if not check.between]
    return _run(chosen, Subject(table, connection, database, archive, relation))


def before_swap(database: Database, archive: Archive, accept_red: Collection[str]) -> list[CheckResult]:
    """Run the checks of a next schema that its loads have not run yet, and compare all its results with the live ones.

    Raises:
        CheckRed: a check that passes in the live schema finds an error, in a table or view that is not in
            ``accept_red``.
    """
    assert database.live is not None
    with database.connect() as connection:
        made = [result for table in tables() for result in run(connection, database, archive, table, between=True)]
        passing = {
            (table, name) for table, name in passing_checks(connection, database.live) if table not in accept_red
        }
        stop_if_worse(passing, results(connection, database.schema), f"schema {database.schema}")
    return made


def stop_if_worse(passing: Collection[tuple[str, str]], made: Iterable[CheckResult], where: str) -> None:
    """Stop if a check finds an error in the new rows, and none in the published ones.

    Args:
        passing: the checks that the published rows pass, as table and name.
        made: the results for the new rows.

    Raises:
        CheckRed: there is such an error; the text lists them.
    """
    worse = [result for result in made if result.is_error and (result.table, result.name) in passing]
    if worse:
        raise CheckRed(
            where,
            "expected the new rows to pass every check that the published rows pass, found "
            + " | ".join(f"{result.name}: {result.description}" for result in worse[:EXAMPLES]),
            "The published rows stay. If the new ones are right, accept them once: "
            f"`--accept-red {min(result.table for result in worse)}`.",
            [result.name for result in worse],
        )


def _run(
    chosen: Iterable[CheckSpec], subject: Subject, *, is_published: bool = False, unattended: bool = False
) -> list[CheckResult]:
    made = [_result(check, subject, is_published, unattended) for check in chosen]
    remember(subject.connection, subject.database.schema, made)
    return made


def _result(check: CheckSpec, subject: Subject, is_published: bool, unattended: bool) -> CheckResult:
    where = f"{'view' if subject.name in views() else 'table'} {subject.name}"
    if subject.awaited:
        text = f"{where}: expected rows, found none: it waits for {subject.awaited}."
        return CheckResult(check.table, check.name, False, "warn", text, {"waits": subject.awaited})
    of_rows = _digest(check, subject, is_published)
    if of_rows and (check.costly or unattended):
        known = recall(subject.connection, subject.database, check, of_rows)
        if known:
            return known
    return replace(_probed(check, subject, where), of_rows=of_rows)


def _probed(check: CheckSpec, subject: Subject, where: str) -> CheckResult:
    finding = check.probe(subject)
    text = f"{where}: {finding.text}"
    return CheckResult(check.table, check.name, finding.passed, check.severity, text, finding.metadata)


def _digest(check: CheckSpec, subject: Subject, is_published: bool) -> str | None:
    """A digest of what a check looks at, and of its code; None if that cannot be told.

    Of a costly check it is a digest of the rows. For others the server is asked whether anything was written, which it
    cannot say of rows that are not published yet.
    """
    if check.costly:
        looked_at = f"{subject.digest} {module_digest(check.probe.__module__)}"
    else:
        can_be_told = is_published and not check.outside
        state = (subject.state_of_all if check.between else subject.state) if can_be_told else None
        if state is None:
            return None
        looked_at = f"{state} {_code()}"
    return hashlib.sha256(looked_at.encode()).hexdigest()[:16]


@cache
def _code() -> str:
    """A digest of the code of all checks."""
    return digest([__name__])
