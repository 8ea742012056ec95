"""niveau_education_2021: the highest diplomas of each commune's residents, and school attendance by age.

Does not belong here: other census years.
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census


def _with_diploma(diploma: str, upstream: str) -> Any:
    return census.count(f"Of `nscol15p`, those whose highest diploma is {diploma}.", upstream)


def _aged(ages: str, upstream: str) -> Any:
    return census.count(f"People aged {ages}.", upstream)


def _at_school(ages: str, upstream: str) -> Any:
    return census.count(f"People aged {ages} at school or university.", upstream)


class NiveauEducation2021(c.Contract):
    """A commune's residents aged 15 or over who have left school, by highest diploma, and school attendance by age.

    Census of 2021 (INSEE, exploitation principale; columns are named after its variables P21_*). Counts are sums of
    weights, hence not whole numbers; shares mean little in small communes. All NULL: INSEE gives no figures (Mayotte,
    communes split since). Paris, Lyon and Marseille appear both as cities (75056, 69123, 13055) and by arrondissement:
    use only one of the two in a sum. Figures are published for the communes of 1 January 2024; `codes_anciens` marks
    communes that have changed since. Later censuses: recensement_diplomes, recensement_scolarisation.
    """

    code_commune = c.code_commune(key=True, upstream="CODGEO")
    codes_anciens = c.codes_anciens()
    nscol15p = census.count("People aged 15 or over who are not at school.", "P21_NSCOL15P")
    nscol15p_diplmin = _with_diploma("none, or at most the primary certificate (CEP)", "P21_NSCOL15P_diplmin")
    nscol15p_bepc = _with_diploma("the BEPC, brevet des collèges or DNB", "P21_NSCOL15P_bepc")
    nscol15p_capbep = _with_diploma("a CAP, a BEP or equivalent", "P21_NSCOL15P_capbep")
    nscol15p_bac = _with_diploma("a baccalauréat, brevet professionnel or equivalent", "P21_NSCOL15P_bac")
    nscol15p_sup2 = _with_diploma("from two years of higher education", "P21_NSCOL15P_sup2")
    nscol15p_sup34 = _with_diploma("from three or four years of higher education", "P21_NSCOL15P_sup34")
    nscol15p_sup5 = _with_diploma("from five or more years of higher education", "P21_NSCOL15P_sup5")
    pop0205 = _aged("2 to 5", "P21_POP0205")
    scol0205 = _at_school("2 to 5", "P21_SCOL0205")
    pop0610 = _aged("6 to 10", "P21_POP0610")
    scol0610 = _at_school("6 to 10", "P21_SCOL0610")
    pop1114 = _aged("11 to 14", "P21_POP1114")
    scol1114 = _at_school("11 to 14", "P21_SCOL1114")
    pop1517 = _aged("15 to 17", "P21_POP1517")
    scol1517 = _at_school("15 to 17", "P21_SCOL1517")
    pop1824 = _aged("18 to 24", "P21_POP1824")
    scol1824 = _at_school("18 to 24", "P21_SCOL1824")
    pop2529 = _aged("25 to 29", "P21_POP2529")
    scol2529 = _at_school("25 to 29", "P21_SCOL2529")
    pop30p = _aged("30 or over", "P21_POP30p")
    scol30p = _at_school("30 or over", "P21_SCOL30p")
    part_diplmin = census.share("nscol15p_diplmin", "nscol15p")
    part_bepc = census.share("nscol15p_bepc", "nscol15p")
    part_capbep = census.share("nscol15p_capbep", "nscol15p")
    part_bac = census.share("nscol15p_bac", "nscol15p")
    part_sup2 = census.share("nscol15p_sup2", "nscol15p")
    part_sup34 = census.share("nscol15p_sup34", "nscol15p")
    part_sup5 = census.share("nscol15p_sup5", "nscol15p")
    taux_scolarisation_0205 = census.share("scol0205", "pop0205")
    taux_scolarisation_0610 = census.share("scol0610", "pop0610")
    taux_scolarisation_1114 = census.share("scol1114", "pop1114")
    taux_scolarisation_1517 = census.share("scol1517", "pop1517")
    taux_scolarisation_1824 = census.share("scol1824", "pop1824")
    taux_scolarisation_2529 = census.share("scol2529", "pop2529")
    taux_scolarisation_30p = census.share("scol30p", "pop30p")


@table(NiveauEducation2021)
def niveau_education_2021(insee_rp__diplomes: pl.LazyFrame) -> pl.LazyFrame:
    """Add shares to INSEE's counts."""
    return census.with_shares(insee_rp__diplomes, NiveauEducation2021)
