"""Whether what becomes of a mutant is right.

Belongs here: comparing its rows with those of the unchanged file, and judging failure texts. Does not belong here: how
files are changed (`mutations.py`), and how rows are made (`making.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from edu_pipeline.contracts import specs
from edu_pipeline.errors import EduError, RowsUnaccounted
from edu_pipeline.loading import acceptance
from edu_pipeline.table import Table
from fuzz.cell_damage import MARKS
from fuzz.document import Mutation
from fuzz.making import Rows

LONGEST_TEXT = 4096
TEXT = (".csv", ".json", ".geojson")
PLACE = re.compile(r"\b(line|row|feature|item) [0-9]")
"""Where in a file of text something is wrong."""

WHOLE = re.compile(
    r"^(AnotherFile|ColumnMissing|ColumnEmpty|NoRows|MemberMissing|NothingFound): |expected columns of which "
    r"|expected names of columns, |, with different values in |in every row of |expected column "
    r"|found (an HTML page|a JSON answer|an empty one|no text|nothing|text|binary data|one that is cut off)"
    r"|found a [\w ]+ file"
)
"""What is wrong with the whole file."""

OF_A_LIBRARY = re.compile(r"Traceback|You might want to try|pyo3|ColumnNotFoundError|SchemaError|ShapeError")

CODE = "^[0-9][0-9AB][0-9]+[A-Z]?$"
"""A column of texts that all look so is one of codes: no other text may be in it."""

YEAR = "^(19|20)[0-9]{2}$"
"""A column of texts that all look so is free text about years, which are published as they are written."""

WORD = r"[\p{L}0-9]+"

NOISE = 1e-9
"""The relative difference of two numbers that the order of adding makes."""

RIGHT, SAID, REFUSED = "right", "said", "refused"
SILENT, FOREIGN, UNACCOUNTED, MISLEADING = "silent error", "foreign exception", "unaccounted row", "misleading text"
BAD = (SILENT, FOREIGN, UNACCOUNTED, MISLEADING)


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: its rows are right; or not, which is said; it is refused; or one of ``BAD``."""

    kind: str
    detail: str = ""


def judged(
    make: Callable[[], Rows], table: Table, expected: Rows, mutation: Mutation, row_by_row: bool, name: str
) -> Verdict:
    """Make the rows of a mutant and judge them by those of the unchanged file.

    Args:
        row_by_row: whether each line becomes a row.
        name: that of the mutant's file.
    """
    try:
        rows = make()
    except EduError as error:
        return _judged_text(error, mutation, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # polars panics are no Exceptions
        return Verdict(FOREIGN, f"{type(error).__name__}: {str(error)[:300]}")
    if mutation.means == "other":
        return Verdict(RIGHT)
    said = list(_said(table, expected, rows))
    found = _Difference(table, expected.frame, rows.frame)
    if mutation.means == "another" and (found.wrong() or not said):
        return Verdict(SILENT, f"loaded as if it were the file: {rows.frame.height} rows, {rows.refused} refused")
    if (
        row_by_row
        and mutation.means != "said"
        and (example := found.wrong(may_lack_words=bool(said) or mutation.means == "less"))
    ):
        return Verdict(SILENT, example)
    if said or (mutation.means == "less" and not row_by_row):
        return Verdict(SAID, "; ".join(said)[:300])
    if example := _gone(found, mutation, row_by_row, expected, rows):
        return Verdict(SILENT, f"{example}, and nothing is said")
    return Verdict(RIGHT)


def _gone(found: _Difference, mutation: Mutation, row_by_row: bool, expected: Rows, rows: Rows) -> str:
    """What is another value, or not there any more, unless the mutation has taken it away.

    Where a file has fewer rows, the newest of them may be others, and only a file that others look things up in leaves
    NULL behind.
    """
    if mutation.means == "fewer":
        is_side_file = not row_by_row and expected.frame.height == rows.frame.height
        return found.nulled if is_side_file else ""
    is_less = mutation.means == "less"
    return found.wrong(may_lack_words=is_less) or found.lost or ("" if is_less else found.nulled)


def _said(table: Table, expected: Rows, rows: Rows) -> Iterator[str]:
    """What a load says of the mutant that it does not say of the unchanged file."""
    for name, count in rows.signs.items():
        if count > expected.signs.get(name, 0):
            yield f"{name}: {count}"
    try:
        acceptance.check_files(table, rows.files, expected.files, False, table.name)
        acceptance.check_volume(table, rows.frame.height, expected.frame.height, False, table.name)
    except EduError as error:
        yield str(error)


def _judged_text(error: EduError, mutation: Mutation, name: str) -> Verdict:
    text = str(error)
    if isinstance(error, RowsUnaccounted):
        return Verdict(UNACCOUNTED, text[:400])
    has_place = bool(PLACE.search(text)) or not name.endswith(TEXT) or bool(WHOLE.search(text))
    has_form = f"file {name}" in error.where and error.remedy and "expected" in text
    advises_alias = error.remedy.startswith("Add the new name") and mutation.spares_columns
    says_no_rows = "a header alone" in text and mutation.spares_columns and mutation.means != "another"
    is_foreign = mutation.means != "other" and OF_A_LIBRARY.search(text)
    if (
        not has_form
        or not has_place
        or advises_alias
        or says_no_rows
        or is_foreign
        or len(text.encode()) > LONGEST_TEXT
    ):
        return Verdict(MISLEADING, f"{len(text.encode()):,} bytes: {text[:400]}")
    return Verdict(REFUSED, text[:300])


class _Difference:
    """How the rows of a mutant differ from those of the unchanged file."""

    def __init__(self, table: Table, expected: pl.DataFrame, actual: pl.DataFrame) -> None:
        self._table = table
        self._new = actual.join(expected, on=table.key, how="anti", nulls_equal=True)
        self._missing = expected.join(actual, on=table.key, how="anti", nulls_equal=True)
        self._codes, self._years = _all_alike(expected, CODE), _all_alike(expected, YEAR)
        both = expected.join(actual, on=table.key, suffix="_actual", nulls_equal=True)
        free = {name: kind for name, kind in expected.schema.items() if name not in table.key and self._is_free(name)}
        shows = (
            _is_marked(f"{name}_actual", kind, [mark]) & ~_is_marked(name, kind, [mark])
            for name, kind in free.items()
            for mark in MARKS
        )
        self._both = both.filter(
            ~pl.any_horizontal(False, *shows)
        )  # a row that shows what is in the file hides nothing

    def wrong(self, may_lack_words: bool = False) -> str:
        """The first value that is another one, or key that is new.

        Args:
            may_lack_words: whether a text may be a part of what it was, since several columns make it and one is
                missing, and a list too: an empty one says that the publisher lists nothing.
        """
        keys = [_is_marked(name) for name in self._table.key if self._is_free(name)]
        strange = self._new.filter(~pl.any_horizontal(False, *keys))
        if strange.height:
            return f"a row that is new: {str(strange.row(0))[:200]}"
        return next(self._changed(False, may_lack_words), "")

    @property
    def nulled(self) -> str:
        """The first value that is NULL now; NULL in columns that a file may lack needs no word."""
        return next(self._changed(True), "")

    @property
    def lost(self) -> str:
        """The first row that is not there any more."""
        if self._missing.height <= self._new.height:
            return ""
        return (
            f"{self._missing.height} rows are gone, the first {str(self._missing.select(self._table.key).row(0))[:200]}"
        )

    def _changed(self, is_null: bool, may_lack_words: bool = False) -> Iterator[str]:
        differs = {
            name: self._differs(name, is_null, may_lack_words)
            for name in sorted({*self._missing.columns} - {*self._table.key})
        }
        declared = specs(self._table.contract)
        for name, spec in declared.items():
            if (is_null and (spec.optional or spec.may_be_empty)) or name in self._years:
                differs.pop(name, None)
        counts = self._both.select(is_other.sum().alias(name) for name, is_other in differs.items())
        for name in counts.columns:
            if count := counts[name].item():
                wrong = self._both.filter(differs[name]).select(name, f"{name}_actual")
                yield f"{name}: {str(wrong.row(0))[:200]} in {count} rows"

    def _differs(self, name: str, is_null: bool, may_lack_words: bool) -> pl.Expr:
        kind, now = self._missing.schema[name], pl.col(f"{name}_actual")
        differs = (now.is_null() if is_null else now.is_not_null()) & pl.col(name).ne_missing(now)
        if kind.is_float():
            differs &= ((pl.col(name) - now).abs() > NOISE * now.abs()).fill_null(True)
        if may_lack_words and kind == pl.String:
            words, before = (pl.col(text).str.extract_all(WORD) for text in (f"{name}_actual", name))
            differs &= words.list.set_difference(before).list.len() > 0
        if may_lack_words and kind == pl.List(pl.String):
            differs &= now.list.set_difference(pl.col(name)).list.len() > 0
        return differs

    def _is_free(self, name: str) -> bool:
        """Whether any text may be in the column."""
        return self._missing.schema[name] in (pl.String, pl.List(pl.String)) and name not in self._codes


def _all_alike(rows: pl.DataFrame, form: str) -> list[str]:
    """The columns of text whose values all have this form."""
    texts = {name: rows[name].drop_nulls() for name, kind in rows.schema.items() if kind == pl.String}
    return [name for name, values in texts.items() if len(values) and values.str.contains(form).all()]


def _is_marked(name: str, kind: pl.DataType | None = None, marks: Sequence[str] = MARKS) -> pl.Expr:
    """Whether the cell has one of the marks, texts that a mutation puts there."""
    text = pl.col(name).list.join("; ", ignore_nulls=True) if isinstance(kind, pl.List) else pl.col(name)
    return text.str.contains(rf"(^|\W)({'|'.join(map(re.escape, marks))})($|\W)").fill_null(False)
