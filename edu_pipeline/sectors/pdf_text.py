"""The text of a PDF as lines in reading order, column by column, apart from what its pages repeat as headers.

Belongs here: the layout of pages. Does not belong here: what the lines say (``pdf_entries.py``).

pdfplumber reads the text, since a public reader of these PDFs does so with success. It needs no word at a line's end
to be put together again, which is left to the lines' reader: PDFium replaces the hyphen of ``Saint-`` / ``Denis`` by a
character that is none. But PDFium counts the characters of each page, so that text which one of the two drops is seen.

A gap divides columns only if entries begin to the right of it, so that wide gaps within a line divide nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np

from edu_pipeline.errors import FileInvalid, SettingInvalid, shown

GAP = 8.0
"""Points between two words of a line, or between two columns, that are more than a blank."""

SAME_LINE = 3.0
"""Points by which the tops of the words of a line may differ, which is pdfplumber's own tolerance."""

CROSSING = 0.1
"""Share of the lines that may run across the gap between two columns, such as titles."""

EDGE = 4
"""Lines at the top of a page, and at its bottom, among which headers and footers are."""

LIGATURES = re.compile("[\ufb00-\ufb06]")
"""Letters that are drawn as one, such as ``ﬁ``."""

Word = dict[str, Any]


class Line(NamedTuple):
    """A line of text and the number of its page, from 1."""

    page: int
    text: str


class Text(NamedTuple):
    """The text of a PDF.

    Attributes:
        pages: how many there are.
        lines: in reading order, without headers.
        headers: lines that more than half of the pages have, but for their digits.
        doubtful: pages of which another reader counts another number of characters, with a reason.
    """

    pages: int
    lines: list[Line]
    headers: list[Line]
    doubtful: list[Line]


def read(path: Path, begins: re.Pattern[str]) -> Text:
    """The text of a PDF.

    Args:
        begins: matches lines with which an entry begins.

    Raises:
        FileInvalid: it is no PDF that can be read.
        SettingInvalid: the package pdfplumber is not installed.
    """
    words, counts = _words(path)
    pages = [_rows(of_page) for of_page in words]
    edges = _edges(pages)
    headers = [Line(page, _text(pages[page - 1][row])) for page, row in sorted(edges)]
    bodies = [
        [row for index, row in enumerate(rows) if (page, index) not in edges] for page, rows in enumerate(pages, 1)
    ]
    gutters = _gutters([row for body in bodies for row in body], begins)
    lines = [Line(page, line) for page, body in enumerate(bodies, 1) for line in _in_order(body, gutters)]
    return Text(len(pages), lines, headers, list(_doubtful([*headers, *lines], counts)))


def plain(text: str) -> str:
    """The text with single letters in place of ligatures, and accents as parts of their letters."""
    return unicodedata.normalize("NFC", LIGATURES.sub(lambda found: unicodedata.normalize("NFKC", found[0]), text))


def _words(path: Path) -> tuple[list[list[Word]], list[int]]:
    """The words of each page with their places, and how many characters PDFium counts there, blanks apart."""
    try:
        import pdfplumber  # noqa: PLC0415 - an extra
        import pypdfium2  # noqa: PLC0415 - comes with pdfplumber
    except ImportError as error:
        raise SettingInvalid(
            "sectors read-pdf",
            "expected the package pdfplumber, found none.",
            "Install it with the extra: pip install 'edu_pipeline[pdf]'.",
        ) from error
    try:
        with pdfplumber.open(path) as pdf:
            words = [page.extract_words(expand_ligatures=False) for page in pdf.pages]
        document = pypdfium2.PdfDocument(path)
        counts = [_count([page.get_textpage().get_text_range()]) for page in document]
        document.close()
    except Exception as error:  # the two libraries have no common class for damaged files
        raise FileInvalid(
            str(path),
            f"expected a PDF, found something that cannot be read: {type(error).__name__} {shown(error)}.",
            "Look at the file; if it is protected, save it without protection.",
        ) from error
    return words, counts


def _doubtful(lines: Iterable[Line], counts: Sequence[int]) -> Iterator[Line]:
    """The pages whose lines have more or fewer characters than PDFium counts, or none at all."""
    found: Counter[int] = Counter()
    for line in lines:
        found[line.page] += _count([line.text])
    for page, expected in enumerate(counts, 1):
        if not expected or found[page] != expected:
            text = f"expected the {expected:,} characters that PDFium counts on the page, found {found[page]:,}"
            yield Line(page, text if expected else "expected text, found none: is it a picture of a page?")


def _count(texts: Iterable[str]) -> int:
    return sum(not character.isspace() for text in texts for character in plain(text))


def _rows(words: list[Word]) -> list[list[Word]]:
    """The words of a page line by line, from left to right."""
    rows: list[list[Word]] = []
    for word in sorted(words, key=lambda word: (word["top"], word["x0"])):
        if rows and word["top"] - rows[-1][0]["top"] <= SAME_LINE:
            rows[-1].append(word)
        else:
            rows.append([word])
    return [sorted(row, key=lambda word: float(word["x0"])) for row in rows]


def _gutters(rows: Sequence[list[Word]], begins: re.Pattern[str]) -> list[float]:
    """The middles of the gaps between columns, from left to right; the columns are the same on all pages."""
    if not rows:
        return []
    last = max(word["x1"] for row in rows for word in row)
    covered = np.zeros(int(last) + 2, dtype=np.int64)
    for row in rows:
        for first, end in _stretches(row):
            covered[int(first) : int(end) + 1] += 1
    is_free = covered <= CROSSING * len(rows)
    edges = np.flatnonzero(np.diff(is_free.astype(np.int8), prepend=0, append=0))
    gaps = [(start, end) for start, end in edges.reshape(-1, 2) if end - start >= GAP and start and end <= last]
    gutters: list[float] = []
    for start, end in reversed(gaps):
        middle = (start + end) / 2
        right = (_part(row, middle, gutters[0] if gutters else np.inf) for row in rows if not _crosses(row, middle))
        if any(begins.match(_text(part)) for part in right if part):
            gutters.insert(0, middle)
    return gutters


def _stretches(row: list[Word]) -> Iterator[tuple[float, float]]:
    """From where to where a line has text, blanks between words included."""
    first, end = row[0]["x0"], row[0]["x1"]
    for word in row[1:]:
        if word["x0"] - end >= GAP:
            yield first, end
            first = word["x0"]
        end = max(end, word["x1"])
    yield first, end


def _crosses(row: list[Word], x: float) -> bool:
    return any(first < x < end for first, end in _stretches(row))


def _part(row: list[Word], left: float, right: float) -> list[Word]:
    return [word for word in row if left <= word["x0"] < right]


def _text(words: Iterable[Word]) -> str:
    return plain(" ".join(word["text"] for word in words))


def _in_order(rows: list[list[Word]], gutters: list[float]) -> list[str]:
    """The lines of a page; one that crosses a gap between columns ends what is above it."""
    lines: list[str] = []
    edges = [0.0, *gutters, np.inf]
    columns: list[list[str]] = [[] for _ in edges[1:]]

    def end_block() -> None:
        for column in columns:
            lines.extend(column)
            column.clear()

    for row in rows:
        if any(_crosses(row, gutter) for gutter in gutters):
            end_block()
            lines.append(_text(row))
            continue
        for column, left, right in zip(columns, edges, edges[1:], strict=False):
            if part := _part(row, left, right):
                column.append(_text(part))
    end_block()
    return lines


def _edges(pages: Sequence[list[list[Word]]]) -> set[tuple[int, int]]:
    """Page and position of the rows that are headers or footers: at an edge of the page, one after the other, and on
    more than half of the pages the same but for digits, and in the same place."""
    edges: set[tuple[int, int]] = set()
    for from_edge in (range(EDGE), range(-1, -EDGE - 1, -1)):
        for position in from_edge:
            rows = {
                page: (position % len(rows), rows[position])
                for page, rows in enumerate(pages, 1)
                if -len(rows) <= position < len(rows)
            }
            kind, _ = (Counter(filter(None, (_kind(row) for _, row in rows.values()))).most_common(1) or [("", 0)])[0]
            alike = {page: (index, row[0]["top"]) for page, (index, row) in rows.items() if kind and _kind(row) == kind}
            place = median(top for _, top in alike.values()) if alike else 0.0
            headers = {(page, index) for page, (index, top) in alike.items() if abs(top - place) <= SAME_LINE}
            if len(headers) <= max(1, len(pages) / 2):
                break
            edges |= headers
    return edges


def _kind(row: list[Word]) -> str:
    """The text without digits, which in a header are those of pages and dates; empty for what may be of an entry."""
    text = re.sub(r"\d+", "#", _text(row))
    return "" if "[" in text or text.endswith((")", ",", "-")) else text
