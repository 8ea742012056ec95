"""The words of street labels: abbreviations, titles, small words, months and numbers, in capitals without accents.

Belongs here: what a word stands for. Does not belong here: how a label is read with it (``labels.py``).

Types of street are written out, since the cartes scolaires write them out. Titles are shortened, since a short form may
be a word of its own: ``CAP HORN`` keeps its ``CAP``, and ``CAPITAINE LESCOT`` becomes ``CAP LESCOT``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeVar

Meaning = TypeVar("Meaning")


def _by_word(words: Mapping[Meaning, Iterable[str]]) -> dict[str, Meaning]:
    """Each word with what it stands for."""
    return {word: meaning for meaning, written in words.items() for word in written}


TYPES = _by_word(
    {
        "ALLEE": ("ALL", "ALLEES"),
        "AVENUE": ("AV", "AVE"),
        "BOULEVARD": ("BD", "BLD", "BLVD", "BVD", "BOUL"),
        "CARREFOUR": ("CAR", "CARR"),
        "CHEMIN": ("CHE", "CHEM", "CH"),
        "CHAUSSEE": ("CHS",),
        "CORNICHE": ("COR",),
        "COURS": ("CRS",),
        "DOMAINE": ("DOM",),
        "DESCENTE": ("DSC",),
        "ESCALIER": ("ESC",),
        "ESPLANADE": ("ESP",),
        "FAUBOURG": ("FBG", "FG"),
        "GALERIE": ("GAL",),
        "GRANDE RUE": ("GR",),
        "HAMEAU": ("HAM",),
        "HALLE": ("HLE",),
        "IMPASSE": ("IMP",),
        "LOTISSEMENT": ("LOT", "LOTISS"),
        "MONTEE": ("MTE",),
        "PASSAGE": ("PAS", "PASS"),
        "PLACE": ("PL",),
        "PROMENADE": ("PROM", "PRO"),
        "PARVIS": ("PRV",),
        "PORTE": ("PTE",),
        "QUAI": ("QU",),
        "QUARTIER": ("QUA", "QUAR"),
        "RUE": ("R",),
        "RESIDENCE": ("RES",),
        "RUELLE": ("RLE",),
        "ROND POINT": ("RPT",),
        "ROUTE": ("RTE",),
        "SENTIER": ("SEN",),
        "SQUARE": ("SQ",),
        "TERRE PLEIN": ("TPL",),
        "TRAVERSE": ("TRA",),
        "VENELLE": ("VEN",),
        "VILLA": ("VLA",),
        "VILLAGE": ("VLGE", "VGE"),
        "LIEU DIT": ("LD",),
        "ZONE ARTISANALE": ("ZA",),
        "ZONE INDUSTRIELLE": ("ZI",),
    }
)
"""What the first word of a label stands for, if it is short for a type of street."""

TYPES_OF_TWO = {
    "ROND POINT",
    "GRANDE RUE",
    "GRAND RUE",
    "PETITE RUE",
    "TERRE PLEIN",
    "LIEU DIT",
    "CHEMIN RURAL",
    "VIEUX CHEMIN",
    "ANCIEN CHEMIN",
    "VIEILLE ROUTE",
    "ANCIENNE ROUTE",
    "ZONE ARTISANALE",
    "ZONE INDUSTRIELLE",
}
"""Types of street of two words."""

ALSO_TYPES = {
    "CITE",
    "CLOS",
    "CONTOUR",
    "COUR",
    "DIGUE",
    "ENCLOS",
    "PARC",
    "PLACIS",
    "QUAI",
    "SENTE",
    "VALLEE",
    "VOIE",
}
"""Types of one word that have no short form here."""

IS_TYPE = {*TYPES.values(), *TYPES_OF_TWO, *ALSO_TYPES}

SAME_TYPE = {"LIEU DIT": "", "GRAND RUE": "GRANDE RUE"}
"""Types that count as another one; a lieu-dit is called by its name alone."""

TITLES = _by_word(
    {
        "ABBE": ("ABBE", "ABE"),
        "ADJ": ("ADJUDANT",),
        "AMIRAL": ("AMIRAL", "AML"),
        "CAP": ("CAPITAINE", "CPT", "CNE"),
        "CARDINAL": ("CARDINAL", "CDL"),
        "CHANOINE": ("CHANOINE", "CHNE"),
        "COL": ("COLONEL", "CNL"),
        "CDT": ("COMMANDANT", "CMDT"),
        "COMTE": ("COMTE",),
        "DR": ("DOCTEUR", "DOCT"),
        "DOYEN": ("DOYEN",),
        "FRERE": ("FRERE",),
        "GAL": ("GENERAL", "GEN"),
        "GOUV": ("GOUVERNEUR",),
        "LT": ("LIEUTENANT", "LTN"),
        "MME": ("MADAME",),
        "MAL": ("MARECHAL",),
        "MERE": ("MERE",),
        "MGR": ("MONSEIGNEUR",),
        "PERE": ("PERE",),
        "PDT": ("PRESIDENT",),
        "PR": ("PROFESSEUR", "PROF"),
        "RECTEUR": ("RECTEUR",),
        "RD": ("REVEREND",),
        "SGT": ("SERGENT",),
        "SOEUR": ("SOEUR",),
    }
)
"""What a title of a person is shortened to; a plural (``DOCTEURS``) counts as the singular."""

IS_TITLE = set(TITLES.values())

SHORT = _by_word(
    {
        "ST": ("SAINT",),
        "STE": ("SAINTE",),
        "STS": ("SAINTS",),
        "STES": ("SAINTES",),
        "FAUBOURG": ("FBG", "FG"),
        "GRAND": ("GD", "GRD"),
        "GRANDE": ("GDE", "GRDE"),
        "GRANDS": ("GDS",),
        "GRANDES": ("GDES",),
        "PETIT": ("PT",),
        "PETITE": ("PTE",),
        "PETITS": ("PTS",),
        "PETITES": ("PTES",),
        "HAUT": ("HT",),
        "HAUTE": ("HTE",),
        "HAUTS": ("HTS",),
        "HAUTES": ("HTES",),
        "VIEUX": ("VX",),
        "DIVISION": ("DIV",),
        "REGIMENT": ("RGT",),
        "BATAILLON": ("BTN",),
        "REGIMENT D INFANTERIE": ("RI",),
        "REGIMENT D ARTILLERIE": ("RA",),
    }
)
"""What a word that is not at the beginning stands for, if it has several forms."""

PHRASES = (
    ("NOTRE DAME", "ND"),
    ("N D", "ND"),
    ("R P", "RD PERE"),
    ("RP", "RD PERE"),
    ("R I", "REGIMENT D INFANTERIE"),
    ("R A", "REGIMENT D ARTILLERIE"),
)
"""Words that count as one, written apart or as initials."""

SMALL = {
    "DU": "singular",
    "LA": "singular",
    "L": "singular",
    "AU": "singular",
    "DES": "plural",
    "LES": "plural",
    "AUX": "plural",
    "ES": "plural",
    "DE": "neutral",
    "D": "neutral",
    "ET": "neutral",
}
"""Words that publishers put in or leave out, with their number. Not LE: Paul Le Bert is not Paul Bert."""

MONTHS = {
    "JANVIER",
    "FEVRIER",
    "MARS",
    "AVRIL",
    "MAI",
    "JUIN",
    "JUILLET",
    "AOUT",
    "SEPTEMBRE",
    "OCTOBRE",
    "NOVEMBRE",
    "DECEMBRE",
}

NUMBERS = _by_word(
    {
        1: ("UN", "UNE"),
        2: ("DEUX",),
        3: ("TROIS",),
        4: ("QUATRE",),
        5: ("CINQ",),
        6: ("SIX",),
        7: ("SEPT",),
        8: ("HUIT",),
        9: ("NEUF",),
        10: ("DIX",),
        11: ("ONZE",),
        12: ("DOUZE",),
        13: ("TREIZE",),
        14: ("QUATORZE",),
        15: ("QUINZE",),
        16: ("SEIZE",),
        20: ("VINGT", "VINGTS"),
        30: ("TRENTE",),
        40: ("QUARANTE",),
        50: ("CINQUANTE",),
        60: ("SOIXANTE",),
        100: ("CENT", "CENTS"),
        1000: ("MIL", "MILLE"),
    }
)

ORDINALS = {
    "UN": 1,
    "DEUX": 2,
    "TROIS": 3,
    "QUATR": 4,
    "CINQU": 5,
    "SIX": 6,
    "SEPT": 7,
    "HUIT": 8,
    "NEUV": 9,
    "DIX": 10,
    "ONZ": 11,
    "DOUZ": 12,
    "TREIZ": 13,
    "QUATORZ": 14,
    "QUINZ": 15,
    "SEIZ": 16,
    "VINGT": 20,
    "TRENT": 30,
    "QUARANT": 40,
    "CINQUANT": 50,
    "SOIXANT": 60,
    "CENT": 100,
}
"""The beginnings of ordinals, which end in -IEME."""
