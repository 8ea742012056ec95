"""The program that serves Dagster's UI behind the guard: ``python -m edu_pipeline.orchestration.webserver``.

Belongs here: its arguments, and serving until a signal. Does not belong here: what is let through (``guard.py``), the
other programs of `edu-pipeline ui` (``services.py``).
"""

from __future__ import annotations

import argparse

import dagster as dg
import uvicorn
from dagster_webserver.app import create_app_from_workspace_process_context

from edu_pipeline.orchestration.dagster_internals import workspace_process
from edu_pipeline.orchestration.guard import Guard, Origins
from edu_pipeline.orchestration.services import LOOPBACK
from edu_pipeline.settings import settings

POLL = 2000
"""Milliseconds after which a page asks again what has changed."""

LAST_ANSWERS = 2
"""Seconds that answers under way have to end, after a signal."""


def parser() -> argparse.ArgumentParser:
    """The arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default=LOOPBACK, help="another address than this machine's own: in a container only")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--read-only", action="store_true")
    return parser


def main() -> None:
    """Serve the UI until SIGTERM or SIGINT."""
    arguments = parser().parse_args()
    here = [f"http://{host}:{arguments.port}" for host in (LOOPBACK, "localhost")]
    own = Origins.of(*here, *filter(None, [settings().ui_url]))
    with (
        dg.DagsterInstance.get() as instance,
        workspace_process(instance, arguments.workspace, read_only=arguments.read_only) as process,
    ):
        uvicorn.run(
            Guard(create_app_from_workspace_process_context(process, live_data_poll_rate=POLL), own),
            host=arguments.host,
            port=arguments.port,
            log_level="warning",
            proxy_headers=False,
            timeout_graceful_shutdown=LAST_ANSWERS,
        )


if __name__ == "__main__":
    main()
