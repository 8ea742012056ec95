"""What runs by itself: the sensor of new releases, the daily refresh, the hourly look at everything, alerts.

Belongs here: when something runs, which assets, who is told. Does not belong here: how many runs at a time, retries,
watching over runs (`dagster.yaml`); asking publishers (``sources/probe.py``); what an alert says (``alerts.py``).
"""

from __future__ import annotations

import hashlib
import json

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job

from edu_pipeline.checks import failing_checks
from edu_pipeline.database.connection import target
from edu_pipeline.loading.lineage import downstream_of
from edu_pipeline.loading.releases import ask_publishers
from edu_pipeline.monitoring import alerts
from edu_pipeline.orchestration.assets import raw_key
from edu_pipeline.orchestration.failures import run_failure_text, step_failure_text
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive

PARIS = "Europe/Paris"

ALERT_SECONDS = min(30, settings().probe_seconds)
"""Between two looks for runs that have ended: Dagster's own, and no longer than between two looks at the publishers."""

NO_WEBHOOK = "EDU_ALERT_WEBHOOK is not set: nobody is told"


def release_sensor(job: Job) -> dg.SensorDefinition:
    """The sensor that turns new releases into one run of ``job``: their sources, and all that hangs on these, once."""

    @dg.sensor(
        name="new_releases",
        job=job,
        minimum_interval_seconds=settings().probe_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Asks every publisher by one small request whether there is a new release.",
    )
    def new_releases(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        found = ask_publishers(settings(), target(settings()), Archive(settings().archive_root))
        cursor = json.loads(context.cursor or '{"runs": 0, "versions": {}}')
        requested: dict[str, str] = cursor["versions"]
        for source, probed in found.items():
            if probed.error:
                context.log.warning(f"{source}: {probed.error}")
        new = {
            source: hashlib.sha256(probed.version.encode()).hexdigest()[:16]
            for source, probed in found.items()
            if probed.changed
        }
        new = {source: version for source, version in new.items() if requested.get(source) != version}
        if not new:
            return dg.SkipReason(f"{len(found)} sources asked, none has a new release")
        # numbered: a version that was there before, and is again, is to have a run of its own
        cursor = json.dumps({"runs": cursor["runs"] + 1, "versions": requested | new})
        run = dg.RunRequest(
            run_key=hashlib.sha256(cursor.encode()).hexdigest()[:16],
            asset_selection=[*map(raw_key, new), *map(dg.AssetKey, downstream_of(new))],
            tags={"edu_pipeline/started_by": "new release", "edu_pipeline/releases": ", ".join(new)[:200]},
        )
        return dg.SensorResult(run_requests=[run], cursor=cursor)

    return new_releases


def nightly(job: Job) -> dg.ScheduleDefinition:
    """Every night: ask all publishers, load what is new, also what a run before failed to load."""
    return dg.ScheduleDefinition(
        name="every_night",
        job=job,
        cron_schedule="0 2 * * *",
        execution_timezone=PARIS,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="What has a new release, and what hangs on it; also what could not be loaded before.",
    )


def hourly(job: Job) -> dg.ScheduleDefinition:
    """Every hour: look at how fresh everything is."""
    return dg.ScheduleDefinition(
        name="every_hour",
        job=job,
        cron_schedule="5 * * * *",
        execution_timezone=PARIS,
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The asset data_freshness, which shows the state of every source and every table.",
    )


@dg.run_failure_sensor(
    name="failed_runs",
    minimum_interval_seconds=ALERT_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts the failure text of every failed step to the webhook, once per cause.",
)
def failed_runs(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Tell the webhook why a run failed."""
    webhook, ui = settings().alert_webhook, settings().ui_url
    if webhook is None:
        return dg.SkipReason(NO_WEBHOOK)
    run = context.dagster_run
    found = {str(event.step_key): step_failure_text(event) for event in context.get_step_failure_events()}
    causes = [alerts.from_run(step, run.job_name, text, run.run_id, ui) for step, text in found.items()]
    if not causes:
        causes = [alerts.from_run(None, run.job_name, run_failure_text(context.failure_event), run.run_id, ui)]
    with target(settings()).connect() as connection:
        for alert in causes:
            alerts.send(alert, webhook, connection)
    return None


@dg.run_status_sensor(
    name="red_checks",
    minimum_interval_seconds=ALERT_SECONDS,
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="After every run: posts the checks that are red to the webhook, once per cause, and what is mended.",
)
def red_checks(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
    """Tell the webhook which checks have turned red, and which causes are gone."""
    webhook, ui = settings().alert_webhook, settings().ui_url
    if webhook is None:
        return dg.SkipReason(NO_WEBHOOK)
    run = context.dagster_run
    steps = {stats.step_key for stats in context.instance.get_run_step_stats(run.run_id)}
    database = target(settings())
    with database.connect() as connection:
        found = failing_checks(connection, database.schema)
        red = [alerts.from_check(table, name, text, ui) for (table, name), text in found.items()]
        for alert in red:
            alerts.send(alert, webhook, connection)
        lasting = [cause for cause in alerts.unresolved(connection) if not alerts.is_fixed(cause, steps, run.job_name)]
        alerts.resolve(connection, {*lasting, *(alert.cause for alert in red)}, webhook)
    return None
