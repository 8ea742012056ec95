"""What ONISEP's files have in common: their dialect of CSV, identifiers, sites, dates of change.

Belongs here: what both `publishers/onisep.py` and `publishers/onisep_courses.py` need. Does not belong here: what is
taught (`education.py`), the columns of one file.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from edu_pipeline.sample import education, spelling
from edu_pipeline.sample.numbering import with_check_letter
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements

PAGES = "https://www.onisep.fr/http/redirection"

ENTERED, CHANGED_UNTIL = date(2020, 6, 6), date(2026, 2, 28)
"""The day on which ONISEP entered nearly everything, and the day of the last change in the first release."""
UNCHANGED = 0.2
"""Share of the rows that have never been changed."""

ONLY_HERE = 328
"""Number of private general lycées without contract that only ONISEP lists, at the national scale."""

COLLECTIVITIES = ("Collectivités d'outre-mer", "Collectivités d'Outre Mer")
"""What ONISEP writes for the region and the académie of an overseas collectivity."""


def write_ideo(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame of text as ONISEP does: `;`, UTF-8 with byte order mark, quotes around cells with a space."""
    header = pl.DataFrame([frame.columns], schema=frame.columns, orient="row")
    text = pl.concat([header, frame.cast(pl.String)]).with_columns(pl.all().fill_null(""))
    cells = [_quoted_if_needed(pl.col(name)) for name in frame.columns]
    lines = text.select(pl.concat_str(cells, separator=";")).to_series()
    path.write_text("\n".join(lines) + "\n", encoding="utf-8-sig")


def _quoted_if_needed(text: pl.Expr) -> pl.Expr:
    quoted = pl.concat_str(pl.lit('"'), text.str.replace_all('"', '""', literal=True), pl.lit('"'))
    return pl.when(text.str.contains(r'[;"\s]')).then(quoted).otherwise(text)


def identifiers(world: World) -> pl.DataFrame:
    """uai and ens (ONISEP's identifier) of every school except those of the first degree."""
    schools = world.schools.filter(pl.col("type") != "Ecole")
    number = world.rng("ideo", "identifiers").permutation(schools.height) + 1
    return schools.select("uai", ens=pl.format("ENS.{}", pl.Series(number)))


def others(number: pl.Expr, beginning: int) -> pl.Expr:
    """Identifiers for sites that are not schools, above those of all schools."""
    return pl.format("ENS.{}", beginning + number)


def lycees(world: World) -> pl.DataFrame:
    """The lycées that ONISEP lists, by code: those of the ministry, and private ones without contract.

    Columns: those of ``World.schools``; ens; base, the lycée that the school is modelled on, mostly itself.
    """
    known = world.lycees.join(identifiers(world), on="uai", maintain_order="left").with_columns(base="uai")
    count = education.scaled(world, ONLY_HERE)
    rng = world.rng("ideo", "lycees")
    general = known.filter("voie_generale")
    model = general[np.sort(rng.choice(general.height, count, replace=count > general.height))]
    rank = pl.int_range(pl.len())
    digits = pl.format("{}{}", pl.col("base").str.head(3), (rank.over("code_departement") + 9500).cast(pl.String))
    return pl.concat(
        [
            known,
            model.with_columns(
                uai=with_check_letter(digits),
                nom=pl.format("Lycée privé hors contrat {}", pl.col("nom").str.extract("(inventée? .*)$")),
                public=pl.lit(False),
                voie_technologique=pl.lit(False),
                voie_professionnelle=pl.lit(False),
                adresse=pl.lit("1 rue Hors-Contrat"),
                longitude=pl.col("longitude") + 0.0005,
                ens=others(rank, 300_000),
            ),
        ]
    ).sort("uai")


def is_without_contract() -> pl.Expr:
    """Whether a lycée is one of those that only ONISEP lists."""
    return pl.col("base") != pl.col("uai")


def with_annexes(world: World, rows: pl.DataFrame, name: str, twice: int, without_code: int) -> pl.DataFrame:
    """The rows, followed by further sites: some with the code of their school, some without a code.

    Args:
        twice: number of sites with the code of their school at the national scale; at least one.
        without_code: number of sites without a code at the national scale; at most one in a hundred, as in the real
            files, so that there are none at the sample scale.
    """
    counts = [education.scaled(world, twice), min(education.scaled(world, without_code), rows.height // 100)]
    rng = world.rng("ideo", "annexes", name)
    further = rows[rng.choice(rows.height, sum(counts), replace=False)]
    number = pl.int_range(pl.len())
    further = further.with_columns(
        nom=pl.col("nom") + " (annexe)",
        adresse=pl.lit("1 rue de l'Annexe"),
        uai=pl.when(number < counts[0]).then("uai"),
        ens=others(number, 400_000),
    )
    return pl.concat([rows, further])


def with_places(world: World, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with their place as ONISEP writes it: cp, commune, region, academie, telephone, and bp for some.

    A city stands for its arrondissements; a postal code loses its leading zero.
    """
    city = pl.col("code_place").replace(arrondissements.COMMUNES)
    names = world.communes.select(city="code", commune="nom")
    number = site_number()
    collectivity = pl.col("code_region") == pl.col("code_departement")
    return (
        rows.with_columns(city=city)
        .join(names, on="city", how="left", maintain_order="left")
        .with_columns(
            cp=pl.col("code_postal").str.strip_chars_start("0"),
            bp=pl.when(number % 5 < 2).then(pl.format("BP {}", number % 397 + 1)),
            telephone=pl.format("01 99 00 {} {}", number % 89 + 10, number // 89 % 89 + 10),
            region=pl.when(collectivity)
            .then(pl.lit(COLLECTIVITIES[0]))
            .otherwise(pl.col("nom_region").str.replace("Î", "I", literal=True)),
            academie=pl.when(collectivity).then(pl.lit(COLLECTIVITIES[1])).otherwise("nom_academie"),
        )
    )


def with_days(world: World, rows: pl.DataFrame, source: str) -> pl.DataFrame:
    """The rows with the dates on which ONISEP entered and last changed them (`entered`, `changed`, as text).

    Each new release of the source changes some rows, on its own day.
    """
    rng = world.rng("ideo", "days", source)
    span = (CHANGED_UNTIL - ENTERED).days
    entered = np.where(rng.random(rows.height) < 0.96, 0, rng.integers(0, span, rows.height))
    later = entered + np.round(rng.random(rows.height) * (span - entered)).astype(int)
    changed = np.where(rng.random(rows.height) < UNCHANGED, entered, later)
    released = (CHANGED_UNTIL + timedelta(days=30 * world.release(source)) - ENTERED).days
    days = np.where(world.is_revised(rows, source).to_numpy(), released, changed)
    first = np.datetime64(ENTERED)
    return rows.with_columns(
        spelling.french_date(pl.lit(pl.Series(first + entered))).alias("entered"),
        spelling.french_date(pl.lit(pl.Series(first + days))).alias("changed"),
    )


def site_number() -> pl.Expr:
    """The number in a site's identifier, which determines what all files say alike about the site."""
    return pl.col("ens").str.slice(4).cast(pl.Int64)


def action_identifiers(world: World, rows: pl.DataFrame, source: str, beginning: int) -> pl.Series:
    """Identifiers of the courses (`AF.23666`), different in each file."""
    numbers = world.rng("ideo", "actions", source).permutation(rows.height) + beginning
    return rows.select(pl.format("AF.{}", pl.Series(numbers))).to_series()
