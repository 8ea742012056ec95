"""Waiting for something to happen, on any machine.

Belongs here: waits that end on an event. Does not belong here: how long anything may take; a limit here only ends a
hang, and no test passes or fails by it on a slow machine.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from typing import Any, TypeVar

Value = TypeVar("Value")

HANG = 600.0
"""Seconds after which something that has not happened never will, even on a machine that is busy with other work."""


def awaited(
    look: Callable[[], Value], what: str, process: subprocess.Popen[Any] | None = None, limit: float = HANG
) -> Value:
    """What ``look`` returns, as soon as that is true.

    Args:
        what: what is waited for, for the text of the failure.
        process: the process that makes it happen; if it ends first, nobody waits any longer.

    Raises:
        AssertionError: the process has ended, or the limit is reached.
    """
    deadline = time.monotonic() + limit
    while True:
        has_ended = process is not None and process.poll() is not None
        if value := look():
            return value
        assert not has_ended, f"expected {what}, found the process ended with code {process and process.returncode}."
        assert time.monotonic() < deadline, f"expected {what}, found nothing after {limit:.0f} s."
        time.sleep(0.2)
