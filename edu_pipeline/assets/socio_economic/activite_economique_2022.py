"""activite_economique_2022: the working population of each commune, and the jobs located there.

Does not belong here: incomes (merged_revenu_commune_bassin_2021).
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census


def _active(category: str, number: int) -> Any:
    return census.count(
        f"Of `c22_act1564`, {category}, by current profession or, if unemployed, by the last one.",
        f"C22_ACT1564_STAT_GSEC1{number}_2{number}",
        aliases=[f"C22_ACT1564_CS{number}"],
    )


def _jobs(whose: str, upstream: str, **rest: Any) -> Any:
    return census.count(f"Of `c22_emplt`, jobs {whose}.", upstream, unit="jobs", **rest)


def _jobs_of(category: str, number: int) -> Any:
    return _jobs(f"of {category}", f"C22_EMPLT_GS{number}", aliases=[f"C22_EMPLT_CS{number}"])


class ActiviteEconomique2022(c.Contract):
    """Employment and unemployment of a commune's residents aged 15 to 64, and the jobs located in the commune.

    Census of 2022 (INSEE). The totals come from the full count (exploitation principale, P22_*), the figures by sector
    and category from a sample (exploitation complémentaire, C22_*), so the sample's totals `c22_act1564` and
    `c22_emplt` differ slightly from `actifs` and `emplois`. Counts are sums of weights, hence not whole numbers. People
    are counted where they live, jobs where they are. Unemployment is self-declared, so the rates are higher than by
    the ILO's definition. All NULL: INSEE gives no figures (Mayotte). Paris, Lyon and Marseille appear both as cities
    (75056, 69123, 13055) and by arrondissement: use only one of the two in a sum. Figures are published for the
    communes of 1 January 2025; `codes_anciens` marks communes that have changed since. Other censuses:
    recensement_activite, recensement_emploi.

    The socio-professional categories are those of the PCS 2020, with the variable names that programs reading the file
    use (`_STAT_GSEC11_21`, `_GS1`); the names of earlier years (`_CS1`) are recognised too.
    """

    code_commune = c.code_commune(key=True, upstream="CODGEO")
    codes_anciens = c.codes_anciens()
    pop1564 = census.count("People aged 15 to 64.", "P22_POP1564")
    actifs = census.count("Of `pop1564`, those employed or unemployed.", "P22_ACT1564")
    actifs_occupes = census.count("Of `actifs`, the employed.", "P22_ACTOCC1564")
    chomeurs = census.count("Of `actifs`, the unemployed.", "P22_CHOM1564")
    inactifs = census.count("Of `pop1564`, those neither employed nor unemployed.", "P22_INACT1564")
    etudiants = census.count("Of `inactifs`, pupils, students and unpaid trainees.", "P22_ETUD1564")
    retraites = census.count("Of `inactifs`, the retired.", "P22_RETR1564")
    c22_act1564 = census.count("`actifs`, estimated from the sample.", "C22_ACT1564")
    actifs_agriculteurs = _active("farmers", 1)
    actifs_artisans_commercants = _active("craftspeople, shopkeepers and company heads", 2)
    actifs_cadres = _active("managers and higher intellectual professions", 3)
    actifs_professions_intermediaires = _active("intermediate professions", 4)
    actifs_employes = _active("clerical, sales and service workers", 5)
    actifs_ouvriers = _active("manual workers", 6)
    emplois = census.count("Jobs in the commune.", "P22_EMPLT", unit="jobs")
    emplois_salaries = census.count("Of `emplois`, those of employees.", "P22_EMPLT_SAL", unit="jobs")
    emplois_non_salaries = census.count("Of `emplois`, those of the self-employed.", "P22_EMPLT_NSAL", unit="jobs")
    c22_emplt = census.count("`emplois`, estimated from the sample.", "C22_EMPLT", unit="jobs")
    emplois_agriculture = _jobs("in agriculture", "C22_EMPLT_AGRI")
    emplois_industrie = _jobs("in industry", "C22_EMPLT_INDUS")
    emplois_construction = _jobs("in construction", "C22_EMPLT_CONST")
    emplois_commerce_transports_services = _jobs("in trade, transport and other services", "C22_EMPLT_CTS")
    emplois_administration_enseignement_sante = _jobs(
        "in public administration, education, health and social work", "C22_EMPLT_APESAS"
    )
    emplois_agriculteurs = _jobs_of("farmers", 1)
    emplois_artisans_commercants = _jobs_of("craftspeople, shopkeepers and company heads", 2)
    emplois_cadres = _jobs_of("managers and higher intellectual professions", 3)
    emplois_professions_intermediaires = _jobs_of("intermediate professions", 4)
    emplois_employes = _jobs_of("clerical, sales and service workers", 5)
    emplois_ouvriers = _jobs_of("manual workers", 6)
    taux_activite = census.share("actifs", "pop1564")
    taux_chomage = census.share("chomeurs", "actifs")
    part_actifs_agriculteurs = census.share("actifs_agriculteurs", "c22_act1564")
    part_actifs_artisans_commercants = census.share("actifs_artisans_commercants", "c22_act1564")
    part_actifs_cadres = census.share("actifs_cadres", "c22_act1564")
    part_actifs_professions_intermediaires = census.share("actifs_professions_intermediaires", "c22_act1564")
    part_actifs_employes = census.share("actifs_employes", "c22_act1564")
    part_actifs_ouvriers = census.share("actifs_ouvriers", "c22_act1564")
    part_emplois_agriculture = census.share("emplois_agriculture", "c22_emplt")
    part_emplois_industrie = census.share("emplois_industrie", "c22_emplt")
    part_emplois_construction = census.share("emplois_construction", "c22_emplt")
    part_emplois_commerce_transports_services = census.share("emplois_commerce_transports_services", "c22_emplt")
    part_emplois_administration_enseignement_sante = census.share(
        "emplois_administration_enseignement_sante", "c22_emplt"
    )
    part_emplois_agriculteurs = census.share("emplois_agriculteurs", "c22_emplt")
    part_emplois_artisans_commercants = census.share("emplois_artisans_commercants", "c22_emplt")
    part_emplois_cadres = census.share("emplois_cadres", "c22_emplt")
    part_emplois_professions_intermediaires = census.share("emplois_professions_intermediaires", "c22_emplt")
    part_emplois_employes = census.share("emplois_employes", "c22_emplt")
    part_emplois_ouvriers = census.share("emplois_ouvriers", "c22_emplt")


@table(ActiviteEconomique2022)
def activite_economique_2022(insee_rp__emploi: pl.LazyFrame) -> pl.LazyFrame:
    """Add rates and shares to INSEE's counts."""
    return census.with_shares(insee_rp__emploi, ActiviteEconomique2022)
