"""The commands that report: status, health, sources, checksum, compare.

Belongs here: arguments, and how the reports look on a terminal. Does not belong here: gathering them
(``edu_pipeline/monitoring``, ``database/checksum.py``, ``operations/compare.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from edu_pipeline.cli.terminal import AsJson, Column, Wide, figure, out, print_failures, print_json, print_table
from edu_pipeline.database.connection import target
from edu_pipeline.settings import settings

if TYPE_CHECKING:
    from edu_pipeline.monitoring.health import Health, TableHealth
    from edu_pipeline.monitoring.status import SourceStatus, TableStatus

app, sources = typer.Typer(), typer.Typer(invoke_without_command=True)


@app.command("status")
def status_command(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[TABLE]...", help="Tables and views; none: all.")
    ] = None,
    wide: Wide = False,
    as_json: AsJson = False,
) -> None:
    """Show every table and its last load.

    Rows, edition and release, load time, and the rows that the last load added, changed, removed and refused. For
    tables that are named also where the rows of their files went.
    """
    from edu_pipeline.monitoring import health, status
    from edu_pipeline.sources.archive import Archive

    snapshot = status.gather(target(settings()), Archive(settings().archive_root))
    tables = _chosen(snapshot.tables, names or [])
    if as_json:
        print_json([asdict(table) for table in tables])
        return
    state = health.judge(snapshot)
    if any(table.invented for table in tables):
        out.print("[bold yellow]Invented data of the sample publisher: no school, person or figure here is real.[/]\n")
    print_table(_status_columns(tables, state), wide=wide)
    for table in tables if names else ():
        _print_balance(table)
    print_failures(_errors(state) if not names else [table.error for table in tables if table.error])


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
def sources_command(context: typer.Context, wide: Wide = False, as_json: AsJson = False) -> None:
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
    print_table(_source_columns(statuses), wide=wide)
    print_failures(f"{source.source}: {source.refusal}" for source in statuses if source.refusal)


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
    columns = [
        Column("table", list(digests), 0),
        Column("rows", [figure(digest.rows) for digest in digests.values()], 2, right=True),
        Column("digest", [digest.digest for digest in digests.values()], 1),
    ]
    print_table(columns, wide=True)
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


def _chosen(tables: list[TableStatus], names: list[str]) -> list[TableStatus]:
    known = [table.table for table in tables]
    if unknown := [name for name in names if name not in known]:
        raise typer.BadParameter(f"expected tables or views of the schema, found {', '.join(unknown)}.")
    return [table for table in tables if not names or table.table in names]


def _print_balance(table: TableStatus) -> None:
    """Where the rows of a table's files went in its last load."""
    from edu_pipeline.accounts import summed

    lines = [(file, fate, number) for file, fates in summed(table.balance).items() for fate, number in fates.items()]
    if lines:
        out.print(f"\n[bold]{table.table}[/bold]: where the rows of its files went")
        files, fates, numbers = zip(*lines, strict=True)
        number = Column("number", [figure(number) for number in numbers], 1, right=True)
        print_table([Column("file", files, 0), number, Column("rows that were", [escape(fate) for fate in fates], 2)])
    for what, (asked, found) in table.look_ups.items():
        out.print(f"{escape(what)}: found for {found:,} of {asked:,} rows")


def _source_columns(sources: list[SourceStatus]) -> list[Column]:
    return [
        Column("source", [source.source for source in sources], 0, wraps_at=44),
        Column("publisher", [escape(source.publisher) for source in sources], 5, wraps_at=24),
        Column("cadence", [source.cadence for source in sources], 3),
        Column("newest release", [source.release or "" for source in sources], 4),
        Column("age (days)", [figure(source.age_days) for source in sources], 1, right=True),
        Column("bytes", [figure(source.bytes) for source in sources], 2, right=True),
        Column("tables", [", ".join(source.tables) for source in sources], 6, wraps_at=36),
    ]


def _status_columns(tables: list[TableStatus], state: Health) -> list[Column]:
    """A line per table, under a heading per layer."""
    health_of = {entry.table: entry for entry in state.tables}
    lines: list[TableStatus | str] = []
    for layer, entries in groupby(tables, key=lambda table: table.layer):
        lines += [layer or "no asset yet", *entries]

    def cells(of: Callable[[TableStatus], str]) -> list[str]:
        return ["" if isinstance(line, str) else of(line) for line in lines]

    names = [f"[bold]{line}[/bold]" if isinstance(line, str) else f"  {line.table}" for line in lines]
    return [
        Column("table", names, 0),
        Column("rows", cells(lambda table: figure(table.rows)), 1, right=True),
        Column("added", cells(lambda table: figure(table.added)), 5, right=True),
        Column("changed", cells(lambda table: figure(table.changed)), 6, right=True),
        Column("removed", cells(lambda table: figure(table.removed)), 7, right=True),
        Column("refused", cells(lambda table: figure(table.refused)), 4, right=True),
        Column("checks", cells(lambda table: _red_and_yellow(health_of[table.table])), 2, wraps_at=9),
        Column("loaded at", cells(_loaded_at), 3, wraps_at=16),
        Column("edition", cells(_editions), 8, wraps_at=30),
        Column("release", cells(_releases), 9),
    ]


def _loaded_at(table: TableStatus) -> str:
    """When a table was loaded; if never, why not."""
    if table.loaded_at is None:
        return table.state
    return f"{table.loaded_at:%Y-%m-%d %H:%M}{' [red]failed since[/red]' if table.error else ''}"


def _releases(table: TableStatus) -> str:
    return "\n".join(f"{source} {release}" for source, release in table.releases.items())


def _editions(table: TableStatus) -> str:
    return "\n".join(escape(f"{source} {edition}") for source, edition in table.editions.items())


def _red_and_yellow(table: TableHealth) -> str:
    """How many things are wrong with a table."""
    red = f"[red]{len(table.red)} red[/red]" if table.red else ""
    yellow = f"[yellow]{len(table.yellow)} yellow[/yellow]" if table.yellow else ""
    return ", ".join(filter(None, [red, yellow])) or "ok"


def _errors(state: Health) -> list[str]:
    return [text for entry in state.entries for text in entry.errors]
