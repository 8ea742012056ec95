"""The dashboard: an asset whose materialization shows how fresh and sound every source and table is.

Belongs here: how Dagster declares, runs and shows it. Does not belong here: gathering it (``monitoring/health.py``),
drawing the plot (``monitoring/plots.py``).
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import dagster as dg

from edu_pipeline.monitoring.health import WORST, Health, SourceHealth, State, TableHealth, ages_over_time, health
from edu_pipeline.monitoring.plots import ages, as_markdown
from edu_pipeline.orchestration.failures import dagster_failures
from edu_pipeline.orchestration.metadata import INVENTED, OWNERS
from edu_pipeline.orchestration.untrusted import table
from edu_pipeline.resources import PostgresResource
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive

MARKS: dict[State, str] = {"green": "🟢", "yellow": "🟡", "red": "🔴"}


@dg.asset(
    group_name="health",
    deps=["live_schema"],
    description="Every source (newest release upstream and here, age, cadence) and every table (rows, last change, "
    "red and yellow checks, refused rows), at the time of the newest materialization. There is one every hour, and one "
    "at the end of every full rebuild.",
    owners=OWNERS,
    kinds={"postgres"},
    tags={"layer": "health"},
)
def data_freshness(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult[Any]:
    """Gather the health of everything that readers see, and show it. If another run is loading, wait for its end."""
    with dagster_failures(context):
        database, releases = postgres.database(), Archive(settings().archive_root)
        live = replace(database, schema=database.live or database.schema, live=None)
        report = health(live, releases)
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


def sources_table(sources: Sequence[SourceHealth]) -> dg.TableMetadataValue:
    """One row per source; what matters most is on the left, since the UI cuts a wide table on the right."""
    rows: list[dict[str, object]] = [
        {
            "state": f"{MARKS[source.state]} {source.state}",
            "source": source.source,
            "problem": source.problem,
            "age (days)": source.age_days,
            "at most": source.max_age_days,
            "newest upstream": _to_the_minute(source.upstream_at),
            "asked": _to_the_minute(source.asked_at),
            "newest here": source.release,
            "cadence": source.cadence,
        }
        for source in sources
    ]
    return _table(rows)


def tables_table(tables: Sequence[TableHealth]) -> dg.TableMetadataValue:
    """One row per table and view."""
    rows: list[dict[str, object]] = [
        {
            "state": f"{MARKS[entry.state]} {entry.state}",
            "table": entry.table,
            "red": "; ".join(entry.red),
            "yellow": "; ".join(entry.yellow),
            "rows": entry.rows,
            "refused": entry.refused,
            "last change": _to_the_minute(entry.changed_at),
            "layer": entry.layer,
        }
        for entry in tables
    ]
    return _table(rows)


def _table(rows: Sequence[dict[str, object]]) -> dg.TableMetadataValue:
    columns = list(rows[0]) if rows else []
    return table(columns, [list(row.values()) for row in rows])


def _to_the_minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
