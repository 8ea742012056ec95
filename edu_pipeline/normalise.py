"""One spelling for values that publishers spell in several ways: codes, sectors, years, flags, labels.

Belongs here: pure polars expressions from text to text or to a truth value that several tables need. Does not belong
here: anything that knows a table, a source or a file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache

import polars as pl

UAI = "^[0-9]{7}[A-Z]$"
"""The form of a UAI, the code of an establishment."""

UAI_LETTERS = "ABCDEFGHJKLMNPRSTUVWXYZ"
"""The check letter of a UAI is the letter at position (its number modulo 23); there is no I, O or Q."""

TERRITORIES = {
    "metropole": (41.2, 51.3, -5.3, 9.7),
    "guadeloupe": (15.7, 16.6, -61.9, -60.9),
    "martinique": (14.3, 15.0, -61.3, -60.7),
    "guyane": (2.0, 6.0, -54.8, -51.4),
    "la_reunion": (-21.5, -20.7, 55.1, 56.0),
    "mayotte": (-13.1, -12.5, 44.9, 45.4),
    "saint_pierre_et_miquelon": (46.6, 47.2, -56.6, -56.0),
    "saint_barthelemy_saint_martin": (17.8, 18.3, -63.3, -62.7),
    "polynesie": (-28.0, -7.5, -155.0, -134.0),
    "nouvelle_caledonie": (-23.5, -17.5, 157.5, 172.5),
    "wallis_et_futuna": (-14.6, -13.0, -178.5, -176.0),
    "terres_australes": (-50.5, -11.0, 39.5, 78.0),
    "terre_adelie": (-90.0, -66.0, 136.0, 142.5),
    "clipperton": (10.0, 10.5, -109.5, -109.0),
}
"""Bounding boxes (south, north, west, east) in degrees, WGS 84, with a margin of about 10 km."""

SECTEURS = {
    "pu": "public",
    "pr": "privé",
    "public": "public",
    "prive": "privé",
    "prive sous contrat": "privé sous contrat",
    "prive hors contrat": "privé hors contrat",
}

TRUE, FALSE = ("1", "true", "vrai", "oui", "o"), ("0", "false", "faux", "non", "n")
FLAGS = dict.fromkeys(TRUE, True) | dict.fromkeys(FALSE, False)

ISO_DAY = "^([12][0-9]{3}-[0-9]{2}-[0-9]{2})([T ].*)?$"
FRENCH_DAY = "^([0-9]{2})/([0-9]{2})/([12][0-9]{3})$"
"""The two forms of a date that are read."""

SWAPPED = {
    "^[0-9]{1,2}/(1[3-9]|2[0-9]|3[01])/": "^(0[0-9]|1[0-2])/",
    "^[0-9]{4}-(1[3-9]|2[0-9]|3[01])-": "^[0-9]{4}-[0-9]{2}-(0[0-9]|1[0-2])",
}
"""Dates with day and month in the wrong order, and the dates of the same form that may be in either order."""

SCIENTIFIC = r"^[0-9]([.,][0-9]+)?[eE][+]?[0-9]+$"
"""A long number as a spreadsheet shortens it: ``2,17003E+13``. Its last digits are lost."""

SPREADSHEET_ERROR = r"#(REF|VALUE|VALEUR|DIV/0|NUM|NOMBRE|NULL|NUL|SPILL|CALC)!|#N/A|#(NAME|NOM)\?|^#{3,}$"
"""What a spreadsheet writes into a cell that it cannot compute or show, in English or French."""


GARBLED = (
    r"[ÃÂ][\x{80}-\x{BF}€‚ƒ„…†‡ˆ‰Š‹Œ‘’“”•–—˜™š›œŽžŸ]|â€|Å“|ï¿½|ï»¿"  # UTF-8 read as windows-1252
    r"|√[©®ßàçô´™†]|[\x{2500}-\x{259F}]"  # UTF-8 read as Mac Roman, or as an old code page with box-drawing characters
    r"|\x{FFFD}|[\x{0}-\x{8}\x{B}\x{C}\x{E}-\x{1F}\x{7F}-\x{9F}]"  # lost characters, control characters
)
"""What a text has only if it was damaged: read in a wrong encoding, or with characters that are none."""

INVISIBLE = r"\p{Cf}"
"""Characters that nobody sees, and that make two texts differ: zero-width blanks, soft hyphens, marks of direction."""

THOUSANDS = r"^[+-]?[0-9]{1,3}([.,][0-9]{3})+$"
"""A number that may have marks between thousands, or three decimals."""


@lru_cache(maxsize=1 << 14)
def slug(label: str) -> str:
    """The slug of a label: lower case, no accents, one underscore for any other characters.

    The machine names on Opendatasoft portals are mostly the slugs of the labels, so ``Taux d'accès 6eme 3eme`` and
    ``taux_d_acces_6eme_3eme`` are the same column.
    """
    plain = unicodedata.normalize("NFKD", label.strip().lower().replace("œ", "oe").replace("æ", "ae"))
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def unaccented(value: pl.Expr) -> pl.Expr:
    """Lower case without accents, leading and trailing blanks removed, single blanks inside."""
    return (
        value.str.to_lowercase()
        .str.replace_many({"œ": "oe", "æ": "ae"})
        .str.normalize("NFKD")
        .str.replace_all(r"\p{M}", "")
        .str.strip_chars()
        .str.replace_all(r"\s+", " ")
    )


def upper(value: pl.Expr) -> pl.Expr:
    """Upper case."""
    return value.str.to_uppercase()


def digits(length: int, zeros: int = 1) -> Callable[[pl.Expr], pl.Expr]:
    """A normaliser of codes of ``length`` digits, which a spreadsheet takes for numbers.

    With 5 digits, ``9200`` and ``9200.0`` become ``09200``. What lacks more than ``zeros`` digits, or is not a whole
    number, stays, and the contract refuses it.
    """

    def filled(value: pl.Expr) -> pl.Expr:
        whole = value.str.replace(r"^([0-9]+)[.,]0+$", "${1}")
        return (
            pl.when(whole.str.contains(f"^[0-9]{{{length - zeros},{length}}}$"))
            .then(whole.str.zfill(length))
            .otherwise(whole)
        )

    return filled


def code_departement(value: pl.Expr) -> pl.Expr:
    """``001`` and ``1`` become ``01``, ``02A`` becomes ``2A``, ``971`` stays."""
    return digits(2)(value.str.to_uppercase()).str.replace("^0([0-9]{2}|2[AB])$", "${1}")


def code_commune(value: pl.Expr) -> pl.Expr:
    """``1004`` becomes ``01004``, ``2a004`` becomes ``2A004``."""
    return digits(5)(value.str.to_uppercase())


def siren_or_siret(value: pl.Expr) -> pl.Expr:
    """A SIREN (9 digits) or SIRET number (14) without blanks and with its leading zeros."""
    return digits(14, 3)(digits(9, 3)(value.str.replace_all(r"\s", "")))


def telephone(value: pl.Expr) -> pl.Expr:
    """A French telephone number with the leading zero that it may lack: ``385000000`` becomes ``0385000000``."""
    return value.str.replace("^([1-9][0-9]{8})([.,]0+)?$", "0${1}")


def day(value: pl.Expr) -> pl.Expr:
    """``26/11/2024`` becomes ``2024-11-26``; the contract refuses what is neither.

    If a column has a date in another order (``11/26/2024``), those that may be in either order are refused too.
    """
    doubtful = pl.any_horizontal(
        value.str.contains(wrong_order).any() & value.str.contains(either) for wrong_order, either in SWAPPED.items()
    )
    iso = value.str.replace(FRENCH_DAY, "${3}-${2}-${1}")
    return pl.when(doubtful).then(value + ", day and month may be swapped").otherwise(iso)


def amount(value: pl.Expr) -> pl.Expr:
    """A number as it is, unless its mark may stand between thousands (``25,820``), which the contract then refuses."""
    return pl.when(value.str.contains(THOUSANDS)).then(value + ", a decimal mark or one of thousands").otherwise(value)


def secteur(value: pl.Expr) -> pl.Expr:
    """``PU``, ``Public`` and ``PRIVE SOUS CONTRAT`` in one spelling; the contract refuses an unknown word."""
    return unaccented(value).replace(SECTEURS)


def year(value: pl.Expr) -> pl.Expr:
    """The year in ``2024``, ``2024.0`` or ``2024-01-01T00:00:00+00:00``; the contract refuses anything else."""
    return pl.when(value.str.contains(r"^[0-9]{4}(\.0|-[0-9]{2}-[0-9]{2}.*)$")).then(value.str.head(4)).otherwise(value)


def has_uai_check_letter(value: pl.Expr) -> pl.Expr:
    """Whether the eighth character is the right check letter for the seven digits."""
    remainder = value.str.slice(0, 7).cast(pl.Int64, strict=False) % len(UAI_LETTERS)
    expected = remainder.replace_strict(dict(enumerate(UAI_LETTERS)), return_dtype=pl.String)
    return value.str.slice(7) == expected


def is_uai(value: pl.Expr) -> pl.Expr:
    """Whether it is the code of an establishment with the right check letter."""
    return value.str.contains(UAI) & has_uai_check_letter(value)


def in_french_territory(latitude: pl.Expr, longitude: pl.Expr) -> pl.Expr:
    """Whether a position (degrees, WGS 84) is within the bounding box of a French territory."""
    return pl.any_horizontal(
        latitude.is_between(south, north) & longitude.is_between(west, east)
        for south, north, west, east in TERRITORIES.values()
    )
