"""The command line ``edu-pipeline switchover``: switch the application over, verify, and roll back.

Belongs here: arguments, and what is printed. Does not belong here: any of the work (``operations/switchover.py``).
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from edu_pipeline.database.connection import target
from edu_pipeline.settings import settings

app = typer.Typer(
    no_args_is_help=True,
    help="Whose tables the application reads.\n\nSets the database's search_path (docs/SWITCH_OVER.md).",
)
out = Console(soft_wrap=True, highlight=False)

RECONNECT = "Open sessions keep their old path: reconnect the application's connection pool."


@app.command("apply")
def apply_command(
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help="Schema to keep behind the target schema if the database has no path; unset: user_mgmt, public."
        ),
    ] = None,
) -> None:
    """Switch the application over.

    Puts the target schema first on the database's search_path. Refuses while a table is empty or a check is red.
    """
    from edu_pipeline.checks import failing_checks
    from edu_pipeline.operations import switchover
    from edu_pipeline.sources.archive import Archive

    database = target(settings())
    with database.connect() as connection:
        failing = failing_checks(connection, database.schema)
    red = [f"{table}: {name}: {text}" for (table, name), text in failing.items()]
    archive, schemas = Archive(settings().archive_root), keep or switchover.APPLICATION_SCHEMAS
    applied = switchover.apply(database, archive, red_checks=red, application_schemas=schemas)
    for warning in applied.warnings:
        out.print(f"[yellow]{escape(warning)}[/yellow]")
    if not applied.changed:
        out.print(f"applied already, by {applied.applied_by} at {applied.applied_at:%Y-%m-%d %H:%M}; nothing changed")
    _print_change("search_path of", applied.database_name, applied.former_value, applied.new_value)
    if applied.changed:
        out.print(RECONNECT)


@app.command("verify")
def verify_command(
    role: Annotated[
        list[str] | None,
        typer.Option(help="Role of the application: check that it may read, and look at its sessions only."),
    ] = None,
) -> None:
    """Check what a new session finds.

    Exit code 1 if anything is not as it should be.
    """
    from edu_pipeline.operations import switchover

    findings = switchover.verify(target(settings()), role or [])
    for finding in findings:
        mark = "[green]ok [/green]" if finding.ok else "[red]not[/red]"
        out.print(f"{mark} {escape(finding.what)}: {escape(finding.detail)}")
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@app.command("rollback")
def rollback_command(
    force: Annotated[bool, typer.Option(help="Even if someone has changed the setting since.")] = False,
) -> None:
    """Switch the application back.

    Restores the search_path that the database had before the switch-over.
    """
    from edu_pipeline.operations import switchover

    restored = switchover.rollback(target(settings()), force=force)
    _print_change("restored the search_path of", restored.database_name, restored.new_value, restored.former_value)
    out.print(RECONNECT)


def _print_change(what: str, database: str, before: str | None, after: str | None) -> None:
    values = [escape("not set" if value is None else value) for value in (before, after)]
    out.print(f"{what} {escape(database)}: {values[0]} -> {values[1]}")
