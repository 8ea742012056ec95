"""Editions: which year a file is of, and whether its publisher shows a later one that the catalogue does not read.

Belongs here: what the name of a file, the titles of a dataset and INSEE's catalogue say of editions. Does not belong
here: whether the file that is read has changed (``probe.py``), which edition the rows of a table are of
(``database/provenance.py``).

A later edition is shown by data.gouv.fr (a resource of the same format whose title has a later year) and by INSEE's
Melodi (a later product of the same dataset). Where the publisher replaces the file in place, there can be none. Pages
of insee.fr have a new address for each edition, so nobody can be asked; nor is there anybody to ask for files that are
handed in.
"""

from __future__ import annotations

import logging
import re
from typing import Literal
from urllib.parse import urlsplit

from edu_pipeline.catalogue import File, Source
from edu_pipeline.errors import EduError
from edu_pipeline.sources.interfaces import Interfaces
from edu_pipeline.sources.origins import DATA_GOUV, matching_resources
from edu_pipeline.sources.texts import file_names

log = logging.getLogger(__name__)

Sight = Literal["shown", "in place", "unknown"]
"""How later editions are seen: the publisher would show one, replaces the file in place, or nobody can be asked.

A file is of one year, and not replaced, if its address or the title of its source names the year."""

MELODI = "https://api.insee.fr/melodi/catalog/{dataset}"
MELODI_FILE = re.compile(r"https://api\.insee\.fr/melodi/file/([^/]+)/.*_(\d{4})_CSV_FR")
"""The address of a file of INSEE's Melodi: its dataset and its year."""

MELODI_PRODUCT = re.compile(r"_(\d{4})_CSV_FR$")
YEAR = re.compile(r"(?<!\d)20\d\d(?!\d)")


def edition_of(file: File, name: str) -> str | None:
    """The edition that the catalogue reads from the name of a file; None if it reads none."""
    match = re.search(file.vintage, name) if file.vintage else None
    return match.group(1) if match else None


def sight_of(source: Source, file: File) -> Sight:
    """How later editions of a file of a source are seen."""
    if file.supplied:
        return "unknown"
    if file.datagouv or MELODI_FILE.fullmatch(file.url or ""):
        return "shown"
    names = [source.title, urlsplit(file.url or "").path]
    is_of_a_year = "{year}" not in names[1] and any(YEAR.search(name) for name in names)
    return "unknown" if file.url and is_of_a_year else "in place"


def later_edition(source: Source, interfaces: Interfaces) -> str | None:
    """The newest edition that the publisher shows and that is later than the one that the catalogue reads.

    The editions of a source come together: one of its files is asked for. A publisher that cannot be asked shows none.
    """
    file = next((file for file in source.files.values() if sight_of(source, file) == "shown"), None)
    if file is None:
        return None
    try:
        return _later_title(file, interfaces) if file.datagouv else _later_product(file, interfaces)
    except EduError as error:
        log.warning("%s: no answer about later editions: %s", file_names(file), error)
        return None


def _later_title(file: File, interfaces: Interfaces) -> str | None:
    """The title of a resource of data.gouv.fr with a later year than those that are read."""
    assert file.datagouv is not None
    resources = (
        interfaces.json(DATA_GOUV.format(dataset=file.datagouv.dataset), file_names(file)).get("resources") or []
    )
    read = [_year(resource.get("title")) for resource in matching_resources(file.datagouv, resources)]
    alike = [resource for resource in resources if (resource.get("format") or "").lower() == file.datagouv.format]
    titles = {year: resource["title"] for resource in alike if (year := _year(resource.get("title")))}
    newest, known = max(titles, default=0), max(filter(None, read), default=None)
    return str(titles[newest]) if known and newest > known else None


def _later_product(file: File, interfaces: Interfaces) -> str | None:
    """The year of a later product of the same dataset of Melodi."""
    match = MELODI_FILE.fullmatch(file.url or "")
    assert match is not None
    answer = interfaces.json(MELODI.format(dataset=match[1]), file_names(file))
    products = answer.get("product") or []
    names = [str(product.get(key) or "") for product in products for key in ("id", "accessURL")]
    years = [int(found[1]) for name in names if (found := MELODI_PRODUCT.search(name))]
    newest = max(years, default=0)
    return str(newest) if newest > int(match[2]) else None


def _year(title: str | None) -> int | None:
    return max((int(year) for year in YEAR.findall(title or "")), default=None)
