"""How fresh and how sound everything is: every source and every table, for people and for monitoring.

Belongs here: gathering it from ledger, archive, probes and check results, and judging it (green, yellow, red). Does not
belong here: showing it (``cli.py``, ``assets/data_freshness.py``), running checks (``checks``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from edu_pipeline.catalogue import catalogue
from edu_pipeline.database import probe_memory
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.database.probe_memory import Answer
from edu_pipeline.monitoring.status import SourceStatus, TableStatus, source_status, table_status
from edu_pipeline.sources.archive import Archive

State = Literal["green", "yellow", "red"]
WORST: tuple[State, ...] = ("green", "yellow", "red")

GIVEN_UP = 3
"""Probes in a row without an answer from which a source is red."""

LOOKS = 60
"""Moments at which the ages of the sources are shown, at most."""


@dataclass(frozen=True)
class SourceHealth:
    """A source: the newest release upstream and the newest one here.

    Attributes:
        upstream_at: the publisher's date of its newest release, as last asked; None: it says none, or was never asked.
        asked_at: when it was last asked; None: never.
        release: the newest in the archive; None: none.
        age_days: since its publication, or where the publisher does not say since its download.
        problem: why it is not green.
    """

    source: str
    publisher: str
    cadence: str
    state: State
    upstream_at: datetime | None
    asked_at: datetime | None
    release: str | None
    age_days: int | None
    max_age_days: int
    problem: str | None

    @property
    def errors(self) -> list[str]:
        """What makes it red."""
        return [f"{self.source}: {self.problem}"] if self.state == "red" else []


@dataclass(frozen=True)
class TableHealth:
    """A table or view: rows, last change, and what is wrong with it.

    Attributes:
        changed_at: end of the last load that changed a row.
        red: the failed load, and the checks that found an error, as texts.
        yellow: what it waits for, and the checks that found something worth a look.
    """

    table: str
    layer: str | None
    state: State
    rows: int
    changed_at: datetime | None
    refused: int | None
    red: list[str]
    yellow: list[str]

    @property
    def errors(self) -> list[str]:
        """What makes it red."""
        return [f"{self.table}: {text}" for text in self.red]


@dataclass(frozen=True)
class Health:
    """Everything.

    Attributes:
        state: the worst of all.
        invented: whether the data are the sample publisher's.
    """

    state: State
    invented: bool
    sources: list[SourceHealth]
    tables: list[TableHealth]

    @property
    def entries(self) -> list[SourceHealth | TableHealth]:
        """All of them."""
        return [*self.sources, *self.tables]

    def number(self, state: State) -> int:
        """How many of them are in ``state``."""
        return sum(entry.state == state for entry in self.entries)


def health(database: Database, archive: Archive) -> Health:
    """The state of all sources that a table reads, and of all tables and views.

    Raises:
        DatabaseUnreachable: the server does not answer.
        ArchiveUnusable: the archive cannot be read.
    """
    with database.connect() as connection:
        asked = probe_memory.answers(connection)
        checks = _checks(connection, database.schema)
        changed = _changes(connection, database.schema)
    found = table_status(database, archive)
    sources = [_source(entry, asked.get(entry.source)) for entry in source_status(archive) if entry.tables]
    tables = [_table(entry, checks.get(entry.table, {}), changed.get(entry.table)) for entry in found]
    states = {entry.state for entry in sources} | {entry.state for entry in tables}
    state: State = max(states, key=WORST.index, default="green")
    return Health(state, any(entry.invented for entry in found), sources, tables)


def ages_over_time(archive: Archive, days: int = 365) -> list[tuple[datetime, str, float]]:
    """How old the newest release was of every source at some moments of the last ``days``: moment, source, age in days.

    Raises:
        ArchiveUnusable: the archive cannot be read.
    """
    now = datetime.now(UTC)
    releases = {source: archive.releases(source) for source in catalogue()}
    first = min((found[0].retrieved_at for found in releases.values() if found), default=now)
    begin = max(first, now - timedelta(days=days))
    points = []
    for moment in [begin + (now - begin) * look / LOOKS for look in range(1, LOOKS + 1)]:
        for source, found in releases.items():
            held = [release for release in found if release.retrieved_at <= moment]
            if held:
                newest = max(held, key=lambda release: release.retrieved_at)
                age = moment - (newest.published_at or newest.retrieved_at)
                points.append((moment, source, max(age / timedelta(days=1), 0.0)))
    return points


def _source(entry: SourceStatus, asked: Answer | None) -> SourceHealth:
    limit = catalogue()[entry.source].max_age_days
    state, problem = _judged(entry, asked, limit)
    return SourceHealth(
        source=entry.source,
        publisher=entry.publisher,
        cadence=entry.cadence,
        state=state,
        upstream_at=asked.published_at if asked else None,
        asked_at=asked.probed_at if asked else None,
        release=entry.release,
        age_days=entry.age_days,
        max_age_days=limit,
        problem=problem,
    )


def _judged(entry: SourceStatus, asked: Answer | None, limit: int) -> tuple[State, str | None]:
    if asked and asked.error:
        return (
            "red" if asked.consecutive_errors >= GIVEN_UP else "yellow",
            f"asked {asked.consecutive_errors} times in vain: {asked.error}",
        )
    if entry.age_days is not None and entry.age_days > limit:
        return "red", f"its newest release is {entry.age_days} days old, {limit} at most were expected"
    if entry.release is None:
        return ("green" if catalogue()[entry.source].optional else "yellow"), "there is no release yet"
    if asked and asked.is_new:
        return "yellow", "there is a new release, not fetched yet"
    return "green", None


def _table(entry: TableStatus, checks: Mapping[str, tuple[State, str]], changed_at: datetime | None) -> TableHealth:
    red = [f"{name}: {text}" for name, (state, text) in checks.items() if state == "red"]
    yellow = [f"{name}: {text}" for name, (state, text) in checks.items() if state == "yellow"]
    if entry.error:
        red.insert(0, entry.error)
    if entry.loaded_at is None and not entry.error:
        yellow = [entry.state]
    return TableHealth(
        table=entry.table,
        layer=entry.layer,
        state="red" if red else "yellow" if yellow else "green",
        rows=entry.rows,
        changed_at=changed_at,
        refused=entry.refused,
        red=red,
        yellow=yellow,
    )


def _checks(connection: Connection, schema: str) -> dict[str, dict[str, tuple[State, str]]]:
    found: dict[str, dict[str, tuple[State, str]]] = {}
    rows = connection.execute(
        "SELECT table_name, check_name, CASE WHEN passed THEN 'green' WHEN severity = 'warn' THEN 'yellow' ELSE 'red' "
        "END, description FROM edu_pipeline.check_results WHERE target_schema = %s ORDER BY table_name, check_name",
        [schema],
    )
    for table, name, state, text in rows:
        found.setdefault(str(table), {})[str(name)] = (state, str(text))  # type: ignore[assignment]
    return found


def _changes(connection: Connection, schema: str) -> dict[str, datetime]:
    rows = connection.execute(
        "SELECT table_name, max(finished_at) FROM edu_pipeline.loads WHERE target_schema = %s AND state = 'published' "
        "AND strategy <> 'nothing' GROUP BY table_name",
        [schema],
    )
    return {str(name): changed_at for name, changed_at in rows}  # type: ignore[misc]
