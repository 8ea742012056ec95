"""aggregated_data_lycees_2024: the variants of the export, the workbook, and both together."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from edu_pipeline.catalogue import files_by_parameter
from edu_pipeline.errors import ColumnMissing
from edu_pipeline.table import tables
from edu_pipeline_tests.assets.inputs import conformed, from_text, real_rows, total
from edu_pipeline_tests.real_files import produced, real_file

TABLE = "aggregated_data_lycees_2024"
EXPORT = "fr_en_indicateurs_de_resultat_des_lycees_gt_v2"
WORKBOOK = f"{EXPORT}__classeur"
SERIES = ("l", "es", "s", "gnle", "sti2d", "std2a", "stmg", "stl", "st2s", "s2tmd", "sthr")

MACHINE_NAMES = [
    "annee",
    "uai",
    "libelle_uai",
    "secteur",
    "code_commune",
    "libelle_commune",
    "code_departement",
    "libelle_departement",
    "libelle_academie",
    "code_region",
    "libelle_region",
    "presents_total",
    "taux_reu_total",
    "va_reu_total",
    "taux_acces_2nde",
    "va_acces_2nde",
    "taux_men_total",
    "va_men_total",
    *(f"{measure}_{series}" for measure in ("presents", "taux_reu", "va_reu") for series in SERIES),
    "eff_2nde",
    "eff_1ere",
    "eff_term",
    "taux_acces_1ere",
    "taux_acces_term",
    "va_acces_1ere",
    "va_acces_term",
    *(f"{measure}_{series}" for measure in ("taux_men", "va_men") for series in SERIES),
    *(f"nb_mentions_{mention}_{track}" for track in "gt" for mention in ("tb_avecf", "tb_sansf", "b", "ab")),
]
LABELS = [
    "Année",
    "UAI",
    "Etablissement",
    "Secteur",
    "Code commune",
    "Commune",
    "Code departement",
    "Departement",
    "Academie",
    "Code region",
    "Region",
    "Présents - Toutes séries",
    "Taux de réussite - Toutes séries",
    "Valeur ajoutée du taux de réussite - Toutes séries",
    "Taux d'accès 2nde-bac",
    "Valeur ajoutée du taux d'acces 2nde-bac",
    "Taux de mentions - Toutes séries",
    "Valeur ajoutée du taux de mentions - Toutes séries",
    *(
        f"{measure} - {series.upper()}"
        for measure in ("Présents", "Taux de réussite", "Valeur ajoutée du taux de réussite")
        for series in SERIES
    ),
    "Effectif de seconde",
    "Effectif de premiere",
    "Effectif de terminale",
    "Taux d'accès 1ere-bac",
    "Taux d'accès terminale-bac",
    "Valeur ajoutée du taux d'accès 1ere-bac",
    "Valeur ajoutée du taux d'accès terminale-bac",
    *(
        f"{measure} - {series.upper()}"
        for measure in ("Taux de mentions", "Valeur ajoutée du taux de mentions")
        for series in SERIES
    ),
    *(
        f"Nombre de mentions {mention} - {track}"
        for track in "GT"
        for mention in ("TB avec félicitations", "TB sans félicitations", "B", "AB")
    ),
]
LAVAL = {
    "annee": "2024",
    "uai": "0530048P",
    "libelle_uai": "LYCEE IMMACULEE CONCEPTION",
    "secteur": "privé sous contrat",
    "code_commune": "53130",
    "libelle_commune": "LAVAL",
    "code_departement": "53",
    "libelle_departement": "MAYENNE",
    "libelle_academie": "NANTES",
    "code_region": "52",
    "libelle_region": "PAYS DE LA LOIRE",
    "presents_total": "279",
    "taux_reu_total": "100.0",
    "va_reu_total": "1.0",
    "taux_acces_2nde": "86.0",
    "va_acces_2nde": "-3.0",
    "taux_men_total": "77.0",
    "va_men_total": "-2.0",
    "presents_gnle": "247",
    "presents_sti2d": "32",
    "taux_reu_gnle": "100",
    "taux_reu_sti2d": "100",
    "va_reu_gnle": "1",
    "va_reu_sti2d": "4",
    "eff_2nde": "319",
    "eff_1ere": "277",
    "eff_term": "260",
    "taux_acces_1ere": "96",
    "taux_acces_term": "100",
    "va_acces_1ere": "0",
    "va_acces_term": "1",
    "taux_men_gnle": "79",
    "taux_men_sti2d": "62",
    "va_men_gnle": "-2",
    "va_men_sti2d": "0",
    "nb_mentions_tb_avecf_g": "2",
    "nb_mentions_tb_sansf_g": "38",
    "nb_mentions_b_g": "69",
    "nb_mentions_ab_g": "87",
    "nb_mentions_tb_sansf_t": "2",
    "nb_mentions_b_t": "5",
    "nb_mentions_ab_t": "13",
}


def export_lines(*rows: dict[str, str], header: list[str] = MACHINE_NAMES) -> list[str]:
    return [";".join(header), *(";".join(row.get(name, "") for name in MACHINE_NAMES) for row in rows)]


def export(folder: Path, *rows: dict[str, str], header: list[str] = MACHINE_NAMES) -> pl.LazyFrame:
    return from_text(TABLE, EXPORT, export_lines(*rows, header=header), folder)


def workbook(*rows: dict[str, str]) -> pl.LazyFrame:
    """What the transform receives from the workbook: the contract's columns in it, and the vintage."""
    absent = ("region", "code_region", "annee", "code_departement")
    names = [name for name in columns() if name not in absent and not name.endswith(("_l", "_es", "_s", "_g", "_t"))]
    return pl.LazyFrame(
        [{name: row.get(name) for name in names} | {"vintage": "2024"} for row in rows],
        schema=dict.fromkeys([*names, "vintage"], pl.String),
    )


def columns() -> list[str]:
    return list(tables()[TABLE].contract.columns())


def test_the_export_with_machine_names(tmp_path: Path) -> None:
    assert len(MACHINE_NAMES) == 88 == len(columns())
    result = conformed(TABLE, **{EXPORT: export(tmp_path, LAVAL)})
    assert result.refused.is_empty()
    row = result.frame.row(0, named=True)
    assert (row["uai"], row["annee"], row["code_departement"], row["secteur"]) == (
        "0530048P",
        2024,
        "53",
        "privé sous contrat",
    )
    assert row["presents_toutes_series"] == 279
    assert row["taux_reussite_toutes_series"] == Decimal("100.00")
    assert row["valeur_ajoutee_taux_reussite_toutes_series"] == Decimal("1.00")
    assert row["taux_acces_2nde_bac"] == Decimal("86.00")
    assert row["valeur_ajoutee_taux_acces_2nde_bac"] == Decimal("-3.00")
    assert row["taux_mentions_toutes_series"] == Decimal("77.00")
    assert row["valeur_ajoutee_taux_mentions_toutes_series"] == Decimal("-2.00")
    assert (row["presents_gnle"], row["presents_l"]) == (247, None)
    assert (row["taux_reussite_sti2d"], row["valeur_ajoutee_taux_reussite_sti2d"]) == (100, 4)
    assert (row["taux_mentions_sti2d"], row["valeur_ajoutee_taux_mentions_gnle"]) == (62, -2)
    assert (row["eff_2nde"], row["eff_1ere"], row["eff_term"]) == (319, 277, 260)
    assert (row["taux_acces_1ere"], row["va_acces_term"]) == (96, 1)
    assert (row["nb_mentions_ab_g"], row["nb_mentions_tb_avecf_t"]) == (87, None)


def test_labels_and_another_column_order_give_the_same_rows(tmp_path: Path) -> None:
    expected = conformed(TABLE, **{EXPORT: export(tmp_path, LAVAL)}).frame
    labelled = conformed(TABLE, **{EXPORT: export(tmp_path, LAVAL, header=LABELS)}).frame
    turned = [";".join(reversed(line.split(";"))) for line in export_lines(LAVAL)]
    numbered = [f"num_ligne;{turned[0]}", f"964.0;{turned[1]}"]
    other_order = conformed(TABLE, **{EXPORT: from_text(TABLE, EXPORT, numbered, tmp_path)}).frame
    dated = conformed(TABLE, **{EXPORT: export(tmp_path, LAVAL | {"annee": "2024-01-01T00:00:00+00:00"})}).frame
    assert labelled.equals(expected)
    assert other_order.equals(expected)
    assert dated.equals(expected)


def test_a_hidden_rate_is_null_an_impossible_one_is_refused(tmp_path: Path) -> None:
    hidden = LAVAL | {"va_reu_gnle": "ND", "taux_reu_gnle": "ND"}
    impossible = LAVAL | {"uai": "0530012A", "taux_reu_total": "101"}
    result = conformed(TABLE, **{EXPORT: export(tmp_path, hidden, impossible)})
    assert result.frame.select("taux_reussite_gnle", "valeur_ajoutee_taux_reussite_gnle").rows() == [(None, None)]
    assert result.refused["key"].to_list() == ["0530012A / 2024"]
    assert result.refused["reasons"][0].to_list() == ["taux_reussite_toutes_series: expected at most 100, found 101.00"]


def test_a_missing_key_is_named_in_the_error(tmp_path: Path) -> None:
    with pytest.raises(ColumnMissing, match="'annee'"):
        export(tmp_path, LAVAL, header=[name if name != "annee" else "other" for name in MACHINE_NAMES])


def test_the_workbook_adds_what_the_export_lacks(tmp_path: Path) -> None:
    in_both = {"uai": "0530048P", "presents_toutes_series": "1", "code_commune": "53130"}
    same_lycee_other_year = LAVAL | {"annee": "2023"}
    others = [
        {
            "uai": "9711086D",
            "code_commune": "97103",
            "secteur": "public",
            "valeur_ajoutee_taux_reussite_toutes_series": "+4",
        },
        {"uai": "0040003G", "code_commune": "04019", "secteur": "public"},
        {"uai": "6200001G", "code_commune": "2A004", "secteur": "privé"},
        {"uai": "1300023U", "code_commune": "99130", "departement": "PYRENEES-ORIENTALES", "secteur": "public"},
    ]
    result = conformed(
        TABLE,
        **{
            EXPORT: export(tmp_path, LAVAL, same_lycee_other_year),
            WORKBOOK: workbook(in_both, *others),
        },
    )
    assert result.refused.is_empty()
    rows = result.frame.select("uai", "annee", "code_departement", "presents_toutes_series", "region").rows()
    assert rows == [
        ("0530048P", 2024, "53", 279, "PAYS DE LA LOIRE"),
        ("0530048P", 2023, "53", 279, "PAYS DE LA LOIRE"),
        ("9711086D", 2024, "971", None, None),
        ("0040003G", 2024, "04", None, None),
        ("6200001G", 2024, "2A", None, None),
        ("1300023U", 2024, None, None, None),
    ]
    assert result.frame["valeur_ajoutee_taux_reussite_toutes_series"][2] == Decimal("4.00")


def test_the_real_export_and_workbook() -> None:
    path = real_file(files_by_parameter()[WORKBOOK])
    if path is None:
        pytest.skip("EDU_UPSTREAM has no workbook")
    cells = pl.read_excel(path, sheet_name="LGT", has_header=False, infer_schema_length=0, drop_empty_rows=False)
    sheet = [[cell or "" for cell in row] for row in cells.rows()[2:]]
    exported = real_rows(EXPORT)
    keys = {(row["uai"], row["annee"]) for row in exported}
    only_in_workbook = [row for row in sheet if (row[4], "2024") not in keys]
    assert (len(sheet), len(exported), len(only_in_workbook)) == (2331, 329, 2024)

    result = produced(TABLE)
    frame = result.frame
    assert result.refused.is_empty()
    assert frame.height == len(exported) + len(only_in_workbook) == 2353
    assert frame.filter(annee=2024).height == 2331
    for column, machine_name, position in (
        ("presents_toutes_series", "presents_total", 15),
        ("taux_reussite_stmg", "taux_reu_stmg", 17),
        ("valeur_ajoutee_taux_reussite_toutes_series", "va_reu_total", 42),
        ("taux_mentions_gnle", "taux_men_gnle", 43),
        ("valeur_ajoutee_taux_mentions_toutes_series", "va_men_total", 69),
        ("eff_term", "eff_term", 72),
        ("taux_acces_2nde_bac", "taux_acces_2nde", 73),
        ("va_acces_term", "va_acces_term", 81),
    ):
        in_workbook = total([{"cell": row[position]} for row in only_in_workbook], "cell")
        assert float(frame[column].sum()) == total(exported, machine_name) + in_workbook, column
    published = sum(row[42] not in ("", "ND") for row in only_in_workbook) + sum(
        row["va_reu_total"] != "" for row in exported
    )
    assert frame["valeur_ajoutee_taux_reussite_toutes_series"].count() == published
    assert frame.filter(pl.col("code_departement").is_null())["uai"].to_list() == ["1300023U"]  # in Andorra
    assert frame.filter(code_departement="78", annee=2024).height == sum(row[1] == "YVELINES" for row in sheet) == 55
    assert set(frame.filter(pl.col("code_departement").str.starts_with("97"))["code_departement"]) == {
        "971",
        "972",
        "973",
        "974",
        "976",
        "978",
    }
    assert frame.filter(uai="0040003G", annee=2024).select(
        "taux_reussite_gnle", "valeur_ajoutee_taux_reussite_gnle"
    ).row(0) == (Decimal("94.00"), None)
