"""School sectors by address: the streets of each commune and the zones of each département, with what they lead to.

Belongs here: the rows of the two tables in the form in which the page looks an address up. Does not belong here: how a
street becomes a line (``edu_pipeline/sectors``), the look-up itself (``static/atlas-address.mjs``, which follows the
SQL function ``lycees_de_secteur``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from edu_pipeline.sectors import labels, street_words

SECTOR = ("uai_lycees", "uai_colleges", "rule", "rentree_scolaire")
"""What a row leads to, and who says so. Many rows of a commune say the same."""

STREET = ("libelle_rue", "lieu_dit", "nom_voie", "number_from", "number_to", "side", "id")
ZONE = ("code_commune", "zone_name", "nature", "id")


def key(label: str | None) -> str:
    """The words of a street by which it is found: the type written out, the others as ``labels.read`` has them."""
    if not label:
        return ""
    read = labels.read(label)
    return " ".join([read.kind, *read.words]).strip()


def vocabulary() -> Mapping[str, Any]:
    """What a typed word stands for: first words (types of street), other words, and words that do not count."""
    return {
        "first": street_words.TYPES,
        "words": {**street_words.TITLES, **street_words.SHORT},
        "small": sorted(street_words.SMALL),
    }


def by_commune(data: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The streets of each commune that has any.

    Yields:
        The commune's code, and its ``sectors`` and ``streets``; a street is a list: ``STREET``, the number of its
        sector, the key of ``libelle_rue`` and that of ``nom_voie``.
    """
    columns = ["code_commune", *STREET, *SECTOR]
    rows = pl.read_parquet(data / "sectorisation_segments.parquet", columns=columns).sort("code_commune", "id")
    for (code,), group in rows.partition_by("code_commune", as_dict=True, maintain_order=True).items():
        sectors, numbers = _sectors(group)
        streets = [
            [*row, number, key(row[0]), key(row[2])]
            for row, number in zip(group.select(STREET).iter_rows(), numbers, strict=True)
        ]
        yield code, {"sectors": sectors, "streets": streets}


def zones_by_departement(data: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The zones of each département that has any: ``sectors`` and ``zones``; a zone is a list: ``ZONE``, its sector."""
    columns = ["code_departement", *ZONE, *SECTOR]
    rows = pl.read_parquet(data / "sectorisation_zones.parquet", columns=columns).sort("code_departement", "id")
    for (code,), group in rows.partition_by("code_departement", as_dict=True, maintain_order=True).items():
        sectors, numbers = _sectors(group)
        zones = [[*row, number] for row, number in zip(group.select(ZONE).iter_rows(), numbers, strict=True)]
        yield code, {"sectors": sectors, "zones": zones}


def _sectors(rows: pl.DataFrame) -> tuple[list[dict[str, Any]], list[int]]:
    """The different sectors of the rows, and for each row the number of its own."""
    numbered = rows.select(SECTOR).with_columns(number=pl.struct(SECTOR).rank("dense") - 1)
    different = numbered.unique("number").sort("number")
    names = dict(zip(SECTOR, ("lycees", "colleges", "rule", "year"), strict=True))
    return different.select(SECTOR).rename(names).to_dicts(), numbered["number"].to_list()
