"""The asset that is the dashboard: its materialization shows how fresh and sound everything is.

Belongs here: health as the UI shows it. Does not belong here: gathering it (``health.py``).
"""

from datetime import datetime
from typing import Any

import dagster as dg

from edu_pipeline.monitoring.health import WORST, Health, State, ages_over_time, health
from edu_pipeline.monitoring.plots import ages, as_markdown
from edu_pipeline.orchestration.assets import INVENTED, OWNERS, failures, markdown
from edu_pipeline.resources import ArchiveResource, PostgresResource

MARKS: dict[State, str] = {"green": "🟢", "yellow": "🟡", "red": "🔴"}

LONGEST = 300
"""Characters of a text that a cell shows; the whole is with the check itself."""


@dg.asset(
    group_name="health",
    description="Every source (newest release upstream and here, age, cadence) and every table (rows, last change, "
    "checks red and yellow, refused rows), as of the newest materialization, which is made every hour.",
    owners=OWNERS,
    kinds={"postgres"},
    tags={"layer": "health"},
)
def data_freshness(
    context: dg.AssetExecutionContext, postgres: PostgresResource, archive: ArchiveResource
) -> dg.MaterializeResult[Any]:
    """Gather the health of everything and show it, after a run that loads now."""
    with failures(context):
        held = archive.archive()
        found = health(postgres.database(), held)
        picture = as_markdown(ages(ages_over_time(held)), "ages of the sources over time")
    return dg.MaterializeResult(metadata=shown(found) | {"ages": dg.MetadataValue.md(picture)})


def shown(found: Health) -> dict[str, Any]:
    """The metadata of a materialization."""
    sources = [
        [
            MARKS[entry.state], entry.source, entry.cadence, _minute(entry.upstream_at), _minute(entry.asked_at),
            entry.release, entry.age_days, entry.max_age_days, entry.problem,
        ]
        for entry in found.sources
    ]  # fmt: skip
    tables = [
        [
            MARKS[entry.state], entry.table, entry.layer, f"{entry.rows:,}", _minute(entry.changed_at), entry.refused,
            "; ".join(entry.red), "; ".join(entry.yellow),
        ]
        for entry in found.tables
    ]  # fmt: skip
    return {
        "state": f"{MARKS[found.state]} {found.state}",
        "data": INVENTED if found.invented else "the publishers'",
        **{f"number_{state}": found.number(state) for state in WORST},
        "sources": dg.MetadataValue.md(
            markdown(
                [
                    "",
                    "source",
                    "cadence",
                    "newest upstream",
                    "asked",
                    "newest here",
                    "age (days)",
                    "at most",
                    "problem",
                ],
                sources,
                LONGEST,
            )
        ),
        "tables": dg.MetadataValue.md(
            markdown(["", "table", "layer", "rows", "last change", "refused", "red", "yellow"], tables, LONGEST)
        ),
    }


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
