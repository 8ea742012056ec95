"""A full rebuild of a few tables from the archive alone: ``python -m edu_pipeline_tests.orchestration.small_rebuild``.

Belongs here: the program that starts the run, with the executor that the settings name. Does not belong here: settings.
"""

from __future__ import annotations

import os

import dagster as dg

from edu_pipeline.definitions import defs
from edu_pipeline.orchestration.agreement import agreement
from edu_pipeline.orchestration.home import home
from edu_pipeline.settings import settings
from edu_pipeline_tests.operations.generations import LOADED

CONFIG = {"resources": {"archive": {"config": {"offline": True}}, "postgres": {"config": {"rebuild": True}}}}


def job() -> dg.JobDefinition:
    """The job, as another process finds it: like the full rebuild it leaves out the checks between tables."""
    chosen = dg.AssetSelection.assets(*LOADED, "live_schema") - dg.AssetSelection.checks(agreement)
    small = dg.define_asset_job("small_rebuild", chosen)
    return dg.Definitions.merge(defs, dg.Definitions(jobs=[small])).resolve_job_def("small_rebuild")


def main() -> None:
    """Run the job, and swap."""
    from edu_pipeline_tests.orchestration import small_rebuild  # noqa: PLC0415 - not as __main__, which workers lack

    os.environ["DAGSTER_HOME"] = home(settings())
    with dg.DagsterInstance.get() as instance:
        ended = dg.execute_job(dg.reconstructable(small_rebuild.job), instance, run_config=CONFIG)
    raise SystemExit(not ended.success)


if __name__ == "__main__":
    main()
