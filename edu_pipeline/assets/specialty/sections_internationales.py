"""sections_internationales: the international sections of schools, collèges and lycées.

Does not belong here: binational and European sections.

The machine names are those that public readers use; UNVERIFIED: premiere_session and rentree_scolaire. The copy seen
has 4 of the 12 columns, without the level.
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.flow import newest
from edu_pipeline.table import table


class SectionsInternationales(c.Contract):
    """An international section of an establishment at a level, in the latest school year that the publisher lists.

    French establishments abroad are included: `academie` is then the country, and the position can be anywhere in the
    world. A section is named after a country or a language, in capitals (BRITANNIQUE and AMÉRICAINE both teach in
    English). An establishment has a row per level of each section: count sections with
    `count(DISTINCT (uai, section))`.
    """

    uai = c.uai(key=True)
    section = c.text(
        "Section, e.g. BRITANNIQUE.",
        key=True,
        upstream="section",
        aliases=["Section International", "Section internationale"],
    )
    niveau = c.text(
        "Level as the publisher writes it, e.g. `2nde et BFI` (baccalauréat français international).",
        key=True,
        upstream="niveau",
    )
    rentree_scolaire = c.year("Year in which the school year begins.", upstream="rentree_scolaire")
    nom_etablissement = c.text(
        "Name of the establishment.",
        optional=True,
        upstream="nom_etab",
        aliases=["Nom établissement", "^nom_.*etab.*"],
    )
    ville = c.text("Town.", optional=True, upstream="ville", aliases=["commune"])
    academie = c.text(
        "Name of the académie, or of the country if abroad, in capitals.", optional=True, upstream="academie"
    )
    premiere_session_oib_ou_dnb_option_internationale_a_venir = c.text(
        "For a new section, the first session of its examination (OIB, or DNB with international option).",
        optional=True,
        upstream="Premiere_session_OIB_ou_DNB_option_internationale_a_venir",
        aliases=["^premiere_session.*"],
    )
    ouverture_rentree_suivante = c.text(
        "When the section opens, if it has not opened yet.",
        optional=True,
        upstream="ouverture_rentree_suivante",
        aliases=["Ouverture de la section internationale", "^ouverture.*"],
    )
    latitude = c.latitude("Latitude of the establishment, WGS 84.", optional=True, upstream="latitude")
    longitude = c.longitude("Longitude of the establishment, WGS 84.", optional=True, upstream="longitude")


@table(SectionsInternationales, newest_by="rentree_scolaire", max_refused=0.05)
def sections_internationales(fr_en_sections_internationales: pl.LazyFrame) -> pl.LazyFrame:
    """Keep the latest school year of the list (`2025-2026` is 2025): a section no longer on it has closed."""
    rentree = pl.col("rentree_scolaire")
    rows = fr_en_sections_internationales.with_columns(rentree.str.replace("^([0-9]{4})-[0-9]{4}$", "${1}"))
    return newest(rows, "rentree_scolaire")
