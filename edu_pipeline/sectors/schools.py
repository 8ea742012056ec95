"""Which school of the directory a publisher means who gives names and no codes.

Belongs here: comparing names and addresses of schools. Does not belong here: which schools come into question (those of
a département or a commune, say), which the caller knows.

The same name, or one that contains the other, decides if only one school has it; among several the address does. A name
that only contains the other is not enough if the addresses are in different streets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rapidfuzz import fuzz, process

from edu_pipeline.errors import shown
from edu_pipeline.sectors import labels

KIND = re.compile(
    r"(COLLEGE|LYCEE)\b(\W*\b(PUBLIC|PRIVE|GENERAL|TECHNOLOGIQUE|PROFESSIONNEL|POLYVALENT|METIERS|ET|DES|D|ENSEIGNEMENT)\b)*"
)
"""How the names of the directory begin: with the kind of school, in capitals without accents."""

NUMBERED = re.compile(r"(\d+)\s*(?:BIS|TER|QUATER|[A-Z])?\b[\s,]*(.*)")
POSTAL = re.compile(r"\b\d{5}\b.*")

SHOWN = 5
"""Most candidates that a reason lists."""

Place = tuple[str, str]
"""House number, empty if there is none, and street as ``labels.read`` reads it."""


class School(NamedTuple):
    """A school of the directory.

    Attributes:
        uai: its code.
        name: as the directory has it.
        words: the words of the name that count.
        places: its address, once for each part between commas.
    """

    uai: str
    name: str
    words: frozenset[str]
    places: frozenset[Place]


class Found(NamedTuple):
    """The code of a school, or why there is none."""

    uai: str | None
    reason: str | None


def school(uai: str, name: str, address: str | None) -> School:
    """A school by its code, its name, and its address on one line."""
    return School(uai, name, _words(name), _places(address))


def find(name: str, address: str | None, schools: Sequence[School]) -> Found:
    """The only one of some schools that a name and an address mean.

    Returns:
        Its code; or the reason, which names the candidates: none has such a name, or several have.
    """
    words, places = _words(name), _places(address)
    same = [one for one in schools if words and one.words == words]
    candidates = same or [one for one in schools if words and one.words and (one.words <= words or words <= one.words)]
    at_address = [one for one in candidates if one.places & places] or [
        one for one in candidates if _streets(one.places) & _streets(places)
    ]
    if len(at_address) == 1:
        return Found(at_address[0].uai, None)
    if len(candidates) == 1 and (same or not places or not candidates[0].places):
        return Found(candidates[0].uai, None)
    asked = shown(name if address is None else f"{name}, {address}")
    if candidates:
        return Found(None, f"expected one school named {asked}, found {_listed(at_address or candidates)}")
    closest = process.extract(
        _spelt(words), {one: _spelt(one.words) for one in schools}, scorer=fuzz.token_sort_ratio, limit=SHOWN
    )
    return Found(None, f"expected a school named {asked}, found none; closest: {_listed(one for *_, one in closest)}")


def _words(name: str) -> frozenset[str]:
    """The words of a name without the kind of school; the kind in front keeps the first one from being a street's."""
    own = KIND.sub("", labels.bare(name), count=1) if KIND.match(labels.bare(name)) else name
    return frozenset(labels.read(f"COLLEGE {own}").words) - {"COLLEGE"}


def _spelt(words: frozenset[str]) -> str:
    return " ".join(sorted(words))


def _places(address: str | None) -> frozenset[Place]:
    parts = (POSTAL.sub("", labels.bare(part)).strip() for part in (address or "").split(","))
    return frozenset(_place(part) for part in parts if part)


def _place(part: str) -> Place:
    numbered = NUMBERED.fullmatch(part)
    number, street = numbered.groups() if numbered else ("", part)
    return number.lstrip("0"), labels.read(street).content


def _streets(places: frozenset[Place]) -> set[str]:
    return {street for _, street in places if street}


def _listed(candidates: Iterable[School]) -> str:
    listed = list(candidates)
    rest = f" and {len(listed) - SHOWN} more" if len(listed) > SHOWN else ""
    return ", ".join(f"{one.uai} {shown(one.name)}" for one in listed[:SHOWN]) + rest or "no school at all"
