"""What the commands print: which columns of a table are left out in a narrow window."""

from __future__ import annotations

import pytest
from rich.console import Console

from edu_pipeline.cli import terminal
from edu_pipeline.cli.terminal import Column, fitting, print_table

COLUMNS = [
    Column("source", ["insee-rp", "[bold]onisep-60113c[/bold]"], 0),
    Column("publisher", ["INSEE", "Office national d'information"], 3, wraps_at=12),
    Column("bytes", ["2,856,394", "37,564"], 1, right=True),
    Column("release", ["20261129T132943Z", "first\nsecond"], 2),
]


def names(width: int) -> list[str]:
    return [column.name for column in fitting(COLUMNS, width)]


def test_columns_that_fit_are_chosen_the_most_useful_first() -> None:
    assert names(13 + 2 + 9 + 2 + 16 + 2 + 12) == ["source", "publisher", "bytes", "release"]
    assert names(13 + 2 + 9 + 2 + 16 + 2 + 11) == ["source", "bytes", "release"]
    assert names(13 + 2 + 9) == ["source", "bytes"]
    assert names(5) == ["source"]


@pytest.mark.parametrize("width", [10, 24, 60, 70, 80])
def test_no_line_is_longer_than_the_window(
    width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "out", Console(width=width))
    print_table(COLUMNS)
    printed = capsys.readouterr().out
    assert all(len(line) <= width for line in printed.splitlines())
    if width >= 24:
        assert "2,856,394" in printed
    assert ("--wide" in printed.replace("\n", " ")) is (len(names(width)) < len(COLUMNS))


def test_all_columns_are_printed_whole_on_request(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(terminal, "out", Console(width=20))
    print_table(COLUMNS, wide=True)
    heading, first, *_ = capsys.readouterr().out.splitlines()
    assert heading.split() == ["source", "publisher", "bytes", "release"]
    assert first.split() == ["insee-rp", "INSEE", "2,856,394", "20261129T132943Z"]


def test_what_is_piped_is_not_cut() -> None:
    assert terminal.out.width == terminal.UNCUT
