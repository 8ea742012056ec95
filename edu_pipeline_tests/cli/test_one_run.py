"""Runs of the command line keep apart from others, with any executor of Dagster's own runs."""

from __future__ import annotations

import pytest

from edu_pipeline.database import locks
from edu_pipeline_tests.programs import run_here
from edu_pipeline_tests.stand_in import StandIn


@pytest.mark.parametrize("executor", ["in_process", "dask"])
def test_a_run_waits_for_another_one(stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, executor: str) -> None:
    monkeypatch.setenv("EDU_DATABASE_URL", stand_in.database.url)
    monkeypatch.setenv("EDU_ARCHIVE", str(stand_in.archive.root))
    monkeypatch.setenv("EDU_UPSTREAM", str(stand_in.folder))
    monkeypatch.setenv("EDU_EXECUTOR", executor)
    monkeypatch.setenv("EDU_WAIT_MINUTES", "0.001")
    stand_in.put_communes()
    with locks.one_run(stand_in.database, pytest.fail):
        ended = run_here("refresh", "departements")
    assert ended.returncode == 1
    assert "WaitTooLong: " in ended.stderr and "another run that loads into educational_data" in ended.stderr
    ended = run_here("refresh", "departements")
    assert ended.returncode == 0, ended.stderr
