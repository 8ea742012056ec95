"""What the commands print: consoles, tables, figures and JSON.

Belongs here: the form of the output. Does not belong here: what is printed, and anything that needs polars or Dagster.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid
from rich.text import Text

UNCUT = 10_000
"""Width of what is printed to a file or a pipe, where nobody can widen the window: nothing is cut."""

GAP = 2
"""Spaces between two columns of a table."""

out, err = Console(width=None if sys.stdout.isatty() else UNCUT), Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Wide = Annotated[bool, typer.Option("--wide", help="Show all columns, even if lines are longer than the window.")]


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        cells: its texts, from top to bottom; they may contain Rich's markup.
        rank: how useful it is: in a narrow window those with the highest ranks are left out.
        right: whether it is aligned right.
        wraps_at: the width down to which it may be wrapped at its spaces; None: it is never wrapped.
    """

    name: str
    cells: Sequence[str]
    rank: int
    right: bool = False
    wraps_at: int | None = None

    @property
    def width(self) -> int:
        """The width of its longest line."""
        lines = [line for cell in self.cells for line in Text.from_markup(cell).plain.splitlines()]
        return max(map(len, [self.name, *lines]))

    @property
    def least_width(self) -> int:
        """The least width at which it is readable."""
        return self.width if self.wraps_at is None else min(self.width, self.wraps_at)


def print_table(columns: Sequence[Column], *, wide: bool = False) -> None:
    """Print a table with the most useful of its columns, as many as fit the window, and name the others.

    Args:
        wide: print all columns, whatever the width of the window.
    """
    console = Console(width=UNCUT) if wide else out
    chosen = fitting(columns, console.width)
    console.print(_grid(chosen))
    if left_out := [column.name for column in columns if column not in chosen]:
        console.print(f"[dim]Left out at this width: {', '.join(left_out)}. --wide shows all columns.[/dim]")


def fitting(columns: Sequence[Column], width: int) -> list[Column]:
    """The columns that fit ``width``, in their order: of the lowest ranks as many as possible, but at least one."""
    chosen: list[Column] = []
    for column in sorted(columns, key=lambda column: column.rank):
        if chosen and sum(each.least_width + GAP for each in [*chosen, column]) - GAP > width:
            break
        chosen.append(column)
    return [column for column in columns if column in chosen]


def _grid(columns: Sequence[Column]) -> Grid:
    grid = Grid(box=None, pad_edge=False)
    for column in columns:
        grid.add_column(
            column.name,
            justify="right" if column.right else "left",
            no_wrap=column.wraps_at is None,
            overflow="fold",
            min_width=column.least_width,
        )
    for cells in zip(*(column.cells for column in columns), strict=True):
        grid.add_row(*cells)
    return grid


def figure(value: int | None) -> str:
    """A number with separators; empty for None."""
    return "" if value is None else f"{value:,}"


def print_failures(texts: Iterable[str]) -> None:
    """Print failure texts in red, each in full."""
    for text in texts:
        out.print(text, markup=False, style="red", soft_wrap=True)


def print_json(value: object) -> None:
    """Print plain records as JSON; what JSON lacks, such as times, becomes text."""
    print(json.dumps(value, default=_as_text, ensure_ascii=False, indent=1))


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
