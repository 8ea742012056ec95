"""The commands that report: status, health, sources, checksum, compare.

Belongs here: arguments, and how the reports look on a terminal. Does not belong here: gathering them
(``edu_pipeline/monitoring``, ``database/checksum.py``, ``operations/compare.py``).
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table as Grid

from edu_pipeline.cli.terminal import AsJson, figure, grid, out, print_failures, print_json
from edu_pipeline.database.connection import target
from edu_pipeline.settings import settings

if TYPE_CHECKING:
    from edu_pipeline.monitoring.health import Health, TableHealth
    from edu_pipeline.monitoring.status import TableStatus

app, sources = typer.Typer(), typer.Typer(invoke_without_command=True)


@app.command("status")
def status_command(as_json: AsJson = False) -> None:
    """Show every table and its last load.

    Rows, release, load time, and the rows that the last load added, changed, removed and refused.
    """
    from edu_pipeline.monitoring import health, status
    from edu_pipeline.sources.archive import Archive

    snapshot = status.gather(target(settings()), Archive(settings().archive_root))
    tables = snapshot.tables
    if as_json:
        print_json([asdict(table) for table in tables])
        return
    state = health.judge(snapshot)
    if any(table.invented for table in tables):
        out.print("[bold yellow]Invented data of the sample publisher: no school, person or figure here is real.[/]\n")
    out.print(_status_grid(tables, state))
    print_failures(_errors(state))


@app.command("health")
def health_command(as_json: AsJson = False) -> None:
    """Show what is red.

    Checks how fresh and how sound every source and table is. Exit code 1 if anything is red.
    """
    from edu_pipeline.monitoring import health
    from edu_pipeline.sources.archive import Archive

    state = health.health(target(settings()), Archive(settings().archive_root))
    if as_json:
        print_json(asdict(state))
    else:
        print_failures(_errors(state))
        counts = ", ".join(f"{state.number(colour)} {colour}" for colour in health.WORST)
        out.print(f"{len(state.sources)} sources, {len(state.tables)} tables and views: {counts}")
    raise typer.Exit(1 if state.state == "red" else 0)


@sources.callback()
def sources_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every source.

    Publisher, cadence, and the newest release in the archive.
    """
    if context.invoked_subcommand:
        return
    from edu_pipeline.monitoring import status
    from edu_pipeline.sources.archive import Archive

    statuses = status.source_status(Archive(settings().archive_root))
    if as_json:
        print_json([asdict(source) for source in statuses])
        return
    table = grid("source", "publisher", "cadence", "newest release", ">age (days)", ">bytes", "tables")
    for source in statuses:
        table.add_row(
            source.source,
            source.publisher,
            source.cadence,
            source.release or "",
            figure(source.age_days),
            figure(source.bytes),
            ", ".join(source.tables),
        )
    out.print(table)


@app.command("checksum")
def checksum_command(as_json: AsJson = False) -> None:
    """Show a digest of every table and view.

    Equal digests mean equal rows.
    """
    from edu_pipeline.database import checksum

    digests = checksum.checksums(target(settings()))
    if as_json:
        print_json({name: asdict(digest) for name, digest in digests.items()})
        return
    table = grid("table", ">rows", "digest")
    for name, digest in digests.items():
        table.add_row(name, figure(digest.rows), digest.digest)
    out.print(table)
    out.print(f"all: {checksum.checksum_of_all(digests)}")


@app.command("compare")
def compare_command(
    schema_a: Annotated[str, typer.Option(help="Schema to compare with.")] = "public",
    schema_b: Annotated[str, typer.Option(help="Schema to compare.")] = "educational_data",
    queries: Annotated[Path | None, typer.Option(help="SQL file of queries; unset: the application's queries.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How many times to run each query on each schema.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Compare two schemas.

    Counts the rows of both side by side, times the same queries on both, and shows the ratios.
    """
    from edu_pipeline.operations import compare

    chosen = compare.parse_queries(queries.read_text(encoding="utf-8"), str(queries)) if queries else None
    comparison = compare.compare(target(settings()).url, schema_a, schema_b, chosen, repeat)
    if as_json:
        print(compare.as_json(comparison))
    else:
        out.print(compare.render(comparison))


def _status_grid(tables: list[TableStatus], state: Health) -> Grid:
    """A row per table, under a heading per layer."""
    health_of = {entry.table: entry for entry in state.tables}
    rows = grid("table", ">rows", ">added", ">changed", ">removed", ">refused", "checks", "loaded at", "release")
    layer = None
    for table in tables:
        if table.layer != layer:
            layer = table.layer
            rows.add_row(f"[bold]{layer or 'no asset yet'}[/bold]")
        counts = [table.rows, table.added, table.changed, table.removed, table.refused]
        loaded_at = f"{table.loaded_at:%Y-%m-%d %H:%M}" if table.loaded_at else table.state
        failed = " [red]failed since[/red]" if table.error and table.loaded_at else ""
        releases = "\n".join(f"{source} {release}" for source, release in table.releases.items())
        checks = _red_and_yellow(health_of[table.table])
        rows.add_row(f"  {table.table}", *map(figure, counts), checks, loaded_at + failed, releases)
    return rows


def _red_and_yellow(table: TableHealth) -> str:
    """How many things are wrong with a table."""
    red = f"[red]{len(table.red)} red[/red]" if table.red else ""
    yellow = f"[yellow]{len(table.yellow)} yellow[/yellow]" if table.yellow else ""
    return ", ".join(filter(None, [red, yellow])) or "ok"


def _errors(state: Health) -> list[str]:
    return [text for entry in state.entries for text in entry.errors]
