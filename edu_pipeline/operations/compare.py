"""The comparison report: two schemas of one database, their rows counted and the same queries timed on both.

Belongs here: counting, timing, and the report as records, as tables for the terminal and as JSON. Does not belong
here: the queries (``sql/comparison.sql``), comparing the content of rows (``checksum.py``).
"""

from __future__ import annotations

import json
import re
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib import resources

import psycopg
from psycopg import sql
from rich.console import Group
from rich.markup import escape
from rich.table import Table as Grid

from edu_pipeline.database.connection import (
    TABLES,
    VIEWS,
    Connection,
    Database,
    home_of_postgis,
    relations,
    set_search_path,
)
from edu_pipeline.errors import DatabaseUnreachable, QueriesInvalid

READABLE = TABLES + VIEWS + "vf"
"""Kinds of relations that are counted: also plain views and foreign tables, which older schemas may have."""

TIMEOUT = 60.0
"""Seconds that a count or a query may take."""


@dataclass(frozen=True)
class Count:
    """The rows of a table in one schema; None and the reason where they cannot be counted."""

    rows: int | None
    error: str | None = None


@dataclass(frozen=True)
class TableCounts:
    """A table or view of either schema. ``difference``: rows in b minus rows in a; None if one is unknown."""

    table: str
    a: Count
    b: Count
    difference: int | None


@dataclass(frozen=True)
class Timing:
    """A query on one schema.

    Attributes:
        rows: how many its last run returned.
        median_ms, fastest_ms, slowest_ms: milliseconds from sending the query to receiving the last row.
        error: why it did not run, in one line; everything else is None then.
    """

    rows: int | None = None
    median_ms: float | None = None
    fastest_ms: float | None = None
    slowest_ms: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class QueryTimes:
    """A query on both schemas. ``ratio``: median on b by median on a (above 1: b is slower); None if one failed."""

    query: str
    a: Timing
    b: Timing
    ratio: float | None


@dataclass(frozen=True)
class Comparison:
    """The report: ``repeat`` runs of every query on ``schema_a`` and ``schema_b``, after a warm-up."""

    schema_a: str
    schema_b: str
    repeat: int
    tables: list[TableCounts]
    queries: list[QueryTimes]


def compare(
    database_url: str,
    schema_a: str,
    schema_b: str,
    queries: Mapping[str, str] | None = None,
    repeat: int = 5,
    timeout: float = TIMEOUT,
) -> Comparison:
    """Count the rows of all tables and views of two schemas, and time ``queries`` on both, in turn.

    The sessions are read-only. A query finds its tables by unqualified names, in one schema or the other; a table that
    it would find only in PostGIS's schema, other than PostGIS's own, counts as missing.

    Args:
        queries: name to SQL, one statement each; None: those of ``sql/comparison.sql``.
        repeat: how often each is run on each schema, at least once.
        timeout: seconds that a count or a query may take before it is shown as failed.

    Raises:
        SchemaMissing: one of the schemas does not exist; the text names those that do.
        DatabaseUnreachable: the server does not answer, or has stopped answering.
    """
    queries = standard_queries() if queries is None else queries
    place = Database(database_url, schema_a)
    with (
        _reader(place, timeout) as a,
        _reader(Database(database_url, schema_b), timeout) as b,
    ):
        names_a, names_b = relations(a, schema_a, READABLE), relations(b, schema_b, READABLE)
        a.commit()
        b.commit()
        try:
            tables = [
                _counts(name, _count(a, schema_a, name, names_a), _count(b, schema_b, name, names_b))
                for name in sorted({*names_a, *names_b})
            ]
            times = [_times(name, (a, schema_a), (b, schema_b), text, repeat) for name, text in queries.items()]
        except psycopg.OperationalError as error:
            raise DatabaseUnreachable(
                place.place,
                f"expected an answer, found: {_first_line(error)}.",
                "Look at the server's log, then try again.",
            ) from error
    return Comparison(schema_a, schema_b, repeat, tables, times)


def standard_queries() -> dict[str, str]:
    """Name to SQL: the queries that eduinfo sends."""
    text = resources.files("edu_pipeline.sql").joinpath("comparison.sql").read_text(encoding="utf-8")
    return parse_queries(text, "comparison.sql")


def parse_queries(text: str, where: str) -> dict[str, str]:
    """Name to SQL of a file that has a line ``-- name: ...`` before each query.

    Args:
        where: the file's name, for the error.

    Raises:
        QueriesInvalid: there is no such line, a name occurs twice, or a name has no query.
    """
    _, *parts = re.split(r"(?m)^-- name:(.*)$", text)
    names = [name.strip() for name in parts[::2]]
    queries = {name: query.strip().rstrip(";") for name, query in zip(names, parts[1::2], strict=True)}
    wrong = [name for name in names if names.count(name) > 1 or not re.sub(r"--.*", "", queries[name]).strip()]
    if wrong or not queries:
        raise QueriesInvalid(
            where,
            "expected before each query a line `-- name: ...` with a name of its own, "
            f"found {f'a name twice or without a query: {wrong[0]!r}' if wrong else 'no such line'}.",
            "Fix the file; edu_pipeline/sql/comparison.sql is an example.",
        )
    return queries


@contextmanager
def _reader(database: Database, timeout: float) -> Iterator[Connection]:
    """A read-only session in which a statement that takes longer than ``timeout`` seconds is cancelled."""
    with database.connect() as connection:
        set_search_path(connection, [database.schema, *home_of_postgis(connection)])
        connection.execute("SET default_transaction_read_only = on")
        connection.execute("SELECT set_config('statement_timeout', %s, false)", [f"{timeout * 1000:.0f}ms"])
        connection.commit()
        yield connection


def _counts(name: str, a: Count, b: Count) -> TableCounts:
    return TableCounts(name, a, b, None if a.rows is None or b.rows is None else b.rows - a.rows)


def _count(connection: Connection, schema: str, name: str, names: list[str]) -> Count:
    if name not in names:
        return Count(None, "missing")
    try:
        with connection.transaction():
            counting = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))
            row = connection.execute(counting).fetchone()
    except psycopg.Error as error:
        return Count(None, _reason(connection, error))
    assert row is not None and isinstance(row[0], int)
    return Count(row[0])


def _times(name: str, a: tuple[Connection, str], b: tuple[Connection, str], text: str, repeat: int) -> QueryTimes:
    """Run a query on both schemas in turn, so that other work of the machine affects both alike."""
    errors = [_warm_up(*side, text) for side in (a, b)]
    runs: list[list[tuple[float, int]]] = [[], []]
    for _ in range(repeat):
        for side, (connection, _schema) in enumerate((a, b)):
            if errors[side] is None:
                try:
                    runs[side].append(_run(connection, text))
                except psycopg.Error as error:
                    errors[side] = _reason(connection, error)
    left, right = (_timing(*side) for side in zip(runs, errors, strict=True))
    ratio = right.median_ms / left.median_ms if left.median_ms and right.median_ms else None
    return QueryTimes(name, left, right, ratio)


def _warm_up(connection: Connection, schema: str, text: str) -> str | None:
    """Run a query once without counting it.

    Returns:
        Why it cannot be compared; None if it can.
    """
    try:
        with connection.transaction():
            _run(connection, text)
            strangers = _tables_elsewhere(connection, schema)
    except psycopg.Error as error:
        return _reason(connection, error)
    return f"missing here, only in another schema: {', '.join(strangers)}" if strangers else None


def _run(connection: Connection, text: str) -> tuple[float, int]:
    """Milliseconds and rows of a query. It is never prepared: each run is planned, as for a query that is sent once."""
    with connection.transaction():
        started = time.perf_counter()
        rows = connection.execute(text.encode(), prepare=False).rowcount
        return (time.perf_counter() - started) * 1000, rows


def _tables_elsewhere(connection: Connection, schema: str) -> list[str]:
    """The tables that this transaction has read further down the search_path because ``schema`` lacks them.

    PostGIS often lives in ``public``, along with the application's tables: one of these would otherwise be timed
    instead of a missing table.
    """
    rows = connection.execute(
        "SELECT DISTINCT format('%%I.%%I', nspname, relname) FROM pg_locks JOIN pg_class AS c ON c.oid = relation "
        "JOIN pg_namespace AS n ON n.oid = relnamespace WHERE pid = pg_backend_pid() AND locktype = 'relation' "
        "AND relkind = ANY (%(kinds)s) AND nspname <> %(schema)s AND nspname = ANY (current_schemas(false)) "
        "AND NOT EXISTS (SELECT FROM pg_class AS own JOIN pg_namespace AS home ON home.oid = own.relnamespace "
        "WHERE home.nspname = %(schema)s AND own.relname = c.relname) AND NOT EXISTS (SELECT FROM pg_depend "
        "WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e') AND NOT relispartition ORDER BY 1",
        {"schema": schema, "kinds": list(READABLE)},
    )
    return [str(name) for (name,) in rows]


def _timing(runs: list[tuple[float, int]], error: str | None) -> Timing:
    if error is not None:
        return Timing(error=error)
    times = [milliseconds for milliseconds, _ in runs]
    return Timing(runs[-1][1], statistics.median(times), min(times), max(times))


def _reason(connection: Connection, error: psycopg.Error) -> str:
    """Why the server refused a query, in one line; raises ``error`` again if the server no longer answers."""
    if connection.closed:
        raise error
    return _first_line(error)


def _first_line(error: psycopg.Error) -> str:
    return str(error).strip().partition("\n")[0]


def as_json(comparison: Comparison) -> str:
    """The report as JSON, for machines."""
    return json.dumps(asdict(comparison), ensure_ascii=False, indent=1)


def render(comparison: Comparison) -> Group:
    """The report as two tables for the terminal: rows, then times."""
    a, b = escape(comparison.schema_a), escape(comparison.schema_b)
    rows = _grid("table", f">rows in {a}", f">rows in {b}", ">difference")
    for table in comparison.tables:
        rows.add_row(escape(table.table), _counted(table.a), _counted(table.b), _difference(table.difference))
    times = _grid("query", f">rows in {a}", f">rows in {b}", f">ms in {a}", f">ms in {b}", f">{b} / {a}")
    for query in comparison.queries:
        figures = [_figure(query.a.rows), _figure(query.b.rows), _timed(query.a), _timed(query.b)]
        times.add_row(escape(query.query), *figures, "" if query.ratio is None else f"{query.ratio:.2f}")
    legend = f"Median of {comparison.repeat} runs, in brackets the fastest and the slowest; above 1: {b} is slower."
    return Group(rows, "", times, "", legend)


def _counted(count: Count) -> str:
    return _figure(count.rows) if count.error is None else f"[red]{escape(count.error)}[/red]"


def _difference(value: int | None) -> str:
    return "" if value is None else "0" if value == 0 else f"[yellow]{value:+,}[/yellow]"


def _timed(timing: Timing) -> str:
    if timing.error is not None:
        return f"[red]{escape(timing.error)}[/red]"
    return f"{timing.median_ms:.2f} ({timing.fastest_ms:.2f} to {timing.slowest_ms:.2f})"


def _figure(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _grid(*columns: str) -> Grid:
    grid = Grid(box=None, pad_edge=False)
    for column in columns:
        grid.add_column(
            column.removeprefix(">"), justify="right" if column.startswith(">") else "left", overflow="fold"
        )
    return grid
