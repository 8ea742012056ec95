"""secteurs_colleges: the sectors of collèges that are published as areas, with the collèges' codes.

Does not belong here: how each publisher writes them (``sectors/areas.py``), the streets and zones that follow from them
(sectorisation_segments, sectorisation_zones), layers that have codes and no areas.
"""

import dataframely as dy
import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.sectors import areas, numbering, rules, schools
from edu_pipeline.table import table

PARIS = "paris_secteurs_colleges"
HAUTE_GARONNE = "haute_garonne_secteurs_colleges"
LOIRE_ATLANTIQUE = "loire_atlantique_secteurs_colleges"


class SecteursColleges(c.Contract):
    """The area that is assigned to one collège, or to several that share it: Paris, Haute-Garonne, Loire-Atlantique.

    Paris publishes names and addresses, of the latest school year; the codes are those of the only public collèges of
    the département that these mean. A sector of which one name is unknown or ambiguous is refused, with the candidates.
    The areas of Paris leave out the width of streets: an address outside all of them belongs to the nearest one within
    30 m. The two départements publish codes, and no school year. The areas of Paris are under the ODbL; the licence of
    the others is not known.
    """

    id = c.integer("Number of the row, the same at every load.", key=True, min=1, max=numbering.LARGEST)
    code_departement = c.code_departement(required=True)
    nom_secteur = c.text(
        "The publisher's name for the sector: the collège's in the Haute-Garonne, a number in the Loire-Atlantique.",
        upstream={PARIS: "libelle", HAUTE_GARONNE: "college", LOIRE_ATLANTIQUE: "num_cs"},
    )
    noms_colleges = c.texts(
        "Names of the collèges as the publisher writes them.",
        required=True,
        min_length=1,
        upstream={HAUTE_GARONNE: "college", LOIRE_ATLANTIQUE: "college"},
    )
    uai_colleges = c.texts(
        "Collèges of the sector, sorted by code.",
        length=8,
        pattern=c.UAI,
        required=True,
        min_length=1,
        upstream={HAUTE_GARONNE: "uai", LOIRE_ATLANTIQUE: "id_etb"},
    )
    rentree_scolaire = c.text(
        "School year, e.g. 2026-2027; NULL if the file does not say.",
        length=9,
        pattern="^[0-9]{4}-[0-9]{4}$",
        upstream={PARIS: "annee_scol"},
    )
    rule = c.text("The source.", required=True)
    geometry = c.geometry(
        "The sector as published, WGS 84.",
        "MultiPolygon",
        required=True,
        upstream={PARIS: "geo_shape", HAUTE_GARONNE: "geometry", LOIRE_ATLANTIQUE: "geometry"},
    )

    @dy.rule()
    def schools_have_codes(cls) -> pl.Expr:
        """codes of schools (UAI) with valid check letters"""
        return rules.are_codes("uai_colleges")


@table(
    SecteursColleges,
    needs={PARIS: ["annee_scol", *areas.NAMES, *areas.ADDRESSES]},  # and all of the directory, which is not to stop
    may_be_empty=[*areas.NAMES[1:], *areas.ADDRESSES],
    max_refused=0.1,
)
def secteurs_colleges(
    annuaire_education: pl.LazyFrame,
    paris_secteurs_colleges: pl.LazyFrame | None = None,
    haute_garonne_secteurs_colleges: pl.LazyFrame | None = None,
    loire_atlantique_secteurs_colleges: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Read the sectors of each map, with the directory where it gives names; without any file there are no rows."""
    maps = []
    if paris_secteurs_colleges is not None:
        colleges = annuaire_education.filter(
            type_etablissement="Collège", statut_public_prive="public", code_departement=areas.PARIS
        )
        named = colleges.select("uai", "nom_etablissement", "address").collect()
        maps.append(areas.of_paris(paris_secteurs_colleges, [schools.school(*row) for row in named.rows()]))
    if haute_garonne_secteurs_colleges is not None:
        maps.append(areas.of_haute_garonne(haute_garonne_secteurs_colleges))
    if loire_atlantique_secteurs_colleges is not None:
        maps.append(areas.of_loire_atlantique(loire_atlantique_secteurs_colleges))
    if not maps:
        return SecteursColleges.create_empty(lazy=True)
    sectors = pl.concat(maps, how="diagonal")
    hashed = numbering.hashed(sectors, ["rule", areas.IDENTITY])
    (numbered,) = numbering.numbered([sectors.with_columns(hashed)])
    return numbered.lazy()
