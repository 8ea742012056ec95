"""The jobs: which assets and checks run together.

Belongs here: the selections. Does not belong here: when a job runs (``automation.py``), how many runs at a time
(``dagster.yaml``).
"""

from __future__ import annotations

import dagster as dg

from edu_pipeline.orchestration.agreement import agreement
from edu_pipeline.table import LAYERS, tables

LOADS = {"edu_pipeline/loads": "1"}
"""Tag of the jobs that load; Dagster runs one of them at a time (`dagster.yaml`)."""

WHOLE = {"dagster/retry_strategy": "ALL_STEPS"}
"""Tag of a job of which Dagster retries a crashed run from the beginning. The retry is a run of its own, which makes a
next schema of its own: without the steps that the first run had done, their tables would be empty in it."""

full_rebuild = dg.define_asset_job(
    "full_rebuild",
    selection=dg.AssetSelection.all() - dg.AssetSelection.checks(agreement),
    description="Fetch every source, build every table and view in the next schema, swap it with the live one, and "
    "show in data_freshness how fresh and sound it is.",
    config={"resources": {"postgres": {"config": {"rebuild": True}}}},
    tags=LOADS | WHOLE,
)

daily_refresh = dg.define_asset_job(
    "daily_refresh",
    selection=dg.AssetSelection.all() - dg.AssetSelection.assets("live_schema", "data_freshness"),
    description="Ask every publisher, fetch what is new, load it and whatever depends on it: each table in place, in "
    "its own transaction.",
    tags=LOADS,
)

check_all = dg.define_asset_job(
    "check_all",
    selection=dg.AssetSelection.checks(agreement),
    description="The checks between tables, and the age of the releases in use. Loads nothing.",
)

freshness = dg.define_asset_job(
    "freshness",
    selection=dg.AssetSelection.assets("data_freshness"),
    description="How fresh and sound everything is.",
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
