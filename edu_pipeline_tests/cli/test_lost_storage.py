"""The server of Dagster's storage goes away during a run: one text."""

from __future__ import annotations

import pytest
import sqlalchemy.exc

from edu_pipeline.cli.runs import dagster_instance
from edu_pipeline.database.connection import Database
from edu_pipeline.errors import DatabaseUnreachable, EduError
from edu_pipeline.settings import settings


def test_a_lost_storage_is_one_text(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDU_DATABASE_URL", database.url)
    settings.cache_clear()
    text = r"Dagster's storage: expected .* found: server closed .*\. .*Start"
    with pytest.raises(EduError, match=text) as failed, dagster_instance(settings()):
        raise sqlalchemy.exc.OperationalError("INSERT", {"secret": "value"}, Exception("server closed the connection"))
    assert type(failed.value) is DatabaseUnreachable and "secret" not in str(failed.value)
    settings.cache_clear()
