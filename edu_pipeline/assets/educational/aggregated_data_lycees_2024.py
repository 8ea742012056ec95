"""aggregated_data_lycees_2024: baccalauréat results of the general and technological lycées (IVAL) by session.

Does not belong here: vocational baccalauréats (published in another file), the expected rates in the publisher's
workbook (each is the rate minus its value added).
"""

from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline import normalise
from edu_pipeline.flow import fall_back
from edu_pipeline.table import table

EXPORT = "fr_en_indicateurs_de_resultat_des_lycees_gt_v2"
WORKBOOK = f"{EXPORT}__classeur"

SERIES = {
    "total": "all series",
    "l": "L (literature, until 2020)",
    "es": "ES (economics, until 2020)",
    "s": "S (science, until 2020)",
    "gnle": "the general track (from 2021)",
    "sti2d": "STI2D (industry)",
    "std2a": "STD2A (design)",
    "stmg": "STMG (management)",
    "stl": "STL (laboratory)",
    "st2s": "ST2S (health)",
    "s2tmd": "S2TMD (theatre, music, dance)",
    "sthr": "STHR (hotel and catering)",
}
"""The series of the baccalauréat, by the code with which the publisher's names of their columns end."""

NOT_IN_WORKBOOK = ("l", "es", "s")
RARE = ("s2tmd",)
"""Series that some académies have no lycée for: their columns may be empty in an extract."""


def _in_both(export: str, workbook: str) -> dict[str, str]:
    return {EXPORT: export, WORKBOOK: workbook}


def _identity(description: str, export: str, workbook: str, label: str, **rest: Any) -> Any:
    upstream = _in_both(export, f"Informations établissement - {workbook}")
    return c.text(description, upstream=upstream, aliases=[label], **rest)


def _count(description: str, upstream: dict[str, str], label: str, **rest: Any) -> Any:
    description = f"{description}; NULL where none are published."
    return c.integer(description, unit="pupils", min=0, max=c.MOST_PUPILS, upstream=upstream, aliases=[label], **rest)


def _share(description: str, upstream: dict[str, str], label: str, **rest: Any) -> Any:
    return c.percentage(f"{description}; NULL where hidden.", upstream=upstream, aliases=[label], **rest)


def _value_added(to: str, upstream: dict[str, str], label: str, **rest: Any) -> Any:
    description = f"Value added to the {to}; may be negative, NULL where it is hidden or cannot be computed."
    return c.numeric(description, unit="points", min=-100, max=100, upstream=upstream, aliases=[label], **rest)


def _names(series: str, export: str, workbook: str, label: str) -> tuple[dict[str, str], str]:
    """The names of a column of a series: by input, and the label on the portal."""
    upstream = _in_both(f"{export}_{series}", f"{workbook} - {series.upper()}")
    if series in NOT_IN_WORKBOOK:
        del upstream[WORKBOOK]
    return upstream, f"{label} - {'toutes_series' if series == 'total' else series}"


def _candidates(series: str) -> Any:
    names = _names(series, "presents", "Nombre d'élèves présents au Bac", "Présents")
    return _count(f"Candidates present at the exam, {SERIES[series]}", *names, may_be_empty=series in RARE)


def _pass_rate(series: str) -> Any:
    names = _names(series, "taux_reu", "Taux de réussite bruts", "Taux de réussite")
    return _share(f"Share of the candidates present who passed, {SERIES[series]}", *names, may_be_empty=series in RARE)


def _pass_rate_value_added(series: str) -> Any:
    label = "Valeur ajoutée du taux de réussite"
    names = _names(series, "va_reu", label, label)
    return _value_added(f"pass rate, {SERIES[series]}", *names, may_be_empty=series in RARE)


def _mention_rate(series: str) -> Any:
    names = _names(series, "taux_men", "Taux de mentions bruts", "Taux de mentions")
    return _share(
        f"Share of the candidates present who passed with a mention, {SERIES[series]}",
        *names,
        may_be_empty=series in RARE,
    )


def _mention_rate_value_added(series: str) -> Any:
    names = _names(series, "va_men", "Valeur ajoutée de taux de mentions", "Valeur ajoutée du taux de mentions")
    return _value_added(f"rate of mentions, {SERIES[series]}", *names, may_be_empty=series in RARE)


def _pupils(level: str, export: str, workbook: str) -> Any:
    upstream = _in_both(export, f"Effectifs à la rentrée N - {workbook}")
    return _count(f"Pupils in {level} at the start of the school year", upstream, f"Effectif de {level}")


def _access_rate(level: str, export: str, workbook: str, label: str) -> Any:
    upstream = _in_both(export, f"Taux d'accès bruts - {workbook}")
    likelihood = f"Likelihood that a pupil in {level} obtains the baccalauréat without leaving the lycée"
    return _share(likelihood, upstream, f"Taux d'accès {label}")


def _access_rate_value_added(level: str, export: str, workbook: str, label: str) -> Any:
    upstream = _in_both(export, f"Valeur ajoutée du taux d'accès - {workbook}")
    return _value_added(f"access rate from {level}", upstream, f"Valeur ajoutée du taux d'accès {label}")


def _mentions(mention: str, track: str, upstream: str) -> Any:
    label = f"Nombre de mentions {mention} - {track[0]}"
    return _count(f"Mentions {mention}, {track} track", {EXPORT: upstream}, label)


class AggregatedDataLycees2024(c.Contract):
    """A general and technological lycée's baccalauréat results in a session (IVAL), all sessions since 2012.

    The value added compares a rate with what would be expected given the lycée's pupils; it can be negative. The series
    L, ES and S end in 2020 and `gnle` begins in 2021; the columns `_toutes_series` cover all years. NULL, which does
    not mean 0: a series that the lycée does not offer, or a value that the publisher hides because the group is small.
    Rows that only the publisher's workbook has give the sector as public or privé, without the contract, and have no
    region and no mentions.
    """

    uai = c.uai(key=True, upstream=_in_both("uai", "Informations établissement - UAI"))
    annee = c.year("Year of the exam session.", key=True, upstream={EXPORT: "annee"})
    etablissement = _identity("Name.", "libelle_uai", "Etablissement", "Etablissement", length=255)
    code_departement = c.code_departement(
        "Code of the département or collectivity, e.g. 01, 2A, 971; derived from the commune if only the workbook has "
        "the row, and NULL for the lycée in Andorra.",
        upstream={EXPORT: "code_departement"},
    )
    departement = _identity("Name of the département.", "libelle_departement", "Département", "Département")
    code_commune = c.code_commune(upstream=_in_both("code_commune", "Informations établissement - Code commune"))
    ville = _identity("Name of the commune.", "libelle_commune", "Ville", "Commune")
    academie = _identity("Name of the académie.", "libelle_academie", "Académie", "Académie")
    code_region = c.code_region(upstream={EXPORT: "code_region"})
    region = c.text("Name of the region.", upstream={EXPORT: "libelle_region"}, aliases=["Region"])
    secteur = c.secteur(upstream=_in_both("secteur", "Informations établissement - Secteur"))
    presents_toutes_series = _candidates("total")
    taux_reussite_toutes_series = _pass_rate("total")
    valeur_ajoutee_taux_reussite_toutes_series = _pass_rate_value_added("total")
    taux_mentions_toutes_series = _mention_rate("total")
    valeur_ajoutee_taux_mentions_toutes_series = _mention_rate_value_added("total")
    presents_l = _candidates("l")
    taux_reussite_l = _pass_rate("l")
    valeur_ajoutee_taux_reussite_l = _pass_rate_value_added("l")
    taux_mentions_l = _mention_rate("l")
    valeur_ajoutee_taux_mentions_l = _mention_rate_value_added("l")
    presents_es = _candidates("es")
    taux_reussite_es = _pass_rate("es")
    valeur_ajoutee_taux_reussite_es = _pass_rate_value_added("es")
    taux_mentions_es = _mention_rate("es")
    valeur_ajoutee_taux_mentions_es = _mention_rate_value_added("es")
    presents_s = _candidates("s")
    taux_reussite_s = _pass_rate("s")
    valeur_ajoutee_taux_reussite_s = _pass_rate_value_added("s")
    taux_mentions_s = _mention_rate("s")
    valeur_ajoutee_taux_mentions_s = _mention_rate_value_added("s")
    presents_gnle = _candidates("gnle")
    taux_reussite_gnle = _pass_rate("gnle")
    valeur_ajoutee_taux_reussite_gnle = _pass_rate_value_added("gnle")
    taux_mentions_gnle = _mention_rate("gnle")
    valeur_ajoutee_taux_mentions_gnle = _mention_rate_value_added("gnle")
    presents_sti2d = _candidates("sti2d")
    taux_reussite_sti2d = _pass_rate("sti2d")
    valeur_ajoutee_taux_reussite_sti2d = _pass_rate_value_added("sti2d")
    taux_mentions_sti2d = _mention_rate("sti2d")
    valeur_ajoutee_taux_mentions_sti2d = _mention_rate_value_added("sti2d")
    presents_std2a = _candidates("std2a")
    taux_reussite_std2a = _pass_rate("std2a")
    valeur_ajoutee_taux_reussite_std2a = _pass_rate_value_added("std2a")
    taux_mentions_std2a = _mention_rate("std2a")
    valeur_ajoutee_taux_mentions_std2a = _mention_rate_value_added("std2a")
    presents_stmg = _candidates("stmg")
    taux_reussite_stmg = _pass_rate("stmg")
    valeur_ajoutee_taux_reussite_stmg = _pass_rate_value_added("stmg")
    taux_mentions_stmg = _mention_rate("stmg")
    valeur_ajoutee_taux_mentions_stmg = _mention_rate_value_added("stmg")
    presents_stl = _candidates("stl")
    taux_reussite_stl = _pass_rate("stl")
    valeur_ajoutee_taux_reussite_stl = _pass_rate_value_added("stl")
    taux_mentions_stl = _mention_rate("stl")
    valeur_ajoutee_taux_mentions_stl = _mention_rate_value_added("stl")
    presents_st2s = _candidates("st2s")
    taux_reussite_st2s = _pass_rate("st2s")
    valeur_ajoutee_taux_reussite_st2s = _pass_rate_value_added("st2s")
    taux_mentions_st2s = _mention_rate("st2s")
    valeur_ajoutee_taux_mentions_st2s = _mention_rate_value_added("st2s")
    presents_s2tmd = _candidates("s2tmd")
    taux_reussite_s2tmd = _pass_rate("s2tmd")
    valeur_ajoutee_taux_reussite_s2tmd = _pass_rate_value_added("s2tmd")
    taux_mentions_s2tmd = _mention_rate("s2tmd")
    valeur_ajoutee_taux_mentions_s2tmd = _mention_rate_value_added("s2tmd")
    presents_sthr = _candidates("sthr")
    taux_reussite_sthr = _pass_rate("sthr")
    valeur_ajoutee_taux_reussite_sthr = _pass_rate_value_added("sthr")
    taux_mentions_sthr = _mention_rate("sthr")
    valeur_ajoutee_taux_mentions_sthr = _mention_rate_value_added("sthr")
    eff_2nde = _pupils("seconde", "eff_2nde", "2nde")
    taux_acces_2nde_bac = _access_rate("seconde", "taux_acces_2nde", "2nde-Bac", "2nde-bac")
    valeur_ajoutee_taux_acces_2nde_bac = _access_rate_value_added("seconde", "va_acces_2nde", "2nde-Bac", "2nde-bac")
    eff_1ere = _pupils("première", "eff_1ere", "1ère")
    taux_acces_1ere = _access_rate("première", "taux_acces_1ere", "1ère-Bac", "1ere-bac")
    va_acces_1ere = _access_rate_value_added("première", "va_acces_1ere", "1ère-Bac", "1ere-bac")
    eff_term = _pupils("terminale", "eff_term", "Term.")
    taux_acces_term = _access_rate("terminale", "taux_acces_term", "Term-Bac", "terminale-bac")
    va_acces_term = _access_rate_value_added("terminale", "va_acces_term", "Term-Bac", "terminale-bac")
    nb_mentions_tb_avecf_g = _mentions("TB avec félicitations", "general", "nb_mentions_tb_avecf_g")
    nb_mentions_tb_sansf_g = _mentions("TB sans félicitations", "general", "nb_mentions_tb_sansf_g")
    nb_mentions_b_g = _mentions("B", "general", "nb_mentions_b_g")
    nb_mentions_ab_g = _mentions("AB", "general", "nb_mentions_ab_g")
    nb_mentions_tb_avecf_t = _mentions("TB avec félicitations", "technological", "nb_mentions_tb_avecf_t")
    nb_mentions_tb_sansf_t = _mentions("TB sans félicitations", "technological", "nb_mentions_tb_sansf_t")
    nb_mentions_b_t = _mentions("B", "technological", "nb_mentions_b_t")
    nb_mentions_ab_t = _mentions("AB", "technological", "nb_mentions_ab_t")


@table(AggregatedDataLycees2024)
def aggregated_data_lycees_2024(
    fr_en_indicateurs_de_resultat_des_lycees_gt_v2: pl.LazyFrame,
    fr_en_indicateurs_de_resultat_des_lycees_gt_v2__classeur: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Add the rows that only the workbook has, with the year of the file and the commune's département."""
    export, workbook = (
        fr_en_indicateurs_de_resultat_des_lycees_gt_v2,
        fr_en_indicateurs_de_resultat_des_lycees_gt_v2__classeur,
    )
    if workbook is None:
        return export
    commune = pl.col("code_commune")
    departement = pl.when(commune.str.contains("^9[78]")).then(commune.str.head(3)).otherwise(commune.str.head(2))
    abroad = commune.str.starts_with("99")
    return fall_back(
        export,
        workbook.with_columns(annee=pl.col("vintage"), code_departement=pl.when(~abroad).then(departement)),
        on=["uai", "annee"],
        rule="the export has it",
        is_readable=normalise.is_uai(pl.col("uai")) & pl.col("annee").is_not_null(),
        alike=["etablissement", "code_commune"],
    )
