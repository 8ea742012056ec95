"""What the tests of files about communes share besides `sample_files.py`: raw rows, other worlds, known codes."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

import polars as pl

from edu_pipeline.catalogue import File, files_by_parameter
from edu_pipeline.sample.directory import publications
from edu_pipeline.sample.world import World
from edu_pipeline.sources.readers import read
from edu_pipeline.sources.soundness import check_sound
from edu_pipeline_tests.sample.sample_files import file_of, produced


def path_of(parameter: str) -> Path:
    """The sample's file for a parameter of a transform."""
    path = file_of(files_by_parameter()[parameter])
    assert path is not None, f"the sample has no file for {parameter}"
    return path


def rows_of(parameter: str) -> pl.DataFrame:
    """The rows of the sample's file as the real reader gives them: text, columns by slug."""
    path, file = path_of(parameter), files_by_parameter()[parameter]
    check_sound(path, file, "a test")
    with tempfile.TemporaryDirectory() as scratch:
        return read(path, file, Path(scratch), "a test").frame.collect()


def written(parameter: str, world: World, folder: Path) -> Path:
    """The file of another world for the parameter, written to the folder."""
    file: File = files_by_parameter()[parameter]
    published = next(
        item for item in publications() if item.source == file.source and re.fullmatch(file.name, item.file_name)
    )
    published.write(world, folder / published.file_name)
    return folder / published.file_name


def known_codes() -> set[str]:
    """The codes of communes that tables may refer to: those in force and former ones."""
    passages = produced("passage_communes").frame
    current = produced("info_communes").frame["code_commune"]
    return {*current, *passages["code_ancien"], *passages["code_commune"]}
