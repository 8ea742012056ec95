"""The command line ``edu-pipeline sectors``: lists of school sectors that are published as documents.

Belongs here: arguments, and what is printed. Does not belong here: reading (``operations/sector_lists.py``).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from edu_pipeline.cli.terminal import out
from edu_pipeline.database.connection import target
from edu_pipeline.errors import SettingInvalid
from edu_pipeline.settings import settings

app = typer.Typer(no_args_is_help=True, help="School sectors.\n\nLists that are published as documents.")

RENTREE = r"[0-9]{4}-[0-9]{4}"


@app.callback()
def sectors() -> None:
    """Keep the command's name although it is the only one."""


@app.command("read-pdf")
def read_pdf_command(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="PDF of the académie de Versailles, for example.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="CSV file of segments to write.")],
    unread: Annotated[
        Path | None, typer.Option(help="CSV file for what could not be read; unset: <output>-unread.csv.")
    ] = None,
    rentree: Annotated[
        str | None, typer.Option(metavar="YEAR-YEAR", help="School year of the list, e.g. 2026-2027.")
    ] = None,
) -> None:
    """Read a PDF of lycées' sectors.

    Writes segments in the form in which they are handed in (docs/sectorisation.md), and into a second file what could
    not be read, each with a reason. Towns and lycées are looked up in the published tables. Every line of the PDF is
    counted. Exit code 1 if something could not be read.
    """
    from edu_pipeline.operations.sector_lists import convert

    if rentree is not None and not re.fullmatch(RENTREE, rentree):
        raise SettingInvalid(
            "--rentree", f"expected a school year, found {rentree!r}.", "Write it as in --rentree 2026-2027."
        )
    second = unread or output.with_name(f"{output.stem}-unread.csv")
    done = convert(file, target(settings()), output, second, rentree)
    lines = [
        f"{file.name}: {done.pages:,} pages, {done.lines + done.header_lines:,} lines = {done.lines_read:,} read + "
        f"{done.lines_unread:,} not read + {done.header_lines:,} headers",
        *(f"left out as a header: {header}" for header in done.headers),
        f"{output}: {done.segments:,} segments",
        f"{second}: {done.entries_unread:,} entries that were not read, {done.pages_doubtful:,} pages of which another "
        "reader counts other characters",
    ]
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)
    raise typer.Exit(1 if done.entries_unread or done.pages_doubtful else 0)
