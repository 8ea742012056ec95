"""Lists of lycées' sectors: the text of PDFs, entries on several lines, and what they mean."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure

from edu_pipeline.errors import FileInvalid, SettingInvalid
from edu_pipeline.parts import Parts
from edu_pipeline.sample import sector_pdf
from edu_pipeline.sectors import pdf_segments, pdf_text
from edu_pipeline.sectors.pdf_entries import BEGINS, Entry, Lycee, Unread, entries
from edu_pipeline.sectors.pdf_segments import COMMUNES, LYCEES, Directory
from edu_pipeline.sectors.pdf_text import Line, Text
from edu_pipeline_tests.assets.inputs import conformed, from_text

ANTONY = "Antony : A RIOU (RUELLE) 92ANTON1 [_] DESCARTES (Antony) , [_] JEAN JAURES (Châtenay-Malabry)"
"""As a public reader quotes it."""

DENIS = "Saint-Denis : DE LA REPUBLIQUE (PLACE) 93DENIS2 [X] PAUL ÉLUARD (Saint-Denis)"


def read(*lines: str, towns: Sequence[str] = ()) -> list[Entry | Unread]:
    return list(entries([Line(1, line) for line in lines], lambda name: name in towns))


def test_the_parts_of_an_entry() -> None:
    lycees = (Lycee("DESCARTES", "Antony"), Lycee("JEAN JAURES", "Châtenay-Malabry"))
    assert read(ANTONY) == [Entry(1, ANTONY, 1, "Antony", "A RIOU (RUELLE)", "92ANTON1", lycees)]


def test_the_marked_lycee_is_the_first() -> None:
    (entry,) = read("Antony : RUE X 92ANTON1 [_] B (Antony), [_] C (Sceaux), [X] A (Antony), [_] B (Antony)")
    assert isinstance(entry, Entry)
    assert [lycee.name for lycee in entry.lycees] == ["A", "B", "C"]


@pytest.mark.parametrize(
    "lines",
    [
        ("Saint-Denis : DE LA REPUBLIQUE", "(PLACE) 93DENIS2 [X]", "PAUL ÉLUARD (Saint-", "Denis)"),
        ("Saint-", "Denis : DE LA REPUBLIQUE (PLACE) 93DENIS2 [X] PAUL ÉLUARD (Saint-Denis)"),
        ("Saint-Denis : DE LA REPUB\u00ad", "LIQUE (PLACE) 93DENIS2 [X] PAUL ÉLUARD (Saint-Denis)"),
    ],
)
def test_an_entry_goes_on_in_the_next_line(lines: tuple[str, ...]) -> None:
    (entry,) = read(*lines, towns=["Saint-Denis"])
    assert isinstance(entry, Entry)
    assert (entry.text, entry.lines) == (DENIS, len(lines))


@pytest.mark.parametrize(
    "lines", [("[_] DESCARTES (Antony) ,", "[_] B (X)"), ("[_] DESCARTES (Antony)", ", [_] B (X)")]
)
def test_a_list_of_lycees_goes_on(lines: tuple[str, str]) -> None:
    first, second = read(f"Antony : RUE X 92ANTON1 {lines[0]}", lines[1], DENIS)
    assert isinstance(first, Entry) and isinstance(second, Entry)
    assert (len(first.lycees), second.text) == (2, DENIS)


def test_a_town_may_be_on_two_lines() -> None:
    lines = ("La Celle", "Saint-Cloud : RUE X 78CELLE1 [X] A (Versailles)")
    assert [entry.text for entry in read(*lines, towns=["La Celle Saint-Cloud"])] == [" ".join(lines)]
    assert [type(entry) for entry in read(*lines)] == [Unread, Entry]


@pytest.mark.parametrize(
    "line",
    [
        "Ville Voie Zone Lycées",
        "Antony : RUE X [_] DESCARTES (Antony)",  # no zone
        "Antony : RUE X 92ANTON1 DESCARTES (Antony)",  # no mark
        "Antony : RUE X 92ANTON1 [_] DESCARTES",  # no town
        "Antony : RUE X 92ANTON1 [_] DESCARTES (Antony) [_] B (X)",  # no comma
        "Antony : RUE X 92ANTON1 [_] DESCARTES (Antony) 3",
        "Antony : RUE HAUTE",
    ],
)
def test_what_has_another_form_is_not_read(line: str) -> None:
    unread, entry = read(line, ANTONY)
    assert isinstance(unread, Unread) and isinstance(entry, Entry)
    assert (unread.text, unread.lines) == (line, 1)
    assert unread.reason.startswith("expected `TOWN : STREET ZONE [X] Lycée (Town), ...`")


# ---------------------------------------------------------------------------------------- what the entries mean

DIRECTORY = Directory(
    pl.DataFrame(
        [
            ("92002", "Antony", "92"),
            ("92019", "Châtenay-Malabry", "92"),
            ("78003", "Ablis", "78"),
            ("78004", "Ablis", "78"),
        ],
        schema=COMMUNES,
        orient="row",
    ),
    pl.DataFrame(
        [
            ("0920130S", "Lycée général et technologique Descartes", "Antony", "92", "25"),
            ("0922443F", "Lycée polyvalent Jean Jaurès", "Châtenay-Malabry", "92", "25"),
            ("0781111J", "Lycée Jean Jaurès", "Ablis", "78", "25"),
            ("0922444G", "Lycée Jacques Prévert", "Châtenay-Malabry", "92", "25"),
            ("0922445H", "Lycée Jacques Prévert", "Châtenay-Malabry", "92", "25"),
        ],
        schema=LYCEES,
        orient="row",
    ),
)


def meant(*lines: str) -> pdf_segments.Reading:
    return pdf_segments.read(Text(1, [Line(1, line) for line in lines], [], []), DIRECTORY, "a list", "2026-2027")


def test_an_entry_becomes_a_segment() -> None:
    reading = meant(ANTONY)
    assert reading.unread == []
    assert reading.segments == [
        dict.fromkeys(pdf_segments.COLUMNS, "")
        | {
            "code_commune": "92002",
            "libelle_rue": "RUELLE A RIOU",
            "uai_lycees": "0920130S,0922443F",
            "zone_name": "92ANTON1",
            "rentree_scolaire": "2026-2027",
            "rule": "a list",
            "page": "1",
        }
    ]


@pytest.mark.parametrize(
    ("written", "street"),
    [
        ("LECLERC (AVENUE DU GENERAL)", "AVENUE DU GENERAL LECLERC"),
        ("RUE HAUTE", "RUE HAUTE"),
        ("4 SEPTEMBRE 1870 (RUE DU)", "RUE DU 4 SEPTEMBRE 1870"),
        ("RUE DU 8 MAI 1945", "RUE DU 8 MAI 1945"),
    ],
)
def test_brackets_go_in_front_of_the_street(written: str, street: str) -> None:
    (segment,) = meant(f"Antony : {written} 92ANTON1 [_] DESCARTES (Antony)").segments
    assert segment["libelle_rue"] == street


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Nulle-Part : RUE X 92NULLE1 [_] DESCARTES (Antony)", "département 92 named Nulle-Part, found none"),
        ("Antony : RUE X 78ANTON1 [_] DESCARTES (Antony)", "département 78 named Antony, found none"),
        ("Ablis : RUE X 78ABLIS1 [_] DESCARTES (Antony)", "named Ablis, found 78003 Ablis, 78004 Ablis"),
        ("Antony : RUE X 92ANTON1 [_] DESCARTE (Antony)", "named DESCARTE, found none; closest: 0920130S Lycée"),
        ("Antony : RUE X 92ANTON1 [_] DESCARTES (Sceaux)", "found none; closest: no school at all (in Sceaux)"),
        (
            "Antony : RUE X 92ANTON1 [_] J PREVERT (Châtenay-Malabry)",
            "expected a school named J PREVERT, found none; closest: 0922444G Lycée Jacques Prévert",
        ),
        (
            "Antony : RUE X 92ANTON1 [_] JACQUES PREVERT (Châtenay-Malabry)",
            "found 0922444G Lycée Jacques Prévert, 0922445H Lycée Jacques Prévert (in Châtenay-Malabry)",
        ),
        *(
            (f"Antony : HAUTE (RUE) {numbers} 92ANTON1 [_] DESCARTES (Antony)", "may be meant in part: HAUTE")
            for numbers in ("N° 3", "côté pair", "DU 2 AU 40", "2-40", "1 bis à 9", "impairs", "à partir du 12")
        ),
    ],
)
def test_a_doubt_is_not_read(line: str, reason: str) -> None:
    reading = meant(line, ANTONY)
    (unread,) = reading.unread
    assert reason in unread.reason
    assert (unread.text, len(reading.segments), reading.lines, reading.lines_read) == (line, 1, 2, 1)


def test_an_operator_may_hand_the_segments_in(tmp_path: Path) -> None:
    """All lycées are kept in their order, also more than four."""
    (segment,) = meant(ANTONY).segments
    codes = ["0922443F", "0920130S", "0922444G", "0922445H", "0781111J"]
    segment["uai_lycees"] = ",".join(codes)
    text = [";".join(segment), ";".join(segment.values())]
    supplied = from_text("sectorisation_segments", "editorial_sectorisation_segments", text, tmp_path)
    rows = conformed(
        "sectorisation_segments",
        fr_en_carte_scolaire_colleges_publics=supplied.clear().with_columns(secteur_unique=pl.lit("N")),
        editorial_sectorisation_segments=supplied,
        ban=Parts([], lambda _: pl.LazyFrame()),
    )
    assert rows.refused["reasons"].to_list() == []
    assert rows.frame["uai_lycees"].to_list() == [codes]
    assert rows.frame.select("code_commune", "libelle_rue", "zone_name", "uai_lycees_4", "rule").rows() == [
        ("92002", "RUELLE A RIOU", "92ANTON1", "0922445H", "a list")
    ]


# ------------------------------------------------------------------------------------------------- text of PDFs


def test_two_columns_headers_ligatures_and_breaks(tmp_path: Path) -> None:
    """Entries go on in the next column and on the next page, and a town goes on after a hyphen."""
    towns = ["Saint-Denis-les-Officiers", "Fleury-la-Rivière-aux-Saules", "Antony"]
    listed = [
        f"{towns[number % 3]} : DU PUITS NUMERO {'I' * (1 + number % 7)} (RUE) 92TOWN{number} [X] JEAN MOULIN "
        f"({towns[(number + 1) % 3]}), [_] ANNE FRANK ({towns[(number + 2) % 3]})"
        for number in range(26)
    ]
    sector_pdf.write(listed, tmp_path / "list.pdf", "Lycées de secteur, rentrée 2026", height=14)
    text = pdf_text.read(tmp_path / "list.pdf", BEGINS)
    assert (text.pages, text.doubtful) == (3, [])
    assert [line.text for line in text.headers] == [
        line for page in (1, 2, 3) for line in ("Lycées de secteur, rentrée 2026", f"Page {page} / 3")
    ]
    breaks = [line.text for line in text.lines if line.text.endswith("-")]
    assert breaks and any(line.text[0].isupper() and ":" not in line.text for line in text.lines)
    found = list(entries(text.lines, lambda name: False))
    assert [entry.text for entry in found] == listed
    assert all(isinstance(entry, Entry) for entry in found)
    assert sum(entry.lines for entry in found) == len(text.lines)


def test_a_line_that_every_page_has_is_no_header_within_an_entry(tmp_path: Path) -> None:
    """All entries end alike, so that the second page begins with a line that the first one has, too."""
    listed = [f"Antony : DU PUITS (RUE) 92ANTON{number} [X] LE LYCEE AU NOM BIEN LONG (Antony)" for number in range(9)]
    sector_pdf.write(listed, tmp_path / "list.pdf", "Lycées de secteur", height=3)
    text = pdf_text.read(tmp_path / "list.pdf", BEGINS)
    assert text.pages > 2 and len(text.headers) == 2 * text.pages
    assert [entry.text for entry in entries(text.lines, lambda name: False)] == listed


def drawn(path: Path, *pages: Sequence[tuple[float, float, str]]) -> Text:
    """The text of a PDF with texts at places, in points from the left and from the bottom."""
    with PdfPages(path) as out:
        for page in pages:
            figure = Figure(figsize=(sector_pdf.PAPER[0] / 72, sector_pdf.PAPER[1] / 72))
            for x, y, text in page:
                figure.text(x / sector_pdf.PAPER[0], y / sector_pdf.PAPER[1], text, fontsize=8)
            out.savefig(figure)
    return pdf_text.read(path, BEGINS)


def test_wide_gaps_within_a_line_are_no_columns(tmp_path: Path) -> None:
    rows = [((40, 700 - 12 * row, "Antony : RUE X"), (250, 700 - 12 * row, f"92ANTON{row}")) for row in range(9)]
    lycees = [(400.0, 700.0 - 12 * row, "[_] DESCARTES (Antony)") for row in range(9)]
    text = drawn(tmp_path / "table.pdf", [*(cell for row in rows for cell in row), *lycees])
    assert [line.text for line in text.lines] == [
        f"Antony : RUE X 92ANTON{row} [_] DESCARTES (Antony)" for row in range(9)
    ]
    assert text.headers == [], "of a single page nobody knows what is a header"


def test_a_page_without_text_is_told(tmp_path: Path) -> None:
    """A scanned page, for example."""
    text = drawn(tmp_path / "scan.pdf", [(40, 700, ANTONY)], [])
    (doubtful,) = text.doubtful
    assert doubtful == Line(2, "expected text, found none: is it a picture of a page?")


def test_characters_that_one_reader_drops_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pdfplumber = pytest.importorskip("pdfplumber")
    extract = pdfplumber.page.Page.extract_words
    monkeypatch.setattr(pdfplumber.page.Page, "extract_words", lambda *args, **more: extract(*args, **more)[1:])
    (doubtful,) = drawn(tmp_path / "list.pdf", [(40, 700, ANTONY)]).doubtful
    expected = len(re.sub(r"\s", "", ANTONY))
    assert doubtful.text == (
        f"expected the {expected} characters that PDFium counts on the page, found {expected - len('Antony')}"
    )


def test_what_is_no_pdf_is_one_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "list.pdf"
    path.write_text("<html>404</html>")
    with pytest.raises(FileInvalid, match="expected a PDF, found something that cannot be read"):
        pdf_text.read(path, BEGINS)
    monkeypatch.setitem(sys.modules, "pdfplumber", None)
    with pytest.raises(SettingInvalid, match=r"pip install 'edu_pipeline\[pdf\]'"):
        pdf_text.read(path, BEGINS)
