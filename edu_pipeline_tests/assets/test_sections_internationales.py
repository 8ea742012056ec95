"""sections_internationales: rows under labels and under machine names, and the real, reduced workbook."""

from __future__ import annotations

import zipfile
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import polars as pl
import pytest

from edu_pipeline.errors import ColumnMissing
from edu_pipeline.loading.intake import take_in
from edu_pipeline.sources.readers import read
from edu_pipeline.table import tables
from edu_pipeline_tests.assets.inputs import conformed, from_text, taken_in
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.real_files import real_file

TABLE, SOURCE = "sections_internationales", "fr_en_sections_internationales"
LABELS = (
    "Rentrée scolaire;Academie;Section;UAI;Nom établissement;Niveau;Ville;"
    "Premiere_session_OIB_ou_DNB_option_internationale_a_venir;Ouverture de la section internationale;"
    "Latitude;Longitude;Position"
)
NAMES = (
    "rentree_scolaire;academie;section;uai;nom_etab;niveau;ville;"
    "premiere_session_oib_ou_dnb_option_internationale;ouverture_rentree_suivante;latitude;longitude;position"
)
BUC = (
    "2025;VERSAILLES;ALLEMANDE;0781951X;LYCÉE FRANCO-ALLEMAND;2nde et BFI;BUC;2027;Rentrée 2026;48.77;2.12;"
    '"48.77, 2.12"'
)
PEKIN = '2025;CHINE;CHINOISE;2160001C;LYCÉE FRANÇAIS;Collège;PÉKIN;;;39.95;116.46;"39.95, 116.46"'


def made(folder: Path, *lines: str) -> Conformed:
    return conformed(TABLE, **{SOURCE: from_text(TABLE, SOURCE, lines, folder)})


@pytest.mark.parametrize("header", [LABELS, NAMES])
def test_sections_at_home_and_abroad(header: str, tmp_path: Path) -> None:
    result = made(tmp_path, header, BUC, PEKIN)
    assert result.refused.is_empty()
    assert result.frame.rows() == [
        (
            "0781951X",
            "ALLEMANDE",
            "2nde et BFI",
            2025,
            "LYCÉE FRANCO-ALLEMAND",
            "BUC",
            "VERSAILLES",
            "2027",
            "Rentrée 2026",
            48.77,
            2.12,
        ),
        ("2160001C", "CHINOISE", "Collège", 2025, "LYCÉE FRANÇAIS", "PÉKIN", "CHINE", None, None, 39.95, 116.46),
    ]


def test_optional_columns_may_be_missing(tmp_path: Path) -> None:
    result = made(tmp_path, "uai;section;niveau;rentree_scolaire", "0781951X;ALLEMANDE;2nde et BFI;2025")
    assert result.frame.row(0) == ("0781951X", "ALLEMANDE", "2nde et BFI", 2025, *[None] * 7)


@pytest.mark.parametrize("year", ["2025", "2025.0", "2025-2026", "2025-01-01T00:00:00+00:00"])
def test_every_spelling_of_a_school_year(year: str, tmp_path: Path) -> None:
    result = made(tmp_path, LABELS, BUC.replace("2025", year, 1))
    assert result.frame["rentree_scolaire"].to_list() == [2025]


def test_only_sections_of_the_latest_year_are_kept(tmp_path: Path) -> None:
    result = made(
        tmp_path,
        LABELS,
        BUC.replace("2025", "2024-2025", 1),
        BUC.replace("2025", "2025-2026", 1),
        PEKIN.replace("2025", "2024", 1),
        PEKIN.replace("2025", "", 1).replace("CHINOISE", "ARABE"),
    )
    assert result.refused.is_empty()
    assert result.frame.select("section", "rentree_scolaire").rows() == [("ALLEMANDE", 2025), ("ARABE", None)]


def test_a_row_per_level_and_one_of_equal_rows(tmp_path: Path) -> None:
    result = made(tmp_path, LABELS, BUC, BUC.replace("2nde et BFI", "Collège"), BUC)
    assert result.frame.select("section", "niveau").rows() == [("ALLEMANDE", "2nde et BFI"), ("ALLEMANDE", "Collège")]
    assert result.refused["key"].to_list() == ["0781951X / ALLEMANDE / 2nde et BFI"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (BUC.replace("0781951X", "0781951A"), "uai: expected check letter"),
        (BUC.replace("0781951X", ""), "uai: expected a value"),
        (BUC.replace("2nde et BFI", ""), "niveau: expected a value"),
        (BUC.replace(";ALLEMANDE", ";"), "section: expected a value"),
        (BUC.replace("48.77;2.12", "148.77;2.12"), "latitude: expected at most 90"),
    ],
)
def test_a_wrong_section_is_refused(line: str, reason: str, tmp_path: Path) -> None:
    result = made(tmp_path, LABELS, line, PEKIN)
    assert result.frame["uai"].to_list() == ["2160001C"]
    assert reason in result.refused["reasons"].list.join("; ").item()


def workbook() -> Path:
    path = real_file(tables()[TABLE].files[SOURCE])
    if path is None or path.suffix != ".xlsx":
        pytest.skip("EDU_UPSTREAM lacks the workbook of 4 columns")
    return path


def cells(path: Path) -> list[list[str]]:
    """The rows of a workbook's only sheet, read without any of the product's code."""
    space = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
    with zipfile.ZipFile(path) as archive:
        texts = [
            "".join(text.itertext())
            for text in ElementTree.fromstring(archive.read("xl/sharedStrings.xml")).iterfind("m:si", space)
        ]
        sheet = ElementTree.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    return [
        [
            texts[int(cell.findtext("m:v", "", space))] if cell.get("t") == "s" else cell.findtext("m:v", "", space)
            for cell in row.iterfind("m:c", space)
        ]
        for row in sheet.iterfind("m:sheetData/m:row", space)
    ]


def test_the_real_workbook_lacks_the_level(tmp_path: Path) -> None:
    with pytest.raises(ColumnMissing, match="niveau"):
        taken_in(TABLE, SOURCE, workbook(), tmp_path)


def test_the_real_sections(tmp_path: Path) -> None:
    """The workbook's columns, with an added level: all rows but one with an invalid code (350001SH, in Morocco)."""
    header, *rows = cells(workbook())
    assert (header, len(rows)) == (["Rentrée scolaire", "Academie", "UAI", "Section International"], 395)
    file = tables()[TABLE].files[SOURCE]
    raw = read(workbook(), file, tmp_path, "a test").frame.with_columns(niveau=pl.lit("2nde et BFI"))
    result = conformed(TABLE, **{SOURCE: take_in(tables()[TABLE], SOURCE, raw, file, file.name, "a test").frame})
    good = [tuple(row) for row in rows if row[2] != "350001SH"]
    columns = ["rentree_scolaire", "academie", "uai", "section"]
    assert Counter(result.frame.select(columns).cast(pl.String).rows()) == Counter(good)
    assert (result.frame.height, result.frame["uai"].n_unique()) == (394, 311)
    assert result.refused["key"].to_list() == ["350001SH / ARABE / 2nde et BFI"]
    assert result.frame.filter(academie="MAROC").height == 27
