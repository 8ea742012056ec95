"""The asset of the open files: its materialization exports everything, with a note of what has changed.

Belongs here: how Dagster declares, runs and shows it. Does not belong here: the files (package ``export``).
"""

# ruff: noqa: PLC0415 - what writes files takes half a second to import, and most processes export nothing

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg
from upath import UPath

from edu_pipeline.database.views import views
from edu_pipeline.orchestration.failures import dagster_failures
from edu_pipeline.orchestration.metadata import OWNERS
from edu_pipeline.orchestration.untrusted import table
from edu_pipeline.resources import PostgresResource
from edu_pipeline.settings import settings
from edu_pipeline.table import tables

if TYPE_CHECKING:
    from edu_pipeline.export.by_day import DayExport

KEY = dg.AssetKey("exports")


@dg.asset(
    key=KEY,
    group_name="views",
    deps=[*tables(), *views(), "live_schema"],
    description="Everything that readers see as Parquet files with their descriptions, in EDU_EXPORTS: a folder per "
    "release day, each with a note of the rows that were added, changed and removed since the folder before "
    "(changes.json, and their keys in changes.parquet). There is this asset only if EDU_EXPORTS is set.",
    owners=OWNERS,
    kinds={"parquet"},
    tags={"layer": "views"},
)
def exports(context: dg.AssetExecutionContext, postgres: PostgresResource) -> dg.MaterializeResult[Any]:
    """Export the live schema, unless the folder of the day has all of it."""
    from edu_pipeline.export.by_day import export_of_the_day

    root = settings().exports
    assert root is not None, "the asset is defined only where EDU_EXPORTS is set"
    with dagster_failures(context):
        database = postgres.database()
        live = replace(database, schema=database.live or database.schema, live=None)
        return dg.MaterializeResult(metadata=export_metadata(export_of_the_day(live, UPath(root))))


def export_metadata(done: "DayExport") -> dict[str, Any]:
    """Where the files are, and the change note."""
    changed = {
        name: counts
        for name, counts in done.note["tables"].items()
        if counts["added"] or counts["changed"] or counts["removed"] or counts.get("columns")
    }
    rows = [[name, *(counts[kind] for kind in ("added", "changed", "removed"))] for name, counts in changed.items()]
    return {
        "folder": str(done.folder),
        "already there": done.skipped,
        "compared with": done.note["since"] or "nothing: there was no export before",
        "changes": table(["table", "added", "changed", "removed"], rows),
    }
