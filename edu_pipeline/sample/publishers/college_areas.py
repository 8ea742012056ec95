"""Maps of collèges' sectors with the collèges' codes: the areas of the Haute-Garonne and of the Loire-Atlantique.

Belongs here: the two files, GeoJSON exports of Opendatasoft portals. Does not belong here: areas with names alone, and
stretches of street (`college_maps.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from edu_pipeline.sample.publication import dataset_of_features
from edu_pipeline.sample.publishers.college_maps import public_colleges, where_nearest
from edu_pipeline.sample.world import World

COLLEGES, COLLEGES_DATASET = "haute-garonne-secteurs-colleges", "sectorisation-colleges-classes-6eme"
SECTORS, SECTORS_DATASET = (
    "loire-atlantique-secteurs-colleges",
    "224400028_carte-scolaire-des-colleges-publics-de-loire-atlantique",
)

SHARED, FIRST_SHARED = 4, 1001
"""Every so many sectors of the Loire-Atlantique is shared with the collège of the next one, and has such a number."""
YEARS = range(2018, 2026)
"""Whose pupils the Haute-Garonne counts."""
METRES = 111_195
"""In a degree of latitude."""

Feature = dict[str, Any]


def _has(departement: str) -> Callable[[World], bool]:
    return lambda world: public_colleges(world, departement).height > 0


@dataset_of_features(COLLEGES, name=COLLEGES_DATASET, exists=_has("31"))
def colleges_of_haute_garonne(world: World) -> list[Feature]:
    """A feature per collège: the area where it is the nearest one, always a MultiPolygon.

    The theme is INFERRED to be a text. A new release gives some areas the next collège.
    """
    colleges, areas = _sectors(world, "31", COLLEGES)
    schools = world.colleges.join(colleges.select("uai"), on="uai", how="semi")
    by_code = {row["uai"]: row for row in schools.iter_rows(named=True)}
    return [
        _feature(shapely.multipolygons([*shapely.get_parts(area)]), _of_college(by_code[code], area))
        for code, area in zip(colleges["uai"], areas, strict=True)
    ]


def _of_college(school: dict[str, Any], area: shapely.Geometry) -> dict[str, Any]:
    return {
        "uai": school["uai"],
        "college": school["nom"],
        "adresse": f"{school['adresse']}\n{school['code_postal']} {school['nom_place'].upper()}",
        "ent_url": None,
        "tel": None,
        "segpa": "non",
        "internat": "Demi-pensionnaire",
        "rep": "non",
        **{f"eff_{year}": school["eleves"] + year - YEARS.start for year in YEARS},
        "departement": school["nom_departement"],
        "code_departement": school["code_departement"],
        "nom_officiel_commune": school["nom_place"],
        "cog": None,
        "equip_theme": "Éducation",
        "coll_nom": "Département de la Haute-Garonne",
        "coll_siret": 22_310_001_700_423,
        "libelle_academie": school["nom_academie"],
        "code_academie": school["code_academie"],
        "geo_point_2d": _point(area),
    }


@dataset_of_features(SECTORS, name=SECTORS_DATASET, exists=_has("44"))
def sectors_of_loire_atlantique(world: World) -> list[Feature]:
    """The sectors of the département, with the publisher's columns."""
    return sectors_of(world, "44")


def sectors_of(world: World, departement: str) -> list[Feature]:
    """A feature per sector: its number, lists of its collèges and communes; some are shared with the next collège.

    A new release gives some sectors other collèges.
    """
    colleges, areas = _sectors(world, departement, SECTORS)
    schools = colleges.select("uai").join(world.colleges, on="uai", how="left", maintain_order="left")
    names = schools["nom"].str.replace("^Collège ", "").to_list()
    features = []
    for number, area in enumerate(areas):
        is_shared = number % SHARED == SHARED - 1
        own = [number, (number + 1) % schools.height] if is_shared else [number]
        properties = {
            "num_cs": str(FIRST_SHARED + number if is_shared else number + 1),
            "college": [names[one] for one in own],
            "id_etb": schools["uai"].gather(own).to_list(),
            "commune": [schools["nom_place"][number]],
            "st_area_shape": shapely.area(area) * METRES**2 * float(np.cos(np.radians(shapely.centroid(area).y))),
            "st_length_shape": shapely.length(area) * METRES,
            "geo_point_2d": _point(area),
        }
        features.append(_feature(area, properties))
    return features


def _sectors(world: World, departement: str, source: str) -> tuple[pl.DataFrame, npt.NDArray[np.object_]]:
    """The public collèges, and an area for each; together the areas are the communes of the département."""
    colleges = public_colleges(world, departement).unique(["x", "y"], keep="first", maintain_order=True)
    codes = world.places.filter(code_departement=departement)["code"].to_list()
    contour = shapely.union_all(world.contours[world.contours["code"].isin(codes)].geometry.to_numpy())
    revised = colleges.select(world.is_revised(colleges, source)).to_series().cast(pl.Int64)
    other = colleges[(pl.int_range(colleges.height, eager=True) + revised) % colleges.height]
    return other, where_nearest(colleges, contour)


def _feature(area: shapely.Geometry, properties: dict[str, Any]) -> Feature:
    """A feature with the keys in the portals' order."""
    geometry = shapely.geometry.mapping(area)
    shape = {"coordinates": geometry["coordinates"], "type": geometry["type"]}
    return {"type": "Feature", "geometry": shape, "properties": properties}


def _point(area: shapely.Geometry) -> dict[str, float]:
    point = shapely.centroid(area)
    return {"lon": point.x, "lat": point.y}
