"""What tests of this folder share: a live schema with the first generation; a database ready for the switch-over."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from upath import UPath

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.operations import swap, waiting
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.operations import switching
from edu_pipeline_tests.operations.generations import LIVE, fill, publish
from edu_pipeline_tests.operations.waits import Pauses
from edu_pipeline_tests.servers import new_database
from edu_pipeline_tests.stand_in import StandIn


@pytest.fixture(scope="session")
def first(cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """The first generation in the live schema, to be copied."""
    folder = tmp_path_factory.mktemp("first")
    with new_database(cluster, template) as name:
        archive = Archive(UPath(folder / "archive"))
        stand_in = StandIn(folder / "upstream", archive, Database(cluster.url(name), LIVE))
        publish(stand_in, 1)
        fill(stand_in)
        yield stand_in


@pytest.fixture
def live(first: StandIn, cluster: Cluster, tmp_path: Path) -> Iterator[StandIn]:
    """The first generation in the live schema of this test's own database."""
    shutil.copytree(first.folder.parent, tmp_path, dirs_exist_ok=True)
    with new_database(cluster, str(conninfo_to_dict(first.database.url)["dbname"])) as name:
        archive = Archive(UPath(tmp_path / "archive"))
        yield StandIn(tmp_path / "upstream", archive, Database(cluster.url(name), LIVE))


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


@pytest.fixture
def ready(database: Database) -> Database:
    """A database whose tables all have rows, and in which the application has tables of its own in ``public``."""
    switching.fill(database)
    with database.connect() as connection:
        connection.execute("CREATE TABLE public.ips_lycees (uai text, ips text, ancienne_colonne text)")
        connection.execute("CREATE SCHEMA user_mgmt CREATE TABLE users (id uuid PRIMARY KEY)")
    return database


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
