"""The command line ``edu-pipeline``: thin, since everything it does is done elsewhere and is in Dagster too.

Belongs here: arguments, progress, tables on the terminal, exit codes. Does not belong here: any step of a load.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table as Grid

from edu_pipeline.cli.sample import sample
from edu_pipeline.cli.switchover import switchover
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import Database, target
from edu_pipeline.errors import EduError
from edu_pipeline.settings import PROJECT, settings

if TYPE_CHECKING:
    from edu_pipeline.loading.load import Options
    from edu_pipeline.monitoring.health import Health, TableHealth

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="French open data about schools."
)
db = typer.Typer(no_args_is_help=True, help="The private PostgreSQL cluster of this checkout.")
app.add_typer(db, name="db")
app.add_typer(sample, name="sample")
app.add_typer(switchover, name="switchover")
WIDE = None if sys.stdout.isatty() else 200
"""Width of what is printed into a file or a pipe, where nobody can widen the window."""

out, err = Console(width=WIDE), Console(stderr=True)

AcceptShrink = Annotated[
    list[str] | None, typer.Option(help="Table that may lose more rows than it tolerates, this once.")
]
AcceptRed = Annotated[list[str] | None, typer.Option(help="Table or view whose checks may turn red, this once.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON instead of a table.")]


def main() -> None:
    """Run the command line; an error that a person can act on is one text and exit code 1."""
    try:
        app()
    except EduError as error:
        err.print(f"[red]{type(error).__name__}[/red]", end="")
        err.print(str(error).removeprefix(type(error).__name__), markup=False, soft_wrap=True)
        sys.exit(1)


@db.command("start")
def db_start() -> None:
    """Make the private cluster if there is none, start it, and print its URL."""
    cluster = _cluster()
    cluster.start()
    print(cluster.url())


@db.command("stop")
def db_stop() -> None:
    """Stop the private cluster."""
    _cluster().stop()


@db.command("status")
def db_status() -> None:
    """Say whether the private cluster runs, where its data are, and on which port; exit code 3 if it does not run."""
    found = _cluster().status()
    for name, value in asdict(found).items():
        print(f"{name}: {value}")
    raise typer.Exit(0 if found.running else 3)


@db.command("url")
def db_url() -> None:
    """Print the URL of the target database."""
    print(_target().url)


@app.command()
def migrate() -> None:
    """Bring the target schema up to date with the SQL files; prints those that were applied."""
    from edu_pipeline.database.migrate import migrate as apply

    database = _target()
    done = apply(database, applied=lambda name: out.print(f"applied {name}"))
    out.print(f"{database.schema}: {f'{len(done)} files applied' if done else 'up to date'}")


@app.command()
def start_over(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Drop the target schema with its ledger and make it anew, empty; analytics and the archive stay."""
    from edu_pipeline.database.migrate import start_over as begin_anew

    database = _target()
    if not yes:
        typer.confirm(f"Drop the schema {database.schema} of {database.place} with all its rows?", abort=True)
    begin_anew(database)
    out.print(f"{database.schema}: empty")


@app.command()
def rebuild(
    as_of: Annotated[
        str | None, typer.Option(help="From the releases that the archive held then, e.g. 2026-05-01; no network.")
    ] = None,
    offline: Annotated[bool, typer.Option(help="From the newest releases of the archive; no network.")] = False,
    accept_shrink: AcceptShrink = None,
    accept_red: AcceptRed = None,
) -> None:
    """Build every table and view in a schema beside the live one, and swap the two when all went well."""
    from edu_pipeline.cli import runs

    _end(runs.rebuild(settings(), _options(accept_shrink, accept_red), err, as_of=as_of, offline=offline))


@app.command()
def load(
    table: str,
    file: Annotated[Path, typer.Argument(help="CSV with the table's own columns, as \\copy TABLE TO FILE CSV HEADER.")],
    accept_shrink: AcceptShrink = None,
    accept_red: AcceptRed = None,
) -> None:
    """Load a table from a file that you have, e.g. a backup, through the same contract, quarantine and ledger."""
    from edu_pipeline.cli import runs

    _end(runs.load_file(settings(), _target(), table, file, _options(accept_shrink, accept_red), err))


@app.command()
def rollback() -> None:
    """Swap the live schema with the one before the last rebuild; once more swaps them back."""
    from edu_pipeline.operations.swap import previous_of, roll_back

    database = _target()
    roll_back(database, lambda text: err.print(text, style="yellow"))
    out.print(f"{database.schema}: as it was before the last swap; what was live is {previous_of(database.schema)}")


@app.command()
def drop_previous(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Drop the schema that was live before the last rebuild: its space is free then, and there is no way back."""
    from edu_pipeline.operations.swap import drop_previous as drop
    from edu_pipeline.operations.swap import previous_of

    database = _target()
    if not yes:
        typer.confirm(f"Drop the schema {previous_of(database.schema)} of {database.place}?", abort=True)
    drop(database)
    out.print(f"{previous_of(database.schema)}: dropped")


@app.command()
def roles() -> None:
    """Make the roles of owner, loader and reader (groups without login) with their rights; needs a superuser."""
    from edu_pipeline.operations.roles import create_roles

    for line in create_roles(_target()):
        out.print(line, markup=False)


@app.command()
def refresh(
    tables: Annotated[list[str] | None, typer.Argument(help="Tables; none: all.")] = None,
    force: Annotated[bool, typer.Option(help="Load although neither releases nor code have changed.")] = False,
    accept_shrink: AcceptShrink = None,
    accept_red: AcceptRed = None,
) -> None:
    """Load what has a new release or new code, and what hangs on it."""
    from edu_pipeline.cli import runs

    options = _options(accept_shrink, accept_red, force=force)
    _end(runs.refresh(settings(), _target(), tables or None, options, err))


@app.command()
def status(as_json: AsJson = False) -> None:
    """Show per table: rows, release, when it was loaded, and what the last load changed."""
    from edu_pipeline.monitoring.health import judge
    from edu_pipeline.monitoring.status import gather
    from edu_pipeline.sources.archive import Archive

    snapshot = gather(_target(), Archive(settings().archive_root))
    found = snapshot.tables
    if as_json:
        _print_json(found)
        return
    state = judge(snapshot)
    of = {entry.table: entry for entry in state.tables}
    if any(entry.invented for entry in found):
        out.print("[bold yellow]Invented data of the sample publisher: no school, person or figure here is real.[/]\n")
    grid = _grid("table", ">rows", ">added", ">changed", ">removed", ">refused", "checks", "loaded at", "release")
    layer = None
    for entry in found:
        if entry.layer != layer:
            layer = entry.layer
            grid.add_row(f"[bold]{layer or 'no asset yet'}[/bold]")
        figures = [entry.rows, entry.added, entry.changed, entry.removed, entry.refused]
        loaded_at = f"{entry.loaded_at:%Y-%m-%d %H:%M}" if entry.loaded_at else entry.state
        releases = "\n".join(f"{source} {release}" for source, release in entry.releases.items())
        failed = " [red]failed since[/red]" if entry.error and entry.loaded_at else ""
        checks = _counted(of[entry.table])
        grid.add_row(f"  {entry.table}", *map(_figure, figures), checks, loaded_at + failed, releases)
    out.print(grid)
    _print_errors(state)


@app.command()
def health(as_json: AsJson = False) -> None:
    """Show how fresh and how sound every source and every table is; exit code 1 if anything is red."""
    from edu_pipeline.monitoring.health import WORST
    from edu_pipeline.monitoring.health import health as gather
    from edu_pipeline.sources.archive import Archive

    found = gather(_target(), Archive(settings().archive_root))
    if as_json:
        print(json.dumps(asdict(found), default=_plain, ensure_ascii=False, indent=1))
    else:
        _print_errors(found)
        counts = ", ".join(f"{found.number(state)} {state}" for state in WORST)
        out.print(f"{len(found.sources)} sources, {len(found.tables)} tables and views: {counts}")
    raise typer.Exit(1 if found.state == "red" else 0)


@app.command()
def sources(as_json: AsJson = False) -> None:
    """Show per source: publisher, rhythm, and the newest release in the archive."""
    from edu_pipeline.monitoring.status import source_status
    from edu_pipeline.sources.archive import Archive

    found = source_status(Archive(settings().archive_root))
    if as_json:
        _print_json(found)
        return
    grid = _grid("source", "publisher", "cadence", "newest release", ">age (days)", ">bytes", "tables")
    for entry in found:
        size, used = _figure(entry.bytes), ", ".join(entry.tables)
        grid.add_row(
            entry.source, entry.publisher, entry.cadence, entry.release or "", _figure(entry.age_days), size, used
        )
    out.print(grid)


@app.command()
def checksum(as_json: AsJson = False) -> None:
    """Show per table and view its rows and a digest of them: equal digests, equal rows."""
    from edu_pipeline.database.checksum import checksum_of_all, checksums

    found = checksums(_target())
    if as_json:
        print(json.dumps({name: asdict(entry) for name, entry in found.items()}, indent=1))
        return
    grid = _grid("table", ">rows", "digest")
    for name, entry in found.items():
        grid.add_row(name, _figure(entry.rows), entry.digest)
    out.print(grid)
    out.print(f"all: {checksum_of_all(found)}")


@app.command()
def compare(
    schema_a: Annotated[str, typer.Option(help="Schema that times are compared with.")] = "public",
    schema_b: Annotated[str, typer.Option(help="Schema whose times are compared.")] = "educational_data",
    queries: Annotated[Path | None, typer.Option(help="SQL file of queries; unset: those that eduinfo asks.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How often each query is timed on each schema.")] = 5,
    as_json: AsJson = False,
) -> None:
    """Count the rows of two schemas side by side, time the same queries on both, and show the ratios."""
    from edu_pipeline.operations.compare import as_json as in_json
    from edu_pipeline.operations.compare import compare as timed
    from edu_pipeline.operations.compare import parse_queries, render

    chosen = parse_queries(queries.read_text(encoding="utf-8"), str(queries)) if queries else None
    found = timed(_target().url, schema_a, schema_b, chosen, repeat)
    if as_json:
        print(in_json(found))
    else:
        out.print(render(found))


@app.command()
def ui(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 3000) -> None:
    """Serve the Dagster UI, with the daemon, on this machine only, until Ctrl-C."""
    from edu_pipeline.orchestration.instance import home

    os.environ["DAGSTER_HOME"] = home(settings())
    dagster = str(Path(sys.executable).with_name("dagster"))
    workspace = str(PROJECT / "workspace.yaml")
    os.execv(dagster, [dagster, "dev", "-h", "127.0.0.1", "-p", str(port), "-w", workspace])


def _cluster() -> Cluster:
    return Cluster(settings().local / "postgres")


def _target() -> Database:
    return target(settings())


def _counted(entry: TableHealth) -> str:
    """How many things are wrong with a table."""
    red = f"[red]{len(entry.red)} red[/red]" if entry.red else ""
    yellow = f"[yellow]{len(entry.yellow)} yellow[/yellow]" if entry.yellow else ""
    return ", ".join(filter(None, [red, yellow])) or "ok"


def _print_errors(found: Health) -> None:
    for text in (text for entry in found.entries for text in entry.errors):
        out.print(text, markup=False, style="red", soft_wrap=True)


def _options(accept_shrink: list[str] | None, accept_red: list[str] | None, force: bool = False) -> Options:
    from edu_pipeline.loading.load import Options

    return Options(force, frozenset(accept_shrink or ()), frozenset(accept_red or ()))


def _end(failures: dict[str, str]) -> None:
    for name, text in failures.items():
        err.print(f"{name}: {text}", markup=False, style="red", soft_wrap=True)
    raise typer.Exit(1 if failures else 0)


def _grid(*columns: str) -> Grid:
    grid = Grid(box=None, pad_edge=False)
    for column in columns:
        figures = column.startswith(">")
        grid.add_column(
            column.removeprefix(">"),
            justify="right" if figures else "left",
            no_wrap=column != "release",
            overflow="fold",
        )
    return grid


def _figure(value: int | None) -> str:
    return "" if value is None else f"{value:,}"


def _print_json(entries: Iterable[Any]) -> None:
    print(json.dumps([asdict(entry) for entry in entries], default=_plain, ensure_ascii=False, indent=1))


def _plain(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)
