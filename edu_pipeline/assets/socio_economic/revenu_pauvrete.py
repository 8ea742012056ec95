"""revenu_pauvrete: the median standard of living and the poverty rate of each commune, from 2023 on.

Does not belong here: the deciles, incomes and bassins de vie of 2021 (merged_revenu_commune_bassin_2021).
"""

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.long_form import figure
from edu_pipeline.table import table

LONG = "insee_filosofi_2023"


class RevenuPauvrete(c.Contract):
    """Median standard of living and poverty rate of a commune: one row for each year of INSEE's Filosofi from 2023 on.

    For communes INSEE gives no other figure since 2023: deciles, their ratio and the sources of income end with 2021,
    and stay in merged_revenu_commune_bassin_2021. There was no edition of 2022. From 2023 on the figures are made in
    another way, so INSEE advises against comparing them with earlier ones. A NULL is a figure that INSEE withholds or
    cannot give, as in communes with few households. Paris, Lyon and Marseille appear both as cities (75056, 69123,
    13055) and by arrondissement. Incomes are per consumption unit, after taxes and benefits.
    """

    code_commune = c.code_commune(key=True, upstream={LONG: "GEO"})
    annee = c.year("Year of the incomes.", key=True, upstream={LONG: "TIME_PERIOD"})
    codes_anciens = c.codes_anciens()
    mediane_niveau_vie = c.numeric(
        "Median standard of living.",
        10,
        2,
        min=1_000,
        max=1_000_000,
        unit="€ a year",
        upstream={LONG: figure(FILOSOFI_MEASURE="MED_SL")},
    )
    taux_pauvrete = c.percentage(
        "Share of people below 60 % of the national median.", upstream={LONG: figure(FILOSOFI_MEASURE="PR_MD60")}
    )


@table(RevenuPauvrete)
def revenu_pauvrete(insee_filosofi_2023: pl.LazyFrame) -> pl.LazyFrame:
    """Take INSEE's figures as they are."""
    return insee_filosofi_2023
