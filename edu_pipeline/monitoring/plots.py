"""Small pictures of tables, for Dagster's UI: where a distribution, a series of years or a map says more than numbers.

Belongs here: which table has which picture, the few columns that it needs, and how it is drawn.
Does not belong here: what the UI shows besides (``assets/factory.py``), what the columns mean (the contracts).

A picture has one panel or more side by side. A panel is a function that reads what it needs and gives back how to draw
it, or None if there is nothing to draw. Only matplotlib's objects are used, none of ``pyplot``'s global state: threads
may draw at the same time. The background is white, so that a picture is readable in a light UI and in a dark one.
"""

# ruff: noqa: PLC0415 - matplotlib takes a second to import, and most processes draw nothing

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING, Any, LiteralString

import numpy as np
import shapely
from psycopg import sql

from edu_pipeline.contracts import spec
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.table import tables

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PathCollection

Draw = Callable[["Axes"], None]
Panel = Callable[[Connection, str], Draw | None]

WIDTH, HEIGHT, DPI = 3.4, 2.2, 100
"""Inches of a panel, and pixels per inch."""

COLOURS = 128
"""Of a picture, which takes a third of the bytes then."""

FONT_SIZE = 7
"""Points."""

SAMPLE = 20_000
"""Points or lines that a map shows at most; of more it is a sample, the same one each time."""

LABELLED = 12
"""Sources whose age is labelled."""

UPRIGHT = 8
"""Years that stand beside each other below their bars without touching."""

BINS = 40
"""Of a histogram."""

LEFT_OUT = 0.5
"""Percent of the values, at either end, that a histogram leaves out."""

DETAIL = 0.002
"""Degrees, less than a pixel of a département's map, to which contours are simplified."""

WEST, SOUTH, EAST, NORTH = -5.6, 41.2, 9.8, 51.3
"""Degrees: the frame of metropolitan France."""

LAND, INK, EDGE, OTHER = "#dddddd", "#333333", "#ffffff", "#bbbbbb"
"""Colours: of communes without a value, of text and outlines, between communes, of lines without a label."""

PALETTE = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
"""Colours that the colour-blind tell apart, from M. Okabe and K. Ito, Color Universal Design (2008)."""

SCALE = "cividis"
"""The scale of a value's colours, made for the colour-blind too."""

DEPARTEMENT = sql.SQL("left(code_commune, CASE WHEN code_commune ~ '^9[78]' THEN 3 ELSE 2 END)")
"""The département of a commune."""


def plot(name: str, database: Database) -> bytes | None:
    """The picture of a table as PNG; None for a table that has none, and for an empty one.

    Raises:
        DatabaseUnreachable: the server does not answer.
    """
    if name not in PLOTS:
        return None
    with database.connect() as connection:
        draws = [draw for panel in PLOTS[name] if (draw := panel(connection, name))]
    return _png(draws, WIDTH * len(draws)) if draws else None


def ages(points: Sequence[tuple[datetime, str, float]]) -> bytes:
    """The ages of sources over time as PNG: a line per source, the oldest in colour and labelled, the others grey.

    Args:
        points: a time, a source, and the source's age then in days; in any order.
    """
    series: dict[str, list[tuple[datetime, float]]] = {}
    for moment, source, age in sorted(points):
        series.setdefault(source, []).append((moment, age))
    oldest_first = sorted(series.items(), key=lambda item: item[1][-1][1], reverse=True)
    return _png([partial(_draw_ages, series=oldest_first)], 2 * WIDTH)


def as_markdown(png: bytes, alt: str) -> str:
    """Markdown that holds the picture itself."""
    return f"![{re.sub(r'[][<>]', ' ', alt)}](data:image/png;base64,{base64.b64encode(png).decode()})"


def _histogram(connection: Connection, name: str, column: str) -> Draw | None:
    """How the values of ``column`` are distributed."""
    query = "SELECT {column}::double precision FROM {table} WHERE {column} IS NOT NULL"
    values = [value for (value,) in _rows(connection, query, name, column)]
    label = f"{_label(name, column)} (without {LEFT_OUT} % at either end)"
    return partial(_draw_histogram, values=values, title=_title(name, column), label=label) if values else None


def _draw_histogram(axes: Axes, values: list[float], title: str, label: str) -> None:
    low, high = np.percentile(values, [LEFT_OUT, 100 - LEFT_OUT])
    mean = float(np.mean(values))
    axes.stairs(*np.histogram(values, bins=BINS, range=(low, high)), fill=True, color=PALETTE[0])
    axes.axvline(mean, color=PALETTE[5], label=f"mean of {len(values):,} rows: {mean:,.1f}")
    axes.set_ylim(top=1.25 * axes.get_ylim()[1])
    axes.legend(fontsize=FONT_SIZE, frameon=False, loc="upper right")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    _name(axes, title, label, "rows")


def _rows_by(connection: Connection, name: str, column: str) -> Draw | None:
    """How many rows there are per value of ``column``, a year."""
    query = "SELECT {column}::text, count(*) FROM {table} GROUP BY {column} ORDER BY {column}"
    counts = dict(_rows(connection, query, name, column))
    return partial(_draw_rows_by, counts=counts, title=f"Rows by {column}", label=column) if counts else None


def _draw_rows_by(axes: Axes, counts: dict[str, int], title: str, label: str) -> None:
    axes.bar(list(counts), list(counts.values()), color=PALETTE[0])
    _name(axes, title, label, "rows")
    if len(counts) > UPRIGHT:
        axes.tick_params(axis="x", labelrotation=45)


def _points(connection: Connection, name: str, column: str) -> Draw | None:
    """Where the rows are in metropolitan France, in the colour of their ``column``, over the communes."""
    query = (
        "SELECT longitude, latitude, coalesce({column}, 'unknown') FROM {table} "
        "WHERE longitude BETWEEN %s AND %s AND latitude BETWEEN %s AND %s ORDER BY hashfloat8(longitude) LIMIT %s"
    )
    parameters = [WEST, EAST, SOUTH, NORTH, SAMPLE]
    found = _rows(connection, query, name, column, parameters)
    if not found:
        return None
    land = [place[:2] for place in _rows(connection, query, "info_communes", "code_commune", parameters)]
    groups = {group: [place[:2] for place in found if place[2] == group] for group in sorted({row[2] for row in found})}
    return partial(_draw_points, groups=groups, land=land, title=f"{column}, metropolitan France")


def _draw_points(
    axes: Axes, groups: dict[str, list[tuple[float, float]]], land: list[tuple[float, float]], title: str
) -> None:
    x, y = np.array(land).reshape(-1, 2).T
    axes.scatter(x, y, s=2, color=LAND, linewidths=0)
    for (group, places), colour in zip(groups.items(), cycle(PALETTE), strict=False):
        x, y = np.array(places).T
        axes.scatter(x, y, s=1.5, color=colour, linewidths=0, label=f"{group}: {len(places):,}")
    axes.set(xlim=(WEST, EAST), ylim=(SOUTH, NORTH))
    axes.legend(fontsize=FONT_SIZE, frameon=False, loc="upper left", bbox_to_anchor=(1, 1), markerscale=3)
    _as_map(axes, title)


def _choropleth(connection: Connection, name: str, column: str) -> Draw | None:
    """The mean of ``column`` by commune, in the département that has the most communes with a value."""
    placed = "SELECT {departement} FROM {table} JOIN commune_boundaries USING (code_commune) WHERE {column} IS NOT NULL"
    departement = _most(connection, placed, name, column)
    if departement is None:
        return None
    query = (
        "SELECT geometry, mean FROM commune_boundaries LEFT JOIN "
        "(SELECT code_commune, avg({column})::double precision AS mean FROM {table} GROUP BY code_commune) AS means "
        "USING (code_commune) WHERE {departement} = %s"
    )
    contours, means = zip(*_rows(connection, query, name, column, [departement]), strict=True)
    title = f"{column}, département {departement}"
    return partial(_draw_choropleth, contours=contours, means=means, title=title, label=_label(name, column))


def _draw_choropleth(
    axes: Axes, contours: Sequence[str], means: Sequence[float | None], title: str, label: str
) -> None:
    from matplotlib import colormaps

    shapes = _shapes(contours, edgecolor=EDGE, linewidth=0.2)
    shapes.set(array=np.ma.masked_invalid(np.array(means, dtype=float)), cmap=colormaps[SCALE].with_extremes(bad=LAND))
    axes.add_collection(shapes)
    assert axes.figure is not None
    bar = axes.figure.colorbar(shapes, ax=axes, panchor=False)
    bar.set_label(label, fontsize=FONT_SIZE, color=INK)
    bar.ax.tick_params(labelsize=FONT_SIZE)
    _as_map(axes, title)


def _sectors(connection: Connection, name: str) -> Draw | None:
    """Segments or zones over the communes of the département that has the most, in the colour of their first lycée, or
    of their zone where none is known. A département in which lycées are known comes first."""
    placed: LiteralString = "SELECT {departement} FROM {table} WHERE geometry IS NOT NULL"
    departement = _most(connection, placed + " AND uai_lycees_1 IS NOT NULL", name) or _most(connection, placed, name)
    if departement is None:
        return None
    query = (
        "SELECT coalesce(uai_lycees_1, zone_name, ''), geometry FROM {table} "
        "WHERE {departement} = %s AND geometry IS NOT NULL ORDER BY hashint4(id) LIMIT %s"
    )
    found = _rows(connection, query, name, parameters=[departement, SAMPLE])
    contours = "SELECT geometry FROM {table} WHERE {departement} = %s"
    land = [contour for (contour,) in _rows(connection, contours, "commune_boundaries", parameters=[departement])]
    lycees, shapes = zip(*found, strict=True)
    title = f"First lycée or zone, one of {len(set(lycees) - {''})}, département {departement}"
    return partial(_draw_sectors, land=land, shapes=shapes, lycees=lycees, title=title)


def _draw_sectors(axes: Axes, land: list[str], shapes: Sequence[str], lycees: Sequence[str], title: str) -> None:
    axes.add_collection(_shapes(land, facecolor=LAND, edgecolor=EDGE, linewidth=0.2))
    colour_of = dict(zip(sorted(set(lycees) - {""}), cycle(PALETTE), strict=False)) | {"": OTHER}
    colours = [colour_of[lycee] for lycee in lycees]
    areas = bool(shapely.get_dimensions(shapely.from_wkb(shapes[0])) == 2)
    style = {"facecolor": colours, "edgecolor": EDGE} if areas else {"facecolor": "none", "edgecolor": colours}
    axes.add_collection(_shapes(shapes, linewidth=0.3 if areas else 0.8, **style))
    _as_map(axes, title)


def _draw_ages(axes: Axes, series: list[tuple[str, list[tuple[datetime, float]]]]) -> None:
    from matplotlib.dates import ConciseDateFormatter

    styles = [(line, colour) for line in ("-", "--") for colour in PALETTE]
    for place, (source, points) in reversed(list(enumerate(series))):
        line, colour = styles[place] if place < LABELLED else ("-", OTHER)
        times, days = zip(*points, strict=True)
        label = f"{source}: {days[-1]:,.0f}" if place < LABELLED else None
        axes.plot(times, days, line, color=colour, label=label, linewidth=1, marker="o", markersize=3, markevery=[-1])
    if series:
        axes.legend(fontsize=FONT_SIZE - 1, frameon=False, loc="upper left", bbox_to_anchor=(1, 1), reverse=True)
        axes.xaxis.get_offset_text().set_fontsize(FONT_SIZE)
        locator = axes.xaxis.get_major_locator()
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_ylim(bottom=0)
    _name(axes, f"Age of the sources' newest releases (the {LABELLED} oldest are named)", "", "days")


def _rows(
    connection: Connection, query: LiteralString, name: str, column: str = "", parameters: Sequence[object] = ()
) -> list[tuple[Any, ...]]:
    """The rows of a query, with ``{table}``, ``{column}`` and ``{departement}`` filled in."""
    filled = sql.SQL(query).format(table=sql.Identifier(name), column=sql.Identifier(column), departement=DEPARTEMENT)
    return connection.execute(filled, parameters).fetchall()


def _most(connection: Connection, query: LiteralString, name: str, column: str = "") -> str | None:
    """Of the départements that ``query`` selects, once per row, the one with the most communes, then the most rows."""
    most = " GROUP BY 1 ORDER BY count(DISTINCT code_commune) DESC, count(*) DESC, 1 LIMIT 1"
    found = _rows(connection, query + most, name, column)
    return str(found[0][0]) if found else None


def _shapes(found: Sequence[str], **style: Any) -> PathCollection:
    """Geometries, in hexadecimal as PostGIS gives them, as one collection of lines or areas."""
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    simple = shapely.simplify(shapely.from_wkb(list(found)), DETAIL, preserve_topology=True)
    oriented = shapely.orient_polygons(simple)
    edges = [shapely.get_rings(shape) if shapely.get_dimensions(shape) == 2 else [shape] for shape in oriented]
    paths = [Path.make_compound_path(*[Path(shapely.get_coordinates(edge)) for edge in each]) for each in edges]
    return PathCollection(paths, **style)


def _title(name: str, column: str) -> str:
    """What the contract says of a column, without the details."""
    return re.split(r" ?[(;:.,]", tables()[name].contract.columns()[column].description or column)[0]


def _label(name: str, column: str) -> str:
    """The column's name with its unit."""
    unit = spec(tables()[name].contract.columns()[column]).unit
    return f"{column}, {unit}" if unit else column


def _name(axes: Axes, title: str, x: str, y: str) -> None:
    """Title and labels, in small print."""
    axes.set_title(title, fontsize=FONT_SIZE + 1, color=INK)
    axes.set_xlabel(x, fontsize=FONT_SIZE, color=INK)
    axes.set_ylabel(y, fontsize=FONT_SIZE, color=INK)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.tick_params(labelsize=FONT_SIZE, labelcolor=INK, color=INK)
    axes.spines[["top", "right"]].set_visible(False)


def _as_map(axes: Axes, title: str) -> None:
    """A map instead of a diagram: longitudes and latitudes to scale in its middle, no axes."""
    axes.autoscale_view()
    axes.set_aspect(float(1 / np.cos(np.radians(np.mean(axes.get_ylim())))))
    axes.set_axis_off()
    axes.set_title(title, fontsize=FONT_SIZE + 1, color=INK)


def _png(draws: Sequence[Draw], width: float) -> bytes:
    """The panels side by side; ``width`` in inches."""
    from matplotlib.figure import Figure
    from PIL import Image

    figure = Figure(figsize=(width, HEIGHT), dpi=DPI, layout="constrained", facecolor="white")
    for draw, axes in zip(draws, figure.subplots(1, len(draws), squeeze=False)[0], strict=True):
        draw(axes)
    full, small = io.BytesIO(), io.BytesIO()
    figure.savefig(full, format="png")
    Image.open(full).convert("RGB").quantize(COLOURS).save(small, "PNG", optimize=True)
    return small.getvalue()


IPS: tuple[Panel, ...] = (partial(_histogram, column="ips"), partial(_choropleth, column="ips"))

PLOTS: dict[str, tuple[Panel, ...]] = {
    "ips_lycees": IPS,
    "ips_colleges": IPS,
    "merged_revenu_commune_bassin_2021": (
        partial(_histogram, column="mediane_niveau_vie"),
        partial(_choropleth, column="taux_pauvrete"),
    ),
    "mutations_immo_latest": (
        partial(_histogram, column="prix_m2_moyen"),
        partial(_choropleth, column="prix_m2_moyen"),
    ),
    "criminalite_2024": (partial(_rows_by, column="annee"),),
    "aggregated_data_lycees_2024": (partial(_rows_by, column="annee"),),
    "metrics_colleges": (partial(_rows_by, column="session"),),
    "effectifs_specialites_premiere": (partial(_rows_by, column="rentree_scolaire"),),
    "geodata_lycees": (partial(_points, column="secteur"),),
    "lycees_geolocalisation": (partial(_points, column="secteur"),),
    "colleges_geolocalisation": (partial(_points, column="secteur"),),
    "sectorisation_segments": (_sectors,),
    "sectorisation_zones": (_sectors,),
}
"""Table to the panels of its picture; a table that is not here has none."""
