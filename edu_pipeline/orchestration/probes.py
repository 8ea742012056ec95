"""The asset that asks the publishers for new releases, before the raw assets of the same run.

Belongs here: how Dagster declares, runs and shows it. Does not belong here: asking (``sources/probe.py``,
``loading/releases.py``).
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from edu_pipeline.loading.releases import ask_publishers
from edu_pipeline.orchestration.failures import dagster_failures
from edu_pipeline.orchestration.metadata import OWNERS
from edu_pipeline.orchestration.untrusted import table
from edu_pipeline.resources import ArchiveResource, PostgresResource
from edu_pipeline.settings import settings
from edu_pipeline.sources.probe import Probed


@dg.asset(
    group_name="raw",
    description="What every publisher shows of its newest release, by one small request each. A run that includes it "
    "fetches only the sources that have something new; of a source that cannot be asked, the newest release in the "
    "archive stays in use.",
    owners=OWNERS,
    kinds={"http"},
    tags={"layer": "raw"},
)
def probes(
    context: dg.AssetExecutionContext, postgres: PostgresResource, archive: ArchiveResource
) -> dg.MaterializeResult[Any]:
    """Ask all publishers, unless the run uses the archive alone."""
    with dagster_failures(context):
        answers = ask_publishers(settings(), postgres.database(), archive.archive()) if archive.fetches else None
    for text in probe_errors(answers or {}):
        context.log.warning(text)
    return dg.MaterializeResult(metadata=probes_metadata(answers))


def probe_errors(answers: Mapping[str, Probed]) -> list[str]:
    """Which sources could not be asked, and why."""
    return [f"{source}: {answer.error}" for source, answer in answers.items() if answer.error]


def probes_metadata(answers: Mapping[str, Probed] | None) -> dict[str, Any]:
    """What the UI shows of the answers; None: nobody was asked."""
    if answers is None:
        return {"asked": False}
    rows = [
        [answer.source, "new" if answer.changed else "", answer.published_at, answer.error]
        for answer in answers.values()
    ]
    return {
        "asked": True,
        "new": sum(answer.changed for answer in answers.values()),
        "failed": sum(answer.error is not None for answer in answers.values()),
        "sources": table(["source", "new", "published at", "error"], rows),
    }
