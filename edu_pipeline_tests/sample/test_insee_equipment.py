"""The sample's equipment file: levels and totals besides the communes, and the world's own schools."""

from __future__ import annotations

import zipfile

import polars as pl
import pytest

from edu_pipeline.vocabulary import arrondissements
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.sample.communal import path_of, rows_of
from edu_pipeline_tests.sample.sample_files import produced
from edu_pipeline_tests.sample.sample_files import sample_world as world

TABLE, SOURCE = "commerce_sante_2024", "insee_bpe"


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    return rows_of(SOURCE).with_columns(pl.col("obs_value").cast(pl.Int64))


@pytest.fixture(scope="module")
def result() -> Conformed:
    return produced(TABLE)


def test_every_commune_and_arrondissement_has_a_row(result: Conformed) -> None:
    assert result.refused.is_empty()
    assert set(result.frame["code_commune"]) == set(world().places["code"])
    assert set(result.frame["annee"]) == {2025}
    for name in ("medecin_generaliste", "masseur_kinesitherapeute", "boulangerie_patisserie", "salles_multisports"):
        assert 0 < result.frame.filter(pl.col(name) > 0).height < result.frame.height, name


def test_the_schools_are_those_of_the_directory(result: Conformed) -> None:
    types = {"college": "Collège", "lycee": "Lycée", "ecole_maternelle_primaire_elementaire": "Ecole"}
    without_cities = result.frame.filter(~pl.col("code_commune").is_in(["75056", "69123", "13055"]))
    for column, kind in types.items():
        schools = world().schools.filter(pl.col("type") == kind).group_by(code_commune="code_place").len("schools")
        both = without_cities.join(schools, on="code_commune", how="left").with_columns(pl.col("schools").fill_null(0))
        assert both[column].to_list() == both["schools"].to_list()


def test_cities_are_the_sums_of_their_arrondissements(result: Conformed) -> None:
    counts = result.frame.drop("commune", "annee")
    for city in ("75056", "69123", "13055"):
        parts = [code for code, whole in arrondissements.COMMUNES.items() if whole == city]
        of_city = counts.filter(pl.col("code_commune") == city).drop("code_commune")
        of_parts = counts.filter(pl.col("code_commune").is_in(parts)).drop("code_commune").sum()
        assert of_city.rows() == of_parts.rows()


def test_eleven_levels_are_mixed_with_their_totals(rows: pl.DataFrame) -> None:
    assert set(rows["geo_object"]) == {
        "COM",
        "ARM",
        "DEP",
        "REG",
        "EPCI",
        "ARR",
        "BV2022",
        "ZE2020",
        "UU2020",
        "AAV2020",
        "FRANCE",
    }
    assert rows["obs_value"].min() == 1, "where there is nothing there is no row"
    total = pl.col("facility_dom") == "_T"
    for level, part in rows.partition_by("geo_object", as_dict=True).items():
        types = part.filter(pl.col("facility_type") != "_T")
        everything = part.filter(total)["obs_value"].sum()
        assert types["obs_value"].sum() == everything, level
        of_subdomains = part.filter(pl.col("facility_type") == "_T", pl.col("facility_sdom") != "_T")
        assert of_subdomains["obs_value"].sum() == everything, level
    by_level = rows.filter(total).group_by("geo_object").agg(pl.col("obs_value").sum())
    counted = dict(by_level.filter(pl.col("geo_object") != "ARM").rows())
    assert len(set(counted.values())) == 1, "each level counts the whole country"


def test_the_archive_has_insees_members_and_columns() -> None:
    path = path_of(SOURCE)
    with zipfile.ZipFile(path) as archive:
        assert sorted(archive.namelist()) == ["DS_BPE_2025_data.csv", "DS_BPE_2025_metadata.csv"]
        header, first = archive.read("DS_BPE_2025_data.csv").decode().split("\n")[:2]
        assert archive.read("DS_BPE_2025_metadata.csv").startswith(b'"COD_VAR";"LIB_VAR";"COD_MOD";"LIB_MOD"\n')
    assert header == (
        '"GEO";"GEO_OBJECT";"FACILITY_DOM";"FACILITY_SDOM";"FACILITY_TYPE";"BPE_MEASURE";"UNIT_MEASURE";"OBS_STATUS";'
        '"UNIT_MULT";"TIME_PERIOD";"OBS_VALUE"'
    )
    assert first.startswith('"13201";"ARM";"A";"A1";"A1')
    assert ';"FACILITIES";"COUNT";"A";0;2025;' in first
