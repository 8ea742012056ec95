"""What earlier releases of a source said: which of them are read, and that a table keeps it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from upath import UPath

from edu_pipeline.catalogue import File
from edu_pipeline.loading.earlier import earlier_rows
from edu_pipeline.sources.archive import Archive
from edu_pipeline.table import RELEASE, tables
from edu_pipeline_tests.sources.incoming_files import NOON, incoming
from edu_pipeline_tests.stand_in import StandIn

COG = "insee-cog"
LIST = "TYPECOM,COM,COMPARENT\n{}\n"
MOVES = "MOD,DATE_EFF,TYPECOM_AV,COM_AV,TYPECOM_AP,COM_AP\n{}\n"


@pytest.fixture
def file() -> File:
    return tables()["passage_communes"].files["insee_cog"]


def test_earlier_releases_are_read_newest_first(tmp_path: Path, file: File) -> None:
    """Of five: the newest, the same content again, one of the sample publisher, one without a column, a good one."""
    archive = Archive(UPath(tmp_path / "archive"))
    contents = [LIST.format("COMD,01903,01001"), "COM,COMPARENT\n01904,01001\n"]
    contents += [LIST.format(f"COMD,{code},01001") for code in ("01901", "01902", "01901")]
    for day, content in enumerate(contents):
        arrived = incoming(tmp_path, {"main.csv": content.encode()}, NOON + timedelta(days=day))
        if day == 3:
            arrived = replace(arrived, files={path: replace(one, invented=True) for path, one in arrived.files.items()})
        archive.store(COG, arrived)
    newest = archive.newest(COG)
    assert newest is not None and len(archive.releases(COG)) == 5
    frames, notes = earlier_rows(tables()["passage_communes"], "insee_cog", file, newest, archive, tmp_path)
    assert [frame.select("com", RELEASE).collect().rows() for frame in frames] == [[("01903", 3)]]
    assert len(notes) == 1 and "ColumnMissing" in notes[0] and "left out" in notes[0]


def test_a_table_keeps_what_a_file_said_that_is_gone(stand_in: StandIn) -> None:
    """The list of movements is optional, and missing in the newest release."""
    stand_in.put_communes(3)
    stand_in.put(COG, "v_commune_2025.csv", LIST.format("COM,01001,"))
    stand_in.put(COG, "v_mvt_commune_2025.csv", MOVES.format("32,2025-01-01,COM,01950,COM,01001"))
    stand_in.load("departements", "info_communes")
    rows = "SELECT code_ancien, code_commune, date_effet::text FROM passage_communes WHERE code_ancien <> '01999'"
    stand_in.load("passage_communes")
    assert stand_in.rows(rows) == [("01950", "01001", "2025-01-01")]
    (stand_in.folder / COG / "v_mvt_commune_2025.csv").unlink()
    stand_in.put(COG, "v_commune_2025.csv", LIST.format("COM,01001,\nCOM,01002,"))
    outcome = stand_in.load("passage_communes")
    newest = stand_in.archive.newest(COG)
    assert newest is not None and newest.file("mouvements") is None
    assert not outcome.skipped and outcome.load.removed == 0
    assert stand_in.rows(rows) == [("01950", "01001", "2025-01-01")]
    assert {result.name: result.passed for result in stand_in.check("passage_communes")}["successors"]
