"""The view assets: one per materialized view, whose materialization is a refresh.

Belongs here: how Dagster declares and runs them. Does not belong here: the views (``database/views.py``), refreshing
them (``loading/view_refresh.py``).
"""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from edu_pipeline import checks
from edu_pipeline.database.views import View
from edu_pipeline.loading.lineage import sources_of
from edu_pipeline.loading.view_refresh import refresh
from edu_pipeline.orchestration.asked_for import is_unattended
from edu_pipeline.orchestration.check_results import check_result, view_check_specs
from edu_pipeline.orchestration.failures import dagster_failures
from edu_pipeline.orchestration.metadata import OWNERS, freshness_policy, load_metadata, relation_metadata
from edu_pipeline.resources import ArchiveResource, PostgresResource, RunOptions


def view_asset(view: View) -> dg.AssetsDefinition:
    """The asset whose materialization is a refresh of ``view``."""

    @dg.asset(
        name=view.name,
        group_name="views",
        deps=list(view.inputs),
        description=view.description,
        owners=OWNERS,
        kinds={"postgres", "sql"},
        tags={"layer": "views"},
        freshness_policy=freshness_policy(sources_of(view.name)),
        code_version=view.code_version,
        check_specs=view_check_specs(view.name),
        metadata=relation_metadata(view.name, view.path),
    )
    def materialize(
        context: dg.AssetExecutionContext,
        postgres: PostgresResource,
        archive: ArchiveResource,
        run_options: RunOptions,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
        yield from refresh_events(view, context, postgres, archive, run_options)

    return materialize


def refresh_events(
    view: View,
    context: dg.AssetExecutionContext,
    postgres: PostgresResource,
    archive: ArchiveResource,
    run_options: RunOptions,
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
    """Refresh ``view``, and yield its check results and its materialization.

    Raises:
        RetryRequested: a retry may help.
        Failure: the view could not be refreshed.
    """
    database = postgres.database()
    with dagster_failures(context):
        outcome = refresh(view, database, run_options.options(), run_id=context.run.run_id)
        with database.connect() as connection:
            unattended = is_unattended(context.run.tags)
            results = checks.run(connection, database, archive.archive(), view.name, unattended=unattended)
    yield from map(check_result, results)
    yield dg.MaterializeResult(metadata=load_metadata(outcome))
