"""Workbooks that would need far more memory than their size suggests are refused unread."""

from __future__ import annotations

import zipfile
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.catalogue import File, catalogue
from edu_pipeline.errors import FileInvalid
from edu_pipeline.sample.workbook import write_workbook
from edu_pipeline.sources import readers, workbook
from edu_pipeline.sources.soundness import check_sound
from edu_pipeline.sources.workbook import check_workbook
from edu_pipeline_tests.real_files import real_file

CELL = '<c r="A1" t="inlineStr"><is><t>code</t></is></c>'


def a_workbook(path: Path, rows: str, shared: str = "", before: str = "") -> Path:
    """A workbook with one sheet, made by hand."""
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    parts = {
        "[Content_Types].xml": "<Types/>",
        "xl/workbook.xml": f"<workbook {main}/>",
        "xl/sharedStrings.xml": f"<sst {main}>{shared}</sst>",
        "xl/worksheets/sheet1.xml": f"{before}<worksheet {main}><sheetData>{rows}</sheetData></worksheet>",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return path


def refused(path: Path, limit: int = 1 << 30) -> str:
    """Why the workbook is refused: before it becomes a release, and by the reader."""
    file = File(source="a-source", part="main", format="xlsx", name=".*", supplied=True, max_unpacked_bytes=limit)
    with pytest.raises(FileInvalid) as caught:
        check_sound(path, file, "a test")
    with pytest.raises(FileInvalid):
        readers.read(path, file, path.parent, "a test")
    return str(caught.value)


def test_a_cell_far_away_is_refused(tmp_path: Path) -> None:
    far = '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    text = refused(a_workbook(tmp_path / "f.xlsx", f'<row r="1">{CELL}</row>{far}'))
    assert "expected at most 10,000,000 cells up to the last one, found 17,179,869,184" in text
    assert "xl/worksheets/sheet1.xml" in text


def test_empty_cells_far_away_do_not_count(tmp_path: Path) -> None:
    far = '<row r="1048576"><c r="XFD1048576" s="1"/></row>'
    check_workbook(a_workbook(tmp_path / "f.xlsx", f'<row r="1">{CELL}</row>{far}'), 1 << 30, "a test")


def test_cells_without_a_place_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_CELLS", 50)
    row = f"<row>{'<c><v>1</v></c>' * 10}</row>"
    check_workbook(a_workbook(tmp_path / "f.xlsx", row * 5), 1 << 30, "a test")
    assert "found 60" in refused(a_workbook(tmp_path / "f.xlsx", row * 6))


def test_a_long_text_that_many_cells_share_is_refused(tmp_path: Path) -> None:
    shared = f"<si><t>{'x' * 1_000}</t></si>"
    cells = "".join(f'<row r="{row}"><c r="A{row}" t="s"><v>0</v></c></row>' for row in range(1, 101))
    path = a_workbook(tmp_path / "f.xlsx", cells, shared)
    check_workbook(path, 100_000, "a test")
    assert "cells with more text" in refused(path, limit=99_999)


def test_a_workbook_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = a_workbook(tmp_path / "f.xlsx", f'<row r="1">{CELL}</row>', shared=" " * 200_000)
    assert "expected at most 100,000 bytes of unpacked content" in refused(path, limit=100_000)


def test_very_many_shared_texts_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "MAX_CELLS", 50)
    assert "shared texts, found 51" in refused(a_workbook(tmp_path / "f.xlsx", "", "<si/>" * 51))


@pytest.mark.parametrize("name", ["worksheet", "other"])
def test_declared_entities_are_refused(tmp_path: Path, name: str) -> None:
    before = f'<!DOCTYPE {name} [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    path = a_workbook(tmp_path / "f.xlsx", '<row><c t="inlineStr"><is><t>&b;</t></is></c></row>', before=before)
    assert "expected no DOCTYPE, found one" in refused(path)


def test_a_sheet_that_is_not_xml_is_refused(tmp_path: Path) -> None:
    assert "expected XML, found something that does not parse" in refused(a_workbook(tmp_path / "f.xlsx", "<row><c>"))


def test_an_ordinary_workbook_passes(tmp_path: Path) -> None:
    rows = pl.DataFrame({"code": ["01001"] * 100, "valeur": ["1"] * 100})
    write_workbook(tmp_path / "f.xlsx", {"rows": rows}, ["A title"])
    check_workbook(tmp_path / "f.xlsx", 1 << 20, "a test")


def test_the_real_workbook_passes() -> None:
    file = catalogue()["fr-en-indicateurs-de-resultat-des-lycees-gt_v2"].files["classeur"]
    path = real_file(file)
    if path is None:
        pytest.skip("no copy of the workbook")
    check_workbook(path, file.max_unpacked_bytes, "a test")
