"""recensement_activite: the working population of each commune, at each census.

Does not belong here: the jobs in the commune (recensement_emploi), professional categories (activite_economique_2022).
"""

from collections.abc import Sequence
from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.long_form import figure
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census

WIDE, LONG = "insee_rp__emploi", "insee_rp_2023__activite"


def _people(description: str, wide: str, status: str | Sequence[str]) -> Any:
    long = figure(RP_MEASURE="POP", AGE="Y15T64", SEX="_T", EDUC="_T", EMPSTA_ENQ=status)
    return census.count(description, {LONG: long, WIDE: wide})


class RecensementActivite(c.Contract):
    """Employment and unemployment of a commune's residents aged 15 to 64: a row for each year of the census.

    The file of 2023 also has 2012 and 2017 on today's communes; 2022 is from the file of activite_economique_2022,
    which stays the table of professional categories and sectors. Unemployment is self-declared, so the rates are higher
    than by the ILO's definition.

    Counts are sums of weights, hence not whole numbers; shares mean little in small communes. Each census is made of
    five years of surveys: compare only years at least five apart. Paris, Lyon and Marseille appear both as cities
    (75056, 69123, 13055) and by arrondissement: use only one of the two in a sum. Mayotte has no figures. Figures are
    published for the communes of 1 January 2026 (those of 2022: 2025); `codes_anciens` marks communes that have changed
    since.
    """

    code_commune = c.code_commune(key=True, upstream={LONG: "GEO", WIDE: "CODGEO"})
    annee = census.annee(LONG)
    codes_anciens = c.codes_anciens()
    statut = census.statut(LONG)
    pop1564 = _people("People aged 15 to 64.", "P22_POP1564", "_T")
    actifs = _people("Of `pop1564`, those employed or unemployed.", "P22_ACT1564", "1T2")
    actifs_occupes = _people("Of `actifs`, the employed.", "P22_ACTOCC1564", "1")
    chomeurs = _people("Of `actifs`, the unemployed.", "P22_CHOM1564", "2")
    inactifs = _people("Of `pop1564`, those neither employed nor unemployed.", "P22_INACT1564", ["31", "33", "35T36"])
    etudiants = _people("Of `inactifs`, pupils, students and unpaid trainees.", "P22_ETUD1564", "33")
    retraites = _people("Of `inactifs`, the retired.", "P22_RETR1564", "31")
    taux_activite = census.share("actifs", "pop1564")
    taux_chomage = census.share("chomeurs", "actifs")
    taux_emploi = census.share("actifs_occupes", "pop1564")


@table(RecensementActivite)
def recensement_activite(
    insee_rp_2023__activite: pl.LazyFrame, insee_rp__emploi: pl.LazyFrame | None = None
) -> pl.LazyFrame:
    """Put the editions one below the other, and add rates."""
    return census.editions(insee_rp_2023__activite, insee_rp__emploi, RecensementActivite)
