"""Dagster's own state: the folder that is its home, and the schema of the target database that has its tables.

Belongs here: what ``dagster.yaml`` cannot say by itself. Does not belong here: the definitions.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from dagster._serdes import ConfigurableClassData
from dagster_postgres import DagsterPostgresStorage
from psycopg import sql

from edu_pipeline.database import target
from edu_pipeline.settings import PROJECT, Settings, settings

SCHEMA = "dagster"

OPTIONS = f"options=-csearch_path%3D{SCHEMA}%20-csynchronous_commit%3Doff"
"""Events are committed without waiting for the disk: some ten a step, they would cost more than the work; the
ledger's commits wait."""


STATEMENT_SECONDS = 60
"""How long a statement of Dagster's own may take."""


class Storage(DagsterPostgresStorage):
    """Dagster's runs, events and schedules, where the settings say: no URL stands in ``dagster.yaml`` or in the UI.

    Its connections are kept open: Dagster otherwise makes a new one for every event, which takes longer than the event.
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
        return storage


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
