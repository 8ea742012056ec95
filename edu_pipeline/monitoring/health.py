"""How fresh and how sound everything is: every source and every table, judged green, yellow or red.

Belongs here: judging what was gathered, and how the sources have aged. Does not belong here: gathering it
(``status.py``), showing it (``cli/main.py``, ``orchestration/data_freshness.py``), running checks (``checks``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from edu_pipeline.catalogue import catalogue
from edu_pipeline.checks import CheckResult
from edu_pipeline.database.connection import Database
from edu_pipeline.database.probe_memory import Answer
from edu_pipeline.loading.columns import missing_columns
from edu_pipeline.monitoring.status import Snapshot, SourceStatus, TableStatus, gather
from edu_pipeline.sources.archive import Archive

State = Literal["green", "yellow", "red"]
WORST: tuple[State, ...] = ("green", "yellow", "red")

UNANSWERED = 3
"""Requests in a row without an answer from which a source is red."""

MOMENTS = 60
"""Moments at which the ages of the sources are shown."""


@dataclass(frozen=True)
class SourceHealth:
    """A source: its newest release at the publisher and in the archive.

    Attributes:
        upstream_at: the publisher's date of its newest release in its last answer; None: it gives none, or was never
            asked.
        asked_at: when the publisher was last asked; None: never.
        release: the newest in the archive; None: there is none.
        age_days: since the release was published, or downloaded where the publisher gives no date.
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
    """A table or view: its rows, its last change, and what is wrong with it.

    Attributes:
        changed_at: end of the last load that changed a row.
        red: texts of the failed load and of the checks that found an error.
        yellow: texts of what it waits for, and of the checks that found something to look at.
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
    """The health of everything.

    Attributes:
        state: the worst state of any source or table.
        invented: whether the data is the sample publisher's.
    """

    state: State
    invented: bool
    sources: list[SourceHealth]
    tables: list[TableHealth]

    @property
    def entries(self) -> list[SourceHealth | TableHealth]:
        """All sources and tables."""
        return [*self.sources, *self.tables]

    def number(self, state: State) -> int:
        """How many sources and tables are in ``state``."""
        return sum(entry.state == state for entry in self.entries)


def health(database: Database, archive: Archive) -> Health:
    """Gather and judge the state of all sources that a table reads, and of all tables and views.

    Raises:
        DatabaseUnreachable: the server does not answer.
        SchemaMissing: there is no target schema.
        ArchiveUnusable: the archive cannot be read.
    """
    return judge(gather(database, archive))


def judge(snapshot: Snapshot) -> Health:
    """Judge the state of all sources that a table reads, and of all tables and views."""
    results: dict[str, list[CheckResult]] = defaultdict(list)
    for result in snapshot.checks:
        results[result.table].append(result)
    sources = [_source(status, snapshot.answers.get(status.source)) for status in snapshot.sources if status.tables]
    tables = [
        _table(status, results[status.table], snapshot.changed_at.get(status.table)) for status in snapshot.tables
    ]
    states = [source.state for source in sources] + [table.state for table in tables]
    state: State = max(states, key=WORST.index, default="green")
    return Health(state, any(status.invented for status in snapshot.tables), sources, tables)


def _source(status: SourceStatus, answer: Answer | None) -> SourceHealth:
    state, problem = _state_of_source(status, answer)
    return SourceHealth(
        source=status.source,
        publisher=status.publisher,
        cadence=status.cadence,
        state=state,
        upstream_at=answer.published_at if answer else None,
        asked_at=answer.probed_at if answer else None,
        release=status.release,
        age_days=status.age_days,
        max_age_days=catalogue()[status.source].max_age_days,
        problem=problem,
    )


def _state_of_source(status: SourceStatus, answer: Answer | None) -> tuple[State, str | None]:
    """The state, and the problem if it has one."""
    source = catalogue()[status.source]
    if status.refusal:
        return "red", status.refusal
    if answer and answer.error:
        requests = answer.consecutive_errors
        last = "the last request" if requests == 1 else f"the last {requests} requests"
        return "red" if requests >= UNANSWERED else "yellow", f"no answer to {last}: {answer.error}"
    if status.age_days is not None and status.age_days > source.max_age_days:
        return "red", f"expected a release at most {source.max_age_days} days old, found one {status.age_days} days old"
    if status.release is None:
        return "green" if source.optional else "yellow", "there is no release yet"
    if answer and answer.is_new:
        return "yellow", "there is a new release, not downloaded yet"
    return "green", None


def _table(status: TableStatus, results: Sequence[CheckResult], changed_at: datetime | None) -> TableHealth:
    red = [f"{result.name}: {result.description}" for result in results if result.is_error]
    yellow = [f"{result.name}: {result.description}" for result in results if not result.passed and not result.is_error]
    if status.missing:
        yellow.append(f"columns: {missing_columns(status.missing)}")
    if status.error:
        red.insert(0, status.error)
    if status.loaded_at is None and not status.error:
        yellow = [status.state]
    return TableHealth(
        table=status.table,
        layer=status.layer,
        state="red" if red else "yellow" if yellow else "green",
        rows=status.rows,
        changed_at=changed_at,
        refused=status.refused,
        red=red,
        yellow=yellow,
    )


def ages_over_time(archive: Archive, days: int = 365) -> list[tuple[datetime, str, float]]:
    """The age of every source's newest release at some moments of the last ``days``: moment, source, age in days.

    Raises:
        ArchiveUnusable: the archive cannot be read.
    """
    now = datetime.now(UTC)
    releases_of = {source: archive.releases(source) for source in catalogue()}
    first = min((releases[0].retrieved_at for releases in releases_of.values() if releases), default=now)
    start = max(first, now - timedelta(days=days))
    points = []
    for moment in [start + (now - start) * number / MOMENTS for number in range(1, MOMENTS + 1)]:
        for source, releases in releases_of.items():
            received = [release for release in releases if release.retrieved_at <= moment]
            if received:
                newest = max(received, key=lambda release: release.retrieved_at)
                age = moment - (newest.published_at or newest.retrieved_at)
                points.append((moment, source, max(age / timedelta(days=1), 0.0)))
    return points
