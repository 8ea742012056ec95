"""The files that the map page reads, below ``data/atlas``.

Belongs here: their names and forms. Does not belong here: what is in them (the other modules of this package).

==============================  ===================================================================================
``atlas.json``                  figures and facts of every layer with their classes, sources, tiles; read first
``LAYER/places.json``           the places of a layer, a list for each column
``LAYER/values/NUMBER.json``    a figure: values in the order of the places, and the medians of the départements
``LAYER/cards/DEP.json``        all figures and facts of the places of a département, by code
``streets/COMMUNE.json``        the streets of a commune, ``streets/vocabulary.json`` how a typed street is read
``zones/DEP.json``              the zones of a département
``land``, ``schools``           vector tiles
==============================  ===================================================================================

Only the figure that is shown is read, so that a map of all communes needs some hundred kilobytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from edu_pipeline.export.description import Collection
from edu_pipeline.site.atlas import classes, places, shapes, streets, tiles
from edu_pipeline.site.atlas.facts import facts
from edu_pipeline.site.atlas.figures import Figure, of_communes, of_departements, of_schools, the_table

FOLDER = "atlas"
"""Folder of these files below that of the tables."""


@dataclass(frozen=True)
class Layer:
    """A layer of the map.

    Attributes:
        places: see ``places.py``.
        figures, facts: what is known of the places.
        values: the figures by ``code``, a column for each id.
        texts: the facts by ``code``, likewise.
    """

    places: pl.DataFrame
    figures: Sequence[Figure]
    values: pl.DataFrame
    facts: Sequence[Figure]
    texts: pl.DataFrame


def write(collection: Collection, data: Path) -> int:
    """Write all files of the map.

    Args:
        data: the folder with the tables as Parquet; ``FOLDER`` is made in it.

    Returns:
        The number of communes in which an address can be found.
    """
    folder = data / FOLDER
    folder.mkdir()
    layers = read(collection, data)
    index = {
        "land": tiles.write(shapes.land(data, layers["communes"].places), folder / "land"),
        "schools": tiles.write(
            shapes.sectors(data, {name: layers[name].places for name in ("lycees", "colleges")}), folder / "schools"
        ),
    }
    told = {name: _layer(folder / name, layer) for name, layer in layers.items()}
    with_streets = []
    for code, content in streets.by_commune(data):
        with_streets.append(code)
        _write(folder / "streets" / f"{code}.json", content)
    _write(folder / "streets" / "vocabulary.json", streets.vocabulary())
    for code, content in streets.zones_by_departement(data):
        _write(folder / "zones" / f"{code}.json", content)
    _write(
        folder / "atlas.json",
        {"layers": told, "sources": _sources(collection, layers), "tiles": index, "streets": with_streets},
    )
    return len(with_streets)


def read(collection: Collection, data: Path) -> dict[str, Layer]:
    """The layers of the map by name, with the values of their places."""
    communes = places.communes(data)
    departements, lycees = places.departements(data, communes), places.lycees(data, communes)
    figures, values = of_communes(collection, data)
    return {
        "departements": Layer(
            departements, *of_departements(collection, data), *facts(collection, data, "departements")
        ),
        "communes": Layer(
            communes, figures, with_city(values, communes), *facts(collection, data, "commune_context_cache")
        ),
        "lycees": Layer(
            lycees,
            *of_schools(collection, data, "lycee_context_cache"),
            *facts(collection, data, "lycee_context_cache"),
        ),
        "colleges": Layer(
            places.colleges(data, communes),
            *of_schools(collection, data, "college_context_cache"),
            *facts(collection, data, "college_context_cache"),
        ),
    }


def with_city(values: pl.DataFrame, communes: pl.DataFrame) -> pl.DataFrame:
    """The values of communes; an arrondissement has its city's where its own are missing, as in the views."""
    figures = [name for name in values.columns if name != "code"]
    own = communes.select("code", "parent").join(values, on="code", how="left", maintain_order="left")
    city = communes.select(code="parent").join(values, on="code", how="left", maintain_order="left")
    return own.select("code", *(own[name].fill_null(city[name]) for name in figures))


def _layer(folder: Path, layer: Layer) -> dict[str, Any]:
    """Write the files of a layer, and return what the page has to know of it first."""
    _write(folder / "places.json", {name: layer.places[name].to_list() for name in layer.places.columns})
    values = _short(layer.places.select("code").join(layer.values, on="code", how="left", maintain_order="left"))
    is_whole = layer.places["parent"].is_null() if "parent" in layer.places.columns else pl.lit(True)
    medians = (
        values.with_columns(dep=layer.places["dep"])
        .filter(is_whole)
        .drop("code")
        .group_by("dep")
        .median()
        .drop_nulls("dep")
        .sort("dep")
    )
    edges = {}
    for number, figure in enumerate(layer.figures):
        column = values[figure.id]
        edges[figure.id] = classes.edges(column)
        of_departement = dict(zip(medians["dep"], medians[figure.id], strict=True))
        _write(folder / "values" / f"{number}.json", {"values": column.to_list(), "medians": of_departement})
    _cards(folder / "cards", layer, values)
    return {
        "figures": [{**asdict(figure), "edges": edges[figure.id]} for figure in layer.figures],
        "facts": [asdict(fact) for fact in layer.facts],
        "count": layer.places.height,
    }


def _short(values: pl.DataFrame) -> pl.DataFrame:
    """The values with integers where a column has no others, so that ``12.0`` is written ``12``."""
    numbers = values.columns[1:]
    are_whole = values.select((pl.col(name) == pl.col(name).floor()).all() for name in numbers).row(0)
    whole = [name for name, is_whole in zip(numbers, are_whole, strict=True) if is_whole]
    return values.with_columns(pl.col(whole).cast(pl.Int64))


def _cards(folder: Path, layer: Layer, values: pl.DataFrame) -> None:
    """Write the values and facts of all places, a file for each département."""
    ids = [figure.id for figure in layer.figures]
    texts = layer.places.select("code").join(layer.texts, on="code", how="left", maintain_order="left").drop("code")
    rows = zip(
        layer.places["code"], layer.places["dep"], values.select(ids).iter_rows(), texts.iter_rows(), strict=True
    )
    cards: dict[str, dict[str, Any]] = {}
    for code, departement, numbers, words in rows:
        cards.setdefault(departement or "", {})[code] = [numbers, words]
    for departement, content in cards.items():
        _write(folder / f"{departement}.json", content)


def _sources(collection: Collection, layers: Mapping[str, Layer]) -> dict[str, Any]:
    """The sources of every table that a figure or fact is from, and of the sectors."""
    names = {known.origin for layer in layers.values() for known in (*layer.figures, *layer.facts)}
    told = {}
    for name in sorted({*names, "sectorisation_segments", "sectorisation_zones"}):
        table = the_table(collection, name)
        told[name] = [
            {
                "id": origin.release.source,
                "title": origin.title,
                "edition": origin.edition,
                "day": origin.day.isoformat(),
                "licence": origin.source.licence if origin.source else None,
            }
            for origin in table.provenance.origins
        ]
    return told


def _write(path: Path, content: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
