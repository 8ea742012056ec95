"""activite_economique_2022: who works in a commune's homes, and which jobs are in the commune. Not here: incomes
(merged_revenu_commune_bassin_2021)."""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census

SECTORS = {
    "agriculture": ("AGRI", "in agriculture"),
    "industrie": ("INDUS", "in industry"),
    "construction": ("CONST", "in construction"),
    "commerce_transports_services": ("CTS", "in trade, transport and other services"),
    "administration_enseignement_sante": ("APESAS", "in public administration, education, health and social work"),
}
SHARES = {
    "taux_activite": ("actifs", "pop1564"),
    "taux_chomage": ("chomeurs", "actifs"),
    **{f"part_actifs_{name}": (f"actifs_{name}", "c22_act1564") for name in census.CATEGORIES},
    **{f"part_emplois_{name}": (f"emplois_{name}", "c22_emplt") for name in (*SECTORS, *census.CATEGORIES)},
}


class ActiviteEconomique2022(c.Contract):
    """Activity and unemployment of the people of 15 to 64 who live in a commune, and the jobs that are in it.

    Census of 2022 (INSEE), exploitation principale (P22_*); by sector and category the complementary one (C22_*, a
    sample in larger communes, whose totals `c22_act1564` and `c22_emplt` are not exactly those of the other). Counts
    are sums of weights, hence not whole. People count where they live, jobs where they are. Unemployed is who says so:
    these rates are above those of the ILO's definition. All NULL: INSEE gives no figures (Mayotte). Paris, Lyon and
    Marseille are here as cities (75056, 69123, 13055) and by arrondissement: a sum must take one of the two forms.
    Published on the communes of 1 January 2025; for one that has changed since, see `codes_anciens`.

    The categories are those of the PCS 2020, under new names of variables (`_STAT_GSEC11_21`, `_GS1`), as programs that
    read the file have them; the names of the years before (`_CS1`) are understood too.
    """

    code_commune = c.code_commune(key=True, upstream="CODGEO")
    codes_anciens = c.codes_anciens()
    pop1564 = census.count("People of 15 to 64.", "P22_POP1564")
    actifs = census.count("Of `pop1564`, those in work or unemployed.", "P22_ACT1564")
    actifs_occupes = census.count("Of `actifs`, those in work.", "P22_ACTOCC1564")
    chomeurs = census.count("Of `actifs`, the unemployed.", "P22_CHOM1564")
    inactifs = census.count("Of `pop1564`, those neither in work nor unemployed.", "P22_INACT1564")
    etudiants = census.count("Of `inactifs`, pupils, students and unpaid trainees.", "P22_ETUD1564")
    retraites = census.count("Of `inactifs`, the retired.", "P22_RETR1564")
    c22_act1564 = census.count("`actifs`, complementary exploitation.", "C22_ACT1564")
    for _number, (_name, _category) in enumerate(census.CATEGORIES.items(), 1):
        vars()[f"actifs_{_name}"] = census.count(
            f"Of `c22_act1564`, {_category}, by present or, of the unemployed, former profession.",
            f"C22_ACT1564_STAT_GSEC1{_number}_2{_number}", aliases=[f"C22_ACT1564_CS{_number}"],
        )  # fmt: skip
    emplois = census.count("Jobs in the commune.", "P22_EMPLT", unit="jobs")
    emplois_salaries = census.count("Of `emplois`, those of employees.", "P22_EMPLT_SAL", unit="jobs")
    emplois_non_salaries = census.count("Of `emplois`, those of the self-employed.", "P22_EMPLT_NSAL", unit="jobs")
    c22_emplt = census.count("`emplois`, complementary exploitation.", "C22_EMPLT", unit="jobs")
    for _name, (_code, _sector) in SECTORS.items():
        vars()[f"emplois_{_name}"] = census.count(f"Of `c22_emplt`, jobs {_sector}.", f"C22_EMPLT_{_code}", unit="jobs")
    for _number, (_name, _category) in enumerate(census.CATEGORIES.items(), 1):
        vars()[f"emplois_{_name}"] = census.count(
            f"Of `c22_emplt`, jobs of {_category}.",
            f"C22_EMPLT_GS{_number}", unit="jobs", aliases=[f"C22_EMPLT_CS{_number}"],
        )  # fmt: skip
    for _name, (_part, _whole) in SHARES.items():
        vars()[_name] = census.share(_part, _whole)


@table(ActiviteEconomique2022)
def activite_economique_2022(insee_rp__emploi: pl.LazyFrame) -> pl.LazyFrame:
    """Add the rates and shares to INSEE's counts."""
    return insee_rp__emploi.with_columns(census.percent(*of).alias(name) for name, of in SHARES.items())
