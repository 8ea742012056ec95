"""The zones of all communes: from whole communes, segments and supplied zones to rows with a shape each.

Belongs here: which of these a commune's zones are made from, and which contour and addresses go into them. Does not
belong here: the lines themselves (``rules.py``), cutting a contour into zones (``zoning.py``).

A commune's zones are of one kind, the first of these that it has: zones that an operator supplied; lines that name
lycées; collèges from which a rule leads to lycées; collèges only. Within a kind, a line about the whole commune takes
precedence over segments. An arrondissement's contour is not used, since older files have none: the contour of its city
is divided by the addresses. Where the segments follow from a map, an address without a segment is known to be in no
sector: what is nearest to it is in no zone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
import polars as pl
import shapely

from edu_pipeline import ewkb
from edu_pipeline.accounts import SOURCE_ROW
from edu_pipeline.flow import keep
from edu_pipeline.sectors import addresses, piecewise, placing, rules, zoning
from edu_pipeline.sectors.numbering import hashed, numbered
from edu_pipeline.vocabulary import arrondissements

ATTRIBUTES = ("code_departement", "code_commune", "zone_name", "rule", "rentree_scolaire")
LISTS = ("uai_colleges", "uai_lycees")
COLUMNS = (*ATTRIBUTES, *LISTS, *rules.COLUMNS_OF_LYCEES)
OF_SEGMENTS = (*dict.fromkeys((*COLUMNS, *placing.SELECTS)), "nom_voie", "motif")

COMMUNE, PART, SUPPLIED = "commune", "partie", "fournie"
"""The natures of a zone, by the origin of its shape: the commune's contour, its addresses, an operator."""

ZONE, ZONE_TEXT, KIND, SUPPLIED_SHAPE = "zone", "zone_text", "kind", "supplied_shape"
SHAPES = pl.Schema({ZONE: pl.Int64(), "geometry": pl.String(), "area": pl.Float64()})
POINTS = pl.Schema({ZONE: pl.Int64(), "city": pl.String(), "lon": pl.Float64(), "lat": pl.Float64()})


def zones(
    whole: pl.DataFrame,
    segments: pl.LazyFrame,
    supplied: pl.DataFrame,
    contours: pl.DataFrame,
    ban: Mapping[str, pl.LazyFrame],
) -> pl.DataFrame:
    """A row per polygon of every zone, and the rows that are refused.

    Args:
        whole: from ``rules.whole_communes``.
        segments: rows of the table sectorisation_segments, at least ``OF_SEGMENTS``; read twice.
        supplied: from ``rules.supplied_zones``, with ``geometry`` as text, NULL for the whole commune.
        contours: code_commune, geometry; of communes only.
        ban: the addresses by département.

    Returns:
        ``COLUMNS``, nature, geometry (if NULL, ``motif`` says why), id, refused_because. lignes is in the row of a
        zone's largest polygon, and NULL in its other rows.
    """
    candidates = pl.concat([_supplied(supplied), _whole(whole), _of_segments(segments)], how="diagonal_relaxed")
    chosen = _of_first_kind(candidates.filter(pl.col("refused_because").is_null()))
    shapes = pl.concat([_shapes(chosen, contours), *_cut(chosen, segments, contours, ban)])
    placed = (
        chosen.join(
            shapes.sort(ZONE, "area", "geometry", descending=[False, True, False]),
            on=ZONE,
            how="left",
            maintain_order="left_right",
        )
        .with_columns(lignes=pl.when(pl.int_range(pl.len()).over(ZONE) == 0).then("lignes"))
        .with_columns(motif=pl.when(pl.col("geometry").is_null()).then(_why_not(contours["code_commune"])))
    )
    rows = pl.concat([placed, candidates.drop_nulls("refused_because")], how="diagonal_relaxed")
    (rows,) = numbered([rows.with_columns(hashed(rows, ["nature", ZONE_TEXT]))])
    return rows.drop(ZONE, ZONE_TEXT, KIND, SUPPLIED_SHAPE, "area")


def _supplied(rows: pl.DataFrame) -> pl.DataFrame:
    is_readable = [text is None or bool(zoning.polygons(text)) for text in rows["geometry"]]
    complaint = pl.lit("geometry: expected a polygon as WKT, GeoJSON or EWKB, found something else")
    return rows.select(
        *_present(rows),
        pl.coalesce("refused_because", pl.when(~pl.Series(is_readable, dtype=pl.Boolean)).then(complaint)),
        nature=pl.when(pl.col("geometry").is_null()).then(pl.lit(COMMUNE)).otherwise(pl.lit(SUPPLIED)),
        kind=pl.lit(0, pl.Int32),
        supplied_shape="geometry",
    ).with_columns(_zone_text())


def _whole(rows: pl.DataFrame) -> pl.DataFrame:
    kind = 2 * rules.priority()
    return rows.select(*_present(rows), "refused_because", _zone_text(), nature=pl.lit(COMMUNE), kind=kind)


def _present(rows: pl.DataFrame) -> list[str]:
    return [*COLUMNS, "lignes", *(name for name in rows.columns if name == SOURCE_ROW)]


def _of_segments(segments: pl.LazyFrame) -> pl.DataFrame:
    """A row per zone that has a segment on the map."""
    placed = segments.filter(pl.col("motif").is_null()).select(*COLUMNS, _zone_text())
    zones = placed.unique(ZONE_TEXT, keep="first", maintain_order=True).collect(engine="streaming")
    return zones.select(*COLUMNS, ZONE_TEXT, nature=pl.lit(PART), kind=2 * rules.priority() + 1)


def _zone_text() -> pl.Expr:
    """The text that identifies a zone: what its segments, or its polygons, have in common."""
    schools = [pl.col(name).list.join(" ") for name in LISTS]
    values = [value.fill_null("") for value in (*map(pl.col, ATTRIBUTES), *schools)]
    return pl.concat_str(values, separator="|").alias(ZONE_TEXT)


def _of_first_kind(candidates: pl.DataFrame) -> pl.DataFrame:
    """The rows of the first kind that each commune has, numbered."""
    is_first = pl.col(KIND) == pl.col(KIND).min().over("code_commune")
    chosen = keep(candidates.lazy(), is_first, "zones of another kind take precedence in the commune").collect()
    return chosen.with_columns(pl.int_range(pl.len(), dtype=pl.Int64).alias(ZONE))


def _shapes(chosen: pl.DataFrame, contours: pl.DataFrame) -> pl.DataFrame:
    """The polygons of supplied zones, and of communes that have a contour of their own."""
    texts = chosen.filter(nature=SUPPLIED).select(ZONE, SUPPLIED_SHAPE).iter_rows()
    supplied = [(zone, shape) for zone, text in texts for shape in zoning.polygons(text)]
    whole = chosen.filter(nature=COMMUNE).join(contours, on="code_commune", maintain_order="left")
    polygons, row = shapely.get_parts(ewkb.decoded(whole["geometry"]), return_index=True)
    shapes = np.array([*(shape for _, shape in supplied), *polygons], dtype=object)
    zones = [*(zone for zone, _ in supplied), *whole[ZONE].gather(row)]
    return pl.DataFrame({ZONE: zones, "geometry": ewkb.encoded(shapes), "area": shapely.area(shapes)}, schema=SHAPES)


def _cut(
    chosen: pl.DataFrame, segments: pl.LazyFrame, contours: pl.DataFrame, ban: Mapping[str, pl.LazyFrame]
) -> Iterator[pl.DataFrame]:
    """The polygons of zones that share a commune or a city, cut by their addresses."""
    shared = chosen.filter(
        (pl.col("nature") == PART)
        | ((pl.col("nature") == COMMUNE) & pl.col("code_commune").is_in(list(arrondissements.COMMUNES)))
    )
    text = pl.col(ZONE_TEXT).cast(pl.Categorical)  # in memory a million texts are numbers
    of_parts = shared.filter(nature=PART).select(text, ZONE, "code_departement").lazy()
    streets = (
        segments.select(*placing.SELECTS, _zone_text(), street="nom_voie", mapped=rules.is_mapped())
        .with_columns(text)
        .join(of_parts, on=ZONE_TEXT, maintain_order="left")
        .drop(ZONE_TEXT)
        .collect(engine="streaming")
    )
    whole = shared.filter(nature=COMMUNE).select("code_commune", ZONE, "code_departement", whole=True)
    rows = pl.concat([whole, streets], how="diagonal")

    def parts() -> Iterator[_Part]:
        for rows_of_departement, addresses_of_departement in addresses.by_departement(rows.lazy(), ban):
            for part, near in addresses.in_parts(rows_of_departement, addresses_of_departement):
                cities = part.select(pl.col("code_commune").replace(arrondissements.COMMUNES)).to_series().unique()
                own_contours = contours.filter(pl.col("code_commune").is_in(cities.implode()))
                yield _Part(part, near, own_contours, nobodys=chosen.height)

    for polygons in piecewise.in_order(_cut_part, parts(), rows=rows.height):
        yield from polygons


class _Part(NamedTuple):
    """Some communes, each with several zones.

    Attributes:
        rows: segments, as ``placing.addresses_of`` takes them, with their zone, and whether they are ``mapped``; and
            arrondissements that are a single zone, where ``whole`` is true.
        near: the addresses of the communes.
        contours: those of their cities.
        nobodys: the number of what is in no zone, which no zone has.
    """

    rows: pl.DataFrame
    near: pl.DataFrame
    contours: pl.DataFrame
    nobodys: int


def _cut_part(part: _Part) -> list[pl.DataFrame]:
    rows, near, contours, nobodys = part
    whole, streets = rows.filter("whole"), rows.filter(pl.col("whole").is_null())
    outlines = dict(contours.select("code_commune", "geometry").iter_rows())
    points = pl.concat(
        [
            _points_of_arrondissements(whole, near),
            _points_of_segments(streets, near),
            _points_of_nobody(streets, near, nobodys),
        ]
    )
    return [
        zoning.divide(points_of_city, shapely.from_wkb(outlines[str(city)]))
        for (city,), points_of_city in points.group_by("city", maintain_order=True)
        if str(city) in outlines
    ]


def _points_of_arrondissements(whole: pl.DataFrame, near: pl.DataFrame) -> pl.DataFrame:
    """All addresses of arrondissements that are a single zone."""
    points = near.join(whole, left_on="code_insee", right_on="code_commune", maintain_order="left")
    return points.with_columns(city=pl.col("code_insee").replace(arrondissements.COMMUNES)).select(list(POINTS))


def _points_of_segments(streets: pl.DataFrame, near: pl.DataFrame) -> pl.DataFrame:
    """The addresses of segments, with their zones."""
    zone = streets.select(ZONE, city=pl.col("code_commune").replace(arrondissements.COMMUNES)).with_row_index("segment")
    points = placing.addresses_of(streets, near)
    return points.join(zone, on="segment", maintain_order="left").select(list(POINTS))


def _points_of_nobody(streets: pl.DataFrame, near: pl.DataFrame, zone: int) -> pl.DataFrame:
    """All addresses of communes with a map; those of segments come before them, and of one place the first counts."""
    mapped = streets.filter("mapped")["code_commune"].unique().implode()
    points = near.filter(pl.col("code_insee").is_in(mapped))
    city = pl.col("code_insee").replace(arrondissements.COMMUNES)
    return points.select(pl.lit(zone, POINTS[ZONE]).alias(ZONE), city.alias("city"), "lon", "lat")


def _why_not(with_contour: pl.Series) -> pl.Expr:
    city = pl.col("code_commune").replace(arrondissements.COMMUNES)
    return (
        pl.when(city.is_in(with_contour.implode()))
        .then(pl.format("no address of zone {} of {} in the BAN", "zone_name", "code_commune"))
        .otherwise(pl.format("no contour of commune {} in commune_boundaries", city))
    )
