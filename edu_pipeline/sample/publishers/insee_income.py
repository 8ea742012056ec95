"""INSEE's Filosofi 2021: income and poverty of households by commune and by bassin de vie.

Belongs here: the zip archive with its members, the figures, and which of them are hidden. Does not belong here: the
zones (`geographies.py`, and `insee.py` for their own file).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from edu_pipeline.sample.formats import write_csv, write_zip
from edu_pipeline.sample.geographies import places_of, zones_of
from edu_pipeline.sample.publication import publication
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements

SOURCE, LATER = "insee-filosofi-2021", "insee-filosofi-2023"
GROWTH = 1.09
"""Incomes of 2023 compared with those of 2021."""
GEOGRAPHY = 2023
MISSING = ("971", "973", "976")
UNKNOWN = 4
"""Number of inhabited communes with nd in every cell."""
MEDIAN_FROM, SHARES_FROM = 48, 900
"""Number of households from which the median, and the other figures, are published."""
RATES_FROM = {
    "TP6021": 1100,
    "TP60AGE121": 9000,
    "TP60AGE221": 5000,
    "TP60AGE321": 4500,
    "TP60AGE421": 4800,
    "TP60AGE521": 5200,
    "TP60AGE621": 9500,
    "TP60TOL121": 3500,
    "TP60TOL221": 2000,
}
"""Number of households from which each rate of poverty is published."""
RATE_FACTORS = {
    "TP60AGE121": 1.45,
    "TP60AGE221": 1.25,
    "TP60AGE321": 1.15,
    "TP60AGE421": 1.0,
    "TP60AGE521": 0.75,
    "TP60AGE621": 0.6,
    "TP60TOL121": 0.4,
    "TP60TOL221": 1.7,
}
"""Factor of an age or a tenure on the commune's rate of poverty."""
PARTS = {
    "PTSA21": 66.0,
    "PCHO21": 3.0,
    "PBEN21": 4.5,
    "PPEN21": 29.0,
    "PPAT21": 9.5,
    "PPFAM21": 2.0,
    "PPMINI21": 2.2,
    "PPLOGT21": 1.4,
    "PIMPOT21": -17.6,
}
"""Parts of disposable income in percent; they add up to 100."""
COLUMNS = (
    "CODGEO",
    "NBMENFISC21",
    "NBPERSMENFISC21",
    "MED21",
    "PIMP21",
    *RATES_FROM,
    "PACT21",
    "PTSA21",
    "PCHO21",
    "PBEN21",
    "PPEN21",
    "PPAT21",
    "PPSOC21",
    "PPFAM21",
    "PPMINI21",
    "PPLOGT21",
    "PIMPOT21",
    "D121",
    "D921",
    "RD21",
)


@publication(SOURCE, "base-cc-filosofi-2021-geo2023-histo_CSV.zip")
def income(world: World, path: Path) -> None:
    """One member per level: communes (with the three cities and their arrondissements), bassins de vie, départements.

    Decimal comma; s for secret, nd for not available; no Guadeloupe, Guyane and Mayotte.
    """
    places = places_of(world, GEOGRAPHY).filter(~pl.col("code_departement").is_in(MISSING))
    zones = zones_of(world, places).select("code", "BV2022", "DEP")
    whole = places.join(zones, on="code").filter(~pl.col("code").is_in(list(arrondissements.COMMUNES)))
    members: dict[str, bytes | Path] = {}
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
        for level in ("COM", "BV2022", "DEP"):
            name = f"cc_filosofi_2021_{level}.csv"
            areas = places if level == "COM" else _merged(whole, level)
            write_csv(_figures(world, areas, level), Path(scratch) / name)
            members[name] = Path(scratch) / name
        meta = Path(scratch) / "meta_cc_filosofi_2021.csv"
        write_csv(pl.DataFrame({"COD_VAR": COLUMNS, "LIB_VAR": "Variable inventée de l'échantillon"}), meta)
        members[meta.name] = meta
        write_zip(path, members)


@publication(LATER, "FILOSOFI_CC_csv.zip")
def income_of_2023(world: World, path: Path) -> None:
    """A long file: of communes the median and the rate of poverty alone, of départements the deciles too.

    A secret figure has CONF_STATUS C, one that cannot be given OBS_STATUS O; both have no value. The columns are those
    of the real file.
    """
    places = places_of(world, 2025).filter(~pl.col("code_departement").is_in(MISSING))
    zones = zones_of(world, places).select("code", "BV2022", "DEP")
    is_part = pl.col("code").is_in(list(arrondissements.COMMUNES))
    whole = places.join(zones, on="code").filter(~is_part)
    areas = {"COM": places.filter(~is_part), "ARM": places.filter(is_part)}
    areas |= {level: _merged(whole, level) for level in ("BV2022", "DEP")}
    rows = pl.concat([_long(world, frame, level) for level, frame in areas.items()])
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".") as scratch:
        data, meta = (Path(scratch) / f"DS_FILOSOFI_CC_2023_{part}.csv" for part in ("data", "metadata"))
        write_csv(rows, data, quote="all", bom=True)
        write_csv(pl.DataFrame({"COD_VAR": rows.columns, "LIB_VAR": "Variable inventée de l'échantillon"}), meta)
        write_zip(path, {data.name: data, meta.name: meta})


def _long(world: World, areas: pl.DataFrame, level: str) -> pl.DataFrame:
    """The figures of areas of one level, a row each."""
    numbers = world.revised(_numbers(world, areas, level), LATER, "MED21", "TP6021", "D121", "D921")
    measures = {"MED_SL": ("MED21", "EUR_YR", MEDIAN_FROM), "PR_MD60": ("TP6021", "PT", RATES_FROM["TP6021"])}
    if level == "DEP":
        measures |= {"D1_SL": ("D121", "EUR_YR", 0), "D9_SL": ("D921", "EUR_YR", 0)}
    without = pl.Series(areas["population"] == 0)
    frames = []
    for measure, (column, unit, least) in measures.items():
        is_secret = pl.col("NBMENFISC21") < least
        growth = GROWTH if unit == "EUR_YR" else 1.0
        value = (pl.col(column) * growth).round(0).cast(pl.Int64).cast(pl.String)
        frames.append(
            numbers.with_columns(without=without).select(
                FILOSOFI_MEASURE=pl.lit(measure),
                GEO="CODGEO",
                GEO_OBJECT=pl.lit(level),
                UNIT_MEASURE=pl.lit(unit),
                CONF_STATUS=pl.when(is_secret & ~pl.col("without")).then(pl.lit("C")).otherwise(pl.lit("F")),
                OBS_STATUS=pl.when("without").then(pl.lit("O")).otherwise(pl.lit("A")),
                UNIT_MULT=pl.lit("0"),
                TIME_PERIOD=pl.lit("2023"),
                OBS_VALUE=pl.when(~is_secret & ~pl.col("without")).then(value),
            )
        )
    return pl.concat(frames)


def _merged(communes: pl.DataFrame, level: str) -> pl.DataFrame:
    """The zones that the communes make up, with their population and its mean social level."""
    people = pl.col("population")
    return (
        communes.group_by(code=level)
        .agg(niveau=(pl.col("niveau") * people).sum() / people.sum(), population=people.sum())
        .with_columns(pl.col("niveau").fill_nan(100.0).round(3))
        .sort("code")
    )


def _figures(world: World, areas: pl.DataFrame, level: str) -> pl.DataFrame:
    """The figures of the areas as text, hidden where there are too few households."""
    numbers = world.revised(_numbers(world, areas, level), SOURCE, "MED21", "TP6021", "D121", "D921")
    households = pl.col("NBMENFISC21")
    smallest = dict.fromkeys(COLUMNS[1:4], MEDIAN_FROM) | dict.fromkeys(COLUMNS[4:], SHARES_FROM) | RATES_FROM
    people = areas["population"].to_numpy()
    without = people == 0
    if level == "COM":
        small = np.flatnonzero((people > 0) & (people < 500))
        without[world.rng(SOURCE, "nd").choice(small, min(UNKNOWN, len(small)), replace=False)] = True
    return numbers.with_columns(unknown=pl.Series(without)).select(
        "CODGEO",
        *(
            pl.when("unknown")
            .then(pl.lit("nd"))
            .when(households < smallest[name])
            .then(pl.lit("s"))
            .otherwise(_text(numbers, name))
            .alias(name)
            for name in COLUMNS[1:]
        ),
    )


def _text(numbers: pl.DataFrame, name: str) -> pl.Expr:
    """A count unchanged, a share with a decimal comma."""
    text = pl.col(name).cast(pl.String)
    return text.str.replace(".", ",", literal=True) if numbers[name].dtype.is_float() else text


def _numbers(world: World, areas: pl.DataFrame, level: str) -> pl.DataFrame:
    rng = world.rng(SOURCE, level)
    count = areas.height
    people = areas["population"].to_numpy()
    richer = (areas["niveau"].to_numpy() - 100) / 30
    households = np.round(people / np.clip(rng.normal(2.25, 0.1, count), 1.9, 2.6))
    median = 22_600 * np.exp(0.16 * richer + rng.normal(0, 0.06, count))
    first = median * np.clip(rng.normal(0.52, 0.02, count) + 0.02 * richer, 0.4, 0.65)
    ninth = median * np.clip(rng.normal(1.75, 0.07, count) + 0.10 * richer, 1.4, 2.6)
    poor = np.clip(15 - 6 * richer + rng.normal(0, 1.5, count), 5, 45)
    columns = {
        "NBMENFISC21": households.astype(np.int64),
        "NBPERSMENFISC21": np.round(people * 0.965).astype(np.int64),
        "MED21": _tens(median),
        "PIMP21": np.round(np.clip(56 + 9 * richer + rng.normal(0, 3, count), 20, 85)),
        "TP6021": np.round(poor),
        "D121": _tens(first),
        "D921": _tens(ninth),
        "RD21": (ninth / first).round(1),
    }
    for name, factor in RATE_FACTORS.items():
        columns[name] = np.round(np.clip(poor * factor + rng.normal(0, 1, count), 1, 70))
    parts = {name: share * rng.lognormal(0, 0.08, count) for name, share in PARTS.items()}
    total = sum(parts.values())
    columns |= {name: (values / total * 100).round(1) for name, values in parts.items()}
    columns["PACT21"] = (columns["PTSA21"] + columns["PCHO21"] + columns["PBEN21"]).round(1)
    columns["PPSOC21"] = (columns["PPFAM21"] + columns["PPMINI21"] + columns["PPLOGT21"]).round(1)
    return pl.DataFrame({"CODGEO": areas["code"], **{name: columns[name] for name in COLUMNS[1:]}})


def _tens(values: np.typing.NDArray[np.float64]) -> np.typing.NDArray[np.int64]:
    """Euros, rounded to tens."""
    return (np.round(values / 10) * 10).astype(np.int64)
