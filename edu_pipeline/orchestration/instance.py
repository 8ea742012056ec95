"""Dagster's own state: the folder that is its home, and the schema of the target database that has its tables.

Belongs here: what ``dagster.yaml`` cannot say by itself. Does not belong here: the definitions.
"""

from __future__ import annotations

import os
import time
from functools import cache
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from psycopg import sql

from edu_pipeline.database.connection import target
from edu_pipeline.database.locks import is_run_alive
from edu_pipeline.settings import PROJECT, Settings, settings

SCHEMA = "dagster"

OPTIONS = f"options=-csearch_path%3D{SCHEMA}%20-csynchronous_commit%3Doff"
"""Events are committed without waiting for the disk: some ten a step, they would cost more than the work; the
ledger's commits wait."""


LOOKS, BETWEEN_LOOKS = 3, 5.0
"""How often a run's process is looked for before it counts as gone, and the seconds between."""

STATEMENT_SECONDS = 60
"""How long a statement of Dagster's own may take."""


class Storage(DagsterPostgresStorage):
    """Dagster's runs, events and schedules, where the settings say: no URL stands in ``dagster.yaml`` or in the UI.

    Its connections are kept open: Dagster otherwise makes a new one for every event, which takes longer than the event.
    Which tables and columns there are is asked once, not at every event: the storage has just made them.
    """

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No configuration."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Storage:
        """The storage that the settings name; its schema is made if it is missing.

        Raises:
            DatabaseUnreachable: the server does not answer.
        """
        storage = cls(inst_data=inst_data, postgres_url=_url(settings()))
        for part in (storage.run_storage, storage.event_log_storage, storage.schedule_storage):
            part.optimize_for_webserver(STATEMENT_SECONDS * 1000, pool_recycle=3600, max_overflow=20)
        events: Any = storage.event_log_storage
        events.has_table, events.has_asset_key_col = cache(events.has_table), cache(events.has_asset_key_col)
        return storage


class Launcher(DefaultRunLauncher):
    """Dagster's launcher, which can also tell whether the process of a run lives, wherever it was started.

    A run shows it by a lock in the database (``resources``), which goes with its process. With an executor that has a
    process per step there is none: then only the run's longest time ends it (`dagster.yaml`).
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the process lives; looked for several times, since a run begins and ends without the lock."""
        if settings().executor != "in_process":
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        for look in range(LOOKS):
            time.sleep(BETWEEN_LOOKS if look else 0)
            with target(settings()).connect() as connection:
                if is_run_alive(connection, run.run_id):
                    return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "The process of the run is gone.")


def _url(settings: Settings) -> str:
    """The storage's URL for psycopg 2, which is what dagster-postgres speaks."""
    if settings.dagster_url:
        return settings.dagster_url
    database = target(settings)
    with database.connect() as connection:
        connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
    parts = urlsplit(database.url)
    query = "&".join(filter(None, [parts.query, OPTIONS]))
    return urlunsplit(("postgresql+psycopg2", parts.netloc, parts.path, query, ""))


def home(settings: Settings) -> str:
    """The folder for DAGSTER_HOME, unless it is set already: ``.local/dagster``, with the project's dagster.yaml."""
    if "DAGSTER_HOME" in os.environ:
        return os.environ["DAGSTER_HOME"]
    folder = settings.local / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "dagster.yaml"
    if not link.exists():
        link.unlink(missing_ok=True)
        link.symlink_to(PROJECT / "dagster.yaml")
    return str(folder)
