"""recensement_population: the population of each commune by age and sex, at each census.

Does not belong here: categories of profession, and the census of 2021 (population_evolution_age).
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.long_form import figure
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census

WIDE, LONG = "insee_rp_2022__population", "insee_rp_2023__population"


def _people(description: str, wide: str | None, **codes: str) -> Any:
    long = figure(RP_MEASURE="POP", **({"AGE": "_T", "SEX": "_T"} | codes))
    return census.count(description, {LONG: long} | ({WIDE: wide} if wide else {}))


def _aged_before(ages: str, wide: str) -> Any:
    return census.count(f"People aged {ages}, an age group of the census of 2022.", {WIDE: wide})


class RecensementPopulation(c.Contract):
    """A commune's population by age and sex at a census: one row for each year of the census.

    The file of 2023 also has 2012 and 2017 on today's communes; 2022 is from a file of its own. With 2023 INSEE changed
    the age groups: the columns of both are here, and those of a year's other groups are NULL. Only the youngest group
    is the same. The census of 2021, with professional categories and the populations of 2015 and 2010, stays in
    population_evolution_age.

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
    population = _people("Population.", "P22_POP")
    hommes = _people("Men and boys.", "P22_POPH", SEX="M")
    femmes = _people("Women and girls.", "P22_POPF", SEX="F")
    pop_moins_15 = _people("People aged under 15.", "P22_POP0014", AGE="Y_LT15")
    pop_15_24 = _people("People aged 15 to 24.", None, AGE="Y15T24")
    pop_25_39 = _people("People aged 25 to 39.", None, AGE="Y25T39")
    pop_40_54 = _people("People aged 40 to 54.", None, AGE="Y40T54")
    pop_55_64 = _people("People aged 55 to 64.", None, AGE="Y55T64")
    pop_65_79 = _people("People aged 65 to 79.", None, AGE="Y65T79")
    pop_80_plus = _people("People aged 80 or over.", None, AGE="Y_GE80")
    pop_15_29 = _aged_before("15 to 29", "P22_POP1529")
    pop_30_44 = _aged_before("30 to 44", "P22_POP3044")
    pop_45_59 = _aged_before("45 to 59", "P22_POP4559")
    pop_60_74 = _aged_before("60 to 74", "P22_POP6074")
    pop_75_89 = _aged_before("75 to 89", "P22_POP7589")
    pop_90_plus = _aged_before("90 or over", "P22_POP90p")
    part_moins_15 = census.share("pop_moins_15", "population")
    part_15_24 = census.share("pop_15_24", "population")
    part_25_39 = census.share("pop_25_39", "population")
    part_40_54 = census.share("pop_40_54", "population")
    part_55_64 = census.share("pop_55_64", "population")
    part_65_79 = census.share("pop_65_79", "population")
    part_80_plus = census.share("pop_80_plus", "population")


@table(RecensementPopulation)
def recensement_population(
    insee_rp_2023__population: pl.LazyFrame, insee_rp_2022__population: pl.LazyFrame | None = None
) -> pl.LazyFrame:
    """Put the editions one below the other, and add the shares of the age groups."""
    return census.editions(insee_rp_2023__population, insee_rp_2022__population, RecensementPopulation)
