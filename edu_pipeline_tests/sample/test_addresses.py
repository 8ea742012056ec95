"""The sample's addresses of the BAN, and the layer of the lycées that each Parisian collège leads to."""

from __future__ import annotations

import csv
import gzip
from pathlib import Path

import polars as pl
import pytest
import shapely
from pyproj import Transformer

from edu_pipeline.sample.publishers import addresses, paris
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements
from edu_pipeline_tests.sample.communal import path_of, rows_of, written
from edu_pipeline_tests.sample.sample_files import sample_world as world

HEADER = (
    "id;id_fantoir;numero;rep;nom_voie;code_postal;code_insee;nom_commune;code_insee_ancienne_commune;"
    "nom_ancienne_commune;x;y;lon;lat;type_position;alias;nom_ld;libelle_acheminement;nom_afnor;source_position;"
    "source_nom_voie;certification_commune;cad_parcelles"
)
"""As read from the real files in August 2026."""


def test_a_file_has_the_layout_of_the_real_ones() -> None:
    with gzip.open(path_of("ban__35"), "rt", encoding="utf-8", newline="") as stream:
        assert ";".join(next(csv.reader(stream, delimiter=";"))) == HEADER
    rows = rows_of("ban__35")
    assert rows["id"].is_unique().all()
    assert (rows["id"].str.slice(0, 5) == rows["code_insee"]).all()
    assert rows["nom_afnor"].str.contains(r"^[A-Z ]+$").all()
    assert set(rows["rep"]) == {None, "bis"}


def test_addresses_lie_in_their_communes() -> None:
    contours = world().contours.set_index("code").geometry
    for code in world().departements["code"]:
        rows = addresses.addresses(world(), code)
        places = set(rows["code_insee"])
        expected = world().places.filter(code_departement=code)["code"]
        assert places == set(expected) - set(arrondissements.COMMUNES.values())
        whole = rows["code_insee"].replace(arrondissements.COMMUNES).to_list()
        assert shapely.contains_xy(contours.loc[whole].to_numpy(), rows["lon"].to_numpy(), rows["lat"].to_numpy()).all()


@pytest.mark.parametrize(("code", "epsg"), [("35", 2154), ("971", 5490)])
def test_x_and_y_are_in_the_local_projection(code: str, epsg: int) -> None:
    rows = addresses.addresses(world(), code)
    x, y = Transformer.from_crs(epsg, 4326, always_xy=True).transform(rows["x"].to_numpy(), rows["y"].to_numpy())
    assert x == pytest.approx(rows["lon"].to_numpy(), abs=1e-6)
    assert y == pytest.approx(rows["lat"].to_numpy(), abs=1e-6)


def test_streets_of_sectors_have_addresses_on_both_sides() -> None:
    rows = addresses.addresses(world(), "35").with_columns(even=pl.col("numero") % 2 == 0)
    sides = rows.group_by("code_insee", "nom_voie").agg(pl.col("even").n_unique(), pl.col("numero").is_unique().all())
    assert (sides["even"] == 2).all() and sides["numero"].all()
    sectors = rows_of("fr_en_carte_scolaire_colleges_publics").filter(code_departement="035", secteur_unique="N")
    places = rows.group_by(code_insee="code_insee").agg(pl.col("nom_voie").n_unique())
    counted = sectors.group_by("code_insee").agg(streets=pl.col("type_et_libelle").n_unique())
    both = counted.join(places, on="code_insee", how="left")
    assert both.height and (both["streets"] == both["nom_voie"]).all()


def test_a_new_release_certifies_some_addresses(tmp_path: Path) -> None:
    before = rows_of("ban__35")
    path = written("ban__35", World(releases={"ban": 1}), tmp_path)
    after = pl.read_csv(gzip.decompress(path.read_bytes()), separator=";", infer_schema=False)
    differs = before["certification_commune"] != after["certification_commune"]
    assert 0 < differs.sum() < 0.02 * before.height
    assert before["id"].equals(after["id"])


def test_the_same_bytes_each_time(tmp_path: Path) -> None:
    for parameter in ("ban__971", "paris_affectation_lycees"):
        assert written(parameter, World(), tmp_path).read_bytes() == path_of(parameter).read_bytes()


def test_each_college_of_paris_has_lycees_in_three_sectors() -> None:
    rows = rows_of("paris_affectation_lycees")
    assert rows.columns == ["objectid", "reseau", "nom_tete", "uai", "nom", "secteur", "geometry"]
    colleges = world().colleges.filter("public", code_departement="75")
    lycees = world().lycees_gt.filter("public", code_departement="75")
    assert set(rows["reseau"]) == set(colleges["uai"])
    heads, others = (
        part
        for part in (
            rows.filter(pl.col("secteur").is_in(paris.HEADS)),
            rows.filter(~pl.col("secteur").is_in(paris.HEADS)),
        )
    )
    assert (heads["reseau"] == heads["uai"]).all() and heads.height == colleges.height
    assert others.height == colleges.height * lycees.height
    assert set(others["uai"]) == set(lycees["uai"])
    assert set(others["secteur"]) == {"1", "2", "3"}
    assert rows["geometry"].null_count() == 0


def test_a_new_release_moves_a_lycee_to_another_sector(tmp_path: Path) -> None:
    world_after = World(releases={paris.SOURCE: 1})
    assert (
        written("paris_affectation_lycees", world_after, tmp_path).read_bytes()
        != path_of("paris_affectation_lycees").read_bytes()
    )
