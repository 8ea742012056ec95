"""The places of earlier years, their zones, and the workbook of INSEE's table of zones."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from edu_pipeline.sample.geographies import COLLECTIVITIES, places_of, zones_of
from edu_pipeline.sample.workbook import write_workbook
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements
from edu_pipeline_tests.sample.sample_files import sample_world as world


def people(places: pl.DataFrame, codes: list[str]) -> int:
    return int(places.filter(pl.col("code").is_in(codes))["population"].sum())


def test_the_latest_year_has_all_places_but_collectivities() -> None:
    national = World("national")
    places = places_of(national, 2026)
    expected = national.places.filter(~pl.col("code_departement").is_in(COLLECTIVITIES))
    assert places["code"].to_list() == expected["code"].to_list()
    assert places.height == 34_746 + 129 + 45
    assert places["population", "logements", "niveau"].null_count().sum_horizontal().item() == 0


def test_a_merger_is_undone_in_the_years_before_it() -> None:
    mergers = world().passages.filter(pl.col("typemodif") == "f", pl.col("date") == "2024-01-01")
    poles, formers = mergers["cod_fin"].unique().to_list(), mergers["cod_ini"].to_list()
    before, after = places_of(world(), 2023), places_of(world(), 2024)
    assert poles and set(formers) <= set(before["code"])
    assert set(after["code"]) & set(formers) == set(poles)
    assert abs(people(before, formers) - people(after, poles)) <= len(formers)


def test_a_split_is_undone_in_the_years_before_it() -> None:
    split = world().passages.filter(pl.col("typemodif") == "d", pl.col("date") == "2024-01-01")
    whole, parts = split["cod_ini"][0], split["cod_fin"].to_list()
    before, after = places_of(world(), 2023), places_of(world(), 2024)
    assert set(before["code"]) & set(parts) == {whole}
    assert people(before, [whole]) == people(after, parts)


def test_a_chain_of_mergers_is_undone_link_by_link() -> None:
    passages = world().passages.filter(pl.col("cod_ini") != pl.col("cod_fin"))
    links = passages.join(passages, left_on="cod_fin", right_on="cod_ini", suffix="_later")
    (first, between, last) = links.select("cod_ini", "cod_fin", "cod_fin_later").row(0)
    assert {first, last} <= set(places_of(world(), 2010)["code"])
    assert {between, last} <= set(places_of(world(), 2018)["code"])
    assert not {first, between} & set(places_of(world(), 2026)["code"])


def test_every_place_lies_in_a_zone_of_each_kind() -> None:
    places = places_of(world(), 2024)
    zones = zones_of(world(), places).sort("code")
    assert zones.height == places.height
    assert zones.null_count().sum_horizontal().item() == 0
    assert zones.filter(pl.col("code").is_in(list(arrondissements.COMMUNES)))["BV2022"].n_unique() <= 3


def test_a_workbook_keeps_titles_and_special_characters(tmp_path: Path) -> None:
    frame = pl.DataFrame({"CODGEO": ["01001", None], "LIBGEO": ["L'Été & <fils>", None], "PLUS": [None, "x"]})
    write_workbook(tmp_path / "book.xlsx", {"COM": frame, "R&D": frame.clear()}, ["Titre", ""])
    cells = pl.read_excel(tmp_path / "book.xlsx", sheet_name="COM", has_header=False, drop_empty_rows=False)
    assert cells.rows() == [
        ("Titre", None, None),
        ("", None, None),
        ("CODGEO", "LIBGEO", "PLUS"),
        ("01001", "L'Été & <fils>", None),
        (None, None, "x"),
    ]
    empty = pl.read_excel(tmp_path / "book.xlsx", sheet_name="R&D", has_header=False)
    assert empty.rows()[-1] == ("CODGEO", "LIBGEO", "PLUS")
