"""The sample's property sales: the swapped shares, the row without a commune, the départements not covered."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from edu_pipeline.sample.geographies import places_of
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements
from edu_pipeline_tests.real_files import upstream
from edu_pipeline_tests.sample.communal import path_of, rows_of, written
from edu_pipeline_tests.sample.sample_files import produced
from edu_pipeline_tests.sample.sample_files import sample_world as world

TABLE, SOURCE = "mutations_immo_latest", "dvf_indicateurs_communes"


def test_shares_are_corrected_and_a_row_is_refused() -> None:
    result = produced(TABLE)
    assert result.refused.height == 1
    assert "code_commune: expected a value, found nothing" in result.refused["reasons"][0]
    only_houses = result.frame.filter(pl.col("nb_appartements") == 0)
    assert only_houses.height > 20
    assert set(only_houses["prop_maison"]) == {100}
    assert (result.frame["nb_maisons"] + result.frame["nb_appartements"] == result.frame["nb_mutations"]).all()
    assert set(result.frame["annee"]) == {2024}


def test_cities_are_whole_and_only_communes_with_sales_listed() -> None:
    codes = set(produced(TABLE).frame["code_commune"])
    assert {"75056", "69123", "13055"} <= codes
    assert not codes & set(arrondissements.COMMUNES)
    assert codes < set(places_of(world(), 2024)["code"])
    raw = rows_of(SOURCE)
    assert raw["insee_com"][-1] == "NA"
    assert raw.row(-1)[3:7] == ("NA",) * 4


def test_departements_outside_the_source_are_missing(tmp_path: Path) -> None:
    path = written(SOURCE, World("national"), tmp_path)
    rows = pl.read_csv(path, infer_schema=False)
    assert not rows["INSEE_COM"].str.contains("^(57|67|68|976)").any()
    assert 27_000 < rows.height < 32_000


def test_the_file_begins_like_the_real_one() -> None:
    ours = path_of(SOURCE).read_bytes().splitlines()
    theirs = (upstream() / "dvf-indicateurs-communes" / "communesdvf2024.csv").read_bytes().splitlines()
    assert ours[0] == theirs[0]
    assert ours[-1].split(b",")[:2] == theirs[-1].split(b",")[:2] == [b"NA", b"2024"]
