"""The texts of the site's interface, in every language: ``texts/<part>.toml``.

Belongs here: finding a text by its name. Does not belong here: the descriptions of tables and columns, which are shown
as the contracts have them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources

LANGUAGES = {"fr": "Français", "en": "English"}
"""The languages by the name of their folder, each with its own name; the first one is the default."""


@lru_cache(maxsize=1)
def texts() -> dict[str, Mapping[str, str]]:
    """Every text by its name, ``<part>.<name>``: language to text."""
    found = {}
    for file in resources.files("edu_pipeline.site").joinpath("texts").iterdir():
        if file.name.endswith(".toml"):
            for name, by_language in tomllib.loads(file.read_text(encoding="utf-8")).items():
                found[f"{file.name.removesuffix('.toml')}.{name}"] = by_language
    return found


def text(language: str, name: str, **values: object) -> str:
    """A text in a language, with values in place of what is in braces.

    Raises:
        KeyError: there is no such text, or it lacks a value.
    """
    return texts()[name][language].format(**values)


def script_texts(part: str, language: str) -> dict[str, str]:
    """The texts of a part in a language by their name, for its scripts, which put the values in."""
    return {
        name.removeprefix(f"{part}."): by_language[language]
        for name, by_language in texts().items()
        if name.startswith(f"{part}.")
    }


def number(language: str, value: float, digits: int = 0) -> str:
    """A number as it is written in a language: narrow no-break spaces and a comma in French."""
    written = f"{value:,.{digits}f}"
    return written.translate({ord(","): "\u202f", ord("."): ","}) if language == "fr" else written


def size(language: str, count: int) -> str:
    """A number of bytes in kB or MB (thousands and millions), with the unit."""
    unit, octet = (1_000_000, "M") if count >= 1_000_000 else (1_000, "k")
    return f"{number(language, max(count / unit, 0.1), 1)}\u00a0{octet}{'o' if language == 'fr' else 'B'}"
