"""The places as files about communes have them: in the codes of the file's year, with zones and social level.

Belongs here: what the publishers of figures by commune (INSEE, SSMSI, DVF) share. Does not belong here: any one file.
"""

from __future__ import annotations

import polars as pl

from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements

COLLECTIVITIES = ("975", "977", "978", "984", "986", "987", "988", "989")
"""Overseas collectivities, which these files leave out."""

CITIES = tuple(dict.fromkeys(arrondissements.COMMUNES.values()))
"""Paris, Lyon and Marseille as wholes, in the codes of every year."""

POLE_WEIGHT = 3
"""How many times as many people as each other commune the main commune of a merger had before it."""


def places_of(world: World, year: int) -> pl.DataFrame:
    """The communes and municipal arrondissements on 1 January of the year, by code; no overseas collectivities.

    A commune merged since then appears as its former communes, a commune split since then as a whole, a changed code as
    it was. Columns: those of ``World.places`` and ``niveau``, the social level of its schools (around 100).
    """
    places = world.places.filter(~pl.col("code_departement").is_in(COLLECTIVITIES)).join(
        _levels(world), on="code", how="left"
    )
    counts = [pl.col("population").fill_null(0), pl.col("logements").fill_null(0)]
    places = places.with_columns(counts)
    since = world.passages.filter(pl.col("date") > f"{year}-01-01").sort("date", descending=True)
    for _, changes in since.group_by("date", maintain_order=True):
        places = _undone(places, changes)
    return places.sort("code")


def _undone(places: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """The places before the changes of one day: each is divided among its former codes, and these are added up."""
    weight = pl.when(pl.col("cod_ini") == pl.col("cod_fin")).then(POLE_WEIGHT).otherwise(1)
    before = changes.select("cod_ini", code="cod_fin", share=weight / weight.sum().over("cod_fin"))
    shared = places.join(before, on="code", how="left").with_columns(
        pl.coalesce("cod_ini", "code").alias("code"),
        *((pl.col(name) * pl.col("share").fill_null(1.0)).round() for name in ("population", "logements")),
    )
    others = [name for name in places.columns if name not in ("code", "population", "logements")]
    return (
        shared.group_by("code", maintain_order=True)
        .agg(pl.col(others).first(), pl.col("population", "logements").sum().cast(pl.Int64))
        .select(places.columns)
    )


def _levels(world: World) -> pl.DataFrame:
    """The social level of every place: the mean of its schools, or of its arrondissements, else of its département."""
    levels = world.schools.group_by(code="code_place").agg(niveau=pl.col("niveau").mean())
    city = pl.col("code").replace_strict(arrondissements.COMMUNES, default=None)
    cities = levels.with_columns(code=city).drop_nulls().group_by("code").agg(pl.col("niveau").mean())
    known = pl.concat([levels.join(cities, on="code", how="anti"), cities])
    noise = world.rng("geographies", "niveau").normal(0, 6, world.places.height)
    own = world.places.select("code", "code_departement").with_columns(noise=noise).join(known, on="code", how="left")
    elsewhere = pl.col("niveau").mean().over("code_departement").fill_null(100.0) + pl.col("noise")
    return own.select("code", niveau=pl.coalesce("niveau", elsewhere).clip(60.0, 150.0).round(3))


def zones_of(world: World, places: pl.DataFrame) -> pl.DataFrame:
    """The zones of each place under INSEE's names: DEP, REG, EPCI, ARR, CANOV, ZE2020, UU2020, AAV2020, BV2022.

    The zones that the world does not have are invented from the bassin de vie.
    """
    groups = world.communes.select("code", EPCI=pl.col("code_epci").fill_null("ZZZZZZZZZ"))
    city = pl.col("code").replace(arrondissements.COMMUNES)
    departement, region, bassin = pl.col("DEP"), pl.col("REG"), pl.col("BV2022")
    rank = bassin.rank("dense").over("REG") - 1
    town = pl.col("population") >= 2000
    return (
        places.select("code", "population", DEP="code_departement", REG="code_region", BV2022="code_bassin", city=city)
        .join(groups, left_on="city", right_on="code", how="left")
        .with_columns(
            EPCI=pl.col("EPCI").fill_null(pl.col("EPCI").drop_nulls().first().over("BV2022")),
            ARR=pl.concat_str(departement, (bassin.rank("dense").over("DEP") % 4 + 1).cast(pl.String)),
            CANOV=pl.concat_str(departement, _digits(bassin.rank("dense").over("DEP") % 30 + 1, 2)),
            ZE2020=pl.concat_str(region, _digits(rank // 6 + 1, 2)),
            UU2020=pl.concat_str(
                departement.str.slice(0, 2),
                pl.when(town).then(_digits(bassin.rank("dense").over("DEP") + 100, 3)).otherwise(pl.lit("000")),
            ),
            AAV2020=pl.when(town.any().over("BV2022"))
            .then(_digits(bassin.rank("dense") % 699 + 1, 3))
            .otherwise(pl.lit("000")),
        )
        .select("code", "DEP", "REG", "EPCI", "ARR", "CANOV", "ZE2020", "UU2020", "AAV2020", "BV2022")
    )


def _digits(number: pl.Expr, width: int) -> pl.Expr:
    return number.cast(pl.Int64).cast(pl.String).str.zfill(width)
