"""The commands about the database itself: the private cluster, migrations, roles, starting over.

Belongs here: arguments, and what is printed. Does not belong here: any of the work (``edu_pipeline/database``,
``operations/roles.py``).
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from edu_pipeline.cli.terminal import out
from edu_pipeline.database.cluster import Cluster
from edu_pipeline.database.connection import target
from edu_pipeline.settings import settings

app = typer.Typer()
db = typer.Typer(no_args_is_help=True, help="The private PostgreSQL cluster.\n\nIts files are in .local/postgres.")


@db.command("start")
def start_command() -> None:
    """Start the private cluster.

    Creates it if it does not exist, and prints its URL.
    """
    cluster = _cluster()
    cluster.start()
    print(cluster.url())


@db.command("stop")
def stop_command() -> None:
    """Stop the private cluster."""
    _cluster().stop()


@db.command("status")
def status_command() -> None:
    """Show whether the private cluster runs.

    Also shows its folder and port. Exit code 3 if it is not running.
    """
    status = _cluster().status()
    for name, value in asdict(status).items():
        print(f"{name}: {value}")
    raise typer.Exit(0 if status.running else 3)


@db.command("url")
def url_command() -> None:
    """Print the URL of the target database."""
    print(target(settings()).url)


@app.command("migrate")
def migrate_command() -> None:
    """Bring the target schema up to date.

    Applies the SQL files that it does not have yet, and prints their names.
    """
    from edu_pipeline.database import migrate

    database = target(settings())
    applied = migrate.migrate(database, applied=lambda name: out.print(f"applied {name}"))
    out.print(f"{database.schema}: {f'{len(applied)} files applied' if applied else 'up to date'}")


@app.command("start-over")
def start_over_command(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Recreate the target schema, empty.

    Its tables and its ledger are dropped; analytics and the archive are kept.
    """
    from edu_pipeline.database import migrate

    database = target(settings())
    if not yes:
        typer.confirm(f"Drop the schema {database.schema} of {database.place} with all its rows?", abort=True)
    migrate.start_over(database)
    out.print(f"{database.schema}: empty")


@app.command("roles")
def roles_command() -> None:
    """Create the database roles.

    Owner, loader and reader are groups without login, each with the least privilege that it needs. Needs a superuser.
    """
    from edu_pipeline.operations import roles

    for line in roles.create_roles(target(settings())):
        out.print(line, markup=False)


def _cluster() -> Cluster:
    return Cluster(settings().local / "postgres")
