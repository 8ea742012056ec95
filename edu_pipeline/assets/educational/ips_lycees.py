"""ips_lycees: the social position index of every lycée in its latest school year.

Does not belong here: collèges (ips_colleges).
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.flow import newest
from edu_pipeline.table import table


def _index(description: str, **rest: Any) -> Any:
    return c.numeric(description, min=30, max=200, **rest)


def _benchmark(schools: str, upstream: str) -> Any:
    description = f"Benchmark: index of {schools} in that school year; NULL where there are none."
    return _index(description, optional=True, upstream=upstream)


def _pupils(where: str, upstream: str) -> Any:
    description = f"Pupils {where}; only in the files of 2022-2023."
    return c.integer(description, unit="pupils", min=0, max=c.MOST_PUPILS, optional=True, upstream=upstream)


class IpsLycees(c.Contract):
    """A lycée's social position index (IPS) in the latest school year for which it is published.

    The index says how favourable the pupils' social backgrounds are to learning (45 to 185, France about 105).
    `rentree_scolaire` may differ between rows: a closed lycée keeps its last year. Compare with the benchmarks for the
    lycée's own type (`legt`, `lp`, `lpo`). NULL where the publisher considers the number of pupils too small (NS).
    Figures of private schools may not be comparable between 2022-2023 and 2023-2024.
    """

    uai = c.uai(key=True)
    rentree_scolaire = c.text(
        "School year of the figures, e.g. 2024-2025.",
        length=9,
        pattern="^[0-9]{4}-[0-9]{4}$",
        required=True,
        upstream="rentree_scolaire",
        aliases=["Année scolaire"],
    )
    nom_de_l_etablissement = c.text("Name.", upstream="nom_de_l_etablissement", aliases=["nom_de_l_etablissment"])
    type_de_lycee = c.text("LEGT (general and technological), LP (vocational) or LPO (both).", upstream="type_de_lycee")
    secteur = c.secteur(upstream="secteur")
    code_commune = c.code_commune(upstream="code_insee_de_la_commune", aliases=["Code commune Insee"])
    nom_de_la_commune = c.text("Name of the commune.", upstream="nom_de_la_commune", aliases=["Libellé commune"])
    code_departement = c.code_departement(upstream="code_du_departement", aliases=["Code département"])
    departement = c.text("Name of the département.", upstream="departement", aliases=["Libellé département"])
    code_academie = c.code_academie(upstream="code_academie", optional=True)
    academie = c.text("Name of the académie.", upstream="academie", aliases=["Libellé académie"])
    code_region = c.code_region(
        "Code of the région académique, which is not INSEE's code of the region.", optional=True, upstream="code_region"
    )
    code_region_insee = c.code_region(
        "INSEE code of the region; in files since 2026.", optional=True, upstream="code_region_insee"
    )
    region_academique = c.text(
        "Name of the région académique.",
        optional=True,
        upstream="region_academique",
        aliases=["Libellé région académique"],
    )
    ips = _index(
        "Index of the whole establishment (until 2022-2023 without its post-baccalauréat classes).",
        upstream="ips_etab",
        aliases=["IPS de l'établissement", "IPS Ensemble GT-PRO"],
    )
    ecart_type = c.numeric(
        "Standard deviation of the index in the establishment.",
        min=0,
        max=100,
        optional=True,
        upstream="ecart_type_etablissement",
    )
    ips_voie_gt = _index("Index of the general and technological tracks.", upstream="ips_voie_gt")
    ips_voie_pro = _index("Index of the vocational track.", upstream="ips_voie_pro")
    ips_post_bac = _index("Index of the post-baccalauréat classes.", optional=True, upstream="ips_post_bac")
    ecart_type_voie_gt = c.numeric(
        "Standard deviation in the general and technological tracks.",
        min=0,
        max=100,
        upstream="ecart_type_voie_gt",
        aliases=["Ecart-type de l'IPS voie GT"],
    )
    ecart_type_voie_pro = c.numeric(
        "Standard deviation in the vocational track.",
        min=0,
        max=100,
        upstream="ecart_type_voie_pro",
        aliases=["Ecart-type de l'IPS voie PRO"],
    )
    effectifs_voie_gt = _pupils("in the general and technological tracks", "effectifs_voie_gt")
    effectifs_voie_pro = _pupils("in the vocational track", "effectifs_voie_pro")
    effectifs_ensemble_gt_pro = _pupils("in all these tracks", "effectifs_ensemble_gt_pro")
    ips_national_legt = _benchmark("all LEGT of France", "ips_national_legt")
    ips_national_legt_prive = _benchmark("private LEGT of France", "ips_national_legt_prive")
    ips_national_legt_public = _benchmark("public LEGT of France", "ips_national_legt_public")
    ips_national_lpo = _benchmark("all LPO of France", "ips_national_lpo")
    ips_national_lpo_prive = _benchmark("private LPO of France", "ips_national_lpo_prive")
    ips_national_lpo_public = _benchmark("public LPO of France", "ips_national_lpo_public")
    ips_national_lp = _benchmark("all LP of France", "ips_national_lp")
    ips_national_lp_prive = _benchmark("private LP of France", "ips_national_lp_prive")
    ips_national_lp_public = _benchmark("public LP of France", "ips_national_lp_public")
    ips_academique_legt = _benchmark("all LEGT of the académie", "ips_academique_legt")
    ips_academique_legt_prive = _benchmark("private LEGT of the académie", "ips_academique_legt_prive")
    ips_academique_legt_public = _benchmark("public LEGT of the académie", "ips_academique_legt_public")
    ips_academique_lpo = _benchmark("all LPO of the académie", "ips_academique_lpo")
    ips_academique_lpo_prive = _benchmark("private LPO of the académie", "ips_academique_lpo_prive")
    ips_academique_lpo_public = _benchmark("public LPO of the académie", "ips_academique_lpo_public")
    ips_academique_lp = _benchmark("all LP of the académie", "ips_academique_lp")
    ips_academique_lp_prive = _benchmark("private LP of the académie", "ips_academique_lp_prive")
    ips_academique_lp_public = _benchmark("public LP of the académie", "ips_academique_lp_public")
    ips_departemental_legt = _benchmark("all LEGT of the département", "ips_departemental_legt")
    ips_departemental_legt_prive = _benchmark("private LEGT of the département", "ips_departemental_legt_prive")
    ips_departemental_legt_public = _benchmark("public LEGT of the département", "ips_departemental_legt_public")
    ips_departemental_lpo = _benchmark("all LPO of the département", "ips_departemental_lpo")
    ips_departemental_lpo_prive = _benchmark("private LPO of the département", "ips_departemental_lpo_prive")
    ips_departemental_lpo_public = _benchmark("public LPO of the département", "ips_departemental_lpo_public")
    ips_departemental_lp = _benchmark("all LP of the département", "ips_departemental_lp")
    ips_departemental_lp_prive = _benchmark("private LP of the département", "ips_departemental_lp_prive")
    ips_departemental_lp_public = _benchmark("public LP of the département", "ips_departemental_lp_public")


@table(IpsLycees)
def ips_lycees(fr_en_ips_lycees_ap2023: pl.LazyFrame) -> pl.LazyFrame:
    """Keep the latest school year of each lycée."""
    return newest(fr_en_ips_lycees_ap2023, "rentree_scolaire", of=["uai"])
