"""Posting alerts to the channels of the settings: for the sensors, and for a run of the command line.

Belongs here: collecting what is red now, and what is fixed. Does not belong here: what an alert says and whether it was
posted before (``monitoring/alerts.py``), when that happens (``automation.py``, ``cli/runs.py``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from edu_pipeline.catalogue import catalogue
from edu_pipeline.checks import failing_checks
from edu_pipeline.database import ledger
from edu_pipeline.database.connection import target
from edu_pipeline.errors import DatabaseUnreachable
from edu_pipeline.monitoring import alerts
from edu_pipeline.monitoring.channels import channels
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive


def post_alerts(causes: Iterable[alerts.Alert]) -> None:
    """Post alerts to every channel, but for those that it already has; if the database is down, to all.

    Raises:
        SettingInvalid: the channels in the settings cannot be used.
    """
    to = channels(settings())
    if not to:
        return
    causes = list(causes)
    try:
        with target(settings()).connect() as connection:
            for alert in causes:
                alerts.send(alert, to, connection)
    except DatabaseUnreachable:
        for alert in causes:
            alerts.send(alert, to, None)


def post_red_checks(steps: Collection[str], job: str) -> None:
    """Post the checks that are red, the columns that files lack, and the causes that are gone.

    Args:
        steps: the steps that the run has made; what failed in one of them earlier is fixed, except a source of which a
            refused file is still published.
        job: the run's job.

    Raises:
        SettingInvalid: the channels in the settings cannot be used.
        DatabaseUnreachable: the server does not answer.
    """
    to = channels(settings())
    if not to:
        return
    database, archive = target(settings()), Archive(settings().archive_root)
    refused = {f"raw__{source.slug}" for source in catalogue().values() if archive.refusals(source.id)}
    with database.connect() as connection:
        failing = failing_checks(connection, database.schema)
        ui_url = settings().ui_url
        current = [alerts.from_check(table, check, text, ui_url) for (table, check), text in failing.items()]
        current += [
            alerts.from_missing_columns(table, load.missing, ui_url)
            for table, load in ledger.newest(connection, database.schema).items()
            if load.missing
        ]
        for alert in current:
            alerts.send(alert, to, connection)
        lasting = [
            cause for cause in alerts.unresolved(connection) if not alerts.is_fixed(cause, {*steps} - refused, job)
        ]
        alerts.resolve(connection, {*lasting, *(alert.cause for alert in current)}, to)
