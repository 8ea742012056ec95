"""The command ``edu-pipeline sources check``: what a load of each source would meet, before anything is fetched.

Belongs here: arguments, and how the answers look on a terminal. Does not belong here: checking
(``loading/source_check.py``), the list of sources (``reports.py``).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table as Grid

from edu_pipeline.cli.terminal import AsJson, out, print_failures, print_json
from edu_pipeline.errors import SettingInvalid
from edu_pipeline.settings import settings

if TYPE_CHECKING:
    from edu_pipeline.loading.source_check import SourceCheck

COLOURS = {"ok": "green", "differs": "yellow", "waits": "yellow", "stops": "red"}


def check_command(
    names: Annotated[list[str] | None, typer.Argument(metavar="SOURCE", help="Ids of sources; unset: all.")] = None,
    seconds: Annotated[float, typer.Option(min=1, help="How long the check of a source may take.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Check sources before they are loaded.

    Asks every publisher for metadata and the first kilobytes of each file; nothing is archived or loaded. Shows whether
    the file is there and has the expected form, which columns are new, missing or renamed, which edition it is, and
    whether the licence has changed. Exit code 1 if a load would stop.
    """
    from edu_pipeline.catalogue import catalogue
    from edu_pipeline.loading.source_check import check_sources
    from edu_pipeline.sources.archive import Archive

    if unknown := [name for name in names or () if name not in catalogue()]:
        raise SettingInvalid(
            "sources check",
            f"expected ids of sources, found {', '.join(unknown)}.",
            "List the ids with: edu-pipeline sources.",
        )
    chosen = [catalogue()[name] for name in names or catalogue()]
    checks = check_sources(chosen, Archive(settings().archive_root), settings().upstream, seconds=seconds)
    if as_json:
        print_json([asdict(check) for check in checks])
    else:
        _print(checks)
    raise typer.Exit(1 if any(check.state == "stops" for check in checks) else 0)


def _print(checks: list[SourceCheck]) -> None:
    """A table of all sources, and below it what is wrong, each text in full."""
    table = Grid("source", "state", "form", "edition", "archived", "seconds", box=None, pad_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for check in checks:
        state = f"[{COLOURS[check.state]}]{check.state}[/]"
        forms = "\n".join(dict.fromkeys(check.forms))
        table.add_row(check.source, state, forms, check.edition, check.archived, f"{check.seconds:.1f}")
    out.print(table)
    for check in checks:
        print_failures(check.stops)
        for note in check.notes:
            out.print(f"{check.source}: {note}", markup=False, style="yellow", soft_wrap=True)
        for renamed in check.renamed:
            out.print(f"{renamed.path}, column {renamed.field}: paste", markup=False, soft_wrap=True)
            out.print(f"    {renamed.line}", markup=False, soft_wrap=True)
    counts = ", ".join(f"{sum(check.state == state for check in checks)} {state}" for state in COLOURS)
    out.print(f"{len(checks)} sources checked, nothing archived or loaded: {counts}")
