"""INSEE's communal files of the census: diplomas, population by age, activity and jobs, dwellings.

Belongs here: the zip archives with their members, and which rows have no figures. Does not belong here: the variables
(`census_variables.py`), the people counted (`census.py`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from edu_pipeline.sample.census import Census, Values
from edu_pipeline.sample.census_variables import Theme, activity, diplomas, dwellings, population
from edu_pipeline.sample.formats import write_csv, write_zip
from edu_pipeline.sample.geographies import COLLECTIVITIES, places_of
from edu_pipeline.sample.publication import publication
from edu_pipeline.sample.world import World

SOURCE, OF_2022 = "insee-rp", "insee-rp-2022"
LATER = 3
"""A census is published for the communes of so many years later."""
MAYOTTE = "976"
"""The département without figures."""


@publication(SOURCE, "base-cc-diplomes-formation-2021_csv.zip")
def diplomas_file(world: World, path: Path) -> None:
    """Diplomas and schooling: 189 variables."""
    _write(world, path, "diplomes-formation", diplomas, (2021, 2015, 2010))


@publication(SOURCE, "base-cc-evol-struct-pop-2021_csv.zip")
def population_file(world: World, path: Path) -> None:
    """Population by age, sex and category: 291 variables."""
    _write(world, path, "evol-struct-pop", population, (2021, 2015, 2010))


@publication(SOURCE, "base-cc-emploi-pop-active-2022_csv.zip")
def activity_file(world: World, path: Path) -> None:
    """Activity and jobs; the file of 2022 has a separate member for the overseas collectivities."""
    _write(world, path, "emploi-pop-active", activity, (2022, 2016, 2011))


@publication(SOURCE, "base-cc-logement-2021_csv.zip")
def dwellings_file(world: World, path: Path) -> None:
    """Dwellings and households: 239 variables."""
    _write(world, path, "logement", dwellings, (2021, 2015, 2010))


@publication(OF_2022, "base-cc-evol-struct-pop-2022_csv.zip")
def population_file_of_2022(world: World, path: Path) -> None:
    """The same of the next census."""
    _write(world, path, "evol-struct-pop", population, (2022, 2016, 2011), OF_2022)


@publication(OF_2022, "base-cc-logement-2022_csv.zip")
def dwellings_file_of_2022(world: World, path: Path) -> None:
    """The same of the next census."""
    _write(world, path, "logement", dwellings, (2022, 2016, 2011), OF_2022)


def _write(
    world: World, path: Path, name: str, theme: Theme, years: tuple[int, int, int], source: str = SOURCE
) -> None:
    """Write an archive: data and metadata of a theme, since 2022 also those of the overseas collectivities."""
    places = world.revised(places_of(world, years[0] + LATER), source, "population", "logements")
    parts = {"": places}
    if years[0] >= 2022:
        parts["-COM"] = _collectivities(world)
    members: dict[str, bytes | Path] = {}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
        for suffix, frame in parts.items():
            table = _table(world, frame, theme, years)
            data = Path(scratch) / f"base-cc-{name}-{years[0]}{suffix}.CSV"
            write_csv(table, data, quote="never")
            members[data.name] = data
            meta = Path(scratch) / f"meta_{data.name}"
            write_csv(_meta(table.columns, years[0]), meta, quote="never", line_end="\r\n")
            members[meta.name] = meta
        write_zip(path, members)


def _collectivities(world: World) -> pl.DataFrame:
    counts = [pl.col(name).fill_null(0) for name in ("population", "logements")]
    places = world.places.filter(pl.col("code_departement").is_in(COLLECTIVITIES))
    return places.with_columns(*counts, niveau=pl.lit(100.0))


def _table(world: World, places: pl.DataFrame, theme: Theme, years: tuple[int, int, int]) -> pl.DataFrame:
    """A column per variable of each census, a row per place.

    The cells of places without figures (Mayotte, communes split off since the census) are empty.
    """
    columns: dict[str, Values] = {}
    for back, year in enumerate(years):
        census = Census(world, places, year)
        for name, values in theme(census, back):
            letter, variable = name.split("_", 1)
            columns[f"{letter}{year % 100}_{variable}"] = census.whole(values).round(11)
    split_off = world.passages.filter(
        (pl.col("typemodif") == "d") & (pl.col("cod_ini") != pl.col("cod_fin")) & (pl.col("date") > f"{years[0]}-01-01")
    )
    table = pl.DataFrame({"CODGEO": places["code"], **columns})
    empty = pl.col("CODGEO").str.starts_with(MAYOTTE) | pl.col("CODGEO").is_in(split_off["cod_fin"].to_list())
    figures = pl.all().exclude("CODGEO")
    return table.with_columns(pl.when(~empty & figures.is_not_nan()).then(figures).name.keep())


def _meta(columns: Sequence[str], year: int) -> pl.DataFrame:
    """INSEE's list of the variables: name, labels, codes, type, length, theme, source."""
    names = pl.Series("COD_VAR", columns)
    code = names == "CODGEO"
    label = pl.when(code).then(pl.lit("Code commune")).otherwise(pl.lit("Variable inventée de l'échantillon"))
    return pl.DataFrame([names]).select(
        "COD_VAR",
        LIB_VAR=label,
        LIB_VAR_LONG=label,
        COD_MOD=pl.lit(None, pl.String),
        LIB_MOD=pl.lit(None, pl.String),
        TYPE_VAR=pl.when(code).then(pl.lit("CHAR")).otherwise(pl.lit("NUM")),
        LONG_VAR=pl.when(code).then(5).otherwise(17),
        THEME=pl.lit("Recensement"),
        SOURCE=pl.lit(f"Données inventées à la manière de l'Insee, RP{year}"),
    )
