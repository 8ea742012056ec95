"""The Dagster definitions: only assembling. What the assets are is declared in ``assets``, ``sources`` and ``sql``."""

from __future__ import annotations

import dagster as dg

from edu_pipeline.catalogue import catalogue
from edu_pipeline.database.views import views
from edu_pipeline.loading.lineage import used_sources
from edu_pipeline.orchestration.agreement import agreement
from edu_pipeline.orchestration.assets import live_schema_asset, raw_asset, table_asset, view_asset
from edu_pipeline.orchestration.automation import failed_runs, hourly, nightly, red_checks, release_sensor
from edu_pipeline.orchestration.data_freshness import data_freshness
from edu_pipeline.orchestration.executors import executor
from edu_pipeline.orchestration.probes import probes
from edu_pipeline.resources import ArchiveResource, PostgresResource, RunOptions
from edu_pipeline.table import LAYERS, tables

LOADS = {"edu_pipeline/loads": "1"}
"""Tag of the jobs that load: one run of them at a time (`dagster.yaml`)."""

raw_assets = [raw_asset(catalogue()[source]) for source in used_sources()]
table_assets = [table_asset(table) for table in tables().values()]
view_assets = [view_asset(view) for view in views().values()]

live_schema = live_schema_asset([*tables(), *views()])

everything = dg.AssetSelection.all() - dg.AssetSelection.assets("data_freshness")
full_rebuild = dg.define_asset_job(
    "full_rebuild",
    selection=everything - dg.AssetSelection.checks(agreement),
    description="Fetch every source, build every table and view in a schema beside the live one, swap the two.",
    config={"resources": {"postgres": {"config": {"rebuild": True}}}},
    tags=LOADS,
)
daily_refresh = dg.define_asset_job(
    "daily_refresh",
    selection=everything - dg.AssetSelection.assets("live_schema"),
    description="Ask every publisher, fetch what is new, load it and what hangs on it, each table in place and in a "
    "transaction of its own.",
    tags=LOADS,
)
check_all = dg.define_asset_job(
    "check_all",
    selection=dg.AssetSelection.checks(agreement),
    description="The checks between tables, and the age of what is loaded, without loading anything.",
)
freshness = dg.define_asset_job(
    "freshness",
    selection=dg.AssetSelection.assets("data_freshness"),
    description="How fresh everything is, and how sound.",
)
layer_jobs = [
    dg.define_asset_job(
        f"load_{layer}",
        selection=(dg.AssetSelection.groups(layer) - dg.AssetSelection.assets("live_schema"))
        | dg.AssetSelection.groups(layer).upstream(depth=1) & dg.AssetSelection.groups("raw"),
        description=f"The layer {layer}, and the sources that it reads.",
        tags=LOADS,
    )
    for layer in LAYERS
    if layer in {"views", *(table.layer for table in tables().values())}
]

defs = dg.Definitions(
    assets=[probes, *raw_assets, *table_assets, *view_assets, live_schema, data_freshness],
    asset_checks=[agreement],
    jobs=[full_rebuild, daily_refresh, check_all, freshness, *layer_jobs],
    schedules=[nightly(daily_refresh), hourly(freshness)],
    sensors=[release_sensor(daily_refresh), failed_runs, red_checks],
    resources={"postgres": PostgresResource(), "archive": ArchiveResource(), "run_options": RunOptions()},
    executor=executor(),
)
