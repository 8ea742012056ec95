"""The licences that the catalogue names, as catalogues of data know them.

Belongs here: identifier and address of a licence. Does not belong here: which licence applies to a table
(``database/provenance.py``).
"""

from __future__ import annotations

from dataclasses import dataclass

from edu_pipeline.normalise import slug


@dataclass(frozen=True)
class Licence:
    """A licence.

    Attributes:
        title: what the catalogue calls it.
        name: its SPDX identifier; of one that has none a slug of the title.
        url: of its text; None if there is none.
    """

    title: str
    name: str
    url: str | None


_KNOWN = {
    "Licence Ouverte 2.0": ("etalab-2.0", "https://spdx.org/licenses/etalab-2.0"),
    "ODbL 1.0": ("ODbL-1.0", "https://opendatacommons.org/licenses/odbl/1-0/"),
    "not stated by the publisher": ("notspecified", None),
}


def licence(title: str) -> Licence:
    """The licence that the catalogue calls ``title``."""
    name, url = _KNOWN.get(title, (slug(title).replace("_", "-"), None))
    return Licence(title, name, url)
