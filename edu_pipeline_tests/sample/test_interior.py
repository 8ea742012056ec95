"""The sample's crime file: what is published and what is hidden, means instead of hidden values, cities whole and
in parts."""

from __future__ import annotations

import gzip
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.catalogue import files_by_parameter
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.real_files import real_file
from edu_pipeline_tests.sample.communal import path_of, written
from edu_pipeline_tests.sample.sample_files import produced
from edu_pipeline_tests.sample.sample_files import sample_world as world

TABLE, SOURCE = "criminalite_2024", "ssmsi_communale"
KEY = ["annee", "indicateur"]
PARTS = list(arrondissements.COMMUNES)


@pytest.fixture(scope="module")
def result() -> Conformed:
    return produced(TABLE)


def test_every_place_has_fifteen_indicators_in_ten_years(result: Conformed) -> None:
    assert result.refused.is_empty()
    frame = result.frame
    assert frame.height == world().places.height * 15 * 10
    assert (frame["indicateur"].n_unique(), frame["annee"].min(), frame["annee"].max()) == (15, 2016, 2025)
    assert set(frame["code_commune"]) == set(world().places["code"])


def test_about_half_is_hidden_and_zeros_are_published(result: Conformed) -> None:
    frame = result.frame
    published = frame.filter(pl.col("est_diffuse") == "diff")
    assert 0.4 < published.height / frame.height < 0.8
    assert published["nombre"].null_count() == 0
    assert published["complement_info_nombre"].null_count() == published.height
    assert set(published.filter(pl.col("nombre") <= 5)["nombre"]) == {0}
    without_rate = published.filter(pl.col("taux_pour_mille").is_null())
    assert set(without_rate["insee_pop"]) == {0}, "destroyed villages"


def test_rates_are_per_inhabitant_or_dwelling(result: Conformed) -> None:
    base = pl.when(pl.col("indicateur") == "Cambriolages de logement").then("insee_log").otherwise("insee_pop")
    rates = result.frame.drop_nulls("taux_pour_mille").select(
        pl.col("taux_pour_mille").cast(pl.Float64), computed=1000 * pl.col("nombre") / base
    )
    assert rates["taux_pour_mille"].to_list() == pytest.approx(rates["computed"].to_list(), abs=1e-6)


def test_a_hidden_value_is_replaced_by_a_mean(result: Conformed) -> None:
    hidden = result.frame.filter(pl.col("est_diffuse") == "ndiff").with_columns(
        departement=pl.col("code_commune").str.extract("^(97.|..)"), part=pl.col("code_commune").is_in(PARTS)
    )
    assert hidden["complement_info_nombre"].null_count() == 0
    means = hidden.group_by("departement", "part", *KEY).agg(
        pl.struct("complement_info_nombre", "complement_info_taux").n_unique()
    )
    assert means["complement_info_nombre"].max() == 1
    assert hidden["complement_info_nombre"].n_unique() > 100


def test_a_published_city_is_the_sum_of_its_arrondissements(result: Conformed) -> None:
    for city in ("75056", "69123", "13055"):
        parts = [code for code, whole in arrondissements.COMMUNES.items() if whole == city]
        sums = (
            result.frame.filter(pl.col("code_commune").is_in(parts))
            .group_by(KEY)
            .agg(pl.col("nombre").sum(), hidden=pl.col("nombre").null_count())
        )
        both = result.frame.filter(pl.col("code_commune") == city).join(sums, on=KEY).filter(pl.col("hidden") == 0)
        assert both.height > 50
        assert both["nombre"].to_list() == both["nombre_right"].to_list()


def test_the_averages_have_both_levels() -> None:
    averages = produced("crime_indicateur_avg")
    assert averages.refused.is_empty()
    departements = set(world().departements["code"])
    assert set(averages.frame["code_departement"]) == departements | {"FR"}
    assert set(averages.frame["annee"]) == {2025}
    assert averages.frame.height == 15 * (len(departements) + 1)


def test_the_bytes_are_stable_and_a_release_changes_numbers(tmp_path: Path) -> None:
    first = path_of(SOURCE).read_bytes()
    assert written(SOURCE, World(), tmp_path).read_bytes() == first
    revised = written(SOURCE, World(releases={"ssmsi-communale": 1}), tmp_path).read_bytes()
    before, after = (gzip.decompress(content).splitlines() for content in (first, revised))
    changed = sum(ours != theirs for ours, theirs in zip(before, after, strict=True))
    assert 0 < changed <= 0.01 * len(before) + 15 * len(world().departements)


def test_the_file_is_written_like_the_real_one() -> None:
    """The real one is of the edition of 2024: the code's column has another name."""
    ours = gzip.decompress(path_of(SOURCE).read_bytes()).decode().split("\n")
    real = real_file(files_by_parameter()[SOURCE])
    assert real is not None
    theirs = gzip.decompress(real.read_bytes()).decode().split("\n")
    assert ours[0] == theirs[0].replace("2024", "2026")

    def form(line: str) -> list[str]:
        """What each cell is made of: quotes, digits, commas, words."""
        return [
            "".join("9" if char.isdigit() else "x" if char.isalpha() else char for char in cell)[-3:]
            for cell in line.split(";")
        ]

    for kind in ('"ndiff"', '"diff"'):
        (our, *_), (their, *_) = ([line for line in lines if kind in line] for lines in (ours, theirs))
        assert form(our)[5:] == form(their)[5:]
