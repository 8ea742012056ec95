"""The licences that publishers name, in one spelling.

Belongs here: when two names mean the same licence. Does not belong here: the licence of each source
(``catalogue.toml``), where a publisher names it (``beginnings.py``).
"""

from __future__ import annotations

import re

from edu_pipeline.normalise import slug

LICENCE_OUVERTE, ODBL = "Licence Ouverte", "ODbL"
NAMES = {
    r"odbl|open_database": ODBL,
    r"licence_ouverte|open_licence|etalab|^lov\d|^fr_lo": LICENCE_OUVERTE,
}
"""What a slug of a licence's name contains."""

UNSTATED = {"", "notspecified", "not_specified", "other", "autre", "other_open"}


def same_licence(stated: str | None, expected: str) -> bool:
    """Whether a publisher names the expected licence; one that names none, or no version, does not contradict it."""
    if slug(stated or "") in UNSTATED:
        return True
    (name, version), (expected_name, expected_version) = _named(str(stated)), _named(expected)
    return name == expected_name and (None in (version, expected_version) or version == expected_version)


def _named(text: str) -> tuple[str, str | None]:
    """A licence's name and the first digit of its version, if it has one."""
    plain = slug(text)
    name = next((name for pattern, name in NAMES.items() if re.search(pattern, plain)), plain)
    version = re.search(r"\d", plain)
    return name, version[0] if version and name != plain else None
