"""Pictures of tables for Dagster's UI, where a distribution, a series of years or a map says more than numbers.

Belongs here: which table has which picture, and reading the few columns that it needs. Does not belong here: how it is
drawn (``drawing.py``), the rest of the UI (``orchestration``), what the columns mean (the contracts).

A picture has one or more panels side by side. A panel is a function that reads what it needs and returns how to draw
it, or None if there is nothing to draw.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, LiteralString

from psycopg import sql

from edu_pipeline.accounts import ROWS
from edu_pipeline.contracts import spec
from edu_pipeline.database.connection import Connection, Database
from edu_pipeline.monitoring import drawing
from edu_pipeline.monitoring.drawing import Draw
from edu_pipeline.monitoring.share_bars import share_bars
from edu_pipeline.table import tables

Panel = Callable[[Connection, str], Draw | None]

SAMPLE = 20_000
"""The most points or lines that a map shows; of more it shows a sample, always the same one."""

WEST, SOUTH, EAST, NORTH = -5.6, 41.2, 9.8, 51.3
"""The frame of metropolitan France, in degrees."""

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
    return drawing.png(draws) if draws else None


def ages(points: Sequence[tuple[datetime, str, float]]) -> bytes:
    """The ages of sources over time as PNG, a line per source; the oldest are named.

    Args:
        points: a moment, a source, and the source's age then in days; in any order.
    """
    series: dict[str, list[tuple[datetime, float]]] = {}
    for moment, source, age in sorted(points):
        series.setdefault(source, []).append((moment, age))
    oldest_first = sorted(series.items(), key=lambda item: item[1][-1][1], reverse=True)
    title = f"Age of the sources' newest releases (the {drawing.LABELLED} oldest are named)"
    return drawing.png([partial(drawing.lines, series=oldest_first, title=title, label="days")], 2 * drawing.WIDTH)


def balance(files: Mapping[str, Mapping[str, int]]) -> bytes:
    """Where the rows of each file of a load went, as SVG: a bar per file.

    Args:
        files: as the ledger has them: file to the number of its rows, and how many of these had which fate.
    """
    return share_bars({file: {fate: n for fate, n in fates.items() if fate != ROWS} for file, fates in files.items()})


def as_markdown(picture: bytes, alt: str) -> str:
    """Markdown that contains the picture itself, a PNG or an SVG."""
    kind = "svg+xml" if picture.startswith(b"<svg") else "png"
    return f"![{re.sub(r'[][<>]', ' ', alt)}](data:image/{kind};base64,{base64.b64encode(picture).decode()})"


def _histogram(connection: Connection, name: str, column: str) -> Draw | None:
    """The distribution of the values of ``column``."""
    query = "SELECT {column}::double precision FROM {table} WHERE {column} IS NOT NULL"
    values = [value for (value,) in _rows(connection, query, name, column)]
    title, label = _title(name, column), _label(name, column)
    return partial(drawing.histogram, values=values, title=title, label=label) if values else None


def _rows_by(connection: Connection, name: str, column: str) -> Draw | None:
    """The number of rows by value of ``column``, a year."""
    query = "SELECT {column}::text, count(*) FROM {table} GROUP BY {column} ORDER BY {column}"
    counts = dict(_rows(connection, query, name, column))
    return partial(drawing.bars, counts=counts, title=f"Rows by {column}", label=column) if counts else None


def _points(connection: Connection, name: str, column: str) -> Draw | None:
    """The places of the rows in metropolitan France, in the colour of their ``column``, over the communes."""
    query = (
        "SELECT longitude, latitude, coalesce({column}, 'unknown') FROM {table} "
        "WHERE longitude BETWEEN %s AND %s AND latitude BETWEEN %s AND %s ORDER BY hashfloat8(longitude) LIMIT %s"
    )
    parameters = [WEST, EAST, SOUTH, NORTH, SAMPLE]
    places = _rows(connection, query, name, column, parameters)
    if not places:
        return None
    communes = _rows(connection, query, "info_communes", "code_commune", parameters)
    names = sorted({name for _, _, name in places})
    return partial(
        drawing.dots,
        groups={group: [(x, y) for x, y, name in places if name == group] for group in names},
        land=[(x, y) for x, y, _ in communes],
        west_to_east=(WEST, EAST),
        south_to_north=(SOUTH, NORTH),
        title=f"{column}, metropolitan France",
    )


def _choropleth(connection: Connection, name: str, column: str) -> Draw | None:
    """The mean of ``column`` by commune, in the département that has the most communes with a value."""
    placed = "SELECT {departement} FROM {table} JOIN commune_boundaries USING (code_commune) WHERE {column} IS NOT NULL"
    departement = _largest(connection, placed, name, column)
    if departement is None:
        return None
    query = (
        "SELECT geometry, mean FROM commune_boundaries LEFT JOIN "
        "(SELECT code_commune, avg({column})::double precision AS mean FROM {table} GROUP BY code_commune) AS means "
        "USING (code_commune) WHERE code_commune_parent IS NULL AND {departement} = %s"
    )
    contours, means = zip(*_rows(connection, query, name, column, [departement]), strict=True)
    title = f"{column}, département {departement}"
    return partial(drawing.choropleth, contours=contours, values=means, title=title, label=_label(name, column))


def _sectors(connection: Connection, name: str) -> Draw | None:
    """Segments or zones of one département over its communes, in the colour of their first lycée, or of their zone if
    that is not known.

    The département is the one with the most communes, if possible among those in which lycées are known.
    """
    placed: LiteralString = "SELECT {departement} FROM {table} WHERE geometry IS NOT NULL"
    known = _largest(connection, placed + " AND uai_lycees_1 IS NOT NULL", name)
    departement = known or _largest(connection, placed, name)
    if departement is None:
        return None
    query = (
        "SELECT coalesce(uai_lycees_1, zone_name, ''), geometry FROM {table} "
        "WHERE {departement} = %s AND geometry IS NOT NULL ORDER BY hashint4(id) LIMIT %s"
    )
    names, shapes = zip(*_rows(connection, query, name, parameters=[departement, SAMPLE]), strict=True)
    contours = "SELECT geometry FROM {table} WHERE code_commune_parent IS NULL AND {departement} = %s"
    land = [contour for (contour,) in _rows(connection, contours, "commune_boundaries", parameters=[departement])]
    title = f"First lycée or zone, one of {len(set(names) - {''})}, département {departement}"
    return partial(drawing.coloured_shapes, shapes=shapes, names=names, land=land, title=title)


def _rows(
    connection: Connection, query: LiteralString, name: str, column: str = "", parameters: Sequence[object] = ()
) -> list[tuple[Any, ...]]:
    """The rows of a query, with ``{table}``, ``{column}`` and ``{departement}`` filled in."""
    filled = sql.SQL(query).format(table=sql.Identifier(name), column=sql.Identifier(column), departement=DEPARTEMENT)
    return connection.execute(filled, parameters).fetchall()


def _largest(connection: Connection, query: LiteralString, name: str, column: str = "") -> str | None:
    """Of the départements that ``query`` selects, once per row, the one with the most communes, then the most rows."""
    ranking = " GROUP BY 1 ORDER BY count(DISTINCT code_commune) DESC, count(*) DESC, 1 LIMIT 1"
    rows = _rows(connection, query + ranking, name, column)
    return str(rows[0][0]) if rows else None


def _title(name: str, column: str) -> str:
    """The contract's description of a column, without the details."""
    return re.split(r" ?[(;:.,]", tables()[name].contract.columns()[column].description or column)[0]


def _label(name: str, column: str) -> str:
    """The column's name with its unit."""
    unit = spec(tables()[name].contract.columns()[column]).unit
    return f"{column}, {unit}" if unit else column


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
"""The panels of each table's picture; other tables have none."""
