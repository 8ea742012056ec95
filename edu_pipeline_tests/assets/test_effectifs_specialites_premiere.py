"""effectifs_specialites_premiere: columns become rows, in both vintages; masked counts stay."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl

from edu_pipeline.vocabulary import specialites
from edu_pipeline_tests.assets.inputs import conformed, from_text, real_rows
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.real_files import produced

TABLE, SOURCE = "effectifs_specialites_premiere", "fr_en_effectifs_specialites_triplettes_1ere_generale"
LABELS = (
    "num_ligne;RENTREE SCOLAIRE;code région académique;REGION ACADEMIQUE;code académie;ACADEMIE;code département;"
    "DEPARTEMENT;code postal;COMMUNE;UAI;DENOMINATION PRINCIPALE;PATRONYME;SECTEUR;EFFECTIF TOTAL;"
    "EFFECTIF TOTAL FILLES;EFFECTIF TOTAL GARCONS;0241 - LITTERATURE ET LCA LATIN - filles;"
    "0241 - LITTERATURE ET LCA LATIN - garçons;0439 - HIST.-GEO. GEOPOLITIQUE & SC.POLITIQUES - filles;"
    "0439 - HIST.-GEO. GEOPOLITIQUE & SC.POLITIQUES - garçons;0613 - MATHEMATIQUES - filles;"
    "0613 - MATHEMATIQUES - garçons;01 - MATHEMATIQUES/PHYSIQUE-CHIMIE/SCIENCES DE LA VIE ET DE LA TERRE - filles;"
    "01 - MATHEMATIQUES/PHYSIQUE-CHIMIE/SCIENCES DE LA VIE ET DE LA TERRE - garçons;AUTRES COMBINAISONS - filles;"
    "AUTRES COMBINAISONS - garçons"
)
LALANDE = "3;2021;01;AUVERGNE-RHONE-ALPES;10;LYON;001;AIN;01011;BOURG-EN-BRESSE;0010013J;LYCEE GENERAL;LALANDE;PUBLIC"
MACHINE_NAMES_2020 = (
    "rentree_scolaire;region_academique;academie;departement;commune;numero_etablissement;denomination;patronyme;"
    "secteur;effectif_total_en_premiere_generale;effectif_total_filles;effectif_total_garcons;"
    "0613_mathematiques_filles;0613_mathematiques_garcons;0001_mathematiques_physique_chimie_filles;"
    "0001_mathematiques_physique_chimie_garcons;hist_geo_geopolitique_sc_politiques_sciences_economiques_et_so"
)
COUNTS = ["code_specialite", "filles", "garcons", "effectif"]


def made(lines: list[str], folder: Path) -> Conformed:
    return conformed(TABLE, **{SOURCE: from_text(TABLE, SOURCE, lines, folder)})


def test_two_columns_per_specialty_become_a_row(tmp_path: Path) -> None:
    result = made([LABELS, f"{LALANDE};348;213;135;0;0;78;0;102;91;50;39;70;32"], tmp_path)
    assert result.refused.is_empty()
    assert result.frame.rows() == [
        (
            "0010013J",
            2021,
            code,
            label,
            girls,
            boys,
            girls + boys,
            348,
            "LYCEE GENERAL",
            "LALANDE",
            "public",
            "BOURG-EN-BRESSE",
            "01",
            "AIN",
            "10",
            "LYON",
        )
        for code, label, girls, boys in (
            ("0439", "Histoire-géographie, géopolitique et sciences politiques", 78, 0),
            ("0613", "Mathématiques", 102, 91),
        )
    ]


def test_a_row_with_a_masked_count_is_kept(tmp_path: Path) -> None:
    result = made([LABELS, f"{LALANDE};348;213;135;0;;NS;12;;;0;0;0;0"], tmp_path)
    assert result.refused.is_empty()
    assert result.frame.select(COUNTS).rows() == [
        ("0241", 0, None, None),
        ("0439", None, 12, None),
        ("0613", None, None, None),
    ]


def test_a_count_that_is_not_a_number_is_refused(tmp_path: Path) -> None:
    result = made([LABELS, f"{LALANDE};348;213;135;0;0;<5;12;102;91;0;0;0;0"], tmp_path)
    assert result.frame.select(COUNTS).rows() == [("0613", 102, 91, 193)]
    assert result.refused["reasons"].to_list() == [["filles: expected a whole number, found '<5'"]]


def test_the_machine_names_of_2020_without_codes(tmp_path: Path) -> None:
    place = "2020;AUVERGNE-RHONE-ALPES;LYON;AIN;BOURG-EN-BRESSE;0010013J;LYCEE GENERAL;LALANDE;PUBLIC"
    result = made([MACHINE_NAMES_2020, f"{place};348;213;135;102.0;91.0;1;1;1"], tmp_path)
    assert result.refused.is_empty()
    assert result.frame.select("uai", "rentree_scolaire", *COUNTS, "effectif_total", "code_departement").rows() == [
        ("0010013J", 2020, "0613", 102, 91, 193, 348, None)
    ]


def test_a_specialty_without_a_label_is_refused(tmp_path: Path) -> None:
    header = LABELS.replace("0241 - LITTERATURE ET LCA LATIN", "9999 - ASTROLOGIE")
    result = made([header, f"{LALANDE};348;213;135;1;2;0;0;102;91;0;0;0;0"], tmp_path)
    assert result.frame["code_specialite"].to_list() == ["0613"]
    assert result.refused["reasons"].to_list() == [["specialite: expected a value, found nothing"]]


def test_two_rows_of_a_lycee_in_a_year_are_refused(tmp_path: Path) -> None:
    row = f"{LALANDE};348;213;135;0;0;0;0;102;91;0;0;0;0"
    result = made([LABELS, row, row], tmp_path)
    assert (result.frame.height, result.refused.height) == (0, 2)


def test_the_real_file() -> None:
    rows, result = real_rows(SOURCE), produced(TABLE)
    girls = [name for name in rows[0] if re.match(r"\d{4} - .* - filles$", name)]
    assert {name[:4] for name in girls} == set(specialites.BY_CODE)
    counted = {
        (row["UAI"], int(row["RENTREE SCOLAIRE"]), name[:4]): int(row[name]) + int(row[name[:-6] + "garçons"])
        for row in rows
        for name in girls
    }
    assert (len(rows), len(counted), result.refused.height) == (6_781, 135_620, 0)
    key = ("uai", "rentree_scolaire", "code_specialite")
    assert {row[:3]: row[3] for row in result.frame.select(*key, "effectif").rows()} == {
        cell: pupils for cell, pupils in counted.items() if pupils
    }
    assert result.frame.height == 57_565
    assert result.frame.filter(pl.col("specialite") == "Mathématiques").height == 6_773
    assert result.frame["code_departement"].null_count() == 0
