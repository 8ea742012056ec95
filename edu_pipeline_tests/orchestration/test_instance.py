"""Dagster's own state: where it is, and in which form its URL may be set."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from edu_pipeline.database.connection import Database
from edu_pipeline.errors import DatabaseUnreachable
from edu_pipeline.orchestration.home import CONFIGURATION, home
from edu_pipeline.orchestration.instance import Storage
from edu_pipeline.settings import settings


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg2"])
def test_either_form_of_the_url_will_do(scheme: str, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    monkeypatch.setenv("EDU_DAGSTER_URL", database.url.replace("postgresql", scheme, 1))
    with dg.DagsterInstance.from_config(home(settings())) as instance:
        assert instance.get_runs() == []
    with database.connect() as connection:
        assert connection.execute("SELECT to_regclass('public.runs') IS NOT NULL").fetchone() == (True,)


def test_a_storage_that_does_not_answer_is_one_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDU_DAGSTER_URL", "postgresql://edu:wooden-horse@127.0.0.1:1/dagster")
    with pytest.raises(DatabaseUnreachable, match="database dagster on ") as error:
        Storage.from_config_value(None, {})
    assert "correct its URL in the settings" in error.value.remedy
    assert "wooden" not in str(error.value)


def test_the_home_links_to_the_configuration_of_this_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    link = Path(home(settings())) / "dagster.yaml"
    assert link.resolve() == CONFIGURATION.resolve()
    link.unlink()
    link.symlink_to(tmp_path / "of-an-earlier-installation.yaml")
    assert home(settings()) and link.resolve() == CONFIGURATION.resolve()
    link.unlink()
    link.write_text("telemetry: {enabled: false}\n", encoding="utf-8")
    assert home(settings()) and not link.is_symlink(), "an operator's own file is kept"
