"""The checks between tables, after the tables of a run; they can be run alone, of any table.

Belongs here: giving them to Dagster. Does not belong here: the checks (``checks``), and those of a table alone,
which its load makes before it publishes.
"""

from collections.abc import Iterator

import dagster as dg

from edu_pipeline import checks
from edu_pipeline.orchestration.assets import check_result
from edu_pipeline.resources import ArchiveResource, PostgresResource
from edu_pipeline.table import tables


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(spec.name, asset=name, description=spec.description)
        for name in tables()
        for spec in checks.specs_of(name)
        if spec.between
    ],
    can_subset=True,
)
def agreement(
    context: dg.AssetCheckExecutionContext, postgres: PostgresResource, archive: ArchiveResource
) -> Iterator[dg.AssetCheckResult]:
    """Whether codes point to rows that exist, releases are recent, and sources agree with each other."""
    selected: dict[str, list[str]] = {}
    for key in context.selected_asset_check_keys:
        selected.setdefault(key.asset_key.to_user_string(), []).append(key.name)
    database = postgres.database()
    with database.connect() as connection:
        for table, names in selected.items():
            yield from map(check_result, checks.run(connection, database, archive.archive(), table, names))
