"""What the tests of monitoring share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.monitoring import webhook
from edu_pipeline_tests.monitoring.receiver import Receiver


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A webhook that is reached without a proxy, and retried without a wait."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(webhook, "BACKOFF", 0.0)
    with Receiver().serving() as running:
        yield running


@pytest.fixture
def connection(database: Database) -> Iterator[Connection]:
    """A connection to the test's database."""
    with database.connect() as session:
        yield session
