"""ips_colleges: the social position index of every collège at its latest rentrée. Not here: lycées (ips_lycees)."""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table


def _index(description: str, **rest: Any) -> Any:
    return c.numeric(description, min=30, max=200, **rest)


class IpsColleges(c.Contract):
    """A collège's social position index (IPS) at the latest rentrée for which the publisher has the collège.

    The index says how favourable the pupils' social backgrounds are to learning (45 to 185, France about 105).
    `rentree_scolaire` may differ between rows: a collège that has closed keeps its last one. NULL where the publisher
    finds the pupils too few (NS, NA). The comparison over time is not assured for private schools between 2022-2023
    and 2023-2024.
    """

    uai = c.uai(key=True)
    rentree_scolaire = c.text(
        "School year of the figures, e.g. 2024-2025.", length=9, pattern=r"^\d{4}-\d{4}$", required=True,
        upstream="rentree_scolaire", aliases=["Année scolaire"],
    )  # fmt: skip
    nom_de_l_etablissement = c.text("Name.", upstream="nom_de_l_etablissement", aliases=["nom_de_l_etablissment"])
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
    position = c.text("The publisher's position, 'latitude, longitude'; in files since 2026.", optional=True,
                      upstream="Latitude et longitude WGS84", aliases=["position"])  # fmt: skip
    ips = _index("Index of the collège.", upstream="ips")
    ecart_type_ips = c.numeric("Standard deviation of the index in the collège.", min=0, upstream="ecart_type_de_l_ips")
    effectifs = c.integer("Pupils; in the files of 2022-2023 only.", unit="pupils", min=0, optional=True,
                          upstream="effectifs")  # fmt: skip
    for _area, _where in {
        "national": "of France", "academique": "of the académie", "departemental": "of the département"
    }.items():  # fmt: skip
        for _suffix, _which in {"": "all", "_prive": "private", "_public": "public"}.items():
            vars()[f"ips_{_area}{_suffix}"] = _index(
                f"Benchmark: index of {_which} collèges {_where} in that school year; NULL where there are none.",
                optional=True, upstream=f"ips_{_area}{_suffix}",
            )  # fmt: skip


@table(IpsColleges)
def ips_colleges(fr_en_ips_colleges_ap2023: pl.LazyFrame) -> pl.LazyFrame:
    """Keep the latest rentrée of each collège."""
    return fr_en_ips_colleges_ap2023.filter(pl.col("rentree_scolaire") == pl.col("rentree_scolaire").max().over("uai"))
