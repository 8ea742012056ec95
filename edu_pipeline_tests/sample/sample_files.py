"""The sample's files as test input, as `real_files.py` is for the publishers' own; no network, no database."""

from __future__ import annotations

import re
import shutil
import tempfile
from fcntl import LOCK_EX, flock
from functools import cache
from pathlib import Path

from edu_pipeline.catalogue import File
from edu_pipeline.sample.directory import publications
from edu_pipeline.sample.shelf import Shelf, make
from edu_pipeline.sample.world import World
from edu_pipeline_tests.conformed import Conformed
from edu_pipeline_tests.real_files import made_from
from edu_pipeline_tests.servers import of_the_run

_folder = tempfile.TemporaryDirectory(prefix="sample-")


@cache
def _whole_sample() -> Path:
    """The whole sample, which the first process of the run that needs it has made for all."""
    folder = of_the_run() / "sample"
    with (of_the_run() / "sample.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        if not folder.exists():
            make(of_the_run() / "sample.new", "sample").folder.rename(folder)
    return folder


def copied_sample(folder: Path) -> Shelf:
    """A sample directory that a test may publish from."""
    shutil.copytree(_whole_sample(), folder, dirs_exist_ok=True)
    return make(folder, "sample")


@cache
def sample_world() -> World:
    """The world at the sample scale, which tests share."""
    return World("sample")


@cache
def sample_file(source: str, file_name: str) -> Path:
    """The file of this name at the sample scale, written when first needed."""
    publication = next(item for item in publications() if (item.source, item.file_name) == (source, file_name))
    path = Path(_folder.name) / publication.key
    path.parent.mkdir(exist_ok=True)
    publication.write(sample_world(), path)
    return path


def file_of(file: File) -> Path | None:
    """The file that the sample publishes for an entry of the catalogue, if any."""
    name = name_of(file)
    return sample_file(file.source, name) if name else None


def name_of(file: File) -> str | None:
    """Its name; the file is not written."""
    names = [item.file_name for item in publications() if item.source == file.source and item.exists(sample_world())]
    return max((name for name in names if re.fullmatch(file.name, name)), default=None)


@cache
def produced(name: str) -> Conformed:
    """The rows of a table made from the sample's files, and of the tables that it needs."""
    return made_from(name, file_of, produced)
