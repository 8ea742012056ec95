"""recensement_diplomes: the highest diplomas of each commune's residents, at each census.

Does not belong here: school attendance (recensement_scolarisation), the census of 2021 (niveau_education_2021).
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.long_form import figure
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census

LONG = "insee_rp_2023__diplomes"


def _people(description: str, diploma: str) -> Any:
    return census.count(description, {LONG: figure(RP_MEASURE="POP", AGE="Y_GE15", SEX="_T", EDUC=diploma)})


def _with_diploma(diploma: str, code: str) -> Any:
    return _people(f"Of `nscol15p`, those whose highest diploma is {diploma}.", code)


class RecensementDiplomes(c.Contract):
    """A commune's residents aged 15 or over who have left school, by highest diploma: a row for each census.

    The file of 2023 also has 2012 and 2017 on today's communes. In 2012 INSEE did not tell three or four years of
    higher education from five: these columns are NULL then, and `nscol15p_sup` has all of them. The census of 2022 is
    not here: its file is not known. That of 2021 stays in niveau_education_2021.

    Counts are sums of weights, hence not whole numbers; shares mean little in small communes. Each census is made of
    five years of surveys: compare only years at least five apart. Paris, Lyon and Marseille appear both as cities
    (75056, 69123, 13055) and by arrondissement: use only one of the two in a sum. Mayotte has no figures. Figures are
    published for the communes of 1 January 2026; `codes_anciens` marks communes that have changed since.
    """

    code_commune = c.code_commune(key=True, upstream={LONG: "GEO"})
    annee = census.annee(LONG)
    codes_anciens = c.codes_anciens()
    statut = census.statut(LONG)
    nscol15p = _people("People aged 15 or over who are not at school.", "_T")
    nscol15p_diplmin = _with_diploma("none, or at most the primary certificate (CEP)", "001T100_RP")
    nscol15p_bepc = _with_diploma("the BEPC, brevet des collèges or DNB", "200_RP")
    nscol15p_capbep = _with_diploma("a CAP, a BEP or equivalent", "300_RP")
    nscol15p_bac = _with_diploma("a baccalauréat, brevet professionnel or equivalent", "350T351_RP")
    nscol15p_sup = _with_diploma("from higher education", "500T702_RP")
    nscol15p_sup2 = _with_diploma("from two years of higher education", "500_RP")
    nscol15p_sup34 = _with_diploma("from three or four years of higher education", "600_RP")
    nscol15p_sup5 = _with_diploma("from five or more years of higher education", "700_RP")
    part_diplmin = census.share("nscol15p_diplmin", "nscol15p")
    part_bepc = census.share("nscol15p_bepc", "nscol15p")
    part_capbep = census.share("nscol15p_capbep", "nscol15p")
    part_bac = census.share("nscol15p_bac", "nscol15p")
    part_sup = census.share("nscol15p_sup", "nscol15p")
    part_sup2 = census.share("nscol15p_sup2", "nscol15p")
    part_sup34 = census.share("nscol15p_sup34", "nscol15p")
    part_sup5 = census.share("nscol15p_sup5", "nscol15p")


@table(RecensementDiplomes)
def recensement_diplomes(insee_rp_2023__diplomes: pl.LazyFrame) -> pl.LazyFrame:
    """Add shares to INSEE's counts."""
    return census.with_shares(insee_rp_2023__diplomes, RecensementDiplomes)
