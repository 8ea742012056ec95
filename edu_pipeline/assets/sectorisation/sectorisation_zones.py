"""sectorisation_zones: communes, or parts of them, and the schools they are assigned to.

Does not belong here: streets (sectorisation_segments). docs/sectorisation.md explains how a commune is divided.
"""

import dataframely as dy
import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline import normalise
from edu_pipeline.parts import Parts
from edu_pipeline.sectors import addresses, coverage, numbering, rules
from edu_pipeline.table import table

COLLEGES = "fr_en_carte_scolaire_colleges_publics"
OCCITANIE = "fr_en_occitanie_carte_scolaire_des_colleges_lycees_publics"
SUPPLIED = "editorial_sectorisation_zones"


class SectorisationZones(c.Contract):
    """A commune, or a part of one, whose pupils go to the same schools; each polygon of a zone is a row.

    A commune's zones cover its contour without overlap, unless an operator has supplied them. A commune whose rules are
    by street is divided by its addresses: every point belongs to the zone of the nearest address, so these borders are
    computed, not published. If a commune has rules both for lycées and for collèges, the zones are those of the lycées.
    `uai_lycees` is NULL if only the collège is known. Contours are generalised to 100 m. Zones are cut from contours
    under the ODbL, which therefore applies to their shapes.
    """

    id = c.integer("Number of the row, the same at every load.", key=True, min=1, max=numbering.LARGEST)
    code_departement = c.code_departement(required=True)
    code_commune = c.code_commune(
        required=True, upstream={COLLEGES: "code_insee", OCCITANIE: "code_insee", SUPPLIED: "code_commune"}
    )
    zone_name = c.text(
        "The operator's name for the zone, otherwise the codes of its collèges, or of its lycées if there are none.",
        required=True,
        upstream={SUPPLIED: "zone_name"},
    )
    nature = c.text(
        "Where the shape comes from: commune (its contour, or all addresses of an arrondissement), partie (addresses "
        "of the segments) or fournie (by an operator).",
        required=True,
        pattern="^(commune|partie|fournie)$",
    )
    uai_colleges = c.texts(
        "Collèges of the zone, several if they share it; NULL if the rule only names lycées.",
        length=8,
        pattern=c.UAI,
        min_length=1,
        normalise=normalise.upper,
        upstream={COLLEGES: "code_rne", OCCITANIE: "code_rne", SUPPLIED: "uai_colleges"},
    )
    uai_lycees = c.texts(
        "All lycées, in order; NULL where no published rule names any. Lycées of equal rank are sorted by code.",
        length=8,
        pattern=c.UAI,
        min_length=1,
    )
    uai_lycees_1 = c.uai("The first lycée.", required=False, optional=True, upstream={SUPPLIED: "uai_lycees_1"})
    uai_lycees_2 = c.uai("The second lycée.", required=False, optional=True, upstream={SUPPLIED: "uai_lycees_2"})
    uai_lycees_3 = c.uai("The third lycée.", required=False, optional=True, upstream={SUPPLIED: "uai_lycees_3"})
    uai_lycees_4 = c.uai("The fourth lycée.", required=False, optional=True, upstream={SUPPLIED: "uai_lycees_4"})
    rentree_scolaire = c.text(
        "School year, e.g. 2024-2025; NULL if the file does not say.",
        length=9,
        optional=True,
        pattern="^[0-9]{4}-[0-9]{4}$",
        upstream={SUPPLIED: "rentree_scolaire"},
    )
    rule = c.text(
        "The source of the rule; `A > B`: A gives the collège, B the lycées that it leads to.",
        required=True,
        optional=True,
        upstream={SUPPLIED: "rule"},
    )
    lignes = c.integer(
        "Number of lines of the source about the whole commune, given for the largest of the zone's polygons; NULL for "
        "the others, and for a part of a commune, whose lines are those of its segments.",
        min=1,
        max=100_000,
        unit="lines",
    )
    motif = c.text("Why there is no geometry.")
    geometry = c.geometry("A polygon of the zone, WGS 84.", "Polygon", optional=True, upstream={SUPPLIED: "geometry"})

    @dy.rule()
    def schools_have_codes(cls) -> pl.Expr:
        """codes of schools (UAI) with valid check letters"""
        return rules.are_codes("uai_colleges") & rules.are_codes("uai_lycees")

    @dy.rule()
    def on_the_map_or_with_a_reason(cls) -> pl.Expr:
        """either a geometry or the reason why there is none"""
        return pl.col("geometry").is_null() == pl.col("motif").is_not_null()


@table(
    SectorisationZones,
    needs={
        COLLEGES: ["secteur_unique"],
        OCCITANIE: ["type_et_libelle", "lieu_dit", "type_etablissement"],
        "paris_affectation_lycees": ["reseau", "uai", "secteur"],
        "ban": addresses.COLUMNS,
        "sectorisation_segments": coverage.OF_SEGMENTS,
        "commune_boundaries": ["code_commune", "code_commune_parent", "geometry"],
    },
    may_be_empty=["lieu_dit"],
    max_refused=0.05,
    max_unknown=0.05,
)
def sectorisation_zones(
    fr_en_carte_scolaire_colleges_publics: pl.LazyFrame,
    sectorisation_segments: pl.LazyFrame,
    commune_boundaries: pl.LazyFrame,
    ban: Parts,
    fr_en_occitanie_carte_scolaire_des_colleges_lycees_publics: pl.LazyFrame | None = None,
    paris_affectation_lycees: pl.LazyFrame | None = None,
    editorial_sectorisation_zones: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Use the contour of communes assigned as a whole, and divide the others by their segments' addresses."""
    occitanie = fr_en_occitanie_carte_scolaire_des_colleges_lycees_publics
    if occitanie is not None:
        occitanie = occitanie.rename({"type_et_libelle": "libelle_rue"})
    lycees = rules.lycees_of_colleges(paris_affectation_lycees)
    whole = rules.whole_communes(rules.lines(fr_en_carte_scolaire_colleges_publics, occitanie), lycees)
    supplied = rules.supplied_zones(editorial_sectorisation_zones, lycees)
    communes = commune_boundaries.filter(pl.col("code_commune_parent").is_null()).collect()
    return coverage.zones(whole, sectorisation_segments, supplied, communes, ban).lazy()
