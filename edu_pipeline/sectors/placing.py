"""Where a street segment is: its addresses in the Base Adresse Nationale (BAN), and the line through them.

Belongs here: which addresses belong to a segment (``addresses_of``), and its line in degrees (``place``). Does not
belong here: which street a label means (``matching.py``), how addresses make a line (``lines.py``), the zones made of
them (``zoning.py``).
"""

from __future__ import annotations

from string import ascii_lowercase

import numpy as np
import polars as pl
import shapely

from edu_pipeline import ewkb
from edu_pipeline.errors import EXAMPLES, EduError
from edu_pipeline.sectors import lines
from edu_pipeline.sectors.labels import read
from edu_pipeline.sectors.matching import match
from edu_pipeline.sectors.strays import METRES_PER_DEGREE

SEGMENT = ("code_commune", "libelle_rue", "number_from", "number_to", "side")
"""Columns of a segment; ``side`` is one of ``SIDES``, and a bound that is NULL does not exist."""

SELECTS = ("code_commune", "number_from", "number_to", "side")
"""Columns that select, together with its street in the BAN, the addresses of a segment."""

ADDRESS = ("code_insee", "numero", "rep", "nom_voie", "nom_afnor", "lon", "lat")
"""Columns of an address, with the BAN's names: ``numero`` is an integer, ``lon`` and ``lat`` are in degrees."""

SIDES = ("pair", "impair", "tous")

REPETITIONS = ("bis", "ter", "quater", "quinquies", "sexies", "septies", "octies", "nonies")
"""What may follow a number, in order; other places use letters."""

DECIMALS = 7
"""Decimal places of degrees, about 1 cm."""


class SideUnknown(EduError):
    """A segment's side is not one of ``SIDES``."""


PLACED = dict.fromkeys(("street", "match_method", "placed", "geometry", "reason"), pl.String) | {
    "match_score": pl.Float64
}
"""The columns that ``place`` adds."""

ADDRESS_OF_SEGMENT = ("segment", "numero", "rep", "nom_voie", "lon", "lat")
"""The columns that ``addresses_of`` returns."""


def place(segments: pl.DataFrame, addresses: pl.DataFrame) -> pl.DataFrame:
    """The segments, in their order, with the columns that say where they are.

    Args:
        segments: of any number of communes, with at least the columns ``SEGMENT``; all others pass through.
        addresses: at least those of these communes, columns ``ADDRESS``.

    Returns:
        In addition ``street``: ``nom_voie`` of the street matched. ``match_method``: ``exact``, ``close`` or NULL.
        ``match_score``: 0 to 100. ``placed``: ``addresses`` (through its own), ``one address`` (a short line around it,
        or around several in one place), ``whole street`` (it has no address) or NULL. ``geometry``: a LineString in
        EWKB, or NULL. ``reason``: why ``geometry`` is NULL.

    Raises:
        SideUnknown: a ``side`` is not one of ``SIDES``.
    """
    _check_sides(segments)
    located = _located(_near(segments, addresses))
    names = located.select("code_insee", "street", "nom_voie", "nom_afnor").unique(maintain_order=True)
    names = names.sort("street", maintain_order=True)  # of equally close streets a reason names the first
    matched = segments.with_row_index("segment").join(
        match(segments, names), on=["code_commune", "libelle_rue"], how="left", nulls_equal=True, maintain_order="left"
    )
    street_names = names.group_by("street").agg(pl.coalesce("nom_voie", "nom_afnor").first().alias("street_name"))
    lines_of_segments = _lines(matched, _selected(matched, located), located)
    placed = matched.join(street_names, on="street", how="left", maintain_order="left").join(
        lines_of_segments, on="segment", how="left", maintain_order="left"
    )
    return placed.select(
        *segments.columns,
        pl.col("street_name").alias("street"),
        *("match_method", "match_score", "placed", "geometry"),
        pl.coalesce(
            "reason",
            pl.when(_contradictory()).then(pl.format("no number is from {} to {}", "number_from", "number_to")),
        ),
    )


def addresses_of(segments: pl.DataFrame, addresses: pl.DataFrame) -> pl.DataFrame:
    """One row per address of a segment; an address of several segments belongs to the first.

    Args:
        segments: as ``place`` returns them: the columns ``SELECTS``, and ``street``.
        addresses: as ``place`` takes them.

    Returns:
        ``segment`` (UInt32): the position of the row in ``segments``; ``numero``, ``rep``, ``nom_voie``, ``lon``,
        ``lat``.

    Raises:
        SideUnknown: a ``side`` is not one of ``SIDES``.
    """
    _check_sides(segments)
    near = _near(segments, addresses)
    numbers = near.select("code_insee", "street", name=pl.coalesce("nom_voie", "nom_afnor")).unique()
    numbered = (
        segments.with_row_index("segment")
        .rename({"street": "name"})
        .join(numbers, left_on=["code_commune", "name"], right_on=["code_insee", "name"], how="left")
    )
    selected = _selected(numbered, near)
    return selected.unique("address", keep="first", maintain_order=True).select(ADDRESS_OF_SEGMENT)


def _check_sides(segments: pl.DataFrame) -> None:
    wrong = segments.filter(~pl.col("side").is_in(SIDES).fill_null(False))["side"].unique().to_list()
    if wrong:
        raise SideUnknown(
            "street segments",
            f"expected the side {', '.join(SIDES)}, found {', '.join(map(str, wrong[:EXAMPLES]))}.",
            "Translate the publisher's sides before placing.",
        )


def _contradictory() -> pl.Expr:
    return (pl.col("number_from") > pl.col("number_to")).fill_null(False)


def _near(segments: pl.DataFrame, addresses: pl.DataFrame) -> pl.DataFrame:
    """The addresses of the segments' communes, each with its street.

    Returns:
        ``address`` (row number), the columns ``ADDRESS``, ``street`` (number), ``odd`` (side).
    """
    near = (
        addresses.select(ADDRESS)
        .with_row_index("address")
        .filter(
            pl.col("code_insee").is_in(segments["code_commune"].unique().implode()),
            pl.col("lon").is_finite() & pl.col("lat").is_finite(),
            pl.coalesce("nom_voie", "nom_afnor").is_not_null(),
        )
    )
    streets = _streets(near)
    return near.join(
        streets, on=["code_insee", "nom_voie", "nom_afnor"], nulls_equal=True, maintain_order="left"
    ).with_columns(odd=(pl.col("numero") % 2 == 1).fill_null(False))


def _located(near: pl.DataFrame) -> pl.DataFrame:
    """The addresses with their positions on their street's plane.

    Returns:
        In addition ``rank`` (order among the same ``numero``), ``lon_0`` and ``lat_0`` (where the plane touches the
        earth), ``x`` and ``y`` (metres).
    """
    return near.with_columns(
        rank=_rank(),
        lon_0=pl.col("lon").first().over("street"),
        lat_0=pl.col("lat").first().over("street"),
    ).with_columns(
        x=(pl.col("lon") - pl.col("lon_0")) * _metres_of_lon(),
        y=(pl.col("lat") - pl.col("lat_0")) * METRES_PER_DEGREE,
    )


def _streets(addresses: pl.DataFrame) -> pl.DataFrame:
    """A number for each street, that is for each reading of a name in each commune; one row per spelling."""
    names = addresses.select("code_insee", "nom_voie", "nom_afnor").unique(maintain_order=True)
    spaced = [read(name).spaced for name in names.select(pl.coalesce("nom_voie", "nom_afnor")).to_series()]
    number = pl.struct("code_insee", pl.Series("spaced", spaced)).rank("dense").cast(pl.UInt32)
    return names.with_columns(street=number)


def _rank() -> pl.Expr:
    """The order of the addresses with one number: 5, 5 bis or 5 A, 5 ter or 5 B; unknown ones come last."""
    order = {letter: place for place, letter in enumerate(ascii_lowercase, 1)}
    order |= {word: place for place, word in enumerate(REPETITIONS, 1)}
    rep = pl.col("rep").str.to_lowercase().str.strip_chars().fill_null("")
    return rep.replace_strict(order | {"": 0}, default=len(order), return_dtype=pl.Int32)


def _metres_of_lon() -> pl.Expr:
    return METRES_PER_DEGREE * pl.col("lat_0").radians().cos()


def _directions(located: pl.DataFrame) -> pl.DataFrame:
    """The street's direction at each ``address``, as the unit vector ``dx``, ``dy``.

    It goes from the previous address of the same side to the next; where these are in one place, it is the main axis.
    """
    addresses = located.sort("street", "odd", "numero", "rank", "address")
    places = addresses.select("x", "y").to_numpy()
    side, row = lines.group_numbers(addresses, ["street", "odd"]), np.arange(addresses.height)
    previous = np.maximum(row - 1, np.searchsorted(side, side, side="left"))
    following = np.minimum(row + 1, np.searchsorted(side, side, side="right") - 1)
    steps = places[following] - places[previous]
    size = np.hypot(*steps.T)[:, None]
    axis = lines.main_axis(places, lines.group_numbers(addresses, ["street"]))
    dx, dy = np.where(size > lines.SAME_PLACE, steps / np.maximum(size, lines.SAME_PLACE), axis).T
    return addresses.select("address", dx=pl.Series(dx), dy=pl.Series(dy))


def _selected(matched: pl.DataFrame, located: pl.DataFrame) -> pl.DataFrame:
    """One row per segment and address of it, in the order of both."""
    side = pl.col("side")
    return (
        matched.filter(pl.col("street").is_not_null(), ~_contradictory())
        .select("segment", "street", "number_from", "number_to", "side")
        .join(located, on="street")
        .filter(
            pl.col("numero") >= pl.col("number_from").fill_null(0),
            (pl.col("numero") <= pl.col("number_to")).fill_null(True),
            (side == "tous") | (pl.col("odd") == (side == "impair")),
        )
        .sort("segment", "address")
    )


def _lines(matched: pl.DataFrame, selected: pl.DataFrame, located: pl.DataFrame) -> pl.DataFrame:
    """``segment``, ``placed`` and ``geometry`` of all segments whose street was found."""
    own = _geometries(selected.rename({"segment": "line"}), located).select(
        pl.col("line").alias("segment"),
        pl.when("single").then(pl.lit("one address")).otherwise(pl.lit("addresses")).alias("placed"),
        "geometry",
    )
    rest = (
        matched.filter(pl.col("street").is_not_null(), ~_contradictory())
        .join(own, on="segment", how="anti")
        .select("segment", "street")
    )
    whole = _geometries(located.join(rest, on="street", how="semi").with_columns(line="street"), located)
    of_street = whole.select(pl.col("line").alias("street"), pl.lit("whole street").alias("placed"), "geometry")
    return pl.concat([own, rest.join(of_street, on="street").drop("street")])


def _geometries(points: pl.DataFrame, located: pl.DataFrame) -> pl.DataFrame:
    """One row per ``line``: whether it has a ``single`` vertex, and its ``geometry`` in degrees."""
    origins = points.group_by("line").agg(pl.first("lon_0", "lat_0"))
    vertices = lines.vertices(points)
    single, several = (vertices.filter(pl.col("single") == is_single) for is_single in (True, False))
    streets = located.join(single, on="address", how="semi").select("street")
    directions = _directions(located.join(streets, on="street", how="semi"))
    directed = single.join(directions, on="address", how="left", maintain_order="left")
    degrees = (
        pl.concat([several, lines.short(directed)])
        .join(origins, on="line", maintain_order="left")
        .with_columns(
            lon=(pl.col("lon_0") + pl.col("x") / _metres_of_lon()).round(DECIMALS),
            lat=(pl.col("lat_0") + pl.col("y") / METRES_PER_DEGREE).round(DECIMALS),
        )
    )
    indices = degrees["line"].rle_id().to_numpy()
    shapes = shapely.linestrings(degrees["lon"].to_numpy(), degrees["lat"].to_numpy(), indices=indices)
    return degrees.filter(lines.starts(["line"])).select("line", "single").with_columns(ewkb.encoded(shapes))
