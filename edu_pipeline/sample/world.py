"""The invented world that the publishers describe: the country with its schools and streets.

Belongs here: putting the parts together. Does not belong here: any of the parts (`country.py`, `schools.py`,
`streets.py`).
"""

from __future__ import annotations

from functools import cached_property

import polars as pl

from edu_pipeline.sample.country import Country
from edu_pipeline.sample.schools import schools_of
from edu_pipeline.sample.streets import all_streets


class World(Country):
    """The invented country with all that publishers describe in it; every frame is made when first needed."""

    @cached_property
    def schools(self) -> pl.DataFrame:
        """Every open school, collège, lycée and service, by its code."""
        return schools_of(self)

    @cached_property
    def colleges(self) -> pl.DataFrame:
        """The schools that are collèges."""
        return self.schools.filter(pl.col("type") == "Collège")

    @cached_property
    def lycees(self) -> pl.DataFrame:
        """The schools that are lycées."""
        return self.schools.filter(pl.col("type") == "Lycée")

    @cached_property
    def lycees_gt(self) -> pl.DataFrame:
        """The lycées with a general or a technological track."""
        return self.lycees.filter(pl.col("voie_generale") | pl.col("voie_technologique"))

    @cached_property
    def streets(self) -> pl.DataFrame:
        """Every street of every place, in the columns of ``streets.all_streets``."""
        return all_streets(self)
