"""Addresses that are left out: markers among the numbers, and those far from their street, in frames of a few rows."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl
import pytest

from edu_pipeline.sectors import addresses, strays
from edu_pipeline.sectors.addresses import COLUMNS, of_communes

LON, LAT = 5.0, 46.0
SCALE = strays.METRES_PER_DEGREE * math.cos(math.radians(LAT))

Place = tuple[int, float, float]


def street(places: Sequence[Place], name: str = "Rue du Bac", code: str = "01001") -> list[dict[str, str]]:
    """The addresses of a street: number, kilometres east and north."""
    return [
        {
            "code_insee": code,
            "numero": str(number),
            "rep": "",
            "nom_voie": name,
            "nom_afnor": name.upper(),
            "lon": str(LON + 1000 * east / SCALE),
            "lat": str(LAT + 1000 * north / strays.METRES_PER_DEGREE),
        }
        for number, east, north in places
    ]


def ban(*streets: list[dict[str, str]]) -> dict[str, pl.LazyFrame]:
    rows = [row for each in streets for row in each]
    return {"01": pl.LazyFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String))}


VILLAGE = street([(number, 0.05 * number, 0.0) for number in range(1, 12)], "Grande Rue")


def left(*places: Place) -> list[int]:
    """The numbers of a street's addresses that are used; the rest of the commune is around 0, 0."""
    found = of_communes(ban(street(places), VILLAGE), "01", ["01001"])
    return found.filter(nom_voie="Rue du Bac")["numero"].to_list()


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        pytest.param([(n, 0.03 * n, 0) for n in (1, 2, 3, 4)] + [(5, 30, 26)], [1, 2, 3, 4], id="one far point"),
        pytest.param([(1, 0, 0), (3, 0.1, 0), (5, 40, 0), (5, 40, 0)], [1, 3], id="5 and 5 bis, both far"),
        pytest.param([(1, 40, 0), (2, 0, 0)], [2], id="two numbers, one far from the commune"),
        pytest.param([(1, 0.5, 0), (2, 2.4, 0)], [1, 2], id="two farms"),
        pytest.param(
            [(n, 0.05 * n, 0) for n in (1, 2, 3)] + [(n, 9, 0.05 * n) for n in (1, 5)], [1, 2, 3, 1, 5], id="two places"
        ),
        pytest.param([(n, 0.3 * n, 0.2 * n) for n in range(1, 40)], list(range(1, 40)), id="a long street"),
        pytest.param([(n, 2.5 * n, 0) for n in range(1, 9)], list(range(1, 9)), id="a road with few farms"),
        pytest.param(
            [(1, 0, 0), (40, 0.04, 0), (90, 0.09, 0), (2600, 2.6, 0)], [1, 40, 90, 2600], id="numbers that are metres"
        ),
        pytest.param([(7, 40, 0)], [7], id="a single address"),
    ],
)
def test_an_address_far_from_its_street_is_left_out(places: list[Place], expected: list[int]) -> None:
    assert left(*places) == expected
    reversed_order = of_communes(ban(street(places[::-1]), VILLAGE), "01", ["01001"])
    assert sorted(reversed_order.filter(nom_voie="Rue du Bac")["numero"]) == sorted(expected)


def test_numbers_that_are_markers_are_left_out() -> None:
    numbers = [0, 1, 2, 4999, 5000, 9001, 99999]
    assert left(*((number, 0.001 * number % 1, 0) for number in numbers)) == [1, 2, 4999]


def test_a_street_of_the_same_name_elsewhere_is_another_one() -> None:
    near, far = street([(1, 0, 0), (2, 0.1, 0)]), street([(3, 40, 0), (5, 40.1, 0)], code="01002")
    assert of_communes(ban(near, far), "01", ["01001", "01002"]).height == 4


def test_positions_that_are_none_are_no_addresses() -> None:
    rows = street([(1, 0, 0), (3, 0.1, 0), (5, 0.2, 0)])
    rows[0]["lon"], rows[1]["lat"] = "NaN", ""
    assert of_communes(ban(rows), "01", ["01001"]).height == 1


def test_an_empty_departement_has_no_addresses() -> None:
    assert of_communes({}, "01", ["01001"]).is_empty()
    assert of_communes(ban(), "01", ["01001"]).schema == addresses.NO_ADDRESSES.schema
