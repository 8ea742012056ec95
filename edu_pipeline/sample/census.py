"""The people and dwellings of every place at one census: what the census files count.

Belongs here: invented people by age and sex, and the shares of them who study or work. Everything is a share of
something, so that parts add up to their totals. Does not belong here: INSEE's variables (`census_variables.py`), the
files (`publishers/insee_census.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from edu_pipeline.sample.geographies import CITIES
from edu_pipeline.sample.world import World
from edu_pipeline.vocabulary import arrondissements

Values = NDArray[np.float64]

REFERENCE = 2023
"""The year of the census whose populations and dwellings the world has."""

AGES = np.array([0, 1, 2, 6, 11, 15, 18, 20, 25, 30, 45, 55, 60, 65, 75, 90])
"""The first age of each group; INSEE's groups are made up of these."""

# Shares by age group: of the whole population; and within the group women, people at school, working or looking for
# work, and, of those who are not active, students and retired people.
PEOPLE = np.array([11, 11, 44, 61, 50, 37, 24, 58, 57, 186, 133, 66, 62, 112, 76, 13]) / 1000
WOMEN = (0.49, 0.49, 0.49, 0.49, 0.49, 0.49, 0.49, 0.49, 0.50, 0.51, 0.51, 0.51, 0.52, 0.53, 0.58, 0.72)
SCHOOL = np.array([0, 0, 0.75, 0.98, 0.98, 0.96, 0.78, 0.48, 0.08, 0.02, 0.01, 0, 0, 0, 0, 0])
ACTIVE = np.array([0, 0, 0, 0, 0, 0.07, 0.32, 0.64, 0.88, 0.91, 0.90, 0.81, 0.39, 0.07, 0.01, 0])
STUDENT = np.array([0, 0, 0, 0, 0, 0.92, 0.64, 0.32, 0.04, 0.01, 0, 0, 0, 0, 0, 0])
RETIRED = np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0.01, 0.08, 0.48, 0.88, 0.95, 0.97])
JOBLESS = np.array([1, 1, 1, 1, 1, 2.2, 2.0, 1.7, 1.2, 0.9, 0.8, 0.9, 1, 1, 1, 1])
"""Factor of an age group on the place's rate of unemployment."""
EVERYONE = np.ones(len(AGES))


def ages(name: str) -> tuple[int, int]:
    """The first and last age of one of INSEE's groups: ``1529``, ``90P``."""
    return int(name[:2]), 200 if name.endswith("P") else int(name[2:])


class Census:
    """The people and dwellings of the places at the census of a year: one value per place, in the order of the places.

    A city's values are not the sums of its arrondissements before ``whole``.
    """

    def __init__(self, world: World, places: pl.DataFrame, year: int) -> None:
        self.world = world
        self.year = year
        self.places = places
        self.level: Values = (places["niveau"].to_numpy() - 100) / 30
        growth = world.rng("census", "growth").normal(1.003, 0.007, places.height) ** (year - REFERENCE)
        self._people = (places["population"].to_numpy() * growth)[:, None] * self.shares("age", PEOPLE, 0.12)
        women = np.array(WOMEN) + self.rng("women").normal(0, 0.012, (places.height, 1))
        self._sexes = {"": np.ones(1), "F": women, "H": 1 - women}
        jobless = np.clip(0.115 - 0.035 * self.level + self.rng("jobless").normal(0, 0.02, places.height), 0.03, 0.3)
        self.jobless: Values = jobless[:, None] * JOBLESS
        self.complement: Values = self.rng("complement").lognormal(0, 0.015, places.height)
        weights = self.rng("dwellings").lognormal(0, 0.01, places.height)
        self.dwellings: Values = places["logements"].to_numpy() * growth * weights
        city = places["code"].replace_strict(arrondissements.COMMUNES, default=None, return_dtype=pl.String)
        self._cities = [
            (np.flatnonzero(places["code"] == code), np.flatnonzero((city == code).fill_null(False))) for code in CITIES
        ]

    def rng(self, name: str) -> np.random.Generator:
        """The random numbers of one purpose at this census."""
        return self.world.rng("census", str(self.year), name)

    def shares(
        self, name: str, means: Sequence[float] | Values, spread: float = 0.2, tilt: Sequence[float] = ()
    ) -> Values:
        """Shares around the means that add up to 1, one row per place.

        Args:
            name: what is divided; the same name gives the same shares.
            tilt: how much each share grows with the place's social level.
        """
        around = np.array(means) * self.rng(name).lognormal(0, spread, (self.places.height, len(means)))
        if len(tilt):
            around *= np.exp(self.level[:, None] * np.array(tilt))
        shared: Values = around / around.sum(axis=1, keepdims=True)
        return shared

    def people(self, group: str, sex: str = "", rate: Values = EVERYONE) -> Values:
        """The people of an age group (``1529``, ``90P``) and a sex (``H``, ``F``, or empty for both).

        Args:
            rate: share of them to count, by age.
        """
        first, last = ages(group)
        ages_in_group = (first <= AGES) & (last >= AGES)
        counted: Values = (self._people * self._sexes[sex] * rate)[:, ages_in_group].sum(axis=1)
        return counted

    def whole(self, values: Values) -> Values:
        """The values, with those of Paris, Lyon and Marseille replaced by the sums of their arrondissements."""
        summed = values.copy()
        for whole, parts in self._cities:
            summed[whole] = values[parts].sum()
        return summed
