"""metrics_colleges: the three variants of the export, and the directory's codes."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import polars as pl

from edu_pipeline_tests.assets.inputs import by_uai, conformed, from_text, real_rows, total
from edu_pipeline_tests.real_files import produced

TABLE = "metrics_colleges"
SOURCE = "fr_en_indicateurs_valeur_ajoutee_colleges"
DIRECTORY = pl.LazyFrame(
    [
        ("0010005A", "01025", "01", "10"),
        ("0150018N", "15119", "XX", "XX"),
    ],
    schema=["uai", "code_commune", "code_departement", "code_academie"],
    orient="row",
)
LABELS_2024 = (
    "Session;UAI;nom_etab;nom_com;nom_dept;acad;Secteur;Nb_candidats_G;Taux_reussite_G;VA_taux_reussite_G;"
    "Nb_candidats_P;Taux_de_reussite_P;Note_ecrit_G;VA_de_la_note_G;Note_ecrit_P;Taux_acces_6eme_3eme;"
    "Part_presents_3eme_ordinaire_Total;Part_presents_3eme_ordinaire_G;Part_presents_3eme_ordinaire_P;"
    "Part_presents_3eme_Segpa_Total;Nb_mentions_AB_G;Nb_mentions_B_G;Nb_mentions_TB_G;Nb_mentions_global_G"
)
LABELS_2025 = (
    "num_ligne;Session;UAI;Nom de l'établissement;Commune;Code région académique;Région académique;Code académie;"
    "Académie;Code département;Département;Secteur;Nb candidats G;Taux de réussite G;VA du taux de réussite G;Nb "
    "candidats P;Taux de réussite P;Note à l'écrit G;VA de la note G;Note à l'écrit P;Taux d'accès 6eme 3eme;"
    "Part présents 3eme ordinaire total;Part présents 3eme ordinaire G;Part présents 3eme ordinaire P;"
    "Part présents 3eme segpa total;Nb mentions AB G;Nb mentions B G;Nb mentions TB G;Nb mentions global G"
)
MACHINE_NAMES = (
    "session;uai;nom_de_l_etablissement;commune;departement;academie;secteur;nb_candidats_g;taux_de_reussite_g;"
    "va_du_taux_de_reussite_g;nb_candidats_p;taux_de_reussite_p;note_a_l_ecrit_g;va_de_la_note_g;note_a_l_ecrit_p;"
    "taux_d_acces_6eme_3eme;part_presents_3eme_ordinaire_total;part_presents_3eme_ordinaire_g;"
    "part_presents_3eme_ordinaire_p;part_presents_3eme_segpa_total;nb_mentions_ab_g;nb_mentions_b_g;nb_mentions_tb_g;"
    "nb_mentions_global_g"
)
ROGER_POULNARD = (
    "2023;0010005A;COLLEGE_ROGER_POULNARD;BAGE_DOMMARTIN;AIN;LYON;PU;127;93.0;-2.0;None;None;12.4;0.3;None;95.0;98.0;"
    "None;None;None;20;31;50;101"
)


def rows(lines: list[str], folder: Path) -> dict[str, dict[str, object]]:
    export = from_text(TABLE, SOURCE, lines, folder)
    result = conformed(TABLE, **{SOURCE: export, "annuaire_education": DIRECTORY})
    assert result.refused.is_empty()
    return by_uai(result)


def test_the_export_of_2024_has_underscores_and_no_codes(tmp_path: Path) -> None:
    row = rows([LABELS_2024, ROGER_POULNARD], tmp_path)["0010005A"]
    assert (row["session"], row["nom_etablissement"], row["commune"]) == (
        2023,
        "COLLEGE ROGER POULNARD",
        "BAGE DOMMARTIN",
    )
    assert (row["code_commune"], row["code_departement"], row["code_academie"]) == ("01025", "01", "10")
    assert (row["secteur"], row["region_academique"]) == ("public", None)
    assert (row["taux_reussite_g"], row["va_du_taux_de_reussite_g"]) == (Decimal("93.00"), Decimal("-2.00"))
    assert (row["nb_candidats_p"], row["taux_de_reussite_p"], row["note_a_l_ecrit_p"]) == (None, None, None)
    assert (row["note_a_l_ecrit_g"], row["va_de_la_note_g"]) == (Decimal("12.40"), Decimal("0.30"))
    assert (row["taux_d_acces_6eme_3eme"], row["nb_mentions_global_g"]) == (Decimal("95.00"), 101)


def test_the_codes_of_the_export_of_2025_are_kept(tmp_path: Path) -> None:
    by_code = rows(
        [
            LABELS_2025,
            "45;2022;0150018N;COLLEGE DES PORTES DU MIDI;MAURS;01;AUVERGNE-RHONE-ALPES;06;CLERMONT-FERRAND;15;CANTAL;"
            "PU;42;86.0;-4.0;;;8.8;-1.0;;92.0;100.0;100.0;;;15;8;6;29",
            "53;2022;0150034F;COLLEGE GEORGES BRASSENS;YDES;01;AUVERGNE-RHONE-ALPES;06;CLERMONT-FERRAND;15;CANTAL;PR;"
            "53;94.0;3.0;8;62.0;10.3;-0.5;8.4;94.0;98.0;85.0;13.0;;11;13;11;35",
        ],
        tmp_path,
    )
    maurs, ydes = by_code["0150018N"], by_code["0150034F"]
    assert (maurs["code_commune"], maurs["code_departement"], maurs["code_academie"]) == ("15119", "15", "06")
    assert (maurs["code_region_academique"], maurs["region_academique"]) == ("01", "AUVERGNE-RHONE-ALPES")
    assert (maurs["part_presents_3eme_ordinaire_g"], maurs["part_presents_3eme_segpa_total"]) == (100, None)
    assert (ydes["code_commune"], ydes["secteur"], ydes["taux_de_reussite_p"]) == (None, "privé", Decimal("62.00"))


def test_machine_names_and_timestamps(tmp_path: Path) -> None:
    line = ROGER_POULNARD.replace("2023;", "2023-01-01T00:00:00+00:00;").replace("None", "")
    expected = rows([LABELS_2024, ROGER_POULNARD], tmp_path)
    assert rows([MACHINE_NAMES, line], tmp_path) == expected


def test_the_real_export() -> None:
    exported, result = real_rows(SOURCE), produced(TABLE)
    frame = result.frame
    assert result.refused.is_empty()
    assert frame.height == len(exported) == 20053
    assert float(frame["taux_reussite_g"].sum()) == total(exported, "Taux de réussite G")
    assert float(frame["va_du_taux_de_reussite_g"].sum()) == total(exported, "VA du taux de réussite G")
    assert frame["va_du_taux_de_reussite_g"].null_count() == 1171
    assert frame["nb_candidats_p"].null_count() == 13917
    assert frame.filter(secteur="privé").height == sum(row["Secteur"] == "PR" for row in exported) == 4438
    directory = {row["Identifiant_de_l_etablissement"] for row in real_rows("fr_en_annuaire_education")}
    assert frame["code_commune"].count() == sum(row["UAI"] in directory for row in exported) == 1616
