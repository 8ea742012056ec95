"""A full rebuild of a few tables from the archive alone: ``python -m edu_pipeline_tests.orchestration.small_rebuild``.

Belongs here: the program that starts the run, with the executor that the settings name. Does not belong here: settings.
"""

from __future__ import annotations

import os

import dagster as dg

from edu_pipeline.definitions import defs
from edu_pipeline.orchestration.home import home
from edu_pipeline.settings import settings
from edu_pipeline_tests.operations.generations import LOADED

CONFIG = {"resources": {"archive": {"config": {"offline": True}}, "postgres": {"config": {"rebuild": True}}}}


def full_rebuild() -> dg.JobDefinition:
    """The job, as another process finds it."""
    return defs.resolve_job_def("full_rebuild")


def main() -> None:
    """Run the job for the chosen tables, and swap."""
    from edu_pipeline_tests.orchestration import small_rebuild  # noqa: PLC0415 - not as __main__, which workers lack

    os.environ["DAGSTER_HOME"] = home(settings())
    chosen = [dg.AssetKey(name) for name in (*LOADED, "live_schema")]
    with dg.DagsterInstance.get() as instance:
        job = dg.reconstructable(small_rebuild.full_rebuild)
        ended = dg.execute_job(job, instance, run_config=CONFIG, asset_selection=chosen)
    raise SystemExit(not ended.success)


if __name__ == "__main__":
    main()
