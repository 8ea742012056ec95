"""criminalite_2024: recorded crime by commune, year and indicator. Not here: averages (crime_indicateur_avg)."""

import dataframely as dy
import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table


class Criminalite2024(c.Contract):
    """Crimes and offences that police and gendarmerie recorded in a commune in a year, by indicator (SSMSI).

    Recorded is not suffered: what nobody reports is missing, and drug indicators follow the number of checks. Published
    is a commune's indicator from more than five facts in three successive years on (`est_diffuse = 'diff'`); else
    (`'ndiff'`) `nombre` and `taux_pour_mille` are NULL, which is not 0, and `complement_info_*` is a mean of the
    département, not a value of this commune. Indicators count different things (`unite_de_compte`): never add them up;
    `Usage de stupéfiants (AFD)` is a part of `Usage de stupéfiants`. Paris, Lyon and Marseille are here as cities
    (75056, 69123, 13055) and by arrondissement: a sum must take one of the two. Each edition has the whole history on
    the communes of its own year.

    Indicators since July 2025 (15): Violences physiques intrafamiliales, Violences physiques hors cadre familial,
    Violences sexuelles, Vols avec armes, Vols violents sans arme, Vols sans violence contre des personnes,
    Cambriolages de logement, Vols de véhicule, Vols dans les véhicules, Vols d'accessoires sur véhicules, Destructions
    et dégradations volontaires, Usage de stupéfiants, Usage de stupéfiants (AFD), Trafic de stupéfiants, Escroqueries
    et fraudes aux moyens de paiement. Editions until 2024 (16): in place of the first two, Coups et blessures
    volontaires and its parts Coups et blessures volontaires intrafamiliaux and Autres coups et blessures volontaires;
    Vols de véhicules; Escroqueries.
    """

    code_commune = c.code_commune(key=True, upstream=r"^codgeo_\d{4}$")
    codes_anciens = c.codes_anciens()
    annee = c.year("Year in which the facts were recorded.", key=True, upstream="annee")
    indicateur = c.text("Indicator, the publisher's label; see the table's description.", key=True,
                        upstream="indicateur")  # fmt: skip
    unite_de_compte = c.text("What is counted: Victime, Infraction, Véhicule, Mis en cause, Victime entendue.",
                             required=True, upstream="unite_de_compte")  # fmt: skip
    insee_pop = c.integer("Population that the rate is of.", min=0, unit="inhabitants", upstream="insee_pop",
                          adds_up=True)  # fmt: skip
    nombre = c.integer("Number recorded; NULL where not published.", min=0, upstream="nombre",
                       adds_up=True)  # fmt: skip
    taux_pour_mille = c.numeric(
        "Rate per 1,000 inhabitants; for `Cambriolages de logement` per 1,000 dwellings. NULL where not published.",
        12, 7, min=0, unit="‰", upstream="taux_pour_mille",
    )  # fmt: skip
    est_diffuse = c.text("`diff`: published; `ndiff`: hidden, since too few.", required=True, pattern="^n?diff$",
                         upstream="est_diffuse")  # fmt: skip
    insee_pop_millesime = c.year("Census year of `insee_pop`.", upstream="insee_pop_millesime")
    insee_log = c.integer("Dwellings that the rate of burglaries is of, rounded (the rate is of the exact number).",
                          min=0, unit="dwellings", upstream="insee_log", adds_up=True)  # fmt: skip
    insee_log_millesime = c.year("Census year of `insee_log`.", upstream="insee_log_millesime")
    complement_info_nombre = c.numeric(
        "Mean number in the communes of the département whose indicator is not published that year: not a value of "
        "this commune. NULL where the commune's own is published.",
        12, 7, min=0, upstream="complement_info_nombre",
    )  # fmt: skip
    complement_info_taux = c.numeric(
        "Mean rate in the communes of the département whose indicator is not published that year: not a value of "
        "this commune. NULL where the commune's own is published.",
        12, 7, min=0, unit="‰", upstream="complement_info_taux",
    )  # fmt: skip

    @dy.rule()
    def hidden_has_no_value(cls) -> pl.Expr:
        """No number and no rate where est_diffuse says ndiff."""
        return (pl.col("est_diffuse") == "diff") | (pl.col("nombre").is_null() & pl.col("taux_pour_mille").is_null())


@table(Criminalite2024, large=True)
def criminalite_2024(ssmsi_communale: pl.LazyFrame) -> pl.LazyFrame:
    """The publisher's rows, as they are."""
    return ssmsi_communale
