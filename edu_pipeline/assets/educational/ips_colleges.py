"""ips_colleges: the social position index of every collège in its latest school year.

Does not belong here: lycées (ips_lycees).
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


class IpsColleges(c.Contract):
    """A collège's social position index (IPS) in the latest school year for which it is published.

    The index says how favourable the pupils' social backgrounds are to learning (45 to 185, France about 105).
    `rentree_scolaire` may differ between rows: a closed collège keeps its last year. NULL where the publisher considers
    the number of pupils too small (NS, NA). Figures of private schools may not be comparable between 2022-2023 and
    2023-2024.
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
    position = c.text(
        "The publisher's position, 'latitude, longitude'; in files since 2026.",
        optional=True,
        upstream="Latitude et longitude WGS84",
        aliases=["position"],
    )
    ips = _index("Index of the collège.", upstream="ips")
    ecart_type_ips = c.numeric(
        "Standard deviation of the index in the collège.", min=0, max=100, upstream="ecart_type_de_l_ips"
    )
    effectifs = c.integer(
        "Pupils; only in the files of 2022-2023.",
        unit="pupils",
        min=0,
        max=c.MOST_PUPILS,
        optional=True,
        upstream="effectifs",
    )
    ips_national = _benchmark("all collèges of France", "ips_national")
    ips_national_prive = _benchmark("private collèges of France", "ips_national_prive")
    ips_national_public = _benchmark("public collèges of France", "ips_national_public")
    ips_academique = _benchmark("all collèges of the académie", "ips_academique")
    ips_academique_prive = _benchmark("private collèges of the académie", "ips_academique_prive")
    ips_academique_public = _benchmark("public collèges of the académie", "ips_academique_public")
    ips_departemental = _benchmark("all collèges of the département", "ips_departemental")
    ips_departemental_prive = _benchmark("private collèges of the département", "ips_departemental_prive")
    ips_departemental_public = _benchmark("public collèges of the département", "ips_departemental_public")


@table(IpsColleges)
def ips_colleges(fr_en_ips_colleges_ap2023: pl.LazyFrame) -> pl.LazyFrame:
    """Keep the latest school year of each collège."""
    return newest(fr_en_ips_colleges_ap2023, "rentree_scolaire", of=["uai"])
