"""What the publishers were last asked and said: the table ``edu_pipeline.probes``.

Belongs here: every statement about that table. Does not belong here: asking (``sources/probe.py``), and what follows
from an answer (``loading/releases.py``, ``monitoring/health.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.sources.probe import Probed


@dataclass(frozen=True)
class Answer:
    """What a publisher last said of a source.

    Attributes:
        probed_at: when it was asked.
        published_at: the publisher's date of its newest release; None: it says none.
        is_new: whether it shows something that the archive does not have yet.
        error: why it could not be asked.
        consecutive_errors: how many times in a row it could not be asked.
    """

    source: str
    probed_at: datetime
    published_at: datetime | None
    is_new: bool
    error: str | None
    consecutive_errors: int


def answers(connection: Connection) -> dict[str, Answer]:
    """The last answer about every source that was ever asked for, by source."""
    statement = (
        "SELECT source, probed_at, published_at, version IS DISTINCT FROM known_version AS is_new, error, "
        "consecutive_errors FROM edu_pipeline.probes"
    )
    with connection.cursor(row_factory=class_row(Answer)) as cursor:
        return {answer.source: answer for answer in cursor.execute(statement)}


def nothing_new_since(connection: Connection, source: str, since: datetime) -> bool:
    """Whether the publisher was asked at ``since`` or later, and showed nothing new or could not be asked."""
    row = connection.execute(
        "SELECT FROM edu_pipeline.probes WHERE source = %s AND probed_at >= %s "
        "AND (version = known_version OR error IS NOT NULL)",
        [source, since],
    ).fetchone()
    return row is not None


def remember(connection: Connection, probed: Iterable[Probed]) -> None:
    """Note what probes said. A version becomes known only if the archive has it already; see also ``fetching``."""
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO edu_pipeline.probes AS before
                (source, version, known_version, published_at, probed_at, changed_at, error, consecutive_errors)
            SELECT source, said, CASE WHEN NOT changed THEN said END, published_at, probed_at,
                CASE WHEN said IS NOT NULL THEN probed_at END, error, CASE WHEN error IS NULL THEN 0 ELSE 1 END
            FROM (VALUES (%s::text, %s::text, %s::boolean, %s::timestamptz, %s::timestamptz, %s::text))
                AS probe (source, said, changed, published_at, probed_at, error)
            ON CONFLICT (source) DO UPDATE SET
                version = coalesce(excluded.version, before.version),
                known_version = coalesce(excluded.known_version, before.known_version),
                published_at = CASE WHEN excluded.error IS NULL THEN excluded.published_at ELSE before.published_at END,
                probed_at = excluded.probed_at,
                changed_at = CASE WHEN excluded.version IS DISTINCT FROM before.version AND excluded.version IS NOT NULL
                    THEN excluded.changed_at ELSE before.changed_at END,
                error = excluded.error,
                consecutive_errors = CASE WHEN excluded.error IS NULL THEN 0 ELSE before.consecutive_errors + 1 END
            """,
            [
                (
                    one.source,
                    None if one.error else one.version,
                    one.changed,
                    one.published_at,
                    one.probed_at,
                    one.error,
                )
                for one in probed
            ],
        )


def known_versions(connection: Connection) -> dict[str, str]:
    """The versions that the archive is up to date with, by source: what ``probe`` takes as ``known``."""
    rows = connection.execute(
        "SELECT source, known_version FROM edu_pipeline.probes WHERE known_version IS NOT NULL ORDER BY source"
    )
    return {str(source): str(version) for source, version in rows}


@contextmanager
def fetching(database: Database, source: str) -> Iterator[None]:
    """Around the fetch of a source: if that succeeds, the version that was said before it began is known.

    Not the newest version: what a probe has said meanwhile, the fetch may have missed. If it fails, or the process
    dies, the source has still changed at the next probe.

    Raises:
        DatabaseUnreachable: the server does not answer.
    """
    with database.connect() as connection:
        said = connection.execute("SELECT version FROM edu_pipeline.probes WHERE source = %s", [source]).fetchone()
    yield
    if said and said[0]:
        with database.connect() as connection:
            connection.execute(
                "UPDATE edu_pipeline.probes SET known_version = %(said)s "
                "WHERE source = %(source)s AND known_version IS DISTINCT FROM %(said)s",
                {"source": source, "said": said[0]},
            )
