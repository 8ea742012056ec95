"""The table assets: one per table, whose materialization is a load.

Belongs here: how Dagster declares and runs them, and in which order. Does not belong here: the load
(``loading/load.py``), what the UI shows of it (``metadata.py``), its checks (``check_results.py``).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import dagster as dg

from edu_pipeline.checks.subject import PLACES
from edu_pipeline.errors import InputMissing
from edu_pipeline.loading import operator_file
from edu_pipeline.loading.lineage import sources_of, upstream_tables
from edu_pipeline.loading.load import load
from edu_pipeline.loading.versions import code_version
from edu_pipeline.orchestration.asked_for import is_unattended
from edu_pipeline.orchestration.check_results import failed_checks, loaded_checks, table_check_specs, waiting_checks
from edu_pipeline.orchestration.failures import dagster_failures
from edu_pipeline.orchestration.metadata import (
    OWNERS,
    freshness_policy,
    load_metadata,
    plot_metadata,
    source_tags,
    table_metadata,
)
from edu_pipeline.orchestration.raw_assets import raw_key
from edu_pipeline.resources import ArchiveResource, PostgresResource, RunOptions
from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline.sources.inputs import awaited, releases_of
from edu_pipeline.table import Table, tables


def table_asset(table: Table) -> dg.AssetsDefinition:
    """The asset whose materialization is a load of ``table``."""

    @dg.asset(
        name=table.name,
        group_name=table.layer,
        deps=[*map(raw_key, table.sources), *table.tables, *places_before(table)],
        description=table.description,
        owners=OWNERS,
        kinds={"postgres", "polars"},
        tags={"layer": table.layer, **source_tags(table.sources)},
        op_tags={"dagster/priority": str(step_priority(table))},
        freshness_policy=freshness_policy(sources_of(table.name)),
        code_version=code_version(table),
        check_specs=table_check_specs(table),
        metadata=table_metadata(table),
    )
    def materialize(
        context: dg.AssetExecutionContext,
        postgres: PostgresResource,
        archive: ArchiveResource,
        run_options: RunOptions,
    ) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
        yield from load_events(table, context, postgres, archive, run_options)

    return materialize


def load_events(
    table: Table,
    context: dg.AssetExecutionContext,
    postgres: PostgresResource,
    archive: ArchiveResource,
    run_options: RunOptions,
) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
    """Load ``table``, and yield its check results and its materialization.

    Raises:
        RetryRequested: a retry may help.
        Failure: the table could not be loaded; the checks that are red for this were yielded before.
    """
    database, releases = postgres.database(), archive.archive()
    supplied = operator_release(table, releases, run_options.from_files)
    try:
        with dagster_failures(context):
            options = replace(run_options.options(), unattended=is_unattended(context.run.tags))
            outcome = load(table, database, releases, options, context.run.run_id, supplied)
    except dg.Failure as failure:
        if isinstance(failure.__cause__, InputMissing):
            yield from waiting_events(table, failure.__cause__.awaited)
            return
        yield from failed_checks(failure)
        raise
    for note in outcome.notes:
        context.log.warning(note)
    yield from loaded_checks(table, outcome)
    plot = {} if outcome.skipped else plot_metadata(table.name, database, context.log)
    yield dg.MaterializeResult(metadata=load_metadata(outcome) | plot)


def waiting_events(table: Table, missing: str) -> Iterator[dg.AssetCheckResult | dg.MaterializeResult[Any]]:
    """What is yielded of a table that waits for ``missing``, a file or another table: nothing was loaded."""
    yield from waiting_checks(table, missing)
    yield dg.MaterializeResult(metadata={"waits": f"It waits for {missing}."})


def operator_release(table: Table, archive: Archive, from_files: Sequence[str]) -> Release | None:
    """The operator's file that ``table`` is loaded from: if the run asks for it, or if no publisher's file is there."""
    releases = releases_of(table, archive)
    file_is_missing = awaited(table, releases, tables()).files or (table.sources and not releases)
    return operator_file.kept(table, archive) if file_is_missing or table.name in from_files else None


def step_priority(table: Table) -> int:
    """Which of the tables that may be loaded now is loaded first: the one with the highest priority.

    Those of a source in many parts take longest: 2, so that others are loaded at the same time, not before them. The
    tables that these are made from: 1. All others: 0.
    """
    longest = [name for name, other in tables().items() if other.in_parts]
    if table.name in longest:
        return 2
    return int(any(table.name in upstream_tables(name) for name in longest))


def places_before(table: Table) -> list[str]:
    """The tables of places that are loaded before ``table``, since its checks look places up there: all that it does
    not read anyway, and that are not made from it."""
    unread = [name for name in PLACES if name not in table.tables]
    return [name for name in unread if table.name not in {name, *upstream_tables(name)}]
