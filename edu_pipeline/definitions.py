"""The Dagster definitions: only assembling. What the assets are is declared in ``assets``, ``sources`` and ``sql``."""

from __future__ import annotations

import dagster as dg

from edu_pipeline.assets.agreement import agreement
from edu_pipeline.assets.factory import live_schema_asset, raw_asset, table_asset, view_asset
from edu_pipeline.executors import executor
from edu_pipeline.resources import ArchiveResource, PostgresResource, RunOptions
from edu_pipeline.sources.catalogue import catalogue
from edu_pipeline.table import LAYERS, tables
from edu_pipeline.views import views

used = {source for table in tables().values() for source in table.sources}
raw_assets = [raw_asset(source) for source in catalogue().values() if source.id in used]
table_assets = [table_asset(table) for table in tables().values()]
view_assets = [view_asset(view) for view in views().values()]

live_schema = live_schema_asset([*tables(), *views()])

full_rebuild = dg.define_asset_job(
    "full_rebuild",
    selection=dg.AssetSelection.all() - dg.AssetSelection.checks(agreement),
    description="Fetch every source, build every table and view in a schema beside the live one, swap the two.",
    config={"resources": {"postgres": {"config": {"beside": True}}}},
    tags={"edu_pipeline/rebuild": "1"},
)
in_place = dg.define_asset_job(
    "refresh",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets("live_schema"),
    description="Tables and views in place, each in a transaction of its own; those selected in a run, else all.",
)
layer_jobs = [
    dg.define_asset_job(
        f"load_{layer}",
        selection=(dg.AssetSelection.groups(layer) - dg.AssetSelection.assets("live_schema"))
        | dg.AssetSelection.groups(layer).upstream(depth=1) & dg.AssetSelection.groups("raw"),
        description=f"The layer {layer}, and the sources that it reads.",
    )
    for layer in LAYERS
    if layer in {"views", *(table.layer for table in tables().values())}
]

defs = dg.Definitions(
    assets=[*raw_assets, *table_assets, *view_assets, live_schema],
    asset_checks=[agreement],
    jobs=[full_rebuild, in_place, *layer_jobs],
    resources={"postgres": PostgresResource(), "archive": ArchiveResource(), "run_options": RunOptions()},
    executor=executor(),
)
