"""What a check is, what it looks at, and what it says.

Belongs here: what checks in several modules share. Does not belong here: any one check, running them and keeping what
they found (``running.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, LiteralString, cast

from psycopg import sql

from edu_pipeline.checks.expectations import Expectation, expectations
from edu_pipeline.database import ledger
from edu_pipeline.database.connection import Connection, Database, home_of_postgis
from edu_pipeline.database.views import views
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.inputs import awaited, releases_of
from edu_pipeline.table import Table, tables

Severity = Literal["warn", "error"]

WHOLE_COUNTRY = 50
"""An invented country of fewer départements is a small one, to which national figures do not apply."""

BETWEEN = {"orphans", "age", "in_directory", "crime_rates", "colleges_counted", "open_schools"}
"""Checks between tables, which they want loaded, or of the time that has passed."""


@dataclass(frozen=True)
class CheckSpec:
    """A check, as known without a database.

    Attributes:
        severity: what it means if it does not pass; of a table that waits for its file it is ``warn``.
    """

    table: str
    name: str
    description: str
    severity: Severity

    @property
    def between(self) -> bool:
        """Whether it is between tables, or of the time that has passed; else it looks at the rows alone."""
        return self.name in BETWEEN


@dataclass(frozen=True)
class CheckResult:
    """What a check found.

    Attributes:
        description: what was expected and found, where, and if it did not pass, what to do.
        metadata: the numbers, and what is missing.
        of_rows: digest of the rows and of the code, of a costly check.
    """

    table: str
    name: str
    passed: bool
    severity: Severity
    description: str
    metadata: Mapping[str, Any]
    of_rows: str | None = None


@dataclass(frozen=True)
class Found:
    """What a probe says; the rest of the result follows from the check."""

    passed: bool
    text: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Subject:
    """The table that is looked at, and what all its checks want to know; asked for once."""

    name: str
    connection: Connection
    database: Database
    archive: Archive
    relation: sql.Identifier

    def ask(self, statement: LiteralString, **names: str | sql.Composable) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        return cast(list[tuple[Any, ...]], self.connection.execute(self.query(statement, **names)).fetchall())

    def query(self, statement: LiteralString, **names: str | sql.Composable) -> sql.Composed:
        """A query; ``{table}`` in it is the table, other names are columns, tables or functions given."""
        parts = {key: sql.Identifier(name) if isinstance(name, str) else name for key, name in names.items()}
        return sql.SQL(statement).format(table=self.relation, **parts)

    def postgis(self, **names: str) -> dict[str, sql.Composable]:
        """Functions of PostGIS by their full names, to be given to a query."""
        home = home_of_postgis(self.connection)
        return {key: sql.Identifier(*home, name) for key, name in names.items()}

    @cached_property
    def expectation(self) -> Expectation:
        """What is expected of it."""
        return expectations().of(self.name)

    @cached_property
    def table(self) -> Table | None:
        """Its declaration; None of a view, and of a table that no code fills yet."""
        return tables().get(self.name)

    @cached_property
    def load(self) -> ledger.Load | None:
        """Its newest published load."""
        return ledger.newest(self.connection, self.database.schema).get(self.name)

    @cached_property
    def rows(self) -> int:
        """How many it has."""
        return sum(self._counted.values())

    @cached_property
    def digest(self) -> str:
        """Of all its rows, in any order."""
        return str(self.ask("SELECT count(*), sum(hashtextextended(this::text, 0)) FROM {table} AS this"))

    @cached_property
    def per_year(self) -> dict[Any, int]:
        """Rows by year as the table has it (``2025``, ``2025-2026``), the oldest first; empty if it has no years."""
        return {year: rows for year, rows in self._counted.items() if year is not None}

    @cached_property
    def _counted(self) -> dict[Any, int]:
        """Rows by year; all of them under None if it has no years."""
        if self.expectation.years is None:
            return {None: self.ask("SELECT count(*) FROM {table}")[0][0]}
        column = self.expectation.years.column
        return dict(self.ask("SELECT {column}, count(*) FROM {table} GROUP BY 1 ORDER BY 1", column=column))

    @property
    def newest_year(self) -> int | None:
        """The newest year of its rows, a school year as that in which it begins."""
        return max(map(begin, self.per_year), default=None)

    @property
    def of_newest_year(self) -> sql.Composable:
        """Condition on its rows."""
        if self.expectation.years is None or not self.per_year:
            return sql.SQL("true")
        return sql.SQL("{} = {}").format(sql.Identifier(self.expectation.years.column), max(self.per_year))

    @cached_property
    def country(self) -> frozenset[str] | None:
        """The départements of a small invented country; None: national figures apply."""
        if not ledger.is_invented(self.connection, self.database.schema):
            return None
        codes = frozenset(str(code) for (code,) in self.ask("SELECT code_departement FROM departements"))
        return codes if 0 < len(codes) < WHOLE_COUNTRY else None

    @cached_property
    def awaited(self) -> str | None:
        """What the table waits for, if it is empty for want of it."""
        if self.ask("SELECT EXISTS (SELECT FROM {table})") == [(True,)]:
            return None
        if self.name in views():
            return None if self.load else "its first refresh"
        if self.table is None:
            return "its asset"
        loaded = ledger.newest(self.connection, self.database.schema)
        if missing := awaited(self.table, releases_of(self.table, self.archive), loaded):
            return str(missing)
        if self.table.is_supplied and self.load and not self.load.releases:
            return f"a file of {', '.join(sorted(self.table.sources))}"
        return None


Probe = Callable[[Subject], Found]


@dataclass(frozen=True)
class Check:
    """A check, and what makes it."""

    spec: CheckSpec
    probe: Probe


def begin(year: int | str) -> int:
    """A year; of a school year, as ``2025-2026``, the one in which it begins."""
    return int(str(year)[:4])


def judged(passed: bool, found: str, remedy: str, metadata: Mapping[str, Any]) -> Found:
    """What was expected and found; and what to do, if the check did not pass."""
    return Found(passed, found if passed else f"{found} {remedy}", metadata)


def examples_of(values: Sequence[str]) -> str:
    """The first few, to be told after a number; nothing, if there are none."""
    return f", e.g. {', '.join(values[:5])}" if values else ""
