"""INSEE's reference files of the sample: occupations, former codes, the Code officiel géographique, zones."""

from __future__ import annotations

import csv
from datetime import date

import polars as pl

from edu_pipeline.normalise import slug
from edu_pipeline.sample.geographies import places_of
from edu_pipeline.vocabulary import arrondissements
from edu_pipeline_tests.real_files import upstream
from edu_pipeline_tests.sample.communal import path_of, rows_of
from edu_pipeline_tests.sample.sample_files import produced
from edu_pipeline_tests.sample.sample_files import sample_world as world


def test_occupations_have_four_levels_and_14_repeated_codes() -> None:
    raw = rows_of("insee_pcs")
    assert raw.height == 571
    result = produced("pcs_libelle")
    assert (result.frame.height, result.refused.height) == (557, 0)
    levels = raw["level"].value_counts(sort=True).sort("level")["count"].to_list()
    assert levels == [8, 24, 42, 497]
    known = {*result.frame["code_pcs"], None}
    assert set(result.frame["code_parent"]) <= known
    assert result.frame.filter(pl.col("niveau") == 4)["libelle"].str.starts_with("Profession inventée").all()


def test_former_codes_lead_to_those_in_force() -> None:
    raw = rows_of("insee_table_passage")
    assert raw.columns == ["codgeo_ini", "codgeo_2026", "libgeo_2026"]
    assert set(raw["codgeo_2026"]) == set(world().places["code"])
    assert {*world().passages["cod_ini"]} <= {*raw["codgeo_ini"]}
    result = produced("passage_communes")
    assert (result.frame.height, result.refused.height) == (world().passages.height, 0)
    assert set(result.frame["nature"]) == {"fusion", "scission", "changement de code"}
    assert result.frame.filter(pl.col("nature") == "scission")["date_effet"].unique().sort().to_list() == [
        date(2024, 1, 1),
        date(2026, 1, 1),
    ]


def test_the_events_have_the_days_of_all_changes() -> None:
    events = rows_of("insee_cog__mouvements")
    between = events.filter(typecom_av="COM", typecom_ap="COM").select("date_eff", "com_av", "com_ap")
    assert sorted(between.rows()) == sorted(world().passages.select("date", "cod_ini", "cod_fin").rows())
    delegated = events.filter(typecom_ap="COMD")
    assert set(delegated["mod"]) == {"32"}
    assert (delegated["com_av"] == delegated["com_ap"]).all()
    assert events["libelle_av"].str.contains("inventée").all() and events["libelle_ap"].str.contains("inventée").all()
    late = produced("passage_communes").frame.filter(pl.col("date_effet") > date(2024, 1, 1))
    expected = world().passages.filter(pl.col("date") > "2024-01-01")
    columns = ("code_ancien", "code_commune", "part", "nature")
    natures = {"f": "fusion", "d": "scission"}
    assert sorted(late.select(columns).with_columns(pl.col("part").cast(pl.Float64).round(6)).rows()) == sorted(
        expected.select(
            "cod_ini", "cod_fin", pl.col("ratio").round(6), pl.col("typemodif").replace_strict(natures)
        ).rows()
    )
    assert set(late["nature"]) == {"fusion", "scission"}


def test_the_communes_of_the_code_officiel_geographique() -> None:
    rows = rows_of("insee_cog")
    kinds = rows.partition_by("typecom", as_dict=True)
    assert kinds["COM",]["com"].to_list() == world().communes["code"].to_list()
    assert kinds["ARM",].height == 45
    assert set(kinds["ARM",]["comparent"]) == {"13055", "69123", "75056"}
    assert kinds["COMD",]["comparent"].is_in(kinds["COM",]["com"].to_list()).all()
    assert kinds["COMD",]["dep"].null_count() == kinds["COMD",].height


def test_the_zones_of_communes_are_a_workbook() -> None:
    assert path_of("insee_bassins_de_vie").name == "table-appartenance-geo-communes-2026.zip"
    rows = rows_of("insee_bassins_de_vie")
    assert " ".join(rows.columns) == "codgeo libgeo dep ctcd reg epci ept arr canov ze2020 uu2020 aav2020 bv2022"
    places = places_of(world(), 2026).filter(~pl.col("code").is_in(list(arrondissements.COMMUNES)))
    assert rows["codgeo"].to_list() == places["code"].to_list()
    named = rows_of("insee_bassins_de_vie__zones")
    assert named.columns == ["nivgeo", "codgeo", "libgeo", "nb_com"]
    bassins = named.filter(pl.col("nivgeo") == "BV2022")
    assert set(bassins["codgeo"]) == set(rows["bv2022"])
    assert bassins["nb_com"].cast(pl.Int64).sum() == rows.height


def test_the_files_begin_like_the_real_ones() -> None:
    """Header, delimiter, quotes and line ends; the real Code officiel géographique is that of the year before."""
    for source, real in (
        ("insee-pcs", "pcs2003.csv"),
        ("insee-cog", "v_commune_2025.csv"),
    ):
        ours = path_of(slug(source))
        with ours.open("rb") as our, (upstream() / source / real).open("rb") as their:
            assert our.readline() == their.readline(), source
    with (upstream() / "insee-bassins-de-vie" / "table_appartenance_2024.csv").open(encoding="utf-8") as stream:
        assert [name.lower() for name in next(csv.reader(stream))] == rows_of("insee_bassins_de_vie").columns


def test_levels_one_to_three_of_occupations_are_real() -> None:
    real = pl.read_csv(upstream() / "insee-pcs" / "pcs2003.csv", separator=";", infer_schema=False)
    ours = pl.read_csv(path_of("insee_pcs"), separator=";", infer_schema=False)
    assert ours.filter(pl.col("level") < "4").equals(real.filter(pl.col("level") < "4"))
