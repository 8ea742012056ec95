"""The sample's census files: INSEE's variables, parts that add up, cities in both forms, empty rows."""

from __future__ import annotations

import zipfile
from collections import defaultdict
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from edu_pipeline.catalogue import catalogue
from edu_pipeline.sample.geographies import places_of
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements
from edu_pipeline_tests.real_files import upstream
from edu_pipeline_tests.sample.communal import known_codes, path_of, written
from edu_pipeline_tests.sample.sample_files import produced
from edu_pipeline_tests.sample.sample_files import sample_world as world

SOURCE = "insee-rp"
TABLES = {
    "niveau_education_2021": "diplomes",
    "population_evolution_age": "population",
    "activite_economique_2022": "emploi",
    "logement_2021": "logement",
}
COLUMNS = {"diplomes": 190, "population": 292, "emploi": 349, "logement": 240}
THEMES = {
    "diplomes": "Diplômes - Formation",
    "population": "Évolution et structure de la population",
    "emploi": "Caractéristiques de l'emploi au sens du recensement",
    "logement": "Logement",
}


def data(part: str, path: Path | None = None) -> pl.DataFrame:
    """The rows of the data member, figures as numbers."""
    path = path or path_of(f"insee_rp__{part}")
    with zipfile.ZipFile(path) as archive:
        member = path.name.replace("_csv.zip", ".CSV")
        text = archive.read(member)
    return pl.read_csv(text, separator=";", schema_overrides={"CODGEO": pl.String}, infer_schema_length=None)


@pytest.mark.parametrize("table", TABLES)
def test_all_rows_are_good_and_their_codes_are_known(table: str) -> None:
    result = produced(table)
    assert result.refused.is_empty()
    assert set(result.frame["code_commune"]) <= known_codes()
    year = catalogue()["insee-rp"].files[TABLES[table]].geography
    assert isinstance(year, int)
    assert set(result.frame["code_commune"]) == set(places_of(world(), year)["code"])


@pytest.mark.parametrize("part", COLUMNS)
def test_files_have_insees_columns_and_cities_add_up(part: str) -> None:
    rows = data(part)
    year = catalogue()["insee-rp"].files[part].geography
    assert isinstance(year, int)
    assert (rows.height, rows.width) == (places_of(world(), year).height, COLUMNS[part])
    figures = rows.drop("CODGEO")
    assert all(dtype == pl.Float64 for name, dtype in figures.schema.items() if figures[name].null_count() < 300)
    for city in ("75056", "69123", "13055"):
        parts = [code for code, whole in arrondissements.COMMUNES.items() if whole == city]
        of_city = rows.filter(pl.col("CODGEO") == city).drop("CODGEO").fill_null(0).to_numpy()
        of_parts = rows.filter(pl.col("CODGEO").is_in(parts)).drop("CODGEO").fill_null(0).sum().to_numpy()
        assert np.allclose(of_city, of_parts)


def test_parts_add_up() -> None:
    rows = data("population").join(data("diplomes"), on="CODGEO").join(data("logement"), on="CODGEO")
    rows = rows.drop_nulls("P21_POP").join(data("emploi"), on="CODGEO")
    wholes = {
        "P21_POP": [f"P21_POP{ages}" for ages in ("0014", "1529", "3044", "4559", "6074", "7589", "90P")],
        "P10_POP": ["P10_POPH", "P10_POPF"],
        "P21_POPF": ["P21_F0019", "P21_F2064", "P21_F65P"],
        "C21_POP15P": [f"C21_POP15P_CS{number}" for number in range(1, 9)],
        "P21_NSCOL15P": ["P21_HNSCOL15P", "P21_FNSCOL15P"],
        "P15_NSCOL15P": [f"P15_NSCOL15P_{name}" for name in ("DIPLMIN", "CAPBEP", "BAC", "SUP")],
        "P22_POP1564": ["P22_ACTOCC1564", "P22_CHOM1564", "P22_ETUD1564", "P22_RETR1564", "P22_AINACT1564"],
        "C22_ACT1564": [f"C22_ACT1564_STAT_GSEC1{number}_2{number}" for number in range(1, 7)],
        "C22_EMPLT": [f"C22_EMPLT_{name}" for name in ("AGRI", "INDUS", "CONST", "CTS", "APESAS")],
        "P22_EMPLT": ["P22_EMPLT_SAL", "P22_EMPLT_NSAL"],
        "P21_LOG": ["P21_RP", "P21_RSECOCC", "P21_LOGVAC"],
        "P21_RP": ["P21_RP_PROP", "P21_RP_LOC", "P21_RP_GRAT"],
    }
    for whole, parts in wholes.items():
        assert np.allclose(rows[whole], rows.select(pl.sum_horizontal(parts)).to_series()), whole
    assert (rows["P21_RP_LOCHLMV"] <= rows["P21_RP_LOC"]).all()
    weighted = rows.filter(pl.col("P21_LOG") % 1 > 0).height
    assert weighted > 0.9 * rows.height, "counts are sums of weights"


def test_a_commune_split_off_has_an_empty_row() -> None:
    born = world().passages.filter((pl.col("typemodif") == "d") & (pl.col("cod_ini") != pl.col("cod_fin")))["cod_fin"]
    rows = produced("logement_2021").frame.filter(pl.col("code_commune").is_in(born.to_list()))
    assert rows.height == 1
    assert rows["logements"].to_list() == [None]


def test_the_members_of_the_archives() -> None:
    names = {}
    for part in COLUMNS:
        with zipfile.ZipFile(path_of(f"insee_rp__{part}")) as archive:
            names[part] = archive.namelist()
    assert names["logement"] == ["base-cc-logement-2021.CSV", "meta_base-cc-logement-2021.CSV"]
    assert names["emploi"] == [
        "base-cc-emploi-pop-active-2022.CSV",
        "meta_base-cc-emploi-pop-active-2022.CSV",
        "base-cc-emploi-pop-active-2022-COM.CSV",
        "meta_base-cc-emploi-pop-active-2022-COM.CSV",
    ]


def test_a_new_release_changes_some_communes_and_keeps_the_sums(tmp_path: Path) -> None:
    path = written("insee_rp__population", World(releases={SOURCE: 1}), tmp_path)
    before, after = data("population"), data("population", path)
    assert after["CODGEO"].equals(before["CODGEO"])
    changed = before.filter(before["P21_POP"] != after["P21_POP"]).height
    assert 0 < changed <= 0.01 * before.height + 1 + 3
    ages = [f"P21_POP{ages}" for ages in ("0014", "1529", "3044", "4559", "6074", "7589", "90P")]
    assert np.allclose(after["P21_POP"].fill_null(0), after.select(pl.sum_horizontal(ages)).to_series())


def test_the_variables_are_those_of_insees_list() -> None:
    """The list is that of the dossier complet, which has every variable once: P21_POP5564 is of another theme there."""
    listed: dict[str, set[str]] = defaultdict(set)
    variables = pl.read_csv(upstream() / SOURCE / "meta_dossier_complet.csv", separator=";", infer_schema=False)
    for code, theme, source in (
        variables.filter(pl.col("COD_VAR") != "CODGEO").select("COD_VAR", "THEME", "SOURCE").rows()
    ):
        if "RP2021" in source and "RP1967" not in source:
            listed[theme].add(code)
    everything = set().union(*listed.values())
    for part, theme in THEMES.items():
        ours = set(data(part).columns) - {"CODGEO"}
        if part == "emploi":  # of 2022: the list is of 2021, and the categories of 2022 have other names
            years = {"22": "21", "16": "15", "11": "10"}
            ours = {name[0] + years[name[1:3]] + name[3:] for name in ours}
            ours -= {name for name in ours if "GSEC" in name or "_GS" in name}
            expected = {name for name in listed[theme] if not (name.startswith("C21") and "_CS" in name)}
        else:
            expected = listed[theme]
        assert expected <= ours, (theme, expected - ours)
        assert ours - expected <= everything, (theme, ours - expected - everything)
