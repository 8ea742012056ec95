"""effectifs_specialites_premiere: the number of pupils who take each specialty in première générale.

Does not belong here: combinations of three specialties (triplettes), what a lycée offers (specialites_lycees).
"""

import re

import polars as pl

from edu_pipeline import contracts as c
from edu_pipeline.flow import keep
from edu_pipeline.table import table
from edu_pipeline.vocabulary import specialites

SOURCE = "fr_en_effectifs_specialites_triplettes_1ere_generale"
CELLS = "^(?!00)[0-9]{4}_.*_(filles|garcons)$"
"""Matches the columns of a specialty: a four-digit code that does not begin with 00 (those are combinations)."""

GIRLS, BOYS = (CELLS.replace("(filles|garcons)", part) for part in ("filles", "garcons"))
PAIRS = "^(?P<of>(?!00)[0-9]{4}_.*?)_(?P<part>(filles|garcons).*)$"
"""Matches them even if one was renamed: a specialty then lacks a part that the others have, which stops the load."""


class EffectifsSpecialitesPremiere(c.Contract):
    """Girls and boys who take a specialty in a lycée's première générale in a school year.

    A specialty with 0 girls and 0 boys has no row. Since the school year 2025-2026 small counts are masked: NULL, not
    0; a row with a masked count is kept, since it may stand for pupils. Every pupil takes three specialties, so a
    lycée's rows nearly always add up to three times `effectif_total`. LLCER is a single specialty here, whatever the
    language.
    """

    uai = c.uai(key=True, upstream="UAI", aliases=["numero_etablissement"])
    rentree_scolaire = c.year("Year in which the school year begins.", key=True, upstream="RENTREE SCOLAIRE")
    code_specialite = c.code("DEPP's code of the specialty, e.g. 0613.", 4, length=4, key=True)
    specialite = c.text("Canonical label, as in specialites_lycees.specialites_array.", required=True)
    filles = c.integer("Girls in the specialty; NULL where masked.", min=0, max=c.MOST_PUPILS, unit="pupils")
    garcons = c.integer("Boys in the specialty; NULL where masked.", min=0, max=c.MOST_PUPILS, unit="pupils")
    effectif = c.integer(
        "Girls and boys; NULL where one of the two is masked.", min=0, max=c.MOST_PUPILS, unit="pupils"
    )
    effectif_total = c.integer(
        "Pupils in the lycée's première générale, whatever their specialties; the same in all its rows.",
        min=0,
        max=c.MOST_PUPILS,
        unit="pupils",
        upstream="EFFECTIF TOTAL",
        aliases=["effectif_total_en_premiere_generale"],
    )
    denomination = c.text("Type of establishment.", upstream="DENOMINATION PRINCIPALE", aliases=["denomination"])
    patronyme = c.text("Name of the establishment.", upstream="PATRONYME")
    secteur = c.secteur(upstream="SECTEUR")
    commune = c.text("Name of the commune, in capitals.", upstream="COMMUNE")
    code_departement = c.code_departement(upstream="code département", optional=True)
    departement = c.text("Name of the département, in capitals.", upstream="DEPARTEMENT")
    code_academie = c.code_academie(upstream="code académie", optional=True)
    academie = c.text("Name of the académie, in capitals.", upstream="ACADEMIE")


@table(EffectifsSpecialitesPremiere, needs={SOURCE: [GIRLS, BOYS, PAIRS]})
def effectifs_specialites_premiere(
    fr_en_effectifs_specialites_triplettes_1ere_generale: pl.LazyFrame,
) -> pl.LazyFrame:
    """Turn two columns per specialty into a row per specialty, if it has pupils or may have some."""
    lycees = fr_en_effectifs_specialites_triplettes_1ere_generale
    names = lycees.collect_schema().names()
    specialties = [name.removesuffix("_filles") for name in names if re.match(CELLS, name) and name.endswith("_filles")]
    own = [name for name in names if not re.match(CELLS, name)]
    rows = [
        lycees.select(
            *own, filles=f"{specialty}_filles", garcons=f"{specialty}_garcons", code_specialite=pl.lit(specialty[:4])
        )
        for specialty in specialties
    ]
    pupils = pl.col("filles", "garcons").cast(pl.Float64, strict=False)
    taught = keep(pl.concat(rows), pl.any_horizontal(pupils.ne_missing(0)), "no pupils in any specialty")
    return taught.with_columns(
        specialite=specialites.by_code(pl.col("code_specialite")),
        effectif=pl.sum_horizontal(pupils, ignore_nulls=False),
    )
