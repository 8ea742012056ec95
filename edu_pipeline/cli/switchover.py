"""The command line ``edu-pipeline switchover``: switch the application over, look, and go back.

Belongs here: arguments, and what is printed. Does not belong here: any of the work. What imports polars is imported
by the command that needs it, as in `cli.py`.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from edu_pipeline.database.connection import target
from edu_pipeline.settings import settings

switchover = typer.Typer(
    no_args_is_help=True, help="Which schema the application reads: the database's search_path (docs/SWITCH_OVER.md)."
)
out = Console(soft_wrap=True, highlight=False)

RECONNECT = "Sessions that are open keep their path: reconnect the application's pool."


@switchover.command("apply")
def apply(
    keep: Annotated[
        list[str] | None,
        typer.Option(help="Schema to stay behind the target if the database has no path; unset: user_mgmt, public."),
    ] = None,
) -> None:
    """Put the target schema first on the database's search_path; refuses while a table is empty or a check is red."""
    from edu_pipeline.checks import failing_checks
    from edu_pipeline.operations.switchover import APPLICATION_SCHEMAS
    from edu_pipeline.operations.switchover import apply as switch
    from edu_pipeline.sources.archive import Archive

    database = target(settings())
    with database.connect() as connection:
        red = [
            f"{table}: {name}: {text}" for (table, name), text in failing_checks(connection, database.schema).items()
        ]
    archive, schemas = Archive(settings().archive_root), keep or APPLICATION_SCHEMAS
    done = switch(database, archive, red_checks=red, application_schemas=schemas)
    for warning in done.warnings:
        out.print(f"[yellow]{escape(warning)}[/yellow]")
    if not done.changed:
        out.print(f"applied already, by {done.applied_by} at {done.applied_at:%Y-%m-%d %H:%M}; nothing changed")
    _print_change("search_path of", done.database_name, done.former_value, done.new_value)
    if done.changed:
        out.print(RECONNECT)


@switchover.command("verify")
def verify(
    role: Annotated[
        list[str] | None, typer.Option(help="Role of the application: whether it may read, and its sessions only.")
    ] = None,
) -> None:
    """Open a new session and say what it finds; exit code 1 if anything is not as it should be."""
    from edu_pipeline.operations.switchover import verify as look

    findings = look(target(settings()), role or [])
    for finding in findings:
        mark = "[green]ok [/green]" if finding.ok else "[red]not[/red]"
        out.print(f"{mark} {escape(finding.what)}: {escape(finding.detail)}")
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


@switchover.command("rollback")
def rollback(
    force: Annotated[bool, typer.Option(help="Although someone has changed the setting since.")] = False,
) -> None:
    """Restore the database's search_path that the switch-over found."""
    from edu_pipeline.operations.switchover import rollback as restore

    done = restore(target(settings()), force=force)
    _print_change("restored the search_path of", done.database_name, done.new_value, done.former_value)
    out.print(RECONNECT)


def _print_change(what: str, database: str, before: str | None, after: str | None) -> None:
    shown = [escape("not set" if value is None else value) for value in (before, after)]
    out.print(f"{what} {escape(database)}: {shown[0]} -> {shown[1]}")
