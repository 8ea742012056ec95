"""The checks that any table can have: its rows, years and places, its means, the keys it points to, its age.

Belongs here: what is the same for every table and follows from its section in ``expectations.toml``, its declaration
and its loads. Does not belong here: the figures themselves, checks of particular tables (``agreements.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import cast

from psycopg import sql
from psycopg.types.json import Jsonb

from edu_pipeline.catalogue import catalogue
from edu_pipeline.checks.expectations import Places, expectations
from edu_pipeline.checks.subject import Check, CheckSpec, Found, Probe, Severity, Subject, begin, judged
from edu_pipeline.contracts import specs
from edu_pipeline.errors import EXAMPLES
from edu_pipeline.normalise import slug
from edu_pipeline.table import Table, tables

LOST = 0.1
"""Share of the rows of the load before from which fewer (or more) rows are worth a look."""

THIN_YEAR = 0.5
"""A year with fewer rows than this share of the fullest year's counts as missing; of a table that has the newest year
only, of all rows."""

THIN_DEPARTEMENT = 0.2
"""A département whose share of the rows is below this part of its share of the country counts as missing."""

FEW_ROWS = 10
"""No département is thin that could have no more rows than this."""


def checks_of(table: str) -> list[Check]:
    """Those that a table or view has, in the order in which they are shown."""
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
    return [
        Check(CheckSpec(table, name, description, severity), probe)
        for applies, name, description, severity, probe in known
        if applies
    ]


def _rows(subject: Subject) -> Found:
    low, high = subject.expectation.expected_rows(subject.newest_year)
    numbers = {"rows": subject.rows, "expected_at_least": low, "expected_at_most": high}
    if subject.country is not None:
        text = f"found {subject.rows:,} rows. Not applicable: invented data of {len(subject.country)} départements."
        return Found(True, text, numbers | {"not_applicable": "invented data"})
    found = f"expected {low:,} to {high:,} rows, found {subject.rows:,}."
    remedy = "Compare with the publisher's own count; mend the source, or the figure in expectations.toml."
    return judged(low <= subject.rows <= high, found, remedy, numbers)


def _previous_rows(subject: Subject) -> Found:
    # A schema built beside the live one, or swapped with it since, has the load before in the other's ledger.
    schema, other = subject.database.schema, subject.database.live or f"{subject.database.schema}__previous"
    before = subject.connection.execute(
        "SELECT rows FROM edu_pipeline.loads WHERE target_schema = ANY (%s) AND table_name = %s "
        "AND state = 'published' AND strategy <> 'nothing' ORDER BY target_schema = %s DESC, id DESC OFFSET 1 LIMIT 1",
        [[schema, other], subject.name, schema],
    ).fetchone()
    if before is None or not before[0]:
        return Found(True, f"found {subject.rows:,} rows; there is no load before.", {"rows": subject.rows})
    held = int(str(before[0]))
    change = (subject.rows - held) / held
    found = f"expected about the {held:,} rows of the load before, found {subject.rows:,} ({change:+.1%})."
    numbers = {"rows": subject.rows, "previous_rows": held, "change": round(change, 4)}
    return judged(abs(change) <= LOST, found, "Look at what its materialization added and removed.", numbers)


def _years(subject: Subject) -> Found:
    years = subject.expectation.years
    assert years is not None
    counts = {begin(year): rows for year, rows in subject.per_year.items()}
    expected = years.expected(subject.newest_year)
    fullest = max(counts.values(), default=0) if years.first is not None else subject.rows
    missing = [year for year in expected if year not in counts]
    thin = {year: counts[year] for year in expected if year in counts and counts[year] < THIN_YEAR * fullest}
    found = f"expected rows of {_listed(expected)} in {years.column}, found {_listed(counts)}"
    found += f"; missing: {_listed(missing)}" if missing else ""
    found += f"; too few of {', '.join(f'{year} ({rows:,})' for year, rows in thin.items())}" if thin else ""
    numbers = {"missing": missing, "thin": _by_text(thin), "rows_by_year": _by_text(counts)}
    remedy = "Look whether the publisher still has them, and at the release's other files."
    return judged(not missing and not thin, f"{found}.", remedy, numbers)


def _departements(subject: Subject) -> Found:
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
    return judged(not missing and not thin, f"{found}.", remedy, numbers)


def _thin(subject: Subject, places: Places, counts: Mapping[str, int]) -> dict[str, int]:
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


def _academies(subject: Subject) -> Found:
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
    return judged(not missing, f"{text}.", remedy, {"missing": labels, "academies": len(found)})


def _means(subject: Subject) -> Found:
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
    return judged(passed, f"mean expected and found: {'; '.join(told)}.", remedy, means)


def _orphans(subject: Subject) -> Found:
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
    return judged(most <= subject.table.max_unknown * total, found, remedy, numbers)


def _orphans_in(subject: Subject, column: str, references: Iterable[str]) -> tuple[int, dict[str, int]]:
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


def _age(subject: Subject) -> Found:
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
    return judged(not stale and not behind and bool(ages), f"{found}.", remedy, numbers)


def _references(table: Table) -> dict[str, tuple[str, ...]]:
    """The columns of a table that point to others, and to which."""
    return {column: spec.references for column, spec in specs(table.contract).items() if spec.references}


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


def _listed(years: Collection[int]) -> str:
    """Years in words: ``2012 to 2025``, ``2022, 2024``, ``none``."""
    ordered = sorted(years)
    if len(ordered) > 2 and ordered == list(range(ordered[0], ordered[-1] + 1)):
        return f"{ordered[0]} to {ordered[-1]}"
    return ", ".join(map(str, ordered)) or "none"


def _by_text(counts: Mapping[int, int]) -> dict[str, int]:
    return {str(year): rows for year, rows in counts.items()}
