"""What runs without being asked: the sensor of new releases, the schedules, the alerts.

Belongs here: when something runs, of which assets, and who is alerted. Does not belong here: how many runs at a time,
retries of runs, runs whose process died (`dagster.yaml`); asking publishers (``sources/probe.py``); what an alert says
(``monitoring/alerts.py``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping

import dagster as dg

from edu_pipeline.catalogue import catalogue
from edu_pipeline.database.connection import target
from edu_pipeline.errors import PublisherUnavailable
from edu_pipeline.loading.lineage import downstream_of
from edu_pipeline.loading.releases import ask_publishers
from edu_pipeline.loading.source_check import check_sources
from edu_pipeline.monitoring import alerts
from edu_pipeline.monitoring.channels import channels
from edu_pipeline.orchestration import exports
from edu_pipeline.orchestration.alerting import post_alerts, post_red_checks
from edu_pipeline.orchestration.failures import run_failure_text, step_failure_text
from edu_pipeline.orchestration.jobs import daily_refresh, freshness
from edu_pipeline.orchestration.probes import probe_errors
from edu_pipeline.orchestration.raw_assets import raw_key
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive
from edu_pipeline.sources.probe import Probed

PARIS = "Europe/Paris"

ALERT_SECONDS = min(30, settings().probe_seconds)
"""How often the sensors look for runs that have ended: as often as Dagster does by default, or as often as publishers
are asked, if that is more often."""

CHECK_SECONDS = 20.0
"""How long the sensor's check of a new release may take; Dagster ends a tick after 60 s."""

NOTHING_REQUESTED = '{"runs": 0, "versions": {}}'
"""The cursor before the first run."""

NOBODY = "neither EDU_ALERT_URLS, EDU_ALERT_CONFIG nor EDU_ALERT_WEBHOOK is set: nobody is alerted"

nightly = dg.ScheduleDefinition(
    name="every_night",
    job=daily_refresh,
    cron_schedule="0 2 * * *",
    execution_timezone=PARIS,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Loads everything with a new release and whatever depends on it, and what an earlier run failed to "
    "load.",
)

hourly = dg.ScheduleDefinition(
    name="every_hour",
    job=freshness,
    cron_schedule="5 * * * *",
    execution_timezone=PARIS,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Materializes data_freshness, the dashboard of all sources and tables.",
)


@dg.sensor(
    name="new_releases",
    job=daily_refresh,
    minimum_interval_seconds=settings().probe_seconds,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Asks every publisher by one small request whether there is a new release, and checks the beginning of "
    "a new one: if a load would stop, it is not requested.",
)
def release_sensor(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    """Request one run for all new releases: of their sources, and of whatever depends on them."""
    archive = Archive(settings().archive_root)
    answers = ask_publishers(settings(), target(settings()), archive)
    refused = would_stop(new_versions(answers, context.cursor), archive)
    for text in [*probe_errors(answers), *refused.values()]:
        context.log.warning(text)
    alert_of_checks(refused)
    return release_request(
        {source: answer for source, answer in answers.items() if source not in refused}, context.cursor
    )


def would_stop(sources: Iterable[str], archive: Archive) -> dict[str, str]:
    """Source to why a load of its new release would stop; such a source is not requested, and checked again."""
    checks = check_sources(
        [catalogue()[source] for source in sources], archive, settings().upstream, seconds=CHECK_SECONDS
    )
    return {check.source: "\n".join(check.stops) for check in checks if check.stops}


def alert_of_checks(refused: Mapping[str, str]) -> None:
    """Post why new releases are not requested; a publisher that does not answer may do so at the next tick."""
    ui = settings().ui_url
    causes = [
        alerts.from_check(raw_key(source).to_user_string(), "source", text, ui)
        for source, text in refused.items()
        if not text.startswith(PublisherUnavailable.__name__)
    ]
    if causes:
        post_alerts(causes)


def new_versions(answers: Mapping[str, Probed], cursor: str | None) -> dict[str, str]:
    """The sources with a new release that no run was requested for yet, each with its version."""
    requested = json.loads(cursor or NOTHING_REQUESTED)["versions"]
    versions = {source: _digest(answer.version) for source, answer in answers.items() if answer.changed}
    return {source: version for source, version in versions.items() if requested.get(source) != version}


def release_request(answers: Mapping[str, Probed], cursor: str | None) -> dg.SensorResult | dg.SkipReason:
    """The run for the new releases that no run was requested for yet.

    Args:
        answers: source to what its publisher shows.
        cursor: what earlier ticks requested: the number of runs, and the version of each source.
    """
    requested, new = json.loads(cursor or NOTHING_REQUESTED), new_versions(answers, cursor)
    if not new:
        return dg.SkipReason(f"{len(answers)} sources asked: no new release")
    # The number makes the key of every run different: a version may be withdrawn, published again, and needs a new run.
    cursor = json.dumps({"runs": requested["runs"] + 1, "versions": requested["versions"] | new})
    request = dg.RunRequest(
        run_key=_digest(cursor),
        asset_selection=[*map(raw_key, new), *map(dg.AssetKey, downstream_of(new)), *after_loads()],
        tags={"edu_pipeline/started_by": "new release", "edu_pipeline/releases": ", ".join(new)[:200]},
    )
    return dg.SensorResult(run_requests=[request], cursor=cursor)


def after_loads() -> list[dg.AssetKey]:
    """What a run materializes when everything is loaded."""
    return [exports.KEY] if settings().exports else []


@dg.run_failure_sensor(
    name="failed_runs",
    minimum_interval_seconds=ALERT_SECONDS,
    monitor_all_code_locations=True,  # else a run that `dagster job execute` or the command line started is left out
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Posts the failure text of every failed step, once per cause.",
)
def failed_runs(context: dg.RunFailureSensorContext) -> dg.SkipReason | None:
    """Post why a run failed."""
    if not channels(settings()):
        return dg.SkipReason(NOBODY)
    post_alerts(failure_alerts(context))
    return None


def failure_alerts(context: dg.RunFailureSensorContext) -> list[alerts.Alert]:
    """One alert per failed step of a run; if no step failed, one for the run."""
    run, ui = context.dagster_run, settings().ui_url
    texts: dict[str | None, str] = {
        str(event.step_key): step_failure_text(event) for event in context.get_step_failure_events()
    }
    texts = texts or {None: run_failure_text(context.failure_event)}
    return [alerts.from_run(step, run.job_name, text, run.run_id, ui) for step, text in texts.items()]


@dg.run_status_sensor(
    name="red_checks",
    minimum_interval_seconds=ALERT_SECONDS,
    monitor_all_code_locations=True,  # else a run that `dagster job execute` or the command line started is left out
    run_status=dg.DagsterRunStatus.SUCCESS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="After every run: posts the checks that are red, once per cause, and what is fixed.",
)
def red_checks(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
    """Post which checks have turned red, and which causes are gone."""
    if not channels(settings()):
        return dg.SkipReason(NOBODY)
    run = context.dagster_run
    steps = {stats.step_key for stats in context.instance.get_run_step_stats(run.run_id)}
    post_red_checks(steps, run.job_name)
    return None


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
