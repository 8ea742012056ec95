"""Writes docs/cli.md: every command, argument and option, as typer describes them (`make docs`).

Belongs here: calling typer's own generator. Does not belong here: what the page says (the help of the commands).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PAGE = Path(__file__).resolve().parent.parent / "docs" / "cli.md"
NOTE = "<!-- Written by `make docs` from the commands' own help: change it there. -->\n\n"
TYPER = [sys.executable, "-m", "typer", "edu_pipeline.cli.main", "utils", "docs", "--name", "edu-pipeline"]


def reference() -> str:
    """The page as it should be."""
    page = subprocess.run(TYPER, capture_output=True, text=True, check=True).stdout
    return NOTE + page.strip().replace("&#x27;", "'") + "\n"


if __name__ == "__main__":
    page = Path(sys.argv[1]) if len(sys.argv) > 1 else PAGE
    page.write_text(reference(), encoding="utf-8")
