"""The guides as a person follows them: the code blocks of a page of ``docs``, run in order in a shell.

Belongs here: finding the blocks, and running one. Does not belong here: the server that they run on (``servers.py``; a
server of their own, because roles belong to a whole server), and what they should do, which each guide's test says.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from edu_pipeline.database.binaries import find_binaries
from edu_pipeline.settings import PROJECT

DOCS = PROJECT / "docs"


@dataclass(frozen=True)
class Block:
    """A code block of a guide: the heading above it, its language, its text."""

    heading: str
    language: str
    text: str


@dataclass(frozen=True)
class Workbench:
    """The surroundings in which the blocks of a guide run.

    Attributes:
        folder: the current folder, where programs are written too.
        environment: variables for all blocks.
        names: names in the guide, and what replaces them here.
        role: further variables for programs only, which run as the application.
    """

    folder: Path
    environment: dict[str, str]
    names: dict[str, str]
    role: dict[str, str]

    def run(self, language: str, block: str) -> subprocess.CompletedProcess[str]:
        """Run a block: ``sh`` and ``sql`` as the operator, programs as the application."""
        for name, replacement in self.names.items():
            block = re.sub(rf"(?<![\w/-]){name}(?!\w)", replacement, block)
        environment = self.environment | ({} if language in ("sh", "sql") else self.role)
        return subprocess.run(
            self._command(language, block), env=environment, cwd=self.folder, capture_output=True, text=True
        )

    def _command(self, language: str, block: str) -> list[str]:
        if language == "sh":
            return ["sh", "-euc", block]
        if language == "sql":
            url = self.environment["EDU_DATABASE_URL"]
            return ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-c", block, url]
        file = (
            self.folder
            / {"js": "example.js", "r": "example.R", "python": "example.py", "java": "SwitchOver.java"}[language]
        )
        file.write_text(block)
        return {
            "js": ["node", str(file)],
            "r": ["Rscript", "--vanilla", str(file)],
            "python": [sys.executable, str(file)],
            "java": ["java", "-XX:-UsePerfData", str(file)],
        }[language]


def blocks(guide: Path) -> list[Block]:
    """The blocks of a guide, in order."""
    in_order = []
    heading = ""
    for match in re.finditer(
        r"(?ms)^#+ (?P<heading>[^\n]+)$|^```(?P<language>\w*)\n(?P<text>.*?)^```$", guide.read_text(encoding="utf-8")
    ):
        heading = match["heading"] or heading
        if match["text"]:
            in_order.append(Block(heading, match["language"], match["text"]))
    return in_order


def install_node_postgres(workbench: Workbench) -> None:
    """Install the package pg next to the examples; skip the test where that is not possible."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("node and npm are not installed")
    command = ["npm", "install", "--no-audit", "--no-fund", "--prefix", ".", "--cache", ".npm", "pg"]
    install = subprocess.run(command, cwd=workbench.folder, env=workbench.environment, capture_output=True, text=True)
    if install.returncode:
        pytest.skip(f"npm cannot install pg here: {install.stderr.strip()[-200:]}")


def with_programs() -> dict[str, str]:
    """The environment of this process, with ``edu-pipeline``, ``dagster`` and ``psql`` on the PATH."""
    path = [str(Path(sys.executable).parent), str(find_binaries().folder), os.environ["PATH"]]
    return os.environ | {"PATH": os.pathsep.join(path)}
