"""The ministry's social position indices (IPS) of lycées and of collèges, in the form of September 2026.

Belongs here: the index of each school and rentrée (start of the school year), and the benchmarks computed from them.
Does not belong here: the datasets of earlier rentrées, which have other columns.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from edu_pipeline.sample import education, spelling
from edu_pipeline.sample.itemised import items
from edu_pipeline.sample.publication import dataset
from edu_pipeline.sample.world import World

LYCEES = "fr-en-ips-lycees-ap2023"
COLLEGES = "fr-en-ips-colleges-ap2023"

LYCEES_LISTED = {"2023-2024": 3616, "2024-2025": 3627, "2025-2026": 3662}
COLLEGES_LISTED = {"2023-2024": 6977, "2024-2025": 6995, "2025-2026": 7089}
"""Number of schools by rentrée, at the national scale."""

AREAS = {"national": None, "academique": "code_academie", "departemental": "code_departement"}
"""The areas of the benchmarks, and the column with the code of each."""
KINDS = ("legt", "lpo", "lp")
SECTORS = {"prive": False, "public": True}
VOCATIONAL, POST_BAC = -17, 4
"""How far the index of these classes lies from that of general and technological ones."""
TOO_FEW = 1000
"""One in so many lycées has too few pupils: `NS`. Besides, a single lycée has no index at all."""
HIDDEN = 700
"""One in so many collèges has `NA`."""

LYCEE_NAMES = (
    *items("""
        rentree_scolaire; code_region; code_region_insee; region_academique; code_academie; academie;
        code_du_departement; departement; code_insee_de_la_commune; nom_de_la_commune; uai;
        nom_de_l_etablissement; secteur; type_de_lycee; ips_voie_gt; ips_voie_pro; ips_post_bac; ips_etab;
        ecart_type_voie_gt; ecart_type_voie_pro; ecart_type_etablissement
    """),
    *(
        f"ips_{area}_{name}"
        for area in AREAS
        for name in (*KINDS, *(f"{kind}_{sector}" for kind in KINDS for sector in SECTORS))
    ),
)
COLLEGE_LABELS = {
    "rentree_scolaire": "Année scolaire",
    "code_region": "Code région",
    "code_region_insee": "Code région Insee",
    "region_academique": "Libellé région académique",
    "code_academie": "Code académie",
    "academie": "Libellé académie",
    "code_du_departement": "Code département",
    "departement": "Libellé département",
    "code_insee_de_la_commune": "Code commune Insee",
    "nom_de_la_commune": "Libellé commune",
    "uai": "UAI",
    "nom_de_l_etablissement": "Nom de l'établissement",
    "secteur": "Secteur",
    "ips": "IPS",
    "ecart_type_de_l_ips": "Ecart type de l'IPS",
    "ips_national_prive": "IPS national privé",
    "ips_national_public": "IPS national public",
    "ips_national": "IPS national",
    "ips_academique_prive": "IPS académique privé",
    "ips_academique_public": "IPS académique public",
    "ips_academique": "IPS académique",
    "ips_departemental_prive": "IPS départemental privé",
    "ips_departemental_public": "IPS départemental public",
    "ips_departemental": "IPS départemental",
    "latitude_et_longitude_wgs84": "Latitude et longitude WGS84",
}
"""Label by machine name; the last, new in 2026, is the slug of its label (UNVERIFIED)."""


def _lycee_labels() -> dict[str, str]:
    places = {"national": "national", "academique": "académique", "departemental": "départemental"}
    labels = {
        "ips_voie_gt": "IPS voie GT",
        "ips_voie_pro": "IPS voie PRO",
        "ips_post_bac": "IPS post BAC",
        "ips_etab": "IPS de l'établissement",
        "ecart_type_voie_gt": "Ecart-type de l'IPS voie GT",
        "ecart_type_voie_pro": "Ecart-type de l'IPS voie PRO",
        "ecart_type_etablissement": "Ecart-type établissement",
        "type_de_lycee": "Type de lycée",
    }
    labels |= {name: COLLEGE_LABELS[name] for name in LYCEE_NAMES if name in COLLEGE_LABELS}
    for area, place in places.items():
        for kind in KINDS:
            labels[f"ips_{area}_{kind}"] = f"IPS {place} {kind.upper()}"
            labels[f"ips_{area}_{kind}_prive"] = f"IPS {place} {kind.upper()} privé"
            labels[f"ips_{area}_{kind}_public"] = f"IPS {place} {kind.upper()} public"
    return labels


@dataset(LYCEES, labels=_lycee_labels())
def ips_of_lycees(world: World) -> pl.DataFrame:
    """A lycée at a rentrée: its own indices as text (`27`, `29.5`, `NS`), and the means of its kind."""
    lycees = world.lycees.filter(
        pl.any_horizontal(pl.col("voie_generale", "voie_technologique", "voie_professionnelle").fill_null(False))
    )
    rows = education.listed_each(world, lycees, LYCEES_LISTED, education.LYCEES, "ips-lycees", "rentree_scolaire")
    rng = world.rng("ips-lycees")
    count = rows.height
    general = (pl.col("voie_generale") | pl.col("voie_technologique")).fill_null(False)
    vocational = pl.col("voie_professionnelle").fill_null(False)
    drift = pl.Series(rng.normal(0, 1.5, count))
    base = pl.col("niveau") + drift - pl.when(general).then(0).otherwise(VOCATIONAL)
    shares = pl.when(general & vocational).then(0.65).when(general).then(1.0).otherwise(0.0)
    spread = [pl.Series(rng.uniform(22, 37, count)).round(1) for _ in range(3)]
    rows = rows.with_columns(
        type_de_lycee=pl.when(general & vocational)
        .then(pl.lit("LPO"))
        .when(general)
        .then(pl.lit("LEGT"))
        .otherwise(pl.lit("LP")),
        ips_voie_gt=pl.when(general).then(base.clip(45, 180).round(1)),
        ips_voie_pro=pl.when(vocational).then((base + VOCATIONAL).clip(45, 180).round(1)),
        ips_post_bac=pl.when(pl.Series(rng.random(count) < 0.53)).then((base + POST_BAC).clip(45, 180).round(1)),
        ips_etab=(base + (1 - shares) * VOCATIONAL).clip(45, 180).round(1),
        ecart_type_voie_gt=pl.when(general).then(spread[0]),
        ecart_type_voie_pro=pl.when(vocational).then(spread[1]),
        ecart_type_etablissement=spread[2],
    )
    kinds = [pl.col("type_de_lycee") == kind.upper() for kind in KINDS]
    for area, column in AREAS.items():
        where = ["rentree_scolaire", *([column] if column else [])]
        rows = rows.with_columns(
            _mean(pl.col("ips_etab"), kind, where).alias(f"ips_{area}_{name}")
            for kind, name in zip(kinds, KINDS, strict=True)
        ).with_columns(
            _mean(pl.col("ips_etab"), kind & (pl.col("public") == public), where).alias(f"ips_{area}_{name}_{sector}")
            for kind, name in zip(kinds, KINDS, strict=True)
            for sector, public in SECTORS.items()
        )
    rows = world.revised(rows, LYCEES, "ips_etab")
    too_few = pl.Series(rng.permutation(count) < max(1, count // TOO_FEW))
    has_none = pl.col("uai") == lycees["uai"][lycees.height // 3]
    own = [name for name in LYCEE_NAMES if name.startswith(("ips_voie", "ips_post", "ips_etab", "ecart_type"))]
    return (
        _identified(world, rows)
        .with_columns(
            pl.when(has_none)
            .then(None)
            .when(too_few & pl.col(name).is_not_null())
            .then(pl.lit("NS"))
            .otherwise(spelling.without_zero(pl.col(name)))
            .alias(name)
            for name in own
        )
        .select(LYCEE_NAMES)
    )


@dataset(COLLEGES, labels=COLLEGE_LABELS)
def ips_of_colleges(world: World) -> pl.DataFrame:
    """A collège at a rentrée; the index of a few is `NA`."""
    rows = education.listed_each(
        world, world.colleges, COLLEGES_LISTED, education.COLLEGES, "ips-colleges", "rentree_scolaire"
    )
    rng = world.rng("ips-colleges")
    count = rows.height
    rows = rows.with_columns(
        ips=(pl.col("niveau") + pl.Series(rng.normal(0, 1.5, count))).clip(45, 180).round(1),
        ecart_type_de_l_ips=pl.Series(np.round(rng.uniform(22, 37, count), 1)),
    )
    for area, column in AREAS.items():
        where = ["rentree_scolaire", *([column] if column else [])]
        rows = rows.with_columns(
            _mean(pl.col("ips"), pl.lit(True), where).alias(f"ips_{area}"),
            *(
                _mean(pl.col("ips"), pl.col("public") == public, where).alias(f"ips_{area}_{sector}")
                for sector, public in SECTORS.items()
            ),
        )
    rows = world.revised(rows, COLLEGES, "ips")
    hidden = pl.Series(rng.permutation(count) < max(1, count // HIDDEN))
    return (
        _identified(world, rows)
        .with_columns(
            *(
                pl.when(hidden).then(pl.lit("NA")).otherwise(pl.col(name).cast(pl.String)).alias(name)
                for name in ("ips", "ecart_type_de_l_ips")
            ),
            latitude_et_longitude_wgs84=pl.format("{}, {}", "latitude", "longitude"),
        )
        .select(*COLLEGE_LABELS)
    )


def _mean(index: pl.Expr, condition: pl.Expr, where: list[str]) -> pl.Expr:
    """The mean of the schools that meet the condition, over those of the same rentrée and area."""
    return pl.when(condition).then(index).mean().over(where).round(1)


def _identified(world: World, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the columns that identify the school; `code_region` is that of the région académique."""
    return education.with_region_academique(world, rows).with_columns(
        code_region="code_region_academique",
        code_region_insee="code_region",
        region_academique=spelling.capitals(pl.col("nom_region_academique")),
        academie=spelling.capitals(pl.col("nom_academie")),
        code_du_departement="code_departement",
        departement=spelling.capitals(pl.col("nom_departement")),
        code_insee_de_la_commune="code_place",
        nom_de_la_commune=spelling.bare_capitals(pl.col("nom_place")),
        nom_de_l_etablissement=spelling.bare_capitals(pl.col("nom")),
        secteur=pl.when("public").then(pl.lit("public")).otherwise(pl.lit("privé sous contrat")),
    )
