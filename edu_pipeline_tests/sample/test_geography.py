"""The sample's files of the country itself: their form, and the tables made from them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from edu_pipeline.sample.publishers import geography
from edu_pipeline.sample.world import World
from edu_pipeline_tests.real_files import upstream
from edu_pipeline_tests.sample.sample_files import produced, sample_file, sample_world

FILES = [
    ("geo-api-communes", "communes.json"),
    ("geo-api-communes", "arrondissements-municipaux.json"),
    ("geo-api-departements", "departements.json"),
    ("contours-communes", "communes-100m.geojson.gz"),
    ("departement-academie", "departement_academie.csv"),
]


def test_info_communes() -> None:
    world, result = sample_world(), produced("info_communes")
    assert result.refused.height == 0
    assert result.frame.height == world.communes.height + 45
    frame = result.frame.filter(type_commune="commune")
    assert frame["population"].sum() == world.communes["population"].sum()
    assert frame["population"].null_count() == frame["code_postal"].null_count() == 1
    assert frame["code_epci"].null_count() == 1
    sixteenth = result.frame.row(by_predicate=pl.col("code_commune") == "75116", named=True)
    assert (sixteenth["codes_postaux"], sixteenth["code_commune_parent"]) == (["75016", "75116"], "75056")
    cities = (
        result.frame.drop_nulls("code_commune_parent").group_by("code_commune_parent").agg(pl.col("population").sum())
    )
    wholes = frame.join(cities, left_on="code_commune", right_on="code_commune_parent")
    assert (wholes["population"] == wholes["population_right"]).all()
    assert set(result.frame["code_departement"]) == set(produced("departements").frame["code_departement"])


def test_departements() -> None:
    result = produced("departements")
    assert result.refused.height == 0
    yvelines = result.frame.row(by_predicate=pl.col("code_departement") == "78", named=True)
    assert yvelines == {
        "code_departement": "78",
        "nom_departement": "Yvelines",
        "code_region": "11",
        "nom_region": "Île-de-France",
        "code_academie": "25",
        "nom_academie": "VERSAILLES",
        "code_region_academique": "10",
        "nom_region_academique": "ILE-DE-FRANCE",
    }


def test_commune_boundaries() -> None:
    result = produced("commune_boundaries")
    assert result.refused.height == 0
    communes = result.frame.filter(pl.col("code_commune_parent").is_null())
    assert communes["code_commune"].to_list() == sample_world().communes["code"].to_list()
    assert communes["surface_km2"].cast(pl.Float64).is_between(5, 80).all()


def test_arrondissements_cover_their_cities() -> None:
    areas = produced("commune_boundaries").frame.select(
        "code_commune", "code_commune_parent", pl.col("surface_km2").cast(pl.Float64)
    )
    parts = (
        areas.drop_nulls("code_commune_parent")
        .group_by("code_commune_parent")
        .agg(pl.len(), pl.col("surface_km2").sum())
    )
    both = parts.join(areas, left_on="code_commune_parent", right_on="code_commune").sort("code_commune_parent")
    assert both.select("code_commune_parent", "len").rows() == [("13055", 16), ("69123", 9), ("75056", 20)]
    assert both["surface_km2"].to_list() == pytest.approx(both["surface_km2_right"].to_list(), abs=0.1)


def test_communes_limitrophes() -> None:
    result = produced("communes_limitrophes")
    assert result.refused.height == 0
    assert result.frame.height == sample_world().communes.height + 45
    arrondissements = {*sample_world().arrondissements["code"]}
    of_communes = result.frame.filter(~pl.col("insee").is_in(list(arrondissements)))
    assert not arrondissements & {*of_communes["insee_voisins"].explode()}
    ninth = result.frame.row(by_predicate=pl.col("insee") == "69389", named=True)["insee_voisins"]
    assert "69123" not in ninth and arrondissements & {*ninth}
    alone = result.frame.filter(nb_voisins=0)["insee"].to_list()
    assert {code[:2] for code in alone} == {"75", "97"}
    assert of_communes["nb_voisins"].max() == 8


def test_the_surface_is_that_of_the_contour() -> None:
    rows = json.loads(sample_file("geo-api-communes", "communes.json").read_text(encoding="utf-8"))
    hectares = pl.DataFrame([{"code_commune": row["code"], "surface": row["surface"]} for row in rows])
    both = produced("commune_boundaries").frame.join(hectares, on="code_commune")
    ratio = both["surface"] / 100 / both["surface_km2"].cast(pl.Float64)
    assert ratio.is_between(0.98, 1.02).all()


def test_what_has_no_value_is_left_out() -> None:
    rows = json.loads(sample_file("geo-api-communes", "communes.json").read_text(encoding="utf-8"))
    assert sum("population" not in row for row in rows) == 1
    assert sum("codeEpci" not in row for row in rows) == 1
    assert sum(row["codesPostaux"] == [] for row in rows) == 1
    assert None not in {value for row in rows for value in row.values() if not isinstance(value, list | dict)}


def test_a_new_release_keeps_the_sums_of_the_arrondissements(tmp_path: Path) -> None:
    geography.communes(World(releases={"geo-api-communes": 1}), tmp_path / "communes.json")
    after = json.loads((tmp_path / "communes.json").read_text(encoding="utf-8"))
    before = json.loads(sample_file("geo-api-communes", "communes.json").read_text(encoding="utf-8"))
    changed = [old["code"] for old, new in zip(before, after, strict=True) if old != new]
    assert 1 <= len(changed) <= 4
    assert not {"13055", "69123", "75056"} & set(changed)


@pytest.mark.parametrize(("source", "file_name"), FILES)
def test_the_same_bytes_each_time(source: str, file_name: str, tmp_path: Path) -> None:
    write = {
        "communes.json": geography.communes,
        "arrondissements-municipaux.json": geography.arrondissements,
        "departements.json": geography.departements,
        "communes-100m.geojson.gz": geography.contours,
        "departement_academie.csv": geography.academies,
    }[file_name]
    write(World("sample"), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == sample_file(source, file_name).read_bytes()


def fullest(path: Path) -> dict[str, Any]:
    """The object of a JSON answer with the most fields."""
    rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return max(rows, key=lambda row: len(row))


@pytest.mark.parametrize(("source", "file_name"), FILES[:3])
def test_fields_are_those_of_the_real_answers(source: str, file_name: str) -> None:
    real = fullest(upstream() / source / file_name)
    ours = fullest(sample_file(source, file_name))
    # The real values were laid out as the API answers, without the surface that the catalogue's request asks for.
    ours.pop("surface", None)
    assert list(ours) == list(real)
    assert {name: type(value) for name, value in ours.items()} == {name: type(value) for name, value in real.items()}


def test_contours_are_laid_out_as_the_real_ones() -> None:
    contents = [
        json.loads(gzip.decompress(path.read_bytes()))
        for path in (
            upstream() / "contours-communes" / "communes-100m.geojson.gz",
            sample_file("contours-communes", "communes-100m.geojson.gz"),
        )
    ]
    real, ours = (content["features"][0] for content in contents)
    assert [list(content) for content in contents] == [["type", "features"]] * 2
    assert list(ours) == list(real)
    # The real file is older than 2025, and has no other properties.
    assert list(ours["properties"])[:2] == list(real["properties"])
    properties = {name for feature in contents[1]["features"] for name in feature["properties"]}
    assert properties == {"code", "nom", "departement", "region", "epci", "plm", "commune"}
    assert {feature["geometry"]["type"] for feature in contents[1]["features"]} == {"Polygon", "MultiPolygon"}


def test_academies_are_written_as_the_real_table() -> None:
    columns = [
        "code_departement",
        "departement",
        "code_academie",
        "academie",
        "code_region_academique",
        "region_academique",
    ]
    real_path = upstream() / "departement-academie" / "departement_academie.csv"
    ours_path = sample_file("departement-academie", "departement_academie.csv")
    assert ours_path.read_bytes().splitlines(keepends=True)[0] == real_path.read_bytes().splitlines(keepends=True)[0]
    real, ours = (pl.read_csv(path, separator=";", infer_schema=False) for path in (real_path, ours_path))
    assert (
        ours.select(columns).rows()
        == real.filter(pl.col("code_departement").is_in(ours["code_departement"].to_list())).select(columns).rows()
    )


def test_all_academies_are_written_as_the_real_ones(tmp_path: Path) -> None:
    geography.academies(World("national"), tmp_path / "all.csv")
    real_path = upstream() / "departement-academie" / "departement_academie.csv"
    real, ours = (
        pl.read_csv(path, separator=";", infer_schema=False).drop("derived_from")
        for path in (real_path, tmp_path / "all.csv")
    )
    assert sorted(ours.rows()) == sorted(real.rows())
