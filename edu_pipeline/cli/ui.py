"""The command ``edu-pipeline ui``: Dagster's user interface and its daemon, on this machine.

Belongs here: starting them with the right settings. Does not belong here: the programs (``orchestration/services.py``),
what they run (``orchestration``).
"""

from __future__ import annotations

import os
from typing import Annotated

import typer

from edu_pipeline.cli.publisher import start_if_upstream
from edu_pipeline.cli.terminal import err
from edu_pipeline.database.connection import target
from edu_pipeline.settings import settings

app = typer.Typer()


@app.command("ui")
def ui_command(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 3000,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Nothing can be started or changed from the UI.")
    ] = False,
) -> None:
    """Serve the Dagster UI until Ctrl-C or SIGTERM.

    It listens on this machine only, and takes commands from its own pages only. The daemon that runs sensors and
    schedules starts and ends with it, and so do the runs that they start.
    """
    from edu_pipeline.orchestration.home import home
    from edu_pipeline.orchestration.services import serve

    start_if_upstream()
    with target(settings()).connect():
        pass  # a failure is one text here, and would be that of three programs later
    os.environ["DAGSTER_HOME"] = home(settings())
    err.print(f"Dagster's UI: http://127.0.0.1:{port} (Ctrl-C ends it)", soft_wrap=True)
    serve(port, read_only=read_only)
