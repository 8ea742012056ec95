"""metrics_colleges: brevet results of the collèges (IVAC) by session.

Does not belong here: collèges with fewer than 20 candidates in the general series, which the publisher leaves out.
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.flow import look_up
from edu_pipeline.table import table

IVAC = "fr_en_indicateurs_valeur_ajoutee_colleges"


def _with_blanks(value: pl.Expr) -> pl.Expr:
    """Replace the underscores that the files of 2024 have instead of blanks in names."""
    return value.str.replace_all("_", " ", literal=True)


def _share(description: str, **rest: Any) -> Any:
    return c.percentage(f"{description}; NULL where hidden or without pupils.", **rest)


def _count(description: str, **rest: Any) -> Any:
    return c.integer(
        f"{description}; NULL where hidden or without pupils.", unit="pupils", min=0, max=c.MOST_PUPILS, **rest
    )


def _mark(series: str, **rest: Any) -> Any:
    return c.numeric(f"Mean mark in the written exams, {series} series.", unit="out of 20", min=0, max=20, **rest)


class MetricsColleges(c.Contract):
    """A collège's results at the diplôme national du brevet in a session (IVAC), sessions since 2022.

    Series `g` is general, `p` vocational (few collèges have it). The value added compares a result with what would be
    expected given the collège's pupils; it can be negative and is published from 40 candidates on. `session` is the
    year of the exam. The commune code comes from the directory: NULL where annuaire_education lacks the school.
    """

    uai = c.uai(key=True)
    session = c.year("Year of the exam session.", key=True, upstream="Session")
    nom_etablissement = c.text("Name.", upstream="nom_de_l_etablissement", aliases=["nom_etab"], normalise=_with_blanks)
    code_commune = c.code_commune(
        "INSEE code of the commune; NULL where annuaire_education lacks the school.",
        upstream={"annuaire_education": "code_commune"},
    )
    commune = c.text("Name of the commune.", upstream="commune", aliases=["nom_com"], normalise=_with_blanks)
    code_departement = c.code_departement(
        "Code of the département; from the directory where the file has none (2024).",
        optional=True,
        upstream={IVAC: "code_departement", "annuaire_education": "code_departement"},
    )
    departement = c.text(
        "Name of the département.", upstream="departement", aliases=["nom_dept"], normalise=_with_blanks
    )
    code_academie = c.code_academie(
        "Code of the académie; from the directory where the file has none (2024).",
        optional=True,
        upstream={IVAC: "code_academie", "annuaire_education": "code_academie"},
    )
    academie = c.text("Name of the académie.", upstream="academie", aliases=["acad"], normalise=_with_blanks)
    code_region_academique = c.code_region(
        "Code of the région académique, which is not INSEE's code of the region; not in files of 2024.",
        optional=True,
        upstream="code_region_academique",
    )
    region_academique = c.text(
        "Name of the région académique; not in files of 2024.", optional=True, upstream="region_academique"
    )
    secteur = c.secteur("public or privé (which means privé sous contrat).", upstream="secteur")
    nb_candidats_g = _count("Candidates, general series", upstream="nb_candidats_g")
    taux_reussite_g = _share("Pass rate, general series", upstream="taux_de_reussite_g", aliases=["Taux_reussite_G"])
    va_du_taux_de_reussite_g = c.numeric(
        "Value added to the pass rate, general series; may be negative, NULL where it is not computed.",
        unit="points",
        min=-100,
        max=100,
        upstream="va_du_taux_de_reussite_g",
        aliases=["VA_taux_reussite_G"],
    )
    nb_candidats_p = _count("Candidates, vocational series", upstream="nb_candidats_p")
    taux_de_reussite_p = _share("Pass rate, vocational series", upstream="taux_de_reussite_p")
    note_a_l_ecrit_g = _mark("general", upstream="note_a_l_ecrit_g", aliases=["Note_ecrit_G"])
    va_de_la_note_g = c.numeric(
        "Value added to that mark; may be negative, NULL where it is not computed.",
        unit="out of 20",
        min=-20,
        max=20,
        upstream="va_de_la_note_g",
    )
    note_a_l_ecrit_p = _mark("vocational", upstream="note_a_l_ecrit_p", aliases=["Note_ecrit_P"])
    taux_d_acces_6eme_3eme = _share(
        "Likelihood that a pupil in sixième reaches troisième in the collège",
        upstream="taux_d_acces_6eme_3eme",
        aliases=["Taux_acces_6eme_3eme"],
    )
    part_presents_3eme_ordinaire_total = _share(
        "Share of the pupils in ordinary troisièmes who sat the exam", upstream="part_presents_3eme_ordinaire_total"
    )
    part_presents_3eme_ordinaire_g = _share(
        "Share of the pupils in ordinary troisièmes who sat the exam in the general series",
        upstream="part_presents_3eme_ordinaire_g",
    )
    part_presents_3eme_ordinaire_p = _share(
        "Share of the pupils in ordinary troisièmes who sat the exam in the vocational series",
        upstream="part_presents_3eme_ordinaire_p",
    )
    part_presents_3eme_segpa_total = _share(
        "Share of the pupils in SEGPA troisièmes who sat the exam", upstream="part_presents_3eme_segpa_total"
    )
    nb_mentions_ab_g = _count("Mentions assez bien, general series", upstream="nb_mentions_ab_g")
    nb_mentions_b_g = _count("Mentions bien, general series", upstream="nb_mentions_b_g")
    nb_mentions_tb_g = _count("Mentions très bien, general series", upstream="nb_mentions_tb_g")
    nb_mentions_global_g = _count("Mentions of all kinds, general series", upstream="nb_mentions_global_g")


@table(MetricsColleges, needs={"annuaire_education": ["uai"]})
def metrics_colleges(
    fr_en_indicateurs_valeur_ajoutee_colleges: pl.LazyFrame, annuaire_education: pl.LazyFrame
) -> pl.LazyFrame:
    """Add the codes of commune, département and académie from the directory, where it has the school."""
    place = annuaire_education.select("uai", "code_commune", "code_departement", "code_academie")
    placed = look_up(fr_en_indicateurs_valeur_ajoutee_colleges, place, "uai", "the school in annuaire_education")
    return placed.with_columns(
        pl.coalesce(name, f"{name}_right").alias(name) for name in ("code_departement", "code_academie")
    )
