"""The checks between tables. They run after the tables of a run, or alone.

Belongs here: how Dagster declares and runs them. Does not belong here: the checks (package ``checks``), and those of
one table, which its load makes before it publishes.
"""

from collections.abc import Iterable, Iterator

import dagster as dg

from edu_pipeline import checks
from edu_pipeline.orchestration.asked_for import is_unattended
from edu_pipeline.orchestration.check_results import agreement_check_specs, check_result
from edu_pipeline.resources import ArchiveResource, PostgresResource
from edu_pipeline.table import tables


@dg.multi_asset_check(specs=[spec for name in tables() for spec in agreement_check_specs(name)], can_subset=True)
def agreement(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, archive: ArchiveResource
) -> Iterator[dg.AssetCheckResult]:
    """Whether codes refer to rows that exist, releases are recent, and sources agree with each other."""
    database, releases = postgres.database(), archive.archive()
    unattended = is_unattended(context.run.tags)
    with database.connect() as connection:
        for table, names in names_by_table(context.selected_asset_check_keys).items():
            made = checks.run(connection, database, releases, table, names, unattended=unattended)
            yield from map(check_result, made)


def names_by_table(keys: Iterable[dg.AssetCheckKey]) -> dict[str, list[str]]:
    """The names of checks, by table."""
    names: dict[str, list[str]] = {}
    for key in keys:
        names.setdefault(key.asset_key.to_user_string(), []).append(key.name)
    return names
