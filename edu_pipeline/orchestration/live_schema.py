"""The asset that stands for the schema which readers see: its materialization ends a full rebuild with the swap.

Belongs here: how Dagster declares and runs it. Does not belong here: the swap (``operations/swap.py``), the checks
before it (``checks/running.py``).
"""

from typing import Any

import dagster as dg

from edu_pipeline import checks
from edu_pipeline.database.views import views
from edu_pipeline.operations.swap import swap
from edu_pipeline.orchestration.check_results import check_evaluation
from edu_pipeline.orchestration.failures import dagster_failures
from edu_pipeline.orchestration.metadata import OWNERS
from edu_pipeline.resources import ArchiveResource, PostgresResource, RunOptions
from edu_pipeline.table import tables


@dg.asset(
    group_name="views",
    deps=[*tables(), *views()],
    description="The schema that readers see. A full rebuild fills the next schema. When everything upstream of this "
    "asset has succeeded, and no check finds an error that the live rows do not have, the two schemas swap names; the "
    "previous one is kept as <schema>__previous (`edu-pipeline rollback`). In any other run there is nothing to swap, "
    "since tables are published in place.",
    owners=OWNERS,
    kinds={"postgres"},
    tags={"layer": "views"},
)
def live_schema(
    context: dg.AssetExecutionContext,
    postgres: PostgresResource,
    archive: ArchiveResource,
    run_options: RunOptions,
) -> dg.MaterializeResult[Any]:
    """Swap the schemas, at the end of a full rebuild."""
    with dagster_failures(context):
        return dg.MaterializeResult(metadata=swap_if_rebuilt(context, postgres, archive, run_options))


def swap_if_rebuilt(
    context: dg.AssetExecutionContext,
    postgres: PostgresResource,
    archive: ArchiveResource,
    run_options: RunOptions,
) -> dict[str, Any]:
    """In a full rebuild: check the next schema, report the results, and make it the live one.

    Returns:
        What the UI shows.

    Raises:
        CheckRed: a check finds an error that the live rows do not have.
        EduError: the schemas could not be swapped; see ``swap``.
    """
    if not postgres.rebuild:
        return {"swapped": False}
    for result in checks.before_swap(postgres.database(), archive.archive(), run_options.options().accept_red):
        context.instance.report_runless_asset_event(check_evaluation(result))
    dependents = swap(postgres.database(), run_options.accept_shrink, context.run.run_id)
    for name in dependents:
        context.log.warning(f"{name} depends on the previous schema and shows its rows: recreate it")
    return {"swapped": True, "depend on the previous schema": dependents}
