"""The materialized views: their SQL, and what they read.

Belongs here: everything about a view that follows from its file ``sql/views/<view>.sql``. Does not belong here:
creating them (``migrate.py``), refreshing them (``loading/view_refresh.py``), their columns (the SQL).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from edu_pipeline.database.migrate import migrations
from edu_pipeline.sql import FOLDER
from edu_pipeline.table import tables


@dataclass(frozen=True)
class View:
    """A materialized view.

    Attributes:
        text: its SQL.
        inputs: the declared tables that the SQL reads.
    """

    name: str
    text: str
    inputs: tuple[str, ...]

    @property
    def description(self) -> str:
        """The comment at the head of its file."""
        lines = re.match(r"(?:--.*\n)+", self.text)
        return re.sub(r"(?m)^-- ?", "", lines.group()).strip() if lines else ""

    @property
    def path(self) -> Path:
        """Its file."""
        return FOLDER / "views" / f"{self.name}.sql"

    @property
    def code_version(self) -> str:
        """Hash of the SQL."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:12]


@lru_cache(maxsize=1)
def views() -> dict[str, View]:
    """Every view by name."""
    declared = {}
    for file in migrations():
        if file.repeatable:
            name = file.name.removesuffix(".sql")
            statements = re.sub(r"--.*", "", file.text)
            inputs = tuple(table for table in tables() if re.search(rf"\b{table}\b", statements))
            declared[name] = View(name, file.text, inputs)
    return declared


def inputs_version(view: View, versions: Mapping[str, int]) -> str:
    """Hash of everything that the rows of ``view`` depend on: the versions of its tables, and its SQL."""
    inputs = {name: versions.get(name) for name in view.inputs}
    return hashlib.sha256(repr((view.code_version, inputs)).encode()).hexdigest()[:16]
