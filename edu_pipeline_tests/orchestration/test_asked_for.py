"""What is left out of a run that nobody has asked for."""

from __future__ import annotations

import dagster as dg
import pytest

from edu_pipeline.checks import CheckResult, CheckSpec, running
from edu_pipeline.checks.subject import Subject
from edu_pipeline.definitions import defs
from edu_pipeline.settings import settings
from edu_pipeline_tests.stand_in import StandIn

NIGHTLY = {"dagster/schedule_name": "nightly"}


def test_a_scheduled_run_repeats_no_check(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither those of a table, nor those of a view, nor those between tables."""
    stand_in.put_communes()
    stand_in.load_communes()
    monkeypatch.setenv("EDU_DATABASE_URL", stand_in.database.url)
    monkeypatch.setenv("EDU_ARCHIVE", str(stand_in.archive.root))
    settings.cache_clear()
    made: list[str] = []
    probed = running._probed

    def noted(check: CheckSpec, subject: Subject, where: str) -> CheckResult:
        made.append(f"{check.table}.{check.name}")
        return probed(check, subject, where)

    def checks_of(job: str, *assets: str, **tags: str) -> list[str]:
        made.clear()
        chosen = [dg.AssetKey(name) for name in assets] or None
        with dg.DagsterInstance.ephemeral() as instance:
            run = defs.resolve_job_def(job).execute_in_process(instance=instance, asset_selection=chosen, tags=tags)
        assert run.success
        return made[:]

    monkeypatch.setattr(running, "_probed", noted)
    for job, *assets in (["daily_refresh", "info_communes", "commune_context_cache"], ["check_all"]):
        checks_of(job, *assets)
        with stand_in.database.connect() as connection:
            connection.execute("SELECT pg_stat_force_next_flush()")
        everything = checks_of(job, *assets)
        assert everything == checks_of(job, *assets), "somebody has asked for it"
        left = checks_of(job, *assets, **NIGHTLY)
        assert {name.partition(".")[2] for name in left} <= {"age", "edition", "successors"} and left != everything
