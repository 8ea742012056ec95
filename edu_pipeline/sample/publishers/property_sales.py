"""B. Mericskay's indicators of property sales by commune, computed from the DGFiP's Demandes de valeurs foncières.

Belongs here: the file of 2024 with its errors. Does not belong here: the communes and their codes
(`geographies.py`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from edu_pipeline.sample.formats import write_csv
from edu_pipeline.sample.geographies import places_of
from edu_pipeline.sample.publication import publication
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements

SOURCE = "dvf-indicateurs-communes"
YEAR = 2024
NOT_COVERED = ("57", "67", "68", "976")
"""Départements whose sales are in the livre foncier, or that the source has never covered."""
SOLD = 0.0185
"""Share of the dwellings sold in a year."""
HOUSE, FLAT = 104, 58
"""Mean living area, in square metres."""


@publication(SOURCE, "communesdvf2024.csv")
def sales(world: World, path: Path) -> None:
    """Communes with at least one sale, the three cities whole.

    As in the real file, PropMaison and PropAppart are swapped, and the last row, for sales outside any commune, has the
    code NA.
    """
    rng = world.rng(SOURCE)
    communes = places_of(world, YEAR).filter(
        ~pl.col("code").is_in(list(arrondissements.COMMUNES)), ~pl.col("code_departement").is_in(NOT_COVERED)
    )
    size = np.log10(communes["population"].to_numpy() + 10)
    sold = rng.poisson(communes["logements"].to_numpy() * SOLD * rng.lognormal(0, 0.35, communes.height))
    flats = rng.binomial(sold, np.clip(0.24 * (size - 2.6), 0, 0.97))
    area = np.divide((sold - flats) * HOUSE + flats * FLAT, sold, out=np.full(len(sold), np.nan), where=sold > 0)
    area *= rng.lognormal(0, 0.3 / np.sqrt(sold + 1))
    level = communes["niveau"].to_numpy() - 100
    square_metre = 900 * 10 ** (0.13 * (size - 2)) * np.exp(level / 60) * rng.lognormal(0.3, 0.15, len(sold))
    frame = pl.DataFrame(
        {
            "INSEE_COM": communes["code"],
            "nb_mutations": sold,
            "NbMaisons": sold - flats,
            "NbApparts": flats,
            "area": area,
            "square_metre": square_metre,
        }
    ).filter(pl.col("nb_mutations") > 0)
    share = (pl.col("NbMaisons") * 100 / pl.col("nb_mutations")).round().cast(pl.Int64)
    indicators = frame.select(
        "INSEE_COM",
        pl.lit(YEAR).cast(pl.Int64).alias("annee"),
        "nb_mutations",
        "NbMaisons",
        "NbApparts",
        (100 - share).alias("PropMaison"),
        share.alias("PropAppart"),
        (pl.col("area") * pl.col("square_metre")).round().cast(pl.Int64).alias("PrixMoyen"),
        pl.col("square_metre").round().cast(pl.Int64).alias("Prixm2Moyen"),
        pl.col("area").round().cast(pl.Int64).alias("SurfaceMoy"),
    )
    nowhere = {
        "annee": YEAR,
        "nb_mutations": indicators["nb_mutations"].sum() // 90 + 1,
        "PrixMoyen": 225314,
        "Prixm2Moyen": 3171,
        "SurfaceMoy": 73,
    }
    rows = world.revised(indicators, SOURCE, "PrixMoyen", "Prixm2Moyen", "SurfaceMoy")
    write_csv(pl.concat([rows, pl.DataFrame([nowhere], schema=rows.schema)]), path, delimiter=",", null="NA")
