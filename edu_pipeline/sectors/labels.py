"""The one form of a street's label, however a publisher writes it: ``BD MAL FOCH`` is ``Boulevard du Maréchal Foch``.

Belongs here: what is said of one label alone: its words, its type, which words count (``read``), and the vocabulary of
abbreviations, titles, small words and numbers. Does not belong here: whether two labels mean one street
(``matching.py``).

Types of street are written out, since the carte scolaire writes them out; titles are shortened, since a short form
may be a word of its own: ``CAP HORN`` keeps its ``CAP``, and ``CAPITAINE LESCOT`` becomes ``CAP LESCOT``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

TYPES = {
    "ALL": "ALLEE", "ALLEES": "ALLEE", "AV": "AVENUE", "AVE": "AVENUE", "BD": "BOULEVARD", "BLD": "BOULEVARD",
    "BLVD": "BOULEVARD", "BVD": "BOULEVARD", "BOUL": "BOULEVARD", "CAR": "CARREFOUR", "CARR": "CARREFOUR",
    "CHE": "CHEMIN", "CHEM": "CHEMIN", "CH": "CHEMIN", "CHS": "CHAUSSEE", "COR": "CORNICHE", "CRS": "COURS",
    "DOM": "DOMAINE", "DSC": "DESCENTE", "ESC": "ESCALIER", "ESP": "ESPLANADE", "FBG": "FAUBOURG", "FG": "FAUBOURG",
    "GAL": "GALERIE", "GR": "GRANDE RUE", "HAM": "HAMEAU", "HLE": "HALLE", "IMP": "IMPASSE", "LOT": "LOTISSEMENT",
    "LOTISS": "LOTISSEMENT", "MTE": "MONTEE", "PAS": "PASSAGE", "PASS": "PASSAGE", "PL": "PLACE", "PROM": "PROMENADE",
    "PRO": "PROMENADE", "PRV": "PARVIS", "PTE": "PORTE", "QU": "QUAI", "QUA": "QUARTIER", "QUAR": "QUARTIER",
    "R": "RUE", "RES": "RESIDENCE", "RLE": "RUELLE", "RPT": "ROND POINT", "RTE": "ROUTE", "SEN": "SENTIER",
    "SQ": "SQUARE", "TPL": "TERRE PLEIN", "TRA": "TRAVERSE", "VEN": "VENELLE", "VLA": "VILLA", "VLGE": "VILLAGE",
    "VGE": "VILLAGE", "LD": "LIEU DIT", "ZA": "ZONE ARTISANALE", "ZI": "ZONE INDUSTRIELLE",
}  # fmt: skip
"""What the first word of a label stands for, where it is short for a type of street."""

TYPES_OF_TWO = {
    "ROND POINT", "GRANDE RUE", "GRAND RUE", "PETITE RUE", "TERRE PLEIN", "LIEU DIT", "CHEMIN RURAL", "VIEUX CHEMIN",
    "ANCIEN CHEMIN", "VIEILLE ROUTE", "ANCIENNE ROUTE", "ZONE ARTISANALE", "ZONE INDUSTRIELLE",
}  # fmt: skip

ALSO_TYPES = {
    "CITE", "CLOS", "CONTOUR", "COUR", "DIGUE", "ENCLOS", "PARC", "PLACIS", "QUAI", "SENTE", "VALLEE", "VOIE",
}  # fmt: skip
"""Types of one word that have no short form here."""

IS_TYPE = {*TYPES.values(), *TYPES_OF_TWO, *ALSO_TYPES}

SAME_TYPE = {"LIEU DIT": "", "GRAND RUE": "GRANDE RUE"}
"""A lieu-dit is called by its name alone."""

TITLES = {
    "ABBE": "ABBE", "ABE": "ABBE", "ADJUDANT": "ADJ", "AMIRAL": "AMIRAL", "AML": "AMIRAL", "CAPITAINE": "CAP",
    "CPT": "CAP", "CNE": "CAP", "CARDINAL": "CARDINAL", "CDL": "CARDINAL", "CHANOINE": "CHANOINE", "CHNE": "CHANOINE",
    "COLONEL": "COL", "CNL": "COL", "COMMANDANT": "CDT", "CMDT": "CDT", "COMTE": "COMTE", "DOCTEUR": "DR",
    "DOCT": "DR", "DOYEN": "DOYEN", "FRERE": "FRERE", "GENERAL": "GAL", "GEN": "GAL", "GOUVERNEUR": "GOUV",
    "LIEUTENANT": "LT", "LTN": "LT", "MADAME": "MME", "MARECHAL": "MAL", "MERE": "MERE", "MONSEIGNEUR": "MGR",
    "PERE": "PERE", "PRESIDENT": "PDT", "PROFESSEUR": "PR", "PROF": "PR", "RECTEUR": "RECTEUR", "REVEREND": "RD",
    "SERGENT": "SGT", "SOEUR": "SOEUR",
}  # fmt: skip
"""Titles of persons, to their short form; a plural (``DOCTEURS``) is the same."""

IS_TITLE = set(TITLES.values())

SHORT = {
    "SAINT": "ST", "SAINTE": "STE", "SAINTS": "STS", "SAINTES": "STES", "FBG": "FAUBOURG", "FG": "FAUBOURG",
    "GD": "GRAND", "GRD": "GRAND", "GDE": "GRANDE", "GRDE": "GRANDE", "GDS": "GRANDS", "GDES": "GRANDES",
    "PT": "PETIT", "PTE": "PETITE", "PTS": "PETITS", "PTES": "PETITES", "HT": "HAUT", "HTE": "HAUTE", "HTS": "HAUTS",
    "HTES": "HAUTES", "VX": "VIEUX", "DIV": "DIVISION", "RGT": "REGIMENT", "BTN": "BATAILLON",
    "RI": "REGIMENT D INFANTERIE", "RA": "REGIMENT D ARTILLERIE",
}  # fmt: skip
"""Words elsewhere than at the beginning, to the form that stands for all of theirs."""

PHRASES = (
    ("NOTRE DAME", "ND"), ("N D", "ND"), ("R P", "RD PERE"), ("RP", "RD PERE"), ("R I", "REGIMENT D INFANTERIE"),
    ("R A", "REGIMENT D ARTILLERIE"),
)  # fmt: skip
"""Words that are one, written apart or as initials."""

SMALL = {
    "DU": "singular", "LA": "singular", "L": "singular", "AU": "singular", "DES": "plural", "LES": "plural",
    "AUX": "plural", "ES": "plural", "DE": "neutral", "D": "neutral", "ET": "neutral",
}  # fmt: skip
"""Words that publishers leave out or put in. LE is none of them: Paul Le Bert is not Paul Bert."""

MONTHS = {
    "JANVIER", "FEVRIER", "MARS", "AVRIL", "MAI", "JUIN", "JUILLET", "AOUT", "SEPTEMBRE", "OCTOBRE", "NOVEMBRE",
    "DECEMBRE",
}  # fmt: skip

NUMBERS = {
    "UN": 1, "UNE": 1, "DEUX": 2, "TROIS": 3, "QUATRE": 4, "CINQ": 5, "SIX": 6, "SEPT": 7, "HUIT": 8, "NEUF": 9,
    "DIX": 10, "ONZE": 11, "DOUZE": 12, "TREIZE": 13, "QUATORZE": 14, "QUINZE": 15, "SEIZE": 16, "VINGT": 20,
    "VINGTS": 20, "TRENTE": 30, "QUARANTE": 40, "CINQUANTE": 50, "SOIXANTE": 60, "CENT": 100, "CENTS": 100,
    "MIL": 1000, "MILLE": 1000,
}  # fmt: skip

ORDINALS = {
    "UN": 1, "DEUX": 2, "TROIS": 3, "QUATR": 4, "CINQU": 5, "SIX": 6, "SEPT": 7, "HUIT": 8, "NEUV": 9, "DIX": 10,
    "ONZ": 11, "DOUZ": 12, "TREIZ": 13, "QUATORZ": 14, "QUINZ": 15, "SEIZ": 16, "VINGT": 20, "TRENT": 30,
    "QUARANT": 40, "CINQUANT": 50, "SOIXANT": 60, "CENT": 100,
}  # fmt: skip
"""Before -IEME."""

ROMAN = re.compile(r"X{0,3}(IX|IV|V?I{0,3})")
ROMAN_ORDINAL = re.compile(r"(?:(I)(?:ER|ERE)|([IVX]+)I?EME|(X[IVX]+|V[IVX]{2,})E)")
ORDINAL = re.compile(r"(\d+)(?:ERE|ER|I?EME|NDE|ND|E)")
TOKEN = re.compile(r"\d+(?:ERE|ER|I?EME|NDE|ND|E)?(?![A-Z])|\d+|[A-Z]+")
YEAR = re.compile(r"1[0-9]{3}|20[0-9]{2}")


class Label(NamedTuple):
    """A street's label, read.

    Attributes:
        kind: its type of street, written out; empty if it has none.
        words: the words that count, in their order, titles shortened, numbers in digits.
        untitled: the same without titles.
        links: for each of ``words``, the small word before it: ``singular``, ``plural``, ``neutral`` or, if there is
            none, empty.
        spaced: type and all words, the small ones too.
        glued: the same without blanks: ``PRE CLOS`` is ``PRECLOS``.
        content: type and ``words`` without blanks.
        length: characters of the name behind the type, as published.
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
    """Read a label, in the form of the carte scolaire, of the BAN's ``nom_voie`` or of its ``nom_afnor``."""
    kind, rest = _kind(TOKEN.findall(_plain(label)))
    tokens = _in_digits(_one_form(rest))
    words, links, link = [], [], ""
    for position, token in enumerate(tokens):
        if token in SMALL or (token == "LE" and not kind and position == 0):
            link = SMALL.get(token, "singular")
        else:
            words.append(token)
            links.append(link)
            link = ""
    if not words:  # a street called by small words alone
        words, links = tokens, [""] * len(tokens)
    spaced = " ".join([kind, *tokens]).strip()
    glued, content = (text.replace(" ", "") for text in (spaced, kind + "".join(words)))
    untitled = tuple(word for word in words if word not in IS_TITLE)
    return Label(kind, tuple(words), untitled, tuple(links), spaced, glued, content, len(" ".join(rest)))


def _plain(label: str) -> str:
    """Capitals without accents; what stands in brackets is no part of the name."""
    text = re.sub(r"\([^)]*\)", " ", label.upper().replace("Œ", "OE").replace("Æ", "AE").replace("&", " ET "))
    text = unicodedata.normalize("NFKD", text)
    return "".join(character for character in text if not unicodedata.combining(character))


def _kind(tokens: Sequence[str]) -> tuple[str, list[str]]:
    """The type of street, and the words behind it; a label that is a type and nothing else is a name."""
    if not tokens:
        return "", []
    written = TYPES.get(tokens[0], tokens[0])
    for count, kind in ((2, " ".join([written, *tokens[1:2]])), (1, written)):
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
    """Numbers in digits: ordinals, Roman ones, and those in words, also of several (``VINGT ET UN``)."""
    found: list[str] = []
    position = 0
    while position < len(tokens):
        run = list(_run(tokens, position))
        if run:
            found.append(str(_value(run)))
            position += len(run)
        else:
            found.append(_digits(tokens[position], alone=position == 0, last=position == len(tokens) - 1))
            position += 1
    return found


def _run(tokens: Sequence[str], start: int) -> Iterator[str]:
    """The words from ``start`` that make one number; UN and NEUF begin none, but NEUF does before a month."""
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


def _value(run: Sequence[str]) -> int:
    total = current = 0
    for value in filter(None, map(_word_value, run)):
        if value == 1000:
            total, current = total + max(current, 1) * 1000, 0
        elif value == 100:
            current = max(current, 1) * 100
        elif value == 20 and current % 100 == 4:
            current += 76
        else:
            current += value
    return total + current


def _digits(token: str, *, alone: bool, last: bool) -> str:
    """A token in digits if it is a number; one Roman letter is one only at the end, as in ``GEORGE V``."""
    if ordinal := ORDINAL.fullmatch(token):
        return ordinal.group(1)
    if ordinal := ROMAN_ORDINAL.fullmatch(token):
        roman = next(filter(None, ordinal.groups()))
    else:
        roman = token if len(token) > 1 or (last and not alone) else ""
    if roman and ROMAN.fullmatch(roman):
        values = [{"I": 1, "V": 5, "X": 10}[letter] for letter in roman]
        return str(sum(-a if a < b else a for a, b in zip(values, [*values[1:], 0], strict=True)))
    return str(int(token)) if token.isdigit() else token
