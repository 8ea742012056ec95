"""A small database with all kinds of values, filled once, and its export in each format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from upath import UPath

from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database
from edu_pipeline.export.export import Export, export
from edu_pipeline.export.form import Format
from edu_pipeline_tests.export import country
from edu_pipeline_tests.servers import new_database

Exported = Callable[[Format], Path]
"""Exports everything in a format, once for all tests, and returns the folder."""


@pytest.fixture(scope="session")
def filled(cluster: Cluster, template: str) -> Iterator[Database]:
    """A database that no test changes."""
    with new_database(cluster, template) as name:
        database = Database(cluster.url(name), "educational_data")
        country.fill(database)
        yield database


@pytest.fixture(scope="session")
def exported(filled: Database, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """See ``Exported``."""
    done: dict[Format, Path] = {}

    def folder(form: Format) -> Path:
        if form not in done:
            done[form] = tmp_path_factory.mktemp(form)
            export(filled, UPath(done[form]), form)
        return done[form]

    return folder


@pytest.fixture
def parquet(filled: Database, tmp_path: Path) -> Export:
    """What an export to Parquet says of itself."""
    return export(filled, UPath(tmp_path / "parquet"), Format.PARQUET)
