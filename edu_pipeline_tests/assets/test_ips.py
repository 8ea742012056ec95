"""ips_lycees and ips_colleges: the vintages, the latest school year, hidden indices."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from edu_pipeline_tests.assets.inputs import (
    by_uai,
    conformed,
    from_text,
    real_rows,
    taken_in,
    total,
)
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.real_files import produced, upstream

LYCEES, COLLEGES = "fr_en_ips_lycees_ap2023", "fr_en_ips_colleges_ap2023"

KINDS = ("legt", "lpo", "lp")
BENCHMARKS = [
    f"ips_{area}_{kind}"
    for area in ("national", "academique", "departemental")
    for kind in (*KINDS, *(f"{kind}_{sector}" for kind in KINDS for sector in ("prive", "public")))
]
LYCEE_2026 = ";".join(
    [
        "rentree_scolaire;code_region;code_region_insee;region_academique;code_academie;academie;code_du_departement",
        "departement;code_insee_de_la_commune;nom_de_la_commune;uai;nom_de_l_etablissement;secteur;type_de_lycee",
        "ips_voie_gt;ips_voie_pro;ips_post_bac;ips_etab;ecart_type_voie_gt;ecart_type_voie_pro;"
        "ecart_type_etablissement",
        *BENCHMARKS,
    ]
)
CURIE = (
    "2023-2024;09;32;HAUTS-DE-FRANCE;09;LILLE;59;NORD;59033;AULNOYE AYMERIES;0590015W;LYCEE PROFESSIONNEL PIERRE ET "
    "MARIE CURIE;public;LP;;79.6;;79.5;;24.1;23.9;118.5;103.5;88.9;132.4;113.9;116.2;101.1;103.8;85.3;112.4;99.8;80.3;"
    "131.3;105.8;108.5;94.4;96.6;78.5;115.0;98.5;81.1;131.4;107.4;106.2;92.6;97.1;78.3"
)
COLLEGE_2025 = (
    "num_ligne;rentree_scolaire;code_region;region_academique;code_academie;academie;code_du_departement;departement;"
    "code_insee_de_la_commune;nom_de_la_commune;uai;nom_de_l_etablissement;secteur;ips;ecart_type_de_l_ips;"
    "ips_national_prive;ips_national_public;ips_national;ips_academique_prive;ips_academique_public;ips_academique;"
    "ips_departemental_prive;ips_departemental_public;ips_departemental"
)
GENNES = (
    "11683.0;2024-2025;17;PAYS DE LA LOIRE;17;NANTES;72;SARTHE;72181;LE MANS;0720902P;COLLEGE PIERRE GILLES DE GENNES;"
    "public;78.7;23.9;125.1;100.9;106.1;117.5;102.8;109.1;115.9;97.7;102.1"
)
COLLEGE_2026 = (
    "Année scolaire;Code région;Code région Insee;Libellé région académique;Code académie;Libellé académie;"
    "Code département;Libellé département;Code commune Insee;Libellé commune;UAI;Nom de l'établissement;Secteur;IPS;"
    "Ecart type de l'IPS;IPS national privé;IPS national public;IPS national;IPS académique privé;IPS académique "
    "public;IPS académique;IPS départemental privé;IPS départemental public;IPS départemental;Latitude et longitude "
    "WGS84"
)
MONOD = (
    "2024-2025;09;32;HAUTS-DE-FRANCE;09;LILLE;59;NORD;59008;ANICHE;0590002G;COLLEGE THEODORE MONOD;public;82.2;25.3;"
    "125.1;100.9;106.1;119.9;91.7;99.5;120.0;92.8;101.7;50.33181566173207, 3.247760687010971"
)


def lycees(folder: Path, *lines: str) -> Conformed:
    return conformed("ips_lycees", **{LYCEES: from_text("ips_lycees", LYCEES, lines, folder)})


def colleges(folder: Path, *lines: str) -> Conformed:
    return conformed("ips_colleges", **{COLLEGES: from_text("ips_colleges", COLLEGES, lines, folder)})


def test_a_lycee_of_the_current_files(tmp_path: Path) -> None:
    result = lycees(tmp_path, LYCEE_2026, CURIE)
    assert result.refused.is_empty()
    row = result.frame.row(0, named=True)
    assert (row["uai"], row["rentree_scolaire"], row["type_de_lycee"]) == ("0590015W", "2023-2024", "LP")
    assert (row["ips"], row["ecart_type"]) == (Decimal("79.50"), Decimal("23.90"))
    assert (row["ips_voie_gt"], row["ips_voie_pro"], row["ips_post_bac"]) == (None, Decimal("79.60"), None)
    assert (row["code_region"], row["code_region_insee"], row["code_departement"]) == ("09", "32", "59")
    assert (row["ips_national_legt"], row["ips_academique_lp_public"]) == (Decimal("118.50"), Decimal("78.50"))
    assert (row["ips_departemental_lpo_prive"], row["ips_departemental_lp_public"]) == (
        Decimal("106.20"),
        Decimal("78.30"),
    )
    assert row["effectifs_voie_pro"] is None


def test_a_lycee_keeps_its_latest_year_even_if_hidden(tmp_path: Path) -> None:
    later = CURIE.replace("2023-2024", "2024-2025").replace(";79.6;;79.5;;24.1;23.9;", ";NS;;NS;;NS;NS;")
    closed = CURIE.replace("0590015W", "0590018Z")
    result = lycees(tmp_path, LYCEE_2026, later, CURIE, closed)
    assert result.refused.is_empty()
    latest = {uai: (row["rentree_scolaire"], row["ips"]) for uai, row in by_uai(result).items()}
    assert latest == {"0590015W": ("2024-2025", None), "0590018Z": ("2023-2024", Decimal("79.50"))}


def test_a_lycee_by_the_labels(tmp_path: Path) -> None:
    labels = (
        LYCEE_2026.replace("ips_etab", "IPS de l'établissement")
        .replace("ecart_type_etablissement", "Ecart-type établissement")
        .replace("code_insee_de_la_commune", "Code INSEE de la commune")
        .replace("rentree_scolaire", "Rentrée scolaire")
    )
    assert lycees(tmp_path, labels, CURIE).frame.equals(lycees(tmp_path, LYCEE_2026, CURIE).frame)


def test_lycees_of_2022_under_machine_names_and_labels(tmp_path: Path) -> None:
    machine_names = (
        "rentree_scolaire;academie;code_du_departement;departement;uai;nom_de_l_etablissment;code_insee_de_la_commune;"
        "nom_de_la_commune;secteur;type_de_lycee;effectifs_voie_gt;effectifs_voie_pro;effectifs_ensemble_gt_pro;"
        "ips_voie_gt;ips_voie_pro;ips_ensemble_gt_pro;ecart_type_de_l_ips_voie_gt;ecart_type_de_l_ips_voie_pro"
    )
    labels = (
        "Rentrée scolaire;Académie;Code du département;Département;UAI;Nom de l'établissment;Code INSEE de la commune;"
        "Nom de la commune;Secteur;Type de lycée;Effectifs voie GT;Effectifs voie PRO;Effectifs Ensemble GT-PRO;"
        "IPS voie GT;IPS voie PRO;IPS Ensemble GT-PRO;Ecart-type de l'IPS voie GT;Ecart-type de l'IPS voie PRO"
    )
    bichat = (
        "2022-2023;LYON;001;AIN;0010032E;LYCEE POLYVALENT XAVIER BICHAT;01269;NANTUA;public;LPO;475.0;109.0;584.0;"
        "105.9;74.8;100.1;36.6;24.7"
    )
    result = lycees(tmp_path, machine_names, bichat)
    assert result.refused.is_empty()
    row = result.frame.row(0, named=True)
    assert (row["nom_de_l_etablissement"], row["code_departement"]) == ("LYCEE POLYVALENT XAVIER BICHAT", "01")
    assert (row["ips"], row["ecart_type"], row["ecart_type_voie_pro"]) == (Decimal("100.10"), None, Decimal("24.70"))
    assert (row["effectifs_ensemble_gt_pro"], row["ips_national_lpo"], row["code_region"]) == (584, None, None)
    assert lycees(tmp_path, labels, bichat).frame.equals(result.frame)


def test_a_college_of_the_files_of_2025(tmp_path: Path) -> None:
    result = colleges(tmp_path, COLLEGE_2025, GENNES, GENNES.replace("2024-2025", "2023-2024").replace("78.7", "77.7"))
    assert result.refused.is_empty()
    assert result.frame.height == 1
    row = result.frame.row(0, named=True)
    assert (row["uai"], row["rentree_scolaire"], row["ips"]) == ("0720902P", "2024-2025", Decimal("78.70"))
    assert (row["ecart_type_ips"], row["secteur"]) == (Decimal("23.90"), "public")
    assert (row["ips_national_prive"], row["ips_departemental"]) == (Decimal("125.10"), Decimal("102.10"))


def test_hidden_indices_and_benchmarks_are_null(tmp_path: Path) -> None:
    result = colleges(tmp_path, COLLEGE_2025, GENNES.replace(";78.7;23.9;", ";NA;NA;").replace(";115.9;", ";NA;"))
    assert result.refused.is_empty()
    assert result.frame.select("ips", "ecart_type_ips", "ips_departemental_prive").row(0) == (None, None, None)


def test_a_college_by_the_labels_of_2026(tmp_path: Path) -> None:
    result = colleges(tmp_path, COLLEGE_2026, MONOD)
    assert result.refused.is_empty()
    row = result.frame.row(0, named=True)
    assert (row["rentree_scolaire"], row["ips"], row["ecart_type_ips"]) == (
        "2024-2025",
        Decimal("82.20"),
        Decimal("25.30"),
    )
    assert (row["code_commune"], row["nom_de_la_commune"], row["departement"]) == ("59008", "ANICHE", "NORD")
    assert (row["code_region"], row["code_region_insee"], row["region_academique"]) == ("09", "32", "HAUTS-DE-FRANCE")
    assert row["position"] == "50.33181566173207, 3.247760687010971"
    assert row["ips_academique_public"] == Decimal("91.70")


@pytest.mark.parametrize(
    ("table", "parameter", "column"),
    [
        ("ips_lycees", LYCEES, "ips_etab"),
        ("ips_colleges", COLLEGES, "ips"),
    ],
)
def test_the_real_files(table: str, parameter: str, column: str) -> None:
    rows, result = real_rows(parameter), produced(table)
    latest: dict[str, str] = {}
    for row in rows:
        latest[row["uai"]] = max(row["rentree_scolaire"], latest.get(row["uai"], ""))
    newest = [row for row in rows if row["rentree_scolaire"] == latest[row["uai"]]]
    assert result.refused.is_empty()
    assert result.frame.height == len(newest) == {"ips_lycees": 507, "ips_colleges": 1017}[table]
    assert float(result.frame["ips"].sum()) == pytest.approx(total(newest, column), abs=1e-6)
    assert result.frame["ips"].null_count() == sum(row[column] in ("NS", "NA") for row in newest) == 1
    for name in ("ips_national_lp", "ips_departemental_lpo_prive") if table == "ips_lycees" else ("ips_academique",):
        assert float(result.frame[name].sum()) == pytest.approx(total(newest, name), abs=1e-6)


@pytest.mark.parametrize(
    ("table", "parameter", "name", "rows"),
    [
        ("ips_lycees", LYCEES, "fr-en-ips-lycees-ap2022/fr-en-ips-lycees-ap2022.csv", 3598),
        ("ips_colleges", COLLEGES, "fr-en-ips-colleges-ap2022/fr-en-ips-colleges-ap2022.csv", 6973),
        ("ips_colleges", COLLEGES, "fr-en-ips-colleges-ap2022/fr-en-ips-colleges-ap2022.parquet", 6973),
    ],
)
def test_the_real_files_of_2022_fit_the_same_contracts(
    table: str, parameter: str, name: str, rows: int, tmp_path: Path
) -> None:
    path = upstream() / name
    frame = taken_in(table, parameter, path, tmp_path, format=path.suffix[1:])
    result = conformed(table, **{parameter: frame})
    assert result.refused.is_empty()
    assert result.frame.height == rows
    assert result.frame["ips"].null_count() == 0
    assert set(result.frame["rentree_scolaire"]) == {"2022-2023"}
    assert result.frame.filter(code_departement="2A").height == {"ips_lycees": 7, "ips_colleges": 15}[table]
    assert result.frame["code_academie"].count() == 0
