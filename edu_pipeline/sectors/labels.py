"""One form for street labels, however publishers write them: ``BD MAL FOCH`` is ``Boulevard du Maréchal Foch``.

Belongs here: reading a single label: its type of street, its words, which of them count. Does not belong here: the
vocabulary (``street_words.py``), whether two labels mean the same street (``matching.py``).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from edu_pipeline.sectors.street_words import (
    IS_TITLE,
    IS_TYPE,
    MONTHS,
    NUMBERS,
    ORDINALS,
    PHRASES,
    SAME_TYPE,
    SHORT,
    SMALL,
    TITLES,
    TYPES,
    TYPES_OF_TWO,
)

ROMAN = re.compile(r"X{0,3}(IX|IV|V?I{0,3})")
ROMAN_ORDINAL = re.compile(r"(?:(I)(?:ER|ERE)|([IVX]+)I?EME|(X[IVX]+|V[IVX]{2,})E)")
ORDINAL = re.compile(r"(\d+)(?:ERE|ER|I?EME|NDE|ND|E)")
TOKEN = re.compile(r"\d+(?:ERE|ER|I?EME|NDE|ND|E)?(?![A-Z])|\d+|[A-Z]+")
YEAR = re.compile(r"1[0-9]{3}|20[0-9]{2}")


class Label(NamedTuple):
    """A street label that was read.

    Attributes:
        kind: the type of street, written out; empty if there is none.
        words: the words that count, in order, titles shortened, numbers in digits.
        untitled: ``words`` without titles.
        links: the number of the small word before each of ``words``: ``singular``, ``plural`` or ``neutral``; empty if
            there is no small word.
        spaced: the type and all words, including small ones.
        glued: ``spaced`` without blanks: ``PRE CLOS`` is ``PRECLOS``.
        content: the type and ``words``, without blanks.
        length: the length in characters of the published name, without the type.
    """

    kind: str
    words: tuple[str, ...]
    untitled: tuple[str, ...]
    links: tuple[str, ...]
    spaced: str
    glued: str
    content: str
    length: int


@lru_cache(maxsize=1 << 16)
def read(label: str) -> Label:
    """Read a label as the cartes scolaires write it, or as the BAN does in ``nom_voie`` or ``nom_afnor``."""
    kind, rest = _kind(TOKEN.findall(bare(label)))
    tokens = _in_digits(_one_form(rest))
    words, links, link = [], [], ""
    for position, token in enumerate(tokens):
        if token in SMALL or (token == "LE" and not kind and position == 0):
            link = SMALL.get(token, "singular")
        else:
            words.append(token)
            links.append(link)
            link = ""
    if not words:  # the name consists of small words only
        words, links = tokens, [""] * len(tokens)
    spaced = " ".join([kind, *tokens]).strip()
    glued, content = (text.replace(" ", "") for text in (spaced, kind + "".join(words)))
    untitled = tuple(word for word in words if word not in IS_TITLE)
    return Label(kind, tuple(words), untitled, tuple(links), spaced, glued, content, len(" ".join(rest)))


def bare(label: str, *, brackets: bool = False) -> str:
    """Capitals without accents; text in brackets is not part of the name, unless ``brackets`` is true."""
    text = label.upper().replace("Œ", "OE").replace("Æ", "AE").replace("&", " ET ")
    text = text if brackets else re.sub(r"\([^)]*\)", " ", text)
    text = unicodedata.normalize("NFKD", text)
    return "".join(character for character in text if not unicodedata.combining(character))


def _kind(tokens: Sequence[str]) -> tuple[str, list[str]]:
    """The type of street, and the words after it; a label that is only a type is a name."""
    if not tokens:
        return "", []
    first = TYPES.get(tokens[0], tokens[0])
    for count, kind in ((2, " ".join([first, *tokens[1:2]])), (1, first)):
        if kind in IS_TYPE and (len(tokens) > count or kind in TYPES_OF_TWO):
            return SAME_TYPE.get(kind, kind), list(tokens[count:])
    return "", list(tokens)


def _one_form(tokens: Sequence[str]) -> list[str]:
    text = f" {' '.join(SHORT.get(token, _title(token)) for token in tokens)} "
    for written, meant in PHRASES:
        text = text.replace(f" {written} ", f" {meant} ")
    return re.sub(r"\bN (?=\d)", "", text).split()


def _title(token: str) -> str:
    return TITLES.get(token) or TITLES.get(token.removesuffix("S"), token)


def _in_digits(tokens: Sequence[str]) -> list[str]:
    """Numbers in digits: ordinals, Roman numerals, and numbers of one or more words (``VINGT ET UN``)."""
    digits: list[str] = []
    position = 0
    while position < len(tokens):
        number_words = list(_number_words(tokens, position))
        if number_words:
            digits.append(str(_value(number_words)))
            position += len(number_words)
        else:
            digits.append(_digits(tokens[position], first=position == 0, last=position == len(tokens) - 1))
            position += 1
    return digits


def _number_words(tokens: Sequence[str], start: int) -> Iterator[str]:
    """The words from ``start`` on that make one number; UN does not begin one, and NEUF only before a month or CENT."""
    first, after = tokens[start], tokens[start + 1] if start + 1 < len(tokens) else ""
    if first in ("UN", "UNE") or _word_value(first) is None:
        return
    if first == "NEUF" and after not in MONTHS and after not in ("CENT", "CENTS"):
        return
    yield first
    for position in range(start + 1, len(tokens)):
        token, following = tokens[position], tokens[position + 1 : position + 2]
        if _word_value(token) is None and not (token == "ET" and following and _word_value(following[0]) in (1, 11)):
            return
        yield token


def _word_value(word: str) -> int | None:
    if word in ("PREMIER", "PREMIERE"):
        return 1
    return ORDINALS.get(word[:-4]) if word.endswith("IEME") else NUMBERS.get(word)


def _value(number_words: Sequence[str]) -> int:
    total = current = 0
    for value in filter(None, map(_word_value, number_words)):
        if value == 1000:
            total, current = total + max(current, 1) * 1000, 0
        elif value == 100:
            current = max(current, 1) * 100
        elif value == 20 and current % 100 == 4:
            current += 76
        else:
            current += value
    return total + current


def _digits(token: str, *, first: bool, last: bool) -> str:
    """A token in digits if it is a number; a single Roman letter only at the end, as in ``GEORGE V``."""
    if ordinal := ORDINAL.fullmatch(token):
        return ordinal.group(1)
    if ordinal := ROMAN_ORDINAL.fullmatch(token):
        roman = next(filter(None, ordinal.groups()))
    else:
        roman = token if len(token) > 1 or (last and not first) else ""
    if roman and ROMAN.fullmatch(roman):
        values = [{"I": 1, "V": 5, "X": 10}[letter] for letter in roman]
        return str(sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True)))
    return str(int(token)) if token.isdigit() else token
