"""Lines about streets from maps: areas and stretches, and addresses on a street from west to east, 20 metres apart."""

from __future__ import annotations

import random
from collections.abc import Sequence

import polars as pl
import pytest
import shapely
from shapely import Geometry

from edu_pipeline import ewkb
from edu_pipeline.sectors import by_address
from edu_pipeline.sectors.strays import METRES_PER_DEGREE

A, B = "0750001A", "0750002B"
COMMUNE = "75101"

Row = tuple[str | None, str | None, str, str]


def lon(metres: float) -> float:
    """Degrees east on the equator, where a degree is as long in both directions."""
    return metres / METRES_PER_DEGREE


def box(west: float, east: float) -> Geometry:
    """An area from 5 to 100 metres north of the street."""
    return shapely.box(lon(west), lon(5), lon(east), lon(100))


def ban(
    numbers: Sequence[int] = range(1, 11), street: str = "Rue du Bac", code: str = COMMUNE, north: float = 0
) -> pl.DataFrame:
    """A number every 20 metres."""
    return pl.DataFrame(
        {
            "code_insee": code,
            "numero": [str(number) for number in numbers],
            "rep": None,
            "nom_voie": street,
            "nom_afnor": street.upper(),
            "lon": [str(lon(20 * number)) for number in numbers],
            "lat": str(lon(north)),
        },
        schema=dict.fromkeys(("code_insee", "numero", "rep", "nom_voie", "nom_afnor", "lon", "lat"), pl.String),
    )


def areas(*sectors: tuple[Geometry, list[str]]) -> pl.DataFrame:
    text = pl.String()
    rows = [("75", ewkb.encoded([shape])[0], schools, "a map", "2026-2027") for shape, schools in sectors]
    schema = {"code_departement": text, "geometry": text, "uai_colleges": pl.List(pl.String)}
    return pl.DataFrame(rows, {**schema, "rule": text, "rentree_scolaire": text}, orient="row")


def lines(near: pl.DataFrame, *sectors: tuple[Geometry, list[str]], covered: Sequence[str] = ()) -> list[Row]:
    found = by_address.in_areas(areas(*sectors), {"75": near.lazy()}, covered)
    assert found.schema == by_address.LINE
    assert set(found["rule"]) <= {"a map"}
    return [
        (row["number_from"], row["number_to"], row["side"], " ".join(row["uai_colleges"]))
        for row in found.sort("side", pl.col("number_from").cast(pl.Int64)).iter_rows(named=True)
    ]


def test_a_street_in_one_sector_has_no_bounds() -> None:
    assert lines(ban(), (box(0, 210), [A])) == [(None, None, "tous", A)]


def test_each_side_has_its_runs_of_numbers() -> None:
    assert lines(ban(), (box(0, 90), [A]), (box(90, 210), [B, A])) == [
        (None, "3", "impair", A),
        ("5", None, "impair", f"{B} {A}"),
        (None, "4", "pair", A),
        ("6", None, "pair", f"{B} {A}"),
    ]


def test_a_side_in_one_sector_has_no_bounds() -> None:
    near = pl.concat([ban((1, 3, 5)), ban((2, 4, 6), north=-200)])
    far = shapely.box(lon(0), lon(-300), lon(210), lon(-100))
    assert lines(near, (box(0, 210), [A]), (far, [B])) == [(None, None, "impair", A), (None, None, "pair", B)]


@pytest.mark.parametrize(("gap", "expected"), [(24, [(None, None, "tous", A)]), (26, [])])
def test_the_nearest_area_within_thirty_metres(gap: float, expected: list[Row]) -> None:
    """An area begins 5 metres north of the street; the addresses are the gap south of that."""
    assert lines(ban(north=-gap), (box(0, 210), [A])) == expected


def test_between_two_areas_the_nearer_one_counts() -> None:
    south = shapely.box(lon(0), lon(-100), lon(210), lon(-12))
    assert lines(ban(), (box(0, 210), [A]), (south, [B])) == [(None, None, "tous", A)]
    assert lines(ban(north=-5), (box(0, 210), [A]), (south, [B])) == [(None, None, "tous", B)]


def test_numbers_in_no_sector_are_in_no_line() -> None:
    assert lines(ban(range(1, 10, 2)), (box(0, 50), [A]), (box(150, 210), [A])) == [
        (None, "3", "impair", A),
        ("7", None, "impair", A),
    ]


def test_addresses_in_two_sectors_are_in_none() -> None:
    same = (box(0, 210), [A]), (box(100, 210), [A])
    assert lines(ban(north=10), *same) == [(None, None, "tous", A)]
    other = (box(0, 210), [A]), (box(130, 210), [B])
    assert lines(ban((1, 3, 5, 7, 9), north=10), *other) == [(None, "5", "impair", A)]


def test_a_number_with_addresses_in_two_sectors_is_in_none() -> None:
    near = pl.concat([ban((1, 3, 5)), ban((3,), north=200)])
    north = shapely.box(lon(0), lon(150), lon(210), lon(250))
    assert lines(near, (box(0, 210), [A]), (north, [B])) == [(None, "1", "impair", A), ("5", None, "impair", A)]


def test_spellings_of_one_street_are_one_line() -> None:
    near = pl.concat([ban((1, 3)), ban((5,), street="R DU BAC")])
    assert lines(near, (box(0, 210), [A])) == [(None, None, "tous", A)]


def test_covered_communes_and_other_departements_are_left_out() -> None:
    near = pl.concat([ban(), ban(code="75102")])
    assert lines(near, (box(0, 210), [A]), covered=["75101"]) == [(None, None, "tous", A)]
    assert lines(near, (box(0, 210), [A]), covered=["75101", "75102"]) == []
    assert by_address.in_areas(areas((box(0, 210), [A])), {}, []).is_empty()
    assert by_address.in_areas(areas(), {"75": near.lazy()}, []).is_empty()


def stretches(*ways: tuple[str, bool, float, float, str]) -> pl.DataFrame:
    """Stretches of a street: its name, whether the side is odd, from and to (metres east), the collège."""
    names, odd, *_, schools = zip(*ways, strict=True)
    return pl.DataFrame(
        {
            "code_departement": "75",
            "libelle_rue": names,
            "odd": odd,
            "geometry": ewkb.encoded([shapely.LineString([(lon(a), 0), (lon(b), 0)]) for *_, a, b, _ in ways]),
            "uai_colleges": [[school] for school in schools],
            "rule": "a map",
            "rentree_scolaire": pl.Series([None] * len(ways), dtype=pl.String),
        }
    )


def test_stretches_lead_to_the_addresses_of_their_street() -> None:
    ways = stretches(
        ("RUE DU BAC", True, 0, 90, A),
        ("RUE DU BAC", True, 90, 210, B),
        ("RUE DU BAC", False, 0, 210, B),
        ("RUE DU LAC", True, 0, 210, A),
    )
    near = pl.concat([ban(north=12), ban((1, 3), street="Rue du Puits"), ban((2,), street="Rue du Lac")])
    found = by_address.along(ways, {"75": near.lazy()}, [])
    rows = found.sort("side", "number_from").select("libelle_rue", "number_from", "number_to", "side", "uai_colleges")
    assert rows.rows() == [
        ("Rue du Bac", None, "3", "impair", [A]),
        ("Rue du Bac", "5", None, "impair", [B]),
        ("Rue du Bac", None, None, "pair", [B]),
    ]


@pytest.mark.parametrize(("north", "count"), [(99, 1), (101, 0)])
def test_a_street_of_the_same_name_elsewhere_is_another_one(north: float, count: int) -> None:
    found = by_address.along(stretches(("RUE DU BAC", True, 0, 210, A)), {"75": ban((1, 3), north=north).lazy()}, [])
    assert found.height == count


def test_every_address_gets_the_nearest_stretch_wherever_it_is() -> None:
    """Over some squares of the grid on either side of its origin, compared with all distances."""
    rng = random.Random(1)
    ways, near = [], []
    for number in range(120):
        x, y = rng.uniform(-1_500, 1_500), rng.uniform(-1_500, 1_500)
        east, north = rng.uniform(-900, 900), rng.uniform(-900, 900)
        ways.append((f"RUE {'ABC'[number % 3]}", shapely.LineString([(x, y), (x + east, y + north)])))
        near.append((f"RUE {'ABC'[rng.randrange(3)]}", rng.uniform(-1_500, 1_500), rng.uniform(-1_500, 1_500)))
    schools = [f"075{number:04}A" for number in range(len(ways))]
    shapes = [shapely.transform(line, lambda metres: metres / METRES_PER_DEGREE) for _, line in ways]
    stretches = pl.DataFrame(
        {
            "code_departement": "75",
            "libelle_rue": [street for street, _ in ways],
            "odd": True,
            "geometry": ewkb.encoded(shapes),
            "uai_colleges": [[school] for school in schools],
            "rule": "a map",
            "rentree_scolaire": None,
        },
        schema_overrides={"rentree_scolaire": pl.String},
    )
    expected = {}
    for place, (street, x, y) in enumerate(near):
        metres = [(line.distance(shapely.Point(x, y)), n) for n, (name, line) in enumerate(ways) if name == street]
        if min(metres)[0] <= by_address.ALONG:
            expected[f"{75101 + place}"] = schools[min(metres)[1]]
    assert 20 < len(expected) < len(near)
    addresses = pl.concat(
        ban((1,), street, f"{75101 + place}", y).with_columns(lon=pl.lit(str(lon(x))))
        for place, (street, x, y) in enumerate(near)
    )
    found = by_address.along(stretches, {"75": addresses.lazy()}, [])
    assert {row["code_commune"]: row["uai_colleges"][0] for row in found.iter_rows(named=True)} == expected
