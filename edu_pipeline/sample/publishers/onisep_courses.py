"""ONISEP's two lists of what a lycée teaches: specialties of première générale, options and languages of seconde.

Belongs here: one row per site with all its courses in one text. Does not belong here: the sites and their courses of
studies (`onisep.py`), how many pupils take a specialty (`ministry_classes.py`).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from edu_pipeline.sample import education, ideo
from edu_pipeline.sample.publication import publication
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary.onisep import SEPARATOR

SPECIALTIES = "onisep-60113f395cce6"
OPTIONS = "onisep-60113c3d5fee0"

WITHOUT_COURSES = 7
"""Number of sites without any course in either file, at the national scale."""

OPTIONAL_COURSES = {
    "Allemand": 0.05,
    "Arabe": 0.04,
    "Arts : arts plastiques": 0.40,
    "Arts : cinéma-audiovisuel": 0.15,
    "Arts : danse": 0.04,
    "Arts : histoire des arts": 0.08,
    "Arts : musique": 0.17,
    "Arts : théâtre": 0.24,
    "Biotechnologies": 0.15,
    "Chinois": 0.13,
    "Création et culture-design": 0.05,
    "Création et innovation technologiques": 0.19,
    "Éducation physique et sportive": 0.34,
    "Espagnol": 0.14,
    "Italien": 0.27,
    "Langue des signes française": 0.03,
    "Langues et cultures de l'Antiquité : grec": 0.22,
    "Langues et cultures de l'Antiquité : latin": 0.62,
    "Management et gestion": 0.44,
    "Portugais": 0.03,
    "Russe": 0.05,
    "Santé et social": 0.18,
    "Sciences de l'ingénieur": 0.29,
    "Sciences et laboratoire": 0.30,
}
"""Share of the lycées that offer each option."""
OF_AGRICULTURE = ("Écologie, agronomie, territoires, développement durable", "Hippologie et équitation")
"""What agricultural lycées offer instead."""
FIRST_LANGUAGES = {"anglais": 0.50, "anglais, allemand": 0.36, "espagnol, anglais": 0.09, "anglais, espagnol": 0.05}
SECOND_LANGUAGES = {
    "espagnol, allemand": 0.27,
    "espagnol, anglais, allemand": 0.24,
    "espagnol, anglais, allemand, italien": 0.21,
    "espagnol, allemand, italien": 0.14,
    "espagnol": 0.07,
    "espagnol, anglais, allemand, chinois": 0.04,
    "espagnol, italien": 0.03,
}


@publication(SPECIALTIES, "60113f395cce6.csv")
def specialties(world: World, path: Path) -> None:
    """A site of a general lycée and its specialties."""
    lycees = ideo.lycees(world).filter("voie_generale")
    rows = lycees.join(_names_of_specialties(world), left_on="base", right_on="uai", maintain_order="left")
    label = "Enseignements de spécialité de classe de 1ère générale"
    _write(world, ideo.with_annexes(world, rows, SPECIALTIES, twice=9, without_code=7), SPECIALTIES, label, path)


@publication(OPTIONS, "60113c3d5fee0.csv")
def options(world: World, path: Path) -> None:
    """A site of a general or technological lycée, its options, and its languages after `LV1 : ` and `LV2 : `."""
    lycees = ideo.lycees(world).filter(pl.col("voie_generale") | pl.col("voie_technologique"))
    rng = world.rng("options")
    agricultural = education.is_agricultural(world, lycees.with_columns(uai="base"))
    offered = [
        pl.when(pl.Series(rng.random(lycees.height) < share) & ~agricultural).then(pl.lit(option))
        for option, share in OPTIONAL_COURSES.items()
    ]
    instead = [pl.when(agricultural).then(pl.lit(option)) for option in OF_AGRICULTURE]
    languages = [
        pl.lit(f"LV{rank} : ")
        + pl.Series(rng.choice(list(shares), lycees.height, p=np.array(list(shares.values())) / sum(shares.values())))
        for rank, shares in ((1, FIRST_LANGUAGES), (2, SECOND_LANGUAGES))
    ]
    rows = lycees.with_columns(
        courses=pl.concat_str(*instead, *offered, *languages, separator=SEPARATOR, ignore_nulls=True)
    )
    label = "Enseignements optionnels et langues de classe de 2nde GT"
    _write(world, ideo.with_annexes(world, rows, OPTIONS, twice=8, without_code=4), OPTIONS, label, path)


def _names_of_specialties(world: World) -> pl.DataFrame:
    """uai and courses: ONISEP's names for the specialties that each lycée offers, in one text."""
    offered = education.specialties(world)
    rng = world.rng("specialties", "languages")
    drawn = {language: rng.random(offered.height) < share for language, share in education.LANGUAGES.items()}
    drawn["LLCER anglais"] |= ~np.any(list(drawn.values()), axis=0)
    names: list[pl.Expr] = []
    for code, (_, name) in education.SPECIALTIES.items():
        if name is None:
            names += [pl.when(pl.col(code) & pl.Series(has)).then(pl.lit(language)) for language, has in drawn.items()]
        elif code == "0241":
            names.append(pl.when(pl.col("0241") | pl.col("0242")).then(pl.lit(name)))
        elif code != "0242":
            names.append(pl.when(code).then(pl.lit(name)))
    return offered.select("uai", courses=pl.concat_str(names, separator=SEPARATOR, ignore_nulls=True))


def _write(world: World, rows: pl.DataFrame, source: str, label: str, path: Path) -> None:
    """Write the 14 columns of the sites; the header calls their ``courses`` by the label."""
    unnamed = world.rng("ideo", "unnamed", source).permutation(rows.height) < max(
        1, education.scaled(world, WITHOUT_COURSES)
    )
    beginning = 20_000 if source == SPECIALTIES else 60_000
    rows = ideo.with_days(world, ideo.with_places(world, rows), source)
    frame = rows.select(
        ideo.action_identifiers(world, rows, source, beginning).alias("Identifiant action de formation"),
        pl.when(pl.Series(~unnamed)).then("courses").alias(label),
        pl.format(f"{ideo.PAGES}/etablissement/slug/{{}}", "ens").alias("Identifiant et fiche onisep lieu de cours"),
        pl.col("uai").alias("UAI lieu de cours"),
        pl.col("nom").alias("Libellé lieu de cours"),
        pl.col("adresse").alias("Adresse lieu de cours"),
        pl.col("bp").alias("Boîte postale lieu de cours"),
        pl.col("cp").alias("Code postal lieu de cours"),
        pl.col("commune").alias("Commune lieu de cours"),
        pl.col("nom_departement").alias("Département lieu de cours"),
        pl.col("region").alias("Région lieu de cours"),
        pl.col("academie").alias("Académie lieu de cours"),
        pl.col("entered").alias("AF date création"),
        pl.col("changed").alias("AF date de modification"),
    )
    ideo.write_ideo(frame, path)
