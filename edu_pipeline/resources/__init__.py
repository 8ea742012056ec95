"""The Dagster resources: the target database, the archive and its publishers, and an operator's options for a run.

Belongs here: from a run's configuration to the project's own objects, and the locks that a run holds. Does not belong
here: the database (``database/connection.py``), the archive (``sources/archive.py``), loads (package ``loading``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import date, datetime, timedelta
from typing import Any

import dagster as dg
from pydantic import Field

from edu_pipeline.database import locks
from edu_pipeline.database.connection import Database, target
from edu_pipeline.database.migrate import check_current
from edu_pipeline.errors import SettingInvalid
from edu_pipeline.loading.load import Options
from edu_pipeline.operations import rebuild_claim
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive

ONE_PROCESS = "edu_pipeline/one_process"
"""Tag of the runs whose steps all run in the process that started them, whatever EDU_EXECUTOR says."""


class PostgresResource(dg.ConfigurableResource[Any]):
    """The target database and its schema. Both come from the settings, so that the UI shows no URL.

    Attributes:
        rebuild: whether the run fills the next schema, as a full rebuild does, instead of the live one.
    """

    rebuild: bool = False

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[PostgresResource]:
        """Hold the run's locks for as long as its steps run: the claim of a rebuild, the one by which others see that
        the run is alive, the one that lets only one run load at a time, and the one that keeps the archive from being
        pruned.

        A run that loads into the live schema needs one that is neither older nor newer than this program.

        With an executor that has a process per step, only Dagster's queue keeps runs apart (`dagster.yaml`).
        """
        tags = context.run.tags if context.run else {}
        is_one_process = settings().executor == "in_process" or ONE_PROCESS in tags
        with ExitStack() as stack:
            if context.run and not self.rebuild:
                with target(settings()).connect() as connection:
                    check_current(connection, target(settings()).schema)
            in_use = stack.enter_context(target(settings()).connect())
            stack.enter_context(locks.archive_in_use(in_use))
            if self.rebuild and context.run:
                stack.enter_context(rebuild_claim.claim(self.database(), context.run.run_id, is_one_process))
            if is_one_process and context.run:
                connection = stack.enter_context(target(settings()).connect())
                stack.enter_context(locks.run_alive(connection, context.run.run_id))
            if is_one_process:
                patience = timedelta(minutes=settings().wait_minutes)
                stack.enter_context(locks.one_run(target(settings()), lambda text: self._warn(context, text), patience))
            yield self

    @staticmethod
    def _warn(context: dg.InitResourceContext, text: str) -> None:
        if context.log:
            context.log.warning(text)

    def database(self) -> Database:
        """The target database, with the schema that this run writes."""
        return target(settings()).next if self.rebuild else target(settings())


class ArchiveResource(dg.ConfigurableResource[Any]):
    """The archive of releases.

    Attributes:
        as_of: use the newest releases that the archive had at that day or time (ISO 8601); None: the newest of all.
        offline: whether no publisher is asked. With ``as_of`` none is asked either.
    """

    as_of: str | None = None
    offline: bool = False

    def archive(self) -> Archive:
        """The archive.

        Raises:
            SettingInvalid: ``as_of`` is neither a day nor a time.
        """
        return Archive(settings().archive_root, moment(self.as_of) if self.as_of else None)

    @property
    def fetches(self) -> bool:
        """Whether publishers are asked."""
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
            "Write it in that form.",
        ) from error


class RunOptions(dg.ConfigurableResource[Any]):
    """An operator's options for a run, set in the launchpad or on the command line.

    Attributes:
        force: load tables even if neither their releases nor their code have changed.
        accept_shrink: tables that may lose more rows than they tolerate, in this run.
        accept_red: tables and views whose checks may turn red, in this run.
        from_files: tables to load from the newest file that an operator has supplied for them (`edu-pipeline load`).
    """

    force: bool = False
    accept_shrink: list[str] = Field(default_factory=list)
    accept_red: list[str] = Field(default_factory=list)
    from_files: list[str] = Field(default_factory=list)

    def options(self) -> Options:
        """The options of a load."""
        return Options(self.force, frozenset(self.accept_shrink), frozenset(self.accept_red))
