"""The ministry's results of lycées at the baccalauréat (IVAL) and of collèges at the brevet (IVAC).

Belongs here: candidates, rates, value added. The higher the social level, the better the expected result; value added
is the result minus the expected one. Does not belong here: vocational lycées (IVAL pro), the workbook of one session.

The sessions of the lycées are dates as the portal writes them (`2025-01-01T00:00:00+00:00`), those of the collèges
plain years; real files of both have been seen in both forms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from edu_pipeline.normalise import slug
from edu_pipeline.sample import education, spelling
from edu_pipeline.sample.itemised import items
from edu_pipeline.sample.publication import dataset
from edu_pipeline.sample.world import World

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

IVAL = "fr-en-indicateurs-de-resultat-des-lycees-gt_v2"
LYCEES_LISTED = {
    "2012": 2302,
    "2013": 2305,
    "2014": 2308,
    "2015": 2311,
    "2016": 2314,
    "2017": 2317,
    "2018": 2319,
    "2019": 2322,
    "2020": 2325,
    "2021": 2327,
    "2022": 2328,
    "2023": 2330,
    "2024": 2331,
    "2025": 2346,
}
"""Number of lycées by session, at the national scale."""
REFORM = 2021
"""First session of the general track without the series L, ES and S."""
GENERAL = {"l": 0.16, "es": 0.33, "s": 0.51}
"""Share of the general candidates by series, before the reform."""
SERIES = ("l", "es", "s", "gnle", *education.TECHNOLOGICAL)
DIFFICULTY = {
    "l": 0,
    "es": 0,
    "s": 1,
    "gnle": 0,
    "std2a": 2,
    "sti2d": -3,
    "stmg": -6,
    "stl": -2,
    "st2s": -4,
    "s2tmd": 1,
    "sthr": -1,
}
"""Percentage points by which the pass rate of a series differs."""
FEW = 18
"""Number of candidates below which value added is mostly not published."""

IVAL_NAMES = (
    *items("""
        annee; uai; libelle_uai; secteur; code_commune; libelle_commune; code_departement; libelle_departement;
        libelle_academie; code_region; libelle_region; presents_total; taux_reu_total; va_reu_total;
        taux_acces_2nde; va_acces_2nde; taux_men_total; va_men_total
    """),
    *(f"presents_{code}" for code in SERIES),
    *(f"taux_reu_{code}" for code in SERIES),
    *(f"va_reu_{code}" for code in SERIES),
    *items("""
        eff_2nde; eff_1ere; eff_term; taux_acces_1ere; taux_acces_term; va_acces_1ere; va_acces_term
    """),
    *(f"taux_men_{code}" for code in SERIES),
    *(f"va_men_{code}" for code in SERIES),
    *items("""
        nb_mentions_tb_avecf_g; nb_mentions_tb_sansf_g; nb_mentions_b_g; nb_mentions_ab_g;
        nb_mentions_tb_avecf_t; nb_mentions_tb_sansf_t; nb_mentions_b_t; nb_mentions_ab_t
    """),
)
MENTIONS = {"tb_avecf": "TB avec félicitations", "tb_sansf": "TB sans félicitations", "b": "B", "ab": "AB"}
"""Label of each mention by its short name."""


def _ival_labels() -> dict[str, str]:
    labels = {
        "annee": "Année",
        "uai": "UAI",
        "libelle_uai": "Etablissement",
        "secteur": "Secteur",
        "code_commune": "Code commune",
        "libelle_commune": "Commune",
        "code_departement": "Code departement",
        "libelle_departement": "Departement",
        "libelle_academie": "Academie",
        "code_region": "Code region",
        "libelle_region": "Region",
        "taux_acces_2nde": "Taux d'accès 2nde-bac",
        "va_acces_2nde": "Valeur ajoutée du taux d'acces 2nde-bac",
        "eff_2nde": "Effectif de seconde",
        "eff_1ere": "Effectif de premiere",
        "eff_term": "Effectif de terminale",
        "taux_acces_1ere": "Taux d'accès 1ere-bac",
        "taux_acces_term": "Taux d'accès terminale-bac",
        "va_acces_1ere": "Valeur ajoutée du taux d'acces 1ere-bac",
        "va_acces_term": "Valeur ajoutée du taux d'acces terminale-bac",
    }
    for code in ("total", *SERIES):
        name = {"total": "Toutes séries", "gnle": "Gnle"}.get(code, code.upper())
        labels |= {
            f"presents_{code}": f"Présents - {name}",
            f"taux_reu_{code}": f"Taux de réussite - {name}",
            f"va_reu_{code}": f"Valeur ajoutée du taux de réussite - {name}",
            f"taux_men_{code}": f"Taux de mentions - {name}",
            f"va_men_{code}": f"Valeur ajoutée du taux de mentions - {name}",
        }
    return labels | {
        f"nb_mentions_{kind}_{track}": f"Nombre de mentions {name} - {track.upper()}"
        for track in "gt"
        for kind, name in MENTIONS.items()
    }


@dataset(IVAL, labels=_ival_labels())
def results_of_lycees(world: World) -> pl.DataFrame:
    """A general and technological lycée in a session: 88 columns, rates by series as text.

    Value added is `ND` (in the columns for all series together: empty) for small groups, and everywhere in Mayotte. The
    candidates of all series are the sum of those of each; so are those who passed, and those with a mention.
    """
    rows = education.listed_each(world, world.lycees_gt, LYCEES_LISTED, education.LYCEES_GT, "ival", "session")
    rows = rows.join(education.technological_series(world, world.lycees_gt), on="uai", maintain_order="left")
    rng = world.rng("ival")
    session = rows["session"].cast(pl.Int64).to_numpy()
    level = (rows["niveau"].to_numpy() - 105) / 15
    quality = _of_each_school(world, "ival", rows["uai"]) + rng.normal(0, 0.6, rows.height)

    presents = _candidates(rows, session, rng)
    total = np.sum(list(presents.values()), axis=0)
    expected = {
        code: np.clip(92 + 0.3 * (session - 2018) + 2.2 * level + points, 40, 99) for code, points in DIFFICULTY.items()
    }
    expected_mentions = {
        code: np.clip(58 + 0.5 * (session - 2018) + 12 * level + 3 * points, 5, 97)
        for code, points in DIFFICULTY.items()
    }
    passed = _succeeding(presents, expected, 2 * quality, rng)
    mentions = _succeeding(presents, expected_mentions, 5 * quality, rng)
    mentions = {code: np.minimum(passed[code], number) for code, number in mentions.items()}
    hidden = _hidden(rows, presents | {"total": total // 2}, rng)
    columns = {f"presents_{code}": _where(number > 0, number) for code, number in (presents | {"total": total}).items()}
    columns |= _rates("reu", presents, passed, expected, hidden)
    columns |= _rates("men", presents, mentions, expected_mentions, hidden)
    columns |= _access(level, quality, hidden["total"], rng)
    for name, growth in (("2nde", 1.12), ("1ere", 1.04), ("term", 1.0)):
        pupils = total * growth * rng.uniform(0.98, 1.1, rows.height)
        columns[f"eff_{name}"] = pl.Series(pupils.round().astype(np.int64))
    columns |= _mentions(mentions, session, rng)
    table = rows.with_columns(
        **columns,
        annee=pl.col("session") + "-01-01T00:00:00+00:00",
        libelle_uai=spelling.capitals(pl.col("nom")),
        secteur=_sector("public", "privé sous contrat"),
        code_commune="code_place",
        libelle_commune=spelling.capitals(pl.col("nom_place")),
        libelle_departement=spelling.capitals(pl.col("nom_departement")),
        libelle_academie=spelling.capitals(pl.col("nom_academie")),
        libelle_region=spelling.capitals(pl.col("nom_region")),
    )
    return world.revised(table, IVAL, "taux_acces_2nde", "eff_2nde").select(IVAL_NAMES)


def _of_each_school(world: World, name: str, uai: pl.Series) -> Floats:
    """How much better than expected each school is, in every session."""
    codes = uai.unique().sort()
    quality = world.rng(name, "quality").normal(0, 1, codes.len())
    return uai.replace_strict(codes, pl.Series(quality), return_dtype=pl.Float64).to_numpy()


def _candidates(rows: pl.DataFrame, session: Whole, rng: np.random.Generator) -> dict[str, Whole]:
    """Candidates by series; 0 where the lycée has none."""
    pupils = rows["eleves"].to_numpy() * rng.uniform(0.92, 1.08, rows.height)
    last_year = np.maximum(pupils * np.where(rows["voie_professionnelle"].to_numpy(), 0.7, 1.0) / 3, 12)
    weights = {"gnle": rows["voie_generale"].to_numpy() * 1.0}
    weights |= {code: rows[code].to_numpy() * rng.uniform(0.15, 0.3, rows.height) for code in education.TECHNOLOGICAL}
    whole = np.sum(list(weights.values()), axis=0)
    candidates = {
        code: np.where(weight > 0, np.maximum(np.round(last_year * weight / whole), 5), 0).astype(np.int64)
        for code, weight in weights.items()
    }
    before, general = session < REFORM, candidates["gnle"]
    by_series = {
        code: np.where(before, np.round(general * share), 0).astype(np.int64) for code, share in GENERAL.items()
    }
    return by_series | candidates | {"gnle": np.where(before, 0, general)}


def _succeeding(
    presents: dict[str, Whole], expected: dict[str, Floats], better: Floats, rng: np.random.Generator
) -> dict[str, Whole]:
    """How many candidates succeed: the expected percentage, better or worse by some points."""
    return {
        code: rng.binomial(number, np.clip(expected[code] + better, 3, 99.5) / 100) for code, number in presents.items()
    }


def _hidden(rows: pl.DataFrame, presents: dict[str, Whole], rng: np.random.Generator) -> dict[str, Flags]:
    """Where value added is not published, by series."""
    in_mayotte = (rows["code_departement"] == "976").to_numpy()
    return {
        code: in_mayotte | (rng.random(rows.height) < np.where(number < FEW, 0.65, 0.03))
        for code, number in presents.items()
    }


def _rates(
    kind: str,
    presents: dict[str, Whole],
    successes: dict[str, Whole],
    expected: dict[str, Floats],
    hidden: dict[str, Flags],
) -> dict[str, pl.Series]:
    """The columns of a rate and its value added: numbers for all series together, text for each series."""
    columns = {}
    for code, number in presents.items():
        rate = _rate(successes[code], number)
        columns[f"taux_{kind}_{code}"] = _where(number > 0, _text(rate))
        columns[f"va_{kind}_{code}"] = _where(number > 0, _text(rate - expected[code], hidden[code]))
    total = np.sum(list(presents.values()), axis=0)
    mean = np.sum([number * expected[code] for code, number in presents.items()], axis=0) / total
    rate = _rate(np.sum(list(successes.values()), axis=0), total)
    columns[f"taux_{kind}_total"] = pl.Series(rate)
    columns[f"va_{kind}_total"] = _where(~hidden["total"], np.round(rate - mean) + 0.0)
    return columns


def _access(level: Floats, quality: Floats, hidden: Flags, rng: np.random.Generator) -> dict[str, pl.Series]:
    """The rates of access to the baccalauréat: from seconde as numbers, from the other classes as text."""
    columns = {}
    for name, mean, slope, spread in (("2nde", 84, 3, 4), ("1ere", 92, 2, 2.5), ("term", 96, 1, 1.5)):
        expected = np.clip(mean + slope * level, 40, 99).round()
        rate = np.clip(expected + spread * quality + rng.normal(0, 1, len(level)), 5, 100).round()
        if name == "2nde":
            columns[f"taux_acces_{name}"] = pl.Series(rate)
            columns[f"va_acces_{name}"] = _where(~hidden, rate - expected + 0.0)
        else:
            columns[f"taux_acces_{name}"] = _text(rate)
            columns[f"va_acces_{name}"] = _text(rate - expected, hidden)
    return columns


def _mentions(mentions: dict[str, Whole], session: Whole, rng: np.random.Generator) -> dict[str, pl.Series]:
    """Mentions by kind and track since the reform; empty instead of 0."""
    technological = np.sum([mentions[code] for code in education.TECHNOLOGICAL], axis=0)
    columns = {}
    for track, number, weights in (
        ("g", mentions["gnle"], (3, 17, 33, 47)),
        ("t", np.where(session < REFORM, 0, technological), (0.2, 3, 21, 76)),
    ):
        parts = rng.multinomial(number, np.array(weights) / sum(weights))
        for column, kind in enumerate(MENTIONS):
            columns[f"nb_mentions_{kind}_{track}"] = _where(parts[:, column] > 0, parts[:, column])
    return columns


def _rate(part: Whole, whole: Whole) -> Floats:
    """Whole percents."""
    rate: Floats = np.round(100 * part / np.maximum(whole, 1))
    return rate


def _text(values: Floats, hidden: Flags | None = None) -> pl.Series:
    """Whole numbers as text, hidden ones as `ND`."""
    text = pl.Series(np.round(values)).cast(pl.Int64).cast(pl.String)
    return text if hidden is None else text.set(pl.Series(hidden), "ND")


def _where(condition: Flags, values: npt.NDArray[Any] | pl.Series) -> pl.Series:
    """The values where the condition holds, null elsewhere."""
    return pl.select(pl.when(pl.Series(condition)).then(pl.Series(values))).to_series()


def _sector(public: str, private: str) -> pl.Expr:
    return pl.when("public").then(pl.lit(public)).otherwise(pl.lit(private))


IVAC = "fr-en-indicateurs-valeur-ajoutee-colleges"
COLLEGES_LISTED = {"2022": 6622, "2023": 6615, "2024": 6816, "2025": 6816}
"""Number of collèges by session, at the national scale."""
LEAST, LEAST_VALUE_ADDED = 20, 40
"""Number of candidates from which results, and value added, are published."""

IVAC_HEADER = items("""
    num_ligne; Session; UAI; Nom de l'établissement; Commune; Code région académique; Région académique;
    Code académie; Académie; Code département; Département; Secteur; Nb candidats G; Taux de réussite G;
    VA du taux de réussite G; Nb candidats P; Taux de réussite P; Note à l'écrit G; VA de la note G;
    Note à l'écrit P; Taux d'accès 6eme 3eme; Part présents 3eme ordinaire total; Part présents 3eme ordinaire G;
    Part présents 3eme ordinaire P; Part présents 3eme segpa total; Nb mentions AB G; Nb mentions B G;
    Nb mentions TB G; Nb mentions global G
""")
IVAC_LABELS = {slug(label): label for label in IVAC_HEADER}


@dataset(IVAC, labels=IVAC_LABELS)
def results_of_colleges(world: World) -> pl.DataFrame:
    """A collège in a session: 29 columns, empty if nothing is published or there are no pupils."""
    rows = education.listed_each(world, world.colleges, COLLEGES_LISTED, education.COLLEGES, "ivac", "session")
    rng = world.rng("ivac")
    count = rows.height
    level = (rows["niveau"].to_numpy() - 105) / 15
    quality = _of_each_school(world, "ivac", rows["uai"]) + rng.normal(0, 0.6, count)
    candidates = np.maximum((rows["eleves"].to_numpy() * rng.uniform(0.2, 0.25, count)).round(), LEAST).astype(int)
    expected, expected_mark = np.clip(89 + 5 * level, 50, 99), 10.8 + 1.3 * level
    passed = rng.binomial(candidates, np.clip(expected + 3 * quality, 30, 99.8) / 100)
    mark = np.clip(expected_mark + 0.5 * quality, 4, 18).round(1)
    value_added = (candidates >= LEAST_VALUE_ADDED) & (rng.random(count) < 0.965)
    mentions = rng.multinomial(
        np.round(passed * np.clip(0.68 + 0.1 * level, 0.2, 0.98)).astype(int), [0.34, 0.34, 0.32]
    )
    vocational = rng.random(count) < 0.31
    vocational_candidates = rng.integers(3, 17, count)
    ordinary = np.clip(97 + rng.normal(0, 1.6, count), 60, 100).round()
    part_vocational = rng.integers(1, 9, count).astype(float)
    has_vocational_class = vocational & (rng.random(count) < 0.35)

    table = education.with_region_academique(world, rows).with_columns(
        num_ligne=pl.int_range(1, pl.len() + 1),
        nom_de_l_etablissement=spelling.capitals(pl.col("nom")),
        commune=spelling.bare_capitals(pl.col("nom_place")),
        region_academique=spelling.capitals(pl.col("nom_region_academique")),
        academie=spelling.capitals(pl.col("nom_academie")),
        departement=spelling.capitals(pl.col("nom_departement")),
        secteur=_sector("PU", "PR"),
        nb_candidats_g=pl.Series(candidates),
        taux_de_reussite_g=pl.Series(_rate(passed, candidates)),
        va_du_taux_de_reussite_g=_where(value_added, np.round(_rate(passed, candidates) - expected) + 0.0),
        nb_candidats_p=_where(vocational, vocational_candidates),
        taux_de_reussite_p=_where(vocational, _rate(rng.binomial(vocational_candidates, 0.78), vocational_candidates)),
        note_a_l_ecrit_g=pl.Series(mark),
        va_de_la_note_g=_where(value_added, (mark - expected_mark).round(1) + 0.0),
        note_a_l_ecrit_p=_where(vocational, np.clip(rng.normal(7.2, 1.2, count), 1, 15).round(1)),
        taux_d_acces_6eme_3eme=_where(
            rng.random(count) > 0.002, np.clip(92 + level + 2 * rng.standard_normal(count), 40, 100).round()
        ),
        part_presents_3eme_ordinaire_total=pl.Series(ordinary),
        part_presents_3eme_ordinaire_g=_where(
            rng.random(count) < 0.34, np.where(has_vocational_class, ordinary - part_vocational, ordinary)
        ),
        part_presents_3eme_ordinaire_p=_where(has_vocational_class, part_vocational),
        part_presents_3eme_segpa_total=_where(rng.random(count) < 0.21, rng.integers(0, 101, count).astype(float)),
        nb_mentions_ab_g=pl.Series(mentions[:, 0]),
        nb_mentions_b_g=pl.Series(mentions[:, 1]),
        nb_mentions_tb_g=pl.Series(mentions[:, 2]),
        nb_mentions_global_g=pl.Series(mentions.sum(axis=1)),
    )
    return world.revised(table, IVAC, "note_a_l_ecrit_g").select(*IVAC_LABELS)
