"""Placing street segments: the addresses of a segment, and clean lines through them, in frames of a few rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import polars as pl
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from edu_pipeline.sectors.placing import ADDRESS, ADDRESS_OF_SEGMENT, SEGMENT, SideUnknown, addresses_of, place
from edu_pipeline_tests.real_files import upstream

LON, LAT, METRES = -1.67, 48.1, 111_195.0
SCALE = METRES * math.cos(math.radians(LAT))
ADDRESS_TYPES = dict(
    zip(ADDRESS, (pl.String, pl.Int64, pl.String, pl.String, pl.String, pl.Float64, pl.Float64), strict=True)
)
SEGMENT_TYPES = dict(zip(SEGMENT, (pl.String, pl.String, pl.Int64, pl.Int64, pl.String), strict=True))

Address = tuple[int | None, float, float] | tuple[int | None, float, float, str]


def addresses(places: Sequence[Address], name: str = "Rue de Brest", code: str = "35238") -> pl.DataFrame:
    """Addresses of one street: number, metres east and north, and the repetition (bis, A)."""
    rows = [
        (code, number, rep[0] if rep else None, name, name.upper(), LON + x / SCALE, LAT + y / METRES)
        for number, x, y, *rep in places
    ]
    return pl.DataFrame(rows, ADDRESS_TYPES, orient="row")


def segments(*bounds: tuple[int | None, int | None, str], name: str | None = "RUE DE BREST") -> pl.DataFrame:
    return pl.DataFrame([("35238", name, *bound) for bound in bounds], SEGMENT_TYPES, orient="row")


def metres(geometry: str) -> list[tuple[int, int]]:
    """The vertices of a line in whole metres."""
    line = shapely.from_wkb(geometry)
    assert shapely.get_srid(line) == 4326
    return [(round((lon - LON) * SCALE), round((lat - LAT) * METRES)) for lon, lat in line.coords]


def line(places: Sequence[Address], *bound: Any) -> tuple[str, list[tuple[int, int]]]:
    """How a segment of a street with these addresses is placed, and its vertices."""
    row = place(segments(bound or (1, 9999, "tous")), addresses(places)).row(0, named=True)
    return row["placed"], metres(row["geometry"])


TWO_SIDES: list[Address] = [(number, 10.0 * number, 12.0 if number % 2 else 0.0) for number in (1, 2, 3, 4, 5, 6, 7, 8)]


@pytest.mark.parametrize(
    ("bound", "expected"),
    [
        ((1, 9999, "impair"), [(10, 12), (30, 12), (50, 12), (70, 12)]),
        ((2, 9999, "pair"), [(20, 0), (40, 0), (60, 0), (80, 0)]),
        ((3, 5, "impair"), [(30, 12), (50, 12)]),
        ((2, 5, "impair"), [(30, 12), (50, 12)]),
        ((None, 3, "impair"), [(10, 12), (30, 12)]),
        ((5, None, "impair"), [(50, 12), (70, 12)]),
        ((5, 10_000, "impair"), [(50, 12), (70, 12)]),
    ],
)
def test_the_addresses_between_the_bounds_on_the_side(
    bound: tuple[int | None, int | None, str], expected: list[tuple[int, int]]
) -> None:
    assert line(TWO_SIDES, *bound) == ("addresses", expected)


def test_two_sides_make_the_line_between_them() -> None:
    assert line(TWO_SIDES) == ("addresses", [(15, 6), (30, 6), (50, 6), (70, 6)])


def test_the_line_continues_along_the_longer_side() -> None:
    places: list[Address] = [(number, 10.0 * number, 12.0) for number in (1, 3, 5, 7, 9, 11)]
    places += [(number, 5.0 * number, 0.0) for number in (24, 40, 32, 20)]
    way = line(places)[1]
    assert way[0] == (10, 12)
    assert way[-2:] == [(160, 0), (200, 0)]
    assert way == sorted(way)


def test_repetitions_are_ordered() -> None:
    places: list[Address] = [
        (1, 30, 0, "quater"),
        (1, 0, 0),
        (1, 20, 0, "ter"),
        (1, 10, 0, "bis"),
        (3, 60, 0),
        (1, 40, 0, "E"),
    ]
    assert line(places, 1, 3, "impair") == ("addresses", [(0, 0), (10, 0), (20, 0), (30, 0), (40, 0), (60, 0)])


def test_in_a_bend_the_line_follows_the_numbers() -> None:
    bend = [
        (round(100 * math.cos(math.pi * step / 20)), round(100 * math.sin(math.pi * step / 20))) for step in range(21)
    ]
    places: list[Address] = [(2 * step + 1, *point) for step, point in enumerate(bend)]
    assert line(places[::-1])[1] == bend


def test_where_numbers_jump_the_line_follows_the_axis() -> None:
    places: list[Address] = [(number, 10.0 * place, 0.0) for place, number in enumerate((1, 3, 15, 5, 7, 11, 9, 13))]
    assert line(places)[1] == [(10 * place, 0) for place in range(8)]


def test_one_address_makes_a_short_line_along_the_street() -> None:
    assert line(TWO_SIDES, 3, 3, "impair") == ("one address", [(25, 12), (35, 12)])
    assert line([(1, 0, 0), (3, 0, 50), (5, 0, 90)], 5, 9, "impair") == ("one address", [(0, 85), (0, 95)])


def test_addresses_in_one_place_make_a_short_line() -> None:
    assert line([(1, 0, 0), (3, 0.2, 0), (5, 0, 0)]) == ("one address", [(-5, 0), (5, 0)])


def test_a_street_of_one_address_runs_to_the_east() -> None:
    assert line([(4, 100, 100)]) == ("one address", [(95, 100), (105, 100)])


def test_a_segment_without_addresses_is_the_whole_street() -> None:
    assert line(TWO_SIDES, 100, 200, "tous") == ("whole street", line(TWO_SIDES)[1])
    assert line([(4, 100, 100)], 1, 3, "impair") == ("whole street", [(95, 100), (105, 100)])
    assert line([(None, 0, 0), (None, 40, 0)], 1, 9999, "tous") == ("whole street", [(0, 0), (40, 0)])


def test_rows_keep_their_order_and_their_other_columns() -> None:
    rows = segments((5, 9, "impair"), (1, 3, "impair"), (5, 9, "impair")).with_columns(uai=pl.Series(["a", "b", "c"]))
    placed = place(rows, addresses(TWO_SIDES))
    assert placed.select(rows.columns).equals(rows)
    assert placed.columns == [*rows.columns, "street", "match_method", "match_score", "placed", "geometry", "reason"]
    assert placed["street"].to_list() == ["Rue de Brest"] * 3
    assert placed["geometry"][0] == placed["geometry"][2] != placed["geometry"][1]


def test_a_segment_that_is_not_placed_says_why() -> None:
    near = addresses(TWO_SIDES)
    lost = pl.concat(
        [
            segments((1, 9999, "tous"), name="RUE DE METZ"),
            segments((9, 3, "tous")),
            segments((1, 9999, "tous"), name=None),
            segments((1, 9999, "tous")).with_columns(code_commune=pl.lit("35115")),
        ]
    )
    placed = place(lost, near)
    assert placed.select("match_method", "placed", "geometry", "reason").rows() == [
        (None, None, None, "no street like RUE DE METZ among the 1 streets of 35238; closest: Rue de Brest"),
        ("exact", None, None, "no number is from 9 to 3"),
        (None, None, None, "the segment names no street"),
        (None, None, None, "no address of commune 35115 in the BAN"),
    ]


def test_a_reason_does_not_depend_on_the_order_of_addresses() -> None:
    streets = [addresses(TWO_SIDES, name=f"Rue du {letter}ac") for letter in "LBTS"]
    reasons = {
        place(segments((1, 9, "tous"), name="RUE DU PACHA"), pl.concat(each))["reason"].item()
        for each in (streets, streets[::-1])
    }
    assert reasons == {
        "no street like RUE DU PACHA among the 4 streets of 35238; closest: Rue du Bac, Rue du Lac, Rue du Sac"
    }


def test_addresses_without_a_position_do_not_count() -> None:
    nowhere = addresses([(9, math.nan, 0.0)]).with_columns(lon=pl.lit(None, pl.Float64))
    placed = place(segments((1, 9999, "tous")), nowhere)
    assert placed["reason"].to_list() == ["no address of commune 35238 in the BAN"]


def test_nothing_in_nothing_out() -> None:
    for rows, near in ((segments(), addresses(TWO_SIDES)), (segments((1, 9, "tous")), addresses([]))):
        placed = place(rows, near)
        assert len(placed) == len(rows)
        assert addresses_of(placed, near).is_empty()


def test_an_unknown_side_is_an_error() -> None:
    with pytest.raises(SideUnknown, match="expected the side pair, impair, tous, found PI"):
        place(segments((1, 9, "PI")), addresses(TWO_SIDES))


def test_an_address_of_several_segments_is_the_first_ones() -> None:
    rows = segments((1, 5, "impair"), (1, 9999, "tous"), (3, 3, "impair"))
    placed = addresses_of(place(rows, addresses(TWO_SIDES)), addresses(TWO_SIDES))
    assert placed.columns == list(ADDRESS_OF_SEGMENT)
    assert placed.schema["segment"] == pl.UInt32
    assert placed.select("segment", "numero").rows() == [
        *((0, number) for number in (1, 3, 5)),
        *((1, number) for number in (2, 4, 6, 7, 8)),
    ]


def test_spellings_of_a_street_are_one_street_of_its_commune() -> None:
    near = pl.concat(
        [
            addresses([(1, 0, 0)]),
            addresses([(3, 10, 0)], "RUE DE BREST"),
            addresses([(5, 5000, 0)], code="35115"),
            addresses([(7, 900, 0)], "Rue de Brest Prolongée"),
        ]
    )
    assert metres(place(segments((1, 9999, "tous")), near)["geometry"][0]) == [(0, 0), (10, 0)]


PLACES = st.tuples(
    st.integers(0, 40), st.sampled_from([0.0, 0.1, 3.0, 50.0, 400.0]), st.sampled_from([0.0, 0.3, 9.0, 200.0])
)


@settings(max_examples=60, deadline=None)
@given(st.lists(PLACES, min_size=1, max_size=12), st.sampled_from(["pair", "impair", "tous"]))
def test_every_line_is_valid_and_has_no_short_steps(places: list[Address], side: str) -> None:
    row = place(segments((1, 30, side)), addresses(places)).row(0, named=True)
    shape = shapely.from_wkb(row["geometry"])
    assert shape.geom_type == "LineString"
    assert shape.is_valid
    steps = [math.dist(*pair) for pair in zip(shape.coords, shape.coords[1:], strict=False)]
    assert min(steps) * METRES > 0.2


def as_the_ban_writes(label: str) -> str:
    """A label of the cartes scolaires in the BAN's style: small letters, no accents, hyphens and apostrophes."""
    words = [LONG.get(word, word.capitalize()) for word in label.split()]
    text = " ".join(words).replace("Saint ", "Saint-").replace("Lieu Dit ", "")
    for small in ("De", "Du", "Des", "La", "Les", "Aux", "Et"):
        text = text.replace(f" {small} ", f" {small.lower()} ")
    return text.replace(" D ", " d'").replace(" L ", " l'")


LONG = {
    "MAL": "Maréchal",
    "GAL": "Général",
    "DR": "Docteur",
    "PDT": "Président",
    "ST": "Saint",
    "LT": "Lieutenant",
    "CNL": "Colonel",
    "TPL": "Terre-Plein",
    "3": "Trois",
    "4": "Quatre",
    "VIII": "8",
    "XXIII": "23",
    "GOUV": "Gouverneur",
}


def test_every_row_of_the_real_file_is_accounted_for() -> None:
    file = upstream() / "fr-en-carte-scolaire-colleges-publics" / "fr-en-carte-scolaire-colleges-publics.csv"
    rows = pl.read_csv(file, separator=";", infer_schema=False)
    whole = rows.filter(pl.col("Secteur_unique") == "O")
    streets = rows.filter(pl.col("Secteur_unique") == "N").select(
        pl.col("code_insee").alias("code_commune"),
        pl.col("Type_et_Libelle").alias("libelle_rue"),
        pl.col("No_de_voie_debut").cast(pl.Int64).alias("number_from"),
        pl.col("No_de_voie_fin").cast(pl.Int64).alias("number_to"),
        pl.col("Parite").replace_strict({"P": "pair", "I": "impair", "PI": "tous"}).alias("side"),
    )
    names = streets.select("code_commune", "libelle_rue").unique(maintain_order=True).with_row_index()
    left_out = pl.col("index") % 20 == 7
    near = (
        names.filter(~left_out)
        .with_columns(
            nom_voie=pl.col("libelle_rue").map_elements(as_the_ban_writes, pl.String),
            numero=pl.lit(list(range(1, 40))),
            lon=LON + (pl.col("index") % 60) * 0.01,
            lat=LAT + (pl.col("index") // 60) * 0.01,
        )
        .explode("numero")
        .with_columns(lon=pl.col("lon") + pl.col("numero") * 0.0001, lat=pl.col("lat") + pl.col("numero") % 2 * 0.0001)
        .select(
            pl.col("code_commune").alias("code_insee"),
            "numero",
            pl.lit(None, pl.String).alias("rep"),
            "nom_voie",
            pl.col("nom_voie").str.to_uppercase().alias("nom_afnor"),
            "lon",
            "lat",
        )
    )
    placed = place(streets, near)
    has_geometry = pl.col("geometry").is_not_null()
    unplaced, on_the_map = placed.filter(~has_geometry), placed.filter(has_geometry)
    missing = streets.join(
        names.filter(left_out), on=["code_commune", "libelle_rue"], how="semi", maintain_order="left"
    )
    assert len(rows) == len(whole) + len(on_the_map) + len(unplaced) == 5416
    assert on_the_map["reason"].is_null().all()
    assert unplaced["reason"].is_not_null().all()
    assert unplaced.select(SEGMENT).equals(missing.select(SEGMENT))
    assert set(on_the_map["match_method"]) == {"exact"}
