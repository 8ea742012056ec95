"""Maps of collèges' sectors: areas in Paris, stretches of street with a collège for each side in the Hauts-de-Seine.

Belongs here: the two files, on Opendatasoft portals. Does not belong here: areas with codes (`college_areas.py`), lists
of streets (`ministry_sectors.py`).
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from edu_pipeline.sample import spelling
from edu_pipeline.sample.itemised import items
from edu_pipeline.sample.publication import dataset
from edu_pipeline.sample.streets import streets_of
from edu_pipeline.sample.world import World

PARIS, PARIS_DATASET = "paris-secteurs-colleges", "secteurs-scolaires-colleges"
STRETCHES, STRETCHES_DATASET = (
    "hauts-de-seine-carte-scolaire-troncons",
    "fr-229200506-carte-scolaire-colleges-publics-troncons",
)

YEARS = ("2025-2026", "2026-2027")
"""The school years in the file of Paris; their areas are the same."""
SHARED = 3
"""Every so many sectors of Paris is shared with the collège of the next one."""
STREET_WIDTH = 0.0001
"""Degrees, about 10 m, by which an area of Paris keeps back from its neighbours: half the width of a street."""

PARIS_NAMES = items("""
    geo_shape; id_projet; libelle; annee_scol; zone_commune; etiquette; lib_etab_1; lib_etab_2; lib_etab_3; lib_etab_4;
    adr_etab_1; adr_etab_2; adr_etab_3; adr_etab_4; type_etabl; geo_point_2d
""")


@dataset(PARIS, name=PARIS_DATASET, exists=lambda world: public_colleges(world, "75").height > 0)
def sectors_of_paris(world: World) -> pl.DataFrame:
    """An area for each public collège, where it is the nearest one; some are shared with another collège.

    Collèges have the name of their namesake in capitals, an address, and no code. INFERRED are the CSV form, and
    libelle and etiquette of a shared sector. A new release names other collèges in some areas.
    """
    colleges = public_colleges(world, "75").with_row_index("number")
    revised = world.is_revised(colleges, PARIS)
    colleges = colleges.with_columns(
        number=pl.when(revised).then((pl.col("number") + 1) % pl.len()).otherwise("number")
    )
    contour = world.contours[world.contours["code"] == "75056"].geometry.iloc[0]
    areas = shapely.buffer(where_nearest(colleges, contour), -STREET_WIDTH, join_style="mitre")
    rows = [
        _sector(colleges, number, area, year)
        for year in YEARS
        for number, area in zip(colleges["number"], areas, strict=True)
    ]
    return pl.DataFrame(rows, schema=dict.fromkeys(PARIS_NAMES, pl.String))


def _sector(colleges: pl.DataFrame, number: int, area: shapely.Geometry, year: str) -> dict[str, Any]:
    """A row of Paris: the sector of the collège with this number."""
    sharing = [number, (number + 1) % colleges.height] if number % SHARED == SHARED - 1 else [number]
    named = colleges[sharing].select("name", "adresse").rows()
    point, label = shapely.centroid(area), " / ".join(name for name, _ in named)
    return {
        "id_projet": f"COLLEGES (année scolaire {year.replace('-', '/')})",
        "libelle": label,
        "annee_scol": year,
        "zone_commune": "0",
        "etiquette": f"Secteur du collège {label}",
        "type_etabl": "Collège",
        **{f"lib_etab_{place}": name for place, (name, _) in enumerate(named, 1)},
        **{f"adr_etab_{place}": address for place, (_, address) in enumerate(named, 1)},
        "geo_shape": _shape(area),
        "geo_point_2d": f"{point.y:.6f}, {point.x:.6f}",
    }


@dataset(STRETCHES, name=STRETCHES_DATASET, exists=lambda world: public_colleges(world, "92").height > 0)
def stretches_of_hauts_de_seine(world: World) -> pl.DataFrame:
    """The stretches of the département, with the publisher's columns."""
    return stretches_of(world, "92")


def stretches_of(world: World, departement: str) -> pl.DataFrame:
    """Two stretches for each street, from its middle to either end; both sides have the nearest public collège.

    Names of streets are in capitals and abbreviated. A new release gives some stretches another collège.
    """
    colleges = public_colleges(world, departement)
    streets = streets_of(world.streets, world.places.filter(code_departement=departement))
    halves = streets.join(pl.DataFrame({"end": [-1, 1]}), how="cross", maintain_order="left_right")
    middle = halves.select(
        pl.col("longitude") + pl.col("end") * pl.col("half_x") / 2,
        pl.col("latitude") + pl.col("end") * pl.col("half_y") / 2,
    ).to_numpy()
    east = np.cos(np.radians(middle[:, 1].mean()))
    distances = np.hypot(
        np.subtract.outer(middle[:, 0], colleges["x"].to_numpy()) * east,
        np.subtract.outer(middle[:, 1], colleges["y"].to_numpy()),
    )
    nearest = pl.Series(distances.argmin(axis=1))
    revised = halves.select(world.is_revised(halves, STRETCHES)).to_series().cast(pl.Int64)
    own = colleges[((nearest + revised) % colleges.height)]
    lines = [
        shapely.LineString([(x, y), (x + end * half_x, y + end * half_y)])
        for x, y, half_x, half_y, end in halves.select("longitude", "latitude", "half_x", "half_y", "end").rows()
    ]
    return halves.select(
        id=pl.format("TRONROUT{}", pl.int_range(pl.len()).cast(pl.String).str.zfill(16)),
        nature=pl.lit("Route à 1 chaussée"),
        nom_1_g="nom_afnor",
        nom_1_d="nom_afnor",
        college_impair=own["name"],
        college_pair=own["name"],
        code_impair=own["uai"],
        code_pair=own["uai"],
        geo_shape=pl.Series([_shape(line) for line in lines], dtype=pl.String),
        geo_point_2d=pl.format("{}, {}", "latitude", "longitude"),
    )


def where_nearest(colleges: pl.DataFrame, contour: shapely.Geometry) -> npt.NDArray[np.object_]:
    """For each collège, at x and y, the part of the contour of which it is the nearest one."""
    positions = shapely.multipoints(colleges.select("x", "y").to_numpy())
    cells = shapely.get_parts(shapely.voronoi_polygons(positions, extend_to=contour, ordered=True))
    parts: npt.NDArray[np.object_] = shapely.intersection(cells, contour)
    return parts


def public_colleges(world: World, departement: str) -> pl.DataFrame:
    """uai, name (of the namesake, in capitals), adresse, x and y of the public collèges, by code."""
    positions = world.places.select("code", place_x="longitude", place_y="latitude")
    return (
        world.colleges.filter("public", code_departement=departement)
        .join(positions, left_on="code_place", right_on="code", maintain_order="left")
        .select(
            "uai",
            name=spelling.bare_capitals(pl.col("nom").str.replace("^Collège inventé ", "")),
            adresse=spelling.bare_capitals(pl.col("adresse")),
            x=pl.coalesce("longitude", "place_x"),
            y=pl.coalesce("latitude", "place_y"),
        )
        .sort("uai")
    )


def _shape(shape: shapely.Geometry) -> str:
    """GeoJSON with the keys in the portal's order."""
    geometry = shapely.geometry.mapping(shape)
    return json.dumps({"coordinates": geometry["coordinates"], "type": geometry["type"]})
