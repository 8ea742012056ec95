"""criminalite_2024: recorded crime by commune, year and indicator.

Does not belong here: averages (crime_indicateur_avg).
"""

from typing import Any

import dataframely as dy
import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table

PER_DWELLING = "Cambriolages de logement"
"""The indicator whose rate is per 1,000 dwellings."""

HIGHEST_RATE = 50_000
"""More crimes per 1,000 inhabitants than any commune has, even one with an airport and few inhabitants."""


def _decimal(description: str, **rest: Any) -> Any:
    return c.numeric(description, 12, 7, min=0, max=HIGHEST_RATE, **rest)


def _mean_of_unpublished(what: str, **rest: Any) -> Any:
    return _decimal(
        f"Mean {what} over the communes of the département whose indicator is not published that year: not a value of "
        "this commune. NULL where the commune's own value is published.",
        **rest,
    )


class Criminalite2024(c.Contract):
    """Crimes and offences that police and gendarmerie recorded in a commune in a year, by indicator (SSMSI).

    These are recorded crimes, not all crimes: what nobody reports is missing, and drug offences depend on how often the
    police check. A commune's indicator is published (`est_diffuse = 'diff'`) once more than five crimes were recorded
    in each of three successive years. Otherwise (`'ndiff'`) `nombre` and `taux_pour_mille` are NULL, which does not
    mean 0, and `complement_info_*` is a mean of the département, not a value of this commune. Indicators count
    different things (`unite_de_compte`): never add them up. `Usage de stupéfiants (AFD)` is a part of `Usage de
    stupéfiants`. Paris, Lyon and Marseille appear both as cities (75056, 69123, 13055) and by arrondissement: use only
    one of the two in a sum. Each edition gives the whole history for the communes of its own year.

    Indicators since July 2025 (15): Violences physiques intrafamiliales, Violences physiques hors cadre familial,
    Violences sexuelles, Vols avec armes, Vols violents sans arme, Vols sans violence contre des personnes,
    Cambriolages de logement, Vols de véhicule, Vols dans les véhicules, Vols d'accessoires sur véhicules, Destructions
    et dégradations volontaires, Usage de stupéfiants, Usage de stupéfiants (AFD), Trafic de stupéfiants, Escroqueries
    et fraudes aux moyens de paiement. Editions until 2024 (16): instead of the first two, Coups et blessures
    volontaires and its parts Coups et blessures volontaires intrafamiliaux and Autres coups et blessures volontaires;
    Vols de véhicules; Escroqueries.
    """

    code_commune = c.code_commune(key=True, upstream=r"^codgeo_\d{4}$")
    codes_anciens = c.codes_anciens()
    annee = c.year("Year in which the crimes were recorded.", key=True, upstream="annee")
    indicateur = c.text(
        "Indicator: the publisher's label; see the table's description.", key=True, upstream="indicateur"
    )
    unite_de_compte = c.text(
        "What is counted: Victime, Infraction, Véhicule, Mis en cause, Victime entendue.",
        required=True,
        upstream="unite_de_compte",
    )
    insee_pop = c.integer(
        "Population used for the rate.",
        min=0,
        max=c.MOST_PEOPLE,
        unit="inhabitants",
        upstream="insee_pop",
        adds_up=True,
    )
    nombre = c.integer(
        "Number recorded; NULL where not published.", min=0, max=1_000_000, upstream="nombre", adds_up=True
    )
    taux_pour_mille = _decimal(
        "Rate per 1,000 inhabitants; for `Cambriolages de logement` per 1,000 dwellings. NULL where not published.",
        unit="‰",
        upstream="taux_pour_mille",
        rate_of=c.Rate("nombre", "insee_pop", per=1000, other_bases={("indicateur", PER_DWELLING): "insee_log"}),
    )
    est_diffuse = c.text(
        "`diff`: published; `ndiff`: not published, because the number is too small.",
        required=True,
        pattern="^n?diff$",
        upstream="est_diffuse",
    )
    insee_pop_millesime = c.year("Census year of `insee_pop`.", upstream="insee_pop_millesime")
    insee_log = c.integer(
        "Dwellings used for the rate of burglaries, rounded (the rate uses the exact number).",
        min=0,
        max=c.MOST_PEOPLE,
        unit="dwellings",
        upstream="insee_log",
        adds_up=True,
    )
    insee_log_millesime = c.year("Census year of `insee_log`.", upstream="insee_log_millesime")
    complement_info_nombre = _mean_of_unpublished("number", upstream="complement_info_nombre")
    complement_info_taux = _mean_of_unpublished("rate", unit="‰", upstream="complement_info_taux")

    @dy.rule()
    def hidden_has_no_value(cls) -> pl.Expr:
        """No number and no rate where est_diffuse says ndiff."""
        return (pl.col("est_diffuse") == "diff") | (pl.col("nombre").is_null() & pl.col("taux_pour_mille").is_null())


@table(Criminalite2024, large=True)
def criminalite_2024(ssmsi_communale: pl.LazyFrame) -> pl.LazyFrame:
    """Take the publisher's rows unchanged."""
    return ssmsi_communale
