"""Dagster's own state: the schema of the target database that has its tables, and whether its runs are alive.

Belongs here: what ``dagster.yaml`` refers to and cannot express. Does not belong here: the folder of that file
(``home.py``), the definitions.
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from dagster import DagsterRun, DefaultRunLauncher
from dagster_postgres import DagsterPostgresStorage
from psycopg import sql

from edu_pipeline.database.connection import Database, target
from edu_pipeline.database.locks import is_run_alive
from edu_pipeline.orchestration.dagster_internals import CheckRunHealthResult, EventLog, WorkerStatus, reuse_connections
from edu_pipeline.orchestration.event_batches import EventBatches
from edu_pipeline.settings import Settings, settings

SCHEMA = "dagster"

OPTIONS = f"options=-csearch_path%3D{SCHEMA}%20-csynchronous_commit%3Doff%20-cjit%3Doff"
"""Events are committed without waiting for the disk: with some ten per step, that would take longer than the work. The
ledger's commits do wait. Compiling one of Dagster's queries takes longer than the query."""

HEALTH_CHECKS, HEALTH_CHECK_INTERVAL = 3, 5.0
"""How many times in a row a run's process must be missing before it counts as gone, and the seconds in between."""

STATEMENT_SECONDS = 60
"""How long a statement of Dagster's own may take."""


class Storage(DagsterPostgresStorage):
    """Dagster's runs, events and schedules, where the settings say: no URL is in ``dagster.yaml`` or in the UI."""

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """No configuration."""
        return {}

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> Storage:
        """The storage that the settings name; its schema is created if it does not exist.

        Raises:
            DatabaseUnreachable: the server does not answer.
        """
        storage = cls(inst_data=inst_data, postgres_url=_url(settings()))
        reuse_connections(storage, STATEMENT_SECONDS)
        log = EventLog(storage)
        log.replace_store(EventBatches(log).store_event)
        return storage


class Launcher(DefaultRunLauncher):
    """Dagster's launcher, which can also say whether the process of a run is alive, wherever it was started.

    The process of a run holds a lock in the database (``resources``) for as long as it lives. With an executor that
    has a process per step nobody holds it; such a run is ended only by its maximum runtime (`dagster.yaml`).
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Yes."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the process is alive. Checked several times: a run holds no lock as it begins and as it ends."""
        if settings().executor != "in_process":
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        for attempt in range(HEALTH_CHECKS):
            time.sleep(HEALTH_CHECK_INTERVAL if attempt else 0)
            with target(settings()).connect() as connection:
                if is_run_alive(connection, run.run_id):
                    return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "The process of the run is gone.")


def _url(settings: Settings) -> str:
    """The storage's URL for psycopg 2, which is what dagster-postgres uses; SQLAlchemy's own default is psycopg 3.

    Raises:
        DatabaseUnreachable: the server does not answer.
    """
    if settings.dagster_url:
        database, options = Database(settings.dagster_url.get_secret_value(), SCHEMA), ""
    else:
        database, options = target(settings), OPTIONS
    with database.connect() as connection:
        if not settings.dagster_url:
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(SCHEMA)))
    parts = urlsplit(database.url)
    query = "&".join(filter(None, [parts.query, options]))
    return urlunsplit(("postgresql+psycopg2", parts.netloc, parts.path, query, ""))
