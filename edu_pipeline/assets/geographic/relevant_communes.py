"""relevant_communes: the communes worth a context page.

Does not belong here: the content of such a page (commune_context_cache).
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table

TYPES = {"Collège": "collège", "Lycée": "lycée"}
INHABITANTS = 2000


class RelevantCommunes(c.Contract):
    """A commune worth a context page: it hosts a collège or a lycée, or has 2,000 inhabitants or more.

    Paris, Lyon and Marseille appear both whole and by arrondissement, since the directory of schools only has
    arrondissements and other publishers only have whole cities; a city has the reasons of its arrondissements. To count
    communes, leave out those with a `code_commune_parent` in info_communes. A school whose commune code is not in force
    makes no commune relevant.
    """

    code_commune = c.code_commune(key=True, references=("info_communes",))
    raisons = c.texts("Why: collège, lycée, 2000 habitants ou plus; sorted.", required=True, min_length=1)


@table(RelevantCommunes, needs={"annuaire_education": ["code_commune", "type_etablissement"]})
def relevant_communes(info_communes: pl.LazyFrame, annuaire_education: pl.LazyFrame) -> pl.LazyFrame:
    """Collect the reasons for each commune in force; an arrondissement's reasons also count for its city."""
    inhabited = info_communes.filter(pl.col("population") >= INHABITANTS).select(
        "code_commune", raison=pl.lit(f"{INHABITANTS} habitants ou plus")
    )
    schools = annuaire_education.filter(pl.col("type_etablissement").is_in(list(TYPES))).select(
        "code_commune", raison=pl.col("type_etablissement").replace(TYPES)
    )
    reasons = pl.concat([inhabited, schools]).join(
        info_communes.select("code_commune", "code_commune_parent"), on="code_commune"
    )
    of_cities = reasons.drop_nulls("code_commune_parent").with_columns(code_commune="code_commune_parent")
    return (
        pl.concat([reasons, of_cities])
        .group_by("code_commune")
        .agg(raisons=pl.col("raison").unique().sort())
        .sort("code_commune")
    )
