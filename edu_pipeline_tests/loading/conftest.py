"""What the tests of loading share: a table that is published."""

from __future__ import annotations

import pytest

from edu_pipeline_tests.stand_in import StandIn, sale


@pytest.fixture
def loaded(stand_in: StandIn) -> StandIn:
    """Thirty communes with their sales, published."""
    codes = stand_in.put_communes(30)
    stand_in.load_communes()
    stand_in.put_sales([sale(code) for code in codes])
    assert stand_in.load("mutations_immo_latest").load.rows == 30
    return stand_in
