"""When two labels mean the same street, exactly or closely.

Belongs here: the rules, and the keys of which two labels of one street share at least one. Does not belong here: how a
label is read (``labels.py``), which street a label means among others (``matching.py``).

Labels may differ only as those of one street do in two files: a first name as an initial, a label cut off, a title or a
year left out, one word misspelt. All other labels mean different streets: ``RUE DU BAC`` is not ``RUE DU LAC``, however
many letters they share.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from rapidfuzz import fuzz

from edu_pipeline.sectors.labels import YEAR, Label
from edu_pipeline.sectors.street_words import MONTHS

ALIKE = 90.0
"""What two spellings of a word must have in common at least, in percent (rapidfuzz's ratio), to be the same word.

``bench/street_labels.py`` prints precision and recall for other thresholds.
"""

SHORTEST, SHORTEST_ALONE = 7, 9
"""Letters at least of a word that may be misspelt, next to other words and alone: Rennes has a RUE DE LA NOUETTE and a
RUE NOGUETTE."""

CUT = (25, 26)
"""Lengths in characters of a name, without its type, that may have been cut off.

The labels of the cartes scolaires come from FANTOIR, the tax office's file of streets, in which names have 26
characters; a blank at the end is lost.
"""

Words = tuple[str, ...]


def exact_keys(label: Label) -> list[str]:
    """The keys of which two labels share at least one if they are exactly the same."""
    return list(dict.fromkeys((label.spaced, label.glued, label.content)))


@lru_cache(maxsize=1 << 16)
def close_keys(label: Label, *, of_street: bool) -> Sequence[str]:
    """The keys of which a label and a street's label share at least one if ``likeness`` is not 0.

    A key is the type, and the initials of the first and the last word, in letters or in sound, with and without titles
    and year; for a label that may be cut off only the initial of the first.

    Args:
        of_street: whether it is a street's label, which is not cut off.
    """
    variants = (label.words, label.untitled)
    firsts = _initials(words[:1] for words in variants)
    lasts = _initials(words[-1:] for variant in variants for words in (variant, _to_month(variant)))
    whole = [f"{label.kind}|{first}|{last}" for first in firsts for last in lasts]
    cut = [f"{label.kind}|{first}" for first in firsts]
    if of_street:
        return whole + cut
    return cut if label.length in CUT else whole


def _initials(variants: Iterable[Words]) -> list[str]:
    words = [word for words in variants for word in words]
    return list(dict.fromkeys(initial for word in words for initial in (word[:1], _sound(word)[:1])))


def same_number(label: Label, other: Label) -> bool:
    """Whether no word is singular in one label and plural in the other, as in RUE DE LA CROIX and RUE DES CROIX."""
    pairs = zip(reversed(label.links), reversed(other.links), strict=False)
    return all({*pair} != {"singular", "plural"} for pair in pairs)


def likeness(label: Label, other: Label) -> float:
    """How alike the words that differ are, in percent; 0 if the labels mean different streets.

    It is 100 if nothing is misspelt: the labels differ by an initial, a cut, a title or a year.

    Args:
        label: the label that may be cut off.
    """
    if label.kind != other.kind:
        return 0.0
    words, other_words = _without_year(*_without_titles(label, other))
    is_cut = label.length in CUT and len(words) <= len(other_words)
    if not words or (len(words) != len(other_words) and not is_cut):
        return 0.0
    is_plural = label.links[-1:] == other.links[-1:] == ("plural",)
    *pairs, (last, other_last) = zip(words, other_words, strict=False)
    different = [pair for pair in pairs if not _same_or_initial(*pair)]
    if (
        last != other_last
        and not (is_cut and other_last.startswith(last))
        and not (is_plural and _same_singular(last, other_last))
    ):
        different.append((last, other_last))
    if len(different) > 1 or not same_number(label, other):
        return 0.0
    shortest = SHORTEST_ALONE if len(words) == 1 else SHORTEST
    return min((_spelling(*pair, shortest) for pair in different), default=100.0)


def _without_titles(label: Label, other: Label) -> tuple[Words, Words]:
    """The words of both, without titles if only one of them has any.

    A name with an article is not a person's: RUE DE PARIS is not RUE DU GENERAL PARIS.
    """
    has_title, other_has_title = label.untitled != label.words, other.untitled != other.words
    without_title = other if has_title else label
    if has_title == other_has_title or any(without_title.links[:1]):
        return label.words, other.words
    return label.untitled, other.untitled


def _without_year(words: Words, other_words: Words) -> tuple[Words, Words]:
    """The same without the year after a month, if only one of them has it: RUE DU 11 NOVEMBRE 1918."""
    if other_words[-1:] and other_words[-1] in MONTHS:
        return _to_month(words), other_words
    if words[-1:] and words[-1] in MONTHS:
        return words, _to_month(other_words)
    return words, other_words


def _to_month(words: Words) -> Words:
    return words[:-1] if words[-2:-1] and words[-2] in MONTHS and YEAR.fullmatch(words[-1]) else words


def _same_singular(word: str, other: str) -> bool:
    return word.rstrip("SX") == other.rstrip("SX")


def _same_or_initial(word: str, other: str) -> bool:
    short, long = sorted((word, other), key=len)
    return word == other or (len(short) == 1 and short.isalpha() and long.startswith(short))


def _spelling(word: str, other: str, shortest: int) -> float:
    """How alike two spellings of a word are, in percent; 0 if they are different words."""
    if not (word.isalpha() and other.isalpha()) or min(len(word), len(other)) < shortest:
        return 0.0
    sound, other_sound = _sound(word), _sound(other)
    if sound == other_sound:
        return 100.0
    other_gender_or_number = sound.rstrip("ESX") == other_sound.rstrip("ESX")
    if sound[:1] != other_sound[:1] or other_gender_or_number:
        return 0.0
    return float(fuzz.ratio(word, other))


def _sound(word: str) -> str:
    """A word without the variations of French spelling that do not change its sound."""
    for pattern, sound in SOUNDS:
        word = pattern.sub(sound, word)
    return word


SOUNDS = [
    (re.compile(pattern), sound)
    for pattern, sound in (("PH", "F"), ("S?CH", "$"), ("H", ""), ("Y", "I"), ("W", "V"), (r"(.)\1", r"\1"))
]
