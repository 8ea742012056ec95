"""Lines about streets from maps of sectors: the sector that each address is in, or the stretch of street that it is at.

Belongs here: which area or stretch an address belongs to, and the ranges of house numbers that follow from it. Does not
belong here: the maps (``assets/sectorisation/secteurs_colleges.py``, the departmental files), what becomes of the lines
(``rules.py``).

A street all of whose addresses are in one sector is one line without bounds. Otherwise each side has a line for each
run of consecutive numbers in one sector; the first and the last run have no outer bound. A number whose addresses are
in no sector, or in several, is in no line.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping

import numpy as np
import numpy.typing as npt
import polars as pl
import shapely

from edu_pipeline import ewkb
from edu_pipeline.ewkb import Shapes
from edu_pipeline.sectors import addresses, labels
from edu_pipeline.sectors.strays import METRES_PER_DEGREE

REACH = 30.0
"""Metres to the nearest area within which an address outside all areas belongs to it: areas leave out the streets."""

ALONG = 100.0
"""Metres to the nearest stretch of its own street within which an address belongs to it."""

GRID = 500.0
"""Metres: only stretches that reach into the square of an address are compared with it."""

SQUARE = ("column", "row")

SIDE = ["code_commune", "label", "odd"]
SCHOOLS = ("uai_colleges", "rule", "rentree_scolaire")
"""What the addresses of a sector have in common."""

LINE = pl.Schema(
    dict.fromkeys(("code_commune", "libelle_rue", "number_from", "number_to", "side"), pl.String())
    | {"uai_colleges": pl.List(pl.String())}
    | dict.fromkeys(("rule", "rentree_scolaire"), pl.String())
)
"""The columns of a line; its bounds are text, as files have them."""

PAIR = pl.Schema(dict.fromkeys(("address", "area"), pl.UInt32()))
"""Positions of an address, and of the area that it belongs to."""

Of = Callable[[pl.DataFrame, pl.DataFrame], pl.DataFrame]


def in_areas(areas: pl.DataFrame, ban: Mapping[str, pl.LazyFrame], covered: Collection[str]) -> pl.DataFrame:
    """Lines for the addresses in areas, or within ``REACH`` of the nearest one.

    Args:
        areas: code_departement; geometry (EWKB in hexadecimal); ``SCHOOLS``.
        ban: the addresses by département.
        covered: codes of communes that are left out.

    Returns:
        The columns ``LINE``.
    """
    return _lines(areas, _area_of, ban, covered)


def along(stretches: pl.DataFrame, ban: Mapping[str, pl.LazyFrame], covered: Collection[str]) -> pl.DataFrame:
    """Lines for the addresses along stretches of their own street, within ``ALONG`` of the nearest one.

    Args:
        stretches: a row per stretch and side: code_departement; libelle_rue; odd, whether odd numbers are on this side;
            geometry, a line; ``SCHOOLS``.
        ban, covered: as for ``in_areas``.

    Returns:
        The columns ``LINE``.
    """
    return _lines(_with_label(stretches), _stretch_of, ban, covered)


def without(lines: pl.DataFrame, streets: pl.DataFrame) -> pl.DataFrame:
    """The lines about other streets than these.

    Args:
        lines: ``LINE``.
        streets: code_commune, libelle_rue.
    """
    others = _with_label(lines).join(_with_label(streets), on=SIDE[:2], how="anti", maintain_order="left")
    return others.select(lines.columns)


def _lines(
    sectors: pl.DataFrame, owner_of: Of, ban: Mapping[str, pl.LazyFrame], covered: Collection[str]
) -> pl.DataFrame:
    schools = pl.concat_str(pl.col("uai_colleges").list.join(" "), *SCHOOLS[1:], separator=" ", ignore_nulls=True)
    sectors = sectors.with_columns(sector=schools.rank("dense").cast(pl.UInt32))
    lines = [pl.DataFrame(schema=LINE)]
    for (departement,), own in sectors.group_by("code_departement", maintain_order=True):
        near = _addresses(ban, str(departement), covered)
        owners = owner_of(near, own)
        runs = _runs(near.join(owners, on="address", how="left", maintain_order="left"))
        of_sector = own.select("sector", *SCHOOLS).unique("sector", maintain_order=True)
        lines.append(runs.join(of_sector, on="sector", maintain_order="left").select(list(LINE)))
    return pl.concat(lines)


def _addresses(ban: Mapping[str, pl.LazyFrame], departement: str, covered: Collection[str]) -> pl.DataFrame:
    """The addresses of a département outside the covered communes: address (a number), code_commune, libelle_rue,
    label, numero, odd, lon, lat; a street has the first of its names."""
    codes: list[str] = []
    if departement in ban:
        every = ban[departement].select(pl.col("code_insee").unique(maintain_order=True)).collect().to_series()
        codes = [code for code in every.drop_nulls() if code not in covered]
    near = addresses.of_communes(ban, departement, codes).select(
        pl.col("numero", "lon", "lat"),
        code_commune="code_insee",
        libelle_rue=pl.coalesce("nom_voie", "nom_afnor"),
        odd=pl.col("numero") % 2 == 1,
    )
    named = _with_label(near.drop_nulls("libelle_rue"))
    return named.with_columns(pl.col("libelle_rue").first().over(SIDE[:2])).with_row_index("address")


def _with_label(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with ``label``, the street as ``labels.read`` reads it."""
    names = rows["libelle_rue"].drop_nulls().unique()
    read = [labels.read(name).spaced for name in names]
    known = pl.DataFrame({"libelle_rue": names, "label": pl.Series(read, dtype=pl.String)})
    return rows.join(known, on="libelle_rue", how="left", maintain_order="left")


def _area_of(near: pl.DataFrame, areas: pl.DataFrame) -> pl.DataFrame:
    """The sector of the addresses that are in one, and not in several."""
    shapes, points = _in_metres(areas["geometry"], near)
    area, inside = shapely.STRtree(points).query(shapes, predicate="intersects")
    outside = np.setdiff1d(np.arange(len(points)), inside)
    beside, nearest = shapely.STRtree(shapes).query_nearest(points[outside], max_distance=REACH)
    pairs = pl.DataFrame({"address": [*inside, *outside[beside]], "area": [*area, *nearest]}, schema_overrides=PAIR)
    owners = pairs.select("address", sector=areas["sector"].gather(pairs["area"])).unique(maintain_order=True)
    return owners.filter(pl.len().over("address") == 1)


def _stretch_of(near: pl.DataFrame, stretches: pl.DataFrame) -> pl.DataFrame:
    """The sector of the addresses that are near a stretch of their street, on its side: that of the nearest one."""
    shapes, points = _in_metres(stretches["geometry"], near)
    ways = stretches.select("label", "odd", "sector").with_row_index("stretch")
    lowest, highest = np.hsplit(shapely.bounds(shapes), 2)
    around = ways.with_columns(_squares(lowest - ALONG, "first_") + _squares(highest + ALONG, "last_"))
    for name in SQUARE:
        squares = pl.int_ranges(f"first_{name}", pl.col(f"last_{name}") + 1)
        around = around.with_columns(squares.alias(name)).explode(name)
    located = near.select("address", "label", "odd").with_columns(_squares(shapely.get_coordinates(points)))
    pairs = located.join(around, on=["label", "odd", *SQUARE])
    metres = shapely.distance(points[pairs["address"].to_numpy()], shapes[pairs["stretch"].to_numpy()])
    near_enough = pairs.with_columns(metres=pl.Series(metres, dtype=pl.Float64)).filter(pl.col("metres") <= ALONG)
    nearest = near_enough.sort("address", "metres", "stretch")
    return nearest.unique("address", keep="first", maintain_order=True).select("address", "sector")


def _squares(places: npt.NDArray[np.float64], prefix: str = "") -> list[pl.Series]:
    """Column and row of the square, as wide as ``GRID``, in which each place is; their names begin with ``prefix``."""
    squares = zip(SQUARE, places.T // GRID, strict=True)
    return [pl.Series(f"{prefix}{name}", values, dtype=pl.Int64) for name, values in squares]


def _in_metres(geometry: pl.Series, near: pl.DataFrame) -> tuple[Shapes, Shapes]:
    """Shapes, and the points of addresses, on a plane that touches the earth in the middle of the addresses."""
    latitude = near["lat"].to_numpy().mean() if near.height else 0.0
    scale = METRES_PER_DEGREE * np.array([np.cos(np.radians(latitude)), 1.0])
    points = shapely.points(near.select("lon", "lat").to_numpy() * scale)
    return shapely.transform(ewkb.decoded(geometry), lambda degrees: degrees * scale), points


def _runs(near: pl.DataFrame) -> pl.DataFrame:
    """The ranges of house numbers in one sector each: code_commune, libelle_rue, number_from, number_to, side, sector.

    Args:
        near: from ``_addresses``, with ``sector``; NULL: in none.
    """
    single = pl.when(pl.col("sector").n_unique() == 1).then(pl.col("sector").first())
    numbers = near.group_by([*SIDE, "numero"]).agg(single, pl.col("libelle_rue").first()).sort(*SIDE, "numero")
    is_whole = pl.col("sector").n_unique().over(SIDE[:2]) == 1
    whole = numbers.filter(is_whole).unique(SIDE[:2], keep="first", maintain_order=True)
    run = pl.struct(*SIDE, "sector").rle_id().alias("run")
    divided = (
        numbers.filter(~is_whole)
        .group_by(run, maintain_order=True)
        .agg(pl.col(*SIDE, "libelle_rue", "sector").first(), first=pl.col("numero").min(), last=pl.col("numero").max())
    )
    side = pl.struct(SIDE).rle_id()
    is_first, is_last = ((side != side.shift(step)).fill_null(True) for step in (1, -1))
    parts = divided.with_columns(
        number_from=pl.when(~is_first).then("first").cast(pl.String),
        number_to=pl.when(~is_last).then("last").cast(pl.String),
        side=pl.when("odd").then(pl.lit("impair")).otherwise(pl.lit("pair")),
    )
    unbounded = pl.lit(None, pl.String)
    streets = whole.with_columns(number_from=unbounded, number_to=unbounded, side=pl.lit("tous"))
    columns = ["code_commune", "libelle_rue", "number_from", "number_to", "side", "sector"]
    return pl.concat([streets.select(columns), parts.select(columns)]).drop_nulls("sector")
