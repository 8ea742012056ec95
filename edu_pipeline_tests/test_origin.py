"""Invented and real data never stand in one schema."""

from __future__ import annotations

import shutil

import pytest

from edu_pipeline.database.migrate import start_over
from edu_pipeline.errors import OriginMixed
from edu_pipeline.monitoring.status import table_status
from edu_pipeline_tests.stand_in import StandIn, sale

TABLE = "mutations_immo_latest"


def test_real_and_invented_data_do_not_mix(stand_in: StandIn) -> None:
    codes = stand_in.put_communes()
    marker = stand_in.folder / "sample.json"
    marker.write_text("{}")
    stand_in.load_communes()
    stand_in.put_sales([sale(code) for code in codes])
    assert stand_in.load(TABLE).load.invented is True
    assert all(entry.invented for entry in table_status(stand_in.database, stand_in.archive))

    marker.unlink()
    stand_in.put_sales([sale(code, houses=9) for code in codes])
    with pytest.raises(OriginMixed, match="invented data of the sample publisher, found dvf-indicateurs-communes"):
        stand_in.load(TABLE)
    assert stand_in.rows("SELECT DISTINCT nb_maisons FROM mutations_immo_latest") == [(4,)]

    start_over(stand_in.database)
    assert stand_in.rows("SELECT count(*) FROM mutations_immo_latest") == [(0,)]
    for source in ("geo-api-departements", "departement-academie", "insee-table-passage", "geo-api-communes"):
        shutil.rmtree(
            str(stand_in.archive.root / source)
        )  # the same bytes are the same release: forget the invented one
    stand_in.load_communes()
    assert stand_in.load(TABLE).load.invented is False
    assert not any(entry.invented for entry in table_status(stand_in.database, stand_in.archive))

    marker.write_text("{}")
    stand_in.put_sales([sale(code, houses=7) for code in codes])
    with pytest.raises(OriginMixed, match="data of real publishers, found"):
        stand_in.load(TABLE)
