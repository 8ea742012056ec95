"""What the site of the tests has beside the small country of the exports: communes enough for several pages of rows.

Belongs here: rows for the site. Does not belong here: what its pages should show.
"""

from __future__ import annotations

from dataclasses import replace

from psycopg import sql

from edu_pipeline.checks import CheckResult
from edu_pipeline.checks.memory import remember
from edu_pipeline.database.connection import Database
from edu_pipeline.sources.release import Release
from edu_pipeline_tests.checks.small_country import record
from edu_pipeline_tests.database.rows import put
from edu_pipeline_tests.export.country import release

COUNT = 120
"""More than two pages of rows."""


def name_of(number: int) -> str:
    """The name of a commune."""
    return f"Œuf-sur-Évre {number}"


def put_communes(database: Database) -> None:
    """Put ``COUNT`` communes into the small country, of the sample publisher, and a check that found something."""
    with database.connect() as connection:
        for number in range(COUNT):
            values = {"nom_commune": name_of(number), "code_departement": "01", "population": number * 100 or None}
            put(connection, "info_communes", code_commune=f"01{number + 100:03}", **values)
        communes = _invented(release("geo-api-communes", "communes.json"))
        record(
            connection,
            "info_communes",
            releases={"geo-api-communes": communes},
            rows=COUNT + 3,
            hidden={"population": 1},
            missing={"geo-api-communes: siren (empty)": []},
        )
        remember(
            connection,
            database.schema,
            [CheckResult("info_communes", "row_count", False, "warn", "expected more <communes>, found few.", {})],
        )
        for view in ("college_context_cache", "commune_context_cache", "lycee_context_cache"):
            connection.execute(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(sql.Identifier(view)))


def _invented(of_a_publisher: Release) -> Release:
    """The same release, of the sample publisher."""
    return replace(
        of_a_publisher,
        id=f"{of_a_publisher.id}-invented",
        files=tuple(replace(file, invented=True) for file in of_a_publisher.files),
    )
