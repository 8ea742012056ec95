"""recensement_scolarisation: school attendance in each commune by age, at each census.

Does not belong here: diplomas (recensement_diplomes), the census of 2021 (niveau_education_2021).
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.long_form import figure
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census

LONG = "insee_rp_2023__scolarisation"


def _people(description: str, age: str, attendance: str) -> Any:
    return census.count(description, {LONG: figure(RP_MEASURE="POP", AGE=age, SEX="_T", STUD=attendance)})


def _aged(ages: str, code: str) -> Any:
    return _people(f"People aged {ages}.", code, "_T")


def _at_school(ages: str, code: str) -> Any:
    return _people(f"People aged {ages} at school or university.", code, "1")


class RecensementScolarisation(c.Contract):
    """A commune's residents by age, and those of them at school or university: a row for each year of the census.

    The file of 2023 also has 2012 and 2017 on today's communes. The census of 2022 is not here: its file is not known.
    That of 2021 stays in niveau_education_2021.

    Counts are sums of weights, hence not whole numbers; shares mean little in small communes. Each census is made of
    five years of surveys: compare only years at least five apart. Paris, Lyon and Marseille appear both as cities
    (75056, 69123, 13055) and by arrondissement: use only one of the two in a sum. Mayotte has no figures. Figures are
    published for the communes of 1 January 2026; `codes_anciens` marks communes that have changed since.
    """

    code_commune = c.code_commune(key=True, upstream={LONG: "GEO"})
    annee = census.annee(LONG)
    codes_anciens = c.codes_anciens()
    statut = census.statut(LONG)
    pop0205 = _aged("2 to 5", "Y2T5")
    scol0205 = _at_school("2 to 5", "Y2T5")
    pop0610 = _aged("6 to 10", "Y6T10")
    scol0610 = _at_school("6 to 10", "Y6T10")
    pop1114 = _aged("11 to 14", "Y11T14")
    scol1114 = _at_school("11 to 14", "Y11T14")
    pop1517 = _aged("15 to 17", "Y15T17")
    scol1517 = _at_school("15 to 17", "Y15T17")
    pop1824 = _aged("18 to 24", "Y18T24")
    scol1824 = _at_school("18 to 24", "Y18T24")
    pop2529 = _aged("25 to 29", "Y25T29")
    scol2529 = _at_school("25 to 29", "Y25T29")
    pop30p = _aged("30 or over", "Y_GE30")
    scol30p = _at_school("30 or over", "Y_GE30")
    taux_scolarisation_0205 = census.share("scol0205", "pop0205")
    taux_scolarisation_0610 = census.share("scol0610", "pop0610")
    taux_scolarisation_1114 = census.share("scol1114", "pop1114")
    taux_scolarisation_1517 = census.share("scol1517", "pop1517")
    taux_scolarisation_1824 = census.share("scol1824", "pop1824")
    taux_scolarisation_2529 = census.share("scol2529", "pop2529")
    taux_scolarisation_30p = census.share("scol30p", "pop30p")


@table(RecensementScolarisation)
def recensement_scolarisation(insee_rp_2023__scolarisation: pl.LazyFrame) -> pl.LazyFrame:
    """Add shares to INSEE's counts."""
    return census.with_shares(insee_rp_2023__scolarisation, RecensementScolarisation)
