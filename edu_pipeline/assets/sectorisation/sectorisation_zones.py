"""sectorisation_zones: communes, or parts of them, and the schools they lead to.

Not here: the streets (sectorisation_segments). docs/sectorisation.md tells how a commune is shared out.
"""

import dataframely as dy
import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline import normalise
from edu_pipeline.parts import Parts
from edu_pipeline.sectors import addresses, coverage, rules
from edu_pipeline.table import table

COLLEGES = "fr_en_carte_scolaire_colleges_publics"
OCCITANIE = "fr_en_occitanie_carte_scolaire_des_colleges_lycees_publics"
SUPPLIED = "editorial_sectorisation_zones"


class SectorisationZones(c.Contract):
    """A commune, or a part of one, whose pupils go to the same schools; of a zone in several parts each is a row.

    A commune's zones do not overlap and cover its contour, unless an operator has supplied them. A commune shared out
    by streets is divided by its addresses: every point belongs to the zone of the nearest one, so that the borders are
    nowhere published. Where a commune has rules for lycées and for collèges, the zones are those of the lycées.
    `uai_lycees` is NULL where only the collège is known. Contours are generalised to 100 m.
    """

    id = c.integer("Number of the row, the same at every load.", key=True, min=1)
    code_departement = c.code_departement(required=True)
    code_commune = c.code_commune(
        required=True, upstream={COLLEGES: "code_insee", OCCITANIE: "code_insee", SUPPLIED: "code_commune"}
    )
    zone_name = c.text(
        "The operator's name for the zone, else the codes of its collèges, or of its lycées where no collège is named.",
        required=True, upstream={SUPPLIED: "zone_name"},
    )  # fmt: skip
    nature = c.text(
        "Where the shape comes from: commune (its contour, or all addresses of an arrondissement), partie (addresses "
        "of the segments) or fournie (by an operator).", required=True, pattern="^(commune|partie|fournie)$",
    )  # fmt: skip
    uai_colleges = c.texts(
        "Collèges of the zone, several where they share it; NULL where the rule names lycées alone.",
        length=8, min_length=1, normalise=normalise.upper,
        upstream={COLLEGES: "code_rne", OCCITANIE: "code_rne", SUPPLIED: "uai_colleges"},
    )  # fmt: skip
    uai_lycees = c.texts(
        "All lycées, in order; NULL where no open rule names any. Those of one rank of a collège's rule by code.",
        length=8, min_length=1,
    )  # fmt: skip
    uai_lycees_1 = c.uai("The first lycée.", required=False, optional=True, upstream={SUPPLIED: "uai_lycees_1"})
    uai_lycees_2 = c.uai("The second lycée.", required=False, optional=True, upstream={SUPPLIED: "uai_lycees_2"})
    uai_lycees_3 = c.uai("The third lycée.", required=False, optional=True, upstream={SUPPLIED: "uai_lycees_3"})
    uai_lycees_4 = c.uai("The fourth lycée.", required=False, optional=True, upstream={SUPPLIED: "uai_lycees_4"})
    rentree_scolaire = c.text(
        "School year, e.g. 2024-2025; NULL where the file does not say.", length=9, optional=True,
        pattern=r"^\d{4}-\d{4}$", upstream={SUPPLIED: "rentree_scolaire"},
    )  # fmt: skip
    rule = c.text(
        "The source that says so; `A > B`: A gives the collège, B the lycées that it leads to.", required=True,
        optional=True, upstream={SUPPLIED: "rule"},
    )  # fmt: skip
    lignes = c.integer(
        "Lines of the sources about the whole commune, at the largest of the zone's polygons; NULL at the others, and "
        "of a part, whose lines are those of its segments.", min=1, unit="lines",
    )  # fmt: skip
    motif = c.text("Why there is no geometry.")
    geometry = c.geometry("A polygon of the zone, WGS 84.", "Polygon", optional=True, upstream={SUPPLIED: "geometry"})

    @dy.rule()
    def schools_have_codes(cls) -> pl.Expr:
        """Codes of schools (UAI) with their check letter"""
        return rules.are_codes("uai_colleges") & rules.are_codes("uai_lycees")

    @dy.rule()
    def on_the_map_or_with_a_reason(cls) -> pl.Expr:
        """Either a geometry or the reason why there is none"""
        return pl.col("geometry").is_null() == pl.col("motif").is_not_null()


@table(
    SectorisationZones,
    needs={COLLEGES: ["secteur_unique"], OCCITANIE: ["type_et_libelle", "lieu_dit", "type_etablissement"],
           "paris_affectation_lycees": ["reseau", "uai", "secteur"], "ban": addresses.COLUMNS,
           "sectorisation_segments": coverage.OF_SEGMENTS, "commune_boundaries": ["code_commune", "geometry"]},
    max_refused=0.05,
    max_unknown=0.05,
)  # fmt: skip
def sectorisation_zones(
    fr_en_carte_scolaire_colleges_publics: pl.LazyFrame,
    sectorisation_segments: pl.LazyFrame,
    commune_boundaries: pl.LazyFrame,
    ban: Parts,
    fr_en_occitanie_carte_scolaire_des_colleges_lycees_publics: pl.LazyFrame | None = None,
    paris_affectation_lycees: pl.LazyFrame | None = None,
    editorial_sectorisation_zones: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Give the communes that go whole their contour, and share the others out among their segments' addresses."""
    occitanie = fr_en_occitanie_carte_scolaire_des_colleges_lycees_publics
    if occitanie is not None:
        occitanie = occitanie.rename({"type_et_libelle": "libelle_rue"})
    lycees = rules.lycees_of_colleges(paris_affectation_lycees)
    whole = rules.whole_communes(rules.lines(fr_en_carte_scolaire_colleges_publics, occitanie), lycees)
    supplied = rules.supplied_zones(editorial_sectorisation_zones, lycees)
    return coverage.zones(whole, sectorisation_segments, supplied, commune_boundaries.collect(), ban).lazy()
