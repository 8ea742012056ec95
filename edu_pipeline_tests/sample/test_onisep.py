"""ONISEP's files of the sample: their form, their traps, their agreement with the ministry's."""

from __future__ import annotations

import csv
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.sample import ideo
from edu_pipeline.sample.directory import publications
from edu_pipeline.sample.publishers import onisep, onisep_courses
from edu_pipeline.sample.world import World
from edu_pipeline_tests.real_files import upstream
from edu_pipeline_tests.sample.communal import known_codes, rows_of, written
from edu_pipeline_tests.sample.sample_files import produced, sample_file, sample_world

FILES = {
    onisep.STRUCTURES: ("5fa5816ac6a6e.csv", 30),
    onisep.ACTIONS: ("605340ddc19a9.csv", 32),
    onisep_courses.SPECIALTIES: ("60113f395cce6.csv", 14),
    onisep_courses.OPTIONS: ("60113c3d5fee0.csv", 14),
}
"""Name and number of columns of each file."""
LISTS = (onisep_courses.SPECIALTIES, onisep_courses.OPTIONS)
REFUSED = {
    "etablissements_onisep": 0,
    "onisep_details_formations_lycees": 2,
    "specialites_lycees": 0,
    "enseignements_optionnels_seconde": 0,
}
"""Number of rows refused at the sample scale, by table: the traps."""


def cells(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.reader(stream, delimiter=";"))


@pytest.mark.parametrize("source", FILES)
def test_a_file_is_in_onisep_s_dialect(source: str) -> None:
    name, columns = FILES[source]
    content = sample_file(source, name).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    assert b"\r" not in content
    rows = cells(sample_file(source, name))
    assert {len(row) for row in rows} == {columns}
    text = content.decode("utf-8-sig")
    assert '"Boîte postale lieu de cours"' in text or "boîte postale" in text or '"ENS code UAI"' in text
    assert ";Ile-de-France;" in text
    assert '"Provence-Alpes-Côte d\'Azur"' in text


@pytest.mark.parametrize("source", LISTS)
def test_our_writer_reproduces_a_real_file_byte_for_byte(source: str, tmp_path: Path) -> None:
    real = upstream() / source / FILES[source][0]
    header, *rows = cells(real)
    frame = pl.DataFrame(rows, schema=dict.fromkeys(header, pl.String), orient="row")
    ideo.write_ideo(frame, tmp_path / "ours.csv")
    assert (tmp_path / "ours.csv").read_bytes() == real.read_bytes()


@pytest.mark.parametrize("source", LISTS)
def test_the_header_is_that_of_the_real_file(source: str) -> None:
    name = FILES[source][0]
    assert cells(sample_file(source, name))[0] == cells(upstream() / source / name)[0]


@pytest.mark.parametrize("table", REFUSED)
def test_of_every_table_only_the_traps_are_refused(table: str) -> None:
    result = produced(table)
    assert result.frame.height > 50
    assert result.refused.height == REFUSED[table]


def test_some_sites_have_no_code_or_that_of_another() -> None:
    places = produced("etablissements_onisep").frame
    assert places["code_uai"].null_count() > 0
    assert places["code_uai"].drop_nulls().is_duplicated().any()
    shared = places.filter(sigle="UFA").drop_nulls("code_uai")
    assert shared["etablissements_lies"].list.len().eq(1).all()
    assert shared["code_uai"].is_in(sample_world().lycees["uai"].implode()).all()
    assert set(places["statut"]) == {"public", "privé sous contrat", "privé hors contrat"}


def test_a_site_is_where_the_directory_has_it() -> None:
    places = produced("etablissements_onisep").frame.filter(pl.col("sigle").is_null())
    directory = produced("annuaire_education").frame
    both = places.join(directory, left_on="code_uai", right_on="uai")
    assert both.height > 200
    assert (both["commune_cog"] == both["code_commune"]).all()
    assert (both["url_onisep"] == both["fiche_onisep"]).drop_nulls().all()
    assert (both["departement"] == both["libelle_departement"]).all()
    assert places["commune_cog"].is_in(list(known_codes())).all()
    assert {"75056", "69123", "13055"}.isdisjoint(places["commune_cog"])


def test_codes_of_cities_and_postal_codes_are_onisep_s() -> None:
    rows = rows_of("onisep_5fa5816ac6a6e")
    assert {"75100", "69380", "13200"} <= set(rows["commune_cog"])
    assert rows.filter(pl.col("commune_cog") == "75100")["arrondissement"].str.contains(r"^\d{1,2}$").all()
    assert "Paris (inventée)" in set(rows["commune"])
    national = World("national")
    names = ideo.with_places(national, national.schools.with_columns(ens=pl.lit("ENS.1")))
    ain = names.filter(code_departement="01")
    assert set(ain["cp"].str.len_chars()) == {4}


def test_specialties_cover_the_ministry_s_lycees_and_more() -> None:
    lycees = produced("specialites_lycees").frame
    general = sample_world().lycees.filter("voie_generale")["uai"]
    known = lycees.filter(pl.col("uai").is_in(general.implode()))
    assert known.height == general.len()
    assert 1 <= lycees.height - known.height <= 10
    assert lycees.filter(pl.col("nb_specialites") == 3)["specialites_array"].list.contains("Biologie-écologie").all()
    median = lycees["nb_specialites"].median()
    assert isinstance(median, float)
    assert 7 <= median <= 10


def test_options_and_languages_are_distinguished() -> None:
    options = produced("enseignements_optionnels_seconde").frame
    assert options.filter(pl.col("lv1").list.len() > 0).height >= options.height - 1
    assert set(options["lv1"].explode().drop_nulls()) <= {"anglais", "allemand", "espagnol"}
    assert "Langues et cultures de l'Antiquité : latin" in set(options["options"].explode())
    assert not options["options"].list.eval(pl.element().str.starts_with("LV")).list.any().any()


def test_a_course_is_taught_where_its_track_is() -> None:
    courses = produced("onisep_details_formations_lycees").frame.drop_nulls("uai")
    lycees = sample_world().lycees
    general = courses.filter(formation="classe de 1re générale").join(lycees, on="uai")
    vocational = courses.filter(type_formation="CAP").join(lycees, on="uai")
    assert general["voie_generale"].all()
    assert vocational.height > 100
    assert vocational["voie_professionnelle"].all()
    assert courses["domaines"].list.len().min() == 1


def test_the_course_changed_last_wins_for_an_identifier() -> None:
    rows = rows_of("onisep_605340ddc19a9")
    twice = rows.filter(pl.col("action_de_formation_af_identifiant_onisep").is_duplicated())
    assert twice.height == 2 * REFUSED["onisep_details_formations_lycees"]
    assert rows["ens_code_uai"].null_count() == 1


@pytest.mark.parametrize("source", FILES)
def test_a_new_release_changes_some_rows(source: str, tmp_path: Path) -> None:
    publication = next(item for item in publications() if item.source == source)
    before = sample_file(source, publication.file_name).read_bytes().splitlines()
    publication.write(World(releases={source: 1}), tmp_path / "next.csv")
    after = (tmp_path / "next.csv").read_bytes().splitlines()
    assert len(before) == len(after)
    changed = sum(old != new for old, new in zip(before, after, strict=True))
    assert 1 <= changed <= 0.03 * len(before) + 1


def test_the_national_files_have_their_real_sizes(tmp_path: Path) -> None:
    national = World("national")
    rows = {
        parameter: pl.read_csv(written(parameter, national, tmp_path), separator=";", infer_schema=False)
        for parameter in (
            "onisep_5fa5816ac6a6e",
            "onisep_605340ddc19a9",
            "onisep_60113f395cce6",
            "onisep_60113c3d5fee0",
        )
    }
    assert rows["onisep_5fa5816ac6a6e"].height == 15_266
    assert rows["onisep_605340ddc19a9"].height == 42_140
    assert rows["onisep_60113f395cce6"].height == pytest.approx(2_452, rel=0.02)
    assert rows["onisep_60113c3d5fee0"].height == pytest.approx(2_682, rel=0.02)
    actions = rows["onisep_605340ddc19a9"]
    assert actions.height - actions["Action de Formation (AF) identifiant Onisep"].n_unique() == 136
    assert actions["ENS code UAI"].null_count() == 55
    sites = rows["onisep_60113f395cce6"]
    assert sites["UAI lieu de cours"].null_count() == 7
    assert sites["UAI lieu de cours"].n_unique() == sites.height - 7 - 9 + 1
