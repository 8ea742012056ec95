"""Work for processes that tests start; in a module of its own, since other programs import it too."""

from __future__ import annotations

import os
import time
from pathlib import Path


def sleepy(seconds: float) -> int:
    """Note this process in the folder that ``PIDS`` names, and sleep."""
    Path(f"{os.environ['PIDS']}/{os.getpid()}").touch()
    time.sleep(seconds)
    return os.getpid()
