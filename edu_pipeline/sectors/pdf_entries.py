"""The entries of a list of lycées' sectors: town, street, zone, and the zone's lycées.

Belongs here: putting lines together to entries, and the form of an entry. Does not belong here: the lines
(``pdf_text.py``), which commune and which schools are meant (``pdf_segments.py``).

The form is that of the académie de Versailles: ``Antony : A RIOU (RUELLE) 92ANTON1 [_] DESCARTES (Antony) , [X] JEAN
JAURES (Châtenay-Malabry)``. An entry ends where it is complete and nothing that continues it follows, in the next
column or on the next page as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from edu_pipeline.sectors.pdf_text import Line

BEGINS = re.compile(r"[^\W\d_][^:\[\]]*:(\s|$)")
"""A line with which an entry begins: a town and a colon."""

LYCEE = re.compile(r"\[(?P<mark>[^\[\]])\]\s*(?P<name>[^,\[\]()]+?)\s*\((?P<town>[^()\[\]]+)\)")
ENTRY = re.compile(
    r"(?P<town>[^:\[\]]+?)\s*:\s*(?P<street>[^\[\]]+?)\s+(?P<zone>\d\d[A-Z][A-Z0-9]*)\s+(?P<lycees>\[.*)", re.DOTALL
)
BETWEEN = re.compile(r"\s*,\s*")

MAIN = ("X", "x", "×")
"""Marks of the lycée that is a zone's first; the others have another one, ``_``."""

HYPHENS = ("-", "\u2010", "\u2011", "\u00ad")
"""With these a line may end in the middle of a name; the last one is seen there only."""


class Lycee(NamedTuple):
    """A lycée as an entry names it."""

    name: str
    town: str


class Entry(NamedTuple):
    """An entry: the street of a town, its zone, and the zone's lycées in order.

    Attributes:
        page: where it begins.
        text: all of it, on one line.
        lines: of how many lines it is made.
    """

    page: int
    text: str
    lines: int
    town: str
    street: str
    zone: str
    lycees: tuple[Lycee, ...]


class Unread(NamedTuple):
    """Text that is no entry, or one that means nothing certain, and why."""

    page: int
    text: str
    lines: int
    reason: str


def entries(lines: Iterable[Line], is_town: Callable[[str], bool]) -> Iterator[Entry | Unread]:
    """The entries that lines make, in order; every line is part of exactly one of them, or of what cannot be read.

    Args:
        is_town: whether there is a town of a name, which may be on two lines.
    """
    page, text, count = 0, "", 0
    for line in lines:
        if count and _continues(text, line.text, is_town):
            text, count = joined(text, line.text), count + 1
            continue
        if count:
            yield _read(page, text, count)
        page, text, count = line.page, line.text, 1
    if count:
        yield _read(page, text, count)


def joined(text: str, more: str) -> str:
    """A text with the next line: without a blank after the hyphen of a name that goes on there."""
    if text.endswith(HYPHENS) and not text.endswith((" -", " \u2010")):
        return text[:-1] + more if text.endswith("\u00ad") else text + more
    return f"{text} {more}"


def _continues(text: str, line: str, is_town: Callable[[str], bool]) -> bool:
    """Whether a line goes on with the text: a list of lycées does, the second half of a town, and whatever follows an
    entry that is not whole and is no beginning itself."""
    if BEGINS.match(line):
        return ":" not in text and is_town(joined(text, line.partition(":")[0].strip()))
    return line.startswith((",", "[")) or (BEGINS.match(text) is not None and _parsed(text) is None)


def _read(page: int, text: str, count: int) -> Entry | Unread:
    entry = _parsed(text)
    if entry is None:
        return Unread(page, text, count, "expected `TOWN : STREET ZONE [X] Lycée (Town), ...`, found something else")
    found, marked = entry
    main = [lycee for mark, lycee in marked if mark in MAIN]
    others = [lycee for mark, lycee in marked if mark not in MAIN]
    return Entry(page, text, count, found["town"], found["street"], found["zone"], tuple(dict.fromkeys(main + others)))


def _parsed(text: str) -> tuple[re.Match[str], list[tuple[str, Lycee]]] | None:
    """The parts of an entry, and its lycées with their marks; None if the text is not a whole one."""
    found = ENTRY.fullmatch(text)
    if not found:
        return None
    marked, position = [], 0
    rest = found["lycees"]
    while lycee := LYCEE.match(rest, position):
        marked.append((lycee["mark"], Lycee(lycee["name"], lycee["town"])))
        if lycee.end() == len(rest):
            return found, marked
        between = BETWEEN.match(rest, lycee.end())
        position = between.end() if between else len(rest)
    return None
