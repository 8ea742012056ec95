"""Running the asset graph from the command line: the same jobs as in the UI, in this process, with progress.

Belongs here: choosing what runs, the run's configuration, following its events. Does not belong here: the assets and
jobs (``orchestration``), and arguments (``loads.py``).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from edu_pipeline.database import ledger
from edu_pipeline.database.connection import Database
from edu_pipeline.database.migrate import check_current
from edu_pipeline.database.views import views
from edu_pipeline.definitions import defs
from edu_pipeline.errors import EduError, SettingInvalid, StillRefused
from edu_pipeline.loading import operator_file
from edu_pipeline.loading.load import Options
from edu_pipeline.loading.plan import check_holds, sources_to_ask, stale
from edu_pipeline.loading.releases import fetch_new
from edu_pipeline.monitoring import alerts
from edu_pipeline.orchestration.alerting import post_alerts, post_red_checks
from edu_pipeline.orchestration.dagster_internals import run_job
from edu_pipeline.orchestration.failures import LOST, is_of_the_run, lost_storage, run_failure_text, step_failure_text
from edu_pipeline.orchestration.home import home
from edu_pipeline.orchestration.metadata import release_metadata
from edu_pipeline.orchestration.raw_assets import raw_key
from edu_pipeline.orchestration.threaded_executor import in_process_executor
from edu_pipeline.resources import ONE_PROCESS, moment
from edu_pipeline.settings import Settings, settings
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import tables


def rebuild(
    settings: Settings, options: Options, console: Console, *, as_of: str | None, offline: bool
) -> dict[str, str]:
    """Run the job ``full_rebuild``: fill the next schema with everything, then swap it with the live one.

    Args:
        as_of: use the releases that the archive held at this time, a day or a time in ISO 8601; None: the newest.
        offline: use the archive only.

    Returns:
        Asset to failure text; empty if all went well. If anything failed the live schema is unchanged.

    Raises:
        SettingInvalid: a name is not that of a table or view, or ``as_of`` is not a time.
        SourceMissing: the archive had no release at all at that time.
        DatabaseUnreachable: the server does not answer.
    """
    _check_accepted(options)
    if as_of or offline:
        check_holds(Archive(settings.archive_root, moment(as_of) if as_of else None))
    resources = {
        "postgres": {"config": {"rebuild": True}},
        "archive": {"config": {"as_of": as_of, "offline": offline}},
        **_config(options),
    }
    with dagster_instance(settings) as instance:
        return _execute(instance, "full_rebuild", None, resources, console)


def is_filled(database: Database) -> bool:
    """Whether anything was ever loaded into the target schema.

    Raises:
        SchemaMissing: the database was never migrated.
        MigrationInvalid: it is older or newer than this program.
        DatabaseUnreachable: the server does not answer.
    """
    with database.connect() as connection:
        check_current(connection, database.schema)
        return bool(ledger.newest(connection, database.schema))


def refresh(
    settings: Settings, database: Database, names: Iterable[str] | None, options: Options, console: Console
) -> dict[str, str]:
    """Fetch new releases, then load what is out of date.

    Args:
        names: tables or views to refresh, together with what depends on them; None: all.
        options: with ``force``, load even what has not changed.

    Returns:
        Source or asset to failure text; empty if all went well.

    Raises:
        SettingInvalid: a name is not that of a table or view.
        SchemaMissing: the database was never migrated.
        MigrationInvalid: it is older or newer than this program.
        DatabaseUnreachable: the server does not answer.
    """
    known = {*tables(), *views()}
    _check_names(names or [], known)
    _check_accepted(options)
    with database.connect() as connection:
        check_current(connection, database.schema)
    archive = Archive(settings.archive_root)
    by_name = names is not None
    asked = sources_to_ask(names)
    new = fetch_new(asked, settings, database, archive, by_name=by_name, again=options.force)
    for note in new.notes:
        console.print(note, markup=False, style="yellow", soft_wrap=True)
    chosen = stale(database, archive, names) | options.accept_shrink | options.accept_red
    if options.force:
        chosen |= {name for name in names or known if new.unfed.isdisjoint(_sources(name))}
    console.print(f"new releases: {len(new.fetched)}; tables and views to bring up to date: {len(chosen)}")
    step_of = {source: raw_key(source).to_user_string().replace("/", "__", 1) for source in asked}
    fetched_well = {step_of[source] for source in asked if source not in new.failures}
    if new.failures or not chosen:
        failed = {
            raw_key(source).to_user_string(): text
            for source, text in new.failures.items()
            if not text.startswith(StillRefused.__name__)  # which was alerted when it was refused
        }
        _alert("daily_refresh", failed, "", fetched_well, console)
    if not chosen and not new.fetched:
        return new.failures
    with dagster_instance(settings) as instance:
        for source, fetched in new.fetched.items():
            instance.report_runless_asset_event(
                dg.AssetMaterialization(raw_key(source), metadata=release_metadata(fetched))
            )
        if not chosen:
            return new.failures
        failures = _execute(instance, "daily_refresh", sorted(chosen), _config(options), console, fetched_well)
        return new.failures | failures


def load_file(
    settings: Settings, database: Database, name: str, path: Path, options: Options, console: Console
) -> dict[str, str]:
    """Load a table from a file with the table's own columns, and bring up to date what depends on it.

    Returns:
        Asset to failure text; empty if all went well.

    Raises:
        SettingInvalid: there is no table of that name.
        FileInvalid: the file does not exist or is empty.
        SchemaMissing: the database was never migrated.
        MigrationInvalid: it is older or newer than this program.
        DatabaseUnreachable: the server does not answer.
    """
    _check_names([name], tables())
    _check_accepted(options)
    with database.connect() as connection:
        check_current(connection, database.schema)
        loaded = ledger.newest(connection, database.schema)
        invented = bool(ledger.is_invented(connection, database.schema))
    operator_file.keep(path, tables()[name], Archive(settings.archive_root), invented=invented)
    chosen = {name}
    for other, table in tables().items():
        if other in loaded and not chosen.isdisjoint(table.tables):
            chosen.add(other)
    chosen |= {other for other, view in views().items() if other in loaded and not chosen.isdisjoint(view.inputs)}
    with dagster_instance(settings) as instance:
        return _execute(instance, "daily_refresh", sorted(chosen), _config(options, from_files=[name]), console)


def _config(options: Options, **more: list[str]) -> dict[str, Any]:
    """The options as a run's configuration."""
    accepted = {"accept_shrink": sorted(options.accept_shrink), "accept_red": sorted(options.accept_red)}
    return {"run_options": {"config": {"force": options.force, **accepted, **more}}}


@contextmanager
def dagster_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """Dagster's instance, with the home that the settings give it.

    Raises:
        DatabaseUnreachable: the server of Dagster's storage went away.
        DiskFull: it has no space left.
    """
    os.environ["DAGSTER_HOME"] = home(settings)
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    except LOST as error:
        raise lost_storage(error) from error


def _execute(
    instance: dg.DagsterInstance,
    job_name: str,
    names: list[str] | None,
    resources: Mapping[str, Any],
    console: Console,
    steps_before: Collection[str] = (),
) -> dict[str, str]:
    """Run the assets ``names`` of a job (None: all) in this process, and alert; asset to failure text.

    Args:
        steps_before: steps that were made before the run, for the alerts.
    """
    job = defs.resolve_job_def(job_name).with_executor_def(in_process_executor)
    selection = frozenset(map(dg.AssetKey, names)) if names is not None else None
    steps = len(selection or list(job.asset_layer.executable_asset_keys))
    with _progress(console) as progress:
        follower = _Follower(job_name, progress, steps)
        run_id = run_job(
            job,
            instance,
            follower.follow,
            run_config={
                "resources": resources,
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            tags={"edu_pipeline/started_by": "command line", ONE_PROCESS: "1"},
            asset_selection=selection,
        )
    steps_made = {stats.step_key for stats in instance.get_run_step_stats(run_id)}
    _alert(job_name, follower.failures, run_id, {*steps_made, *steps_before}, console)
    return follower.failures


def _alert(job: str, failures: Mapping[str, str], run_id: str, steps: Collection[str], console: Console) -> None:
    """Alert of what failed, as the sensors do after a run that the daemon has started; else of what is red or fixed.

    An alert that cannot be sent does not hide the failure that it is about.

    Args:
        failures: asset, or the job, to failure text.
        run_id: empty if it failed before there was a run.
        steps: the steps that the run has made.
    """
    ui = settings().ui_url if run_id else None
    try:
        if failures:
            post_alerts(
                alerts.from_run(None if name == job else name, job, text, run_id, ui) for name, text in failures.items()
            )
        else:
            post_red_checks(steps, job)
    except EduError as error:
        console.print(f"nobody was alerted: {error}", markup=False, style="yellow", soft_wrap=True)


class _Follower:
    """Shows the events of a run as they come, and collects its failures.

    Attributes:
        failures: asset, or the job, to failure text.
    """

    def __init__(self, job_name: str, progress: Progress, steps: int) -> None:
        self.job_name, self.progress = job_name, progress
        self.task = progress.add_task("", total=steps)
        self.failures: dict[str, str] = {}

    def follow(self, entry: dg.EventLogEntry) -> None:
        """Show an event."""
        event = entry.dagster_event
        if event is None:
            if int(entry.level) >= logging.WARNING:
                self.progress.console.print(entry.user_message, markup=False, style="yellow", soft_wrap=True)
            return
        if event.event_type == dg.DagsterEventType.RUN_FAILURE and (not self.failures or is_of_the_run(event)):
            self.failures[self.job_name] = run_failure_text(event)
        if event.step_key is not None:
            self._follow_step(event, event.step_key.replace("__", "/", 1))

    def _follow_step(self, event: dg.DagsterEvent, name: str) -> None:
        if event.is_step_materialization and name in {*tables(), *views()}:
            outcome = _outcome(event.step_materialization_data.materialization.metadata)
            self.progress.console.print(f"{name}: {outcome}", markup=False, soft_wrap=True)
        elif event.is_step_start:
            self.progress.update(self.task, description=name)
        elif event.is_step_failure:
            self.failures[name] = step_failure_text(event)
            self.progress.console.print(f"[red]failed[/red] {name}")
        if event.is_step_success or event.is_step_failure or event.is_step_skipped:
            self.progress.advance(self.task)


def _outcome(metadata: Mapping[str, dg.MetadataValue[Any]]) -> str:
    """What became of a table or a view, in one line, from the metadata of its materialization."""
    value = {name: entry.value for name, entry in metadata.items()}
    if "waits" in value:
        return str(value["waits"])
    changes = ("added", "changed", "removed", "refused")
    counts = [f"{value[f'rows_{change}']:,} {change}" for change in changes if value.get(f"rows_{change}")]
    return ", ".join([f"{value['dagster/row_count']:,} rows", *counts])


def _sources(name: str) -> list[str]:
    """The sources that a table reads; none for a view."""
    return tables()[name].sources if name in tables() else []


def _check_accepted(options: Options) -> None:
    """Check the names given with --accept-shrink and --accept-red."""
    _check_names([*options.accept_shrink, *options.accept_red], {*tables(), *views()})


def _check_names(names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            kind = "table" if views().keys().isdisjoint(known) else "table or view"
            raise SettingInvalid(
                "argument TABLE",
                f"expected the name of a {kind} that has an asset, found {name!r}.",
                f"Choose from: {', '.join(sorted(known))}.",
            )


def _progress(console: Console) -> Progress:
    columns = [
        SpinnerColumn(),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
    ]
    return Progress(*columns, console=console, transient=not console.is_terminal)
