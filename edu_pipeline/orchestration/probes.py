"""The asset that asks the publishers: one small request each, before the raw assets of the same run.

Belongs here: asking, and showing what was said. Does not belong here: how they are asked (``sources/probe.py``).
"""

from typing import Any

import dagster as dg

from edu_pipeline.loading.releases import ask_publishers
from edu_pipeline.orchestration.assets import OWNERS, failures, markdown
from edu_pipeline.resources import ArchiveResource, PostgresResource
from edu_pipeline.settings import settings


@dg.asset(
    group_name="raw",
    description="What every publisher shows of its newest release, by one small request each. In a run that begins "
    "with it, only those sources are fetched that have something new; what cannot be asked keeps what is here.",
    owners=OWNERS,
    kinds={"http"},
    tags={"layer": "raw"},
)
def probes(
    context: dg.AssetExecutionContext, postgres: PostgresResource, archive: ArchiveResource
) -> dg.MaterializeResult[Any]:
    """Ask all publishers, unless the run is to leave them alone."""
    if not archive.fetches:
        return dg.MaterializeResult(metadata={"asked": False})
    with failures(context):
        found = ask_publishers(settings(), postgres.database(), archive.archive())
    for source, probed in found.items():
        if probed.error:
            context.log.warning(f"{source}: {probed.error}")
    rows = [[one.source, "new" if one.changed else "", one.published_at, one.error] for one in found.values()]
    return dg.MaterializeResult(
        metadata={
            "asked": True,
            "new": sum(one.changed for one in found.values()),
            "failed": sum(one.error is not None for one in found.values()),
            "sources": dg.MetadataValue.md(markdown(["source", "new", "published at", "error"], rows)),
        }
    )
