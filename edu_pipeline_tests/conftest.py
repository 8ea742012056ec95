"""The fixtures of all tests: one private PostgreSQL for the whole run, and a new migrated database for each test.

The process that starts pytest creates and stops the cluster; with pytest-xdist its workers use the same one, each with
its own databases.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from upath import UPath
from xdist.scheduler import LoadFileScheduling

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.database.migrate import migrate
from edu_pipeline.settings import settings
from edu_pipeline.sources.archive import Archive
from edu_pipeline_tests.buckets import new_bucket, serving
from edu_pipeline_tests.sample.demo import Demo, filled
from edu_pipeline_tests.servers import CLUSTER, new_database, own_server
from edu_pipeline_tests.stand_in import StandIn

LONGEST = (
    "test_plan_sql.py",
    "test_ui.py",
    "test_whole_way.py",
    "test_zero_impact.py",
    "test_rebuild.py",
    "test_several_machines.py",
    "test_torture.py",
    "test_end_to_end.py",
    "test_rebuild_guide.py",
    "test_swap.py",
    "test_background.py",
    "test_adding_a_table.py",
    "test_threaded_executor.py",
)
"""The modules that take longest, in this order; the others take seconds."""

TOGETHER = {
    "database/test_plan_sql.py": "the demo",
    "sample/test_whole_way.py": "the demo",
    "sample/test_ui.py": "the demo",
    "site/test_atlas_and_ask_in_a_browser.py": "the site",
    "site/test_site_in_a_browser.py": "the site",
}
"""Modules that one worker has together, in the order of ``LONGEST``, because they share what takes long to make."""


def pytest_configure(config: pytest.Config) -> None:
    """Start the cluster in the process that started the run; its workers find its folder in the environment.

    Thousands of tests are made now and stay: Python's collector of cycles need not walk through them.
    """
    gc.disable()
    if not hasattr(config, "workerinput"):
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that the cluster is stopped
        for name in [name for name in os.environ if name.startswith("EDU_") and name != "EDU_UPSTREAM"]:
            del os.environ[name]
        stack = ExitStack()
        config.add_cleanup(stack.close)
        os.environ[CLUSTER] = str(stack.enter_context(own_server()).home)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest modules first, so that no worker is left alone with one at the end."""
    ranks = {name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path.name, len(LONGEST)))
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Give each module to one worker, so that what its tests share is made once; `--dist` may ask for another way."""
    if config.option.dist != "load":
        return None
    config.option.loadscopereorder = False
    return _ByModule(config, log)


class _ByModule(LoadFileScheduling):  # type: ignore[misc] # xdist has no hints
    """A worker for each module, or for several ``TOGETHER``."""

    def _split_scope(self, nodeid: str) -> str:
        module = str(super()._split_scope(nodeid))
        return TOGETHER.get(module.removeprefix("edu_pipeline_tests/"), module)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The private cluster of this run."""
    return Cluster(Path(os.environ[CLUSTER]), durable=False)


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> Iterator[str]:
    """A migrated database, from which the databases of the tests are copied."""
    with new_database(cluster, "template1") as name:
        migrate(Database(cluster.url(name), "educational_data"))
        yield name


@pytest.fixture
def empty_database(cluster: Cluster) -> Iterator[Database]:
    """An empty database, not migrated."""
    with new_database(cluster, "template1") as name:
        yield Database(cluster.url(name), "educational_data")


@pytest.fixture
def database(cluster: Cluster, template: str) -> Iterator[Database]:
    """A migrated database; its tables are empty and in the schema ``educational_data``."""
    with new_database(cluster, template) as name:
        yield Database(cluster.url(name), "educational_data")


@pytest.fixture(scope="session")
def demo(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """The sample, served, and a database that `edu-pipeline rebuild` has filled from it."""
    with filled(cluster, tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    """An empty archive in a folder."""
    return Archive(UPath(tmp_path / "archive"))


@pytest.fixture(scope="session")
def bucket_server() -> Iterator[str]:
    """The URL of a server that stands in for S3; the environment names it from its first use on."""
    with serving() as url:
        yield url


@pytest.fixture
def bucket(bucket_server: str) -> str:
    """The URL of a new bucket."""
    return new_bucket()


@pytest.fixture
def stand_in(tmp_path: Path, archive: Archive, database: Database) -> StandIn:
    """A directory in place of the publishers, a fresh archive and a migrated database."""
    return StandIn(tmp_path / "upstream", archive, database)


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the homes; pytest numbers its own folders, for which it looks through all that there are."""
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def own_settings(homes: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Keep the private state of the checkout, and the settings of other tests, out of each test."""
    monkeypatch.setenv("EDU_HOME", tempfile.mkdtemp(dir=homes))
    settings.cache_clear()
    yield
    settings.cache_clear()
