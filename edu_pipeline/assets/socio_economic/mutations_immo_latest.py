"""mutations_immo_latest: sales of houses and flats in each commune in the latest year.

Does not belong here: individual sales (geo-dvf).
"""

from typing import Any

import dataframely as dy
import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table

MOST_SALES = 200_000
"""More sales than any commune has in a year."""


def _share(what: str, count: str, upstream: str) -> Any:
    return c.percentage(f"Share of {what} among the sales.", upstream=upstream, rate_of=c.Rate(count, "nb_mutations"))


def _mean(what: str, precision: int, **rest: Any) -> Any:
    return c.numeric(f"Average {what}.", precision, 2, mean_over="nb_mutations", **rest)


class MutationsImmoLatest(c.Contract):
    """Number, price and size of the houses and flats sold in a commune in the latest published year.

    Computed by B. Mericskay from the DGFiP's Demandes de valeurs foncières. Only communes with at least one sale have a
    row; averages of one or two sales mean little (see `nb_mutations`). Bas-Rhin (67), Haut-Rhin (68), Moselle (57) and
    Mayotte (976) are not covered. Paris, Lyon and Marseille are whole cities (75056, 69123, 13055), never
    arrondissements: join those on `info_communes.code_commune_parent`.
    """

    code_commune = c.code_commune(key=True, upstream="INSEE_COM")
    codes_anciens = c.codes_anciens()
    annee = c.year("Year of the sales.", required=True, upstream="annee")
    nb_mutations = c.integer(
        "Sales.", required=True, min=1, max=MOST_SALES, unit="sales", upstream="nb_mutations", adds_up=True
    )
    nb_maisons = c.integer("Sales of houses.", min=0, max=MOST_SALES, unit="sales", upstream="NbMaisons", adds_up=True)
    nb_appartements = c.integer(
        "Sales of flats.", min=0, max=MOST_SALES, unit="sales", upstream="NbApparts", adds_up=True
    )
    prop_maison = _share("houses", "nb_maisons", "PropMaison")
    prop_appart = _share("flats", "nb_appartements", "PropAppart")
    prix_moyen = _mean("price", 12, unit="€", min=2_000, max=50_000_000, upstream="PrixMoyen")
    prix_m2_moyen = _mean("price per square metre", 10, unit="€/m²", min=50, max=100_000, upstream="Prixm2Moyen")
    surface_moyenne = _mean("living area", 8, unit="m²", min=5, max=2_000, upstream="SurfaceMoy")

    @dy.rule()
    def shares_follow_from_counts(cls) -> pl.Expr:
        """Shares that agree with the counts, give or take one point, unless communes have merged."""
        houses, flats = pl.col("nb_maisons").cast(pl.Float64), pl.col("nb_appartements").cast(pl.Float64)
        sales = houses + flats
        return pl.col("codes_anciens").is_not_null() | pl.all_horizontal(
            (pl.col(share).cast(pl.Float64) * sales - 100 * count).abs() <= sales
            for share, count in {"prop_maison": houses, "prop_appart": flats}.items()
        )


@table(MutationsImmoLatest)
def mutations_immo_latest(dvf_indicateurs_communes: pl.LazyFrame) -> pl.LazyFrame:
    """Take the rows unchanged; `loading/corrections.toml` corrects the shares that the file of 2024 has swapped."""
    return dvf_indicateurs_communes
