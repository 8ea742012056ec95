"""The texts of the interface, and how values are written."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from string import Formatter

import pytest

from edu_pipeline import site
from edu_pipeline.site.rows import SCRIPT
from edu_pipeline.site.texts import LANGUAGES, number, size, text, texts
from edu_pipeline.site.values import cell, figure, marked

FOLDER = Path(site.__file__).parent
NAMED = re.compile(r"\bt\('([\w.]+)'(?! \+|\))|\bt\('([\w.]+)'\)")


def values_of(text: str) -> set[str | None]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def test_every_text_is_in_every_language_with_the_same_values() -> None:
    for name, by_language in texts().items():
        assert set(by_language) == set(LANGUAGES), name
        assert len({frozenset(values_of(one)) for one in by_language.values()}) == 1, name
        assert all(one.strip() for one in by_language.values()), name


def test_templates_name_texts_that_exist() -> None:
    named = {
        first or second
        for path in (FOLDER / "templates").glob("*.html")
        for first, second in NAMED.findall(path.read_text(encoding="utf-8"))
    }
    assert len(named) > 50
    assert named <= set(texts())


def test_texts_of_the_scripts_exist() -> None:
    script = (FOLDER / "static" / "rows.mjs").read_text(encoding="utf-8")
    hows = {"contains", "is", "least", "most", "null", "known"}
    assert set(re.findall(r"texts\.(\w+)", script)) | hows == set(SCRIPT)
    assert {f"rows.{name}" for name in SCRIPT} <= set(texts())


def test_a_text_without_its_value_is_an_error() -> None:
    with pytest.raises(KeyError):
        text("en", "frame.day")
    with pytest.raises(KeyError):
        text("en", "frame.nothing_of_that_name")


def test_numbers_are_written_as_in_the_language() -> None:
    assert (number("en", 1234567.891, 1), number("fr", 1234567.891, 1)) == ("1,234,567.9", "1\u202f234\u202f567,9")
    assert (size("en", 0), size("fr", 250_600), size("en", 23_400_000)) == (
        "0.1\u00a0kB",
        "250,6\u00a0ko",
        "23.4\u00a0MB",
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2024, "2024"),
        (Decimal("2024.0"), "2024"),
        (12345, "12\u202f345"),
        (1234.56, "1\u202f235"),
        (0.123456, "0,1235"),
        (Decimal("-17.25"), "-17,25"),
        (date(2026, 1, 2), "2026-01-02"),
    ],
)
def test_figures_have_at_most_four_digits(value: object, written: str) -> None:
    assert figure("fr", value) == written


def test_cells_are_as_in_the_data() -> None:
    values = [None, True, 1.5, "01004", ["a", "b"], b"123", "x" * 500]
    assert [cell(value) for value in values[:-1]] == ["", "true", "1.5", "01004", "a, b", "WKB, 3 bytes"]
    assert len(cell(values[-1])) == 120


def test_backticks_are_code_and_nothing_is_markup() -> None:
    assert marked("a `b<c>` & d") == "a <code>b&lt;c&gt;</code> &amp; d"
