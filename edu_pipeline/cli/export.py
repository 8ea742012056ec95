"""The command that exports: everything published, as open files.

Belongs here: arguments, progress, and what is printed. Does not belong here: the files (package ``export``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from edu_pipeline.cli.terminal import err, out
from edu_pipeline.database.connection import target
from edu_pipeline.export.form import Format
from edu_pipeline.settings import settings

if TYPE_CHECKING:
    from edu_pipeline.export.description import Described

app = typer.Typer()


@app.command("export")
def export_command(
    to: Annotated[str, typer.Option(help="Folder or bucket (s3://...) to write to.")],
    tables: Annotated[list[str] | None, typer.Argument(help="Tables or views; none: all of them.")] = None,
    form: Annotated[
        Format,
        typer.Option(
            "--format",
            help="parquet, csv: a file per table. geoparquet: one for each that has places. gpkg, duckdb: one file "
            "with all tables.",
        ),
    ] = Format.PARQUET,
) -> None:
    """Write open files.

    Tables and views of one moment, with descriptions: datapackage.json, dcat.jsonld, croissant.json (of Parquet) and
    attribution.txt. docs/clients.md shows how to read them.
    """
    from upath import UPath

    from edu_pipeline.export.export import export

    with arriving_rows() as progress:
        done = export(target(settings()), UPath(to), form, tables or (), progress)
    if done.collection.invented:
        out.print("[bold yellow]Invented data of the sample publisher: no school, person or figure here is real.[/]")
    files = {file.name: file.bytes for file in done.files.values()}
    out.print(
        f"{to}: {len(done.collection.tables)} tables and views in {len(files)} files of {form}, "
        f"{sum(files.values()):,} bytes",
        markup=False,
    )


@contextmanager
def arriving_rows() -> Iterator[Callable[[Described, int], None]]:
    """A bar for the rows of each table that is being read."""
    columns = [BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}")]
    with Progress(*columns, console=err, transient=True) as progress:
        bars: dict[str, TaskID] = {}

        def arrived(table: Described, rows: int) -> None:
            if rows == 0:
                for task in progress.tasks:
                    progress.update(task.id, visible=not task.finished)
                bars[table.name] = progress.add_task(table.name, total=table.rows)
            progress.advance(bars[table.name], rows)

        yield arrived
