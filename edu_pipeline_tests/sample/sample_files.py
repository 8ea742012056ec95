"""The sample's files as test input, as `real_files.py` is for the publishers' own; no network, no database."""

from __future__ import annotations

import re
import tempfile
from functools import cache
from pathlib import Path

import polars as pl

from edu_pipeline.sample.publication import publications
from edu_pipeline.sample.world import World
from edu_pipeline.sources.catalogue import File
from edu_pipeline.sources.intake import take_in
from edu_pipeline.sources.readers import read
from edu_pipeline.table import tables
from edu_pipeline_tests.conformed import Conformed, conform

_folder = tempfile.TemporaryDirectory(prefix="sample-")


@cache
def sample_world() -> World:
    """The small world that tests share."""
    return World("sample")


@cache
def sample_file(source: str, file_name: str) -> Path:
    """The small world's file of this name, written when it is first asked for."""
    publication = next(item for item in publications() if (item.source, item.file_name) == (source, file_name))
    path = Path(_folder.name) / publication.key
    path.parent.mkdir(exist_ok=True)
    publication.write(sample_world(), path)
    return path


def file_of(file: File) -> Path | None:
    """What the sample publishes for an entry of the catalogue; None if it has nothing."""
    names = [item.file_name for item in publications() if item.source == file.source]
    found = sorted(name for name in names if re.fullmatch(file.name, name))
    return sample_file(file.source, found[-1]) if found else None


@cache
def produced(name: str) -> Conformed:
    """The rows of table ``name`` made from the sample's files, its tables first."""
    table = tables()[name]
    inputs: dict[str, pl.LazyFrame | None] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for parameter, optional in table.parameters.items():
            if parameter not in table.files:
                inputs[parameter] = produced(parameter).frame.lazy()
                continue
            file = table.files[parameter]
            path = file_of(file)
            if path is None:
                assert optional, f"the sample has no file of {file.source} ({file.part})"
                inputs[parameter] = None
                continue
            raw = read(path, file, Path(scratch), file.source)
            inputs[parameter] = take_in(table, parameter, raw, file, path.name, file.source).frame
        return conform(table.transform(**inputs), table)
