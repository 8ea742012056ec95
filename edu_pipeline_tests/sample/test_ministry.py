"""The ministry's files of the sample: their forms, their traps, their agreement with each other."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest
import shapely

from edu_pipeline.sample import spelling
from edu_pipeline.sample.directory import publications
from edu_pipeline.sample.publishers import (
    ministry,
    ministry_classes,
    ministry_ips,
    ministry_results,
    ministry_sectors,
)
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import specialites
from edu_pipeline_tests.real_files import upstream
from edu_pipeline_tests.sample.communal import rows_of
from edu_pipeline_tests.sample.sample_files import produced, sample_file, sample_world

DIRECTORY = "fr-en-annuaire-education"
DATASETS = (
    DIRECTORY,
    ministry_results.IVAL,
    ministry_results.IVAC,
    ministry_ips.LYCEES,
    ministry_ips.COLLEGES,
    ministry_classes.PUPILS,
    ministry_classes.SECTIONS,
    ministry_sectors.COLLEGES,
    ministry_sectors.OCCITANIE,
)
REFUSED = {"annuaire_education": 4, "sections_internationales": 1}
"""Number of rows refused at the sample scale, by table: the traps."""


def raw(source: str) -> list[dict[str, str]]:
    """The rows of the written file as Python's csv module reads them."""
    with sample_file(source, f"{source}.csv").open(encoding="utf-8-sig", newline="") as stream:
        return list(csv.DictReader(stream, delimiter=";"))


def real_header(source: str, name: str = "") -> list[str]:
    """The header of the publisher's own file."""
    with (upstream() / source / (name or f"{source}.csv")).open(encoding="utf-8-sig", newline="") as stream:
        return next(csv.reader(stream, delimiter=";"))


def labels(source: str) -> list[str]:
    """The French labels of a dataset, in the order of its columns."""
    return list(next(item for item in publications() if item.source == source).labels.values())


@pytest.fixture(scope="module")
def national() -> World:
    return World("national")


@pytest.mark.parametrize("source", DATASETS)
def test_a_dataset_has_the_form_of_the_default_export(source: str) -> None:
    content = sample_file(source, f"{source}.csv").read_bytes()
    header, *_ = content.decode("utf-8-sig").split("\r\n", 1)
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.endswith(b"\r\n")
    assert header == header.lower()
    assert " " not in header


@pytest.mark.parametrize(
    "table",
    [
        "annuaire_education",
        "aggregated_data_lycees_2024",
        "metrics_colleges",
        "ips_lycees",
        "ips_colleges",
        "sections_internationales",
        "effectifs_specialites_premiere",
        "geodata_lycees",
        "lycees_geolocalisation",
        "colleges_geolocalisation",
        "lycees_address_uai_mapping",
    ],
)
def test_of_every_table_only_the_traps_are_refused(table: str) -> None:
    result = produced(table)
    assert result.frame.height > 15
    assert result.refused.height == REFUSED.get(table, 0)


def test_the_row_updated_last_wins_for_a_repeated_code() -> None:
    twice = [row for row in raw(DIRECTORY) if row["multi_uai"] == "1"]
    assert len(twice) == 2 * REFUSED["annuaire_education"]
    days = {row["date_maj_ligne"] for row in twice if row["nom_etablissement"].endswith("annexe")}
    assert days == {"2026-08-31", "2026-09-01"}
    winners = produced("annuaire_education").frame.filter("multi_uai")
    assert winners.height == len(twice) // 2
    assert not winners["nom_etablissement"].str.ends_with("annexe").any()


def test_the_directory_has_the_open_schools_where_they_are() -> None:
    directory = produced("annuaire_education").frame.select(
        "uai", "latitude", "longitude", "code_commune", "nombre_d_eleves"
    )
    schools = sample_world().schools
    missing = schools.join(directory, on="uai", how="anti")
    assert missing["type"].to_list() == ["Collège"]
    both = directory.join(schools, on="uai")
    assert (both["code_commune"] == both["code_place"]).all()
    assert both["latitude"].eq_missing(both["latitude_right"]).all()
    assert (
        both.filter(pl.col("type") != "Ecole")["nombre_d_eleves"].null_count()
        == both.filter(pl.col("type") != "Ecole").height
    )
    without = both.filter(pl.col("latitude").is_null())
    assert without.height > 0
    assert set(without["type"]) <= {"Collège", "Lycée", "EREA"}


def test_the_directory_is_written_like_the_real_one() -> None:
    rows = raw(DIRECTORY)
    assert {row["code_departement"] for row in rows} == {"013", "02A", "031", "035", "069", "075", "078", "971"}
    assert {row["voie_generale"] for row in rows if row["type_etablissement"] == "Lycée"} == {"0", "1"}
    assert {row["voie_generale"] for row in rows if row["type_etablissement"] == "Ecole"} == {""}
    assert {row["epsg_origine"] for row in rows if row["latitude"]} == {"EPSG:2154", "EPSG:5490"}
    assert all(
        6_000_000 < float(row["coordy_origine"]) < 7_200_000 for row in rows if row["epsg_origine"] == "EPSG:2154"
    )
    assert all(row["position"] == f"{row['latitude']}, {row['longitude']}" for row in rows if row["latitude"])
    assert any('"' in row["nom_etablissement"] and ";" in row["nom_etablissement"] for row in rows)
    assert all("invent" in row["nom_etablissement"].lower() for row in rows)


def test_a_lycees_candidates_and_rates_add_up() -> None:
    lycees = produced("aggregated_data_lycees_2024").frame
    series = pl.sum_horizontal(pl.col(f"presents_{code}") for code in ministry_results.SERIES)
    assert (lycees["presents_toutes_series"] == lycees.select(series).to_series()).all()
    assert set(lycees["annee"]) == set(range(2012, 2026))
    assert (
        lycees.filter(pl.col("annee") > 2020)["presents_s"].null_count() == lycees.filter(pl.col("annee") > 2020).height
    )
    assert lycees.filter(pl.col("annee") < 2021)["presents_gnle"].count() == 0
    mean = lycees["taux_reussite_toutes_series"].cast(pl.Float64).mean()
    assert isinstance(mean, float)
    assert 85 < mean < 98
    latest = lycees.filter(annee=2025)
    assert latest.height == sample_world().lycees_gt.height
    mentions = latest.select(pl.sum_horizontal(pl.col("^nb_mentions_.*_g$"))).to_series()
    assert (mentions <= latest["presents_gnle"].fill_null(0)).all()


def test_hidden_value_added_is_nd_as_text_else_empty() -> None:
    rows = rows_of("fr_en_indicateurs_de_resultat_des_lycees_gt_v2")
    assert (rows["va_reu_gnle"] == "ND").sum() > 0
    assert rows["va_reu_total"].null_count() > 0
    assert not (rows["va_reu_total"] == "ND").any()
    assert set(rows["annee"].str.slice(4)) == {"-01-01T00:00:00+00:00"}
    assert rows["taux_reu_total"].str.ends_with(".0").all()
    assert not rows["taux_reu_gnle"].drop_nulls().str.ends_with(".0").any()
    assert rows["taux_reu_sti2d"].is_null().eq(rows["presents_sti2d"].is_null()).all()


def test_results_follow_the_social_level_of_pupils() -> None:
    results = (
        produced("aggregated_data_lycees_2024")
        .frame.filter(annee=2025)
        .select("uai", rate=pl.col("taux_mentions_toutes_series").cast(pl.Float64))
    )
    index = produced("ips_lycees").frame.select("uai", ips=pl.col("ips").cast(pl.Float64))
    both = results.join(index, on="uai").drop_nulls()
    assert both.select(pl.corr("rate", "ips")).item() > 0.6


def test_a_college_missing_in_the_directory_has_no_commune() -> None:
    colleges = produced("metrics_colleges").frame
    unknown = colleges.filter(pl.col("code_commune").is_null())
    assert 1 <= unknown["uai"].n_unique() <= 2
    assert set(colleges["session"]) == {2022, 2023, 2024, 2025}
    assert set(colleges["secteur"]) == {"public", "privé"}
    assert colleges["va_du_taux_de_reussite_g"].null_count() > 0
    assert colleges.filter(pl.col("nb_candidats_g") < 40)["va_du_taux_de_reussite_g"].count() == 0
    total = colleges["nb_mentions_ab_g"] + colleges["nb_mentions_b_g"] + colleges["nb_mentions_tb_g"]
    assert (total == colleges["nb_mentions_global_g"]).all()


def test_indices_of_lycees_are_text_and_a_few_are_hidden() -> None:
    rows = rows_of("fr_en_ips_lycees_ap2023")
    own = rows["ips_etab"]
    assert own.null_count() == 3  # one lycée, three rentrées
    assert (own == "NS").sum() == 1
    assert not own.drop_nulls().str.ends_with(".0").any()
    assert rows["ips_national_legt"].str.contains(r"\.\d$").all()
    assert set(rows["rentree_scolaire"]) == {"2023-2024", "2024-2025", "2025-2026"}
    assert set(rows["code_du_departement"]) == {"13", "2A", "31", "35", "69", "75", "78", "971"}
    assert (rows["code_region"] != rows["code_region_insee"]).any()
    vocational = rows.filter(type_de_lycee="LP", rentree_scolaire="2025-2026")
    mean = vocational.select(pl.col("ips_etab").cast(pl.Float64, strict=False).mean()).item()
    assert mean == pytest.approx(float(vocational["ips_national_lp"][0]), abs=1)


def test_the_lycees_of_the_readmes_query_exist() -> None:
    """Lycées of Yvelines with an index of at least 100 that teach mathematics."""
    lycees = (
        produced("aggregated_data_lycees_2024")
        .frame.filter(code_departement="78", annee=2024)
        .join(produced("ips_lycees").frame.filter(pl.col("ips") >= 100), on="uai", how="semi")
        .join(produced("specialites_lycees").frame.select("uai", "specialites_array"), on="uai")
        .filter(pl.col("specialites_array").list.contains("Mathématiques"))
    )
    assert lycees.height >= 5


def test_indices_of_colleges_are_numbers_and_a_few_are_hidden() -> None:
    rows = rows_of("fr_en_ips_colleges_ap2023")
    assert (rows["ips"] == "NA").sum() == 1
    assert rows["latitude_et_longitude_wgs84"].str.contains(r"^-?\d+\.\d+, -?\d+\.\d+$").drop_nulls().all()
    colleges = produced("ips_colleges").frame
    assert colleges["ips"].null_count() <= 1
    assert set(colleges["rentree_scolaire"]) == {"2025-2026"}


def test_every_pupil_takes_three_specialties() -> None:
    lycees = produced("effectifs_specialites_premiere").frame.filter(pl.col("rentree_scolaire") < 2025)
    sums = lycees.group_by("uai", "rentree_scolaire").agg(pl.col("effectif").sum(), pl.col("effectif_total").first())
    assert (sums["effectif"] == 3 * sums["effectif_total"]).all()
    assert set(lycees["secteur"]) == {"public", "privé sous contrat"}


def test_small_counts_are_masked_since_2025() -> None:
    lycees = produced("effectifs_specialites_premiere").frame
    masked = pl.col("filles").is_null() | pl.col("garcons").is_null()
    assert set(lycees.filter(masked)["rentree_scolaire"]) == {2025}
    assert lycees.filter(pl.col("rentree_scolaire") == 2025, pl.col("filles").is_between(1, 4)).is_empty()


def test_pupils_take_specialties_that_onisep_lists() -> None:
    offered = produced("specialites_lycees").frame.select("uai", label="specialites_array").explode("label")
    language = pl.col("label").str.starts_with("LLCER")
    antiquity = pl.col("label").str.starts_with("Littérature et langues et cultures de l'Antiquité")
    offered = offered.with_columns(
        label=pl.when(language)
        .then(pl.lit(specialites.BY_CODE["0300"]))
        .when(antiquity)
        .then(pl.lit("Littérature et langues et cultures de l'Antiquité"))
        .otherwise("label")
    )
    taken = (
        produced("effectifs_specialites_premiere")
        .frame.select("uai", label="specialite")
        .with_columns(
            label=pl.when(antiquity)
            .then(pl.lit("Littérature et langues et cultures de l'Antiquité"))
            .otherwise("label")
        )
    )
    without = taken.filter(pl.col("uai").is_in(offered.filter(pl.col("label").is_not_null())["uai"].implode())).join(
        offered, on=["uai", "label"], how="anti"
    )
    unnamed = offered.filter(pl.col("label").is_null())["uai"].n_unique()
    assert without.is_empty()
    assert unnamed <= 1


def test_long_machine_names_are_truncated_like_the_portals() -> None:
    names = list(ministry_classes.LABELS)
    assert len(names) == 95
    assert names[57].endswith("_sciences_economiques_et_so")
    assert names[58].endswith("_sciences_economiques_et_s0")
    assert max(map(len, names)) == 100


def test_the_directory_marks_schools_with_sections() -> None:
    sections = produced("sections_internationales").frame
    flagged = produced("annuaire_education").frame.filter("section_internationale")["uai"].to_list()
    abroad = {country for country, *_ in ministry_classes.ABROAD}
    second_degree = sections.filter(~pl.col("academie").is_in(abroad), pl.col("niveau") != "Elémentaire")
    assert set(sections["academie"]) & abroad
    assert set(flagged) <= set(second_degree["uai"])
    assert len(set(second_degree["uai"]) - set(flagged)) <= 1  # a collège that has closed
    assert set(sections["rentree_scolaire"]) == {2025}


def test_a_commune_or_its_streets_belong_to_colleges() -> None:
    rows = rows_of("fr_en_carte_scolaire_colleges_publics")
    whole, streets = rows.filter(secteur_unique="O"), rows.filter(secteur_unique="N")
    assert whole["type_et_libelle"].count() == whole["code_postal"].count() == 0
    assert streets["type_et_libelle"].null_count() == streets["code_postal"].null_count() == 0
    assert not set(whole["code_insee"]) & set(streets["code_insee"])
    assert (streets.group_by("code_insee").agg(pl.col("code_rne").n_unique())["code_rne"] > 1).all()
    assert set(streets["parite"]) == {"PI", "P", "I"}
    assert streets["n_de_voie_debut"].str.ends_with(".0").all()
    assert "9999.0" in set(streets["n_de_voie_fin"])
    assert streets["code_rne"].null_count() > 0
    assert not {"031", "075"} & set(rows["code_departement"])
    assert {"02A", "971"} <= set(rows["code_departement"])
    assert {"69381", "13201"} & set(rows["code_insee"])
    assert not {"69123", "13055"} & set(rows["code_insee"])
    public = sample_world().colleges.filter("public")["uai"]
    assert rows["code_rne"].drop_nulls().is_in(public.implode()).all()


def test_the_pieces_of_a_street_cover_its_numbers_once() -> None:
    rows = rows_of("fr_en_carte_scolaire_colleges_publics").filter(secteur_unique="N")
    for (_, _), pieces in rows.group_by("code_insee", "type_et_libelle"):
        covered = [
            number
            for first, last, side in pieces.select("n_de_voie_debut", "n_de_voie_fin", "parite").iter_rows()
            for number in range(int(float(first)), min(int(float(last)), 1000) + 1)
            if side == "PI" or (number % 2 == 0) == (side == "P")
        ]
        assert sorted(covered) == list(range(1, 1001))


def test_occitanie_has_sentences_and_contours() -> None:
    rows = raw(ministry_sectors.OCCITANIE)
    assert {row["type_etablissement"] for row in rows} == {"COLLEGE", "LYCEE"}
    assert {row["code_departement"] for row in rows} == {"31"}
    streets = [row for row in rows if row["type_et_libelle"]]
    assert {row["parite"] for row in streets} >= {"Tous les N°, de"}
    assert all(row["numero_voie_et_cote"] == f"{row['parite']}  {row['numero_de_voie']}" for row in streets)
    contours = sample_world().contours.set_index("code").geometry
    for row in rows[:40]:
        drawn = shapely.from_geojson(row["geo_shape"])
        assert drawn.equals(contours[row["code_insee"]])
        assert list(json.loads(row["geo_shape"])) == ["coordinates", "type"]


@pytest.mark.parametrize(
    ("source", "module", "function"),
    [
        (DIRECTORY, ministry, "directory"),
        (ministry_results.IVAL, ministry_results, "results_of_lycees"),
        (ministry_results.IVAC, ministry_results, "results_of_colleges"),
        (ministry_ips.LYCEES, ministry_ips, "ips_of_lycees"),
        (ministry_ips.COLLEGES, ministry_ips, "ips_of_colleges"),
        (ministry_classes.PUPILS, ministry_classes, "pupils_by_specialty"),
        (ministry_classes.SECTIONS, ministry_classes, "international_sections"),
        (ministry_sectors.COLLEGES, ministry_sectors, "sectors_of_colleges"),
        (ministry_sectors.OCCITANIE, ministry_sectors, "sectors_of_occitanie"),
    ],
)
def test_a_new_release_changes_some_rows(source: str, module: object, function: str) -> None:
    make = getattr(module, function)
    before, after, other = make(World()), make(World(releases={source: 1})), make(World(releases={"else": 1}))
    assert before.equals(other)
    changed = before.select(pl.struct(pl.all())).to_series() != after.select(pl.struct(pl.all())).to_series()
    assert after.height == before.height
    assert 1 <= changed.sum() <= 0.06 * before.height + 1


def test_the_national_files_have_their_real_sizes(national: World) -> None:
    sizes = {
        "annuaire": ministry.directory(national).height,
        "lycees": ministry_results.results_of_lycees(national).height,
        "colleges": ministry_results.results_of_colleges(national).height,
        "ips_lycees": ministry_ips.ips_of_lycees(national).height,
        "ips_colleges": ministry_ips.ips_of_colleges(national).height,
        "sections": ministry_classes.international_sections(national).height,
    }
    assert sizes.pop("annuaire") == pytest.approx(67_900, rel=0.01)
    assert sizes == {
        "lycees": 32_485,
        "colleges": 26_869,
        "ips_lycees": 3_616 + 3_627 + 3_662,
        "ips_colleges": 13_972 + 7_089,
        "sections": 1_044,
    }
    pupils = ministry_classes.pupils_by_specialty(national)
    assert pupils.height == pytest.approx(11_324, rel=0.1)
    assert pupils.group_by("rentree_scolaire", "numero_etablissement").len()["len"].max() == 1
    streets = ministry_sectors.sectors_of_colleges(national).filter(pl.col("secteur_unique") == "N").height
    assert streets == pytest.approx(1_000_000, rel=0.05)


def test_mayotte_has_no_value_added(national: World) -> None:
    mayotte = ministry_results.results_of_lycees(national).filter(code_departement="976")
    assert mayotte.height > 50
    assert mayotte["va_reu_total"].count() == 0
    assert set(mayotte["va_reu_gnle"].drop_nulls()) == {"ND"}


@pytest.mark.parametrize("source", [DIRECTORY, ministry_results.IVAC, ministry_classes.PUPILS])
def test_the_labels_are_those_of_a_real_export(source: str) -> None:
    assert labels(source) == real_header(source)


def test_the_columns_of_occitanie_are_real() -> None:
    header = real_header(ministry_sectors.OCCITANIE, "extract.csv")
    assert list(raw(ministry_sectors.OCCITANIE)[0]) == header


def test_real_exports_have_the_form_of_ours(tmp_path: Path) -> None:
    for source in (ministry_results.IVAC, ministry_classes.PUPILS):
        content = (upstream() / source / f"{source}.csv").read_bytes()
        assert content.startswith(b"\xef\xbb\xbf")
        assert content.endswith(b"\r\n")
        assert b'"' not in content


def test_helpers_spell_as_the_ministry_does() -> None:
    text = pl.DataFrame({"name": ["Lycée inventé Cœur de L'Hôpital (annexe)"]})
    assert text.select(spelling.capitals(pl.col("name"))).item() == "LYCEE INVENTE COEUR DE L'HOPITAL (ANNEXE)"
    assert text.select(spelling.bare_capitals(pl.col("name"))).item() == "LYCEE INVENTE COEUR DE L HOPITAL (ANNEXE)"
    codes = pl.DataFrame({"code": ["01", "2A", "971"]}).select(spelling.three_characters(pl.col("code")))
    assert codes.to_series().to_list() == ["001", "02A", "971"]
