"""Tables in Markdown, as the metadata of an asset or a check shows them.

Belongs here: the layout. Does not belong here: what is in them (``metadata.py``, ``check_results.py``,
``data_freshness.py``, ``probes.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import dagster as dg


def markdown_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], max_length: int = 60
) -> dg.MarkdownMetadataValue:
    """A table in Markdown, its cells cut to ``max_length`` characters."""
    lines = [columns, ["---"] * len(columns), *([_cell(value, max_length) for value in row] for row in rows)]
    return dg.MetadataValue.md("\n".join(f"| {' | '.join(line)} |" for line in lines))


def markdown_list(items: Iterable[str]) -> dg.MarkdownMetadataValue:
    """A bulleted list in Markdown."""
    return dg.MetadataValue.md("\n".join(f"- {item}" for item in items))


def _cell(value: object, max_length: int) -> str:
    text = "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
    return text if len(text) <= max_length else f"{text[: max_length - 3]}..."
