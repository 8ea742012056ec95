"""The command ``edu-pipeline ui``: Dagster's user interface and its daemon, on this machine.

Belongs here: starting them with the right settings. Does not belong here: what they run (``orchestration``).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from edu_pipeline.cli.publisher import start_if_upstream
from edu_pipeline.settings import PROJECT, settings

app = typer.Typer()


@app.command("ui")
def ui_command(port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 3000) -> None:
    """Serve the Dagster UI until Ctrl-C.

    It listens on this machine only. The daemon that runs sensors and schedules starts with it.
    """
    from edu_pipeline.orchestration.instance import home

    start_if_upstream()
    os.environ["DAGSTER_HOME"] = home(settings())
    dagster = str(Path(sys.executable).with_name("dagster"))
    workspace = str(PROJECT / "workspace.yaml")
    os.execv(dagster, [dagster, "dev", "-h", "127.0.0.1", "-p", str(port), "-w", workspace])
