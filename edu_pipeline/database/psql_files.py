r"""SQL files that `psql -f` runs, read without psql.

Belongs here: what our files use of psql's own language, namely

- ``\ir FILE``: include a file, whose path is relative to this one
- ``SELECT $sql$ ... $sql$ AS NAME \gset`` and ``\set NAME VALUE``: keep a text as a variable
- ``:NAME``: insert the text of a variable, and of the variables that it names in turn

Does not belong here: what the files say, and applying them (``migrate.py``).
"""

from __future__ import annotations

import re
from pathlib import Path

PSQL = re.compile(
    r"""
      ^\\ir\ (?P<file>\S+)\n
    | ^\\set\ (?P<name>\w+)\ (?P<value>\S+)\n
    | ^SELECT\ \$sql\$\n(?P<text>.*?)\n\$sql\$\ AS\ (?P<into>\w+)\ \\gset\n
    | (?<!:):(?P<variable>[a-z]\w*)
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


def sql_of(file: Path) -> str:
    """The SQL that psql would send for ``file``.

    Raises:
        OSError: the file, or one that it includes, cannot be read.
    """
    return _expanded(file.read_text(encoding="utf-8"), file.parent, {})


def _expanded(text: str, folder: Path, variables: dict[str, str]) -> str:
    def replacement(match: re.Match[str]) -> str:
        if match["file"]:
            included = folder / match["file"]
            return _expanded(included.read_text(encoding="utf-8"), included.parent, variables)
        if match["variable"]:
            value = variables.get(match["variable"])
            return match[0] if value is None else _expanded(value, folder, variables)
        variables[match["name"] or match["into"]] = match["value"] or match["text"]
        return ""

    return PSQL.sub(replacement, text)
