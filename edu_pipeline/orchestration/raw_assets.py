"""The raw assets: one per source, whose materialization is a release in the archive.

Belongs here: how Dagster declares and runs them. Does not belong here: fetching (``loading/releases.py``), asking the
publishers (``probes.py``), what the UI shows of a release (``metadata.py``).
"""

from typing import Any

import dagster as dg

from edu_pipeline.catalogue import Source, catalogue
from edu_pipeline.loading.releases import fetch_if_new
from edu_pipeline.orchestration.failures import dagster_failures
from edu_pipeline.orchestration.metadata import OWNERS, freshness_policy, release_metadata, source_tags
from edu_pipeline.resources import ArchiveResource, PostgresResource
from edu_pipeline.settings import settings
from edu_pipeline.sources.fetch import Fetched, newest_fetched


def raw_key(source: str) -> dg.AssetKey:
    """The key of a source's raw asset."""
    return dg.AssetKey(["raw", catalogue()[source].slug])


def raw_asset(source: Source) -> dg.AssetsDefinition:
    """The asset whose materialization is a release of ``source`` in the archive."""

    @dg.asset(
        key=raw_key(source.id),
        group_name="raw",
        description=f"{source.title}, as published by {source.publisher} ({source.licence}). {source.note}".strip(),
        owners=OWNERS,
        kinds={"file", *(file.format for file in source.files.values())},
        tags={"layer": "raw", **source_tags([source.id])},
        deps=["probes"],
        freshness_policy=freshness_policy([source.id]),
        metadata={"source": dg.MetadataValue.url(source.landing_page), "licence": source.licence},
    )
    def raw(
        context: dg.AssetExecutionContext, postgres: PostgresResource, archive: ArchiveResource
    ) -> dg.MaterializeResult[Any]:
        with dagster_failures(context):
            return release_result(newest_release(source, context, postgres, archive))

    return raw


def newest_release(
    source: Source, context: dg.AssetExecutionContext, postgres: PostgresResource, archive: ArchiveResource
) -> Fetched | None:
    """The newest release of ``source``, fetched if it is new and the run may ask publishers; None: there is no file.

    Raises:
        EduError: it could not be fetched.
    """
    releases = archive.archive()
    if not archive.fetches:
        return newest_fetched(source, releases)
    record = context.instance.get_run_record_by_id(context.run.run_id)
    assert record is not None
    return fetch_if_new(source, settings(), postgres.database(), releases, record.create_timestamp)


def release_result(fetched: Fetched | None) -> dg.MaterializeResult[Any]:
    """The materialization of a raw asset."""
    if fetched is None:
        return dg.MaterializeResult(metadata={"release": "none: there is no file"})
    return dg.MaterializeResult(
        metadata=release_metadata(fetched), data_version=dg.DataVersion(fetched.release.sha256[:12])
    )
