"""Which street of the Base Adresse Nationale (BAN) a label of the carte scolaire means, commune by commune.

Belongs here: the streets of a commune as an index of their labels (``Streets``), when two labels are one street,
exactly or closely, and a whole frame of labels matched (``match``). Does not belong here: how a label is read
(``labels.py``), where the street lies (``placing.py``).

A street is matched exactly if both labels have the same words once they are read, and one street alone has them. If
none has, it is matched closely: what differs must be a kind of difference that the same street shows in two files (a
first name as an initial, a label cut off, a title or a year left out, one word misspelt), and no other street may be
nearly as close. All else is another street: ``RUE DU BAC`` is not ``RUE DU LAC``, however many letters they share.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import polars as pl
from rapidfuzz import fuzz, process

from edu_pipeline.sectors.labels import IS_TITLE, MONTHS, YEAR, Label, read

ALIKE = 90.0
"""What two spellings of a word must have in common at least, in percent (rapidfuzz's ratio), to be one word.

``bench/street_labels.py`` prints precision and recall for other thresholds.
"""

WORTH_A_LOOK = 50.0
"""Labels of one type with less in common, in percent, are not compared word by word."""

CLEARLY = 5.0
"""The score by which a close match must be ahead of the second best."""

SHORTEST, SHORTEST_ALONE = 7, 9
"""Letters at least of a word that may be misspelt, beside other words and alone: Rennes has a RUE DE LA NOUETTE and a
RUE NOGUETTE."""

CUT = (25, 26)
"""Characters of a name, without its type, that may have been cut off.

The carte scolaire's labels come from FANTOIR, the tax office's file of streets, which has 26 for a name; a blank at
its end is lost.
"""

CLOSEST = 3
"""Streets that a reason names."""

MATCHED = {
    "code_commune": pl.String, "libelle_rue": pl.String, "street": pl.UInt32, "match_method": pl.String,
    "match_score": pl.Float64, "reason": pl.String,
}  # fmt: skip
"""The columns that ``match`` gives."""


Words = tuple[str, ...]


class Match(NamedTuple):
    """What became of a label: the street, how and how well it was matched, or why it was not."""

    street: int | None = None
    method: str | None = None
    score: float | None = None
    reason: str | None = None


class Streets:
    """The streets of one commune.

    Args:
        code: the commune.
        names: number of the street, its ``nom_voie`` and ``nom_afnor``; the first that is there is its name.
    """

    def __init__(self, code: str, names: Iterable[tuple[int, str | None, str | None]]) -> None:
        self.code = code
        self.names: dict[int, str] = {}
        self._labels: dict[int, list[Label]] = defaultdict(list)
        self._exact: dict[str, set[int]] = defaultdict(set)
        self._of_kind: dict[str, dict[int, str]] = defaultdict(dict)
        for street, *both in names:
            for name in filter(None, both):
                self.names.setdefault(street, name)
                label = read(name)
                self._labels[street].append(label)
                for key in (label.spaced, label.glued, label.content):
                    self._exact[key].add(street)
                self._of_kind[label.kind].setdefault(street, "".join(label.words))
        self._spaced = {street: labels[0].spaced for street, labels in self._labels.items()}

    def find(self, text: str) -> Match:
        """The street that ``text`` means."""
        label = read(text)
        return self._same(text, label) or self._close(text, label) or self._none(text, label)

    def _same(self, text: str, label: Label) -> Match | None:
        for key in (label.spaced, label.glued, label.content):
            found = [street for street in sorted(self._exact.get(key, ())) if self._agrees(label, street)]
            if len(found) == 1:
                return Match(found[0], "exact", 100.0)
            if found:
                return self._ambiguous(text, found)
        return None

    def _agrees(self, label: Label, street: int) -> bool:
        return any(same_number(label, other) for other in self._labels[street])

    def _close(self, text: str, label: Label) -> Match | None:
        candidates = process.extract(
            "".join(label.words), self._of_kind[label.kind], scorer=fuzz.ratio, score_cutoff=WORTH_A_LOOK, limit=None
        )
        close = [
            (score, street)
            for _, score, street in candidates
            if any(likeness(label, other) >= ALIKE for other in self._labels[street])
        ]
        if not close:
            return None
        best = close[0][0]
        rivals = [street for score, street in close if best - score < CLEARLY]
        return Match(rivals[0], "close", best) if len(rivals) == 1 else self._ambiguous(text, rivals)

    def _ambiguous(self, text: str, streets: Sequence[int]) -> Match:
        names = ", ".join(self.names[street] for street in streets[:CLOSEST])
        return Match(reason=f"{text} may be any of {len(streets)} streets of {self.code}: {names}")

    def _none(self, text: str, label: Label) -> Match:
        closest = process.extract(label.spaced, self._spaced, scorer=fuzz.ratio, limit=CLOSEST)
        names = ", ".join(self.names[street] for _, _, street in closest)
        return Match(
            reason=f"no street like {text} among the {len(self.names)} streets of {self.code}; closest: {names}"
        )


def match(labels: pl.DataFrame, streets: pl.DataFrame) -> pl.DataFrame:
    """Match the labels of any number of communes with the streets of the same communes.

    Args:
        labels: columns ``code_commune`` and ``libelle_rue``, one row per label or more.
        streets: columns ``code_insee``, ``street`` (the caller's number of a street), ``nom_voie``, ``nom_afnor``; a
            street may have several rows, one per spelling.

    Returns:
        One row per commune and label, the columns ``MATCHED``; ``reason`` says why ``street`` is NULL.
    """
    names = streets.select("code_insee", "street", "nom_voie", "nom_afnor").partition_by(
        "code_insee", as_dict=True, include_key=False
    )
    found: list[tuple[object, ...]] = []
    for (code,), wanted in labels.group_by("code_commune", maintain_order=True):
        here = names.get((code,))
        index = Streets(code, here.iter_rows()) if here is not None else None
        found.extend(
            (code, text, *_find(code, text, index)) for text in wanted["libelle_rue"].unique(maintain_order=True)
        )
    return pl.DataFrame(found, MATCHED, orient="row")


def _find(code: str, text: str | None, index: Streets | None) -> Match:
    if index is None:
        return Match(reason=f"no address of commune {code} in the BAN")
    if not text or not read(text).spaced:
        return Match(reason="the segment names no street")
    return index.find(text)


def same_number(one: Label, other: Label) -> bool:
    """Whether no word is singular in one label and plural in the other, as in RUE DE LA CROIX and RUE DES CROIX."""
    pairs = zip(reversed(one.links), reversed(other.links), strict=False)
    return all({*pair} != {"singular", "plural"} for pair in pairs)


def likeness(one: Label, other: Label) -> float:
    """How alike the words are that differ, in percent; 0 if the labels mean two streets by any of the rules.

    100 if nothing is misspelt: what differs is an initial, a cut, a title or a year.

    Args:
        one: the label that may be cut off.
    """
    if one.kind != other.kind or not same_number(one, other):
        return 0.0
    words, names = _without_year(*_without_titles(one, other))
    cut = one.length in CUT and len(words) <= len(names)
    if not words or (len(words) != len(names) and not cut):
        return 0.0
    plural = one.links[-1:] == other.links[-1:] == ("plural",)
    *pairs, (last, last_name) = zip(words, names, strict=False)
    differ = [pair for pair in pairs if not _same_or_initial(*pair)]
    if (
        last != last_name
        and not (cut and last_name.startswith(last))
        and not (plural and _same_singular(last, last_name))
    ):
        differ.append((last, last_name))
    if len(differ) > 1:
        return 0.0
    shortest = SHORTEST_ALONE if len(words) == 1 else SHORTEST
    return min((_spelling(*pair, shortest) for pair in differ), default=100.0)


def _without_titles(one: Label, other: Label) -> tuple[Words, Words]:
    """The words of both, without the titles if one alone has them.

    What is called by its article is no person: RUE DE PARIS is not RUE DU GENERAL PARIS.
    """
    titled = [any(word in IS_TITLE for word in label.words) for label in (one, other)]
    untitled = other if titled == [True, False] else one if titled == [False, True] else None
    if untitled is None or any(untitled.links[:1]):
        return one.words, other.words
    words, names = (tuple(word for word in label.words if word not in IS_TITLE) for label in (one, other))
    return words, names


def _without_year(words: Words, names: Words) -> tuple[Words, Words]:
    """The same without the year behind a month, if one alone has it: RUE DU 11 NOVEMBRE 1918."""
    if names[-1:] and names[-1] in MONTHS:
        return _to_month(words), names
    if words[-1:] and words[-1] in MONTHS:
        return words, _to_month(names)
    return words, names


def _to_month(words: Words) -> Words:
    return words[:-1] if YEAR.fullmatch(words[-1]) and words[-2:-1] and words[-2] in MONTHS else words


def _same_singular(one: str, other: str) -> bool:
    return one.rstrip("SX") == other.rstrip("SX")


def _same_or_initial(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    return one == other or (len(short) == 1 and short.isalpha() and long.startswith(short))


def _spelling(one: str, other: str, shortest: int) -> float:
    """How alike two spellings of a word are, in percent; 0 for what is a word of its own."""
    if not (one.isalpha() and other.isalpha()) or min(len(one), len(other)) < shortest:
        return 0.0
    sound, heard = _sound(one), _sound(other)
    if sound == heard:
        return 100.0
    if sound[:1] != heard[:1] or sound.rstrip("ESX") == heard.rstrip("ESX"):  # of another gender or number
        return 0.0
    return float(fuzz.ratio(one, other))


def _sound(word: str) -> str:
    """A word without what French spelling varies in without changing how it is said."""
    for pattern, sound in SOUNDS:
        word = pattern.sub(sound, word)
    return word


SOUNDS = [
    (re.compile(pattern), sound)
    for pattern, sound in (("PH", "F"), ("S?CH", "$"), ("H", ""), ("Y", "I"), ("W", "V"), (r"(.)\1", r"\1"))
]
