"""The installed programs, run as a person would run them.

Belongs here: running one with the settings of a test. Does not belong here: servers (``serving_dagster.py``,
``servers.py``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from edu_pipeline.settings import PROJECT

BIN = Path(sys.executable).parent


def run(*command: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, with the settings of this test and ``more`` variables."""
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=PROJECT,
        env=os.environ | more,
        capture_output=True,
        text=True,
        check=False,
    )


def status() -> dict[str, dict[str, Any]]:
    """The output of `edu-pipeline status --json`, by table."""
    ended = run("edu-pipeline", "status", "--json")
    assert ended.returncode == 0, ended.stderr
    return {entry["table"]: entry for entry in json.loads(ended.stdout)}
