"""A PDF of lycées' sectors as a file of segments, with what could not be read of it in a second file.

Belongs here: reading the published directory, and writing the two files. Does not belong here: reading the PDF
(``sectors/pdf_*.py``), loading the segments, which an operator hands in.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from edu_pipeline.database.connection import Database
from edu_pipeline.database.copying import copy_out
from edu_pipeline.errors import InputMissing
from edu_pipeline.sectors import pdf_entries, pdf_segments, pdf_text
from edu_pipeline.sectors.pdf_segments import COLUMNS, COMMUNES, LYCEES, Directory
from edu_pipeline.table import tables

UNREAD = ("page", "lines", "reason", "text")
"""The columns of the second file."""

TRACKS = ("voie_generale", "voie_technologique")


class Summary(NamedTuple):
    """What became of the lines of a PDF: ``lines == lines_read + lines_unread``, headers apart.

    Attributes:
        headers: lines that are on more than half of the pages, each once.
        header_lines: how many lines they are in all.
        entries_unread: rows of the second file that are text of the PDF.
        pages_doubtful: rows of the second file about pages of which another reader counts other characters.
    """

    pages: int
    lines: int
    lines_read: int
    lines_unread: int
    headers: list[str]
    header_lines: int
    segments: int
    entries_unread: int
    pages_doubtful: int


def convert(pdf: Path, database: Database, segments: Path, unread: Path, rentree: str | None) -> Summary:
    """Read a PDF, and write what was read and what was not.

    Args:
        segments, unread: the two files, which are overwritten.
        rentree: the school year, ``2026-2027``; None: it is not known.

    Raises:
        FileInvalid, SettingInvalid: see ``pdf_text.read``.
        InputMissing: the directory of schools, or the list of communes, was never loaded.
    """
    text = pdf_text.read(pdf, pdf_entries.BEGINS)
    reading = pdf_segments.read(text, _directory(database), pdf.stem, rentree)
    _write(segments, COLUMNS, reading.segments)
    left = [entry._asdict() for entry in reading.unread]
    doubtful = [{"page": page, "lines": 0, "reason": reason, "text": ""} for page, reason in text.doubtful]
    _write(unread, UNREAD, [*left, *doubtful])
    return Summary(
        pages=text.pages,
        lines=reading.lines,
        lines_read=reading.lines_read,
        lines_unread=sum(entry.lines for entry in reading.unread),
        headers=list(dict.fromkeys(line.text for line in text.headers)),
        header_lines=len(text.headers),
        segments=len(reading.segments),
        entries_unread=len(reading.unread),
        pages_doubtful=len(text.doubtful),
    )


def _directory(database: Database) -> Directory:
    """The published communes, and the public lycées with a general or technological track."""
    with tempfile.TemporaryDirectory() as folder, database.connect() as connection:

        def rows(name: str, columns: Sequence[str]) -> pl.DataFrame:
            found = copy_out(connection, name, tables()[name].contract, Path(folder), columns).collect()
            if found.is_empty():
                raise InputMissing(
                    "sectors read-pdf",
                    f"expected rows in {name}, in which names are looked up, found none.",
                    f"Load it first: `edu-pipeline refresh {name}`.",
                    f"the table {name}",
                )
            return found

        communes = rows("info_communes", COMMUNES)
        schools = rows("annuaire_education", (*LYCEES, *TRACKS, "type_etablissement", "statut_public_prive"))
    is_general = pl.any_horizontal(pl.col(TRACKS).fill_null(False))
    return Directory(communes, schools.filter(is_general, type_etablissement="Lycée", statut_public_prive="public"))


def _write(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, columns, delimiter=";", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
