"""Segments as an operator hands them in, from the entries of a list of lycées' sectors.

Belongs here: which commune and which lycées an entry means, and the street as others write it. Does not belong here:
the form of entries (``pdf_entries.py``), the columns' meaning (docs/sectorisation.md).

An entry with a town, a lycée or house numbers about which there is a doubt is not read: it stays with its reason.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import NamedTuple

import polars as pl

from edu_pipeline.sectors import labels, schools
from edu_pipeline.sectors.pdf_entries import Entry, Unread, entries
from edu_pipeline.sectors.pdf_text import Text
from edu_pipeline.sectors.schools import School

COMMUNES = ("code_commune", "nom_commune", "code_departement")
LYCEES = ("uai", "nom_etablissement", "nom_commune", "code_departement", "code_academie")
"""The columns that are read of the communes, and of the directory's public lycées with a general track."""

SEGMENT = ("code_commune", "libelle_rue", "number_from", "number_to", "side", "uai_colleges", "uai_lycees")
COLUMNS = (*SEGMENT, "zone_name", "rentree_scolaire", "rule", "page")
"""The columns of the segments; the last one is for who looks something up."""

NUMBERED = re.compile(
    r"N°|\b(NUMEROS?|IMPAIRE?S?|PAIRE?S?|APRES|JUSQU|A PARTIR)\b|\d+ ?(BIS|TER|QUATER)? ?(A|AU|-|/) ?\d+"
)
"""What may say that a street is meant in part, in capitals without accents."""

BRACKETS = re.compile(r"^(?P<name>[^()]+?)\s*\((?P<before>[^()]+)\)$")


class Reading(NamedTuple):
    """What was read of a PDF.

    Attributes:
        segments: rows with ``COLUMNS``, all text.
        unread: what was not, with its reason.
        lines: how many lines of text the PDF has, headers apart, and how many of them the segments are made of.
    """

    segments: list[dict[str, str]]
    unread: list[Unread]
    lines: int
    lines_read: int


class Directory:
    """The communes and lycées that names are looked up in.

    Args:
        communes: with ``COMMUNES``.
        lycees: with ``LYCEES``.
    """

    def __init__(self, communes: pl.DataFrame, lycees: pl.DataFrame) -> None:
        self._communes: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        self._towns: set[str] = set()
        for code, name, departement in communes.select(COMMUNES).rows():
            self._communes[departement, _town(name)][code] = name
            self._towns.add(_town(name))
        self._lycees: dict[tuple[str, str], list[School]] = defaultdict(list)
        self._academies: dict[str, str] = {}
        for uai, name, town, departement, academie in lycees.select(LYCEES).rows():
            self._lycees[academie, _town(town or "")].append(schools.school(uai, name, None))
            self._academies[departement] = academie

    def is_town(self, name: str) -> bool:
        """Whether any commune has the name."""
        return _town(name) in self._towns

    def commune(self, departement: str, name: str) -> tuple[str | None, str | None]:
        """The code of a département's only commune of that name, or why there is none."""
        found = self._communes.get((departement, _town(name)), {})
        if len(found) == 1:
            return next(iter(found)), None
        candidates = ", ".join(f"{code} {name}" for code, name in found.items()) or "none"
        return None, f"expected one commune of the département {departement} named {name}, found {candidates}"

    def lycee(self, departement: str, name: str, town: str) -> schools.Found:
        """The lycée of that name in a town of the département's académie."""
        academie = self._academies.get(departement, "")
        found = schools.find(name, None, self._lycees.get((academie, _town(town)), ()))
        return found if found.uai else found._replace(reason=f"{found.reason} (in {town})")


def read(text: Text, directory: Directory, rule: str, rentree: str | None) -> Reading:
    """Read the entries of a PDF's text.

    Args:
        rule: what the segments give as their source.
        rentree: their school year, ``2026-2027``; None: it is not known.
    """
    segments: list[dict[str, str]] = []
    unread: list[Unread] = []
    lines_read = 0
    for entry in entries(text.lines, directory.is_town):
        judged = entry if isinstance(entry, Unread) else _segment(entry, directory)
        if isinstance(judged, Unread):
            unread.append(judged)
        else:
            segments.append(judged | {"rule": rule, "rentree_scolaire": rentree or ""})
            lines_read += entry.lines
    return Reading(segments, unread, len(text.lines), lines_read)


def _segment(entry: Entry, directory: Directory) -> dict[str, str] | Unread:
    """The row of an entry, or why there is a doubt about it."""
    departement = entry.zone[:2]
    commune, no_commune = directory.commune(departement, entry.town)
    found = [directory.lycee(departement, lycee.name, lycee.town) for lycee in entry.lycees]
    reasons = [no_commune, *(one.reason for one in found)]
    if NUMBERED.search(labels.bare(entry.street, brackets=True)):
        reasons.append(f"expected a street, found one that may be meant in part: {entry.street}")
    if text := "; ".join(filter(None, reasons)):
        return Unread(entry.page, entry.text, entry.lines, text)
    return dict.fromkeys(COLUMNS, "") | {
        "code_commune": commune or "",
        "libelle_rue": _street(entry.street),
        "uai_lycees": ",".join(one.uai for one in found if one.uai),
        "zone_name": entry.zone,
        "page": str(entry.page),
    }


def _street(written: str) -> str:
    """The street with what is in brackets behind it in front: ``A RIOU (RUELLE)`` is ``RUELLE A RIOU``."""
    found = BRACKETS.match(written)
    return f"{found['before']} {found['name']}" if found else written


def _town(name: str) -> str:
    """A town's name in one form."""
    return labels.read(name).content
