"""The invented world: it is complete, consistent and the same each time."""

from __future__ import annotations

from datetime import date
from functools import cache
from itertools import pairwise

import geopandas
import numpy as np
import polars as pl
import pytest
import shapely
from polars.testing import assert_frame_equal

from edu_pipeline.normalise import has_uai_check_letter, in_french_territory
from edu_pipeline.sample import territory
from edu_pipeline.sample.edition import Scale
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements

SCALES: tuple[Scale, ...] = ("sample", "national")
both = pytest.mark.parametrize("scale", SCALES)

FRAMES = ("departements", "communes", "arrondissements", "places", "passages", "schools")
INCOMPLETE = ("longitude", "latitude", "eleves", "voie_generale", "voie_technologique", "voie_professionnelle")
CODE = r"^(\d{2}|2[AB])\d{3}$"


@cache
def world(scale: Scale = "sample") -> World:
    return World(scale)


@cache
def with_contours(scale: Scale) -> geopandas.GeoSeries:
    """The contours by code."""
    return world(scale).contours.set_index("code").geometry


def test_the_world_is_the_same_each_time_in_any_order() -> None:
    second = World("sample", seed=1)
    for name in reversed(FRAMES):
        assert_frame_equal(getattr(world(), name), getattr(second, name))
    assert world().contours.equals(second.contours)
    assert world().rng("a").random() == world().rng("a").random() != world().rng("b").random()


def test_another_seed_makes_another_country() -> None:
    other = World("sample", seed=2)
    assert other.communes.height == world().communes.height
    assert other.communes["population"].to_list() != world().communes["population"].to_list()
    assert set(other.schools["uai"]) != set(world().schools["uai"])


def test_an_unknown_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="sample, national, found 'tiny'"):
        World("tiny")  # type: ignore[arg-type] # on purpose


@pytest.mark.parametrize(
    ("scale", "departements", "communes", "schools", "colleges", "lycees", "lycees_gt"),
    [("sample", 8, 321, 1_226, 96, 96, 61), ("national", 109, 34_969, 68_000, 7_100, 3_700, 2_350)],
)
def test_the_numbers_of_places_and_schools(
    scale: Scale, departements: int, communes: int, schools: int, colleges: int, lycees: int, lycees_gt: int
) -> None:
    country = world(scale)
    assert (country.departements.height, country.communes.height, country.arrondissements.height) == (
        departements,
        communes,
        45,
    )
    assert country.places.height == communes + 45
    assert (country.schools.height, country.colleges.height) == (schools, colleges)
    assert (country.lycees.height, country.lycees_gt.height) == (lycees, lycees_gt)
    assert len(country.contours) == communes


def test_the_national_scale_is_about_that_of_france() -> None:
    country = world("national")
    overseas = country.communes["code_departement"].str.len_chars() == 3
    collectivities = country.communes["code_departement"] == country.communes["code_region"]
    assert (overseas.sum(), collectivities.sum()) == (129 + 94, 94)
    assert 60_000_000 < country.communes["population"].sum() < 80_000_000
    assert 5_000 < (country.communes["population"] >= 2_000).sum() < 7_000
    assert 2_000 < country.passages.height < 3_500
    assert 1_500 < country.communes["code_bassin"].n_unique() < 2_000
    zero, unknown = country.communes.filter(population=0), country.communes.filter(pl.col("population").is_null())
    assert (zero.height, set(zero["code_departement"])) == (6, {"55"})
    assert (unknown.height, set(unknown["code_departement"])) == (6, {"984", "989"})
    assert (country.communes["codes_postaux"].list.len() == 0).sum() == 5


@both
def test_codes_and_names(scale: Scale) -> None:
    country = world(scale)
    for frame in (country.communes, country.arrondissements, country.places):
        assert frame["code"].is_sorted()
        assert frame["code"].is_unique().all()
        assert frame["code"].str.contains(CODE).all()
        assert frame.select(pl.col("code").str.starts_with(pl.col("code_departement")).all()).item()
        assert frame["nom"].str.contains("inventé").all()
        assert set(frame["code_departement"]) <= set(country.departements["code"])
    codes = set(country.communes["code"])
    assert set(country.arrondissements["code_commune_parent"]) == {"75056", "69123", "13055"} < codes
    assert codes.isdisjoint(country.arrondissements["code"])
    assert dict(country.arrondissements.select("code", "code_commune_parent").iter_rows()) == arrondissements.COMMUNES
    assert set(country.communes["code_bassin"]) <= codes
    assert set(country.departements["code_region"]) == set(country.communes["code_region"])
    assert country.departements.null_count().row(0)[-4:] == ((4,) * 4 if scale == "national" else (0,) * 4)


@both
def test_numbers_of_municipalities_are_valid(scale: Scale) -> None:
    communes = world(scale).communes
    assert communes["siren"].drop_nulls().is_unique().all()
    assert communes.filter(code="13055")["siren"].item() == "211300553"
    for numbers in (communes["siren"].drop_nulls(), communes["code_epci"].drop_nulls()):
        assert numbers.str.contains(r"^\d{9}$").all()
        for number in numbers.sample(50, seed=1):
            doubled = [int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(number))]
            assert sum(value // 10 + value % 10 for value in doubled) % 10 == 0
    postal = communes["codes_postaux"].explode(empty_as_null=False)
    assert postal.str.contains(r"^\d{5}$").all()
    assert communes.filter(code="69123")["codes_postaux"].item().to_list() == [
        f"6900{number}" for number in range(1, 10)
    ]


@both
def test_cities_are_the_sum_of_their_arrondissements(scale: Scale) -> None:
    country = world(scale)
    sums = country.arrondissements.group_by(code="code_commune_parent").agg(pl.col("population", "logements").sum())
    wholes = country.communes.join(sums, on="code")
    assert wholes.height == 3
    assert wholes["population"].to_list() == wholes["population_right"].to_list()
    assert wholes["logements"].to_list() == wholes["logements_right"].to_list()


@both
def test_everything_lies_in_a_french_territory(scale: Scale) -> None:
    country = world(scale)
    for frame in (country.places, country.schools.drop_nulls("latitude")):
        assert frame.select(in_french_territory(pl.col("latitude"), pl.col("longitude")).all()).item()
    corners = shapely.get_coordinates(country.contours.geometry.to_numpy())
    frame = pl.DataFrame(corners, schema=["longitude", "latitude"])
    assert frame.select(in_french_territory(pl.col("latitude"), pl.col("longitude")).all()).item()


@both
def test_contours_share_their_borders(scale: Scale) -> None:
    contours = with_contours(scale)
    assert contours.is_valid.all()
    assert contours.crs.to_epsg() == 4326
    whole = shapely.union_all(contours.to_numpy())
    assert shapely.area(contours.to_numpy()).sum() == pytest.approx(whole.area, rel=1e-6)
    coordinates = shapely.get_coordinates(contours.to_numpy())
    assert (coordinates == coordinates.round(5)).all()
    corners = [{tuple(point) for point in shapely.get_coordinates(shape)} for shape in contours]
    first, second = contours.sindex.query(contours, predicate="intersects")
    neighbours = first < second
    assert all(corners[a] & corners[b] for a, b in zip(first[neighbours], second[neighbours], strict=True))
    assert 2.5 < neighbours.sum() / len(contours) < 4.1


@both
def test_one_commune_is_an_island_and_one_has_two_parts(scale: Scale) -> None:
    contours = with_contours(scale)
    parts = contours[contours.geom_type == "MultiPolygon"]
    assert len(parts) == 1
    assert parts.index[0].startswith("2A")
    assert len(parts.iloc[0].geoms) == 2
    guadeloupe = contours[contours.index.str.startswith("971")]
    alone = [code for code, shape in guadeloupe.items() if (guadeloupe.intersects(shape)).sum() == 1]
    assert len(alone) == 1
    assert world(scale).communes.filter(code=alone[0])["code_epci"].item() is None


@both
def test_places_and_schools_lie_in_their_contours(scale: Scale) -> None:
    country = world(scale)
    whole = country.arrondissements.select("code", "code_commune_parent")
    places = country.places.select("code", "longitude", "latitude")
    schools = country.schools.drop_nulls("latitude").select("longitude", "latitude", code="code_place")
    points = pl.concat([places, schools.select("code", "longitude", "latitude")]).join(whole, on="code", how="left")
    contours = with_contours(scale).loc[points.select(pl.coalesce("code_commune_parent", "code")).to_series().to_list()]
    inside = shapely.contains_xy(contours.to_numpy(), points["longitude"].to_numpy(), points["latitude"].to_numpy())
    assert inside.all()


@both
def test_former_codes(scale: Scale) -> None:
    country = world(scale)
    in_force, passages = set(country.communes["code"]), country.passages
    ends = passages.group_by("cod_ini", "date").agg(pl.col("ratio").sum(), pl.len())
    assert ends["ratio"].to_list() == pytest.approx([1.0] * ends.height)
    former = set(passages.filter(pl.col("cod_ini") != pl.col("cod_fin"), typemodif="f")["cod_ini"])
    former |= set(passages.filter(typemodif="c")["cod_ini"])
    assert former.isdisjoint(in_force | set(country.arrondissements["code"]))
    split, latest = (passages.filter(typemodif="d", date=day) for day in ("2024-01-01", "2026-01-01"))
    assert sorted(split["ratio"]) == [0.3, 0.7]
    assert latest.height == 2
    assert set(split["cod_fin"]) | set(latest["cod_fin"]) <= in_force
    assert split["cod_ini"].n_unique() == latest["cod_ini"].n_unique() == 1
    assert passages.filter(typemodif="f", date="2025-01-01").height == 2
    merged = passages.filter(typemodif="f")
    chains = merged.filter(~pl.col("cod_fin").is_in(list(in_force)))
    later = merged.filter(pl.col("cod_ini").is_in(chains["cod_fin"].to_list()), pl.col("cod_fin").is_in(list(in_force)))
    assert (chains["cod_fin"].n_unique(), later.height) == (1, 1)
    assert chains["date"].max() < later["date"].item()
    into = merged.join(merged, on=["cod_fin", "date"])
    assert (
        into.filter(pl.col("cod_ini_right") == pl.col("cod_fin"))["cod_fin"].n_unique() == merged["cod_fin"].n_unique()
    )
    assert merged["cod_fin"].n_unique() == pytest.approx(0.03 * country.communes.height, abs=5)
    assert "2024-01-01" in set(merged["date"])
    assert all(date.fromisoformat(day) for day in passages["date"].unique())


@both
def test_schools(scale: Scale) -> None:
    country = world(scale)
    schools = country.schools
    assert schools["uai"].is_unique().all()
    assert schools["uai"].is_sorted()
    assert schools["uai"].str.contains(r"^\d{7}[A-Z]$").all()
    assert schools.select(has_uai_check_letter(pl.col("uai")).all()).item()
    assert schools["nom"].str.contains("inventé").all()
    cities = set(country.arrondissements["code_commune_parent"])
    assert set(schools["code_place"]) <= set(country.places["code"]) - cities
    places = schools.join(country.places, left_on="code_place", right_on="code")
    assert (places["nom_place"] == places["nom_right"]).all()
    assert (places["code_departement"] == places["code_departement_right"]).all()
    assert (places["population"] > 0).all()
    assert schools["niveau"].is_between(60, 150).all()
    assert schools.drop(*INCOMPLETE).null_count().sum_horizontal().item() == 0
    second = schools.filter(pl.col("type").is_in(["Collège", "Lycée", "EREA"]))
    lost = schools.filter(pl.col("latitude").is_null())
    assert set(lost["uai"]) <= set(second["uai"])
    assert lost.height / second.height == pytest.approx(0.009, abs=0.004)
    ways = country.lycees.select(pl.any_horizontal("voie_generale", "voie_technologique", "voie_professionnelle"))
    assert ways.to_series().all()
    assert schools.filter(pl.col("type") != "Lycée")["voie_generale"].is_null().all()


@pytest.mark.parametrize("seed", range(1, 6))
def test_the_sample_has_the_lycees_the_application_needs(seed: int) -> None:
    yvelines = World("sample", seed).lycees_gt.filter("voie_generale", code_departement="78")
    assert yvelines.height >= 8
    assert (yvelines["niveau"] >= 110).sum() >= 3
    assert World("sample", seed).contours.is_valid.all()
    assert World("sample", seed).passages.height > 20


def test_there_are_as_many_relevant_places_as_in_france() -> None:
    country = world("national")
    hosts = set(country.schools.filter(pl.col("type").is_in(["Collège", "Lycée"]))["code_place"])
    assert 6_000 <= len(hosts | set(country.places.filter(pl.col("population") >= 2000)["code"])) <= 7_000


def figures(rows: int = 5_000) -> pl.DataFrame:
    rng = np.random.default_rng(1)
    return pl.DataFrame(
        {
            "key": range(rows),
            "count": rng.integers(0, 3, rows),
            "rate": np.round(rng.uniform(90, 100, rows), 1),
            "gain": pl.Series(rng.integers(-9, 9, rows).astype(float)).replace(0, None),
            "people": pl.Series(rng.integers(0, 60_000, rows), dtype=pl.UInt32),
        }
    )


def test_the_first_release_revises_nothing() -> None:
    frame = figures()
    assert_frame_equal(world().revised(frame, "insee-bpe", "count", "rate"), frame)


def test_a_new_release_revises_a_hundredth_of_the_rows() -> None:
    frame, names = figures(), ("count", "rate", "gain", "people")
    releases = [frame] + [
        World(releases={"insee-bpe": number}).revised(frame, "insee-bpe", *names) for number in (1, 2)
    ]
    revised = []
    for before, after in pairwise(releases):
        assert after.schema == frame.schema
        assert after["key"].to_list() == frame["key"].to_list()
        changed = {name: set((before[name].ne_missing(after[name])).arg_true()) for name in names}
        revised.append(set().union(*changed.values()))
        assert 30 <= len(revised[-1]) <= 51
        assert before["gain"].null_count() == after["gain"].null_count()
        assert (after["rate"] == after["rate"].round(1)).all()
        assert after["rate"].is_between(80, 100).all()
        assert (after["gain"] == after["gain"].round(0)).drop_nulls().all()
        ratio = after["people"].filter(before["people"] >= 20) / before["people"].filter(before["people"] >= 20)
        assert ratio.is_between(0.9, 1).all()
        ones = before["count"] == 1
        assert set(after["count"].filter(ones)) == {1, 2}
        assert set(after["count"].filter(before["count"] == 0)) == {0}
    assert revised[0] != revised[1]
    assert len(revised[0] & revised[1]) < 10


def test_the_facts_about_the_territory_are_complete() -> None:
    facts = territory.DEPARTEMENTS
    assert len(facts) == 109
    assert sum(row.communes for row in facts.values()) == 34_969
    assert sorted(code for land in territory.LANDS for code in land.departements) == sorted(facts)
    assert set(territory.SAMPLE) < set(facts)
