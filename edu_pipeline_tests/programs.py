"""The installed programs, run as a person would run them, and `edu-pipeline` without a process of its own.

Belongs here: running one with the settings of a test. Does not belong here: servers (``serving_dagster.py``,
``servers.py``).
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from unittest.mock import patch

from edu_pipeline.cli.main import main
from edu_pipeline.settings import PROJECT, settings

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


def run_here(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """Run ``edu-pipeline`` to its end as `run` does, but in this process: one of its own spends seconds on imports.

    For tests of what a command does, not of how it starts, is killed, or shares a terminal.
    """
    out, err = io.StringIO(), io.StringIO()
    command = ["edu-pipeline", *words]
    settings.cache_clear()
    with patch.dict(os.environ, more), patch.object(sys, "argv", command), redirect_stdout(out), redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
    settings.cache_clear()
    return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())


def status() -> dict[str, dict[str, Any]]:
    """The output of `edu-pipeline status --json`, by table."""
    ended = run_here("status", "--json")
    assert ended.returncode == 0, ended.stderr
    return {entry["table"]: entry for entry in json.loads(ended.stdout)}
