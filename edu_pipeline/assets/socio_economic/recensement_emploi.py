"""recensement_emploi: the jobs located in each commune, at each census.

Does not belong here: the residents who work (recensement_activite), jobs by sector (activite_economique_2022).
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.long_form import figure
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census

WIDE, LONG = "insee_rp__emploi", "insee_rp_2023__emploi"


def _jobs(description: str, wide: str, form: str) -> Any:
    return census.count(description, {LONG: figure(RP_MEASURE="NBEMP", EMPFORM=form), WIDE: wide}, unit="jobs")


class RecensementEmploi(c.Contract):
    """The jobs located in a commune, whoever does them and wherever they live: a row for each year of the census.

    The file of 2023 also has 2012 and 2017 on today's communes; 2022 is from the file of activite_economique_2022,
    which stays the table of jobs by sector and professional category.

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
    emplois = _jobs("Jobs in the commune.", "P22_EMPLT", "_T")
    emplois_salaries = _jobs("Of `emplois`, those of employees.", "P22_EMPLT_SAL", "2")
    emplois_non_salaries = _jobs("Of `emplois`, those of the self-employed.", "P22_EMPLT_NSAL", "1")
    part_salaries = census.share("emplois_salaries", "emplois")


@table(RecensementEmploi)
def recensement_emploi(
    insee_rp_2023__emploi: pl.LazyFrame, insee_rp__emploi: pl.LazyFrame | None = None
) -> pl.LazyFrame:
    """Put the editions one below the other, and add the share of employees."""
    return census.editions(insee_rp_2023__emploi, insee_rp__emploi, RecensementEmploi)
