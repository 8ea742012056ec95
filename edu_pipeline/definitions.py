"""Dagster's entry point: it only assembles the definitions.

Belongs here: nothing else. Does not belong here: what the definitions are (package ``orchestration``).
"""

# ruff: noqa: E402 - what is imported is not to be collected

from __future__ import annotations

import gc

gc.disable()  # what the imports make stays: walking through it again and again takes a fifth of their time

import dagster as dg

from edu_pipeline.catalogue import catalogue
from edu_pipeline.database.views import views
from edu_pipeline.loading.lineage import used_sources
from edu_pipeline.orchestration.agreement import agreement
from edu_pipeline.orchestration.automation import failed_runs, hourly, nightly, red_checks, release_sensor
from edu_pipeline.orchestration.data_freshness import data_freshness
from edu_pipeline.orchestration.executors import executor
from edu_pipeline.orchestration.exports import exports
from edu_pipeline.orchestration.jobs import check_all, daily_refresh, freshness, full_rebuild, layer_jobs
from edu_pipeline.orchestration.live_schema import live_schema
from edu_pipeline.orchestration.probes import probes
from edu_pipeline.orchestration.pruning import prune_job, weekly
from edu_pipeline.orchestration.raw_assets import raw_asset
from edu_pipeline.orchestration.table_assets import table_asset
from edu_pipeline.orchestration.view_assets import view_asset
from edu_pipeline.resources import ArchiveResource, PostgresResource, RunOptions
from edu_pipeline.settings import settings
from edu_pipeline.table import tables

raw_assets = [raw_asset(catalogue()[source]) for source in used_sources()]
table_assets = [table_asset(table) for table in tables().values()]
view_assets = [view_asset(view) for view in views().values()]
export_assets = [exports] if settings().exports else []

defs = dg.Definitions(
    assets=[probes, *raw_assets, *table_assets, *view_assets, live_schema, data_freshness, *export_assets],
    asset_checks=[agreement],
    jobs=[full_rebuild, daily_refresh, check_all, freshness, *layer_jobs, prune_job],
    schedules=[nightly, hourly, weekly],
    sensors=[release_sensor, failed_runs, red_checks],
    resources={"postgres": PostgresResource(), "archive": ArchiveResource(), "run_options": RunOptions()},
    executor=executor(),
)

gc.freeze()  # nor do later collections walk through it
gc.enable()
