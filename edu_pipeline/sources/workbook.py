"""How large a workbook is in memory, before it is read.

Belongs here: cells, texts and entities of its sheets. Does not belong here: the zip archive around them
(``unpacking.py``), reading the cells (``readers.py``).

A sheet is held as a rectangle that reaches to its last cell, and every cell has its own copy of a shared text. So a
small workbook with one cell far away, or with one long text in many cells, would need more memory than any machine has.
"""

from __future__ import annotations

import re
import zipfile
from array import array
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from edu_pipeline.errors import FileInvalid, shown
from edu_pipeline.sources.unpacking import member_content, open_zip, too_large

MAX_CELLS = 10_000_000
"""Cells of a sheet, empty ones included, and of texts that cells share; the largest real one has about a million."""

MARKER = "xl/workbook.xml"
"""The member that makes a zip archive a workbook."""

PLACE = re.compile(r"([A-Za-z]{1,7})([0-9]{1,10})")
VALUES = ("v", "t")
"""The elements that hold the value of a cell."""

LONGEST_NUMBER = 12
"""Digits of the number of a row or of a shared text, at most."""


class _RootKnown(Exception):
    """Parsing can stop: the first element is known."""


def check_workbook(path: Path, limit: int, where: str) -> None:
    """Check that all sheets of a workbook fit into memory.

    Args:
        limit: how many bytes the archive may unpack to, and how many characters the texts of a sheet may have.

    Raises:
        FileInvalid: it is damaged, a sheet is too large, or its XML declares entities.
    """
    with open_zip(path, limit, where) as archive:
        parts = [(info, _root(archive, info, where)) for info in archive.infolist() if not info.is_dir()]
        texts = _SharedTexts(where)
        for info in (info for info, root in parts if root == "sst"):
            texts.parse(member_content(archive, info, where), info.filename)
        for info in (info for info, root in parts if root == "worksheet"):
            _check_sheet(archive, info, texts.lengths, limit, where)


def _root(archive: zipfile.ZipFile, info: zipfile.ZipInfo, where: str) -> str:
    """The name of the first element of a member; nothing if it is not XML."""
    root = ""

    def start(name: str, attributes: dict[str, str]) -> NoReturn:
        nonlocal root
        root = _local(name)
        raise _RootKnown

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.StartDoctypeDeclHandler = lambda *declaration: start("worksheet", {})  # which is refused for it
    try:
        for chunk in member_content(archive, info, where):
            parser.Parse(chunk)
    except (_RootKnown, expat.ExpatError):
        return root
    return root


class _Part:
    """Follows the elements of one XML part of a workbook.

    Attributes:
        needs_text: whether ends of elements and text are of interest, which takes twice as long.
    """

    needs_text = True

    def __init__(self, where: str) -> None:
        self.where, self.name = where, ""

    def parse(self, content: Iterable[bytes], name: str) -> None:
        """Follow all of ``content``, that of the member ``name``."""
        self.name = name
        parser = expat.ParserCreate()
        parser.buffer_text = True
        parser.StartElementHandler = self.start
        if self.needs_text:
            parser.EndElementHandler, parser.CharacterDataHandler = self.end, self.text
        parser.StartDoctypeDeclHandler = lambda *declaration: self.refuse("expected no DOCTYPE, found one")
        try:
            for chunk in content:
                parser.Parse(chunk)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            self.refuse(f"expected XML, found something that does not parse: {error}")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """An element ends."""

    def text(self, text: str) -> None:
        """A piece of text."""

    def refuse(self, problem: str) -> NoReturn:
        """Refuse the workbook."""
        raise FileInvalid(
            f"{self.where}, {shown(self.name)}",
            f"{problem}.",
            "Open the workbook, and save the sheet that is needed as CSV or in a new workbook. The previous release "
            "stays in use.",
        )

    def check_count(self, count: int, things: str) -> None:
        """Refuse the workbook if it has too many of something."""
        if count > MAX_CELLS:
            self.refuse(f"expected at most {MAX_CELLS:,} {things}, found {count:,}")


class _SharedTexts(_Part):
    """The texts that cells share.

    Attributes:
        lengths: how many characters each of them has.
    """

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.lengths = array("Q")

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if _local(name) == "si":
            self.lengths.append(0)
            self.check_count(len(self.lengths), "shared texts")

    def text(self, text: str) -> None:
        if self.lengths:
            self.lengths[-1] += len(text)


class _Sheet(_Part):
    """The cells of a sheet.

    Attributes:
        cells: how many cells have a value.
    """

    needs_text = False

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.row = self.column = 0
        self.last_row = self.last_column = 0
        self.cells = 0
        self.is_shared = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        name = _local(name)
        if name == "c":
            self.column += 1
            if place := PLACE.fullmatch(attributes.get("r", "")):
                self.row, self.column = int(place[2]), _column_number(place[1])
            self.is_shared = attributes.get("t") == "s"
        elif name in VALUES:
            self.cells += 1
            if self.row > self.last_row or self.column > self.last_column:
                self.last_row, self.last_column = max(self.last_row, self.row), max(self.last_column, self.column)
                self.check_count(self.last_row * self.last_column, "cells up to the last one")
        elif name == "row":
            self.row, self.column = _number(attributes.get("r"), self.row + 1), 0


class _SheetTexts(_Sheet):
    """The same with the length of all texts, where shared ones count as often as cells have them.

    Args:
        lengths: those of the shared texts.
        limit: how many characters a sheet may have.
    """

    needs_text = True

    def __init__(self, lengths: array[int], limit: int, where: str) -> None:
        super().__init__(where)
        self.lengths, self.limit = lengths, limit
        self.characters = 0
        self.value = ""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        super().start(name, attributes)
        self.value = ""

    def end(self, name: str) -> None:
        if _local(name) in VALUES and self.is_shared:
            number = _number(self.value, -1)
            self.characters += self.lengths[number] if 0 <= number < len(self.lengths) else 0
        self.value = ""
        if self.characters > self.limit:
            raise too_large(f"{self.where}, {shown(self.name)}", self.limit, "cells with more text")

    def text(self, text: str) -> None:
        if self.is_shared and len(self.value) < LONGEST_NUMBER:
            self.value += text[:LONGEST_NUMBER]
        elif not self.is_shared:
            self.characters += len(text)


def _check_sheet(archive: zipfile.ZipFile, info: zipfile.ZipInfo, lengths: array[int], limit: int, where: str) -> None:
    """Check a sheet; its texts are only added up if they might be too long."""
    sheet = _Sheet(where)
    sheet.parse(member_content(archive, info, where), info.filename)
    if info.file_size + sheet.cells * max(lengths, default=0) > limit:
        _SheetTexts(lengths, limit, where).parse(member_content(archive, info, where), info.filename)


def _local(name: str) -> str:
    """The name of an element without its prefix."""
    return name.rpartition(":")[2] if ":" in name else name


def _number(text: str | None, default: int) -> int:
    return int(text) if text and text.strip().isdecimal() and len(text) < LONGEST_NUMBER else default


@lru_cache(maxsize=1 << 15)
def _column_number(letters: str) -> int:
    """The number of a column by its letters: 1 for A, 27 for AA."""
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
