"""colleges_geolocalisation: collèges with a position, for maps.

Does not belong here: collèges without a position (annuaire_education).
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table


class CollegesGeolocalisation(c.Located):
    """A collège in the directory, with its position and sector.

    Every row has a position; a collège that the publisher could not locate is only in annuaire_education.
    """

    uai = c.uai(key=True)
    nom = c.text("Name.", upstream="nom_etablissement")
    commune = c.text("Name of the commune.", upstream="nom_commune")
    code_commune = c.code_commune(upstream="code_commune")
    code_departement = c.code_departement(upstream="code_departement")
    latitude = c.latitude(required=True, upstream="latitude")
    longitude = c.longitude(required=True, upstream="longitude")
    secteur = c.secteur("public or privé.", upstream="statut_public_prive")


@table(CollegesGeolocalisation, needs={"annuaire_education": ["type_etablissement"]})
def colleges_geolocalisation(annuaire_education: pl.LazyFrame) -> pl.LazyFrame:
    """Select the collèges with a position from the directory."""
    return annuaire_education.filter(
        pl.col("type_etablissement") == "Collège",
        pl.col("latitude").is_not_null() & pl.col("longitude").is_not_null(),
    ).rename({"nom_etablissement": "nom", "nom_commune": "commune", "statut_public_prive": "secteur"})
