"""ips_lycees: the social position index of every lycée at its latest rentrée. Not here: collèges (ips_colleges)."""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table


def _index(description: str, **rest: Any) -> Any:
    return c.numeric(description, min=30, max=200, **rest)


class IpsLycees(c.Contract):
    """A lycée's social position index (IPS) at the latest rentrée for which the publisher has the lycée.

    The index says how favourable the pupils' social backgrounds are to learning (45 to 185, France about 105).
    `rentree_scolaire` may differ between rows: a lycée that has closed keeps its last one. Compare with the benchmarks
    of the lycée's own type (`legt`, `lp`, `lpo`). NULL where the publisher finds the pupils too few (NS).
    The comparison over time is not assured for private schools between 2022-2023 and 2023-2024.
    """

    uai = c.uai(key=True)
    rentree_scolaire = c.text(
        "School year of the figures, e.g. 2024-2025.", length=9, pattern=r"^\d{4}-\d{4}$", required=True,
        upstream="rentree_scolaire", aliases=["Année scolaire"],
    )  # fmt: skip
    nom_de_l_etablissement = c.text("Name.", upstream="nom_de_l_etablissement", aliases=["nom_de_l_etablissment"])
    type_de_lycee = c.text("LEGT (general and technological), LP (vocational) or LPO (both).", upstream="type_de_lycee")
    secteur = c.secteur(upstream="secteur")
    code_commune = c.code_commune(upstream="code_insee_de_la_commune", aliases=["Code commune Insee"])
    nom_de_la_commune = c.text("Name of the commune.", upstream="nom_de_la_commune", aliases=["Libellé commune"])
    code_departement = c.code_departement(upstream="code_du_departement", aliases=["Code département"])
    departement = c.text("Name of the département.", upstream="departement", aliases=["Libellé département"])
    code_academie = c.code_academie(upstream="code_academie", optional=True)
    academie = c.text("Name of the académie.", upstream="academie", aliases=["Libellé académie"])
    code_region = c.text(
        "Code of the région académique, which is not INSEE's code of the region.", optional=True, upstream="code_region"
    )
    code_region_insee = c.text("INSEE code of the region; in files since 2026.", optional=True,
                               upstream="code_region_insee")  # fmt: skip
    region_academique = c.text("Name of the région académique.", optional=True, upstream="region_academique",
                               aliases=["Libellé région académique"])  # fmt: skip
    ips = _index(
        "Index of the whole establishment (until 2022-2023 without its classes after the baccalauréat).",
        upstream="ips_etab", aliases=["IPS de l'établissement", "IPS Ensemble GT-PRO"],
    )  # fmt: skip
    ecart_type = c.numeric("Standard deviation of the index in the establishment.", min=0, optional=True,
                           upstream="ecart_type_etablissement")  # fmt: skip
    ips_voie_gt = _index("Index of the general and technological tracks.", upstream="ips_voie_gt")
    ips_voie_pro = _index("Index of the vocational track.", upstream="ips_voie_pro")
    ips_post_bac = _index("Index of the classes after the baccalauréat.", optional=True, upstream="ips_post_bac")
    ecart_type_voie_gt = c.numeric("Standard deviation in the general and technological tracks.", min=0,
                                   upstream="ecart_type_voie_gt", aliases=["Ecart-type de l'IPS voie GT"])  # fmt: skip
    ecart_type_voie_pro = c.numeric("Standard deviation in the vocational track.", min=0,
                                    upstream="ecart_type_voie_pro",
                                    aliases=["Ecart-type de l'IPS voie PRO"])  # fmt: skip
    for _voie, _meaning in {
        "voie_gt": "in the general and technological tracks", "voie_pro": "in the vocational track",
        "ensemble_gt_pro": "in both",
    }.items():  # fmt: skip
        vars()[f"effectifs_{_voie}"] = c.integer(
            f"Pupils {_meaning}; in the files of 2022-2023 only.", unit="pupils", min=0, optional=True,
            upstream=f"effectifs_{_voie}",
        )  # fmt: skip
    for _area, _where in {
        "national": "of France", "academique": "of the académie", "departemental": "of the département"
    }.items():  # fmt: skip
        for _kind in ("legt", "lpo", "lp"):
            for _suffix, _which in {"": "all", "_prive": "private", "_public": "public"}.items():
                vars()[f"ips_{_area}_{_kind}{_suffix}"] = _index(
                    f"Benchmark: index of {_which} {_kind.upper()} {_where} in that school year; NULL where there are "
                    "none.",
                    optional=True, upstream=f"ips_{_area}_{_kind}{_suffix}",
                )  # fmt: skip


@table(IpsLycees)
def ips_lycees(fr_en_ips_lycees_ap2023: pl.LazyFrame) -> pl.LazyFrame:
    """Keep the latest rentrée of each lycée."""
    return fr_en_ips_lycees_ap2023.filter(pl.col("rentree_scolaire") == pl.col("rentree_scolaire").max().over("uai"))
