"""What is checked of the rows of a table or view: are they whole, recent, and in agreement with the others?

Belongs here: every check beyond the contract, each one small query, which tables have it, and the memory of what was
found (``edu_pipeline.check_results``). Does not belong here: the figures (``expectations.toml``), Dagster, keys and
patterns and the like (``publish/conform.py``).

A check that looks at one table alone is made before its rows are published; those between tables when all of a run are
loaded. An error that is new stops the publication, or the swap of a rebuild: the published rows are better. One that
the published rows have too does not, since it would keep out what mends it.

Invented data stand in for the publishers' in every check but one: a small invented country has its own départements
and académies, and must be complete in them, but no national count is meant for it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any, Literal, LiteralString, cast

from psycopg import sql
from psycopg.types.json import Jsonb

from edu_pipeline.contracts import specs
from edu_pipeline.database import Connection, Database, home_of_postgis
from edu_pipeline.errors import EXAMPLES, CheckRed
from edu_pipeline.expectations import Expectation, Places, expectations
from edu_pipeline.inputs import missing_files, missing_tables, releases_of
from edu_pipeline.normalise import slug
from edu_pipeline.publish import ledger
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.catalogue import catalogue
from edu_pipeline.table import Table, tables
from edu_pipeline.views import views

Severity = Literal["warn", "error"]

LOST = 0.1
"""Share of the rows of the load before from which fewer (or more) rows are worth a look."""

THIN_YEAR = 0.5
"""A year with fewer rows than this share of the fullest year's counts as missing; of a table that has the newest year
only, of all rows."""

THIN_DEPARTEMENT = 0.2
"""A département whose share of the rows is below this part of its share of the country counts as missing."""

FEW_ROWS = 10
"""No département is thin that could have no more rows than this."""

WHOLE_COUNTRY = 50
"""An invented country of fewer départements is a small one, to which national figures do not apply."""

NOT_IN_DIRECTORY = 0.02
"""Share of establishments that the directory, which changes daily and lists open ones only, may lack."""

BENCHMARK = 3.0
"""Points of IPS between a mean over establishments and the publisher's mean over pupils: 2.0 at most in 2022-2023."""

CRIME_RATES = 0.02
"""Share that a rate computed from numbers and populations may differ by from the mean of the published rates."""

COLLEGES = 0.1
"""Share that the collèges of the equipment file may differ by from the directory's: 0.06 in 2024."""

LOW_MATCHES, MATCHES_BELOW = 0.5, 0.15
"""Share of a département's segments that are placed at least, and how far that may be below the median département."""

SPECK, HAIR = 1e-9, 1e-7
"""Square degrees, about ten square metres, of which zones may overlap where they meet at a contour; and degrees, a
centimetre, that an overlap may be wide however long it is: what is cut off a contour has its vertices rounded to one,
which the neighbour's contour has not."""

COVERED = 0.999
"""Share of a commune's contour that its zones cover at least."""


BETWEEN = {"orphans", "age", "in_directory", "crime_rates", "colleges_counted", "open_schools"}
"""Checks between tables, which they want loaded, or of the time that has passed."""

COSTLY = {"overlaps"}
"""Checks that depend on the rows alone, and take so much longer than reading these that they are not made again of the
same ones. Rows that somebody has changed by hand are others."""


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
class _Found:
    """What a probe says; the rest of the result follows from the check."""

    passed: bool
    text: str
    metadata: Mapping[str, Any]


@dataclass(frozen=True)
class _Subject:
    """The table that is looked at, and what all its checks want to know; asked for once."""

    name: str
    connection: Connection
    database: Database
    archive: Archive
    relation: sql.Identifier

    def ask(self, statement: LiteralString, **names: str | sql.Composable) -> list[tuple[Any, ...]]:
        """The rows of a query; ``{table}`` in it is the table, other names are columns or tables given."""
        parts = {key: sql.Identifier(name) if isinstance(name, str) else name for key, name in names.items()}
        query = sql.SQL(statement).format(table=self.relation, **parts)
        return cast(list[tuple[Any, ...]], self.connection.execute(query).fetchall())

    @cached_property
    def expectation(self) -> Expectation:
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
        return sum(self._counted.values())

    @cached_property
    def digest(self) -> str:
        """A hash of all its rows, in any order, and of the checks' code."""
        rows = self.ask("SELECT count(*), sum(hashtextextended(this::text, 0)) FROM {table} AS this")
        return hashlib.sha256(f"{rows} {Path(__file__).read_text()}".encode()).hexdigest()[:16]

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
        return max(map(_begin, self.per_year), default=None)

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
        if inputs := missing_tables(self.table, ledger.newest(self.connection, self.database.schema)):
            return f"the table {', '.join(inputs)}"
        missing = {file.source for file in missing_files(self.table, releases_of(self.table, self.archive))}
        if not missing and self.load and self.table.sources and not self.load.releases:
            missing = set(self.table.sources)
        return f"a file of {', '.join(sorted(missing))}" if missing else None


Probe = Callable[[_Subject], _Found]


@dataclass(frozen=True)
class _Check:
    spec: CheckSpec
    probe: Probe


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
    subject = _Subject(table, connection, database, archive, sql.Identifier(table))
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
    subject = _Subject(table, connection, database, archive, relation)
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
        green = {(table, name) for table, name in green_now(connection, database.live) if table not in accept_red}
        red = red_now(connection, database.schema)
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


def red_now(connection: Connection, schema: str) -> dict[tuple[str, str], str]:
    """What the newest results of a schema call an error: table and check, to the description."""
    return {
        (str(table), str(name)): str(description)
        for table, name, description in connection.execute(
            "SELECT table_name, check_name, description FROM edu_pipeline.check_results "
            "WHERE target_schema = %s AND NOT passed AND severity = 'error' ORDER BY 1, 2",
            [schema],
        )
    }


def green_now(connection: Connection, schema: str) -> set[tuple[str, str]]:
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


def _result(check: _Check, subject: _Subject) -> CheckResult:
    spec = check.spec
    where = f"{'view' if subject.name in views() else 'table'} {subject.name}"
    if subject.awaited:
        text = f"{where}: expected rows, found none: it waits for {subject.awaited}."
        return CheckResult(spec.table, spec.name, False, "warn", text, {"waits": subject.awaited})
    of_rows = subject.digest if spec.name in COSTLY else None
    if of_rows and (known := _known(spec, subject, of_rows)):
        return known
    found = check.probe(subject)
    text = f"{where}: {found.text}"
    return CheckResult(spec.table, spec.name, found.passed, spec.severity, text, found.metadata, of_rows)


def _known(spec: CheckSpec, subject: _Subject, of_rows: str) -> CheckResult | None:
    """What the check has found of the same rows, here or in the live schema."""
    row = subject.connection.execute(
        "SELECT passed, severity, description, metadata FROM edu_pipeline.check_results "
        "WHERE target_schema = ANY (%s) AND table_name = %s AND check_name = %s AND of_rows = %s LIMIT 1",
        [[subject.database.schema, subject.database.live], spec.table, spec.name, of_rows],
    ).fetchone()
    if row is None:
        return None
    passed, severity, description, metadata = cast(tuple[bool, Severity, str, dict[str, Any]], row)
    return CheckResult(spec.table, spec.name, passed, severity, description, metadata, of_rows)


def _checks(table: str) -> list[_Check]:
    """All checks of a table, in the order in which they are shown."""
    expected = expectations().of(table)
    declared = tables().get(table)
    known: list[tuple[bool, str, str, Severity, Probe]] = [
        (expected.rows is not None, "expected_rows", "There are about as many rows as nationally.", "error", _rows),
        (True, "previous_rows", "There are about as many rows as at the load before.", "warn", _previous_rows),
        (expected.years is not None, "years", "No year is missing, and none has far too few rows.", "error", _years),
        (expected.departements is not None, "departements",
         "No département is missing, in the newest year, and none has far too few rows.", "error", _departements),
        (expected.academies is not None, "academies", "No académie is missing, in the newest year.", "error",
         _academies),
        (bool(expected.means), "means", "Column averages lie in their usual range.", "error", _means),
        (declared is not None and bool(_references(declared)), "orphans",
         "Codes point to rows that exist now, but for a tolerated few.", "error", _orphans),
        (declared is not None and bool(declared.sources), "age", "The release loaded is as recent as its source's "
         "cadence lets expect, and the newest one received.", "warn", _age),
    ]  # fmt: skip
    checks = [
        _Check(CheckSpec(table, name, description, severity), probe)
        for applies, name, description, severity, probe in known
        if applies
    ]
    return checks + [_Check(spec, probe) for spec, probe in AGREEMENTS if spec.table == table]


def _rows(subject: _Subject) -> _Found:
    low, high = subject.expectation.expected_rows(subject.newest_year)
    numbers = {"rows": subject.rows, "expected_at_least": low, "expected_at_most": high}
    if subject.country is not None:
        text = f"found {subject.rows:,} rows. Not applicable: invented data of {len(subject.country)} départements."
        return _Found(True, text, numbers | {"not_applicable": "invented data"})
    found = f"expected {low:,} to {high:,} rows, found {subject.rows:,}."
    remedy = "Compare with the publisher's own count; mend the source, or the figure in expectations.toml."
    return _judged(low <= subject.rows <= high, found, remedy, numbers)


def _previous_rows(subject: _Subject) -> _Found:
    # A schema built beside the live one, or swapped with it since, has the load before in the other's ledger.
    schema, other = subject.database.schema, subject.database.live or f"{subject.database.schema}__previous"
    before = subject.connection.execute(
        "SELECT rows FROM edu_pipeline.loads WHERE target_schema = ANY (%s) AND table_name = %s "
        "AND state = 'published' AND strategy <> 'nothing' ORDER BY target_schema = %s DESC, id DESC OFFSET 1 LIMIT 1",
        [[schema, other], subject.name, schema],
    ).fetchone()
    if before is None or not before[0]:
        return _Found(True, f"found {subject.rows:,} rows; there is no load before.", {"rows": subject.rows})
    held = int(str(before[0]))
    change = (subject.rows - held) / held
    found = f"expected about the {held:,} rows of the load before, found {subject.rows:,} ({change:+.1%})."
    numbers = {"rows": subject.rows, "previous_rows": held, "change": round(change, 4)}
    return _judged(abs(change) <= LOST, found, "Look at what its materialization added and removed.", numbers)


def _years(subject: _Subject) -> _Found:
    years = subject.expectation.years
    assert years is not None
    counts = {_begin(year): rows for year, rows in subject.per_year.items()}
    expected = years.expected(subject.newest_year)
    fullest = max(counts.values(), default=0) if years.first is not None else subject.rows
    missing = [year for year in expected if year not in counts]
    thin = {year: counts[year] for year in expected if year in counts and counts[year] < THIN_YEAR * fullest}
    found = f"expected rows of {_listed(expected)} in {years.column}, found {_listed(counts)}"
    found += f"; missing: {_listed(missing)}" if missing else ""
    found += f"; too few of {', '.join(f'{year} ({rows:,})' for year, rows in thin.items())}" if thin else ""
    numbers = {"missing": missing, "thin": _by_text(thin), "rows_by_year": _by_text(counts)}
    remedy = "Look whether the publisher still has them, and at the release's other files."
    return _judged(not missing and not thin, f"{found}.", remedy, numbers)


def _departements(subject: _Subject) -> _Found:
    places = subject.expectation.departements
    assert places is not None
    expected = expectations().codes(places)
    if subject.country is not None:
        expected = [code for code in expected if code in subject.country]
    counts: dict[str, int] = dict(
        subject.ask(
            "SELECT {place}, sum(rows)::bigint FROM (SELECT {column}, count(*) AS rows FROM {table} WHERE {newest} "
            "GROUP BY 1) AS counted GROUP BY 1 HAVING {place} IS NOT NULL",
            place=_departement(places.column),
            column=places.column,
            newest=subject.of_newest_year,
        )
    )
    missing = [code for code in expected if code not in counts]
    thin = _thin(subject, places, {code: counts[code] for code in expected if code in counts})
    in_year = f" in {subject.newest_year}" if subject.newest_year else ""
    found = f"expected rows of {len(expected)} départements{in_year}, found {len(expected) - len(missing)} of them"
    found += f"; missing: {', '.join(missing[:EXAMPLES])}{' ...' * (len(missing) > EXAMPLES)}" if missing else ""
    found += f"; too few of {', '.join(f'{code} ({rows:,})' for code, rows in thin.items())}" if thin else ""
    numbers = {"missing": missing, "thin": thin, "departements": len(counts)}
    remedy = "Look whether the publisher's file has them; if they are gone for good, list them in `without`."
    return _judged(not missing and not thin, f"{found}.", remedy, numbers)


def _thin(subject: _Subject, places: Places, counts: Mapping[str, int]) -> dict[str, int]:
    """The départements with far fewer rows than their communes or inhabitants let expect, and their rows."""
    if places.per is None:
        return {}
    size = "count(*)" if places.per == "communes" else "coalesce(sum(population), 0)"
    weights: dict[str, int] = dict(
        subject.ask(
            "SELECT code_departement, {size} FROM info_communes WHERE code_commune_parent IS NULL GROUP BY 1",
            size=sql.SQL(size),
        )
    )
    known = {code: int(weights[code]) for code in counts if weights.get(code)}
    if not known:
        return {}
    rows_each = sum(counts[code] for code in known) / sum(known.values())
    fair = {code: rows_each * weight for code, weight in known.items()}
    return {
        code: counts[code] for code in known if fair[code] > FEW_ROWS and counts[code] < THIN_DEPARTEMENT * fair[code]
    }


def _academies(subject: _Subject) -> _Found:
    places = subject.expectation.academies
    assert places is not None
    names: dict[str, str] = dict(
        subject.ask("SELECT DISTINCT code_academie, nom_academie FROM departements WHERE code_academie IS NOT NULL")
    )
    expected = expectations().codes(places)
    if subject.country is not None:
        expected = [code for code in expected if code in names]
    found_values = subject.ask(
        "SELECT DISTINCT {place} FROM {table} WHERE {newest} AND {place} IS NOT NULL",
        place=places.column,
        newest=subject.of_newest_year,
    )
    found = {slug(str(value)) for (value,) in found_values}
    missing = [code for code in expected if found.isdisjoint({code, slug(names.get(code) or code)})]
    labels = [f"{code} {names.get(code, '')}".strip() for code in missing]
    text = f"expected {len(expected)} académies in {places.column}, found {len(expected) - len(missing)} of them"
    text += f"; missing: {', '.join(labels)}" if missing else ""
    remedy = "Look whether the publisher's file has them, and at its spelling of their names."
    return _judged(not missing, f"{text}.", remedy, {"missing": labels, "academies": len(found)})


def _means(subject: _Subject) -> _Found:
    bounds = subject.expectation.means
    columns = sql.SQL(", ").join(sql.SQL("avg({})").format(sql.Identifier(column)) for column in bounds)
    row = subject.ask("SELECT {columns} FROM {table} WHERE {newest}", columns=columns, newest=subject.of_newest_year)[0]
    means = dict(zip(bounds, (None if value is None else round(float(value), 2) for value in row), strict=True))
    told = [
        f"{column} {low:g} to {high:g}: {'no value' if means[column] is None else means[column]}"
        for column, (low, high) in bounds.items()
    ]
    passed = all(mean is not None and bounds[column][0] <= mean <= bounds[column][1] for column, mean in means.items())
    remedy = "Look for a shifted column, a changed unit, or a share of the rows that is gone."
    return _judged(passed, f"mean expected and found: {'; '.join(told)}.", remedy, means)


def _orphans(subject: _Subject) -> _Found:
    assert subject.table is not None
    orphans: dict[str, dict[str, int]] = {}
    total = 0
    for column, references in _references(subject.table).items():
        total, orphans[column] = _orphans_in(subject, column, references)
    counts = {column: sum(values.values()) for column, values in orphans.items()}
    most = max(counts.values())
    told = "; ".join(
        f"{column}: {counts[column]:,}{', e.g. ' + ', '.join(list(values)[:5]) if values else ''}"
        for column, values in orphans.items()
    )
    found = (
        f"expected at most {subject.table.max_unknown:.1%} of {total:,} rows to point to a row that is not "
        f"there, found {told}."
    )
    at_load = dict(subject.load.unknown) if subject.load else {}
    numbers = {"orphans": counts, "share": round(most / max(total, 1), 4), "at_load": at_load}
    remedy = "Load the table that is referred to, if it is behind; then this one."
    return _judged(most <= subject.table.max_unknown * total, found, remedy, numbers)


def _orphans_in(subject: _Subject, column: str, references: Iterable[str]) -> tuple[int, dict[str, int]]:
    """The rows there are, and of those values of ``column`` that are a key of none of the tables, the most first."""
    absent = sql.SQL(" AND ").join(
        sql.SQL("NOT EXISTS (SELECT FROM {} WHERE {} = value)").format(
            sql.Identifier(name), sql.Identifier(tables()[name].key[0])
        )
        for name in references
    )
    (_, total), *orphans = subject.ask(
        "WITH counted AS MATERIALIZED (SELECT {column} AS value, count(*) AS rows FROM {table} GROUP BY 1) "
        "SELECT NULL, coalesce(sum(rows), 0)::bigint FROM counted UNION ALL "
        "(SELECT value, rows FROM counted WHERE value IS NOT NULL AND {absent} ORDER BY 2 DESC, 1)",
        column=column,
        absent=absent,
    )
    return total, dict(orphans)


def _age(subject: _Subject) -> _Found:
    """The age of the releases that the rows are of, whichever later ones the archive has."""
    used = dict(subject.load.releases) if subject.load else {}
    dates: dict[str, datetime] = dict(
        cast(
            list[tuple[str, datetime]],
            subject.connection.execute(
                "SELECT source, coalesce(published_at, retrieved_at) FROM edu_pipeline.releases "
                "JOIN jsonb_each_text(%s) AS used ON used.key = source AND used.value = release",
                [Jsonb(used)],
            ).fetchall(),
        )
    )
    ages = {source: (datetime.now(UTC) - moment).days for source, moment in dates.items() if source in catalogue()}
    stale = [source for source, age in ages.items() if age > catalogue()[source].max_age_days]
    newest = {source: subject.archive.newest(source) for source in ages}
    behind = [source for source, release in newest.items() if release and release.id != used[source]]
    told = [f"{source} {age} days ({catalogue()[source].max_age_days} at most)" for source, age in ages.items()]
    found = f"expected the newest releases, none too old; found {', '.join(told) or 'none loaded'}"
    found += f"; the archive has a newer one of {', '.join(behind)}" if behind else ""
    numbers = {"age_days": max(ages.values(), default=None), "ages": ages, "stale": stale, "behind": behind}
    remedy = "Look at the publisher's page for a release that was missed, and load what is newer."
    return _judged(not stale and not behind and bool(ages), f"{found}.", remedy, numbers)


def _in_directory(subject: _Subject) -> _Found:
    absent = [
        uai
        for (uai,) in subject.ask(
            "SELECT uai FROM {table} WHERE {newest} AND uai NOT IN (SELECT uai FROM annuaire_education) ORDER BY 1",
            newest=subject.of_newest_year,
        )
    ]
    total = subject.ask("SELECT count(*) FROM {table} WHERE {newest}", newest=subject.of_newest_year)[0][0]
    found = (
        f"expected all but {NOT_IN_DIRECTORY:.0%} of the {total:,} establishments of the newest year in "
        f"annuaire_education, found {len(absent):,} that are not{_examples(absent)}."
    )
    numbers = {"absent": len(absent), "share": round(len(absent) / max(total, 1), 4), "examples": absent[:EXAMPLES]}
    remedy = "Look whether the directory lacks a département, and which of the two is behind."
    return _judged(bool(total) and len(absent) <= NOT_IN_DIRECTORY * total, found, remedy, numbers)


def _benchmark_lycees(subject: _Subject) -> _Found:
    return _benchmark(
        subject,
        subject.ask(
            "SELECT type_de_lycee, avg(ips), avg(CASE type_de_lycee WHEN 'LEGT' THEN ips_national_legt "
            "WHEN 'LPO' THEN ips_national_lpo WHEN 'LP' THEN ips_national_lp END) "
            "FROM {table} WHERE {newest} GROUP BY 1 ORDER BY 1",
            newest=subject.of_newest_year,
        ),
    )


def _benchmark_colleges(subject: _Subject) -> _Found:
    return _benchmark(
        subject,
        subject.ask("SELECT 'collèges', avg(ips), avg(ips_national) FROM {table} WHERE {newest}",
                    newest=subject.of_newest_year),
    )  # fmt: skip


def _benchmark(subject: _Subject, means: Sequence[tuple[Any, ...]]) -> _Found:
    compared = {str(kind): (float(mean), float(said)) for kind, mean, said in means if None not in (mean, said)}
    told = ", ".join(f"{kind} {mean:.1f} to {said:.1f}" for kind, (mean, said) in compared.items())
    apart = max((abs(mean - said) for mean, said in compared.values()), default=None)
    without = [str(kind) for kind, mean, said in means if mean is None and said is not None]
    found = (
        f"expected the mean IPS within {BENCHMARK} points of the publisher's national benchmark, found "
        f"{told or 'nothing to compare'}{'; no index of ' * bool(without)}{', '.join(without)}."
    )
    numbers = {"means": {kind: round(mean, 2) for kind, (mean, _) in compared.items()},
               "benchmarks": {kind: round(said, 2) for kind, (_, said) in compared.items()},
               "points_apart": None if apart is None else round(apart, 2)}  # fmt: skip
    remedy = "Look for a shifted column, and whether all of the country is in the file."
    return _judged(apart is not None and apart <= BENCHMARK and not without, found, remedy, numbers)


def _crime_rates(subject: _Subject) -> _Found:
    """The published numbers over the populations, once more from the communes, beside the mean of their rates."""
    apart = subject.ask(
        "WITH published AS ("
        " SELECT commune.code_commune, code_departement, code_commune_parent, indicateur, nombre,"
        " CASE indicateur WHEN 'Cambriolages de logement' THEN insee_log ELSE insee_pop END AS base"
        " FROM criminalite_2024 JOIN info_communes AS commune USING (code_commune)"
        " WHERE annee = (SELECT max(annee) FROM {table}) AND nombre IS NOT NULL"
        "), cities AS ("
        " SELECT code_commune, indicateur FROM published"
        " WHERE code_commune IN (SELECT code_commune_parent FROM info_communes)"
        "), rates AS ("
        " SELECT code_departement, indicateur, 1000.0 * sum(nombre) / nullif(sum(base), 0) AS rate"
        " FROM published AS part WHERE NOT EXISTS (SELECT FROM cities AS city"
        "  WHERE city.code_commune = part.code_commune_parent AND city.indicateur = part.indicateur)"
        " GROUP BY 1, 2"
        ") SELECT code_departement || ' ' || indicateur, taux_moyen_pour_mille, rate,"
        " abs(rate - taux_moyen_pour_mille) / greatest(taux_moyen_pour_mille, 0.01)"
        " FROM {table} FULL JOIN rates USING (code_departement, indicateur)"
        " WHERE code_departement <> 'FR' AND (taux_moyen_pour_mille IS NOT NULL OR rate IS NOT NULL)"
        " ORDER BY 4 DESC NULLS FIRST"
    )
    wrong = [row for row in apart if row[3] is None or row[3] > CRIME_RATES]
    examples = [f"{place}: {_rate(mean)} to {_rate(rate)}" for place, mean, rate, _ in wrong[:5]]
    found = (
        f"expected the mean rates of départements within {CRIME_RATES:.0%} of the communes' numbers over their "
        f"populations, found {len(wrong):,} of {len(apart):,} that are not{_examples(examples)}."
    )
    numbers = {"compared": len(apart), "apart": len(wrong), "examples": examples}
    return _judged(bool(apart) and not wrong, found, "Load criminalite_2024, then crime_indicateur_avg.", numbers)


def _colleges_counted(subject: _Subject) -> _Found:
    """Paris, Lyon and Marseille count as cities; the directory's collèges where the equipment file is about."""
    counted, listed = subject.ask(
        "WITH counted AS (SELECT code_departement, sum(college) AS number FROM {table} "
        " JOIN info_communes USING (code_commune) WHERE code_commune_parent IS NULL GROUP BY 1) "
        "SELECT coalesce((SELECT sum(number) FROM counted), 0), (SELECT count(*) FROM annuaire_education "
        " WHERE type_etablissement = 'Collège' AND code_departement IN (SELECT code_departement FROM counted))"
    )[0]
    apart = round(abs(int(counted) - listed) / listed, 4) if listed else None
    found = (
        f"expected the collèges of annuaire_education in the same départements within {COLLEGES:.0%}, found "
        f"{int(counted):,} to {listed:,}."
    )
    numbers = {"colleges": int(counted), "in_directory": listed, "share_apart": apart}
    remedy = "Look which of the two lacks a département, and at the codes of collèges in the equipment file."
    return _judged(apart is not None and apart <= COLLEGES, found, remedy, numbers)


def _complete(statement: LiteralString, of: str) -> Probe:
    """A probe that a view has all of what a query gives, which is keys that the view lacks."""

    def probe(subject: _Subject) -> _Found:
        absent = [str(key) for (key,) in subject.ask(statement)]
        found = f"expected a row for {of}, found {len(absent):,} without one{_examples(absent)}."
        remedy = f"Refresh it: `edu-pipeline refresh {subject.name}`."
        return _judged(not absent, found, remedy, {"absent": len(absent), "examples": absent[:EXAMPLES]})

    return probe


def _geometries(subject: _Subject) -> _Found:
    home = home_of_postgis(subject.connection)
    invalid = [
        f"{key} ({reason})"
        for key, reason in subject.ask(
            "SELECT {key}::text, {reason}(geometry) FROM {table} WHERE NOT {valid}(geometry) ORDER BY 1",
            key="code_commune" if subject.name == "commune_boundaries" else "id",
            reason=sql.Identifier(*home, "st_isvalidreason"),
            valid=sql.Identifier(*home, "st_isvalid"),
        )
    ]
    found = f"expected valid geometries, found {len(invalid):,} that are not{_examples(invalid)}."
    remedy = "Look at the transform, which is to repair what the publisher gives."
    return _judged(not invalid, found, remedy, {"invalid": len(invalid), "examples": invalid[:EXAMPLES]})


def _match_rate(subject: _Subject) -> _Found:
    counts = subject.ask("SELECT department, osm_matched, total_segments FROM {table} ORDER BY 1")
    rates = {department: round(matched / total, 4) for department, matched, total in counts}
    usual = round(median(rates.values()), 4) if rates else 0.0
    least = max(LOW_MATCHES, usual - MATCHES_BELOW)
    low = [f"{department} {rate:.1%}" for department, rate in rates.items() if rate < least]
    found = (
        f"expected {least:.1%} of a département's segments placed at least (usual: {usual:.1%}), found "
        f"{len(low)} of {len(rates)} départements with fewer{_examples(low)}."
    )
    remedy = "Look at `motif` of their segments, and whether the BAN has a file of the département."
    return _judged(bool(rates) and not low, found, remedy, {"usual": usual, "low": low, "rates": rates})


def _open_schools(subject: _Subject) -> _Found:
    absent = [
        f"{uai} ({rows} rows)"
        for uai, rows in subject.ask(
            "SELECT uai, count(*) FROM ("
            " SELECT unnest(uai_lycees) AS uai, 'Lycée' AS kind FROM {table}"
            " UNION ALL SELECT unnest(uai_colleges), 'Collège' FROM {table}) AS named "
            "WHERE NOT EXISTS (SELECT FROM annuaire_education AS school"
            " WHERE school.uai = named.uai AND type_etablissement = kind AND coalesce(etat, 'OUVERT') = 'OUVERT') "
            "GROUP BY 1 ORDER BY 2 DESC, 1"
        )
    ]
    found = f"expected open lycées and collèges of annuaire_education, found {len(absent):,} that are not"
    remedy = "The carte scolaire is of another year, or the directory lacks them: ask the publisher."
    numbers = {"absent": len(absent), "examples": absent[:EXAMPLES]}
    return _judged(not absent, f"{found}{_examples(absent)}.", remedy, numbers)


def _overlaps(subject: _Subject) -> _Found:
    """Written so that the server shares the work out among its processors, and looks zones up by their place alone: a
    plain ``one.id < other.id`` has it look up half of all zones for each."""
    pairs = [
        f"{one} and {other} ({name})"
        for one, other, name in subject.ask(
            "SELECT one.id, other.id, concat_ws(' ', one.code_commune, one.zone_name)"
            " FROM {table} AS one JOIN {table} AS other"
            " ON other.id - one.id > 0 AND one.geometry OPERATOR({home}.&&) other.geometry"
            " WHERE {area}({common}(one.geometry, other.geometry)) > {speck}"
            " AND 2 * {area}({common}(one.geometry, other.geometry))"
            " > {hair} * {perimeter}({common}(one.geometry, other.geometry)) ORDER BY 1, 2",
            speck=sql.Literal(SPECK),
            hair=sql.Literal(HAIR),
            **_postgis(subject, home="", area="st_area", perimeter="st_perimeter", common="st_intersection"),
        )
    ]
    found = f"expected zones that do not overlap, found {len(pairs):,} pairs that do{_examples(pairs)}."
    remedy = "Look at the supplied zones, and at the contours of the communes."
    return _judged(not pairs, found, remedy, {"pairs": len(pairs), "examples": pairs[:EXAMPLES]})


def _covered(subject: _Subject) -> _Found:
    """The zones of arrondissements cover their city; of a département without any zone no commune is missing."""
    bare = [
        f"{commune} ({share:.0%})"
        for commune, share in subject.ask(
            "WITH zones AS ("
            " SELECT coalesce(code_commune_parent, code_commune) AS code_commune, sum({area}(geometry)) AS area"
            " FROM {table} LEFT JOIN info_communes USING (code_commune) GROUP BY 1) "
            "SELECT code_commune, coalesce(zones.area, 0) / {area}(geometry) FROM commune_boundaries"
            " JOIN info_communes USING (code_commune) LEFT JOIN zones USING (code_commune)"
            " WHERE code_departement IN (SELECT code_departement FROM {table})"
            " AND coalesce(zones.area, 0) < {covered} * {area}(geometry) ORDER BY 2, 1",
            covered=sql.Literal(COVERED),
            **_postgis(subject, area="st_area"),
        )
    ]
    found = (
        f"expected zones over every commune of the départements that have zones, found {len(bare):,} communes that are "
        f"not covered{_examples(bare)}."
    )
    remedy = "Look whether the carte scolaire has the commune, and at `motif` of its zones and segments."
    return _judged(not bare, found, remedy, {"communes": len(bare), "examples": bare[:EXAMPLES]})


def _postgis(subject: _Subject, **names: str) -> dict[str, sql.Composable]:
    """Functions of PostGIS, or its schema, by their full names."""
    home = home_of_postgis(subject.connection)
    return {key: sql.Identifier(*home, *filter(None, [name])) for key, name in names.items()}


AGREEMENTS: list[tuple[CheckSpec, Probe]] = [
    *(
        (CheckSpec(table, "in_directory", f"The newest year's {kind} are in the directory.", "warn"), _in_directory)
        for table, kind in {"ips_lycees": "lycées", "ips_colleges": "collèges"}.items()
    ),
    (CheckSpec("ips_lycees", "benchmark", "The mean IPS by type of lycée is about the publisher's national one.",
               "error"), _benchmark_lycees),
    (CheckSpec("ips_colleges", "benchmark", "The mean IPS is about the publisher's national one.", "error"),
     _benchmark_colleges),
    (CheckSpec("crime_indicateur_avg", "crime_rates", "The mean rates are those of the communes' numbers and "
               "populations.", "error"), _crime_rates),
    (CheckSpec("commerce_sante_2024", "colleges_counted", "There are about as many collèges as in the directory.",
               "warn"), _colleges_counted),
    *(
        (CheckSpec(table, "geometries", "Geometries are valid.", "error"), _geometries)
        for table in ("commune_boundaries", "sectorisation_segments", "sectorisation_zones")
    ),
    (CheckSpec("data_quality_metrics", "match_rate", "No département has far fewer of its segments placed than usual.",
               "warn"), _match_rate),
    *(
        (CheckSpec(table, "open_schools", "Lycées and collèges are open ones of the directory.", "warn"), _open_schools)
        for table in ("sectorisation_segments", "sectorisation_zones")
    ),
    (CheckSpec("sectorisation_zones", "overlaps", "Zones do not overlap.", "error"), _overlaps),
    (CheckSpec("sectorisation_zones", "covered", "Zones cover every commune of the départements that have any.",
               "warn"), _covered),
    (CheckSpec("commune_context_cache", "complete", "Every relevant commune has a row.", "error"), _complete(
        "SELECT code_commune FROM relevant_communes WHERE code_commune NOT IN (SELECT code_commune FROM {table}) "
        "ORDER BY 1", "every commune of relevant_communes")),
    (CheckSpec("lycee_context_cache", "complete", "Every lycée of the latest session has a row.", "error"), _complete(
        "SELECT uai FROM aggregated_data_lycees_2024 WHERE annee = (SELECT max(annee) FROM aggregated_data_lycees_2024)"
        " AND (uai, annee) NOT IN (SELECT uai, annee FROM {table}) ORDER BY 1", "every lycée of the latest session")),
    (CheckSpec("college_context_cache", "complete", "Every collège of the latest session has a row.", "error"),
     _complete(
        "SELECT uai FROM metrics_colleges WHERE session = (SELECT max(session) FROM metrics_colleges) "
        "AND (uai, session) NOT IN (SELECT uai, session FROM {table}) ORDER BY 1",
        "every collège of the latest session")),
]  # fmt: skip
"""The checks of a table against others, or of what it alone has."""


def _references(table: Table) -> dict[str, tuple[str, ...]]:
    """The columns of a table that point to others, and to which."""
    return {column: spec.references for column, spec in specs(table.contract).items() if spec.references}


def _begin(year: int | str) -> int:
    """A year; of a school year, as ``2025-2026``, the one in which it begins."""
    return int(str(year)[:4])


def _departement(column: str) -> sql.Composable:
    """The département's code: the column's own, or what it is in a commune's or an establishment's code."""
    name = sql.Identifier(column)
    if column == "code_departement":
        return name
    if column.endswith("uai"):  # three digits: 001 to 095, Corse is 620 and 720
        return sql.SQL(
            "CASE left({0}, 3) WHEN '620' THEN '2A' WHEN '720' THEN '2B' "
            "ELSE CASE WHEN left({0}, 1) = '0' THEN substr({0}, 2, 2) ELSE left({0}, 3) END END"
        ).format(name)
    return sql.SQL("left({0}, CASE WHEN {0} >= '97' THEN 3 ELSE 2 END)").format(name)


def _judged(passed: bool, found: str, remedy: str, metadata: Mapping[str, Any]) -> _Found:
    return _Found(passed, found if passed else f"{found} {remedy}", metadata)


def _examples(values: Sequence[str]) -> str:
    return f", e.g. {', '.join(values[:5])}" if values else ""


def _listed(years: Collection[int]) -> str:
    """Years in words: ``2012 to 2025``, ``2022, 2024``, ``none``."""
    ordered = sorted(years)
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(map(str, ordered)) or "none"


def _by_text(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(year): rows for year, rows in counts.items()}


def _rate(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
