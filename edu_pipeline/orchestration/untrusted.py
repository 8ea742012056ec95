"""Values from files and publishers as Dagster's UI shows them: as text, never as Markdown.

The UI renders Markdown in the operator's browser: an image in it is a request, to Dagster's own API if its author
likes. It also hides Markdown behind a click, while it shows a table on the page.

Belongs here: tables of plain values, and text that Markdown leaves as it is. Does not belong here: what is in them
(``metadata.py``, ``check_results.py``, ``data_freshness.py``, ``probes.py``), how a value is cut (``errors.py``).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import dagster as dg

from edu_pipeline.errors import LONGEST_VALUE, shown

Cell = str | int | float | bool

LARGEST_NUMBER = 2**53
"""From here on, a browser rounds whole numbers."""

MARKUP = re.compile(r"[\\`*~<\[\]]|(?<!\w)_|_(?!\w)|&(?=#?\w+;)|(?m:^)[>#+=-]")
"""What means something in Markdown: code, emphasis, HTML, links and images, entities, and the beginnings of headings,
lists and quotations. Addresses stay links, which ask for nothing until somebody follows them."""


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], longest: int = LONGEST_VALUE
) -> dg.TableMetadataValue:
    """A table that the UI shows on the page, its texts cut to ``longest`` characters."""
    records = [
        dg.TableRecord({column: _cell(value, longest) for column, value in zip(columns, row, strict=True)})
        for row in rows
    ]
    return dg.MetadataValue.table(records, dg.TableSchema([dg.TableColumn(column) for column in columns]))


def transposed(columns: Sequence[str], rows: Sequence[Sequence[object]], longest: int) -> dg.TableMetadataValue:
    """A few rows of a wide table, which the UI would cut on the right: a line for each column."""
    headings = ["column", *(f"row {number}" for number in range(1, len(rows) + 1))]
    return table(headings, zip(columns, *rows, strict=True), longest)


def escaped(text: str) -> str:
    """A text for a place where the UI renders Markdown, such as a check's description: it appears as it is."""
    return MARKUP.sub(lambda match: f"\\{match[0]}", text)


def _cell(value: object, longest: int) -> Cell:
    """A value as a table of Dagster's may have it; what is no plain value becomes text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < LARGEST_NUMBER:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return shown(value, longest)
