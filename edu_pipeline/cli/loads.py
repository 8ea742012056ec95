"""The commands that load: refresh, load a file, rebuild, and going back.

Belongs here: arguments, and what is printed. Does not belong here: the run (``runs.py``), loading, swapping schemas.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from edu_pipeline.cli.publisher import start_if_upstream
from edu_pipeline.cli.terminal import err, out
from edu_pipeline.database.connection import target
from edu_pipeline.settings import settings

if TYPE_CHECKING:
    from edu_pipeline.loading.load import Options

app = typer.Typer()

AcceptShrink = Annotated[list[str] | None, typer.Option(help="Accept, this once, that this table loses many rows.")]
AcceptRed = Annotated[
    list[str] | None, typer.Option(help="Accept, this once, that checks of this table or view turn red.")
]


@app.command("refresh")
def refresh_command(
    tables: Annotated[list[str] | None, typer.Argument(help="Tables or views; none: all of them.")] = None,
    force: Annotated[bool, typer.Option(help="Load even if neither releases nor code have changed.")] = False,
    accept_shrink: AcceptShrink = None,
    accept_red: AcceptRed = None,
) -> None:
    """Load what is new.

    Everything with a new release or changed code, and whatever depends on it.
    """
    from edu_pipeline.cli import runs

    options = _options(accept_shrink, accept_red, force=force)
    start_if_upstream()
    _end(runs.refresh(settings(), target(settings()), tables or None, options, err))


@app.command("load")
def load_command(
    table: Annotated[str, typer.Argument(help="Name of the table.")],
    file: Annotated[
        Path,
        typer.Argument(
            help="CSV or Parquet file of the table's own columns, as \\copy TABLE TO FILE CSV HEADER or `export` make."
        ),
    ],
    accept_shrink: AcceptShrink = None,
    accept_red: AcceptRed = None,
) -> None:
    """Load a table from your own file.

    For example a backup. It goes through the same contract, quarantine and ledger as a publisher's file.
    """
    from edu_pipeline.cli import runs

    _end(runs.load_file(settings(), target(settings()), table, file, _options(accept_shrink, accept_red), err))


@app.command("rebuild")
def rebuild_command(
    as_of: Annotated[
        str | None,
        typer.Option(help="Use the releases that the archive held at this time, e.g. 2026-05-01; no network."),
    ] = None,
    offline: Annotated[bool, typer.Option(help="Use the newest releases in the archive; no network.")] = False,
    if_empty: Annotated[
        bool, typer.Option("--if-empty", help="Rebuild only if nothing was ever loaded; otherwise refresh.")
    ] = False,
    accept_shrink: AcceptShrink = None,
    accept_red: AcceptRed = None,
) -> None:
    """Rebuild everything, then swap schemas.

    Builds every table and view in the next schema, and swaps it with the live one if all went well.
    """
    from edu_pipeline.cli import runs

    options = _options(accept_shrink, accept_red)
    if if_empty and (as_of or offline):
        raise typer.BadParameter("--if-empty asks the publishers; --as-of and --offline do not")
    if not (as_of or offline):
        start_if_upstream()
    if if_empty and runs.is_filled(target(settings())):
        _end(runs.refresh(settings(), target(settings()), None, options, err))
    _end(runs.rebuild(settings(), options, err, as_of=as_of, offline=offline))


@app.command("rollback")
def rollback_command() -> None:
    """Return to the previous schema.

    Swaps the live schema with the one that was live before the last rebuild. Run it again to undo.
    """
    from edu_pipeline.operations import swap

    database = target(settings())
    swap.roll_back(database, lambda text: err.print(text, style="yellow"))
    out.print(
        f"{database.schema}: as it was before the last swap; "
        f"what was live until now is in {swap.previous_of(database.schema)}"
    )


@app.command("drop-previous")
def drop_previous_command(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Drop the previous schema.

    Frees its disk space. After that `rollback` is no longer possible.
    """
    from edu_pipeline.operations import swap

    database = target(settings())
    previous = swap.previous_of(database.schema)
    if not yes:
        typer.confirm(f"Drop the schema {previous} of {database.place}?", abort=True)
    swap.drop_previous(database)
    out.print(f"{previous}: dropped")


def _options(accept_shrink: list[str] | None, accept_red: list[str] | None, force: bool = False) -> Options:
    from edu_pipeline.loading.load import Options

    return Options(force, frozenset(accept_shrink or ()), frozenset(accept_red or ()))


def _end(failures: Mapping[str, str]) -> NoReturn:
    """Print what failed, and exit."""
    for name, text in failures.items():
        err.print(f"{name}: {text}", markup=False, style="red", soft_wrap=True)
    raise typer.Exit(1 if failures else 0)
