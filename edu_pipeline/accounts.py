"""What became of every row of a file: published, refused, added to another row, looked up, or set aside by a rule.

Belongs here: numbering the rows of a file, and noting what becomes of each. Does not belong here: the operations that
set rows aside (``flow.py``), and what follows from an account that is not balanced (``loading/balance.py``).

A frame whose rows are accounted for has the column ``SOURCE_ROW``, which says from which row of which file each
of its rows was made, or from which rows: a list if they were added up.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from itertools import count
from threading import Lock
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
import polars as pl

Rows = npt.NDArray[np.int64]
"""Numbers of rows of a file; the first row has the number 0."""

SOURCE_ROW = "source_row"
"""The column that says where a row comes from: the account's number in the upper 32 bits, the row's in the lower."""

ROWS = "rows"
"""In the figures of a file, next to the fates: how many rows it has."""

NO_FILE = "no file"
"""Among the files of a balance: published rows that were made from other tables alone."""

USED, REFUSED, ADDED, PUBLISHED = "looked up", "refused", "added to another row", "published"
"""What becomes of a row that no rule sets aside."""

RANKS = {USED: 252, REFUSED: 253, ADDED: 254, PUBLISHED: 255}
"""Of a row that has several fates, since several rows were made of it, the highest counts."""

PLACE = "place"
"""The column that says the same in words: file and row."""

UNKNOWN_WORD = "unknown word"
"""The beginning of every rule that sets rows aside for a word that nobody has said anything about."""

ASKED, FOUND = 1, 2
"""What is known of a look-up for a row."""

LAST_ROW = 0xFFFFFFFF
"""The bits of a source row that number the row."""

_numbers = count(1)
_accounts: WeakValueDictionary[int, Account] = WeakValueDictionary()


class Account:
    """What became of each row of one file. It is open as long as it is referenced.

    Args:
        name: the file's name.
        rows: how many rows the file has.
    """

    def __init__(self, name: str, rows: int) -> None:
        self.name, self.rows = name, rows
        self.number = next(_numbers)
        self._fates = np.zeros(rows, np.uint8)  # 0: nothing is known
        self._ranks = dict(RANKS)
        self._answers: dict[str, npt.NDArray[np.uint8]] = {}
        self._lock = Lock()
        _accounts[self.number] = self

    def tracked(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """The rows of the file, in its order, with ``SOURCE_ROW``."""
        return rows.with_row_index(SOURCE_ROW).with_columns(pl.col(SOURCE_ROW).cast(pl.UInt64) + (self.number << 32))

    def note(self, rows: Rows, fate: str) -> None:
        """Note what became of some rows; the same may be noted again."""
        with self._lock:
            rank = self._ranks.setdefault(fate, len(self._ranks) - len(RANKS) + 1)
            self._fates[rows] = np.maximum(self._fates[rows], rank)

    def note_answers(self, look_up: str, rows: Rows, are_found: bool) -> None:
        """Note that something was looked up for some rows, and whether it was found."""
        with self._lock:
            answers = self._answers.setdefault(look_up, np.zeros(self.rows, np.uint8))
            answers[rows] = np.maximum(answers[rows], FOUND if are_found else ASKED)

    @property
    def fates(self) -> dict[str, int]:
        """How many rows had which fate, the most frequent first; without those of which nothing is known."""
        counts = np.bincount(self._fates, minlength=256)
        found = {fate: int(counts[rank]) for fate, rank in self._ranks.items() if counts[rank]}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    @property
    def look_ups(self) -> dict[str, tuple[int, int]]:
        """Look-up to the number of rows that it was made for, and for how many of these something was found."""
        return {
            name: (int((answers >= ASKED).sum()), int((answers == FOUND).sum()))
            for name, answers in self._answers.items()
        }

    def unaccounted(self) -> list[int]:
        """The numbers of the rows of which nothing is known; the first row has the number 0."""
        return np.flatnonzero(self._fates == 0).tolist()


def note(source_rows: pl.Series, fate: str) -> None:
    """Note what became of rows of files.

    Args:
        source_rows: as in the column ``SOURCE_ROW``; of a list, all after the first were added to the first.
    """
    if isinstance(source_rows.dtype, pl.List):
        _note(source_rows.list.slice(1).list.explode(), ADDED)
    _note(_first(source_rows), fate)


def _note(source_rows: pl.Series, fate: str) -> None:
    for account, rows in _by_account(source_rows):
        account.note(rows, fate)


def note_answers(look_up: str, source_rows: pl.Series, are_found: pl.Series) -> None:
    """Note that something was looked up for rows of files, and for which it was found."""
    for found in (False, True):
        for account, rows in _by_account(_first(source_rows.filter(are_found == found))):
            account.note_answers(look_up, rows, found)


def summed(balance: Mapping[str, Mapping[str, int]]) -> dict[str, dict[str, int]]:
    """A balance in which the parts of a source are one file.

    Args:
        balance: file, with a blank before the name of a part, to its number of rows and how many had which fate.
    """
    files: dict[str, Counter[str]] = defaultdict(Counter)
    for name, fates in balance.items():
        files[name if name == NO_FILE else name.partition(" ")[0]].update(fates)
    return {name: dict(fates.most_common()) for name, fates in files.items()}


def places(source_rows: pl.Series) -> pl.Series:
    """Files and rows in words; of a list the first."""
    return pl.Series(PLACE, [None if row is None else _place(row) for row in _first(source_rows)], pl.String)


def _place(source_row: int) -> str | None:
    """In words; None if the account is closed."""
    account = _accounts.get(source_row >> 32)
    return None if account is None else f"file {account.name}, row {(source_row & LAST_ROW) + 1:,}"


def _first(source_rows: pl.Series) -> pl.Series:
    """The rows; of a list the first."""
    return source_rows.list.first() if isinstance(source_rows.dtype, pl.List) else source_rows


def _by_account(source_rows: pl.Series) -> Iterable[tuple[Account, Rows]]:
    known = source_rows.drop_nulls().cast(pl.UInt64).to_numpy()
    numbers, rows = known >> np.uint64(32), (known & np.uint64(LAST_ROW)).astype(np.int64)
    of_one_file = len(numbers) > 0 and numbers.min() == numbers.max()
    for number in numbers[:1] if of_one_file else np.unique(numbers):
        if account := _accounts.get(int(number)):
            yield account, rows if of_one_file else rows[numbers == number]
