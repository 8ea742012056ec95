"""The programs of the environment, run as a person would."""

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
    """Run a program to its end with the settings of this test, and ``more`` variables."""
    return subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=PROJECT,
        env=os.environ | more,
        capture_output=True,
        text=True,
        check=False,
    )


def status() -> dict[str, dict[str, Any]]:
    """What `edu-pipeline status --json` says, by table."""
    done = run("edu-pipeline", "status", "--json")
    assert done.returncode == 0, done.stderr
    return {entry["table"]: entry for entry in json.loads(done.stdout)}
