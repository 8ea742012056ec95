"""pcs_libelle, departements: on a few literal rows, and on the publishers' real files."""

import json
from collections import Counter

import polars as pl

from edu_pipeline.assets.reference.departements import departements
from edu_pipeline.assets.reference.pcs_libelle import pcs_libelle
from edu_pipeline.table import tables
from edu_pipeline.vocabulary import regions
from edu_pipeline_tests.conformed import conform
from edu_pipeline_tests.real_files import csv_rows, produced, upstream


def pcs_rows(*rows: tuple[str, str, str, str | None]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=["niveau", "code_pcs", "libelle", "code_parent"], orient="row")


def test_a_category_on_two_levels_is_one_row() -> None:
    rows = pcs_rows(
        ("1", "3", "Cadres et professions intellectuelles  supérieures", None),
        ("3", "31", "Professions libérales", "31"),
        ("2", "31", "Professions libérales et assimilés", "3"),
        ("4", "311a", "Médecins libéraux spécialistes", "31"),
    )
    result = conform(pcs_libelle(rows), tables()["pcs_libelle"])
    managers = "Cadres et professions intellectuelles supérieures"
    assert result.frame.sort("niveau").rows() == [
        ("3", managers, 1, 1, managers, None),
        ("31", "Professions libérales et assimilés", 2, 3, "Professions libérales", "3"),
        ("311a", "Médecins libéraux spécialistes", 4, 4, "Médecins libéraux spécialistes", "31"),
    ]
    assert result.refused.height == 0


def test_a_code_twice_on_the_same_level_is_refused() -> None:
    rows = pcs_rows(("2", "21", "Artisans", "2"), ("2", "21", "Artistes", "2"), ("2", "22", "Commerçants", "2"))
    result = conform(pcs_libelle(rows), tables()["pcs_libelle"])
    assert result.frame["code_pcs"].to_list() == ["22"]
    assert result.refused["key"].to_list() == ["21", "21"]


def test_all_real_categories() -> None:
    rows = list(csv_rows("insee-pcs/pcs2003.csv", ";"))
    result = produced("pcs_libelle")
    frame = result.frame
    assert result.refused.height == 0
    assert frame.height == len({row["code"] for row in rows}) == 557
    assert sum(frame["niveau_fin"] - frame["niveau"] + 1) == len(rows) == 571
    for level, count in Counter(int(row["level"]) for row in rows).items():
        assert frame.filter(pl.lit(level).is_between("niveau", "niveau_fin")).height == count
    parents = frame.drop_nulls("code_parent").join(
        frame, left_on="code_parent", right_on="code_pcs", suffix="_parent", maintain_order="left"
    )
    assert parents.height == 557 - 8
    assert (parents["niveau"] > parents["niveau_parent"]).all()
    assert frame.filter(pl.col("libelle") != pl.col("libelle_fin"))["code_pcs"].to_list() == ["31"]
    assert not frame["libelle"].str.contains("  ").any()


def test_departements_with_and_without_academie() -> None:
    geo = pl.LazyFrame(
        {
            "code_departement": ["21", "2A", "971", "977"],
            "nom_departement": ["Côte-d'Or", "Corse-du-Sud", "Guadeloupe", "Saint-Barthélemy"],
            "code_region": ["27", "94", "01", "977"],
        }
    )
    academies = pl.LazyFrame(
        {
            "code_departement": ["971", "2A", "21"],
            "code_academie": ["32", "27", "07"],
            "nom_academie": ["GUADELOUPE", "CORSE", "DIJON"],
            "code_region_academique": ["07", "05", "02"],
            "nom_region_academique": ["GUADELOUPE", "CORSE", "BOURGOGNE-FRANCHE-COMTE"],
        }
    )
    result = conform(departements(geo, academies), tables()["departements"])
    assert result.refused.height == 0
    assert result.frame.rows() == [
        ("21", "Côte-d'Or", "27", "Bourgogne-Franche-Comté", "07", "DIJON", "02", "BOURGOGNE-FRANCHE-COMTE"),
        ("2A", "Corse-du-Sud", "94", "Corse", "27", "CORSE", "05", "CORSE"),
        ("971", "Guadeloupe", "01", "Guadeloupe", "32", "GUADELOUPE", "07", "GUADELOUPE"),
        ("977", "Saint-Barthélemy", "977", "Saint-Barthélemy", None, None, None, None),
    ]


def test_an_unknown_region_is_refused() -> None:
    geo = pl.LazyFrame({"code_departement": ["01"], "nom_departement": ["Ain"], "code_region": ["99"]})
    academies = pl.LazyFrame(
        schema=dict.fromkeys(
            ["code_departement", "code_academie", "nom_academie", "code_region_academique", "nom_region_academique"],
            pl.String,
        )
    )
    refused = conform(departements(geo, academies), tables()["departements"]).refused
    assert refused["reasons"].to_list() == [["nom_region: expected a value, found nothing"]]


def test_all_real_departements() -> None:
    published = json.loads((upstream() / "geo-api-departements/departements.json").read_text(encoding="utf-8"))
    result = produced("departements")
    assert result.refused.height == 0
    assert dict(result.frame.select("code_departement", "nom_departement").rows()) == {
        row["code"]: row["nom"] for row in published
    }
    assert result.frame.height == 109
    without = result.frame.filter(pl.col("code_academie").is_null())["code_departement"].to_list()
    assert without == ["977", "978", "984", "989"]
    assert result.frame["code_academie"].drop_nulls().n_unique() == 34


def test_region_names_are_those_of_insee() -> None:
    """INSEE's file of populations names all regions except Mayotte."""
    names = {row["REG"]: row["Région"] for row in csv_rows("insee-populations/donnees_communes.csv", ";")}
    assert names == {code: name for code, name in regions.REGIONS.items() if code != "06"}
