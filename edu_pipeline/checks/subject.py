"""What a check is, what it looks at, and what it says.

Belongs here: what the modules of checks share. Does not belong here: any particular check (``figures.py``,
``agreements.py``, ``overlaps.py``), running them (``running.py``), remembering results (``memory.py``).
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
"""An invented country with fewer départements than this is a small one, to which national figures do not apply."""


PLACES = ("departements", "info_communes")
"""The tables that the checks of all others look places up in."""


@dataclass(frozen=True)
class CheckSpec:
    """A check as it is declared.

    Attributes:
        description: what is true if it passes.
        severity: how bad it is if it does not pass; for a table that waits for its file it is ``warn``.
        probe: what looks at the rows.
        between: whether it compares the table with other tables, or its age with the clock, and so runs after all loads
            of a run; else it looks at the rows alone, and runs before they are published.
        costly: whether it is not repeated for the same rows, since it takes much longer than reading them. It must
            depend on nothing else, and its probe needs a module of its own: when that changes, the check is repeated.
        outside: whether it depends on more than the database: the clock, the archive, or what publishers say.
    """

    table: str
    name: str
    description: str
    severity: Severity
    probe: Probe
    between: bool = False
    costly: bool = False
    outside: bool = False


@dataclass(frozen=True)
class CheckResult:
    """The outcome of a check.

    Attributes:
        description: what was expected and found, where, and if the check did not pass, what to do.
        metadata: the numbers, and what is missing.
        of_rows: digest of what the check has looked at, and of its code: while it is the same, so is the result. None
            if that cannot be told.
    """

    table: str
    name: str
    passed: bool
    severity: Severity
    description: str
    metadata: Mapping[str, Any]
    of_rows: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether it found an error, and not only something to look at."""
        return not self.passed and self.severity == "error"


@dataclass(frozen=True)
class Finding:
    """What a probe reports; the rest of the result follows from the check."""

    passed: bool
    text: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class Subject:
    """The table or view under check, and what its checks want to know of it, queried once."""

    name: str
    connection: Connection
    database: Database
    archive: Archive
    relation: sql.Identifier

    def ask(self, statement: LiteralString, **names: str | sql.Composable) -> list[tuple[Any, ...]]:
        """The rows of a query; see ``query``."""
        return cast(list[tuple[Any, ...]], self.connection.execute(self.query(statement, **names)).fetchall())

    def query(self, statement: LiteralString, **names: str | sql.Composable) -> sql.Composed:
        """A query in which ``{table}`` is the table, and other placeholders are the given columns or functions."""
        parts = {key: sql.Identifier(name) if isinstance(name, str) else name for key, name in names.items()}
        return sql.SQL(statement).format(table=self.relation, **parts)

    def postgis(self, **names: str) -> dict[str, sql.Composable]:
        """Functions of PostGIS with their schema, as arguments of ``query``."""
        home = home_of_postgis(self.connection)
        return {key: sql.Identifier(*home, name) for key, name in names.items()}

    @cached_property
    def expectation(self) -> Expectation:
        """Its section of the expectations."""
        return expectations().of(self.name)

    @cached_property
    def table(self) -> Table | None:
        """Its declaration; None for a view, and for a table that no code fills yet."""
        return tables().get(self.name)

    @cached_property
    def loads(self) -> Mapping[str, ledger.Load]:
        """The newest published load of every table and view of its schema."""
        return ledger.newest(self.connection, self.database.schema)

    @property
    def load(self) -> ledger.Load | None:
        """Its own newest published load."""
        return self.loads.get(self.name)

    @cached_property
    def rows(self) -> int:
        """How many rows it has."""
        return sum(self._rows_by_year.values())

    @cached_property
    def counted_rows(self) -> int:
        """How many rows it has of those that the expected number is about."""
        conditions = [
            sql.SQL("{} = {}").format(sql.Identifier(column), value)
            for column, value in self.expectation.counted.items()
        ]
        if not conditions:
            return self.rows
        ((count,),) = self.ask(
            "SELECT count(*) FROM {table} WHERE {counted}", counted=sql.SQL(" AND ").join(conditions)
        )
        return int(count)

    @cached_property
    def digest(self) -> str:
        """A digest of all its rows, in any order."""
        return str(self.ask("SELECT count(*), sum(hashtextextended(this::text, 0)) FROM {table} AS this"))

    @cached_property
    def state(self) -> str | None:
        """What is the same as long as nobody writes into itself, the tables that it is made from, ``PLACES``, or the
        ledger of its loads, or expects something else of it; None if the server does not count what is written."""
        made_from = views()[self.name].inputs if self.name in views() else self.table.tables if self.table else []
        return self._written([self.name, *made_from, *PLACES])

    @cached_property
    def state_of_all(self) -> str | None:
        """The same for all tables and views of its schema."""
        return self._written(None)

    def _written(self, names: Sequence[str] | None) -> str | None:
        """What the server has counted of writing into relations and their partitions; into all of the schema for None.

        A session reports what it has written within ten seconds. After a crash, or on request, the server begins to
        count again from 0: the same numbers then do not mean the same rows.
        """
        statement = (
            "SELECT string_agg(concat_ws(' ', c.oid, c.xmin, pg_stat_get_tuples_inserted(c.oid), "
            "pg_stat_get_tuples_updated(c.oid), pg_stat_get_tuples_deleted(c.oid)), ',' ORDER BY c.oid), "
            "(SELECT stats_reset::text FROM pg_stat_wal), "
            "(SELECT stats_reset::text FROM pg_stat_database WHERE datname = current_database()) "
            "FROM pg_class AS c LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid "
            "LEFT JOIN pg_class AS parent ON parent.oid = i.inhparent "
            "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'm') "
            "AND (coalesce(parent.relname, c.relname) = ANY (%(names)s) OR %(names)s::text[] IS NULL) "
            "AND current_setting('track_counts')::boolean"
        )
        ((written, *counted_since),) = self.connection.execute(statement, {"names": names}).fetchall()
        attempts = ledger.attempts(self.connection, names)
        return f"{written} {counted_since} {attempts} {expectations()}" if written else None

    @cached_property
    def rows_per_year(self) -> dict[Any, int]:
        """Rows by year as the table writes it (``2025``, ``2025-2026``), the oldest first; empty if it has no years."""
        return {year: rows for year, rows in self._rows_by_year.items() if year is not None}

    @cached_property
    def _rows_by_year(self) -> dict[Any, int]:
        """Rows by year; all of them under None if it has no years."""
        if self.expectation.years is None:
            return {None: self.ask("SELECT count(*) FROM {table}")[0][0]}
        column = self.expectation.years.column
        return dict(self.ask("SELECT {column}, count(*) FROM {table} GROUP BY 1 ORDER BY 1", column=column))

    @property
    def newest_year(self) -> int | None:
        """The newest year of its rows; a school year counts as the year in which it begins."""
        return max(map(starting_year, self.rows_per_year), default=None)

    @property
    def of_newest_year(self) -> sql.Composable:
        """The condition that a row is of the newest year."""
        if self.expectation.years is None or not self.rows_per_year:
            return sql.SQL("true")
        return sql.SQL("{} = {}").format(sql.Identifier(self.expectation.years.column), max(self.rows_per_year))

    @cached_property
    def small_country(self) -> frozenset[str] | None:
        """The départements of a small invented country; None if national figures apply."""
        if not ledger.is_invented(self.connection, self.database.schema):
            return None
        codes = frozenset(str(code) for (code,) in self.ask("SELECT code_departement FROM departements"))
        return codes if 0 < len(codes) < WHOLE_COUNTRY else None

    @cached_property
    def awaited(self) -> str | None:
        """What it waits for, if it is empty because that is missing."""
        if self.ask("SELECT EXISTS (SELECT FROM {table})") == [(True,)]:
            return None
        if self.name in views():
            return None if self.load else "its first refresh"
        if self.table is None:
            return "its asset"
        if missing := awaited(self.table, releases_of(self.table, self.archive), self.loads):
            return str(missing)
        if self.table.is_supplied and self.load and not self.load.releases:
            return f"a file of {', '.join(sorted(self.table.sources))}"
        return None


Probe = Callable[[Subject], Finding]


def starting_year(year: int | str) -> int:
    """A year; of a school year such as ``2025-2026`` the one in which it begins."""
    return int(str(year)[:4])


def finding(passed: bool, text: str, remedy: str, metadata: Mapping[str, Any]) -> Finding:
    """A finding from what was expected and found, with the remedy if the check did not pass."""
    return Finding(passed, text if passed else f"{text} {remedy}", metadata)


def examples_of(values: Sequence[str]) -> str:
    """The first few values, to follow a number; empty if there are none."""
    return f", e.g. {', '.join(values[:5])}" if values else ""
