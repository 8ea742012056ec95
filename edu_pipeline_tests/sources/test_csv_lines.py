"""CSV files as people and programs save them: what is read, what is skipped and counted, what is refused."""

from __future__ import annotations

import gzip
from csv import reader
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from edu_pipeline.errors import FileInvalid
from edu_pipeline.sources import csv_lines
from edu_pipeline.sources.csv_lines import CsvFile, prepare

HEADER = "uai;nom;ips"
ROWS = ["0010001A;Lycée Quinet;101.5", "0010002B;Lycée Lalande;", "0010003C;Lycée Carriat;98"]


def prepared(tmp_path: Path, text: str | bytes, encoding: str = "utf-8", delimiter: str | None = None) -> CsvFile:
    path = tmp_path / "file.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return prepare(path, encoding, delimiter, tmp_path, "a-source 2026-01-01, file file.csv")


def rows(csv: CsvFile) -> list[tuple[str | None, ...]]:
    return pl.read_csv(csv.path, separator=csv.delimiter, infer_schema=False).rows()


WHOLE = [
    ("0010001A", "Lycée Quinet", "101.5"),
    ("0010002B", "Lycée Lalande", None),
    ("0010003C", "Lycée Carriat", "98"),
]


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("begin", ["", "\ufeff"])
def test_a_whole_file_is_read_as_it_is(tmp_path: Path, line_end: str, begin: str) -> None:
    csv = prepared(tmp_path, begin + line_end.join([HEADER, *ROWS, ""]))
    assert csv.path == tmp_path / "file.csv", "no copy is made"
    assert rows(csv) == WHOLE
    assert (csv.skipped, csv.notes, csv.refused.height) == ({}, (), 0)


def test_gzip(tmp_path: Path) -> None:
    text = "\n".join([HEADER, *ROWS, ";;", ""])
    path = tmp_path / "file.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    csv = prepare(path, "utf-8", None, tmp_path, "a-source")
    assert rows(csv) == WHOLE and csv.skipped == {"blank lines": 1}


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_the_delimiter_is_found(tmp_path: Path, delimiter: str) -> None:
    text = "\n".join(line.replace(";", delimiter) for line in [HEADER, *ROWS])
    csv = prepared(tmp_path, text)
    assert csv.delimiter == delimiter and rows(csv) == WHOLE


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;"])
def test_a_line_for_spreadsheets_is_skipped(tmp_path: Path, first: str) -> None:
    csv = prepared(tmp_path, "\r\n".join([first, HEADER, *ROWS]))
    assert rows(csv) == WHOLE and csv.skipped == {"lines above the header": 1}


@pytest.mark.parametrize("title", ["Indices de position sociale", "Indices de position sociale;;", ";;\nTitre;;\n;;"])
def test_titles_above_the_header_are_skipped(tmp_path: Path, title: str) -> None:
    csv = prepared(tmp_path, "\n".join([title, HEADER, *ROWS]))
    assert rows(csv) == WHOLE
    assert csv.skipped == {"lines above the header": title.count("\n") + 1}


def test_blank_lines_are_skipped_and_counted(tmp_path: Path) -> None:
    csv = prepared(tmp_path, "\n".join([HEADER, ROWS[0], ";;", "", '"";"";""', ROWS[1], " ; ; ", ROWS[2], ";;", ""]))
    assert rows(csv) == WHOLE and csv.skipped == {"blank lines": 5}


def test_an_empty_surplus_field_is_dropped_and_counted(tmp_path: Path) -> None:
    csv = prepared(tmp_path, "\n".join([HEADER, ROWS[0] + ";", ROWS[1] + ";;", ROWS[2]]))
    assert rows(csv) == WHOLE and csv.skipped == {"empty surplus fields": 3}


def test_a_surplus_field_with_text_is_refused(tmp_path: Path) -> None:
    csv = prepared(tmp_path, "\n".join([HEADER, ROWS[0], ROWS[1] + ";x", ROWS[2]]))
    assert rows(csv) == [WHOLE[0], WHOLE[2]]
    assert csv.refused.rows() == [(3, "expected 3 fields, found 4", "0010002B;Lycée Lalande;;x")]


def test_a_file_cut_in_its_last_line(tmp_path: Path) -> None:
    csv = prepared(tmp_path, "\n".join([HEADER, *ROWS[:2], "0010003C;Lyc"]))
    assert rows(csv) == WHOLE[:2]
    assert csv.refused.rows() == [(4, "expected 3 fields, found 2", "0010003C;Lyc")]


def test_delimiters_and_line_ends_in_quotes(tmp_path: Path) -> None:
    csv = prepared(tmp_path, f'{HEADER}\n0010001A;"Lycée; ""Quinet""";1\n0010002B;"Lycée\nLalande";2\n;;\n0010003C;x\n')
    assert rows(csv) == [("0010001A", 'Lycée; "Quinet"', "1"), ("0010002B", "Lycée\nLalande", "2")]
    assert csv.skipped == {"blank lines": 1}
    assert csv.refused["line"].to_list() == [6]


def test_a_line_end_in_the_header(tmp_path: Path) -> None:
    csv = prepared(tmp_path, '"uai\n(code)";nom;ips\n' + "\n".join(ROWS))
    assert pl.read_csv(csv.path, separator=";").columns[0] == "uai\n(code)"
    assert rows(csv) == WHOLE


def test_a_quote_that_is_never_closed(tmp_path: Path) -> None:
    text = "\n".join([HEADER, *ROWS, '0010004D;"Lycée;1', *ROWS * 2000])
    with pytest.raises(FileInvalid, match=r"found one in line 5 that is not") as caught:
        prepared(tmp_path, text)
    assert len(str(caught.value)) < 1000


def test_a_quote_closed_by_that_of_another_line(tmp_path: Path) -> None:
    text = "\n".join([HEADER, ROWS[0], '0010002B;"Lycée;1', *ROWS, '0010003C;"Lycée Carriat";1'])
    with pytest.raises(FileInvalid, match="in line 3"):
        prepared(tmp_path, text)


@pytest.mark.parametrize(("encoding", "notes"), [("utf-8", 1), ("windows-1252", 0)])
def test_windows_1252(tmp_path: Path, encoding: str, notes: int) -> None:
    text = "\n".join([HEADER, *ROWS]).replace("Quinet", "Œuvre € ’")
    csv = prepared(tmp_path, text.encode("windows-1252"), encoding)
    assert rows(csv)[0] == ("0010001A", "Lycée Œuvre € ’", "101.5")
    assert len(csv.notes) == notes


def test_utf_8_where_windows_1252_was_expected(tmp_path: Path) -> None:
    assert rows(prepared(tmp_path, "\n".join([HEADER, *ROWS]), "windows-1252")) == WHOLE


def test_carriage_returns_alone(tmp_path: Path) -> None:
    csv = prepared(tmp_path, "\r".join([HEADER, *ROWS]))
    assert rows(csv) == WHOLE and csv.notes == ("its lines end in carriage returns",)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "found no text"),
        (b"\n\n\n", "found no text"),
        (f"{HEADER}\n0010001A;a\0b;1\n".encode(), "found a NUL byte in line 2"),
        (
            f"{HEADER}\n".encode() + b"0010001A;caf\xe9 \x81;1\n",
            "expected UTF-8 or windows-1252, found neither in line 2",
        ),
        (";".join(f"c{number}" for number in range(6_000)).encode(), "expected at most 5,000 columns, found 6,000"),
    ],
)
def test_what_is_no_table_is_an_error(tmp_path: Path, text: str | bytes, problem: str) -> None:
    with pytest.raises(FileInvalid, match=problem):
        prepared(tmp_path, text)


def test_a_file_of_other_lines_is_not_this_file(tmp_path: Path) -> None:
    with pytest.raises(FileInvalid, match=r"found 6 of 9 lines that are not, the first in line 3 \(expected 4 "):
        prepared(tmp_path, "a;b;c;d\n" + "1;2;3;4\n" + "1;2\n1;2;3\n" * 3 + "1;2;3;4\n", delimiter=";")


@given(
    st.lists(st.lists(st.text('ab;"\n ,é', max_size=4), min_size=3, max_size=3), min_size=1, max_size=6),
    st.sampled_from([";", ","]),
)
@hypothesis_settings(max_examples=200, deadline=None)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]], delimiter: str
) -> None:
    """Whatever stands in quoted cells: every row that is not blank comes back."""
    folder = tmp_path_factory.mktemp("written")
    frame = pl.DataFrame(table, schema=["x1", "x2", "x3"], orient="row")
    path = folder / "file.csv"
    frame.write_csv(path, separator=delimiter, quote_style="always")
    csv = prepare(path, "utf-8", delimiter, folder, "a-source")
    expected = [row for row in table if any(cell.strip() for cell in row)]
    read = pl.read_csv(csv.path, separator=delimiter, infer_schema=False).fill_null("")
    blank = len(table) - len(expected)
    kept = [list(row) for row in read.rows() if any(cell.strip() for cell in row)]
    assert kept == expected
    assert csv.refused.is_empty() and csv.skipped.get(csv_lines.BLANK, 0) <= blank


FOUND_FAST = [
    ("plain", "a;b;c"),
    ("all quoted", '"a";"b";"c"'),
    ("some quoted", '"a";b;c'),
    ("a delimiter in quotes", '"a;b";c;d'),
    ("a delimiter in quotes in place of one", '"a;b";c'),
    ("only delimiters in quotes", '";";";"'),
    ("a doubled quote", '"a ""b""";"c";"d"'),
    ("doubled quotes beside delimiters", '"a"";""b";"c"'),
    ("blank", ' ;"";\t'),
    ("one too few", "a;b"),
    ("one too many", '"a";"b";"c";"d"'),
    ("an empty one too many", "a;b;c;"),
]


@pytest.mark.parametrize("line", [line for _, line in FOUND_FAST], ids=[name for name, _ in FOUND_FAST])
def test_plain_lines_are_told_by_counting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    """With and without counting, a line has the same fate."""
    text = "\n".join([HEADER, ROWS[0], line, ROWS[1], *ROWS * 3, ""])
    fast = prepared(tmp_path, text)
    fast_rows = rows(fast)
    monkeypatch.setattr(csv_lines, "_is_plain", lambda _: pl.lit(False))
    slow = prepared(tmp_path, text)
    assert (fast_rows, fast.refused.rows(), fast.skipped) == (rows(slow), slow.refused.rows(), slow.skipped)


@given(st.lists(st.text('a;"', max_size=12), min_size=1, max_size=20))
@hypothesis_settings(max_examples=100, deadline=None)
def test_a_plain_line_is_a_row(lines: list[str]) -> None:
    """What is counted as plain has three fields for Python's own reader too."""
    header = csv_lines._Header(1, 3, ";")
    plain = pl.DataFrame({"line": lines}).filter(csv_lines._is_plain(header))["line"]
    assert all(len(next(reader([line], delimiter=";", strict=True))) == 3 for line in plain)
