"""The sample publisher, for commands that ask publishers: it runs when they need it.

Belongs here: starting it again before such a command. Does not belong here: its own commands (``sample.py``), starting
it (``sample/background.py``).
"""

from __future__ import annotations

from edu_pipeline.cli.terminal import err
from edu_pipeline.sample import background
from edu_pipeline.settings import settings


def start_if_upstream() -> None:
    """Start the sample publisher if EDU_UPSTREAM is its address and it is not running, as after `make stop`.

    Raises:
        SampleServerFailed: it does not start.
    """
    upstream = settings().upstream
    if upstream and (server := background.resume(settings().local / "sample", upstream)):
        err.print(f"started the sample publisher on {server.url}", soft_wrap=True)
