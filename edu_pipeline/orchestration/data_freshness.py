"""The dashboard: an asset whose materialization shows how fresh and sound every source and table is.

Belongs here: how Dagster declares, runs and shows it. Does not belong here: gathering it (``monitoring/health.py``),
drawing the plot (``monitoring/plots.py``).
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import dagster as dg

from edu_pipeline.monitoring.health import WORST, Health, SourceHealth, State, TableHealth, ages_over_time, health
from edu_pipeline.monitoring.plots import ages, as_markdown
from edu_pipeline.orchestration.failures import dagster_failures
from edu_pipeline.orchestration.markdown import markdown_table
from edu_pipeline.orchestration.metadata import INVENTED, OWNERS
from edu_pipeline.resources import ArchiveResource, PostgresResource
from edu_pipeline.sources.archive import Archive

MARKS: dict[State, str] = {"green": "🟢", "yellow": "🟡", "red": "🔴"}

MAX_TEXT = 300
"""Characters of a text that a cell shows; the check itself has the whole text."""


@dg.asset(
    group_name="health",
    description="Every source (newest release upstream and here, age, cadence) and every table (rows, last change, "
    "red and yellow checks, refused rows), at the time of the newest materialization. There is one every hour.",
    owners=OWNERS,
    kinds={"postgres"},
    tags={"layer": "health"},
)
def data_freshness(
    context: dg.AssetExecutionContext, postgres: PostgresResource, archive: ArchiveResource
) -> dg.MaterializeResult[Any]:
    """Gather the health of everything, and show it. If a run is loading, wait until it has ended."""
    with dagster_failures(context):
        releases = archive.archive()
        report = health(postgres.database(), releases)
        return dg.MaterializeResult(metadata=health_metadata(report) | ages_metadata(releases))


def ages_metadata(archive: Archive) -> dict[str, Any]:
    """The ages of all sources over time, as a plot."""
    plot = as_markdown(ages(ages_over_time(archive)), "ages of the sources over time")
    return {"ages": dg.MetadataValue.md(plot)}


def health_metadata(report: Health) -> dict[str, Any]:
    """The state of everything: a summary, and a table each for sources and tables."""
    return {
        "state": f"{MARKS[report.state]} {report.state}",
        "data": INVENTED if report.invented else "the publishers'",
        **{f"number_{state}": report.number(state) for state in WORST},
        "sources": sources_table(report.sources),
        "tables": tables_table(report.tables),
    }


def sources_table(sources: Sequence[SourceHealth]) -> dg.MarkdownMetadataValue:
    """One row per source."""
    rows: list[dict[str, object]] = [
        {
            "": MARKS[source.state],
            "source": source.source,
            "cadence": source.cadence,
            "newest upstream": _to_the_minute(source.upstream_at),
            "asked": _to_the_minute(source.asked_at),
            "newest here": source.release,
            "age (days)": source.age_days,
            "at most": source.max_age_days,
            "problem": source.problem,
        }
        for source in sources
    ]
    return _table(rows)


def tables_table(tables: Sequence[TableHealth]) -> dg.MarkdownMetadataValue:
    """One row per table and view."""
    rows: list[dict[str, object]] = [
        {
            "": MARKS[table.state],
            "table": table.table,
            "layer": table.layer,
            "rows": f"{table.rows:,}",
            "last change": _to_the_minute(table.changed_at),
            "refused": table.refused,
            "red": "; ".join(table.red),
            "yellow": "; ".join(table.yellow),
        }
        for table in tables
    ]
    return _table(rows)


def _table(rows: Sequence[dict[str, object]]) -> dg.MarkdownMetadataValue:
    columns = list(rows[0]) if rows else []
    return markdown_table(columns, [list(row.values()) for row in rows], MAX_TEXT)


def _to_the_minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
