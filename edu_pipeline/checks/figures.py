"""The checks that any table can have: its row count, years and places, averages, references, and age.

Belongs here: what is the same for every table and follows from its section in ``expectations.toml``, its declaration
and its loads. Does not belong here: the figures themselves, and checks of particular tables (``agreements.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import partial

from psycopg import sql

from edu_pipeline.catalogue import catalogue
from edu_pipeline.checks.balance import balance
from edu_pipeline.checks.edition import edition
from edu_pipeline.checks.expectations import Places, expectations
from edu_pipeline.checks.subject import CheckSpec, Finding, Subject, finding, starting_year
from edu_pipeline.contracts import specs
from edu_pipeline.database import ledger
from edu_pipeline.errors import EXAMPLES
from edu_pipeline.normalise import slug
from edu_pipeline.table import Table, tables

CHANGE = 0.1
"""Share of the previous load's rows by which the row count may change without a warning."""

THIN_YEAR = 0.5
"""A year counts as too thin below this share of the fullest year's rows; in a table that has only the newest year,
below this share of all rows."""

THIN_DEPARTEMENT = 0.2
"""A département counts as too thin if its share of the rows is below this part of its share of the country."""

FEW_ROWS = 10
"""A département that can be expected to have no more rows than this is never too thin."""


def checks_of(table: str) -> list[CheckSpec]:
    """The checks of a table or view, in the order in which they are listed."""
    expected = expectations().of(table)
    declared = tables().get(table)
    spec = partial(CheckSpec, table)
    applies = {
        spec("expected_rows", "The row count is close to the national count.", "error", _expected_rows): (
            expected.rows is not None
        ),
        spec("previous_rows", "The row count is close to that of the previous load.", "warn", _previous_rows): True,
        spec("balance", "The rows of the files went where they went in the previous load.", "warn", balance): (
            declared is not None and bool(declared.files)
        ),
        spec("years", "No year is missing, and none has far too few rows.", "error", _years): (
            expected.years is not None
        ),
        spec(
            "departements",
            "No département is missing from the newest year, and none has far too few rows.",
            "error",
            _departements,
        ): expected.departements is not None,
        spec("academies", "No académie is missing from the newest year.", "error", _academies): (
            expected.academies is not None
        ),
        spec("means", "Column averages are in their usual range.", "error", _means): bool(expected.means),
        spec(
            "orphans",
            "Codes refer to rows that exist now, apart from a tolerated few.",
            "error",
            _orphans,
            between=True,
        ): declared is not None and bool(_references(declared)),
        spec(
            "age",
            "The loaded release is the newest one received, and as recent as its source's cadence promises.",
            "warn",
            _age,
            between=True,
            outside=True,
        ): declared is not None and bool(declared.sources),
        spec(
            "edition",
            "No publisher shows a later edition that is not read.",
            "warn",
            edition,
            between=True,
            outside=True,
        ): declared is not None and bool(declared.sources),
    }
    return [check for check, is_applicable in applies.items() if is_applicable]


def _expected_rows(subject: Subject) -> Finding:
    low, high = subject.expectation.expected_rows(subject.newest_year)
    rows = subject.counted_rows
    numbers = {"rows": rows, "expected_at_least": low, "expected_at_most": high}
    if subject.small_country is not None:
        invented = f"invented data of {len(subject.small_country)} départements"
        text = f"expected any number of rows ({invented}), found {rows:,}."
        return Finding(True, text, numbers | {"not_applicable": "invented data"})
    which = "".join(f" with {column} {value}" for column, value in subject.expectation.counted.items())
    text = f"expected {low:,} to {high:,} rows{which}, found {rows:,}."
    remedy = "Compare with the publisher's own count; correct the source, or the figure in expectations.toml."
    return finding(low <= rows <= high, text, remedy, numbers)


def _previous_rows(subject: Subject) -> Finding:
    # The previous load of a next schema is in the live schema's ledger; that of a swapped one in the previous schema's.
    schema, other = subject.database.schema, subject.database.live or f"{subject.database.schema}__previous"
    previous = ledger.previous_rows(subject.connection, schema, other, subject.name)
    if not previous:
        text = f"expected any number of rows (no previous load to compare with), found {subject.rows:,}."
        return Finding(True, text, {"rows": subject.rows})
    change = (subject.rows - previous) / previous
    text = f"expected about {previous:,} rows, as in the previous load, found {subject.rows:,} ({change:+.1%})."
    numbers = {"rows": subject.rows, "previous_rows": previous, "change": round(change, 4)}
    return finding(abs(change) <= CHANGE, text, "Check what the load added and removed.", numbers)


def _years(subject: Subject) -> Finding:
    years = subject.expectation.years
    assert years is not None
    counts = {starting_year(year): rows for year, rows in subject.rows_per_year.items()}
    expected = years.expected(subject.newest_year)
    has_several = years.several or years.first is not None
    fullest = max(counts.values(), default=0) if has_several else subject.rows
    missing = [year for year in expected if year not in counts]
    thin = {year: counts[year] for year in expected if year in counts and counts[year] < THIN_YEAR * fullest}
    text = f"expected rows of {_listed(expected)} in {years.column}, found {_listed(counts)}"
    text += f"; missing: {_listed(missing)}" if missing else ""
    text += f"; too few of {', '.join(f'{year} ({rows:,})' for year, rows in thin.items())}" if thin else ""
    numbers = {"missing": missing, "thin": _by_text(thin), "rows_by_year": _by_text(counts)}
    remedy = "Check whether the publisher still has them, and the release's other files."
    return finding(not missing and not thin, f"{text}.", remedy, numbers)


def _departements(subject: Subject) -> Finding:
    places = subject.expectation.departements
    assert places is not None
    expected = expectations().codes(places)
    if subject.small_country is not None:
        expected = [code for code in expected if code in subject.small_country]
    counts = _rows_by_departement(subject, places.column)
    missing = [code for code in expected if code not in counts]
    thin = _thin(subject, places, {code: counts[code] for code in expected if code in counts})
    in_year = f" in {subject.newest_year}" if subject.newest_year else ""
    text = f"expected rows of {len(expected)} départements{in_year}, found {len(expected) - len(missing)} of them"
    text += f"; missing: {', '.join(missing[:EXAMPLES])}{' ...' * (len(missing) > EXAMPLES)}" if missing else ""
    text += f"; too few of {', '.join(f'{code} ({rows:,})' for code, rows in thin.items())}" if thin else ""
    numbers = {"missing": missing, "thin": thin, "departements": len(counts)}
    remedy = "Check whether the publisher's file has them; if they are gone for good, list them in `without`."
    return finding(not missing and not thin, f"{text}.", remedy, numbers)


def _rows_by_departement(subject: Subject, column: str) -> dict[str, int]:
    """Rows of the newest year by département, from a column with its code, a commune's or an establishment's."""
    return dict(
        subject.ask(
            "SELECT {place}, sum(rows)::bigint FROM (SELECT {column}, count(*) AS rows FROM {table} WHERE {newest} "
            "GROUP BY 1) AS counted GROUP BY 1 HAVING {place} IS NOT NULL",
            place=_departement(column),
            column=column,
            newest=subject.of_newest_year,
        )
    )


def _thin(subject: Subject, places: Places, counts: Mapping[str, int]) -> dict[str, int]:
    """The départements with far fewer rows than their communes or inhabitants suggest, and their rows."""
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


def _academies(subject: Subject) -> Finding:
    places = subject.expectation.academies
    assert places is not None
    names: dict[str, str] = dict(
        subject.ask("SELECT DISTINCT code_academie, nom_academie FROM departements WHERE code_academie IS NOT NULL")
    )
    expected = expectations().codes(places)
    if subject.small_country is not None:
        expected = [code for code in expected if code in names]
    rows = subject.ask(
        "SELECT DISTINCT {place} FROM {table} WHERE {newest} AND {place} IS NOT NULL",
        place=places.column,
        newest=subject.of_newest_year,
    )
    slugs = {slug(str(value)) for (value,) in rows}
    missing = [code for code in expected if slugs.isdisjoint({code, slug(names.get(code) or code)})]
    labels = [f"{code} {names.get(code, '')}".strip() for code in missing]
    text = f"expected {len(expected)} académies in {places.column}, found {len(expected) - len(missing)} of them"
    text += f"; missing: {', '.join(labels)}" if missing else ""
    remedy = "Check whether the publisher's file has them, and how it spells their names."
    return finding(not missing, f"{text}.", remedy, {"missing": labels, "academies": len(slugs)})


def _means(subject: Subject) -> Finding:
    bounds = subject.expectation.means
    columns = sql.SQL(", ").join(sql.SQL("avg({})").format(sql.Identifier(column)) for column in bounds)
    row = subject.ask("SELECT {columns} FROM {table} WHERE {newest}", columns=columns, newest=subject.of_newest_year)[0]
    means = dict(zip(bounds, (None if value is None else round(float(value), 2) for value in row), strict=True))
    by_column = ", ".join(
        f"{column} {'no value' if means[column] is None else means[column]} ({low:g} to {high:g})"
        for column, (low, high) in bounds.items()
    )
    passed = all(mean is not None and bounds[column][0] <= mean <= bounds[column][1] for column, mean in means.items())
    remedy = "Look for a shifted column, a changed unit, or missing rows."
    return finding(passed, f"expected averages in their usual range, found {by_column}.", remedy, means)


def _orphans(subject: Subject) -> Finding:
    assert subject.table is not None
    orphans: dict[str, dict[str, int]] = {}
    total = 0
    for column, references in _references(subject.table).items():
        total, orphans[column] = _orphans_in(subject, column, references)
    counts = {column: sum(values.values()) for column, values in orphans.items()}
    most = max(counts.values())
    by_column = "; ".join(
        f"{column}: {counts[column]:,}{', e.g. ' + ', '.join(list(values)[:5]) if values else ''}"
        for column, values in orphans.items()
    )
    share = f"{subject.table.max_unknown:.1%}"
    text = f"expected at most {share} of {total:,} rows to refer to a row that does not exist, found {by_column}."
    at_load = dict(subject.load.unknown) if subject.load else {}
    numbers = {"orphans": counts, "share": round(most / max(total, 1), 4), "at_load": at_load}
    remedy = "Load the table that it refers to, if that is behind, then this one."
    return finding(most <= subject.table.max_unknown * total, text, remedy, numbers)


def _orphans_in(subject: Subject, column: str, references: Iterable[str]) -> tuple[int, dict[str, int]]:
    """How many rows there are in all, and by value of ``column`` how many have one that is a key of none of the tables;
    the most frequent value comes first."""
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


def _age(subject: Subject) -> Finding:
    """The age of the releases that were loaded, even if the archive has newer ones."""
    releases = dict(subject.load.releases) if subject.load else {}
    dates = ledger.release_dates(subject.connection, releases)
    ages = {source: (datetime.now(UTC) - moment).days for source, moment in dates.items() if source in catalogue()}
    stale = [source for source, age in ages.items() if age > catalogue()[source].max_age_days]
    newest = {source: subject.archive.newest(source) for source in ages}
    behind = [source for source, release in newest.items() if release and release.id != releases[source]]
    by_source = [f"{source} {age} days (at most {catalogue()[source].max_age_days})" for source, age in ages.items()]
    text = f"expected the newest releases, none of them too old, found {', '.join(by_source) or 'none loaded'}"
    text += f"; the archive has newer ones of {', '.join(behind)}" if behind else ""
    numbers = {"age_days": max(ages.values(), default=None), "ages": ages, "stale": stale, "behind": behind}
    remedy = "Look for a missed release on the publisher's page, and load what is newer."
    return finding(not stale and not behind and bool(ages), f"{text}.", remedy, numbers)


def _references(table: Table) -> dict[str, tuple[str, ...]]:
    """The columns of a table that refer to other tables, and to which."""
    return {column: spec.references for column, spec in specs(table.contract).items() if spec.references}


def _departement(column: str) -> sql.Composable:
    """The département's code: the column's value, or the part of a commune's or an establishment's code."""
    name = sql.Identifier(column)
    if column == "code_departement":
        return name
    if column.endswith("uai"):  # three digits: 001 to 095, Corse is 620 and 720
        return sql.SQL(
            "CASE left({0}, 3) WHEN '620' THEN '2A' WHEN '720' THEN '2B' "
            "ELSE CASE WHEN left({0}, 1) = '0' THEN substr({0}, 2, 2) ELSE left({0}, 3) END END"
        ).format(name)
    return sql.SQL("left({0}, CASE WHEN {0} >= '97' THEN 3 ELSE 2 END)").format(name)


def _listed(years: Collection[int]) -> str:
    """Years in words: ``2012 to 2025``, ``2022, 2024``, ``none``."""
    ordered = sorted(years)
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(map(str, ordered)) or "none"


def _by_text(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(year): rows for year, rows in counts.items()}
