"""The figures of places: which there are, with description, unit and origin, and their values.

Belongs here: finding them in the descriptions of tables and views, and reading them. Does not belong here: where places
are (``places.py``), files (``files.py``).

Communes have the numbers of all tables that are keyed by commune, so that every commune can be coloured, and those that
only the view has. Schools have those of their view: its columns, and what is in its JSON.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path

import polars as pl

from edu_pipeline.database.views import views
from edu_pipeline.export.description import Collection, Described, Field

NOT_FIGURES = {"annee", "crime_annee", "session", "latitude", "longitude"}
"""Numeric columns that say when or where."""

NUMERIC = re.compile(r"integer|bigint|double precision|numeric.*")
UNIT = re.compile(r" \(unit: ([^)]+)\)")
COLUMNS_OF = re.compile(r"the columns of (\w+)")
"""How the comment of a JSON column of a view names the table whose columns it has."""

CRIME, RATE = "crime_indicateurs", "taux_pour_mille"
"""The view's crime rates by indicator, and the number that each has."""

DECIMALS = 2
"""Of values of type ``double precision``, such as the census's estimates; other values are exact."""


@dataclass(frozen=True)
class Figure:
    """A number that places of a layer have.

    Attributes:
        id: unique in its layer, and the name of its file.
        label: its name as words.
        table, column: where the dictionary explains it.
        origin: the table or view whose sources are its own.
    """

    id: str
    label: str
    description: str
    unit: str | None
    table: str
    column: str
    origin: str


def of_communes(collection: Collection, data: Path) -> tuple[list[Figure], pl.DataFrame]:
    """The figures of communes, and a frame of them by ``code``; a column is named as its figure's id.

    Args:
        data: the folder with the tables as Parquet.
    """
    found: list[Figure] = []
    frames: list[pl.DataFrame] = []
    for table in collection.tables:
        if table.key == ("code_commune",) and table.layer != "views":
            figures = [of_column(table, field, table.name) for field in _numbers(table)]
            if figures:
                found += figures
                frames.append(_read(data, table, figures))
    view = the_table(collection, "commune_context_cache")
    known = {figure.column for figure in found}
    own = [of_column(view, field, view.name) for field in _numbers(view) if field.name not in known]
    rates = list(_crime_rates(collection, data))
    frame = pl.read_parquet(data / f"{view.name}.parquet", columns=["code_commune", CRIME])
    frames += [_read(data, view, own), _decoded(frame, "code_commune", CRIME, rates)]
    return [*found, *own, *rates], _joined(frames)


def of_schools(collection: Collection, data: Path, name: str) -> tuple[list[Figure], pl.DataFrame]:
    """The figures of the schools of the view ``name``, as ``of_communes`` returns them."""
    view = the_table(collection, name)
    own = [of_column(view, field, origin(collection, view, field.name)) for field in _numbers(view)]
    frames, found = [_read(data, view, own)], own
    for field in view.fields:
        source = COLUMNS_OF.search(field.description) if field.is_json else None
        if source:
            table = the_table(collection, source[1])
            inner = [
                replace(of_column(table, column, table.name), id=f"{field.name}.{column.name}")
                for column in _numbers(table)
            ]
            frame = pl.read_parquet(data / f"{view.name}.parquet", columns=["uai", field.name])
            frames.append(_decoded(frame, "uai", field.name, inner))
            found = [*found, *inner]
    return found, _joined(frames)


def of_departements(collection: Collection, data: Path) -> tuple[list[Figure], pl.DataFrame]:
    """The figures of départements, as ``of_communes`` returns them: crime rates by indicator, and placed streets."""
    crime, streets = the_table(collection, "crime_indicateur_avg"), the_table(collection, "data_quality_metrics")
    rate = next(field for field in crime.fields if field.name == "taux_moyen_pour_mille")
    long = pl.read_parquet(data / f"{crime.name}.parquet", columns=["code_departement", "indicateur", rate.name])
    wide = long.pivot("indicateur", index="code_departement", values=rate.name)
    rates = [
        Figure(f"{crime.name}.{name}", name, rate.description, rate.unit, crime.name, rate.name, crime.name)
        for name in sorted(wide.columns[1:])
    ]
    columns = {"code_departement": "code"} | {figure.label: figure.id for figure in rates}
    own = [of_column(streets, field, streets.name) for field in _numbers(streets)]
    frames = [wide.rename(columns).with_columns(pl.exclude("code").cast(pl.Float64)), _read(data, streets, own)]
    return [*rates, *own], _joined(frames)


def the_table(collection: Collection, name: str) -> Described:
    """The table or view ``name``."""
    return next(table for table in collection.tables if table.name == name)


@lru_cache(maxsize=1)
def _spellings() -> dict[str, str]:
    text = resources.files("edu_pipeline.site.atlas").joinpath("words.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def spelled(column: str) -> str:
    """The name of a column as words with their accents: ``taux_reussite_g`` is *Taux réussite g*."""
    words = " ".join(filter(None, (_spellings().get(word, word) for word in column.split("_")))).replace("’ ", "’")
    return words[:1].upper() + words[1:]


def _numbers(table: Described) -> Iterator[Field]:
    """The columns that are figures."""
    for field in table.fields:
        if NUMERIC.fullmatch(field.sql) and field.name not in {*table.key, *NOT_FIGURES}:
            yield field


def of_column(table: Described, field: Field, origin: str) -> Figure:
    """The figure of a column; a view has the unit in its comment."""
    unit = UNIT.search(field.description)
    description = UNIT.sub("", field.description)
    return Figure(
        f"{table.name}.{field.name}",
        spelled(field.name),
        description,
        field.unit or (unit[1] if unit else None),
        table.name,
        field.name,
        origin,
    )


def origin(collection: Collection, table: Described, column: str) -> str:
    """The table whose sources are those of a column: for a view the only one of its tables that has such a column."""
    view = views().get(table.name)
    tables = [the_table(collection, name) for name in view.inputs] if view else []
    having = [table.name for table in tables if any(field.name == column for field in table.fields)]
    return having[0] if len(having) == 1 else table.name


def _crime_rates(collection: Collection, data: Path) -> Iterator[Figure]:
    crime = the_table(collection, "criminalite_2024")
    rate = next(field for field in crime.fields if field.name == RATE)
    names = pl.read_parquet(data / "crime_indicateur_avg.parquet", columns=["indicateur"])["indicateur"].unique().sort()
    for name in names:
        yield Figure(f"{CRIME}.{name}", name, rate.description, rate.unit, crime.name, RATE, crime.name)


def _read(data: Path, table: Described, figures: Sequence[Figure]) -> pl.DataFrame:
    """The columns of ``figures``, as numbers."""
    (key,) = table.key
    kinds = {field.name: field.sql for field in table.fields}
    values = [
        pl.col(figure.column).cast(pl.Float64).round(DECIMALS).alias(figure.id)
        if kinds[figure.column] == "double precision"
        else pl.col(figure.column).cast(pl.Float64).alias(figure.id)
        for figure in figures
    ]
    return pl.scan_parquet(data / f"{table.name}.parquet").select(pl.col(key).alias("code"), *values).collect()


def _decoded(frame: pl.DataFrame, key: str, column: str, figures: Sequence[Figure]) -> pl.DataFrame:
    """The numbers in a JSON column: of each name itself, for ``CRIME`` the rate below it."""
    inner: pl.DataType = pl.Struct({RATE: pl.Float64}) if column == CRIME else pl.Float64()
    names = {figure.id: figure.id.removeprefix(f"{column}.") for figure in figures}
    decoded = frame[column].str.json_decode(pl.Struct(dict.fromkeys(names.values(), inner))).struct.unnest()
    numbers = {figure: pl.col(name) for figure, name in names.items()}
    values = {name: value.struct.field(RATE) if column == CRIME else value for name, value in numbers.items()}
    return frame.select(code=key).hstack(decoded.select(**values))


def _joined(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """The frames side by side, a row for every code in any of them."""
    codes = pl.concat([frame.select("code") for frame in frames]).unique().sort("code")
    for frame in frames:
        codes = codes.join(frame, on="code", how="left", maintain_order="left")
    return codes
