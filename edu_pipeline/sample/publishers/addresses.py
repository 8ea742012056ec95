"""The addresses of the Base Adresse Nationale, one file per département.

Belongs here: addresses along the streets, in the BAN's form. Does not belong here: the streets (`streets.py`).
"""

from __future__ import annotations

import gzip
from functools import partial
from pathlib import Path

import polars as pl
from pyproj import Transformer

from edu_pipeline.catalogue import catalogue
from edu_pipeline.sample import spelling
from edu_pipeline.sample.itemised import items
from edu_pipeline.sample.publication import Publication, add
from edu_pipeline.sample.streets import streets_of
from edu_pipeline.sample.world import World

SOURCE = "ban"

PER_STREET = {"sample": 4, "national": 3}
"""Addresses in each street, spread from number 1 to its highest."""
STREETS_OF_UNDIVIDED = 2
"""Streets with addresses in a place with at most one collège and one lycée; only other places are divided by street."""
SIDE = 0.05
"""Distance of the addresses from the middle line, as a share of half the street's length."""
REPEATED = 0.03
"""Share of the addresses with a `bis`."""

PROJECTIONS = {"971": 5490, "972": 5490, "973": 2972, "974": 2975, "976": 4471}
"""EPSG codes of the legal projections overseas; Lambert-93 elsewhere."""
LAMBERT_93 = 2154

NAMES = items("""
    id; id_fantoir; numero; rep; nom_voie; code_postal; code_insee; nom_commune; code_insee_ancienne_commune;
    nom_ancienne_commune; x; y; lon; lat; type_position; alias; nom_ld; libelle_acheminement; nom_afnor;
    source_position; source_nom_voie; certification_commune; cad_parcelles
""")


def addresses(world: World, departement: str) -> pl.DataFrame:
    """The addresses of a département, street by street, odd numbers on one side and even ones on the other.

    A new release certifies some of them, or withdraws their certification.
    """
    places = world.places.filter(code_departement=departement)
    streets = streets_of(world.streets, places).filter(
        (pl.col("number") < STREETS_OF_UNDIVIDED) | pl.col("code_place").is_in(_divided(world).implode())
    )
    count = PER_STREET[world.scale]
    rows = streets.join(pl.DataFrame({"step": range(count)}), how="cross", maintain_order="left_right")
    along = pl.col("step") / (count - 1)
    furthest = (1 + along * (pl.col("last") - 1)).floor().cast(pl.Int64)
    side = SIDE * (1 - 2 * (pl.col("step") % 2))
    rng = world.rng(SOURCE, departement)
    repeated, certified = (pl.Series(rng.random(rows.height)) for _ in range(2))
    rows = rows.with_columns(
        numero=furthest - (furthest - 1 - pl.col("step")) % 2,
        lon=(pl.col("longitude") + (2 * along - 1) * pl.col("half_x") - side * pl.col("half_y")).round(6),
        lat=(pl.col("latitude") + (2 * along - 1) * pl.col("half_y") + side * pl.col("half_x")).round(6),
        is_certified=certified < 0.5,
        rep=pl.when(repeated < REPEATED).then(pl.lit("bis")),
    )
    x, y = Transformer.from_crs(4326, PROJECTIONS.get(departement, LAMBERT_93), always_xy=True).transform(
        rows["lon"].to_numpy(), rows["lat"].to_numpy()
    )
    changed = world.is_revised(rows, SOURCE)
    street = pl.col("number").cast(pl.String).str.zfill(6)
    nothing = pl.lit(None, pl.String)
    return (
        rows.join(_places(world), left_on="code_place", right_on="code", maintain_order="left")
        .with_columns(
            id=pl.concat_str(
                "code_place",
                street,
                pl.col("numero").cast(pl.String).str.zfill(5),
                "rep",
                separator="_",
                ignore_nulls=True,
            ),
            id_fantoir=nothing,
            nom_voie="nom",
            code_insee="code_place",
            code_insee_ancienne_commune=nothing,
            nom_ancienne_commune=nothing,
            x=pl.Series(x).round(2),
            y=pl.Series(y).round(2),
            type_position=pl.lit("entrée"),
            alias=nothing,
            nom_ld=nothing,
            libelle_acheminement=spelling.bare_capitals(pl.col("nom_commune")),
            nom_afnor=spelling.bare_capitals(pl.col("nom")),
            source_position=pl.lit("commune"),
            source_nom_voie=pl.lit("commune"),
            certification_commune=(pl.col("is_certified") ^ changed).cast(pl.Int8),
            cad_parcelles=nothing,
        )
        .select(NAMES)
    )


def write(world: World, path: Path, departement: str) -> None:
    """Write the file of a département."""
    with path.open("wb") as packed, gzip.GzipFile("", "wb", compresslevel=1, fileobj=packed, mtime=0) as out:
        out.write(addresses(world, departement).write_csv(separator=";").encode("utf-8"))


def _divided(world: World) -> pl.Series:
    """Codes of the places with several collèges, or several lycées."""
    schools = pl.concat([world.colleges.select("code_place", "type"), world.lycees.select("code_place", "type")])
    return schools.group_by("code_place", "type").len().filter(pl.col("len") > 1)["code_place"].unique()


def _places(world: World) -> pl.DataFrame:
    """code, nom_commune and code_postal of the places."""
    return world.places.select("code", nom_commune="nom").join(world.postal_codes, on="code")


def _has(departement: str, world: World) -> bool:
    return departement in world.departements["code"]


for _code in catalogue()[SOURCE].files:
    add(
        Publication(
            SOURCE, f"adresses-{_code}.csv.gz", "file", partial(write, departement=_code), exists=partial(_has, _code)
        )
    )
