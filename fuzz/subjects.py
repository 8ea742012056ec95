"""The files that mutants are made of: those of the sample publisher, and the real ones.

Belongs here: which files and tables are tried, and what the unchanged files give. Does not belong here: how rows are
made (`making.py`), and how files are changed (`mutations.py`).
"""

from __future__ import annotations

import gzip
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path

import polars as pl

from edu_pipeline.catalogue import File
from edu_pipeline.contracts import specs
from edu_pipeline.loading.columns import find_columns
from edu_pipeline.loading.passage import Passage
from edu_pipeline.loading.unfolding import AREA, ATTRIBUTES, LEVEL, columns_of_long
from edu_pipeline.normalise import slug
from edu_pipeline.sources.headers import is_copy, slugs
from edu_pipeline.sources.readers import read
from edu_pipeline.table import Table, tables
from edu_pipeline_tests import real_files
from edu_pipeline_tests.real_files import real_file
from edu_pipeline_tests.sample import sample_files
from fuzz import json_damage
from fuzz.document import Document
from fuzz.making import ReadFile, Rows, made, read_file

Find = Callable[[File], Path | None]

LINES = 200
"""Rows of a file that mutants are made of."""

AREAS = 4
"""Areas of a long file, whose rows mutants are made of."""


@dataclass(frozen=True)
class Subject:
    """A file as a table reads it, cut to its first rows."""

    table: Table
    parameter: str
    path: Path
    find: Find

    @property
    def file(self) -> File:
        """The file's entry in the catalogue."""
        return self.table.files[self.parameter]

    @cached_property
    def document(self) -> Document:
        """The file's rows, or its content if it is not a plain table."""
        with tempfile.TemporaryDirectory() as scratch:
            rows = self._first_rows(read(self.path, self.file, Path(scratch), "the fuzzer").frame).collect()
        if any(kind.is_nested() for kind in rows.dtypes) or "geometry" in rows.columns:
            return Document(raw=_first_items(self.path))
        cells = [["" if value is None else value for value in row] for row in rows.rows()]
        return Document([rows.columns, *cells], columns_read=self._columns_read(rows.columns))

    def _first_rows(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The rows that mutants are made of; of a long file those of a few areas, which have all figures together."""
        if not self.file.long:
            return rows.head(LINES)
        areas = rows.filter(pl.col(slug(LEVEL)).is_in(["COM", "ARM"])).select(slug(AREA)).unique(maintain_order=True)
        return rows.join(areas.head(AREAS), on=slug(AREA), how="semi", maintain_order="left")

    @cached_property
    def content(self) -> bytes:
        """The bytes of the unchanged file."""
        return self.document.content()

    def _columns_read(self, header: list[str]) -> tuple[int, ...]:
        """The positions of the columns that the table reads."""
        names = slugs(header, "the fuzzer")
        if self.file.long:
            chosen = {slug(name) for name in (*columns_of_long(self.table, self.parameter), *ATTRIBUTES)}
        else:
            own = [name for name in names if not is_copy(name)]
            columns = find_columns(self.table, self.parameter, own, "the fuzzer")
            chosen = {*filter(None, columns.upstream.values()), *columns.needed}
        return tuple(place for place, name in enumerate(names) if name in chosen)

    def name_of(self, document: Document) -> str:
        """The name of a mutant's file."""
        stem, _, ending = self.path.name.removesuffix(".gz").partition(".")
        return stem + (document.suffix if document.rows else f".{ending}")

    def rows(self, document: Document) -> Rows:
        """The rows of the table if the file has this content, and all others are as they are.

        Raises:
            EduError: the file cannot be read, or its rows cannot be made.
        """
        with tempfile.TemporaryDirectory() as folder:
            changed = Path(folder) / self.name_of(document)
            changed.write_bytes(document.content())
            mutant = read_file(self.file, changed, Path(folder))
            passage = _passage() if self.table.follows_passage else None
            files = {**_files(self.table.name, self.find), self.parameter: mutant}
            rows = made(self.table, files, self._other, passage, Path(folder))
            return replace(rows, signs={**rows.signs, **self._unknown(rows.frame)})

    def _unknown(self, rows: pl.DataFrame) -> dict[str, int]:
        """How many communes are none, by column: a load asks the database (``acceptance.check_references``)."""
        columns = [name for name, spec in specs(self.table.contract).items() if "info_communes" in spec.references]
        return {f"no commune: {name}": rows.filter(~pl.col(name).is_in(_communes())).height for name in columns}

    @cached_property
    def _other(self) -> dict[str, pl.DataFrame]:
        return {name: sample_files.produced(name).frame for name in self.table.input_tables}

    @cached_property
    def row_by_row(self) -> bool:
        """Whether each line becomes a row; where lines are merged, a refused one changes the others' row."""
        return self.expected.frame.height + self.expected.refused == self.document.count

    @cached_property
    def expected(self) -> Rows:
        """The rows that the unchanged file gives."""
        return self.rows(self.document)


@cache
def _files(table: str, find: Find) -> dict[str, ReadFile | None]:
    """By parameter, the files that a table reads."""
    with tempfile.TemporaryDirectory() as scratch:
        return {
            parameter: read_file(file, path, Path(scratch)) if (path := find(file)) else None
            for parameter, file in tables()[table].files.items()
        }


@cache
def _communes() -> list[str]:
    """The communes of the sample, and the real ones if there is a real list of them."""
    listed = [sample_files.produced("info_communes")]
    if _has_real_files() and all(map(real_file, tables()["info_communes"].files.values())):
        listed.append(real_files.produced("info_communes"))
    return [code for conformed in listed for code in conformed.frame["code_commune"]]


def _has_real_files() -> bool:
    return Path(os.environ.get("EDU_UPSTREAM", "")).is_absolute()


@cache
def _passage() -> Passage:
    codes = sample_files.produced("info_communes").frame["code_commune"].to_list()
    return Passage(sample_files.produced("passage_communes").frame, codes)


def _first_items(path: Path) -> bytes:
    """The content of a file, of JSON only the first items."""
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    if not content.startswith((b"[", b"{")):
        return content
    document = json.loads(content)
    del json_damage.items_of(document)[LINES:]
    return json.dumps(document, ensure_ascii=False).encode()


def subjects(find: Find = sample_files.file_of, find_others: Find = sample_files.file_of) -> list[Subject]:
    """Every file that ``find`` has, once for each table that reads it; without tables made of parts.

    Args:
        find_others: gives the other files that the tables read.
    """
    return [
        Subject(table, parameter, path, find_others)
        for table in tables().values()
        if not table.in_parts
        for parameter, file in table.files.items()
        if (path := find(file))
    ]


def real_subjects() -> list[Subject]:
    """The same of the real files."""
    return subjects(real_file, _real_or_sample) if _has_real_files() else []


def _real_or_sample(file: File) -> Path | None:
    return real_file(file) or sample_files.file_of(file)
