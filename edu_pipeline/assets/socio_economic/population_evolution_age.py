"""population_evolution_age: a commune's people by age, and how many they were. Not here: legal populations
(info_communes)."""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table
from edu_pipeline.vocabulary import census

AGES = {
    "0014": "0 to 14", "1529": "15 to 29", "3044": "30 to 44", "4559": "45 to 59", "6074": "60 to 74",
    "7589": "75 to 89", "90p": "90 or older",
}  # fmt: skip
CATEGORIES = [*census.CATEGORIES.values(), "retired people", "other people without profession"]
EVOLUTIONS = {
    "evolution_2015_2021": ("population_2015", "population"),
    "evolution_2010_2015": ("population_2010", "population_2015"),
}
SHARES = {f"part_{age}": (f"pop{age}", "population") for age in AGES}


class PopulationEvolutionAge(c.Contract):
    """A commune's population in the census of 2021 by age, sex and category, and in the censuses of 2015 and 2010.

    INSEE's census, exploitation principale (P21_POP*), for the categories the complementary one (C21_POP15P*, a sample
    in larger communes, whose total is not exactly the other's). Counts are sums of weights, hence not whole. All NULL:
    INSEE gives no figures (Mayotte, communes split since). Paris, Lyon and Marseille are here as cities (75056, 69123,
    13055) and by arrondissement: a sum must take one of the two forms. Published on the communes of 1 January 2024;
    for one that has changed since, see `codes_anciens`.
    """

    code_commune = c.code_commune(key=True, upstream="CODGEO")
    codes_anciens = c.codes_anciens()
    population = census.count("Population in 2021.", "P21_POP")
    for _code, _age in AGES.items():
        vars()[f"pop{_code}"] = census.count(f"People of {_age} in 2021.", f"P21_POP{_code}")
    poph = census.count("Men and boys in 2021.", "P21_POPH")
    popf = census.count("Women and girls in 2021.", "P21_POPF")
    pop15p = census.count("People of 15 or older in 2021, complementary exploitation.", "C21_POP15P")
    for _number, _category in enumerate(CATEGORIES, 1):
        vars()[f"pop15p_cs{_number}"] = census.count(f"Of `pop15p`, {_category}.", f"C21_POP15P_CS{_number}")
    for _name, (_part, _whole) in SHARES.items():
        vars()[_name] = census.share(_part, _whole)
    population_2015 = census.count("Population in 2015.", "P15_POP")
    population_2010 = census.count("Population in 2010.", "P10_POP")
    for _name, (_before, _after) in EVOLUTIONS.items():
        vars()[_name] = c.numeric(
            f"Change from `{_before}` to `{_after}`, of `{_before}`; NULL where that is 0 or NULL.",
            8, 2, unit="%", min=-100,
        )  # fmt: skip


@table(PopulationEvolutionAge)
def population_evolution_age(insee_rp__population: pl.LazyFrame) -> pl.LazyFrame:
    """Add the shares of the ages and the change between the censuses to INSEE's counts."""
    return insee_rp__population.with_columns(
        *(census.percent(*of).alias(name) for name, of in SHARES.items()),
        *((census.percent(after, before) - 100).alias(name) for name, (before, after) in EVOLUTIONS.items()),
    )
