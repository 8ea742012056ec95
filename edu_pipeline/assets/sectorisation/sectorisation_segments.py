"""sectorisation_segments: the streets of the cartes scolaires on the map, and the schools they are assigned to.

Does not belong here: communes assigned to a school as a whole (sectorisation_zones), how many of a département's
streets were matched (data_quality_metrics). docs/sectorisation.md explains how a street is located.
"""

import dataframely as dy
import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline import normalise
from edu_pipeline.flow import keep
from edu_pipeline.parts import Parts
from edu_pipeline.sectors import addresses, by_address, numbering, rules, segments, stretches
from edu_pipeline.table import table

COLLEGES = "fr_en_carte_scolaire_colleges_publics"
OCCITANIE = "fr_en_occitanie_carte_scolaire_des_colleges_lycees_publics"
SUPPLIED = "editorial_sectorisation_segments"
HAUTS_DE_SEINE = "hauts_de_seine_carte_scolaire_troncons"


class SectorisationSegments(c.Contract):
    """A street, or some of its house numbers, and the schools that the carte scolaire assigns to its addresses.

    Published files name lycées only in Occitanie; elsewhere they name collèges, and the lycées follow where a rule
    leads from a collège to lycées (`rule`). Without such a rule `uai_lycees` is NULL and the row is part of a collège's
    sector only. Lines that name several schools for the same addresses form one row (`lignes`). A street that could not
    be matched with the addresses has no geometry, and `motif` says why. Where a map is published and no list of
    streets, as in Paris, the rows follow from the addresses. The map of Paris is under the ODbL, and so are its rows;
    the licences of the other maps are not known.
    """

    id = c.integer("Number of the row, the same at every load.", key=True, min=1, max=numbering.LARGEST)
    code_departement = c.code_departement(required=True)
    code_commune = c.code_commune(
        required=True, upstream={COLLEGES: "code_insee", OCCITANIE: "code_insee", SUPPLIED: "code_commune"}
    )
    lieu_dit = c.text(
        "Place in the commune, often a former commune, that distinguishes streets of the same name.",
        optional=True,
        upstream={COLLEGES: "lieu_dit", OCCITANIE: "lieu_dit", SUPPLIED: "lieu_dit"},
    )
    libelle_rue = c.text(
        "Street as the carte scolaire writes it.",
        required=True,
        upstream={COLLEGES: "type_et_libelle", OCCITANIE: "type_et_libelle", SUPPLIED: "libelle_rue"},
    )
    number_from = c.integer(
        "First house number; NULL: no lower bound.",
        min=0,
        max=99_999,
        aliases=["no_de_voie_debut"],
        upstream={COLLEGES: "n_de_voie_debut", OCCITANIE: "no_de_voie_debut", SUPPLIED: "number_from"},
    )
    number_to = c.integer(
        "Last house number; NULL: no upper bound (9999 in the file).",
        min=0,
        max=99_999,
        aliases=["no_de_voie_fin"],
        upstream={COLLEGES: "n_de_voie_fin", OCCITANIE: "no_de_voie_fin", SUPPLIED: "number_to"},
    )
    side = c.text(
        "pair (even numbers), impair (odd numbers) or tous (all).",
        length=10,
        required=True,
        pattern="^(pair|impair|tous)$",
        upstream={COLLEGES: "parite", OCCITANIE: "parite", SUPPLIED: "side"},
    )
    zone_name = c.text(
        "Zone that the segment is part of: the operator's name for it, otherwise the codes of its collèges, or of its "
        "lycées if no collège is named.",
        optional=True,
        upstream={SUPPLIED: "zone_name"},
    )
    uai_colleges = c.texts(
        "Collèges of the addresses, several if they share a sector; NULL if the line only names lycées.",
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
        optional=True,
        normalise=normalise.upper,
        upstream={SUPPLIED: "uai_lycees"},
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
        "Number of lines of the source that the row is made from.", required=True, min=1, max=100_000, unit="lines"
    )
    nom_voie = c.text("Street in the BAN that it was matched with; NULL: none.")
    match_method = c.text("How the street was matched with the BAN: exact or close; NULL: it was not.")
    match_score = c.numeric("Similarity of the two labels.", unit="of 100", min=0, max=100)
    placement = c.text(
        "What the line is drawn through; `whole street`: none of its addresses is in the range of numbers."
    )
    motif = c.text("Why there is no geometry.")
    geometry = c.geometry("The segment, a line along its addresses, WGS 84.", "LineString")

    @dy.rule()
    def schools_have_codes(cls) -> pl.Expr:
        """codes of schools (UAI) with valid check letters"""
        return rules.are_codes("uai_colleges") & rules.are_codes("uai_lycees")

    @dy.rule()
    def on_the_map_or_with_a_reason(cls) -> pl.Expr:
        """either a geometry or the reason why there is none"""
        return pl.col("geometry").is_null() == pl.col("motif").is_not_null()


@table(
    SectorisationSegments,
    needs={
        COLLEGES: ["secteur_unique"],
        OCCITANIE: ["type_etablissement"],
        HAUTS_DE_SEINE: stretches.COLUMNS,
        "paris_affectation_lycees": ["reseau", "uai", "secteur"],
        "secteurs_colleges": ["code_departement", "geometry", *by_address.SCHOOLS],
        "ban": addresses.COLUMNS,
    },
    max_refused=0.05,
    max_unknown=0.05,
)
def sectorisation_segments(
    fr_en_carte_scolaire_colleges_publics: pl.LazyFrame,
    ban: Parts,
    fr_en_occitanie_carte_scolaire_des_colleges_lycees_publics: pl.LazyFrame | None = None,
    paris_affectation_lycees: pl.LazyFrame | None = None,
    editorial_sectorisation_segments: pl.LazyFrame | None = None,
    secteurs_colleges: pl.LazyFrame | None = None,
    hauts_de_seine_carte_scolaire_troncons: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Read the lines about streets and locate each street on the map, département by département."""
    covered = set(fr_en_carte_scolaire_colleges_publics.select("code_commune").collect().to_series())
    mapped = [pl.DataFrame(schema=by_address.LINE)]
    if secteurs_colleges is not None:
        mapped.append(by_address.in_areas(secteurs_colleges.collect(), ban, covered))
    if hauts_de_seine_carte_scolaire_troncons is not None:
        mapped.append(by_address.along(stretches.stretches(hauts_de_seine_carte_scolaire_troncons), ban, covered))
    lines = rules.lines(
        fr_en_carte_scolaire_colleges_publics,
        fr_en_occitanie_carte_scolaire_des_colleges_lycees_publics,
        editorial_sectorisation_segments,
        pl.concat(mapped),
    )
    streets = keep(lines, ~pl.col("whole").fill_null(False), "about a whole commune")
    placed = segments.segments(streets, rules.lycees_of_colleges(paris_affectation_lycees), ban)
    return placed.rename({"street": "nom_voie", "placed": "placement", "reason": "motif"})
