"""The guides as a person follows them: the blocks of a page of ``docs``, run in order in a shell.

Belongs here: finding the blocks, and running one. Does not belong here: the server that they are run on (a server of
its own, since roles belong to a whole one: ``servers.py``), what a guide's commands should do, which is its test's.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from edu_pipeline.database.binaries import find_binaries
from edu_pipeline.settings import PROJECT

DOCS = PROJECT / "docs"


@dataclass(frozen=True)
class Block:
    """A block of code of a guide: the heading above it, its language, its text."""

    heading: str
    language: str
    text: str


@dataclass(frozen=True)
class Workbench:
    """What the blocks of a guide are run with.

    Attributes:
        folder: the current folder, and where programs are put.
        environment: the variables of all blocks.
        names: what the guide calls a thing, and what it is called here.
        role: more variables, of the programs alone, which run as the application.
    """

    folder: Path
    environment: dict[str, str]
    names: dict[str, str]
    role: dict[str, str]

    def run(self, language: str, block: str) -> subprocess.CompletedProcess[str]:
        """Run a block: ``sh`` and ``sql`` as the operator, programs as the application."""
        for name, own in self.names.items():
            block = re.sub(rf"(?<![\w/-]){name}(?!\w)", own, block)
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
        file = self.folder / {"js": "example.js", "python": "example.py", "java": "SwitchOver.java"}[language]
        file.write_text(block)
        return {
            "js": ["node", str(file)],
            "python": [sys.executable, str(file)],
            "java": ["java", "-XX:-UsePerfData", str(file)],
        }[language]


def blocks(guide: Path) -> list[Block]:
    """The blocks of a guide in their order."""
    found = []
    heading = ""
    for match in re.finditer(
        r"(?ms)^#+ (?P<heading>[^\n]+)$|^```(?P<language>\w*)\n(?P<text>.*?)^```$", guide.read_text(encoding="utf-8")
    ):
        heading = match["heading"] or heading
        if match["text"]:
            found.append(Block(heading, match["language"], match["text"]))
    return found


def with_programs() -> dict[str, str]:
    """The environment of this process, in which ``edu-pipeline``, ``dagster`` and ``psql`` are found."""
    path = [str(Path(sys.executable).parent), str(find_binaries().folder), os.environ["PATH"]]
    return os.environ | {"PATH": os.pathsep.join(path)}
