"""The command line ``edu-pipeline``: thin, because Dagster can do everything that it does.

Belongs here: putting the groups of commands together, and exit codes. Does not belong here: the commands
(``database.py``, ``export.py``, ``loads.py``, ``reports.py``, ``ui.py``, ``sample.py``, ``sectors.py``, ``site.py``,
``source_check.py``, ``switchover.py``).

Commands import what they need when they run, so that `edu-pipeline db url` does not wait for polars, nor
`edu-pipeline status` for Dagster.
"""

from __future__ import annotations

import gc
import sys

import typer

from edu_pipeline.cli import (
    database,
    export,
    loads,
    prune,
    reports,
    sample,
    sectors,
    site,
    source_check,
    switchover,
    ui,
)
from edu_pipeline.cli.terminal import err
from edu_pipeline.errors import EduError

HELP = (
    "French open data about schools, in PostgreSQL.\n\n"
    "Exit codes: 0 success; 1 a failure, or something is red (health, switchover verify) or would stop a load "
    "(sources check), or was not read (sectors read-pdf); 2 wrong usage; "
    "3 the private cluster is not running (db status). docs/operating.md explains every failure text."
)

COLLECT_EVERY = 50_000
"""New objects after which Python looks for cycles: it would do so hundreds of times during a command's imports, which
make nothing that goes away."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=HELP)
for group in (loads.app, reports.app, export.app, site.app, database.app, prune.app, ui.app):
    app.add_typer(group)
app.add_typer(database.db, name="db")
reports.sources.command("check")(source_check.check_command)
app.add_typer(reports.sources, name="sources")
app.add_typer(sectors.app, name="sectors")
app.add_typer(sample.app, name="sample")
app.add_typer(switchover.app, name="switchover")


def main() -> None:
    """Run the command line; a failure that a person can act on is one text on stderr and exit code 1."""
    gc.set_threshold(COLLECT_EVERY)
    try:
        app()
    except EduError as error:
        name = type(error).__name__
        err.print(f"[red]{name}[/red]", end="")
        err.print(str(error).removeprefix(name), markup=False, soft_wrap=True)
        sys.exit(1)
