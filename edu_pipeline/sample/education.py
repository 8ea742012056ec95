"""What the ministry and ONISEP agree on: which schools they list, and what a school teaches.

Belongs here: what several files of `publishers/ministry*.py` and `publishers/onisep*.py` need, so that they agree with
each other. Does not belong here: the schools themselves (`schools.py`), spelling (`spelling.py`), one file's figures.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from edu_pipeline.sample.itemised import items
from edu_pipeline.sample.world import World

COLLEGES, LYCEES, LYCEES_GT = 7_100, 3_700, 2_350
"""Number of collèges, of all lycées, and of general and technological lycées at the national scale."""

TECHNOLOGICAL = {
    "sti2d": 0.34,
    "std2a": 0.06,
    "stmg": 0.70,
    "stl": 0.15,
    "st2s": 0.26,
    "s2tmd": 0.02,
    "sthr": 0.03,
}
"""Share of the technological lycées that have each series."""

SPECIALTIES = {
    "0507": (0.965, "sciences économiques et sociales"),
    "0105": (0.895, "humanités, littérature et philosophie"),
    "0673": (0.345, "sciences de l'ingénieur"),
    "0439": (0.96, "histoire-géographie, géopolitique et sciences politiques"),
    "0613": (1.00, "mathématiques"),
    "0747": (0.635, "numérique et sciences informatiques"),
    "0623": (1.00, "physique-chimie"),
    "0629": (1.00, "sciences de la vie et de la Terre"),
    "0300": (0.94, None),
    "0241": (0.08, "littérature et langues et cultures de l'Antiquité"),
    "0242": (0.035, "littérature et langues et cultures de l'Antiquité"),
    "0901": (0.33, "arts : arts plastiques"),
    "2785": (0.1, "arts : théâtre"),
    "2852": (0.1, "arts : cinéma - audiovisuel"),
    "0832": (0.07, "arts : musique"),
    "2757": (0.09, "arts : histoire des arts"),
    "0825": (0.02, "arts : danse"),
    "2786": (0.005, "arts : arts du cirque"),
    "1087": (0.09, "éducation physique, pratiques et culture sportives"),
    "3045": (0.00, "biologie-écologie"),
}
"""Share of the general lycées that offer the specialty, and ONISEP's name for it, by DEPP's code."""

LANGUAGES = {
    "LLCER anglais": 0.62,
    "LLCER anglais - monde contemporain": 0.45,
    "LLCER espagnol": 0.22,
    "LLCER allemand": 0.04,
    "LLCER italien": 0.02,
    "LLCER occitan-langue d'oc": 0.01,
    "langues, littératures et cultures étrangères et régionales": 0.11,
}
"""Share of the lycées with the specialty 0300 that offer each language; the last stands for any other language."""

AGRICULTURAL = 0.045
"""Share of the lycées with a general track that belong to the ministry of agriculture.

They have three specialties, and DEPP does not list them.
"""

SECTIONS = items("""
    BRITANNIQUE; AMÉRICAINE; ARABE; ALLEMANDE; ESPAGNOLE; CHINOISE; ITALIENNE; PORTUGAISE; JAPONAISE; POLONAISE;
    RUSSE; BRÉSILIENNE; AUSTRALIENNE; NÉERLANDAISE; SUÉDOISE; CORÉENNE; NORVÉGIENNE; DANOISE
""")
SECTION_LEVELS = {"Ecole": ("Elémentaire", 230), "Collège": ("Collège", 410), "Lycée": ("2nde et BFI", 330)}
"""Level with international sections, and their number at the national scale, by type of school."""


def scaled(world: World, figure: int) -> int:
    """A national figure about lycées and collèges, in proportion to those of this world."""
    if world.scale == "national":
        return figure
    return max(1, round(figure * (world.colleges.height + world.lycees.height) / (COLLEGES + LYCEES)))


def listed(world: World, schools: pl.DataFrame, count: int, total: int, name: str) -> pl.DataFrame:
    """The schools that are in the list ``name``, in their order.

    A longer list of the same name contains the shorter ones.

    Args:
        count: schools in the list at the national scale.
        total: all such schools at the national scale.
    """
    length = count if world.scale == "national" else round(schools.height * min(1.0, count / total))
    rank = pl.Series(world.rng("listed", name).permutation(schools.height))
    return schools.filter(rank < length)


def listed_each(
    world: World, schools: pl.DataFrame, counts: Mapping[str, int], total: int, name: str, column: str
) -> pl.DataFrame:
    """The lists of several years, one after the other, with the year in ``column``."""
    years = [
        listed(world, schools, count, total, name).with_columns(pl.lit(year).alias(column))
        for year, count in counts.items()
    ]
    return pl.concat(years)


def with_region_academique(world: World, schools: pl.DataFrame) -> pl.DataFrame:
    """The schools with code and name of their région académique, which is not INSEE's region."""
    regions = world.departements.select("code_region_academique", "nom_region_academique", code_departement="code")
    return schools.join(regions, on="code_departement", how="left", maintain_order="left")


def is_agricultural(world: World, lycees: pl.DataFrame) -> pl.Series:
    """Which of the lycées belong to the ministry of agriculture: some of the public general ones."""
    rng = world.rng("education", "agricultural")
    drawn = dict(zip(world.lycees["uai"], rng.random(world.lycees.height) < AGRICULTURAL, strict=True))
    is_public_lgt = (lycees["public"] & lycees["voie_generale"]).fill_null(False)
    return is_public_lgt & lycees["uai"].replace_strict(drawn, return_dtype=pl.Boolean)


def specialties(world: World) -> pl.DataFrame:
    """uai and, for each code of a specialty, whether the lycée offers it; all lycées, whatever their tracks."""
    lycees = world.lycees.select("uai", "public", "voie_generale")
    drawn = world.rng("education", "specialties").random((len(SPECIALTIES), lycees.height))
    agricultural = is_agricultural(world, lycees)
    in_agriculture = ("0613", "0623", "3045")
    return lycees.select("uai").with_columns(
        pl.when(agricultural).then(code in in_agriculture).otherwise(pl.Series(drawn[row] < share)).alias(code)
        for row, (code, (share, _)) in enumerate(SPECIALTIES.items())
    )


def technological_series(world: World, lycees: pl.DataFrame) -> pl.DataFrame:
    """uai and, for each series, whether the lycée has it: at least one if it has the technological track."""
    drawn = world.rng("education", "series").random((len(TECHNOLOGICAL), world.lycees.height))
    has = {code: drawn[row] < share for row, (code, share) in enumerate(TECHNOLOGICAL.items())}
    has["stmg"] |= ~np.any(list(has.values()), axis=0)
    flags = world.lycees.select("uai", *(pl.Series(code, flag) for code, flag in has.items()))
    track = pl.col("voie_technologique").fill_null(False)
    return lycees.join(flags, on="uai", how="left", maintain_order="left").select(
        "uai", *(pl.col(code) & track for code in TECHNOLOGICAL)
    )


def international_sections(world: World) -> pl.DataFrame:
    """uai, section and niveau of the international sections in the country."""
    weights = 1 / np.arange(1, len(SECTIONS) + 1)
    parts = []
    for type_, (level, number) in SECTION_LEVELS.items():
        schools = world.schools.filter(pl.col("type") == type_, pl.col("voie_generale").fill_null(type_ != "Lycée"))
        rng = world.rng("education", "sections", type_)
        count = scaled(world, number)
        hosts = rng.choice(schools["uai"].to_numpy(), count)
        section = rng.choice(SECTIONS, count, p=weights / weights.sum())
        parts.append(pl.DataFrame({"uai": hosts, "section": section, "niveau": [level] * count}))
    return pl.concat(parts).unique(maintain_order=True).sort("uai", "section")
