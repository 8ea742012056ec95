"""Making the rows of a table: read its files and tables, correct, transform, and sort out what breaks the contract.

Belongs here: the order of these steps. Does not belong here: any step, and what becomes of the rows (``load.py``).

Whatever this module imports makes rows: a change of it loads tables again (``versions.py``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import polars as pl
from psycopg import sql

from edu_pipeline.catalogue import File
from edu_pipeline.database.connection import Connection
from edu_pipeline.database.copying import copy_out
from edu_pipeline.database.ledger import REFUSED
from edu_pipeline.errors import FileInvalid, shown
from edu_pipeline.loading import operator_file
from edu_pipeline.loading.balance import Balance
from edu_pipeline.loading.conform import Conformed, conform
from edu_pipeline.loading.earlier import earlier_rows
from edu_pipeline.loading.intake import Intake, take_in
from edu_pipeline.loading.passage import Passage, bring_to_current, year_of
from edu_pipeline.parts import Parts
from edu_pipeline.sources import copies
from edu_pipeline.sources.archive import Archive, Release
from edu_pipeline.table import RELEASE, Table, tables


@dataclass(frozen=True)
class Made:
    """The rows that were made of a table's inputs.

    Attributes:
        conformed: the rows, and those that break the contract.
        balance: the accounts of the files' rows.
        hidden: number of cells per column in which a publisher hides the value.
        corrected: number of rows per correction of a known upstream error.
        missing: source and upstream column that its file lacks, to the names in the file that are close.
        skipped: source and rule to the number of lines or fields that were left out, or of cells and shapes repaired.
        notes: what the readers did to the files, in sentences.
    """

    conformed: Conformed
    balance: Balance = field(default_factory=Balance)
    hidden: Mapping[str, int] = field(default_factory=dict)
    corrected: Mapping[str, int] = field(default_factory=dict)
    missing: Mapping[str, list[str]] = field(default_factory=dict)
    skipped: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()


def make(table: Table, inputs: Inputs) -> Made:
    """Make the rows of ``table``.

    Raises:
        EduError: a file cannot be read, or lacks a column.
    """
    frames = {parameter: inputs.frame(parameter) for parameter in table.parameters}
    conformed = transformed(table, frames, inputs.scratch, inputs.where)
    conformed = replace(conformed, refused=pl.concat([*inputs.refused_lines, conformed.refused]))
    return Made(
        conformed,
        inputs.balance,
        inputs.hidden,
        inputs.corrected,
        inputs.missing,
        inputs.skipped,
        list(dict.fromkeys(inputs.notes)),
    )


def transformed(
    table: Table, frames: Mapping[str, pl.LazyFrame | Parts | None], scratch: Path, where: str
) -> Conformed:
    """The rows that the table's transform makes of ``frames``.

    Args:
        where: the table and its files, for the failure text.

    Raises:
        FileInvalid: a file has columns of a kind with which that is impossible, such as lists in place of texts.
    """
    try:
        return conform(table.transform(**frames), table, scratch)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        found = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise FileInvalid(
            where,
            f"expected columns of which {table.name} can be made, found others ({type(error).__name__}: "
            f"{shown(found)}).",
            "Compare the kinds of the files' columns (text, list, object) with those of the previous release; if they "
            "are the same, correct the transform.",
        ) from error


def take_as_they_are(table: Table, supplied: Release, archive: Archive, scratch: Path) -> Made:
    """The rows of a file in the table's own columns (``operator_file.py``).

    Raises:
        EduError: the file cannot be read, or lacks a column.
    """
    return Made(conform(operator_file.rows(supplied, table, archive, scratch), table, scratch))


class Inputs:
    """What a transform receives, one frame for each of its parameters.

    Args:
        connection: where the tables are read that the table is made from.
        releases: source to the release that is read.
        scratch: folder for files that live as long as the frames are used.

    Attributes:
        balance, hidden, corrected, missing, skipped, notes: as in ``Made``, of the frames that were asked for so far.
    """

    def __init__(
        self, table: Table, connection: Connection, archive: Archive, releases: Mapping[str, Release], scratch: Path
    ) -> None:
        self.table, self.connection, self.archive, self.releases, self.scratch = (
            table,
            connection,
            archive,
            releases,
            scratch,
        )
        self.hidden: dict[str, int] = {}
        self.corrected: dict[str, int] = {}
        self.missing: dict[str, list[str]] = {}
        self.skipped: dict[str, int] = {}
        self.notes: list[str] = []
        self.balance = Balance()
        self._lines: dict[tuple[str, str], pl.DataFrame] = {}
        self._passage = self._read_passage() if table.follows_passage else None

    def frame(self, parameter: str) -> pl.LazyFrame | Parts | None:
        """The argument for ``parameter``; None if it is optional and no release has the file."""
        if parameter in self.table.input_tables:
            return self._other_table(parameter)
        if parameter in self.table.in_parts:
            return self._parts(parameter)
        return self._file(parameter)

    @property
    def where(self) -> str:
        """The table and the files that it is made from."""
        files = [
            f"{file.source}, file {received.name}"
            for file in self.table.files.values()
            if file.source in self.releases and (received := self.releases[file.source].file(file.part))
        ]
        return "; ".join([f"table {self.table.name}", *files])

    @property
    def refused_lines(self) -> list[pl.DataFrame]:
        """Lines of files that are not rows, in the form of the quarantine."""
        return list(self._lines.values())

    def _other_table(self, name: str) -> pl.LazyFrame:
        """The published rows of another table: the columns and the rows that the transform uses."""
        only, latest = self.table.columns_read_of(name), self.table.latest.get(name)
        return copy_out(self.connection, name, tables()[name].contract, self.scratch, only, latest)

    def _file(self, parameter: str) -> pl.LazyFrame | None:
        """The rows of a file, corrected, and with the commune codes of today."""
        file = self.table.files[parameter]
        release = self.releases.get(file.source)
        earlier = self._earlier(parameter, file, release) if parameter in self.table.all_releases and release else []
        if release is None or release.file(file.part) is None:
            return pl.concat(earlier, how="diagonal_relaxed") if earlier else None
        taken = self._taken_in(parameter, file, release, self.scratch)
        self.corrected |= {applied.correction.name: applied.rows for applied in taken.corrections}
        for column, count in taken.hidden.items():
            self.hidden[column] = self.hidden.get(column, 0) + count
        rows = taken.frame
        if parameter in self.table.all_releases:
            return pl.concat([rows.with_columns(pl.lit(0).alias(RELEASE)), *earlier], how="diagonal_relaxed")
        if self._passage is None:
            return rows
        return bring_to_current(rows, self.table, parameter, self._passage, year_of(file, taken.file_name))

    def _earlier(self, parameter: str, file: File, release: Release) -> list[pl.LazyFrame]:
        """The rows of a file in the releases before ``release``."""
        frames, notes = earlier_rows(self.table, parameter, file, release, self.archive, self.scratch)
        self.notes += notes
        return frames

    def _parts(self, parameter: str) -> Parts | None:
        """All parts of a source that the release has.

        Codes of former communes stay as they are, and neither hidden cells nor corrections are counted, since a part
        is read only when the transform asks for it.
        """
        source = self.table.in_parts[parameter]
        release = self.releases.get(source.id)
        if release is None:
            return None

        def rows(part: str) -> pl.LazyFrame:
            with tempfile.TemporaryDirectory(dir=self.scratch) as unpacked:
                taken = self._taken_in(parameter, source.files[part], release, Path(unpacked))
                frame = taken.frame.collect(engine="streaming")
            return self.balance.opened_part(parameter, part, taken.file_name, frame)

        return Parts([part for part in source.files if release.file(part)], rows)

    def _taken_in(self, parameter: str, file: File, release: Release, scratch: Path) -> Intake:
        """The columns that the table takes from ``file``, which ``release`` has.

        The rows of a file that is read once are accounted for from here on.
        """
        received = release.file(file.part)
        assert received is not None
        where = f"{file.source} {release.label}"
        result = copies.read(self.archive, release, received, file, scratch, where)
        place = f"{where}, file {received.name}"
        rows = result.frame
        if parameter not in self.table.in_parts:
            rows = self.balance.opened(file, received.name, rows, result.refused.height, where)
        taken = take_in(self.table, parameter, rows, file, received.name, place, result.begins)
        self.missing |= {f"{file.source}: {column}": names for column, names in taken.missing.items()}
        if (file.source, file.part) not in self._lines:  # a part may be read several times
            self._lines[file.source, file.part] = _as_refused(result.refused, received.name)
            self.notes += [f"{file.source}, file {received.name}: {note}" for note in (*result.notes, *taken.notes)]
            for rule, count in (*result.skipped.items(), *taken.skipped.items()):
                name = f"{file.source}: {rule}"
                self.skipped[name] = self.skipped.get(name, 0) + count
        return taken

    def _read_passage(self) -> Passage:
        """The changes of commune codes and the communes in force, as published."""
        contract = tables()["passage_communes"].contract
        changes = copy_out(self.connection, "passage_communes", contract, self.scratch).collect()
        return Passage(changes, keys(self.connection, "info_communes"))


def _as_refused(lines: pl.DataFrame, file_name: str) -> pl.DataFrame:
    """Refused lines in the form of the quarantine, their number as the key."""
    return (
        lines.rechunk()
        .select(
            key=pl.format("line {}", "line"),
            place=pl.format("file {}, line {}", pl.lit(file_name), "line"),
            reasons=pl.concat_list("reason"),
            row=pl.struct("text").struct.json_encode(),
        )
        .match_to_schema(REFUSED)
    )


def keys(connection: Connection, name: str) -> list[str]:
    """The published values of the first key column of a table."""
    key = sql.Identifier(tables()[name].key[0])
    rows = connection.execute(sql.SQL("SELECT {} FROM {}").format(key, sql.Identifier(name)))
    return [str(value) for (value,) in rows]
