"""The sample as `make demo` has it: served, and loaded into a database; for tests that need all tables filled.

Belongs here: filling it. Does not belong here: the sample's files alone (``sample_files.py``).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.sample.server import serving
from edu_pipeline_tests.programs import run_here
from edu_pipeline_tests.sample.sample_files import copied_sample
from edu_pipeline_tests.servers import new_database


@dataclass(frozen=True)
class Demo:
    """A filled database and its publisher.

    Attributes:
        settings: the environment variables that name them.
        shelf: the folder of the publisher's files.
    """

    settings: dict[str, str]
    shelf: Path

    @property
    def url(self) -> str:
        """The URL of the database."""
        return self.settings["EDU_DATABASE_URL"]

    @property
    def publisher(self) -> str:
        """The URL of the publisher."""
        return self.settings["EDU_UPSTREAM"]


@contextmanager
def filled(cluster: Cluster, folder: Path) -> Iterator[Demo]:
    """Serve the sample, and fill a database from it with `edu-pipeline migrate` and `rebuild`."""
    shelf, home = folder / "sample", folder / "home"
    home.mkdir()
    with serving(copied_sample(shelf)) as server, new_database(cluster, "template1") as name:
        demo = Demo({"EDU_HOME": str(home), "EDU_DATABASE_URL": cluster.url(name), "EDU_UPSTREAM": server.url}, shelf)
        for command in ("migrate", "rebuild"):
            outcome = run_here(command, **demo.settings)
            assert outcome.returncode == 0, outcome.stderr
        yield demo
