"""The Ministry of the Interior's statistics (SSMSI): recorded crime by commune, year and indicator.

Belongs here: the file by commune, written one département at a time because it has five million rows. Does not belong
here: the communes and their codes (`geographies.py`).
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edu_pipeline.sample.geographies import places_of
from edu_pipeline.sample.publication import publication
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements

SOURCE = "ssmsi-communale"
YEARS = range(2016, 2026)
EDITION = 2026
POPULATION_OF, DWELLINGS_OF = 2023, 2022
"""The latest census from which this edition takes populations, and dwellings."""
PUBLISHED_ABOVE, SUCCESSIVE = 5, 3
"""A number is published if it belongs to so many successive years that are all above this, or all 0."""

Counts = NDArray[np.int64]
Rates = NDArray[np.float64]


class Indicator(NamedTuple):
    """An indicator, what it counts, and its mean rate per 1,000 inhabitants (or dwellings)."""

    label: str
    unit: str
    per_thousand: float


INDICATORS = (
    Indicator("Violences physiques intrafamiliales", "Victime", 2.9),
    Indicator("Violences physiques hors cadre familial", "Victime", 2.7),
    Indicator("Violences sexuelles", "Victime", 1.3),
    Indicator("Vols avec armes", "Infraction", 0.08),
    Indicator("Vols violents sans arme", "Infraction", 0.3),
    Indicator("Vols sans violence contre des personnes", "Victime entendue", 5.0),
    Indicator("Cambriolages de logement", "Infraction", 5.3),
    Indicator("Vols de véhicule", "Véhicule", 1.6),
    Indicator("Vols dans les véhicules", "Véhicule", 2.6),
    Indicator("Vols d'accessoires sur véhicules", "Véhicule", 1.2),
    Indicator("Destructions et dégradations volontaires", "Infraction", 6.5),
    Indicator("Usage de stupéfiants", "Mis en cause", 2.6),
    Indicator("Usage de stupéfiants (AFD)", "Mis en cause", 1.4),
    Indicator("Trafic de stupéfiants", "Mis en cause", 0.5),
    Indicator("Escroqueries et fraudes aux moyens de paiement", "Victime", 5.5),
)
LABELS = [indicator.label for indicator in INDICATORS]
BURGLARY = LABELS.index("Cambriolages de logement")
DRUG_USE, FINED = LABELS.index("Usage de stupéfiants"), LABELS.index("Usage de stupéfiants (AFD)")


@publication(SOURCE, "donnee-data.gouv-2025-geographie2026-produit-le2026-06-25.csv.gz")
def recorded_crime(world: World, path: Path) -> None:
    """All fields quoted, decimal comma, NA; an unpublished figure has a mean of the département's communes instead."""
    places = places_of(world, EDITION).with_columns(
        city=pl.col("code").replace_strict(arrondissements.COMMUNES, default=None, return_dtype=pl.String)
    )
    with path.open("wb") as raw, gzip.GzipFile("", "wb", compresslevel=3, fileobj=raw, mtime=0) as out:
        for number, (_, communes) in enumerate(places.group_by("code_departement", maintain_order=True)):
            rows = _rows(world, communes).write_csv(
                include_header=number == 0,
                separator=";",
                quote_style="always",
                null_value="NA",
                decimal_comma=True,
                float_precision=7,
            )
            out.write(rows.encode())


def _rows(world: World, communes: pl.DataFrame) -> pl.DataFrame:
    """The rows of a département, commune by commune, year by year."""
    departement = communes["code_departement"][0]
    rng = world.rng(SOURCE, departement)
    population, dwellings = _bases(rng, communes)
    counts = _counts(rng, communes, population, dwellings)
    published = _published(counts)
    base = _of_indicators(population, dwellings)
    parts = communes["city"].is_not_null().to_numpy()
    means = [_means(values, published, parts) for values in (counts, _rates(counts, base))]
    counts = _revised(world, counts)
    commune, year, indicator = (places.reshape(-1) for places in np.indices(counts.shape))
    is_published = pl.col("published")
    return pl.DataFrame(
        {
            "code": communes["code"].gather(commune),
            "annee": np.array(YEARS)[year],
            "indicateur": pl.Series(LABELS).gather(indicator),
            "unite_de_compte": pl.Series([indicator.unit for indicator in INDICATORS]).gather(indicator),
            "nombre": counts.reshape(-1),
            "taux": _rates(counts, base).reshape(-1),
            "published": published.reshape(-1),
            "insee_pop": population[commune, year],
            "insee_log": dwellings[commune, year],
            "mean": means[0].reshape(-1),
            "mean_rate": means[1].reshape(-1),
        },
        nan_to_null=True,
    ).select(
        pl.col("code").alias(f"CODGEO_{EDITION}"),
        "annee",
        "indicateur",
        "unite_de_compte",
        pl.when(is_published).then("nombre").alias("nombre"),
        pl.when(is_published).then("taux").alias("taux_pour_mille"),
        pl.when(is_published).then(pl.lit("diff")).otherwise(pl.lit("ndiff")).alias("est_diffuse"),
        "insee_pop",
        pl.col("annee").clip(None, POPULATION_OF).alias("insee_pop_millesime"),
        "insee_log",
        pl.col("annee").clip(None, DWELLINGS_OF).alias("insee_log_millesime"),
        pl.when(~is_published).then("mean").alias("complement_info_nombre"),
        pl.when(~is_published).then("mean_rate").alias("complement_info_taux"),
    )


def _bases(rng: np.random.Generator, communes: pl.DataFrame) -> tuple[Counts, Counts]:
    """Population and dwellings of every commune in every year."""
    growth = rng.normal(1.003, 0.006, (communes.height, 1))
    back = np.array([[min(year, latest) - latest for year in YEARS] for latest in (POPULATION_OF, DWELLINGS_OF)])
    population, dwellings = (
        np.round(communes[name].to_numpy()[:, None] * growth**years).astype(np.int64)
        for name, years in zip(("population", "logements"), back, strict=True)
    )
    return _with_cities(communes, population), _with_cities(communes, dwellings)


def _counts(rng: np.random.Generator, communes: pl.DataFrame, population: Counts, dwellings: Counts) -> Counts:
    """Recorded facts by commune, year and indicator; there are more in towns and in poor communes."""
    shape = (communes.height, len(YEARS), len(INDICATORS))
    town = np.clip((population[:, -1] + 1) / 8000, 0.02, 12) ** 0.25
    poor = np.exp((100 - communes["niveau"].to_numpy()) / 70)
    commune = (town * poor * rng.lognormal(0, 0.25, shape[0]))[:, None, None]
    trend = rng.normal(1.01, 0.015, shape[2]) ** np.arange(-9, 1)[:, None]
    per_thousand = np.array([indicator.per_thousand for indicator in INDICATORS])
    base = _of_indicators(population, dwellings)
    counts = rng.poisson(base / 1000 * per_thousand * commune * trend * rng.lognormal(0, 0.3, (shape[0], 1, shape[2])))
    counts[:, :, FINED] = rng.binomial(counts[:, :, DRUG_USE], 0.55)
    return _with_cities(communes, counts)


def _of_indicators(population: Counts, dwellings: Counts) -> Counts:
    """What each rate is relative to: dwellings for burglaries, else inhabitants."""
    base = np.repeat(population[:, :, None], len(INDICATORS), axis=2)
    base[:, :, BURGLARY] = dwellings
    return base


def _rates(counts: Counts, base: Counts) -> Rates:
    """Rates per thousand; none for a commune without inhabitants."""
    rates: Rates = np.divide(counts * 1000, base, out=np.full(counts.shape, np.nan), where=base > 0)
    return rates


def _with_cities(communes: pl.DataFrame, values: Counts) -> Counts:
    """The values, with those of a city replaced by the sums of its arrondissements."""
    for city in communes["city"].drop_nulls().unique():
        parts = (communes["city"] == city).fill_null(False).to_numpy()
        values[(communes["code"] == city).to_numpy()] = values[parts].sum(axis=0)
    return values


def _published(counts: Counts) -> NDArray[np.bool_]:
    """Whether each year belongs to enough successive years that are all above the limit, or all 0."""
    published = np.zeros(counts.shape, dtype=bool)
    for enough in (counts > PUBLISHED_ABOVE, counts == 0):
        for first in range(counts.shape[1] - SUCCESSIVE + 1):
            window = slice(first, first + SUCCESSIVE)
            published[:, window] |= enough[:, window].all(axis=1, keepdims=True)
    return published


def _revised(world: World, counts: Counts) -> Counts:
    """The numbers of the current release. The means stay, or else a release would change every hidden row."""
    frame = world.revised(pl.DataFrame({"nombre": counts.reshape(-1)}), SOURCE, "nombre")
    return frame["nombre"].to_numpy().reshape(counts.shape)


def _means(values: Counts | Rates, published: NDArray[np.bool_], parts: NDArray[np.bool_]) -> Rates:
    """For every commune the mean of the unpublished values of its département, separately for arrondissements."""
    means = np.full(values.shape, np.nan)
    for group in (parts, ~parts):
        hidden = ~published[group] & np.isfinite(values[group])
        number = hidden.sum(axis=0)
        total = np.where(hidden, values[group], 0).sum(axis=0)
        means[group] = np.divide(total, number, out=np.full(number.shape, np.nan), where=number > 0)
    return means
