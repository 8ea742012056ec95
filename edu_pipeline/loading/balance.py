"""The balance of a load: every row of every file that it read, and what became of it.

Belongs here: opening an account for each file that a load reads, and the figures that the ledger keeps. Does not belong
here: the accounts (``accounts.py``), the operations that note in them (``flow.py``), and which balance stops a load
(``acceptance.py``).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from edu_pipeline import accounts
from edu_pipeline.accounts import NO_FILE, PUBLISHED, ROWS, SOURCE_ROW, Account
from edu_pipeline.catalogue import File
from edu_pipeline.errors import NoRows
from edu_pipeline.loading.conform import Conformed

FIRST_ROWS = 3
"""Rows that are shown of those that are not accounted for."""


class Balance:
    """The accounts of the files of one load.

    Attributes:
        made: how many published rows were made from other tables alone.
    """

    def __init__(self) -> None:
        self._accounts: dict[str, Account] = {}
        self._rows: dict[str, pl.LazyFrame] = {}
        self.made = 0

    def opened(self, file: File, name: str, rows: pl.LazyFrame, refused_lines: int, where: str) -> pl.LazyFrame:
        """The rows of a file with ``SOURCE_ROW``; from here on they are accounted for.

        Args:
            name: the file's name as received.
            refused_lines: how many of its lines are no rows.
            where: source and release, for the failure text.

        Raises:
            NoRows: the file has no row.
        """
        number = rows.select(pl.len()).collect(engine="streaming").item()
        if not number:
            found = f"none that can be read ({refused_lines:,} lines)" if refused_lines else "none (a header alone)"
            raise NoRows(
                f"{where}, file {name}",
                f"expected rows, found {found}.",
                "Look at the publisher's page; the old rows stay.",
            )
        key = file.parameter
        self._accounts[key], self._rows[key] = Account(name, number), rows
        return self._accounts[key].tracked(rows)

    def opened_part(self, parameter: str, part: str, name: str, rows: pl.DataFrame) -> pl.LazyFrame:
        """The same for a part of a source in parts, which may be empty, and may be opened again."""
        account = self._accounts.setdefault(f"{parameter} {part}", Account(name, rows.height))
        return account.tracked(rows.lazy())

    def settle(self, conformed: Conformed) -> None:
        """Note which rows are published."""
        if SOURCE_ROW not in conformed.tracked.collect_schema():
            self.made = conformed.rows if self._accounts else 0
            return
        self.made = 0
        for batch in conformed.tracked.select(SOURCE_ROW).collect_batches(engine="streaming"):
            self.made += batch[SOURCE_ROW].null_count()
            accounts.note(batch[SOURCE_ROW].drop_nulls(), PUBLISHED)

    @property
    def files(self) -> dict[str, dict[str, int]]:
        """File (the transform's parameter, and the part) to its number of ``rows``, and how many had which fate."""
        figures = {name: {ROWS: account.rows} | account.fates for name, account in self._accounts.items()}
        return figures | ({NO_FILE: {PUBLISHED: self.made}} if self.made else {})

    @property
    def look_ups(self) -> dict[str, list[int]]:
        """What was looked up for rows, to how many rows these are, and for how many of them it was found."""
        return {name: [*answers] for account in self._accounts.values() for name, answers in account.look_ups.items()}

    def unaccounted(self) -> Mapping[str, tuple[int, list[str]]]:
        """File to how many of its rows nobody has accounted for, and the first of these, with number and content."""
        missing = {key: numbers for key, account in self._accounts.items() if (numbers := account.unaccounted())}
        return {key: (len(numbers), self._shown(key, numbers[:FIRST_ROWS])) for key, numbers in missing.items()}

    def _shown(self, key: str, numbers: list[int]) -> list[str]:
        if key not in self._rows:
            return [f"row {number + 1:,}" for number in numbers]
        rows = self._rows[key].with_row_index().filter(pl.col("index").is_in(numbers))
        content = rows.select(pl.struct(pl.exclude("index")).struct.json_encode()).collect().to_series()
        return [f"row {number + 1:,}: {text}" for number, text in zip(numbers, content, strict=True)]
