"""The weekly job that prunes: the archive, the ledger, and Dagster's own storage.

Belongs here: how Dagster declares and runs it, with the command line's own two steps. Does not belong here: what is
pruned (``operations/prune.py``, ``retention.py``).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg

from edu_pipeline.database.connection import target
from edu_pipeline.operations.prune import Keep, Pruned, prune
from edu_pipeline.orchestration.automation import PARIS
from edu_pipeline.orchestration.failures import dagster_failures
from edu_pipeline.orchestration.jobs import LOADS
from edu_pipeline.orchestration.retention import Forgotten, forget
from edu_pipeline.settings import Settings, settings
from edu_pipeline.sources.archive import Archive


@dataclass(frozen=True)
class Outcome:
    """What was removed, or would be: of archive and ledger, and of Dagster's storage."""

    pruned: Pruned
    forgotten: Forgotten

    def counts(self) -> dict[str, int]:
        """How much of each kind."""
        return {
            "releases": self.pruned.releases,
            "bytes of the archive": self.pruned.bytes,
            "failed loads": self.pruned.failed_loads,
            "refused rows": self.pruned.refused_rows,
            "runs of Dagster": self.forgotten.runs,
            "events without a run": self.forgotten.events,
            "results of checks": self.forgotten.results,
            "ticks": self.forgotten.ticks,
        }


def prune_all(settings: Settings, instance: dg.DagsterInstance, now: datetime, *, dry_run: bool = False) -> Outcome:
    """Remove everything that the settings do not keep.

    Args:
        now: the present, with a zone.
        dry_run: only say what would be removed.

    Raises:
        EduError: see ``operations.prune.prune``.
    """
    keep, patience = Keep.of(settings), timedelta(minutes=settings.wait_minutes)
    archive = Archive(settings.archive_root)
    pruned = prune(target(settings), archive, keep, now, dry_run=dry_run, patience=patience)
    return Outcome(pruned, forget(instance, keep.run_days, now, dry_run=dry_run))


@dg.op(name="remove_unneeded", description="Removes what the settings EDU_KEEP_... do not keep.")
def prune_op(context: dg.OpExecutionContext) -> None:
    """Prune, and say in the run's log what was removed."""
    with dagster_failures(context):
        outcome = prune_all(settings(), context.instance, datetime.now(UTC))
    context.log.info("removed: " + ", ".join(f"{count:,} {what}" for what, count in outcome.counts().items()))


@dg.job(
    name="prune",
    description="Remove releases, failed loads, refused rows, runs, events and ticks that nobody needs any more.",
    tags=LOADS,
)
def prune_job() -> None:
    """The job with the one step."""
    prune_op()


weekly = dg.ScheduleDefinition(
    name="every_week",
    job=prune_job,
    cron_schedule="0 4 * * 0",
    execution_timezone=PARIS,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Removes what nobody needs any more: releases, failed loads, refused rows, runs, events, ticks.",
)
