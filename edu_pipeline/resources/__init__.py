"""The Dagster resources: the target database, the archive and the publishers, and what a run is asked to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime
from typing import Any

import dagster as dg
from pydantic import Field

from edu_pipeline.database import locks
from edu_pipeline.database.connection import Database, target
from edu_pipeline.errors import SettingInvalid
from edu_pipeline.loading.load import Options
from edu_pipeline.operations import rebuild_claim
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive


class PostgresResource(dg.ConfigurableResource[Any]):
    """The target database and its schema; both come from the settings, so that no URL shows in the UI.

    Attributes:
        rebuild: whether the run builds a schema beside the live one, as a full rebuild does.
    """

    rebuild: bool = False

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[PostgresResource]:
        """Hold the claim of a rebuild while its steps run, show that the run lives, and let no two load at one time.

        With an executor that has a process per step the second is left to Dagster's queue (`dagster.yaml`).
        """
        one_process = settings().executor == "in_process"
        with ExitStack() as stack:
            if self.rebuild and context.run:
                stack.enter_context(rebuild_claim.claim(self.database(), context.run.run_id, one_process))
            if one_process and context.run:
                connection = stack.enter_context(target(settings()).connect())
                stack.enter_context(locks.run_alive(connection, context.run.run_id))
            if one_process:
                stack.enter_context(locks.one_run(target(settings()), lambda text: self._log(context, text)))
            yield self

    @staticmethod
    def _log(context: dg.InitResourceContext, text: str) -> None:
        if context.log:
            context.log.warning(text)

    def database(self) -> Database:
        """The target database, with the schema that this run writes."""
        return target(settings()).next if self.rebuild else target(settings())


class ArchiveResource(dg.ConfigurableResource[Any]):
    """The archive of releases.

    Attributes:
        as_of: the releases that it held then (a day or a time, ISO 8601); None: the newest.
        offline: whether the publishers are left alone; so they are with ``as_of``.
    """

    as_of: str | None = None
    offline: bool = False

    def archive(self) -> Archive:
        """The archive.

        Raises:
            SettingInvalid: ``as_of`` is no day and no time.
        """
        return Archive(settings().archive_root, moment(self.as_of) if self.as_of else None)

    @property
    def fetches(self) -> bool:
        """Whether the publishers are asked."""
        return not self.offline and self.as_of is None


def moment(text: str) -> date | datetime:
    """A day or a time, from ISO 8601.

    Raises:
        SettingInvalid: it is neither.
    """
    try:
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError as error:
        raise SettingInvalid(
            "as_of",
            f"expected a day or a time such as 2026-05-01 or 2026-05-01T14:00, found {text!r}.",
            "Write it so.",
        ) from error


class RunOptions(dg.ConfigurableResource[Any]):
    """What an operator asks of a run; set in the launchpad, or by the command line.

    Attributes:
        force: load tables although neither releases nor code have changed.
        accept_shrink: tables that may lose more rows than they tolerate, in this run.
        accept_red: tables and views whose checks may turn red, in this run.
        from_files: tables that are loaded from the newest file which an operator has given (`edu-pipeline load`).
    """

    force: bool = False
    accept_shrink: list[str] = Field(default_factory=list)
    accept_red: list[str] = Field(default_factory=list)
    from_files: list[str] = Field(default_factory=list)

    def options(self) -> Options:
        """The options in the form that a load takes."""
        return Options(self.force, frozenset(self.accept_shrink), frozenset(self.accept_red))
