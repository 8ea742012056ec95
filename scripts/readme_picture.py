"""Draws docs/picture.png from the target database, which `make demo` has filled with invented data (`make picture`).

Belongs here: two maps of one département. Does not belong here: the plots in Dagster's UI
(``edu_pipeline/monitoring/plots.py``).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import LiteralString

import geopandas as gpd
import shapely
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from edu_pipeline.database.connection import Connection, target
from edu_pipeline.database.ledger import is_invented
from edu_pipeline.settings import settings

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "picture.png"
DEPARTEMENT = "31"
DOTS_PER_INCH = 110

METRES = 2154
"""Lambert 93: a metre on the map is as long in every direction."""

INK, LYCEE = "#222222", "#d55e00"
SECTORS = ("#a6cee3", "#b2df8a", "#fdbf6f", "#cab2d6", "#ffff99", "#fb9a99", "#d9d9d9", "#ccebc5", "#bc80bd")

INCOMES: LiteralString = """
    SELECT encode(postgis.ST_AsBinary(geometry), 'hex'), mediane_niveau_vie::float
    FROM commune_boundaries JOIN info_communes USING (code_commune)
    LEFT JOIN merged_revenu_commune_bassin_2021 USING (code_commune)
    WHERE code_departement = %s
"""
ZONES: LiteralString = """
    SELECT encode(postgis.ST_AsBinary(geometry), 'hex'), uai_lycees_1
    FROM sectorisation_zones AS zone JOIN info_communes AS commune USING (code_commune)
    WHERE commune.code_departement = %s
"""
LYCEES: LiteralString = """
    SELECT longitude, latitude, round(min(ips) OVER commune), round(max(ips) OVER commune),
        row_number() OVER commune = 1 AS first_of_commune
    FROM lycee_context_cache WHERE code_departement = %s AND ips IS NOT NULL
    WINDOW commune AS (PARTITION BY code_commune)
"""


def main() -> None:
    """Draw the picture of the target database."""
    database = target(settings())
    figure = Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    with database.connect() as connection:
        if not is_invented(connection, database.schema):
            sys.exit("expected a database with the sample publisher's invented data, found another. Run `make demo`.")
        draw_incomes(left, shapes(connection, INCOMES))
        draw_sectors(right, shapes(connection, ZONES))
        draw_lycees([left, right], connection)
    figure.suptitle("The demo's invented country: no school or figure here is real", fontsize=10, color=INK)
    FigureCanvasAgg(figure).print_figure(PICTURE, dpi=DOTS_PER_INCH)
    print(f"{PICTURE.name}: {PICTURE.stat().st_size:,} bytes")


def shapes(connection: Connection, query: LiteralString) -> gpd.GeoDataFrame:
    """What a query returns, a shape and a value in each row."""
    rows = connection.execute(query, [DEPARTEMENT]).fetchall()
    contours = [shapely.from_wkb(contour) for contour, _ in rows]
    return gpd.GeoDataFrame({"value": [value for _, value in rows]}, geometry=contours, crs=4326).to_crs(METRES)


def draw_incomes(axes: Axes, communes: gpd.GeoDataFrame) -> None:
    """Communes, coloured by their median standard of living."""
    legend = {"label": "€ a year", "shrink": 0.7, "pad": 0.01}
    missing = {"color": "#dddddd"}
    communes.plot(
        "value", ax=axes, cmap="YlGnBu", edgecolor="white", legend=True, legend_kwds=legend, missing_kwds=missing
    )
    _finish(axes, "Median standard of living (grey: not published),\nsocial position index (IPS) of the lycées")


def draw_sectors(axes: Axes, zones: gpd.GeoDataFrame) -> None:
    """Zones, in one colour where they lead to the same lycée."""
    zones.plot("value", ax=axes, cmap=ListedColormap(SECTORS), edgecolor="white", linewidth=0.4)
    zones.dissolve("value").boundary.plot(ax=axes, color=INK, linewidth=0.8)
    _finish(axes, "Sectors: the lycée that an address leads to")


def draw_lycees(both: list[Axes], connection: Connection) -> None:
    """The lycées on both maps; on the first one with their index."""
    rows = connection.execute(LYCEES, [DEPARTEMENT]).fetchall()
    points = gpd.GeoSeries.from_xy([row[0] for row in rows], [row[1] for row in rows], crs=4326).to_crs(METRES)
    for axes in both:
        axes.scatter(points.x, points.y, s=36, color=LYCEE, edgecolors="white", linewidths=0.8, zorder=3)
    for point, (_, _, lowest, highest, first_of_commune) in zip(points, rows, strict=True):
        if first_of_commune:
            both[0].annotate(
                f"{lowest}" if lowest == highest else f"{lowest} to {highest}",
                (point.x, point.y),
                xytext=(5, 4),
                textcoords="offset points",
                fontsize=8,
                bbox={"boxstyle": "round,pad=0.15", "facecolor": "white", "alpha": 0.8, "linewidth": 0},
                zorder=4,
            )


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=9, color=INK)
    axes.set_axis_off()


if __name__ == "__main__":
    main()
