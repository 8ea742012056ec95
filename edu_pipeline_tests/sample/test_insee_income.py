"""The sample's Filosofi: hidden figures, former codes, separate figures of the bassins de vie."""

from __future__ import annotations

import zipfile

import polars as pl
import pytest

from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.real_files import upstream
from edu_pipeline_tests.sample.communal import known_codes, path_of, rows_of
from edu_pipeline_tests.sample.sample_files import produced
from edu_pipeline_tests.sample.sample_files import sample_world as world

TABLE, SOURCE = "merged_revenu_commune_bassin_2021", "insee-filosofi-2021"


@pytest.fixture(scope="module")
def result() -> Conformed:
    return produced(TABLE)


def test_all_rows_are_good_and_their_codes_are_known(result: Conformed) -> None:
    assert result.refused.is_empty()
    assert set(result.frame["code_commune"]) <= known_codes()
    assert not result.frame["code_commune"].str.starts_with("971").any(), "Guadeloupe is missing in Filosofi"
    merged = world().passages.filter(pl.col("date") == "2024-01-01", pl.col("typemodif") == "f")
    assert set(merged["cod_ini"]) <= set(result.frame["code_commune"]), "the geography is that of 2023"


def test_small_communes_are_hidden_and_large_ones_are_not(result: Conformed) -> None:
    raw = rows_of("insee_filosofi_2021")
    for column, share in (("med21", 0.02), ("tp6021", 0.4)):
        hidden = raw.filter(pl.col(column) == "s")
        assert hidden.height > share * raw.height, column
        assert "nd" in raw[column]
    large = result.frame.filter(pl.col("code_commune").is_in(["75056", "75101", "69123", "13055"]))
    assert large.height == 4
    assert (
        large["mediane_niveau_vie", "taux_pauvrete", "d1", "d9", "rapport_interdecile"]
        .null_count()
        .sum_horizontal()
        .item()
        == 0
    )
    assert result.frame["mediane_niveau_vie"].is_between(12_000, 50_000).all()
    shares = result.frame.drop_nulls("pact21")
    total = sum(shares[name].cast(pl.Float64) for name in ("pact21", "ppen21", "ppat21", "ppsoc21", "pimpot21"))
    assert isinstance(total, pl.Series)
    assert ((total - 100).abs() < 1).all()


def test_the_figures_of_the_bassins_are_insees_own(result: Conformed) -> None:
    bassins = rows_of("insee_filosofi_2021__bv")
    paris = result.frame.row(by_predicate=pl.col("code_commune") == "75101", named=True)
    own = bassins.row(by_predicate=pl.col("codgeo") == paris["code_bassin_vie"], named=True)
    assert int(paris["mediane_niveau_vie_bassin"]) == int(own["med21"])
    current = result.frame.filter(pl.col("code_commune").is_in(world().places["code"].to_list()))
    assert current["code_bassin_vie"].null_count() == 0
    assert current["mediane_niveau_vie_bassin"].null_count() / current.height < 0.1


def test_income_follows_the_social_level_of_the_schools(result: Conformed) -> None:
    levels = world().schools.group_by(code_commune="code_place").agg(pl.col("niveau").mean())
    both = result.frame.drop_nulls("mediane_niveau_vie").join(levels, on="code_commune")
    assert both.select(pl.corr(pl.col("mediane_niveau_vie").cast(pl.Float64), "niveau")).item() > 0.5


def test_the_header_is_the_real_one() -> None:
    path = path_of("insee_filosofi_2021")
    with zipfile.ZipFile(path) as archive:
        ours = archive.read("cc_filosofi_2021_COM.csv").split(b"\n")[0]
        assert archive.read("cc_filosofi_2021_BV2022.csv").split(b"\n")[0] == ours
    with (upstream() / SOURCE / "cc_filosofi_2021_COM.csv").open("rb") as stream:
        assert stream.readline() == ours + b"\n"
