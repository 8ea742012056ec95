"""The files that describe the country: geo.api.gouv.fr, the contours of the communes, the académies.

Belongs here: these files, in their publishers' forms. Does not belong here: the country itself (`country.py`).
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import shapely

from edu_pipeline.normalise import unaccented
from edu_pipeline.sample.formats import write_csv
from edu_pipeline.sample.publication import publication
from edu_pipeline.sample.world import World

COMMUNE_FIELDS = {
    "nom": "nom",
    "code": "code",
    "code_departement": "codeDepartement",
    "code_region": "codeRegion",
    "codes_postaux": "codesPostaux",
    "siren": "siren",
    "code_epci": "codeEpci",
    "population": "population",
    "centre": "centre",
    "surface": "surface",
}
"""The API's fields by the world's column, in the API's order; it leaves out a field without a value."""

GRID = 1e-5
"""Degrees to which the contours' coordinates are rounded."""

HECTARES_PER_SQUARE_DEGREE = 1_235_000
"""At the equator: 111.32 km by 110.95 km."""

DEPP_NAMES = {
    "04": "ALPES-DE-HTE-PROVENCE",
    "21": "COTE D'OR",
    "22": "COTES D'ARMOR",
    "74": "HAUTE SAVOIE",
    "76": "SEINE MARITIME",
    "975": "ST-PIERRE-ET-MIQUELON",
    "988": "NOUVELLE CALEDONIE",
}
"""The départements that DEPP spells in another way than INSEE, apart from the capitals."""


@publication("geo-api-communes", "communes.json")
def communes(world: World, path: Path) -> None:
    """The answer to /communes with zone=metro,drom,com: Paris, Lyon and Marseille whole.

    A new release does not revise the populations of these cities: they stay the sums of their arrondissements.
    """
    surface = pl.Series(shapely.area(world.contours.geometry.to_numpy())) * HECTARES_PER_SQUARE_DEGREE
    frame = world.communes.with_columns(
        surface=(surface * pl.col("latitude").radians().cos()).round(2),
    )
    is_city = pl.col("code").is_in(world.arrondissements["code_commune_parent"].unique().implode())
    revised = world.revised(frame, "geo-api-communes", "population")["population"]
    population = pl.when(is_city).then("population").otherwise(revised)
    _write_json(_with_fields(frame.with_columns(population=population)), path)


@publication("geo-api-communes", "arrondissements-municipaux.json")
def arrondissements(world: World, path: Path) -> None:
    """The answer to /communes?type=arrondissement-municipal, which does not name the commune they belong to."""
    second = pl.when(pl.col("code") == "75116").then(pl.lit("75116"))
    sizes = world.cell_sizes.rename({"code": "code_commune_parent"})
    parts = pl.len().over("code_commune_parent")
    frame = (
        world.arrondissements.join(sizes, on="code_commune_parent")
        .with_columns(
            codes_postaux=pl.concat_list("code_postal", second).list.drop_nulls(),
            surface=pl.col("width")
            * pl.col("height")
            / parts
            * HECTARES_PER_SQUARE_DEGREE
            * pl.col("latitude").radians().cos(),
        )
        .with_columns(pl.col("surface").round(2))
        .sort("code")
    )
    _write_json(_with_fields(frame), path)


@publication("geo-api-departements", "departements.json")
def departements(world: World, path: Path) -> None:
    """The answer to /departements with zone=metro,drom,com, which has only the code of the region."""
    fields = {"nom": "nom", "code": "code", "code_region": "codeRegion"}
    overseas = pl.col("code_region") == pl.col("code")
    _write_json(world.departements.sort(overseas, "code").select(list(fields)).rename(fields).to_dicts(), path)


@publication("contours-communes", "communes-100m.geojson.gz")
def contours(world: World, path: Path) -> None:
    """The contours of communes and arrondissements, generalised to 100 m, with coordinates to 5 decimals.

    As in the files since 2025: `plm` marks the three cities, and `commune` names an arrondissement's city.
    """
    communes = world.communes.select(
        "code",
        "nom",
        departement="code_departement",
        region="code_region",
        epci="code_epci",
        plm=pl.when(pl.col("code").is_in(world.arrondissements["code_commune_parent"].implode())).then(True),
    )
    parts = world.arrondissements.select(
        "code", "nom", departement="code_departement", region="code_region", commune="code_commune_parent"
    )
    shapes = [*world.contours.geometry, *_of_arrondissements(world)]
    rows = pl.concat([communes, parts], how="diagonal").to_dicts()
    with path.open("wb") as packed, gzip.GzipFile("", "wb", compresslevel=1, fileobj=packed, mtime=0) as out:
        out.write(b'{"type":"FeatureCollection","features":[')
        between = ""
        for geometry, row in zip(shapely.to_geojson(shapes), rows, strict=True):
            properties = _json({name: value for name, value in row.items() if value is not None})
            feature = f'{between}{{"type":"Feature","geometry":{geometry},"properties":{properties}}}'
            out.write(feature.encode("utf-8"))
            between = ","
        out.write(b"]}")


def _of_arrondissements(world: World) -> list[shapely.Geometry]:
    """The contours of the arrondissements, in their order: each city divided among their centres."""
    cities = dict(zip(world.contours["code"], world.contours.geometry, strict=True))
    shapes: dict[str, shapely.Geometry] = {}
    for (city,), parts in world.arrondissements.group_by("code_commune_parent", maintain_order=True):
        outline = cities[str(city)]
        centres = shapely.multipoints(parts.select("longitude", "latitude").to_numpy())
        cells = shapely.get_parts(shapely.voronoi_polygons(centres, extend_to=outline, ordered=True))
        shapes |= zip(parts["code"], shapely.intersection(cells, outline, grid_size=GRID), strict=True)
    return [shapes[code] for code in world.arrondissements["code"]]


@publication("departement-academie", "departement_academie.csv")
def academies(world: World, path: Path) -> None:
    """The table derived from two exports of DEPP: capitals without accents, and not all collectivities."""

    def capitals(name: str) -> pl.Expr:
        return unaccented(pl.col(name)).str.to_uppercase()

    frame = world.departements.drop_nulls("code_academie").select(
        pl.col("code").alias("code_departement"),
        pl.coalesce(pl.col("code").replace_strict(DEPP_NAMES, default=None), capitals("nom")).alias("departement"),
        "code_academie",
        capitals("nom_academie").alias("academie"),
        "code_region_academique",
        capitals("nom_region_academique").alias("region_academique"),
        pl.lit("invented sample").alias("derived_from"),
    )
    write_csv(frame, path, line_end="\r\n")


def _with_fields(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """One object per row with the API's fields that have a value; a list of no postal codes stays, as []."""
    centre = pl.struct(type=pl.lit("Point"), coordinates=pl.concat_list("longitude", "latitude"))
    fields = {name: field for name, field in COMMUNE_FIELDS.items() if name in frame.columns or name == "centre"}
    rows = frame.with_columns(centre=centre).select(list(fields)).rename(fields).to_dicts()
    return [{name: value for name, value in row.items() if value is not None} for row in rows]


def _write_json(content: list[dict[str, Any]], path: Path) -> None:
    path.write_text(_json(content), encoding="utf-8")


def _json(content: object) -> str:
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))
