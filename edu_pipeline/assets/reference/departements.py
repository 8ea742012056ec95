"""departements: the départements and overseas collectivities, with region and académie.

Does not belong here: their contours.
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.flow import look_up
from edu_pipeline.table import table
from edu_pipeline.vocabulary import regions


class Departements(c.Contract):
    """A département or overseas collectivity (109), the region it is in, and the académie that runs its schools.

    An overseas collectivity belongs to no region: `code_region` is its own code and `nom_region` its own name, as in
    geo.api.gouv.fr. Régions académiques have their own codes: never join them to `code_region`.
    """

    code_departement = c.code_departement(
        key=True, upstream={"geo_api_departements": "code", "departement_academie": "code_departement"}
    )
    nom_departement = c.text("Name, e.g. Côte-d'Or.", required=True, upstream={"geo_api_departements": "nom"})
    code_region = c.code_region(
        "INSEE code of the region, e.g. 84; an overseas collectivity's own code.",
        length=3,
        required=True,
        upstream={"geo_api_departements": "codeRegion"},
    )
    nom_region = c.text(
        "Name of the region (INSEE, Code officiel géographique); an overseas collectivity's own name.", required=True
    )
    code_academie = c.code_academie(
        "Code of the académie, two digits; NULL where there is none (977, 978, 984, 989).",
        upstream={"departement_academie": "code_academie"},
    )
    nom_academie = c.text(
        "Name of the académie as DEPP writes it: capitals without accents. NULL where there is none.",
        upstream={"departement_academie": "academie"},
    )
    code_region_academique = c.code(
        "Code of the région académique, two digits, not INSEE's; 00 if in none. NULL without an académie.",
        2,
        length=2,
        upstream={"departement_academie": "code_region_academique"},
    )
    nom_region_academique = c.text(
        "Name of the région académique as DEPP writes it: capitals without accents.",
        upstream={"departement_academie": "region_academique"},
    )


@table(Departements)
def departements(geo_api_departements: pl.LazyFrame, departement_academie: pl.LazyFrame) -> pl.LazyFrame:
    """Add the académie and the region's name to each département."""
    code, name = pl.col("code_region"), pl.col("nom_departement")
    own_name = pl.when(code == pl.col("code_departement")).then(name)
    with_academie = look_up(geo_api_departements, departement_academie, "code_departement", "the académie")
    return with_academie.sort("code_departement").with_columns(
        nom_region=pl.coalesce(code.replace_strict(regions.REGIONS, default=None), own_name)
    )
