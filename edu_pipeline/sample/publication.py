"""What a publisher's module says of each of its files, and the registry of all of them.

Belongs here: `Publication`, and the decorators that a module in `publishers/` uses. Does not belong here: the formats
of files (`formats.py`), writing the directory (`directory.py`). It knows no publisher: `directory.py` imports them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from edu_pipeline.sample.formats import write_csv
from edu_pipeline.sample.world import World

Kind = Literal["file", "opendatasoft"]
Write = Callable[[World, Path], None]
Make = Callable[[World], pl.DataFrame]
MakeFeatures = Callable[[World], Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Publication:
    """One file that the sample publishes.

    Attributes:
        source: id of the source in the catalogue.
        file_name: name as the publisher has it.
        kind: ``opendatasoft`` for a portal's dataset, stored as the portal's default export in CSV or GeoJSON.
        write: writes the file to a path.
        labels: of a portal's dataset, the known French labels by machine name.
        exists: whether the world has such a file.
    """

    source: str
    file_name: str
    kind: Kind
    write: Write
    labels: Mapping[str, str] = field(default_factory=dict)
    exists: Callable[[World], bool] = lambda _: True

    @property
    def key(self) -> str:
        """The file's path in the directory."""
        return f"{self.source}/{self.file_name}"


_registry: dict[str, Publication] = {}


def publication(source: str, file_name: str) -> Callable[[Write], Write]:
    """Mark a function that writes one file in its publisher's exact form; the function stays unchanged."""

    def register(write: Write) -> Write:
        add(Publication(source, file_name, "file", write))
        return write

    return register


def dataset(
    source: str,
    labels: Mapping[str, str] | None = None,
    *,
    name: str | None = None,
    exists: Callable[[World], bool] = lambda _: True,
) -> Callable[[Make], Make]:
    """Mark a function that returns a dataset of an Opendatasoft portal: columns with machine names, in their order.

    It is stored as the portal exports it by default: CSV with ``;``, UTF-8 with byte order mark, CRLF.

    Args:
        name: the dataset's id on its portal; unset: the source's.
        exists: whether the world has such a dataset.
    """

    def register(make: Make) -> Make:
        def write(world: World, path: Path) -> None:
            write_csv(make(world), path, delimiter=";", bom=True, line_end="\r\n")

        add(Publication(source, f"{name or source}.csv", "opendatasoft", write, dict(labels or {}), exists))
        return make

    return register


def dataset_of_features(
    source: str, *, name: str, exists: Callable[[World], bool] = lambda _: True
) -> Callable[[MakeFeatures], MakeFeatures]:
    """Mark a function that returns the GeoJSON features of a dataset of an Opendatasoft portal, stored as GeoJSON.

    Args:
        name, exists: as for ``dataset``.
    """

    def register(make: MakeFeatures) -> MakeFeatures:
        def write(world: World, path: Path) -> None:
            content = {"type": "FeatureCollection", "features": make(world)}
            path.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

        add(Publication(source, f"{name}.geojson", "opendatasoft", write, exists=exists))
        return make

    return register


def add(new: Publication) -> None:
    """Add a publication to the registry, where a decorator does not fit.

    Raises:
        ValueError: a publication of that name exists.
    """
    if new.key in _registry:
        raise ValueError(f"{new.key}: expected to be published once, found a second publication.")
    _registry[new.key] = new


def registered() -> list[Publication]:
    """The publications of all modules that have been imported, by source and name."""
    return [_registry[key] for key in sorted(_registry)]
