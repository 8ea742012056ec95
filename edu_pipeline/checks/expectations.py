"""What each table and view is expected to hold nationally: ``expectations.toml``, typed and checked.

Belongs here: what an expectation can say, and what follows from it for a given year. Does not belong here: the figures
themselves (they are in the TOML file), and querying a database (``figures.py``).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Share = Annotated[float, Field(ge=0, le=1)]
Bounds = tuple[float, float]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Years(_Entry):
    """The years of a table's rows; a school year counts as the year in which it begins."""

    column: str
    newest: int = Field(description="the newest year that was published so far; newer ones are welcome")
    first: int | None = Field(
        None, description="the first year of a table that keeps all years; unset: it has only the newest"
    )
    several: bool = Field(False, description="whether it has others beside the newest that do not follow each other")

    def expected(self, newest_found: int | None) -> list[int]:
        """The years that must have rows.

        Args:
            newest_found: the newest year in the table; None if no row has a year.
        """
        newest = max(self.newest, newest_found or self.newest)
        return [newest] if self.first is None else list(range(self.first, newest + 1))


class Places(_Entry):
    """The départements or académies that must have rows.

    Attributes:
        column: the place's own code or name, or a commune's or establishment's code.
        sets: names of sets of codes (section ``[sets]`` of the file).
        without: codes of the sets that have no rows.
        per: what the rows of a département are roughly proportional to; unset: nothing in particular.
    """

    column: str
    sets: tuple[str, ...]
    without: tuple[str, ...] = ()
    per: Literal["communes", "inhabitants"] | None = None


class Expectation(_Entry):
    """What is expected of one table or view; what is unset is unknown, and not checked."""

    rows: int | None = Field(None, gt=0, description="national count; for a table with years up to ``years.newest``")
    tolerance: Share | None = Field(None, description="share of ``rows`` by which the count may differ")
    counted: Mapping[str, str] = Field(
        default_factory=dict, description="value by column of the rows that ``rows`` counts; empty: all"
    )
    years: Years | None = None
    departements: Places | None = None
    academies: Places | None = None
    means: Mapping[str, Bounds] = Field(default_factory=dict, description="lowest and highest average, by column")

    @model_validator(mode="after")
    def _whole(self) -> Expectation:
        if (self.rows is None) != (self.tolerance is None):
            raise ValueError("rows and tolerance go together")
        if wrong := [column for column, (low, high) in self.means.items() if low >= high]:
            raise ValueError(f"the lower bound comes first: {', '.join(wrong)}")
        return self

    def expected_rows(self, newest_found: int | None) -> tuple[int, int]:
        """The lowest and the highest number of rows; a table that keeps its years grows with each newer one."""
        assert self.rows is not None and self.tolerance is not None
        years = len(self.years.expected(newest_found)) / len(self.years.expected(None)) if self.years else 1
        return round(self.rows * years * (1 - self.tolerance)), round(self.rows * years * (1 + self.tolerance))


class Expectations(_Entry):
    """The whole file."""

    sets: Mapping[str, tuple[str, ...]]
    tables: Mapping[str, Expectation]

    @model_validator(mode="after")
    def _known_sets(self) -> Expectations:
        for name, expectation in self.tables.items():
            for places in (expectation.departements, expectation.academies):
                for unknown in set(places.sets) - set(self.sets) if places else ():
                    raise ValueError(f"{name}: expected the name of a set, found {unknown}")
        return self

    def of(self, table: str) -> Expectation:
        """What is expected of a table or view; nothing if the file has no section of that name."""
        return self.tables.get(table) or Expectation()

    def codes(self, places: Places) -> list[str]:
        """The codes of the places that must have rows."""
        return [code for name in places.sets for code in self.sets[name] if code not in places.without]


def parse(text: str) -> Expectations:
    """Read the text of a file of expectations.

    Raises:
        pydantic.ValidationError: a section is not well formed; the text names it.
    """
    sections = tomllib.loads(text)
    sets = sections.pop("sets")
    return Expectations.model_validate({"sets": sets, "tables": sections})


@lru_cache(maxsize=1)
def expectations() -> Expectations:
    """The product's own file."""
    return parse(resources.files("edu_pipeline.checks").joinpath("expectations.toml").read_text(encoding="utf-8"))
