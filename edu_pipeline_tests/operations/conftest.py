"""What tests of this folder share: a live schema with the first generation; a database ready for the switch-over."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.operations import swap, waiting
from edu_pipeline_tests.operations import switching
from edu_pipeline_tests.operations.generations import fill, publish
from edu_pipeline_tests.operations.waits import Pauses
from edu_pipeline_tests.stand_in import StandIn, copy_of, new_stand_in


@pytest.fixture(scope="session")
def first(cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """The first generation in the live schema, to be copied."""
    with new_stand_in(cluster, template, tmp_path_factory.mktemp("first")) as stand_in:
        publish(stand_in, 1)
        fill(stand_in)
        yield stand_in


@pytest.fixture
def live(first: StandIn, cluster: Cluster, tmp_path: Path) -> Iterator[StandIn]:
    """The first generation in the live schema of this test's own database."""
    with copy_of(first, cluster, tmp_path) as stand_in:
        yield stand_in


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """No swap waits for more than a moment."""
    monkeypatch.setattr(swap, "PATIENCE", 0.5)
    monkeypatch.setattr(swap, "DROP_PATIENCE", 0.2)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Pauses:
    """Shows the pauses of a swap between two looks at old snapshots, and between two attempts to rename."""
    pauses = Pauses()
    for module in (swap, waiting):
        monkeypatch.setattr(module, "time", pauses)
    return pauses


@pytest.fixture(scope="session")
def full(cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """Tables that all have rows, and tables of the application's own in ``public``, to be copied."""
    with new_stand_in(cluster, template, tmp_path_factory.mktemp("full")) as stand_in:
        switching.fill(stand_in.database)
        with stand_in.database.connect() as connection:
            connection.execute("CREATE TABLE public.ips_lycees (uai text, ips text, ancienne_colonne text)")
            connection.execute("CREATE SCHEMA user_mgmt CREATE TABLE users (id uuid PRIMARY KEY)")
        yield stand_in


@pytest.fixture
def ready(full: StandIn, cluster: Cluster, tmp_path: Path) -> Iterator[Database]:
    """A database whose tables all have rows, and in which the application has tables of its own in ``public``."""
    with copy_of(full, cluster, tmp_path) as stand_in:
        yield stand_in.database


@pytest.fixture
def role(ready: Database) -> Iterator[switching.Role]:
    """The application's role, still without any right."""
    name = f"eduinfo_{uuid.uuid4().hex[:8]}"
    with ready.connect() as connection:
        connection.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'secret'").format(sql.Identifier(name)))
    yield switching.Role(name, "secret", make_conninfo(ready.url, user=name, password="secret"))
    with ready.connect() as connection:
        connection.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
        connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
