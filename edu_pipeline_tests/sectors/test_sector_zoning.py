"""Zones on the map: a contour cut up by addresses, and which zones a commune has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pytest
import shapely
from shapely import Geometry

from edu_pipeline import ewkb
from edu_pipeline.sectors import coverage, rules, zoning
from edu_pipeline.sectors.addresses import AT_ONCE, COLUMNS

A, B, C = "0350967L", "0350762N", "0350896J"
LYCEE = "0310036W"
CENTIMETRE = 1e-7

SQUARE = shapely.box(2.0, 45.0, 2.1, 45.1)
HOLED = shapely.difference(shapely.Point(2.05, 45.05).buffer(0.05), shapely.box(2.04, 45.04, 2.06, 45.05))
ISLANDS = shapely.MultiPolygon([shapely.box(2.0, 45.0, 2.05, 45.1), shapely.box(2.07, 45.0, 2.1, 45.02)])


def points(*places: tuple[int, float, float]) -> pl.DataFrame:
    return pl.DataFrame(places, schema={"zone": pl.Int64, "lon": pl.Float64, "lat": pl.Float64}, orient="row")


def scattered(count: int, zones: int, seed: int = 1) -> pl.DataFrame:
    """Addresses around the square, in zones that are quarters with some strays."""
    rng = np.random.default_rng(seed)
    lon, lat = rng.uniform(1.99, 2.11, count).round(6), rng.uniform(44.99, 45.11, count).round(6)
    quarter = ((lon - 2) * 30).astype(int) + ((lat - 45) * 30).astype(int)
    strays = rng.random(count) < 0.03
    zone = np.where(strays, rng.integers(0, zones, count), quarter % zones)
    return pl.DataFrame({"zone": zone, "lon": lon, "lat": lat}).with_columns(pl.col("zone").cast(pl.Int64))


def shapes(result: pl.DataFrame) -> Any:
    return shapely.from_wkb(result["geometry"].to_list())


@pytest.mark.parametrize("contour", [SQUARE, HOLED, ISLANDS])
@pytest.mark.parametrize(("count", "zones"), [(2, 2), (40, 3), (3000, 5)])
def test_zones_are_valid_do_not_overlap_and_cover(contour: Geometry, count: int, zones: int) -> None:
    result = zoning.divide(scattered(count, zones), contour)
    parts = shapes(result)
    assert set(shapely.get_type_id(parts)) == {shapely.GeometryType.POLYGON}
    assert shapely.is_valid(parts).all()
    assert shapely.coverage_is_valid(parts)
    part, other = shapely.STRtree(parts).query(parts, predicate="intersects")
    assert shapely.area(shapely.intersection(parts[part], parts[other]))[part != other].max(initial=0) == 0
    difference = shapely.symmetric_difference(shapely.union_all(parts), contour)
    assert shapely.area(difference) < CENTIMETRE * shapely.length(contour)


def test_every_address_within_the_contour_is_in_its_zone() -> None:
    addresses = scattered(2000, 4).unique(["lon", "lat"], keep="first", maintain_order=True)
    result = zoning.divide(addresses, SQUARE)
    zone_of = {zone: shapely.union_all(shapes(part)) for (zone,), part in result.group_by("zone")}
    inside = addresses.filter(pl.col("lon").is_between(2.0, 2.1), pl.col("lat").is_between(45.0, 45.1))
    assert inside.height > 1000
    assert all(shapely.intersects(zone_of[zone], shapely.Point(lon, lat)) for zone, lon, lat in inside.iter_rows())


def test_the_border_is_half_way_on_the_ground() -> None:
    result = zoning.divide(points((1, 2.02, 45.05), (2, 2.06, 45.05)), SQUARE)
    west, east = shapes(result.sort("zone"))
    assert west.bounds == pytest.approx((2.0, 45.0, 2.04, 45.1))
    assert east.bounds == pytest.approx((2.04, 45.0, 2.1, 45.1))
    slanted = zoning.divide(points((1, 2.04, 45.04), (2, 2.06, 45.06)), SQUARE)
    border = shapely.intersection(*(shape.exterior for shape in shapes(slanted)))
    for x, y in shapely.get_coordinates(border):
        distances = [
            np.hypot((x - lon) * np.cos(np.radians(45.05)), y - lat) for lon, lat in ((2.04, 45.04), (2.06, 45.06))
        ]
        assert distances[0] == pytest.approx(distances[1], abs=1e-6)


def test_a_part_cut_off_a_cell_goes_to_the_neighbour() -> None:
    """The tip of the western arm has no address, and the nearest one is across the bay, on the eastern arm."""
    arms = [shapely.box(2.0, 45.0, 2.01, 45.1), shapely.box(2.05, 45.0, 2.06, 45.1)]
    bay = shapely.union_all([*arms, shapely.box(2.0, 45.0, 2.06, 45.01)])
    result = zoning.divide(points((1, 2.005, 45.02), (1, 2.005, 45.005), (2, 2.055, 45.09)), bay)
    assert result["zone"].to_list() == [1, 2]
    west, _ = shapes(result)
    assert west.bounds[3] == pytest.approx(45.1)


def test_an_address_of_two_zones_belongs_to_the_first() -> None:
    twice = points((1, 2.05, 45.05), (2, 2.05, 45.05))
    assert zoning.divide(twice, SQUARE)["zone"].to_list() == [1]
    with_another = points((2, 2.05, 45.05), (1, 2.05, 45.05), (1, 2.01, 45.01))
    assert sorted(zoning.divide(with_another, SQUARE)["zone"]) == [1, 2]


def test_the_order_of_the_addresses_changes_nothing() -> None:
    addresses = scattered(500, 4).unique(["lon", "lat"], keep="first", maintain_order=True)
    assert zoning.divide(addresses, HOLED).equals(
        zoning.divide(addresses.sample(fraction=1, shuffle=True, seed=2), HOLED)
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("POLYGON((2 45,2.1 45,2.1 45.1,2 45))", 1),
        ("MULTIPOLYGON(((2 45,2.1 45,2.1 45.1,2 45)),((3 45,3.1 45,3.1 45.1,3 45)))", 2),
        ('{"type": "Polygon", "coordinates": [[[2, 45], [2.1, 45], [2.1, 45.1], [2, 45]]]}', 1),
        (shapely.to_wkb(shapely.set_srid(SQUARE, 4326), hex=True, include_srid=True), 1),
        ("POLYGON((2 45,2.1 45.1,2.1 45,2 45.1,2 45))", 2),
        ("POINT(2 45)", 0),
        ("quelque part", 0),
        ('{"type": "nothing"}', 0),
        (None, 0),
    ],
)
def test_polygons_in_any_form(text: str | None, parts: int) -> None:
    result = zoning.polygons(text)
    assert len(result) == parts
    assert all(shape.is_valid and shape.geom_type == "Polygon" for shape in result)


# ------------------------------------------------------------------------------------------------- all communes

STREETS = {"RUE A": 2.02, "RUE B": 2.08}
"""Streets of a commune, each with a line of houses at a longitude."""


def houses(commune: str, streets: Mapping[str, float] = STREETS, east: float = 0) -> list[tuple[str, ...]]:
    return [
        (commune, str(number), "", street, street, str(lon + east), str(45 + 0.01 * number))
        for street, lon in streets.items()
        for number in range(1, 9)
    ]


def ban(*rows: tuple[str, ...]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")


def whole(commune: str, college: str = A, lycees: list[str] | None = None) -> dict[str, Any]:
    return attributes(commune, [college], lycees) | {"lignes": 1}


def attributes(commune: str, colleges: list[str] | None, lycees: list[str] | None) -> dict[str, Any]:
    return {
        "code_departement": commune[:2],
        "code_commune": commune,
        "zone_name": " + ".join(colleges or lycees or ()),
        "rule": "a rule",
        "rentree_scolaire": None,
        "uai_colleges": colleges,
        "uai_lycees": lycees,
        "refused_because": None,
    }


def street(commune: str, name: str, college: str | None, lycees: list[str] | None = None) -> dict[str, Any]:
    return attributes(commune, [college] if college else None, lycees) | {
        "libelle_rue": name,
        "nom_voie": name,
        "number_from": None,
        "number_to": None,
        "side": "tous",
        "motif": None,
    }


def frame_of(rows: list[dict[str, Any]], **more: pl.DataType) -> pl.DataFrame:
    lists = dict.fromkeys(coverage.LISTS, pl.List(pl.String))
    texts = dict.fromkeys((*coverage.ATTRIBUTES, "refused_because"), pl.String())
    result = pl.DataFrame(rows, schema={**texts, **lists, "lignes": pl.UInt32(), **more}, infer_schema_length=None)
    first = (pl.col("uai_lycees").list.get(rank, null_on_oob=True) for rank in range(4))
    return result.with_columns(value.alias(name) for value, name in zip(first, rules.COLUMNS_OF_LYCEES, strict=True))


def zones_of(
    *,
    whole: list[dict[str, Any]] | None = None,
    segments: list[dict[str, Any]] | None = None,
    supplied: list[dict[str, Any]] | None = None,
    contours: Mapping[str, Geometry],
    addresses: list[tuple[str, ...]] | None = None,
) -> pl.DataFrame:
    """The zones made from rows, with shapes."""
    streets = dict.fromkeys(("libelle_rue", "nom_voie"), pl.String()) | {
        "number_from": pl.Int32(),
        "number_to": pl.Int32(),
        "side": pl.String(),
    }
    by_departement: dict[str, list[tuple[str, ...]]] = {}
    for row in addresses or []:
        by_departement.setdefault(row[0][:2], []).append(row)
    return coverage.zones(
        frame_of(whole or []),
        frame_of(segments or [], motif=pl.String(), **streets).lazy(),
        frame_of(supplied or [], geometry=pl.String()),
        pl.DataFrame({"code_commune": list(contours), "geometry": ewkb.encoded(list(contours.values()))}),
        {departement: ban(*rows) for departement, rows in by_departement.items()},
    )


def test_a_commune_that_is_one_sector_has_its_contour() -> None:
    result = zones_of(whole=[whole("35001")], contours={"35001": ISLANDS})
    assert result["nature"].to_list() == ["commune", "commune"]
    assert result["lignes"].to_list() == [1, None], "the line is counted at the larger island"
    assert shapely.equals(shapely.union_all(shapes(result)), ISLANDS)
    assert result["id"].n_unique() == 2


def test_a_commune_is_divided_by_its_streets() -> None:
    segments = [street("35001", "RUE A", A), street("35001", "RUE B", B)]
    result = zones_of(segments=segments, contours={"35001": SQUARE}, addresses=houses("35001")).sort("zone_name")
    assert result.select("zone_name", "nature", "uai_colleges", "lignes").rows() == [
        (B, "partie", [B], None),
        (A, "partie", [A], None),
    ]
    east, west = shapes(result)
    assert (west.bounds[2], east.bounds[0]) == pytest.approx((2.05, 2.05))


@pytest.mark.parametrize(
    ("rule", "east"), [(f"{rules.PARIS_SECTORS} > x", 2.05), (rules.PARIS_SECTORS, 2.05), ("x", 2.1)]
)
def test_what_a_map_leaves_out_is_in_no_zone(rule: str, east: float) -> None:
    """Of a list of streets nobody knows what it leaves out: there the nearest zone counts."""
    segments = [street("35001", "RUE A", A) | {"rule": rule}]
    result = zones_of(segments=segments, contours={"35001": SQUARE}, addresses=houses("35001"))
    assert result.select("zone_name", "nature").rows() == [(A, "partie")]
    assert shapes(result)[0].bounds[2] == pytest.approx(east)


def test_rules_for_lycees_take_precedence_over_colleges() -> None:
    lycee = street("35001", "RUE A", None, [LYCEE])
    contours, addresses = {"35001": SQUARE}, houses("35001")
    result = zones_of(whole=[whole("35001")], segments=[lycee], contours=contours, addresses=addresses)
    assert result.select("zone_name", "nature").rows() == [(LYCEE, "partie")]
    assert shapely.equals(shapes(result)[0], SQUARE), "a single zone has the whole commune"


def test_a_whole_commune_takes_precedence_over_its_streets() -> None:
    contours, addresses = {"35001": SQUARE}, houses("35001")
    result = zones_of(
        whole=[whole("35001")], segments=[street("35001", "RUE B", B)], contours=contours, addresses=addresses
    )
    assert result.select("zone_name", "nature").rows() == [(A, "commune")]


def test_supplied_zones_replace_all_others() -> None:
    text = "MULTIPOLYGON(((2 45,2.05 45,2.05 45.1,2 45)),((2.08 45,2.1 45,2.1 45.1,2.08 45)))"
    supplied = [
        whole("35001", B) | {"zone_name": "Centre", "geometry": text},
        whole("35002", C) | {"zone_name": "Campagne"},
        whole("35003", C) | {"zone_name": "Nulle part", "geometry": "illisible"},
    ]
    contours = {"35001": SQUARE, "35002": SQUARE}
    result = zones_of(whole=[whole("35001"), whole("35002")], supplied=supplied, contours=contours)
    good, refused = result.filter(pl.col("refused_because").is_null()), result.drop_nulls("refused_because")
    assert good.select("zone_name", "nature").rows() == [
        ("Centre", "fournie"),
        ("Centre", "fournie"),
        ("Campagne", "commune"),
    ]
    assert refused["zone_name"].to_list() == ["Nulle part"]
    assert "expected a polygon" in refused["refused_because"].item()


@pytest.mark.parametrize("at_once", [1, AT_ONCE])
def test_a_city_is_divided_among_its_arrondissements(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    """The first leads as a whole to a collège, the second is divided; both are cut from the city's contour."""
    monkeypatch.setattr("edu_pipeline.sectors.addresses.AT_ONCE", at_once)
    addresses = houses("75101", {"RUE A": 2.01}) + houses("75102", {"RUE A": 2.05, "RUE B": 2.09})
    result = zones_of(
        whole=[whole("75101", C)],
        segments=[street("75102", "RUE A", A), street("75102", "RUE B", B)],
        contours={"75056": SQUARE},
        addresses=addresses,
    ).sort("code_commune", "zone_name", descending=[False, True])
    assert result.select("code_commune", "zone_name", "nature").rows() == [
        ("75101", C, "commune"),
        ("75102", A, "partie"),
        ("75102", B, "partie"),
    ]
    edges = [shape.bounds[2] for shape in shapes(result)]
    assert edges == pytest.approx([2.03, 2.07, 2.1])


def test_a_zone_without_a_shape_says_why() -> None:
    result = zones_of(
        whole=[whole("35999"), whole("75101")],
        segments=[street("35001", "RUE Z", A), street("35001", "RUE A", B)],
        contours={"75056": SQUARE, "35001": SQUARE},
        addresses=houses("35001"),
    )
    assert dict(result.filter(pl.col("geometry").is_null()).select("code_commune", "motif").rows()) == {
        "35999": "no contour of commune 35999 in commune_boundaries",
        "75101": f"no address of zone {A} of 75101 in the BAN",
        "35001": f"no address of zone {A} of 35001 in the BAN",
    }
