"""The lycées that each public collège of Paris leads to: the ArcGIS layer of the Rectorat.

Belongs here: the layer's features, as GeoJSON. Does not belong here: how the service sends them (`layer.py`).
"""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl

from edu_pipeline.sample.publication import publication
from edu_pipeline.sample.world import World

SOURCE = "paris-affectation-lycees"
PARIS = "75"

SECTORS = 3
"""Number of sectors of equal size into which a collège's lycées are divided by distance."""
HEADS = ("Tête", "Tete")
"""How the row of the collège itself is marked; one in seven has the second spelling."""
ODD_HEADS = 7


@publication(SOURCE, f"{SOURCE}.geojson")
def assignments(world: World, path: Path) -> None:
    """One point per collège and lycée with the sector 1, 2 or 3, and one for the collège itself.

    ``Réseau`` and ``Nom_Tete`` are the code and name of the collège, ``UAI`` and ``Nom`` those of the lycée, or, in a
    head row, of the collège again. This is INFERRED, as is that the points are the positions of the schools. A new
    release changes the sector of some rows.
    """
    frame = _assigned(world)
    changed = world.is_revised(frame, SOURCE)
    other = pl.when(pl.col("secteur") == "1").then(pl.lit("2")).otherwise(pl.lit("1"))
    is_head = pl.col("secteur").is_in(HEADS)
    frame = frame.with_columns(secteur=pl.when(changed & ~is_head).then(other).otherwise("secteur"))
    features = [
        {
            "type": "Feature",
            "id": row["OBJECTID"],
            "geometry": {"type": "Point", "coordinates": [row.pop("longitude"), row.pop("latitude")]},
            "properties": row,
        }
        for row in frame.to_dicts()
    ]
    content = {"type": "FeatureCollection", "features": features}
    path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")


def _assigned(world: World) -> pl.DataFrame:
    """The rows: OBJECTID, Réseau, Nom_Tete, UAI, Nom, secteur, longitude, latitude."""
    schools = world.schools.join(
        world.places.select("code", x="longitude", y="latitude"), left_on="code_place", right_on="code"
    ).with_columns(longitude=pl.coalesce("longitude", "x"), latitude=pl.coalesce("latitude", "y"))
    public = schools.filter("public", code_departement=PARIS)
    heads = public.filter(type="Collège").select("longitude", "latitude", Réseau="uai", Nom_Tete="nom").sort("Réseau")
    lycees = public.join(world.lycees_gt, on="uai", how="semi").select("longitude", "latitude", UAI="uai", Nom="nom")
    east = (pl.col("longitude") - pl.col("longitude_right")) * pl.col("latitude").radians().cos()
    distance = (east.pow(2) + (pl.col("latitude") - pl.col("latitude_right")).pow(2)).sqrt()
    rank = distance.rank("ordinal").over("Réseau")
    pairs = lycees.join(heads, how="cross").with_columns(rank=rank).sort("Réseau", "rank")
    sector = 1 + (pl.col("rank") - 1) * SECTORS // pl.len().over("Réseau")
    is_odd = pl.int_range(pl.len()) % ODD_HEADS == ODD_HEADS - 1
    own_rows = heads.with_columns(
        UAI="Réseau",
        Nom="Nom_Tete",
        rank=pl.lit(0, pl.UInt32),
        secteur=pl.when(is_odd).then(pl.lit(HEADS[1])).otherwise(pl.lit(HEADS[0])),
    )
    columns = ["Réseau", "Nom_Tete", "UAI", "Nom", "secteur", "longitude", "latitude", "rank"]
    return (
        pl.concat([own_rows.select(columns), pairs.with_columns(secteur=sector.cast(pl.String)).select(columns)])
        .sort("Réseau", "rank")
        .drop("rank")
        .with_row_index("OBJECTID", offset=1)
    )
