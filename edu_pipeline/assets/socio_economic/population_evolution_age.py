"""population_evolution_age: the population of each commune by age, and how it has changed.

Does not belong here: legal populations (info_communes).
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census


def _aged(ages: str, upstream: str) -> Any:
    return census.count(f"People aged {ages} in 2021.", upstream)


def _in_category(category: str, upstream: str) -> Any:
    return census.count(f"Of `pop15p`, {category}.", upstream)


def _change(before: str, after: str) -> Any:
    description = f"Change from `{before}` to `{after}` in percent of `{before}`; NULL where that is 0 or NULL."
    return c.numeric(description, 8, 2, unit="%", min=-100, max=100_000)


class PopulationEvolutionAge(c.Contract):
    """A commune's population in the census of 2021 by age, sex and category, and its totals in 2015 and 2010.

    INSEE's census: the full count (exploitation principale, P21_POP*) and, for the categories, a sample (exploitation
    complémentaire, C21_POP15P*), so `pop15p` differs slightly from the full count. Counts are sums of weights, hence
    not whole numbers. All NULL: INSEE gives no figures (Mayotte, communes split since). Paris, Lyon and Marseille
    appear both as cities (75056, 69123, 13055) and by arrondissement: use only one of the two in a sum. Figures are
    published for the communes of 1 January 2024; `codes_anciens` marks communes that have changed since. The table
    stays at 2021: INSEE has other age groups since 2023, and gives categories by sample in another file. Later
    censuses: recensement_population.
    """

    code_commune = c.code_commune(key=True, upstream="CODGEO")
    codes_anciens = c.codes_anciens()
    population = census.count("Population in 2021.", "P21_POP")
    pop0014 = _aged("0 to 14", "P21_POP0014")
    pop1529 = _aged("15 to 29", "P21_POP1529")
    pop3044 = _aged("30 to 44", "P21_POP3044")
    pop4559 = _aged("45 to 59", "P21_POP4559")
    pop6074 = _aged("60 to 74", "P21_POP6074")
    pop7589 = _aged("75 to 89", "P21_POP7589")
    pop90p = _aged("90 or over", "P21_POP90p")
    poph = census.count("Men and boys in 2021.", "P21_POPH")
    popf = census.count("Women and girls in 2021.", "P21_POPF")
    pop15p = census.count("People aged 15 or over in 2021, estimated from the sample.", "C21_POP15P")
    pop15p_cs1 = _in_category("farmers", "C21_POP15P_CS1")
    pop15p_cs2 = _in_category("craftspeople, shopkeepers and company heads", "C21_POP15P_CS2")
    pop15p_cs3 = _in_category("managers and higher intellectual professions", "C21_POP15P_CS3")
    pop15p_cs4 = _in_category("intermediate professions", "C21_POP15P_CS4")
    pop15p_cs5 = _in_category("clerical, sales and service workers", "C21_POP15P_CS5")
    pop15p_cs6 = _in_category("manual workers", "C21_POP15P_CS6")
    pop15p_cs7 = _in_category("retired people", "C21_POP15P_CS7")
    pop15p_cs8 = _in_category("other people without a profession", "C21_POP15P_CS8")
    part_0014 = census.share("pop0014", "population")
    part_1529 = census.share("pop1529", "population")
    part_3044 = census.share("pop3044", "population")
    part_4559 = census.share("pop4559", "population")
    part_6074 = census.share("pop6074", "population")
    part_7589 = census.share("pop7589", "population")
    part_90p = census.share("pop90p", "population")
    population_2015 = census.count("Population in 2015.", "P15_POP")
    population_2010 = census.count("Population in 2010.", "P10_POP")
    evolution_2015_2021 = _change("population_2015", "population")
    evolution_2010_2015 = _change("population_2010", "population_2015")


@table(PopulationEvolutionAge)
def population_evolution_age(insee_rp__population: pl.LazyFrame) -> pl.LazyFrame:
    """Add the shares of the age groups and the change between censuses to INSEE's counts."""
    return census.with_shares(insee_rp__population, PopulationEvolutionAge).with_columns(
        evolution_2015_2021=census.percent("population", "population_2015") - 100,
        evolution_2010_2015=census.percent("population_2015", "population_2010") - 100,
    )
