"""The last answer of every publisher to the question for new releases: the table ``edu_pipeline.probes``.

Belongs here: every statement about that table. Does not belong here: asking (``sources/probe.py``), and what follows
from an answer (``loading/releases.py``, ``monitoring/health.py``).

A row has two versions. ``version`` is what the publisher last showed; ``known_version`` is the one that the archive is
up to date with. They differ as long as a release has not been fetched.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from edu_pipeline.database import locks
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.sources.probe import Probed

REMEMBER = """
    INSERT INTO edu_pipeline.probes AS known
        (source, version, known_version, published_at, probed_at, changed_at, error, consecutive_errors, later)
    SELECT source, version, CASE WHEN NOT changed THEN version END, published_at, probed_at,
        CASE WHEN version IS NOT NULL THEN probed_at END, error, CASE WHEN error IS NULL THEN 0 ELSE 1 END, later
    FROM (VALUES (%s::text, %s::text, %s::boolean, %s::timestamptz, %s::timestamptz, %s::text, %s::text))
        AS probe (source, version, changed, published_at, probed_at, error, later)
    ON CONFLICT (source) DO UPDATE SET
        version = coalesce(excluded.version, known.version),
        known_version = coalesce(excluded.known_version, known.known_version),
        published_at = CASE WHEN excluded.error IS NULL THEN excluded.published_at ELSE known.published_at END,
        probed_at = excluded.probed_at,
        changed_at = CASE WHEN excluded.version IS DISTINCT FROM known.version AND excluded.version IS NOT NULL
            THEN excluded.changed_at ELSE known.changed_at END,
        later = CASE WHEN excluded.error IS NULL THEN excluded.later ELSE known.later END,
        error = excluded.error,
        consecutive_errors = CASE WHEN excluded.error IS NULL THEN 0 ELSE known.consecutive_errors + 1 END
"""
"""After an error the version, the date and the later edition of the last good answer stay."""


@dataclass(frozen=True)
class Answer:
    """The last answer of a publisher about a source.

    Attributes:
        probed_at: when it was asked.
        published_at: the publisher's date of its newest release; None if it gives none.
        is_new: whether it shows a version that the archive does not have yet.
        error: why it could not be asked.
        consecutive_errors: how many requests in a row have failed.
        later: a later edition that the publisher shows and that the catalogue does not read; None if it shows none.
    """

    source: str
    probed_at: datetime
    published_at: datetime | None
    is_new: bool
    error: str | None
    consecutive_errors: int
    later: str | None = None


def answers(connection: Connection) -> dict[str, Answer]:
    """The last answer about every source that was ever probed, by source."""
    statement = (
        "SELECT source, probed_at, published_at, version IS DISTINCT FROM known_version AS is_new, error, "
        "consecutive_errors, later FROM edu_pipeline.probes"
    )
    with connection.cursor(row_factory=class_row(Answer)) as cursor:
        return {answer.source: answer for answer in cursor.execute(statement)}


def nothing_new_since(connection: Connection, source: str, since: datetime) -> bool:
    """Whether a source was probed at ``since`` or later, and showed nothing new or could not be asked."""
    row = connection.execute(
        "SELECT FROM edu_pipeline.probes WHERE source = %s AND probed_at >= %s "
        "AND (version = known_version OR error IS NOT NULL)",
        [source, since],
    ).fetchone()
    return row is not None


def known_versions(connection: Connection) -> dict[str, str]:
    """The versions that the archive is up to date with, by source: what ``sources.probe`` takes as ``known``."""
    rows = connection.execute(
        "SELECT source, known_version FROM edu_pipeline.probes WHERE known_version IS NOT NULL ORDER BY source"
    )
    return {str(source): str(version) for source, version in rows}


def remember(connection: Connection, probed: Iterable[Probed]) -> None:
    """Write down what probes found; the caller commits.

    A version becomes known only if the probe found the archive up to date with it; else ``fetching`` makes it known.
    """
    with connection.cursor() as cursor:
        cursor.executemany(
            REMEMBER,
            [
                (
                    probe.source,
                    None if probe.error else probe.version,
                    probe.changed,
                    probe.published_at,
                    probe.probed_at,
                    probe.error,
                    probe.later,
                )
                for probe in probed
            ],
        )


@contextmanager
def fetching(database: Database, source: str) -> Iterator[None]:
    """Wrap the fetch of a source: the archive is not pruned meanwhile, and if the fetch succeeds, the version that was
    remembered when it began becomes known.

    Not the newest version: one that a probe has found meanwhile may have come too late for the fetch. If the fetch
    fails, or the process dies, the next probe still finds the source changed.

    Raises:
        WaitTooLong: the archive was being pruned for too long.
        DatabaseUnreachable: the server does not answer.
    """
    with database.connect() as connection:
        row = connection.execute("SELECT version FROM edu_pipeline.probes WHERE source = %s", [source]).fetchone()
        connection.commit()
        with locks.archive_in_use(connection):
            yield
    if row and row[0]:
        with database.connect() as connection:
            connection.execute(
                "UPDATE edu_pipeline.probes SET known_version = %(version)s "
                "WHERE source = %(source)s AND known_version IS DISTINCT FROM %(version)s",
                {"source": source, "version": row[0]},
            )
