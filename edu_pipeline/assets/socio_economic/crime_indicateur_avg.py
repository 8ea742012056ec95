"""crime_indicateur_avg: mean rates of recorded crime, as a benchmark for a commune's rates.

Does not belong here: the communes' own rates (criminalite_2024).
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.assets.socio_economic.criminalite_2024 import HIGHEST_RATE, PER_DWELLING
from edu_pipeline.table import table
from edu_pipeline.vocabulary import arrondissements

READ = ("code_commune", "annee", "indicateur", "unite_de_compte", "taux_pour_mille", "insee_pop", "insee_log")


class CrimeIndicateurAvg(c.Contract):
    """Mean rate of an indicator of recorded crime in a département, and in France (`FR`), in the latest year.

    The mean covers only communes whose rate is published, weighted by population, or by dwellings for burglaries. It is
    therefore neither the mean of all communes nor the rate of the département: the rates of most small communes, which
    are lower, are not published (see `nb_communes_publiees`). Paris, Lyon and Marseille are counted once: as cities, or
    by arrondissement if the city's own rate is not published. For the indicators see criminalite_2024.
    """

    code_departement = c.text(
        "Code of the communes' département, or FR for all communes.",
        length=5,
        key=True,
        pattern="^([0-9]{2}|2[AB]|9[78][0-9]|FR)$",
    )
    indicateur = c.text("Indicator, as in criminalite_2024.", key=True)
    annee = c.year("The latest year in criminalite_2024.", required=True)
    unite_de_compte = c.text("What is counted, as in criminalite_2024.", required=True)
    taux_moyen_pour_mille = c.numeric(
        "Mean of the published rates per 1,000 inhabitants, weighted by population; for `Cambriolages de logement` per "
        "1,000 dwellings, weighted by dwellings. NULL where no commune's rate is published.",
        12,
        7,
        min=0,
        max=HIGHEST_RATE,
        unit="‰",
    )
    nb_communes_publiees = c.integer(
        "Communes included in the mean.", required=True, min=0, max=40_000, unit="communes"
    )


@table(CrimeIndicateurAvg, needs={"criminalite_2024": READ}, latest={"criminalite_2024": "annee"})
def crime_indicateur_avg(criminalite_2024: pl.LazyFrame) -> pl.LazyFrame:
    """Average the published rates of the latest year by département and over all of them."""
    code = pl.col("code_commune")
    latest = criminalite_2024.filter(pl.col("annee") == pl.col("annee").max()).select(
        "indicateur",
        "annee",
        "unite_de_compte",
        code,
        rate=pl.col("taux_pour_mille").cast(pl.Float64),
        weight=pl.when(pl.col("indicateur") == PER_DWELLING).then("insee_log").otherwise("insee_pop"),
        city=code.replace_strict(arrondissements.COMMUNES, default=None, return_dtype=pl.String),
        departement=code.str.extract("^(9[78].|..)"),
    )
    cities = latest.filter(pl.col("rate").is_not_null()).select("indicateur", city=code)
    once = latest.join(cities, on=["indicateur", "city"], how="anti")
    areas = [once.with_columns(code_departement=area) for area in (pl.col("departement"), pl.lit("FR"))]
    published = (pl.col("rate").is_not_null()) & (pl.col("weight") > 0)
    rate, weight = pl.col("rate").filter(published), pl.col("weight").filter(published)
    return (
        pl.concat(areas)
        .group_by("code_departement", "indicateur", "annee")
        .agg(
            pl.col("unite_de_compte").first(),
            total=weight.sum(),
            taux_moyen_pour_mille=(rate * weight).sum(),
            nb_communes_publiees=published.sum(),
        )
        .with_columns(pl.when(pl.col("total") > 0).then(pl.col("taux_moyen_pour_mille") / pl.col("total")))
    )
