"""What the commands print: consoles, tables, figures and JSON.

Belongs here: the form of the output. Does not belong here: what is printed, and anything that needs polars or Dagster.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table as Grid

WIDTH = None if sys.stdout.isatty() else 200
"""Columns of what is printed to a file or a pipe, where nobody can widen the window; None: those of the window."""

out, err = Console(width=WIDTH), Console(stderr=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def grid(*columns: str) -> Grid:
    """A table with these columns; those that begin with ``>`` are aligned right."""
    table = Grid(box=None, pad_edge=False)
    for column in columns:
        table.add_column(
            column.removeprefix(">"),
            justify="right" if column.startswith(">") else "left",
            no_wrap=column != "release",
            overflow="fold",
        )
    return table


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
