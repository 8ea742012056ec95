"""aggregated_data_lycees_2024: results of the general and technological lycées (IVAL), one row per session.

Not here: vocational baccalauréats (the publisher has another file of them) and the expected rates of the publisher's
workbook (each is the rate minus its value added).
"""

from collections.abc import Iterator
from typing import Any

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.table import table

EXPORT = "fr_en_indicateurs_de_resultat_des_lycees_gt_v2"
WORKBOOK = f"{EXPORT}__classeur"

SERIES = {
    "total": "all series", "l": "L (literature, until 2020)", "es": "ES (economics, until 2020)",
    "s": "S (science, until 2020)", "gnle": "the general track (from 2021)", "sti2d": "STI2D (industry)",
    "std2a": "STD2A (design)", "stmg": "STMG (management)", "stl": "STL (laboratory)", "st2s": "ST2S (health)",
    "s2tmd": "S2TMD (theatre, music, dance)", "sthr": "STHR (hotel and catering)",
}  # fmt: skip
LEVELS = {"2nde": ("seconde", "2nde"), "1ere": ("première", "1ère"), "term": ("terminale", "Term")}
MENTIONS = {"tb_avecf": "TB avec félicitations", "tb_sansf": "TB sans félicitations", "b": "B", "ab": "AB"}


def _in_both(export: str, workbook: str) -> dict[str, str]:
    return {EXPORT: export, WORKBOOK: workbook}


def _identity(description: str, export: str, workbook: str, label: str, **rest: Any) -> Any:
    upstream = _in_both(export, f"Informations établissement - {workbook}")
    return c.text(description, upstream=upstream, aliases=[label], **rest)


def _count(description: str, upstream: dict[str, str], label: str) -> Any:
    return c.integer(
        f"{description}; NULL where none are published.", unit="pupils", min=0, upstream=upstream, aliases=[label]
    )


def _share(description: str, upstream: dict[str, str], label: str) -> Any:
    return c.percentage(f"{description}; NULL where hidden.", upstream=upstream, aliases=[label])


def _value_added(to: str, upstream: dict[str, str], label: str) -> Any:
    description = f"Value added to the {to}; may be negative, NULL where it is hidden or cannot be computed."
    return c.numeric(description, unit="points", min=-100, max=100, upstream=upstream, aliases=[label])


def _of_series(code: str, meaning: str) -> Iterator[tuple[str, Any]]:
    """The five columns of a series: candidates, pass rate, mentions, and the two values added."""
    name = "toutes_series" if code == "total" else code
    for column, kind, description, export, workbook, label in (
        ("presents", _count, "Candidates present at the exam", "presents", "Nombre d'élèves présents au Bac",
         "Présents"),
        ("taux_reussite", _share, "Share of the candidates present who passed", "taux_reu", "Taux de réussite bruts",
         "Taux de réussite"),
        ("valeur_ajoutee_taux_reussite", _value_added, "pass rate", "va_reu", "Valeur ajoutée du taux de réussite",
         "Valeur ajoutée du taux de réussite"),
        ("taux_mentions", _share, "Share of the candidates present who passed with a mention", "taux_men",
         "Taux de mentions bruts", "Taux de mentions"),
        ("valeur_ajoutee_taux_mentions", _value_added, "rate of mentions", "va_men",
         "Valeur ajoutée de taux de mentions", "Valeur ajoutée du taux de mentions"),
    ):  # fmt: skip
        upstream = _in_both(f"{export}_{code}", f"{workbook} - {code.upper()}")
        if code in ("l", "es", "s"):
            del upstream[WORKBOOK]
        yield f"{column}_{name}", kind(f"{description}, {meaning}", upstream, f"{label} - {name}")


def _of_level(level: str, name: str, workbook: str) -> Iterator[tuple[str, Any]]:
    """The three columns of a level: pupils, access rate to the baccalauréat, its value added."""
    point, bac = ("." if level == "term" else "", "_bac" if level == "2nde" else "")
    label = f"{'terminale' if level == 'term' else level}-bac"
    yield f"eff_{level}", _count(
        f"Pupils in {name} at the start of the school year",
        _in_both(f"eff_{level}", f"Effectifs à la rentrée N - {workbook}{point}"), f"Effectif de {name}",
    )  # fmt: skip
    yield f"taux_acces_{level}{bac}", _share(
        f"Likelihood that a pupil of {name} obtains the baccalauréat without leaving the lycée",
        _in_both(f"taux_acces_{level}", f"Taux d'accès bruts - {workbook}-Bac"), f"Taux d'accès {label}",
    )  # fmt: skip
    yield f"{'valeur_ajoutee_taux' if bac else 'va'}_acces_{level}{bac}", _value_added(
        f"access rate from {name}",
        _in_both(f"va_acces_{level}", f"Valeur ajoutée du taux d'accès - {workbook}-Bac"),
        f"Valeur ajoutée du taux d'accès {label}",
    )  # fmt: skip


class AggregatedDataLycees2024(c.Contract):
    """A general and technological lycée's baccalauréat results in a session (IVAL), all sessions since 2012.

    The value added compares a rate with what the lycée's pupils let expect; it can be negative. The series L, ES and S
    end in 2020 and `gnle` begins in 2021; the columns `_toutes_series` run through. A series that the lycée does not
    have is NULL, and so is what the publisher hides by a rule of its own (small groups): neither is 0. Rows that only
    the publisher's workbook has say public or privé without the contract, and have no region and no mentions.
    """

    uai = c.uai(key=True, upstream=_in_both("uai", "Informations établissement - UAI"))
    annee = c.year("Year of the exam session.", key=True, upstream={EXPORT: "annee"})
    etablissement = _identity("Name.", "libelle_uai", "Etablissement", "Etablissement", length=255)
    code_departement = c.code_departement(
        "Code of the département or collectivity, e.g. 01, 2A, 971; where only the workbook has the row, that of the "
        "commune, and NULL for the lycée in Andorra.",
        upstream={EXPORT: "code_departement"},
    )
    departement = _identity("Name of the département.", "libelle_departement", "Département", "Département")
    code_commune = c.code_commune(upstream=_in_both("code_commune", "Informations établissement - Code commune"))
    ville = _identity("Name of the commune.", "libelle_commune", "Ville", "Commune")
    academie = _identity("Name of the académie.", "libelle_academie", "Académie", "Académie")
    code_region = c.text("INSEE code of the region.", upstream={EXPORT: "code_region"})
    region = c.text("Name of the region.", upstream={EXPORT: "libelle_region"}, aliases=["Region"])
    secteur = c.secteur(upstream=_in_both("secteur", "Informations établissement - Secteur"))
    for _code, _meaning in SERIES.items():
        vars().update(_of_series(_code, _meaning))
    for _code, (_meaning, _workbook) in LEVELS.items():
        vars().update(_of_level(_code, _meaning, _workbook))
    for _track, _meaning in {"g": "general", "t": "technological"}.items():
        for _code, _label in MENTIONS.items():
            vars()[f"nb_mentions_{_code}_{_track}"] = _count(
                f"Mentions {_label}, {_meaning} track",
                {EXPORT: f"nb_mentions_{_code}_{_track}"}, f"Nombre de mentions {_label} - {_track}",
            )  # fmt: skip


@table(AggregatedDataLycees2024)
def aggregated_data_lycees_2024(
    fr_en_indicateurs_de_resultat_des_lycees_gt_v2: pl.LazyFrame,
    fr_en_indicateurs_de_resultat_des_lycees_gt_v2__classeur: pl.LazyFrame | None = None,
) -> pl.LazyFrame:
    """Add to the export what only the workbook has; its year is that of the file, its département the commune's."""
    export, workbook = (
        fr_en_indicateurs_de_resultat_des_lycees_gt_v2,
        fr_en_indicateurs_de_resultat_des_lycees_gt_v2__classeur,
    )
    if workbook is None:
        return export
    commune = pl.col("code_commune")
    departement = pl.when(commune.str.contains("^9[78]")).then(commune.str.head(3)).otherwise(commune.str.head(2))
    abroad = commune.str.starts_with("99")
    missing = workbook.with_columns(annee=pl.col("vintage"), code_departement=pl.when(~abroad).then(departement)).join(
        export, on=["uai", "annee"], how="anti"
    )
    return pl.concat([export, missing], how="diagonal")
