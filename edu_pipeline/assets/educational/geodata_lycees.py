"""geodata_lycees: the location of every lycée in the directory.

Does not belong here: the selection for the map (lycees_geolocalisation).
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table


class GeodataLycees(c.Located):
    """A lycée of any kind (general, technological, vocational, agricultural) in the directory, and its location.

    The position is NULL where the publisher could not locate the lycée.
    """

    uai = c.uai(key=True)
    etablissement = c.text("Name.", upstream="nom_etablissement")
    latitude = c.latitude("Latitude, WGS 84; NULL where the lycée could not be located.", upstream="latitude")
    longitude = c.longitude("Longitude, WGS 84; NULL where the lycée could not be located.", upstream="longitude")
    position = c.text("The position as the publisher writes it: 'latitude, longitude'.", upstream="position")
    code_commune = c.code_commune(upstream="code_commune")
    commune = c.text("Name of the commune.", upstream="nom_commune")
    code_departement = c.code_departement(upstream="code_departement")
    academie = c.text("Name of the académie.", upstream="libelle_academie")
    secteur = c.secteur("public or privé.", upstream="statut_public_prive")
    voie_generale = c.boolean("Whether it has the general track.", upstream="voie_generale")
    voie_technologique = c.boolean("Whether it has the technological track.", upstream="voie_technologique")
    voie_professionnelle = c.boolean("Whether it has the vocational track.", upstream="voie_professionnelle")


@table(GeodataLycees, needs={"annuaire_education": ["type_etablissement"]})
def geodata_lycees(annuaire_education: pl.LazyFrame) -> pl.LazyFrame:
    """Select the lycées from the directory."""
    return annuaire_education.filter(pl.col("type_etablissement") == "Lycée").rename(
        {
            "nom_etablissement": "etablissement",
            "nom_commune": "commune",
            "libelle_academie": "academie",
            "statut_public_prive": "secteur",
        }
    )
