"""info_communes: the communes in force and the municipal arrondissements.

Does not belong here: former codes (passage_communes).
"""

import dataframely as dy
import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table
from edu_pipeline.vocabulary import arrondissements

PARTS = ("geo_api_communes", "geo_api_communes__arrondissements")


class InfoCommunes(c.Located):
    """A commune in force, or a municipal arrondissement of Paris, Lyon or Marseille.

    The three cities appear both as a whole (75056, 69123, 13055) and by arrondissement: sum the population only over
    `type_commune = 'commune'`, never over all rows. A commune can have several postal codes and a postal code several
    communes: search in `codes_postaux` (`@> ARRAY['75116']`), display `code_postal`. The six communes destroyed in
    1914-1918 have 0 inhabitants; uninhabited overseas territories have neither population nor postal code.
    """

    code_commune = c.code_commune(key=True, upstream="code", references=())
    nom_commune = c.text("Name, with its article.", length=255, required=True, upstream="nom")
    code_departement = c.code_departement(required=True, upstream="codeDepartement", references=("departements",))
    code_region = c.code_region(
        "INSEE code of the region; an overseas collectivity's own code.",
        length=3,
        required=True,
        upstream="codeRegion",
    )
    code_postal = c.code_postal("The first of the postal codes, NULL where there is none.")
    codes_postaux = c.texts(
        "All postal codes, NULL where there is none.", length=10, pattern=c.POSTAL_CODE, upstream="codesPostaux"
    )
    population = c.integer(
        "Municipal population in the latest reference census; NULL in uninhabited territories.",
        unit="inhabitants",
        min=0,
        max=c.MOST_PEOPLE,
        upstream="population",
    )
    latitude = c.latitude("Latitude of the centre of the commune's area, WGS 84.")
    longitude = c.longitude("Longitude of the centre of the commune's area, WGS 84.")
    code_epci = c.siren(
        "SIREN of the group of communes (EPCI) that it belongs to; NULL for the few in none and for arrondissements.",
        upstream={PARTS[0]: "codeEpci"},
    )
    siren = c.siren(
        "SIREN of the municipality; NULL for overseas collectivities and arrondissements.",
        upstream={PARTS[0]: "siren"},
    )
    type_commune = c.text(
        "commune or arrondissement municipal.", required=True, pattern="^(commune|arrondissement municipal)$"
    )
    code_commune_parent = c.code_commune(
        "An arrondissement's commune: 75056 (Paris), 69123 (Lyon), 13055 (Marseille); NULL for a commune.",
        references=("info_communes",),
    )

    @dy.rule()
    def arrondissements_have_a_parent(cls) -> pl.Expr:
        """a parent for an arrondissement, and only for an arrondissement"""
        return pl.col("code_commune_parent").is_not_null() == (pl.col("type_commune") != "commune")


@table(InfoCommunes, needs={part: ["centre"] for part in PARTS}, structures=["centre"])
def info_communes(geo_api_communes: pl.LazyFrame, geo_api_communes__arrondissements: pl.LazyFrame) -> pl.LazyFrame:
    """Combine communes and arrondissements, and split the centre into latitude and longitude."""
    parts = [
        geo_api_communes.with_columns(type_commune=pl.lit("commune"), code_commune_parent=pl.lit(None, pl.String)),
        geo_api_communes__arrondissements.with_columns(
            type_commune=pl.lit("arrondissement municipal"),
            code_commune_parent=pl.col("code_commune").replace_strict(arrondissements.COMMUNES, default=None),
        ),
    ]
    postal_codes = pl.when(pl.col("codes_postaux").list.len() > 0).then(pl.col("codes_postaux"))
    return pl.concat([_with_position(part) for part in parts], how="diagonal").with_columns(
        codes_postaux=postal_codes,
        code_postal=postal_codes.list.first(),
    )


def _with_position(part: pl.LazyFrame) -> pl.LazyFrame:
    """The coordinates of ``centre`` as text, whatever else it contains; NULL where it has none."""
    centre = pl.col("centre").struct.json_encode()
    return part.with_columns(
        longitude=centre.str.json_path_match("$.coordinates[0]"),
        latitude=centre.str.json_path_match("$.coordinates[1]"),
    ).drop("centre")
