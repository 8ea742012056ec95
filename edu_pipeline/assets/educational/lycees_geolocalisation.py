"""lycees_geolocalisation: general and technological lycées with a position, for maps.

Does not belong here: other lycées (geodata_lycees).
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table


class LyceesGeolocalisation(c.Located):
    """A lycée in the directory with a general or a technological track, with its position and sector.

    Every row has a position; a lycée that the publisher could not locate is only in geodata_lycees.
    """

    uai = c.uai(key=True)
    nom = c.text("Name.", length=255, upstream="nom_etablissement")
    code_commune = c.code_commune(upstream="code_commune")
    commune = c.text("Name of the commune.", upstream="nom_commune")
    code_departement = c.code_departement(upstream="code_departement")
    latitude = c.latitude(required=True, upstream="latitude")
    longitude = c.longitude(required=True, upstream="longitude")
    secteur = c.secteur("public or privé.", upstream="statut_public_prive")


@table(
    LyceesGeolocalisation,
    needs={"annuaire_education": ["type_etablissement", "voie_generale", "voie_technologique"]},
)
def lycees_geolocalisation(annuaire_education: pl.LazyFrame) -> pl.LazyFrame:
    """Select the lycées with a position and one of the two tracks from the directory."""
    return annuaire_education.filter(
        pl.col("type_etablissement") == "Lycée",
        pl.col("voie_generale") | pl.col("voie_technologique"),
        pl.col("latitude").is_not_null() & pl.col("longitude").is_not_null(),
    ).rename({"nom_etablissement": "nom", "nom_commune": "commune", "statut_public_prive": "secteur"})
