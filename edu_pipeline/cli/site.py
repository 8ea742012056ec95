"""The command that builds the static site.

Belongs here: arguments, progress, and what is printed. Does not belong here: the site (package ``site``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edu_pipeline.cli.export import arriving_rows
from edu_pipeline.cli.terminal import out
from edu_pipeline.database.connection import target
from edu_pipeline.settings import settings

app = typer.Typer()


@app.command("site")
def site_command(
    to: Annotated[Path, typer.Option(help="Folder to build it in: a new or empty one, or an earlier site.")],
) -> None:
    """Build the static site.

    Dictionary, lineage, freshness, tables, map and SQL about what readers see at one moment, in French and English. It
    needs no server of its own: docs/site.md shows how to look at it.
    """
    from edu_pipeline.site.build import build
    from edu_pipeline.sources.archive import Archive

    known = settings()
    with arriving_rows() as progress:
        built = build(target(known), Archive(known.archive_root), to.absolute(), known.local / "javascript", progress)
    if built.collection.invented:
        out.print("[bold yellow]Invented data of the sample publisher: no school, person or figure here is real.[/]")
    out.print(
        f"{to}: {len(built.collection.tables)} tables and views, {built.files:,} files, {built.bytes:,} bytes\n"
        f"Look at it: python3 -m http.server --directory {to} --bind 127.0.0.1 8000",
        markup=False,
    )
