"""What the tests of loading share: a table that is published."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edu_pipeline.database.cluster import Cluster
from edu_pipeline_tests.stand_in import StandIn, copy_of, new_stand_in, sale


@pytest.fixture(scope="session")
def sold(cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    """Thirty communes with their sales, published in a database to be copied."""
    with new_stand_in(cluster, template, tmp_path_factory.mktemp("sold")) as stand_in:
        codes = stand_in.put_communes(30)
        stand_in.load_communes()
        stand_in.put_sales([sale(code) for code in codes])
        assert stand_in.load("mutations_immo_latest").load.rows == 30
        yield stand_in


@pytest.fixture
def loaded(sold: StandIn, cluster: Cluster, tmp_path: Path) -> Iterator[StandIn]:
    """Thirty communes with their sales, published in this test's own database."""
    with copy_of(sold, cluster, tmp_path) as stand_in:
        yield stand_in
