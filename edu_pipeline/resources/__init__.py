"""The Dagster resources: the target database, the archive and the publishers, and what a run is asked to do."""

from __future__ import annotations

from typing import Any

import dagster as dg
from pydantic import Field

from edu_pipeline.database import Database, target
from edu_pipeline.load import Options
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive


class PostgresResource(dg.ConfigurableResource[Any]):
    """The target database and its schema; both come from the settings, so that no URL shows in the UI."""

    def database(self) -> Database:
        """The target database."""
        return target(settings())


class ArchiveResource(dg.ConfigurableResource[Any]):
    """The archive of releases."""

    def archive(self) -> Archive:
        """The archive."""
        return Archive(settings().archive_root)


class RunOptions(dg.ConfigurableResource[Any]):
    """What an operator asks of a run; set in the launchpad, or by the command line.

    Attributes:
        force: load tables although neither releases nor code have changed.
        accept_shrink: tables that may lose more rows than they tolerate, in this run.
    """

    force: bool = False
    accept_shrink: list[str] = Field(default_factory=list)

    def options(self) -> Options:
        """The options in the form that a load takes."""
        return Options(force=self.force, accept_shrink=frozenset(self.accept_shrink))
